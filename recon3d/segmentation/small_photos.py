"""Photos small enough to be cut quickly, one in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8
from PIL import Image

from recon3d.core.camera import PinholeCamera, in_picture, project
from recon3d.core.scene import PosedPhotos, View
from recon3d.photos.pictures import read_upright
from recon3d.run.files import atomic_path
from recon3d.run.task import Task
from recon3d.segmentation.seeds import Seeds

T = TypeVar("T")

_LONGEST_PX = 640
_BYTES = 160 << 20
"""What cutting one photo takes: the graph of its pixels, and half a million voxels in it."""
_BYTES_PER_PIXEL = 6
"""Of the photo itself, with its mask."""


@dataclass(frozen=True, eq=False)
class SmallPhoto:
    """A view at working size."""

    number: int
    """Among the scene's views."""
    view: View
    camera: PinholeCamera
    """The view's, at this size."""
    rgb: UInt8[np.ndarray, "h w 3"]
    object_spots: Bool[np.ndarray, "h w"]
    """Pixels of the sparse points of the object that it sees."""
    rest_spots: Bool[np.ndarray, "h w"]
    """Of all others that it sees."""
    given: Bool[np.ndarray, "h w"] | None
    """The mask that it has already."""


class SmallPhotos:
    """The views of a scene at working size, in files below a folder."""

    def __init__(self, posed: PosedPhotos, seeds: Seeds, folder: Path, task: Task) -> None:
        """Write what is not there yet; task: of this part of the work."""
        self._posed = posed
        self.seeds = seeds
        self._paths = [folder / f"{number:06d}.png" for number in range(len(self.views))]
        for _ in self._several(self._write, task):
            pass

    @property
    def views(self) -> tuple[View, ...]:
        """Of the scene."""
        return self._posed.scene.views

    @property
    def object_world(self) -> Float[np.ndarray, "n 3"]:
        """The sparse points of the object."""
        return self._posed.scene.points.xyz_world[self.seeds.object]

    def each(self, work: Callable[[SmallPhoto], T], task: Task) -> Iterator[T]:
        """What work makes of every photo, in order; several at once, as many as have room."""
        return self._several(lambda number: work(self._read(number)), task)

    def _several(self, work: Callable[[int], T], task: Task) -> Iterator[T]:
        def checked(number: int) -> T:
            task.check()
            return work(number)

        count = len(self.views)
        pixels = max(view.camera.width_px * view.camera.height_px for view in self.views)
        # OpenCV and NumPy release Python's lock for whole pictures.
        threads = task.runtime.threads_within(_BYTES + _BYTES_PER_PIXEL * pixels)
        pool = ThreadPoolExecutor(threads)
        try:
            task.step(0, count)
            for number, made in enumerate(pool.map(checked, range(count))):
                yield made
                task.step(number + 1, count, self.views[number].photo_id)
        finally:
            pool.shutdown(cancel_futures=True)

    def _camera(self, view: View) -> PinholeCamera:
        return view.camera.fitted(_LONGEST_PX)

    def _write(self, number: int) -> None:
        if self._paths[number].exists():
            return
        view = self.views[number]
        camera = self._camera(view)
        rgb = cv2.resize(
            self._posed.rgb[view.photo_id],
            (camera.width_px, camera.height_px),
            interpolation=cv2.INTER_AREA,
        )
        with atomic_path(self._paths[number]) as part:
            Image.fromarray(rgb).save(part, compress_level=1)

    def _read(self, number: int) -> SmallPhoto:
        view = self.views[number]
        camera, given = self._camera(view), self._posed.masks.get(view.photo_id)
        if given is not None:
            size = (camera.width_px, camera.height_px)
            given = cv2.resize(given.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        near, far = (
            self._spots(number, view, camera, seeds)
            for seeds in (self.seeds.object, self.seeds.rest)
        )
        rgb = read_upright(self._paths[number])
        return SmallPhoto(number, view, camera, rgb, near & ~far, far & ~near, given)

    def _spots(
        self, number: int, view: View, camera: PinholeCamera, seeds: Int64[np.ndarray, "n"]
    ) -> Bool[np.ndarray, "h w"]:
        points = self._posed.scene.points
        seen = points.xyz_world[np.intersect1d(points.seen_by(number), seeds)]
        uv_px, _ = project(view.cam_from_world @ seen, camera)
        spots = np.zeros((camera.height_px, camera.width_px), bool)
        column, row = uv_px[in_picture(uv_px, camera)].astype(np.int64).T
        spots[row, column] = True
        return spots
