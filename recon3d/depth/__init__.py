"""Dense depth per photo: matching, networks, training, alignment, geometric consistency."""
