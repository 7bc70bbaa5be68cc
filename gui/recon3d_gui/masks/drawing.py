"""What a person draws on a photo: which pixels are kept, stroke by stroke, with the way back."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

Place = tuple[float, float]
"""In pixels of the photo; the middle of the first pixel is (0.5, 0.5)."""
_MOST_STEPS = 100
_SHIFT = 4
"""Bits of OpenCV's fixed point below a pixel."""


@dataclass(frozen=True)
class Area:
    """Pixels that may have changed: from the first column and row to before the last."""

    left: int
    top: int
    right: int
    bottom: int


class MaskDrawing:
    """A mask of one photo, at its size or smaller, and all that undo and redo need.

    Steps are kept packed: those of 12 megapixels take some kilobytes each.
    """

    def __init__(self, keep: Bool[np.ndarray, "h w"]) -> None:
        self._grey: UInt8[np.ndarray, "h w"] = np.where(keep, np.uint8(255), np.uint8(0))
        self._past: list[bytes] = []
        self._future: list[bytes] = []
        self._before: bytes | None = None

    @property
    def grey(self) -> UInt8[np.ndarray, "h w"]:
        """255 = keep, 0 = hide; not to be written to."""
        return self._grey

    @property
    def keep(self) -> Bool[np.ndarray, "h w"]:
        """True = keep."""
        return self._grey > 0

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to be taken back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to be done again."""
        return bool(self._future)

    @property
    def whole(self) -> Area:
        """All of it."""
        height_px, width_px = self._grey.shape
        return Area(0, 0, width_px, height_px)

    def paint(self, start: Place, end: Place, radius_px: float, *, keep: bool) -> Area:
        """Draw the brush from one place to another; part of a step that `finish` ends."""
        import cv2

        self._begin()
        value, scale = 255 if keep else 0, 1 << _SHIFT
        ends = _fixed(start), _fixed(end)
        # A line's ends are round, but thin ones lack pixels that the circles have.
        thickness = max(1, round(2 * radius_px))
        cv2.line(self._grey, ends[0], ends[1], value, thickness, cv2.LINE_8, _SHIFT)
        for place in ends:
            cv2.circle(self._grey, place, round(radius_px * scale), value, -1, cv2.LINE_8, _SHIFT)
        return self._around([start, end], radius_px)

    def fill(self, outline: Sequence[Place], *, keep: bool) -> Area:
        """Fill what a lasso goes around; part of a step. Fewer than three places fill nothing."""
        import cv2

        self._begin()
        if len(outline) < 3:
            return Area(0, 0, 0, 0)
        corners = np.array([_fixed(place) for place in outline], np.int32)
        cv2.fillPoly(self._grey, [corners], 255 if keep else 0, cv2.LINE_8, _SHIFT)
        return self._around(outline, 1.0)

    def replace(self, keep: Bool[np.ndarray, "h w"]) -> Area:
        """Start from another mask of the same size; part of a step."""
        self._begin()
        self._grey[:] = np.where(keep, np.uint8(255), np.uint8(0))
        return self.whole

    def finish(self) -> bool:
        """End the step; False: nothing has changed."""
        before, self._before = self._before, None
        if before is None or before == self._packed():
            return False
        self._past.append(before)
        del self._past[:-_MOST_STEPS]
        self._future.clear()
        return True

    def undo(self) -> Area | None:
        """Take the latest step back; None: there is none."""
        return self._move(self._past, self._future)

    def redo(self) -> Area | None:
        """Do again what undo took back; None: there is nothing."""
        return self._move(self._future, self._past)

    def _begin(self) -> None:
        if self._before is None:
            self._before = self._packed()

    def _move(self, source: list[bytes], target: list[bytes]) -> Area | None:
        self.finish()
        if not source:
            return None
        target.append(self._packed())
        packed = np.frombuffer(zlib.decompress(source.pop()), np.uint8)
        bits = np.unpackbits(packed, count=self._grey.size).reshape(self._grey.shape)
        grey = bits * np.uint8(255)
        differs = grey != self._grey
        self._grey[:] = grey
        rows, columns = (np.flatnonzero(differs.any(axis)) for axis in (1, 0))
        return Area(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)

    def _packed(self) -> bytes:
        return zlib.compress(np.packbits(self._grey > 0).tobytes(), 1)

    def _around(self, places: Sequence[Place], margin_px: float) -> Area:
        height_px, width_px = self._grey.shape
        low = np.floor(np.min(places, axis=0) - margin_px - 1)
        high = np.ceil(np.max(places, axis=0) + margin_px + 1)
        left, right = (int(each) for each in np.clip([low[0], high[0]], 0, width_px))
        top, bottom = (int(each) for each in np.clip([low[1], high[1]], 0, height_px))
        return Area(left, top, right, bottom)


def _fixed(place: Place) -> tuple[int, int]:
    """For OpenCV, whose first pixel's middle is (0, 0)."""
    scale = 1 << _SHIFT
    return round((place[0] - 0.5) * scale), round((place[1] - 0.5) * scale)
