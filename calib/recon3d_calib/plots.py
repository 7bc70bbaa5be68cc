"""Plots as plain numbers, for the reports and for the window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recon3d_calib.calibrate import Calibration
from recon3d_calib.quality import Judged, coverage

WIDTH = 640
"""Of every plot; its height follows from the photo's shape."""
# The longest arrow that most corners get, as a share of the picture's width.
_ARROW = 0.035
_TILT_STEP_DEG = 10


@dataclass(frozen=True)
class Cells:
    """Corners per cell of the photo."""

    height: int
    cells: tuple[tuple[float, float, float, float, float], ...]
    """x, y, width, height and opacity."""


@dataclass(frozen=True, eq=False)
class Arrows:
    """Where corners should be, from where they were seen, magnified."""

    height: int
    kept: Float[np.ndarray, "n 4"]
    """From x, y to x, y."""
    dropped: Float[np.ndarray, "m 4"]
    """Of the corners that the result does not rest on."""
    magnified: float


def draw_coverage(calibration: Judged) -> Cells:
    """Darker where more corners were seen."""
    counts = coverage(calibration)
    camera = calibration.intrinsics.pinhole
    height = round(WIDTH * camera.height_px / camera.width_px)
    rows, columns = counts.shape
    strength = np.where(counts > 0, 0.25 + 0.75 * np.sqrt(counts / max(counts.max(), 1)), 0)
    return Cells(
        height,
        tuple(
            (
                round(column * WIDTH / columns, 1),
                round(row * height / rows, 1),
                round(WIDTH / columns - 1, 1),
                round(height / rows - 1, 1),
                round(float(strength[row, column]), 2),
            )
            for row in range(rows)
            for column in range(columns)
            if counts[row, column]
        ),
    )


def draw_residuals(calibration: Judged, most: int = 4000) -> Arrows:
    """All photos in one picture: a pattern in it is what the lens model does not explain."""
    camera = calibration.intrinsics.pinhole
    scale = WIDTH / camera.width_px
    points = np.concatenate([photo.points_px for photo in calibration.used]) * scale
    misses = np.concatenate([photo.residuals_px for photo in calibration.used])
    kept = np.concatenate([photo.kept for photo in calibration.used])
    usual = max(float(np.percentile(np.linalg.norm(misses[kept], axis=1), 90)), 1e-6)
    magnified = _magnification(_ARROW * WIDTH / scale / usual)
    some = np.arange(len(points))[:: -(-len(points) // most)]
    lines = np.concatenate([points, points + misses * scale * magnified], axis=1).round(1)
    return Arrows(
        round(camera.height_px * scale),
        lines[some[kept[some]]],
        lines[some[~kept[some]]],
        magnified,
    )


def draw_tilts(calibration: Calibration) -> tuple[tuple[str, int], ...]:
    """Photos by the tilt of the board."""
    tilts = [photo.tilt_deg for photo in calibration.used]
    edges = range(0, 90, _TILT_STEP_DEG)
    return tuple(
        (
            f"{low}–{low + _TILT_STEP_DEG}°",
            sum(low <= tilt < low + _TILT_STEP_DEG for tilt in tilts),
        )
        for low in edges
    )


def _magnification(wanted: float) -> float:
    """The next smaller round number."""
    power = 10 ** np.floor(np.log10(max(wanted, 1)))
    return float(max(step * power for step in (1, 2, 5) if step * power <= max(wanted, 1)))
