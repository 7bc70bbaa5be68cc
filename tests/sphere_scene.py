"""A sphere with perfect depth maps."""

from __future__ import annotations

import numpy as np

from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import SceneDepth
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.transform import Rigid


def sphere_photos() -> tuple[PosedPhotos, dict[str, SceneDepth]]:
    """Six perfect depth maps of the unit sphere from 3 units away, along the axes."""
    camera = PinholeCamera(120, 120, 150.0, 150.0, 60.0, 60.0)
    x = (np.arange(120) + 0.5 - 60) / 150
    u, v = np.meshgrid(x, x)
    # |z (u, v, 1) - (0, 0, 3)| = 1, the nearer root.
    squared = u**2 + v**2 + 1
    root = 9 - squared * 8
    depth_z = np.where(root > 0, (3 - np.sqrt(np.maximum(root, 0))) / squared, 0)
    views, maps, rgb = [], {}, {}
    turns = [np.eye(3)[[0, 1, 2]], *_axis_turns()]
    for index, rotation in enumerate(turns):
        photo_id = f"{index}.jpg"
        views.append(View(photo_id, camera, Rigid(rotation, np.array([0.0, 0.0, 3.0]))))
        maps[photo_id] = SceneDepth(
            depth_z.astype(np.float32), np.ones((120, 120), np.float32), camera, photo_id
        )
        rgb[photo_id] = np.full((120, 120, 3), 90, np.uint8)
    scene = PosedScene(tuple(views), SparsePoints.empty(), "scene")
    return PosedPhotos(scene, rgb, {}, {}, ()), maps


def _axis_turns() -> list[np.ndarray]:
    def about_y(angle: float) -> np.ndarray:
        c, s = np.cos(angle), np.sin(angle)
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])

    def about_x(angle: float) -> np.ndarray:
        c, s = np.cos(angle), np.sin(angle)
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])

    quarter = np.pi / 2
    sideways = [about_y(turn * quarter) for turn in (1, 2, 3)]
    return [*sideways, about_x(quarter), about_x(-quarter)]
