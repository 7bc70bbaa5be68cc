"""The visual hull (Laurentini 1994): what of space no photo shows as background."""

from __future__ import annotations

import threading
from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import View
from recon3d.segmentation.orbit import NoObjectError

_MISSES = 0.08
"""Share of the photos that may show a voxel as background and be wrong; of few photos one."""
_FEWEST_SIGHTINGS = 3
_PIECE = 0.1
"""Pieces with less than this share of the largest one's voxels are not of the object: a ruler."""
_AROUND = 2
"""Voxels around a hull in which the next, finer one may differ from it."""

Allowed = Callable[[Float[np.ndarray, "n 3"]], Bool[np.ndarray, "n"]]
"""Which places may be of the object."""


class Hull:
    """Voxels of a box that photos vote on, and then the pieces that are left of them."""

    def __init__(
        self,
        low_world: Float[np.ndarray, "3"],
        high_world: Float[np.ndarray, "3"],
        longest: int,
        allowed: Allowed,
    ) -> None:
        """Fill the box with voxels where that is allowed, `longest` along its longest side."""
        size = high_world - low_world
        self.voxel_size = float(size.max()) / longest
        self._low_world = low_world
        shape = np.maximum(np.ceil(size / self.voxel_size), 1).astype(int)
        corners = np.indices(tuple(shape)).reshape(3, -1).T
        places = low_world + (corners + 0.5) * self.voxel_size
        self.volume: Bool[np.ndarray, "x y z"] = allowed(places).reshape(tuple(shape))
        self._gather()
        self._seen = np.zeros(len(self._from_low), np.int32)
        self._missed = np.zeros(len(self._from_low), np.int32)
        self._lock = threading.Lock()

    def vote(self, view: View, camera: PinholeCamera, mask: Bool[np.ndarray, "h w"]) -> None:
        """Count where a photo shows the object; from any thread, in any order.

        camera: the view's, at the size of the mask.
        """
        voxels, pixels, _ = self._pictured(view, camera)
        missed = ~mask.ravel()[pixels]
        with self._lock:
            self._seen[voxels] += 1
            self._missed[voxels] += missed

    def carve(self) -> None:
        """Take away what photos show as background, and small pieces.

        Raises:
            NoObjectError: nothing is left.
        """
        from scipy import ndimage

        kept = (self._seen >= _FEWEST_SIGHTINGS) & (
            self._missed <= np.maximum(1, _MISSES * self._seen)
        )
        self.volume[self.volume] = kept
        pieces, _ = ndimage.label(self.volume)
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        self.volume &= sizes[pieces] >= max(1, _PIECE * int(sizes.max()))
        if not self.volume.any():
            raise NoObjectError("the photos do not agree on anything that stands apart")
        self._gather()

    def refined(self, longest: int, allowed: Allowed) -> Hull:
        """Finer voxels around what is left, to be voted on again."""
        from scipy import ndimage

        around = ndimage.binary_dilation(np.pad(self.volume, _AROUND), iterations=_AROUND)
        low_world = self._low_world - _AROUND * self.voxel_size
        filled = np.argwhere(around)

        def is_around(places_world: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
            cell = ((places_world - low_world) / self.voxel_size).astype(np.int64)
            inside: Bool[np.ndarray, "n"] = around[tuple(np.minimum(cell, filled.max(0)).T)]
            inside[inside] = allowed(places_world[inside])
            return inside

        first, last = filled.min(axis=0), filled.max(axis=0) + 1
        ends = low_world + np.stack([first, last]) * self.voxel_size
        return Hull(ends[0], ends[1], longest, is_around)

    def places_around(self) -> Float[np.ndarray, "n 3"]:
        """The middles of the empty voxels beside what is left, in the world frame."""
        from scipy import ndimage

        filled = np.pad(self.volume, 1)
        beside = np.argwhere(ndimage.binary_dilation(filled) & ~filled)
        return self._low_world + (beside - 0.5) * self.voxel_size

    def silhouette(self, view: View, camera: PinholeCamera) -> Bool[np.ndarray, "h w"]:
        """Where a view has what is left before it; camera: the view's, at any size."""
        _, pixels, depth_z = self._pictured(view, camera)
        picture = np.zeros((camera.height_px, camera.width_px), np.uint8)
        if not len(pixels):
            return picture > 0
        picture.ravel()[pixels] = 1
        # Centres of voxels become squares that leave no gaps.
        half_px = int(np.ceil(self.voxel_size * camera.fx_px / float(np.median(depth_z)) / 2))
        return np.asarray(cv2.dilate(picture, np.ones((2 * half_px + 1,) * 2, np.uint8))) > 0

    def _gather(self) -> None:
        # Single precision does so near to the corner.
        places = (np.argwhere(self.volume) + 0.5) * self.voxel_size
        self._from_low: Float32[np.ndarray, "n 3"] = places.astype(np.float32)

    def _pictured(
        self, view: View, camera: PinholeCamera
    ) -> tuple[Int64[np.ndarray, "k"], Int64[np.ndarray, "k"], Float32[np.ndarray, "k"]]:
        """Voxels in the frame: which, in which pixel (counted row by row), and at which depth."""
        low_cam = (view.cam_from_world @ self._low_world[None]).astype(np.float32)
        x, y, z = (self._from_low @ view.cam_from_world.rotation.T.astype(np.float32) + low_cam).T
        with np.errstate(divide="ignore", invalid="ignore"):
            column = x / z * np.float32(camera.fx_px) + np.float32(camera.cx_px)
            row = y / z * np.float32(camera.fy_px) + np.float32(camera.cy_px)
            inside = (z > 0) & (column >= 0) & (column < camera.width_px)
            inside &= (row >= 0) & (row < camera.height_px)
        voxels = np.flatnonzero(inside)
        pixels = row[voxels].astype(np.int64) * camera.width_px + column[voxels].astype(np.int64)
        return voxels, pixels, z[voxels]
