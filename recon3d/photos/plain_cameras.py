"""Intrinsics in plain text: matrices of many shapes, KITTI's calibration, tables with a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from recon3d.core.camera import Distortion, Intrinsics
from recon3d.core.orientation import Size
from recon3d.photos.camera_values import (
    FROM_CORNER,
    camera_of_matrix,
    lens_of,
    unsized_size,
)
from recon3d.photos.documents import to_number

# KITTI's odometry and object sets (P2:), its raw recordings (P_rect_02:).
_KITTI = re.compile(r"^\s*(P\d+|P_rect_\d+)\s*:(.*)$", re.MULTILINE)
_COLUMNS = ("k1", "k2", "p1", "p2", "k3")


def read_plain_cameras(text: str, usual_size: Size) -> tuple[Intrinsics, ...] | None:
    """The cameras of a text; None where it is no such text.

    A matrix is in our own convention, the centre of the first pixel at (0.5, 0.5), and says
    nothing of the size: the photos' must fit. KITTI's is OpenCV's, at (0, 0).

    Raises:
        ValueError: its numbers are no camera.
    """
    if rows := _KITTI.findall(text):
        matrices = {tuple(_three_by_three(_numbers(row) or [])) for _, row in rows}
        return tuple(_camera(values, usual_size, 0.5) for values in sorted(matrices))
    numbers = _numbers(text)
    if numbers is None:
        return _table(text, usual_size)
    if len(numbers) == 4:
        fx, fy, cx, cy = numbers
        numbers = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
    return (_camera(_three_by_three(numbers), usual_size, FROM_CORNER),)


def _camera(values: Sequence[float], usual_size: Size, first_pixel: float) -> Intrinsics:
    size = unsized_size(values, usual_size)
    return camera_of_matrix(values, size, first_pixel, Distortion())


def _three_by_three(numbers: Sequence[float]) -> list[float]:
    """The left 3x3 of a 3x3, 3x4 or 4x4 matrix row by row."""
    columns = {9: 3, 12: 4, 16: 4}.get(len(numbers))
    if columns is None:
        raise ValueError(
            f"it has {len(numbers)} numbers: no matrix of 3x3, 3x4 or 4x4, and not fx fy cx cy"
        )
    if len(numbers) == 16 and list(numbers[12:]) != [0, 0, 0, 1]:
        raise ValueError(
            "the last row of its 4x4 matrix is "
            f"{' '.join(f'{number:g}' for number in numbers[12:])}, not 0 0 0 1"
        )
    rows = [numbers[row * columns : row * columns + 3] for row in range(3)]
    return [value for row in rows for value in row]


def _numbers(text: str) -> list[float] | None:
    """None for a text that does not hold numbers alone."""
    bare = (line.partition("#")[0] for line in text.splitlines())
    words = re.split(r"[\s,;\[\]()]+", " ".join(bare))
    try:
        numbers = [float(word) for word in words if word]
    except ValueError:
        return None
    return [to_number(number, "a value") for number in numbers] or None


def _table(text: str, usual_size: Size) -> tuple[Intrinsics, ...] | None:
    """A line of names such as fx,fy,cx,cy and one of numbers."""
    try:
        rows = list(csv.DictReader(io.StringIO(text), skipinitialspace=True))
    except csv.Error:
        return None
    if not rows or not {"fx", "fy", "cx", "cy"} <= {str(name).strip() for name in rows[0]}:
        return None
    return tuple(
        dict.fromkeys(
            _from_row({str(k).strip(): v for k, v in row.items() if v}, usual_size) for row in rows
        )
    )


def _from_row(row: dict[str, str], usual_size: Size) -> Intrinsics:
    fx, fy, cx, cy = (to_number(row.get(name), name) for name in ("fx", "fy", "cx", "cy"))
    values = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
    if "width" in row:
        size = to_number(row["width"], "width"), to_number(row.get("height"), "height")
    else:
        size = unsized_size(values, usual_size)
    lens = [to_number(row.get(name, 0), name) for name in _COLUMNS]
    return camera_of_matrix(values, size, FROM_CORNER, lens_of("brown", lens))
