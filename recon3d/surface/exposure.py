"""How much brighter or darker each photo must be for fused colours to have no blotches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8

from recon3d.core.camera import PinholeCamera, backproject, in_picture, project
from recon3d.core.depth import SceneDepth
from recon3d.core.exposure import solve_gains
from recon3d.core.scene import PosedPhotos
from recon3d.depth.covisibility import rank_neighbours
from recon3d.run.task import Task

_OTHERS = 4
"""Photos that each one is compared with."""
_SAME_SURFACE = 0.02
_STEP_PX = 8
"""Of a depth map; colours are means over so many pixels, because depth is not exact to one."""
_SAMPLES = 100_000
"""Of all photos together."""


@dataclass(frozen=True, eq=False)
class _Thumbnail:
    """A small copy, as all photos are held at once."""

    rgb: UInt8[np.ndarray, "h w 3"]
    depth_z: Float32[np.ndarray, "h w"]
    camera: PinholeCamera


def exposure_gains(
    posed: PosedPhotos, depth: Mapping[str, SceneDepth], task: Task
) -> dict[str, Float32[np.ndarray, "3"]]:
    """By photo: factors for its red, green and blue that make it agree with the others.

    From the colours of places whose depth two or more photos share.
    """
    views = posed.scene.views
    thumbnails = {}
    for index, view in enumerate(views):
        task.check()
        if view.photo_id in depth:
            thumbnails[index] = _thumbnail(posed.rgb[view.photo_id], depth[view.photo_id])
    pixels = sum(each.depth_z.size for each in thumbnails.values())
    every = max(1, pixels // _SAMPLES)
    numbers, colours = [], []
    for index, others in enumerate(rank_neighbours(posed.scene, _OTHERS)):
        if index not in thumbnails:
            continue
        task.check()
        mine = thumbnails[index]
        points_cam = backproject(mine.depth_z, mine.camera).reshape(-1, 3)
        chosen = np.flatnonzero(np.isfinite(points_cam[:, 2]))[::every]
        number = np.full((len(chosen), 1 + _OTHERS), -1, np.int64)
        colour = np.zeros((*number.shape, 3), np.uint8)
        number[:, 0], colour[:, 0] = index, mine.rgb.reshape(-1, 3)[chosen]
        points_world = views[index].cam_from_world.inverse() @ points_cam[chosen]
        for column, other in enumerate((each for each in others if each in thumbnails), start=1):
            points_other = views[other].cam_from_world @ points_world
            rows, rgb = _colours_in(thumbnails[other], points_other)
            number[rows, column], colour[rows, column] = other, rgb
        numbers.append(number)
        colours.append(colour)
    gains = solve_gains(np.concatenate(numbers), np.concatenate(colours), len(views))
    return {views[index].photo_id: gains[index] for index in thumbnails}


def _thumbnail(rgb: UInt8[np.ndarray, "h w 3"], depth: SceneDepth) -> _Thumbnail:
    import cv2

    height, width = (max(1, side // _STEP_PX) for side in depth.depth_z.shape)
    depth_z = cv2.resize(depth.depth_z, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    return _Thumbnail(np.asarray(small), depth_z, depth.camera.resized(width, height))


def _colours_in(
    photo: _Thumbnail, points_cam: Float[np.ndarray, "n 3"]
) -> tuple[Int64[np.ndarray, "m"], UInt8[np.ndarray, "m 3"]]:
    """Which of some points a photo's depth shows, and their colours in it."""
    uv_px, expected_z = project(points_cam, photo.camera)
    rows = np.flatnonzero(in_picture(uv_px, photo.camera))
    u, v = uv_px[rows].astype(np.int64).T
    same = np.abs(photo.depth_z[v, u] - expected_z[rows]) < _SAME_SURFACE * expected_z[rows]
    return rows[same], photo.rgb[v[same], u[same]]
