"""What each photo shows of a mesh: which face at each pixel, how deep, and how grey."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32

from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.core.scene import PosedPhotos, View
from recon3d.surface.rays import MeshRays

T = TypeVar("T")

_JUMP = 0.02
"""Change of inverse depth over three pixels, as a share of it, that parts two surfaces."""


@dataclass(frozen=True, eq=False)
class Look:
    """One photo and the mesh behind its pixels."""

    grey: Float32[np.ndarray, "h w"]
    """0 to 1."""
    depth_z: Float32[np.ndarray, "h w"]
    """0 = no surface."""
    face: Int32[np.ndarray, "h w"]
    """-1 = none."""
    weights: Float32[np.ndarray, "h w 2"]
    """Of the face's second and third corner."""
    usable: Bool[np.ndarray, "h w"]
    """Inside the mask and not at a silhouette."""
    pinhole: Float64[np.ndarray, "4"]
    """fx, fy, cx, cy in pixels of this size."""


def read_grey(posed: PosedPhotos, view: View, camera: PinholeCamera) -> Float32[np.ndarray, "h w"]:
    """A photo's greys, 0 to 1, at the size of a camera."""
    import cv2

    grey = cv2.cvtColor(posed.rgb[view.photo_id], cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    size = (camera.width_px, camera.height_px)
    # Only ever smaller; OpenCV's resize keeps pixel centres at half-integers.
    return (
        grey if grey.shape[::-1] == size else cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    )


def look_at(
    rays: MeshRays,
    view: View,
    camera: PinholeCamera,
    grey: Float32[np.ndarray, "h w"],
    mask: Bool[np.ndarray, "hm wm"] | None,
) -> Look:
    """Cast a ray through every pixel.

    Args:
        rays: The mesh.
        view: Where the photo was taken.
        camera: The view's camera at the size to work at.
        grey: The photo at that size.
        mask: True = keep; of any size.
    """
    import cv2

    shape = (camera.height_px, camera.width_px)
    directions = rays_world(view, camera).reshape(-1, 3)
    depth_z, face, weights = rays.first_hits(view.centre_world, directions)
    depth_z, face = depth_z.reshape(shape), face.reshape(shape)
    seen = face >= 0
    depth_z = np.where(seen, depth_z, 0).astype(np.float32)
    inverse_z = np.where(seen, 1 / np.where(seen, depth_z, 1), 0).astype(np.float32)
    around = np.ones((3, 3), np.uint8)
    jump = cv2.dilate(inverse_z, around) - cv2.erode(inverse_z, around)
    usable = seen & (jump < _JUMP * inverse_z)
    if mask is not None:
        kept = cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST)
        usable &= kept > 0
    pinhole = np.array([camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px])
    return Look(grey, depth_z, face, weights.reshape(*shape, 2), usable, pinhole)


def rays_world(view: View, camera: PinholeCamera) -> Float32[np.ndarray, "h w 3"]:
    """Directions of the pixels whose length is worth one of depth_z."""
    return (pixel_rays(camera) @ view.cam_from_world.rotation).astype(np.float32)


class Recent(Generic[T]):
    """The values that were last asked for, so many at most; the others are made again."""

    def __init__(self, make: Callable[[int], T], most: int) -> None:
        self._make, self._most = make, most
        self._kept: OrderedDict[int, T] = OrderedDict()

    def __call__(self, number: int) -> T:
        """Of one number; not for several threads at once."""
        if number not in self._kept:
            while len(self._kept) >= self._most:
                self._kept.popitem(last=False)
            self._kept[number] = self._make(number)
        self._kept.move_to_end(number)
        return self._kept[number]
