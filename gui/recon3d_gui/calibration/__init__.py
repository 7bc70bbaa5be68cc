"""Calibrating a camera from the window: what is known, and the process that computes it."""
