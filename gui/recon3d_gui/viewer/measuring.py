"""Distances between places of the model: kept, found again in another run, listed as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recon3d.core.scene import View
from recon3d_gui.project.measurements import End, Measurement, Sight
from recon3d_gui.viewer.cameras import Point
from recon3d_gui.viewer.protocol import Loaded, Picked
from recon3d_gui.viewer.tools import length_text

_LEAST_ANGLE_DEG = 1.0
"""Between two lines of sight; from fewer nobody can tell how far a point lies."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Placed:
    """A measurement in the model that is shown."""

    measurement: Measurement
    ends: tuple[Point, Point] | None
    """In the model frame; None where this model does not tell where they are."""
    length: float
    """In the unit of the model; 0 where it is not known."""
    text: str
    """The length with its unit."""


def measured(name: str, picks: Sequence[Picked], loaded: Loaded) -> Measurement:
    """Keep the distance of two picks on the model."""
    start, end = (_end(pick, loaded) for pick in picks[:2])
    return Measurement(name, loaded.scene_key, start, end)


def placed(measurement: Measurement, loaded: Loaded) -> Placed:
    """Find a measurement in the model that is shown.

    In the world that it was measured in its ends are known, whatever scale and frame have become;
    in another they are where the lines of sight of its photos meet.
    """
    ends = [_found(end, measurement.scene, loaded) for end in (measurement.start, measurement.end)]
    if ends[0] is None or ends[1] is None:
        return Placed(measurement, None, 0.0, "not in this model")
    length = float(np.linalg.norm(ends[1] - ends[0]))
    return Placed(
        measurement, (_point(ends[0]), _point(ends[1])), length, length_text(length, loaded.unit)
    )


def table(lengths: Sequence[Placed], unit: str) -> str:
    """As CSV, for spreadsheets: lengths and ends in the model's frame and unit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    places = [f"{end}_{axis}" for end in ("start", "end") for axis in "xyz"]
    writer.writerow(["name", "length", "unit", *places])
    for each in lengths:
        name = each.measurement.name
        # A spreadsheet would take it for a formula.
        name = f"'{name}" if name.startswith(_FORMULA) else name
        known = each.ends is not None
        numbers = [f"{value:.6g}" for end in each.ends or () for value in end]
        length = f"{each.length:.6g}" if known else ""
        writer.writerow([name, length, unit if known else "", *numbers])
    return text.getvalue()


def _end(pick: Picked, loaded: Loaded) -> End:
    assert pick.point
    point = np.array(pick.point)
    views = {view.photo_id: view for view in loaded.views}
    seen = []
    for pixel in pick.photos:
        if (view := views.get(pixel.photo)) is not None:
            x, y, z = (view.cam_from_world @ point).tolist()
            seen.append(Sight(pixel.photo, (x / z, y / z)))
    return End(_point(loaded.model_from_world.inverse() @ point), tuple(seen))


def _found(end: End, scene: str, loaded: Loaded) -> Float[np.ndarray, "3"] | None:
    if scene == loaded.scene_key:
        point: np.ndarray = loaded.model_from_world @ np.array(end.point)
        return point
    views = {view.photo_id: view for view in loaded.views}
    return _met([(views[s.photo], s.at) for s in end.sights if s.photo in views])


def _met(seen: Sequence[tuple[View, tuple[float, float]]]) -> Float[np.ndarray, "3"] | None:
    """The point that is nearest to all lines of sight; None where they do not tell one."""
    if len(seen) < 2:
        return None
    directions = []
    for view, (across, down) in seen:
        ray = view.cam_from_world.rotation.T @ np.array([across, down, 1.0])
        directions.append(ray / np.linalg.norm(ray))
    cosine = min(float(first @ second) for first in directions for second in directions)
    if np.degrees(np.arccos(np.clip(cosine, -1, 1))) < _LEAST_ANGLE_DEG:
        return None
    across_lines = [np.eye(3) - np.outer(ray, ray) for ray in directions]
    centres = [view.centre_world for view, _ in seen]
    right = sum(m @ c for m, c in zip(across_lines, centres, strict=True))
    point: np.ndarray = np.linalg.solve(np.sum(across_lines, axis=0), right)
    is_ahead = all((view.cam_from_world @ point)[2] > 0 for view, _ in seen)
    return point if is_ahead else None


def _point(values: np.ndarray) -> Point:
    x, y, z = (float(each) for each in values)
    return x, y, z
