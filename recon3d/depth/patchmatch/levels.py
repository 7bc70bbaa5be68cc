"""Photos, cameras and maps of planes at one of several resolutions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import View
from recon3d.core.transform import Rigid
from recon3d.depth.patchmatch.kernel_types import Photos

Map = Float32[np.ndarray, "h w"]
Planes = Float32[np.ndarray, "h w 3"]
"""Inverse depth, and how much it grows a pixel to the right and down; 0 0 0 = none."""

_STEEP = 0.02
"""Change of inverse depth a pixel, as a share of it, from which on it is a jump and no slope."""
_LEAST_PX = 8


@dataclass(frozen=True, eq=False)
class Picture:
    """A view at one resolution."""

    view: View
    camera: PinholeCamera
    grey: UInt8[np.ndarray, "h w"]
    inverse_z: Map | None = None
    """What is known of its depth, 0 = unknown; None where nobody asks."""


def camera_at(camera: PinholeCamera, share: float) -> PinholeCamera:
    """The camera of a photo at a share of its resolution."""
    sizes = (max(_LEAST_PX, round(side * share)) for side in (camera.width_px, camera.height_px))
    return camera.resized(*sizes)


def side_by_side(reference: Picture, sources: Sequence[Picture]) -> Photos:
    """A reference and its sources, one at least, for the kernel."""
    height, width = (max(each.grey.shape[axis] for each in sources) for axis in (0, 1))
    grey = np.zeros((len(sources), height, width), np.float32)
    asked = all(each.inverse_z is not None for each in sources)
    inverse_z = np.zeros(grey.shape if asked else (len(sources), 1, 1), np.float32)
    there, back = [], []
    for index, source in enumerate(sources):
        filled = index, slice(source.grey.shape[0]), slice(source.grey.shape[1])
        grey[filled] = source.grey
        if asked:
            inverse_z[filled] = source.inverse_z
        source_from_reference = source.view.cam_from_world @ reference.view.cam_from_world.inverse()
        there.append(_projection(source.camera, reference.camera, source_from_reference))
        back.append(_projection(reference.camera, source.camera, source_from_reference.inverse()))
    return Photos(
        reference.grey.astype(np.float32),
        grey.reshape(len(sources), -1),
        width,
        np.array([each.grey.shape for each in sources], np.int64),
        np.array(there, np.float32),
        np.array(back, np.float32),
        inverse_z,
    )


def _projection(
    target: PinholeCamera, source: PinholeCamera, target_from_source: Rigid
) -> Float64[np.ndarray, "3 4"]:
    """From (x, y, 1, inverse depth) to homogeneous pixels of the target, centres at integers."""
    to_px = _matrix_at_centres(target)
    turned = to_px @ target_from_source.rotation @ np.linalg.inv(_matrix_at_centres(source))
    return np.column_stack([turned, to_px @ target_from_source.translation])


def _matrix_at_centres(camera: PinholeCamera) -> Float64[np.ndarray, "3 3"]:
    matrix = camera.matrix
    matrix[:2, 2] -= 0.5
    return matrix


def inverse_of(depth_z: Map) -> Map:
    """Inverse depth; unknown pixels stay 0."""
    return np.divide(1, depth_z, out=np.zeros_like(depth_z), where=depth_z > 0)


def nearest(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map at another size (height, width): of every pixel the one under its middle.

    A mean across an edge would be a depth that nothing has.
    """
    rows, columns = (_under(n, of) for n, of in zip(size, values.shape[:2], strict=True))
    return np.ascontiguousarray(values[rows[:, None], columns])


def enlarged(planes: Planes, size: tuple[int, int]) -> Float32[np.ndarray, "H W 3"]:
    """A larger map (height, width), every pixel on the plane of the smaller one it lies in."""
    rows, columns = (_under(n, of) for n, of in zip(size, planes.shape[:2], strict=True))
    grown = planes[rows[:, None], columns]
    step_y, step_x = planes.shape[0] / size[0], planes.shape[1] / size[1]
    down = ((np.arange(size[0]) + 0.5) * step_y - 0.5 - rows).astype(np.float32)
    right = ((np.arange(size[1]) + 0.5) * step_x - 0.5 - columns).astype(np.float32)
    grown[..., 0] += grown[..., 1] * right + grown[..., 2] * down[:, None]
    grown[..., 1] *= np.float32(step_x)
    grown[..., 2] *= np.float32(step_y)
    return grown


def _under(count: int, of: int) -> Int64[np.ndarray, "count"]:
    """Which of `of` pixels in a row lies under the middle of each of `count`."""
    return np.minimum(((np.arange(count) + 0.5) * of / count).astype(np.int64), of - 1)


def with_slopes(inverse_z: Map) -> Planes:
    """The planes of a map of inverse depth: its slopes once smoothed, none where it jumps."""
    import cv2

    smooth = cv2.blur(cv2.medianBlur(inverse_z, 5), (5, 5))
    across = np.zeros((1, 7), np.float32)
    across[0, 0], across[0, -1] = -1 / 6, 1 / 6
    right = cv2.filter2D(smooth, -1, across, borderType=cv2.BORDER_REPLICATE)
    down = cv2.filter2D(smooth, -1, across.T, borderType=cv2.BORDER_REPLICATE)
    jumps = np.maximum(np.abs(right), np.abs(down)) > _STEEP * smooth
    known = ~jumps & (inverse_z > 0)
    return np.stack([inverse_z, right * known, down * known], -1)
