"""What a user says of lengths: places in photos or in the model, and the metres between them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from recon3d.core.errors import ConfigError

_METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "km": 1000.0, "in": 0.0254, "ft": 0.3048}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
# Names of photos may hold spaces, signs and colons, so a place ends where its numbers do.
_PLACE = re.compile(
    rf"\s*(?P<same>\+)?\s*(?:"
    rf"(?P<x>{_NUMBER})\s*,\s*(?P<y>{_NUMBER})\s*,\s*(?P<z>{_NUMBER})"
    rf"|(?P<photo>\S.*?):\s*(?P<u>{_NUMBER})\s*,\s*(?P<v>{_NUMBER})"
    rf")(?=\s|\+|$)"
)
_LENGTH = re.compile(rf"\s*(?P<number>{_NUMBER})\s*(?P<unit>[a-z]*)\s*", re.IGNORECASE)
_HINT = (
    'Write two places and the metres between them: "a.jpg:812,440 a.jpg:1210,455 = 0.42". The '
    'same point seen in two photos is joined by +: "a.jpg:812,440 + b.jpg:77,310 ...". Separate '
    "several distances by semicolons."
)


@dataclass(frozen=True)
class PhotoPixel:
    """A pixel of the user's upright photo as a viewer counts it: the first one is 0, 0."""

    photo: str
    column: float
    row: float
    is_upright: bool = False
    """Surely of the upright photo, as what was clicked in the window, whatever the image set says
    of marks."""


@dataclass(frozen=True)
class ModelPoint:
    """A point of the model as it is written without a known scale."""

    xyz: tuple[float, float, float]


Place = tuple[PhotoPixel, ...] | ModelPoint
"""One physical point: where one or more photos show it, or its coordinates."""


@dataclass(frozen=True)
class KnownLength:
    """Two places and the distance between them."""

    text: str
    start: Place
    end: Place
    metres: float


@dataclass(frozen=True)
class KnownFactor:
    """The metres of one unit of the scene, for poses whose unit the user knows."""

    text: str
    metres_per_unit: float


def parse_scale(text: str) -> tuple[KnownLength | KnownFactor, ...]:
    """Read `--scale`: distances and factors, separated by semicolons; empty text is nothing.

    Raises:
        ConfigError: says which part cannot be read and how it is written.
    """
    return tuple(_parse_one(part.strip()) for part in text.split(";") if part.strip())


def pixels_in(text: str) -> Iterator[PhotoPixel]:
    """All that `--scale` names."""
    for known in parse_scale(text):
        if isinstance(known, KnownLength):
            for place in (known.start, known.end):
                yield from place if isinstance(place, tuple) else ()


def _parse_one(text: str) -> KnownLength | KnownFactor:
    places, equals, length = text.rpartition("=")
    metres = _metres(length, text)
    if not equals:
        return KnownFactor(text, metres)
    ends = _places(places, text)
    if len(ends) != 2:
        raise _unreadable(text, f"it names {len(ends)} places instead of 2")
    if ends[0] == ends[1]:
        raise _unreadable(text, "both its places are the same")
    return KnownLength(text, ends[0], ends[1], metres)


def _places(text: str, whole: str) -> list[Place]:
    found: list[Place] = []
    position = 0
    while text[position:].strip():
        match = _PLACE.match(text, position)
        if not match:
            raise _unreadable(whole, f'"{text[position:].strip()}" is no place')
        position = match.end()
        if match["photo"] is None:
            if match["same"]:
                raise _unreadable(whole, "only pixels of photos can be joined by +")
            found.append(ModelPoint((float(match["x"]), float(match["y"]), float(match["z"]))))
            continue
        pixel = PhotoPixel(match["photo"], float(match["u"]), float(match["v"]))
        before = found[-1] if found else None
        if not match["same"]:
            found.append((pixel,))
        elif isinstance(before, tuple):
            found[-1] = (*before, pixel)
        else:
            raise _unreadable(whole, "only pixels of photos can be joined by +")
    return found


def _metres(text: str, whole: str) -> float:
    match = _LENGTH.fullmatch(text)
    unit = match["unit"].lower() or "m" if match else ""
    if not match or unit not in _METRES:
        raise _unreadable(whole, f'"{text.strip()}" is no length')
    metres = float(match["number"]) * _METRES[unit]
    if not (math.isfinite(metres) and metres > 0):
        raise _unreadable(whole, f'"{text.strip()}" is not above 0')
    return metres


def _unreadable(text: str, why: str) -> ConfigError:
    return ConfigError(f'The scale "{text}" cannot be read: {why}.', hint=_HINT)
