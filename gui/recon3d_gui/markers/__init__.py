"""Markers set by hand: placing them in photos, and what the shown run knows of them."""
