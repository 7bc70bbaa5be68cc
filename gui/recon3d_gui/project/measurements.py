"""Distances that a person has measured and named, as the project keeps them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST = 500
"""Measurements of a project."""
_LONGEST_NAME = 80
_MOST_SIGHTS = 12

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Sight:
    """Where a photo sees a point: x / z and y / z in its camera's frame, whatever its lens."""

    photo: str
    at: tuple[float, float]


@dataclass(frozen=True)
class End:
    """One end of a distance."""

    point: Point
    """In the world of the scene that it was measured in."""
    sights: tuple[Sight, ...] = ()
    """With these it is found again where the photos are placed anew."""


@dataclass(frozen=True)
class Measurement:
    """A distance between two points of the model."""

    name: str
    scene: str
    """Name of the placed cameras that it was measured in."""
    start: End
    end: End


def new_name(taken: Sequence[str]) -> str:
    """The first of Length 1, Length 2, ... that is free."""
    number = 1
    while f"Length {number}" in taken:
        number += 1
    return f"Length {number}"


def usable_name(text: str) -> str:
    """On one line, and not endless."""
    return " ".join(text.split())[:_LONGEST_NAME].rstrip()


def plain(measurement: Measurement) -> dict[str, Any]:
    """For a project file."""
    return {
        "name": measurement.name,
        "scene": measurement.scene,
        "start": _plain_end(measurement.start),
        "end": _plain_end(measurement.end),
    }


def read(fields: Mapping[str, Any]) -> Measurement:
    """What `plain` made.

    Raises:
        ValueError: it is damaged; or KeyError, TypeError or AttributeError.
    """
    name, scene = fields["name"], fields["scene"]
    if not isinstance(name, str) or not isinstance(scene, str) or not usable_name(name):
        raise ValueError(fields)
    return Measurement(
        usable_name(name), scene, _read_end(fields["start"]), _read_end(fields["end"])
    )


def _plain_end(end: End) -> dict[str, Any]:
    seen = [{"photo": sight.photo, "at": list(sight.at)} for sight in end.sights]
    return {"point": list(end.point), "seen": seen}


def _read_end(fields: Mapping[str, Any]) -> End:
    x, y, z = map(_finite, fields["point"])
    sights = []
    for seen in fields["seen"][:_MOST_SIGHTS]:
        across, down = map(_finite, seen["at"])
        if not isinstance(seen["photo"], str):
            raise ValueError(seen)
        sights.append(Sight(seen["photo"], (across, down)))
    return End((x, y, z), tuple(sights))


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)
