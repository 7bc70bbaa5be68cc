"""Names in the order that people count in: 2.jpg before 10.jpg."""

from __future__ import annotations

import re
from itertools import zip_longest


def natural_key(name: str) -> tuple[tuple[tuple[str, int, str], ...], str]:
    """Sorts numbers in names by their value, everything else as plain text."""
    parts = re.split(r"([0-9]+)", name)
    # Compared by length, then digit by digit: numbers in names may be longer than any integer.
    numbers = [digits.lstrip("0") for digits in parts[1::2]]
    pairs = zip_longest(parts[0::2], numbers, fillvalue="")
    return tuple((text, len(number), number) for text, number in pairs), name
