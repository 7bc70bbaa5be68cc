"""A rig in words and numbers that a person reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass

import numpy as np

from recon3d_calib import quality
from recon3d_calib.quality import Grade
from recon3d_calib.rig import Rig, RigCamera

_FEW_MOMENTS, _ENOUGH_MOMENTS = 10, 15
_MUCH_LEFT_OUT = 0.3
_GRADES: tuple[Grade, ...] = ("poor", "fair", "good")


@dataclass(frozen=True)
class Row:
    """One camera in a table."""

    camera: str
    focal_px: str
    rms_px: str
    moments: str
    baseline: str
    rotation: str


HEADS = Row("camera", "focal length px", "misses by px", "moments", "baseline", "turned by °")


def rows(rig: Rig) -> list[Row]:
    """Of every camera; ± is one standard deviation."""
    return [_row(rig, camera) for camera in rig.cameras]


def table(rig: Rig) -> list[str]:
    """The rows as lines of text."""
    cells = [astuple(row) for row in (HEADS, *rows(rig))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for name, *numbers in cells:
        aligned = [text.rjust(width) for text, width in zip(numbers, widths[1:], strict=True)]
        lines.append("  " + "   ".join([name.ljust(widths[0]), *aligned]))
    return lines


def _row(rig: Rig, camera: RigCamera) -> Row:
    pinhole = camera.intrinsics.pinhole
    first = camera is rig.cameras[0]
    scale, unit = _unit(rig)
    baseline = with_error(scale * camera.baseline, scale * camera.baseline_std)
    return Row(
        camera.name,
        with_error(pinhole.fx_px, camera.std["fx"]),
        f"{camera.rms_px:.2f}",
        str(camera.moments),
        "–" if first else f"{baseline} {unit}",
        "–" if first else with_error(camera.rotation_deg, camera.rotation_std_deg),
    )


def with_error(value: float, std: float) -> str:
    """A value with as many digits as its error bar deserves."""
    if not np.isfinite(std) or std <= 0:
        return f"{value:.2f} ± ?"
    # The error bar keeps two digits.
    digits = max(0, 1 - int(np.floor(np.log10(std))))
    return f"{value:.{digits}f} ± {std:.{digits}f}"


def summary(rig: Rig) -> str:
    """One sentence."""
    used, given = len(rig.used), len(rig.moments)
    return (
        f"{len(rig.cameras)} cameras were placed from {used} of {given} moments; their corners "
        f"miss by {rig.rms_px:.2f} px."
    )


def rig_grade(rig: Rig) -> Grade:
    """One word: as good as its worst camera, and no better than fair from few moments."""
    if not all(np.isfinite(camera.covariance).all() for camera in rig.cameras):
        return "poor"
    grades = [quality.grade(camera.calibration) for camera in rig.cameras]
    few = any(camera.moments < _FEW_MOMENTS for camera in rig.cameras)
    return min([*grades, "fair" if few else "good"], key=_GRADES.index)


def advice(rig: Rig) -> tuple[str, ...]:
    """What would make it better, most important first; of the lenses too."""
    of_lenses = [
        f"{camera.name}: {sentence}"
        for camera in rig.cameras
        for sentence in quality.advice(camera.calibration)
    ]
    return (*_warnings(rig), *of_lenses)


def _warnings(rig: Rig) -> Iterator[str]:
    for camera in rig.cameras:
        if camera.moments < _FEW_MOMENTS:
            yield (
                f"{camera.name} was placed from only {camera.moments} moments: take "
                f"{_ENOUGH_MOMENTS - camera.moments} more in which it and another camera see the "
                "whole board, near and far and tilted."
            )
    left_out = len(rig.moments) - len(rig.used)
    if left_out > _MUCH_LEFT_OUT * len(rig.moments):
        yield f"{left_out} of {len(rig.moments)} moments were left out: see why below."
    if not rig.metric:
        yield "Distances are in squares of the board: --square-mm gives millimetres."


def remarks(rig: Rig) -> list[tuple[str, str]]:
    """Moments and photos that do not count, and why."""
    found = [(moment.name, moment.reason) for moment in rig.moments if moment.reason]
    return found + [
        (photo_id, f"only {camera_name} has a photo of this name or number")
        for camera_name, photos in rig.alone.items()
        for photo_id in photos
    ]


def _unit(rig: Rig) -> tuple[float, str]:
    return (1000.0, "mm") if rig.metric else (1.0, "squares")
