"""Where every photo was taken: features, matching, mapping, given poses, one photo alone."""
