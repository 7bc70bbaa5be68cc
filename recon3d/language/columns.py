"""Columns of terminals, in which Chinese letters take two places."""

from __future__ import annotations

import unicodedata


def padded(text: str, columns: int) -> str:
    """A text with spaces to the end of a column, one at least."""
    return text + " " * max(columns - width(text), 1)


def padded_before(text: str, columns: int) -> str:
    """A text at the right end of a column."""
    return " " * (columns - width(text)) + text


def width(text: str) -> int:
    """Places that a text takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
