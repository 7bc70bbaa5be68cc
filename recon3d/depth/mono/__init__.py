"""Depth of one photo: a network to train, evaluate and use (docs/TRAINING_MONO.md)."""
