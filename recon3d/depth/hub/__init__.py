"""Monocular depth networks of the transformers library, from the hub or a folder."""
