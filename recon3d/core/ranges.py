"""Which numbers a setting may have: said once, for the checks and for the forms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, get_type_hints

from recon3d.core.errors import require

Number: TypeAlias = int | float


@dataclass(frozen=True, kw_only=True)
class Range:
    """Finite numbers from `least` (or just `above`) to `most` (or just `below`).

    Stands in the type of a setting: Annotated[int, Range(least=2)].
    """

    least: Number | None = None
    above: Number | None = None
    most: Number | None = None
    below: Number | None = None
    besides: Number | None = None
    """One more number, which means something else, such as that the program chooses."""

    def __contains__(self, value: Number) -> bool:
        return math.isfinite(value) and (value == self.besides or self._holds(value))

    def _holds(self, value: Number) -> bool:
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        least, above, most, below = self.least, self.above, self.most, self.below
        if above is not None:
            words = f"above {above:g}" if below is None else f"between {above:g} and {below:g}"
        elif most is not None:
            words = f"{least:g} to {most:g}"
        else:
            words = f"{least:g} or more" if below is None else f"{least:g} up to {below:g}"
        return words if self.besides is None else f"{self.besides:g}, or {words}"


def check_ranges(settings: Any, section: str) -> None:
    """Hold every setting of a dataclass to the Range in its type.

    Raises:
        ConfigError: one is outside.
    """
    settings_type: type = type(settings)
    for name, allowed in ranges(settings_type).items():
        value = getattr(settings, name)
        require(value in allowed, f"{section}.{name}", value, str(allowed))


@cache
def ranges(settings_type: type) -> dict[str, Range]:
    """The ranges of a dataclass's settings, by name."""
    return {
        name: found
        for name, hint in get_type_hints(settings_type, include_extras=True).items()
        for found in getattr(hint, "__metadata__", ())
        if isinstance(found, Range)
    }
