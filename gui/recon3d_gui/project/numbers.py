"""Numbers as people type and read them, with spaces, commas and points of several countries."""

from __future__ import annotations

import math
import re

from recon3d.core.errors import ConfigError

_GAPS = re.compile(r"[\s'’_\u2009\u202f]")
_GROUPED = re.compile(r"[+-]?\d{1,3}([.,]\d{3})+")


def read_number(text: str) -> float:
    """A finite number; a single comma is a decimal one.

    Raises:
        ConfigError: it is no number.
    """
    compact = _GAPS.sub("", text)
    if compact.count(",") == 1 and "." not in compact:
        compact = compact.replace(",", ".")
    try:
        number = float(compact.replace(",", ""))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"“{text}” is not a number.")
    return number


def read_whole(text: str) -> int:
    """A whole number; commas and points between groups of three digits only group them.

    Raises:
        ConfigError: it is none.
    """
    compact = _GAPS.sub("", text)
    if _GROUPED.fullmatch(compact):
        compact = compact.replace(",", "").replace(".", "")
    number = read_number(compact) if compact else math.nan
    if not number.is_integer():
        raise ConfigError(f"“{text}” is not a whole number.")
    return int(number)


def read_box(text: str) -> tuple[float, ...]:
    """Six numbers: smallest x, y and z, then largest.

    Raises:
        ConfigError: they are not six.
    """
    numbers = tuple(read_number(part) for part in re.split(r"[\s;,]+", text) if part)
    if len(numbers) != 6:
        raise ConfigError(f"Six numbers are needed, not {len(numbers)}: x y z, then x y z.")
    return numbers


def write_number(number: float) -> str:
    """So that `read_number` gives back the same, or `read_whole` for a whole one."""
    if isinstance(number, int):
        return f"{number:,}"
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
