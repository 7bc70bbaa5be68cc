"""Pages are painted in blocks that fit into memory, here or on machines of a cluster."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from recon3d.core.scene import PosedPhotos, View
from recon3d.run.items import compute_items
from recon3d.run.task import Task
from recon3d.texture.baking import (
    Paint,
    SourcePhoto,
    Texels,
    blocks,
    fill_uncovered,
    make_shot,
    page_path,
    texel_colours,
    write_page,
)
from recon3d.texture.raster import Raster

_CACHE_BYTES = 1 << 30
_BLOCK_BYTES, _FACE_BYTES = 2 << 30, 400
"""That painting one takes, with the photos in the cache, and for every face; measured, with a
margin."""


def paint_pages(
    paint: Paint,
    posed: PosedPhotos,
    gains: Float32[np.ndarray, "v 3"],
    per_texel: Float32[np.ndarray, "v"],
    folder: Path,
    task: Task,
    step: Callable[[float], None],
) -> None:
    """Write every page.

    Args:
        paint: What decides the colours.
        posed: The photos.
        gains: Of each.
        per_texel: Pixels of each that lie in a texel, along a line.
        folder: To write into.
        task: Of the stage.
        step: Told the share that is done; may raise to stop.
    """
    size = paint.atlas.page_px
    places = {
        f"{page_path(folder, page).name} ({number + 1})": (page, rows, columns)
        for page in range(paint.atlas.pages)
        for number, (rows, columns) in enumerate(blocks(size))
    }
    painting = _Painting(paint, posed.scene.views, posed.rgb, gains, per_texel, places)
    item_bytes = _BLOCK_BYTES + _FACE_BYTES * len(paint.mesh.faces)
    with closing(
        compute_items(
            painting, [*places], item_bytes, folder, task, lambda done: step(done / len(places))
        )
    ) as painted:
        for page in range(paint.atlas.pages):
            picture = np.zeros((size, size, 3), np.uint8)
            covered = np.zeros((size, size), bool)
            for rows, columns in blocks(size):
                colours, inside = next(painted)
                picture[rows, columns][inside] = colours
                covered[rows, columns] = inside
            fill_uncovered(picture, covered)
            write_page(page_path(folder, page), picture)


@dataclass(frozen=True, eq=False)
class _Painting:
    """Work on any block of a page; can be pickled before it begins."""

    paint: Paint
    views: Sequence[View]
    rgb: Mapping[str, UInt8[np.ndarray, "h w 3"]]
    gains: Float32[np.ndarray, "v 3"]
    per_texel: Float32[np.ndarray, "v"]
    places: Mapping[str, tuple[int, slice, slice]]
    """Page, rows and columns of each block."""

    def __call__(
        self, block: str, task: Task
    ) -> tuple[UInt8[np.ndarray, "n 3"], Bool[np.ndarray, "h w"]]:
        """The colours of what faces cover, and where that is."""
        page, rows, columns = self.places[block]
        atlas = self.paint.atlas
        raster = Raster(atlas.uv, atlas.page_of_face, page, atlas.page_px)
        face, weights, inside = raster.texels(rows, columns)
        return texel_colours(self.paint, Texels(face, weights), self._shot), inside

    @cached_property
    def _shot(self) -> _Cache:
        return _Cache(self._make_shot)

    def _make_shot(self, number: int) -> SourcePhoto:
        view = self.views[number]
        pixels = self.rgb[view.photo_id]
        return make_shot(pixels, view, self.gains[number], float(self.per_texel[number]))


class _Cache:
    """Photos that were just used, within a fixed amount of memory."""

    def __init__(self, make: Callable[[int], SourcePhoto]) -> None:
        self._make = make
        self._kept: OrderedDict[int, SourcePhoto] = OrderedDict()

    def __call__(self, number: int) -> SourcePhoto:
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        made = self._make(number)
        self._kept[number] = made
        while len(self._kept) > 1 and self._bytes() > _CACHE_BYTES:
            self._kept.popitem(last=False)
        return made

    def _bytes(self) -> int:
        return sum(shot.nbytes for shot in self._kept.values())
