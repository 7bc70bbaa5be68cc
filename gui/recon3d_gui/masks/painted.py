"""A photo with what its mask hides in red, in tiles of which only changed ones are made anew."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from recon3d.photos.masks import hidden_in_red
from recon3d_gui.masks.drawing import Area
from recon3d_gui.photos.tiles import Pyramid, Tile


class PaintedPhoto:
    """revision grows with every change; the mask has the size of the photo's finest level."""

    def __init__(self, rgb: UInt8[np.ndarray, "h w 3"], grey: UInt8[np.ndarray, "h w"]) -> None:
        self._photo = Pyramid(rgb)
        self.pyramid = Pyramid(rgb)
        """With the mask."""
        self.pyramid.levels = [level.copy() for level in self._photo.levels]
        self.revision = 0
        self._stale: set[Tile] = set()
        height_px, width_px = grey.shape
        self.update(grey, Area(0, 0, width_px, height_px))

    def update(self, grey: UInt8[np.ndarray, "h w"], area: Area) -> None:
        """Take over what has changed of a mask."""
        if area.left >= area.right or area.top >= area.bottom:
            return
        self.revision += 1
        height_px, width_px = grey.shape
        for number, (plain, shown) in enumerate(
            zip(self._photo.levels, self.pyramid.levels, strict=True)
        ):
            rows = _span(area.top, area.bottom, plain.shape[0] / height_px, plain.shape[0])
            columns = _span(area.left, area.right, plain.shape[1] / width_px, plain.shape[1])
            ys = ((np.arange(*rows) + 0.5) * height_px / plain.shape[0]).astype(np.int64)
            xs = ((np.arange(*columns) + 0.5) * width_px / plain.shape[1]).astype(np.int64)
            part = np.s_[rows[0] : rows[1], columns[0] : columns[1]]
            shown[part] = hidden_in_red(plain[part], grey[ys[:, None], xs] > 0)
            self._stale |= set(self.pyramid.tiles_around(number, rows, columns))

    def take_stale(self) -> set[Tile]:
        """The tiles that look different from when this was last asked."""
        stale, self._stale = self._stale, set()
        return stale


def _span(start: int, end: int, factor: float, most: int) -> tuple[int, int]:
    """The rows or columns of a level that show those of the mask."""
    return max(0, int(start * factor) - 1), min(most, int(end * factor) + 2)
