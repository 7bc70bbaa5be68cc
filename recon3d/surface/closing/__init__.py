"""Holes closed by the smallest surface that no camera looks through (Labatut et al. 2007)."""
