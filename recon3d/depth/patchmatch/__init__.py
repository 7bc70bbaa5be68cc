"""Slanted planes for the pixels that no other view confirms (PatchMatch)."""
