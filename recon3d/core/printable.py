"""Text of strangers, such as the names of their files, made fit for terminals and UTF-8."""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters: ESC moves the cursor, or renames the window
    "\u2028\u2029"  # line ends
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of writing
    "\ud800-\udfff]"  # bytes of a name that are no UTF-8, as Python keeps them
)


def printable(text: str) -> str:
    """The text with a replacement sign for every character that is none, or acts as a command."""
    return _UNPRINTABLE.sub("\ufffd", text)


def printable_lines(text: str) -> str:
    """As `printable`, but line ends stay: for text of our own that quotes what strangers wrote."""
    return "\n".join(map(printable, text.split("\n")))
