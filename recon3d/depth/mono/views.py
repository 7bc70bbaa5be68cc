"""Frames as another camera in the same place would take them: resized, cut, turned, mirrored.

Depth along the optical axis does not change by any of these; the intrinsics do, and with them what
the network must say: it predicts depth for a canonical focal length (Yin et al., "Metric3D", 2023).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from recon3d.core.camera import PinholeCamera
from recon3d.depth.mono.frames import Frame
from recon3d.depth.mono.recipe import Augmentation, ModelConfig

_MULTIPLE = 32


def input_camera(camera: PinholeCamera, config: ModelConfig) -> PinholeCamera:
    """The whole photo at the size that the network looks at."""
    if config.square:
        return camera.resized(config.size_px, config.size_px)
    scale = config.size_px / math.sqrt(camera.width_px * camera.height_px)
    return camera.resized(
        max(1, round(camera.width_px * scale)), max(1, round(camera.height_px * scale))
    )


def training_size(cameras: Sequence[PinholeCamera], config: ModelConfig) -> tuple[int, int]:
    """Width and height of every training sample, multiples of 32, from some photos' mean aspect."""
    aspects = [camera.width_px / camera.height_px for camera in cameras]
    aspect = 1.0 if config.square else math.exp(sum(map(math.log, aspects)) / len(aspects))
    sides = config.size_px * math.sqrt(aspect), config.size_px / math.sqrt(aspect)
    width, height = (max(1, round(side / _MULTIPLE)) * _MULTIPLE for side in sides)
    return width, height


def canonical_factor(camera: PinholeCamera, config: ModelConfig) -> float:
    """What the network's depth is multiplied by to be the depth that `camera` sees.

    An object's size in pixels tells the ratio of its depth to the focal length, never the depth
    alone. The network is asked for the depth at a focal length of `size_px`.
    """
    return math.sqrt(camera.fx_px * camera.fy_px) / config.size_px


def training_view(
    frame: Frame,
    size: tuple[int, int],
    config: ModelConfig,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Frame:
    """A random view of a frame, `size` wide and high.

    Things appear in it as large as in the whole photo at the network's size, or larger by the zoom;
    where it reaches beyond the photo, depth is unknown.
    """
    width, height = size
    whole = input_camera(frame.camera, config)
    zoom = math.exp(rng.uniform(0, math.log(augmentation.zoom)))
    roll_deg = rng.uniform(-1, 1) * augmentation.roll_deg
    left, top = (
        rng.uniform(min(0.0, spare), max(0.0, spare))
        for spare in (zoom * whole.width_px - width, zoom * whole.height_px - height)
    )
    camera = PinholeCamera(
        width,
        height,
        zoom * whole.fx_px,
        zoom * whole.fy_px,
        zoom * whole.cx_px - left,
        zoom * whole.cy_px - top,
    )
    view = view_of(frame, camera, roll_deg)
    return mirrored(view) if rng.random() < 0.5 else view


def view_of(frame: Frame, camera: PinholeCamera, roll_deg: float = 0.0) -> Frame:
    """What `camera` sees from the frame's place, turned about the optical axis by roll_deg.

    A pixel's depth is that of the nearest pixel, because a mean across an edge is nobody's depth;
    beyond the frame it is unknown.
    """
    import cv2

    size = (camera.width_px, camera.height_px)
    depth_z = cv2.warpAffine(
        frame.depth_z,
        _source_from_view(frame.camera, camera, roll_deg),
        size,
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
    )
    rgb = view_of_photo(frame.rgb, frame.camera, camera, roll_deg)
    return Frame(frame.name, rgb, np.asarray(depth_z), camera)


def view_of_photo(
    rgb: UInt8[np.ndarray, "h w 3"],
    camera_before: PinholeCamera,
    camera: PinholeCamera,
    roll_deg: float = 0.0,
) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The photo alone, antialiased and mirrored at its borders."""
    import cv2

    shrink = max(camera_before.fx_px / camera.fx_px, camera_before.fy_px / camera.fy_px)
    if shrink > 1:
        # An affine warp looks at four pixels only; area averaging looks at all.
        smaller = camera_before.resized(
            max(1, round(camera_before.width_px * camera.fx_px / camera_before.fx_px)),
            max(1, round(camera_before.height_px * camera.fy_px / camera_before.fy_px)),
        )
        size = (smaller.width_px, smaller.height_px)
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
        camera_before = smaller
    if camera_before == camera and roll_deg == 0:
        return rgb
    warped = cv2.warpAffine(
        rgb,
        _source_from_view(camera_before, camera, roll_deg),
        (camera.width_px, camera.height_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(warped)


def mirrored(frame: Frame) -> Frame:
    """The frame as seen in a mirror beside the camera."""
    camera = replace(frame.camera, cx_px=frame.camera.width_px - frame.camera.cx_px)
    rgb, depth_z = (np.ascontiguousarray(values[:, ::-1]) for values in (frame.rgb, frame.depth_z))
    return Frame(frame.name, rgb, depth_z, camera)


def _source_from_view(
    source: PinholeCamera, view: PinholeCamera, roll_deg: float
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The 2x3 matrix from OpenCV's pixel coordinates of the view to those of the source."""
    cosine, sine = math.cos(math.radians(roll_deg)), math.sin(math.radians(roll_deg))
    roll = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    # OpenCV's first pixel centre is (0, 0), ours is (0.5, 0.5).
    ours_from_cv = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    source_from_view = source.matrix @ roll @ np.linalg.inv(view.matrix)
    return (np.linalg.inv(ours_from_cv) @ source_from_view @ ours_from_cv)[:2]
