"""Large pictures in small pieces: only those that are seen, as fine as the screen shows them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

TILE_PX = 256
# One pixel around each tile belongs to its neighbours: without it, seams would show.
_INNER_PX = TILE_PX - 2

Box = tuple[float, float, float, float]
"""left, top, right, bottom."""


@dataclass(frozen=True)
class Tile:
    """A piece of one level of a pyramid."""

    level: int
    column: int
    row: int


@dataclass(frozen=True)
class PlacedTile:
    """A tile, or the part of it inside the clip, on the screen."""

    tile: Tile
    screen: Box
    uv: Box
    """The same part in the tile's own texture, 0 to 1."""


class Pyramid:
    """A picture with its halves, quarters, eighths... down to a single tile."""

    def __init__(self, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
        self.levels = [np.ascontiguousarray(rgb)]
        while max(self.levels[-1].shape) > _INNER_PX:
            self.levels.append(_halved(self.levels[-1]))

    @property
    def width_px(self) -> int:
        """Of the whole picture."""
        return int(self.levels[0].shape[1])

    @property
    def height_px(self) -> int:
        """Of the whole picture."""
        return int(self.levels[0].shape[0])

    def level_for(self, shown_width_px: float) -> int:
        """The coarsest level that is still as fine as the screen."""
        shrunk = self.width_px / max(shown_width_px, 1e-6)
        return min(max(0, math.floor(math.log2(max(shrunk, 1e-6)) + 0.1)), len(self.levels) - 1)

    def cut(self, tile: Tile) -> UInt8[np.ndarray, "h w 3"]:
        """A tile's pixels, with those around it."""
        rgb = self.levels[tile.level]
        top, left = tile.row * _INNER_PX, tile.column * _INNER_PX
        rows = np.clip(np.arange(top - 1, top + _INNER_PX + 1), 0, rgb.shape[0] - 1)
        columns = np.clip(np.arange(left - 1, left + _INNER_PX + 1), 0, rgb.shape[1] - 1)
        return rgb[rows[:, None], columns]

    def tiles_around(
        self, level: int, rows: tuple[int, int], columns: tuple[int, int]
    ) -> Iterator[Tile]:
        """The tiles that show these pixels of a level, in their inside or at their rim."""
        for row in _between(max(0, rows[0] - 1), rows[1] + 1):
            for column in _between(max(0, columns[0] - 1), columns[1] + 1):
                yield Tile(level, column, row)

    def place(self, level: int, picture: Box, clip: Box) -> Iterator[PlacedTile]:
        """The tiles of a level that are seen.

        picture: where the whole picture lies on the screen.
        clip: the part of the screen to fill.
        """
        height, width = self.levels[level].shape[:2]
        x_scale = (picture[2] - picture[0]) / width
        y_scale = (picture[3] - picture[1]) / height
        left, right = max(picture[0], clip[0]), min(picture[2], clip[2])
        top, bottom = max(picture[1], clip[1]), min(picture[3], clip[3])
        if left >= right or top >= bottom:
            return
        for row in _between((top - picture[1]) / y_scale, (bottom - picture[1]) / y_scale):
            for column in _between((left - picture[0]) / x_scale, (right - picture[0]) / x_scale):
                x0, y0 = column * _INNER_PX, row * _INNER_PX
                screen = (
                    max(left, picture[0] + x0 * x_scale),
                    max(top, picture[1] + y0 * y_scale),
                    min(right, picture[0] + (x0 + _INNER_PX) * x_scale),
                    min(bottom, picture[1] + (y0 + _INNER_PX) * y_scale),
                )
                uv = (
                    ((screen[0] - picture[0]) / x_scale - x0 + 1) / TILE_PX,
                    ((screen[1] - picture[1]) / y_scale - y0 + 1) / TILE_PX,
                    ((screen[2] - picture[0]) / x_scale - x0 + 1) / TILE_PX,
                    ((screen[3] - picture[1]) / y_scale - y0 + 1) / TILE_PX,
                )
                yield PlacedTile(Tile(level, column, row), screen, uv)


def _between(start_px: float, end_px: float) -> range:
    return range(int(start_px // _INNER_PX), math.ceil(end_px / _INNER_PX - 1e-9))


def _halved(rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
    import cv2

    size = (max(1, round(rgb.shape[1] / 2)), max(1, round(rgb.shape[0] / 2)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
