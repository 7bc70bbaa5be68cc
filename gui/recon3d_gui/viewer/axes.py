"""The small axes in a corner of the view: where their ends are, and which one the mouse is on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

ARM, RADIUS, BALL = 36, 52, 10
"""From the middle to an end; of the disc around all; of an end. Before the window's scale."""
_NAMES = ("X", "Y", "Z")


@dataclass(frozen=True)
class AxisEnd:
    """One of six."""

    axis: int
    sign: int
    place_px: tuple[float, float]
    """On the canvas."""
    depth: float
    """Away from the one who looks, -1 to 1."""

    @property
    def name(self) -> str:
        """Such as X or -X."""
        return _NAMES[self.axis] if self.sign > 0 else f"-{_NAMES[self.axis]}"

    @property
    def direction(self) -> Float[np.ndarray, "3"]:
        """In the model frame."""
        return self.sign * np.eye(3)[self.axis]


def middle_of(canvas_px: tuple[int, int], scale: float) -> tuple[float, float]:
    """Where the axes meet: in the lower right corner."""
    away = (RADIUS + 12) * scale
    return canvas_px[0] - away, canvas_px[1] - away


def axis_ends(
    cam_from_model: Float[np.ndarray, "3 3"], middle_px: tuple[float, float], scale: float
) -> list[AxisEnd]:
    """The six ends, the farthest first."""
    ends = []
    for axis in range(3):
        for sign in (1, -1):
            right, down, depth = (sign * cam_from_model[:, axis]).tolist()
            place = middle_px[0] + right * ARM * scale, middle_px[1] + down * ARM * scale
            ends.append(AxisEnd(axis, sign, place, depth))
    return sorted(ends, key=lambda end: -end.depth)


def end_at(ends: list[AxisEnd], place_px: tuple[float, float], scale: float) -> AxisEnd | None:
    """The nearest end that is under a point of the canvas."""
    for end in reversed(ends):
        if float(np.hypot(*np.subtract(end.place_px, place_px))) <= BALL * scale:
            return end
    return None
