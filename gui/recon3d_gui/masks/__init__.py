"""Masks that are drawn by hand: brush, lasso, undo, files; free of the window."""
