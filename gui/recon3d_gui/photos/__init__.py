"""The photos of a project: which there are, what they look like, what became of them."""
