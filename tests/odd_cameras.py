"""A small posed scene whose cameras are as odd as cameras get."""

from __future__ import annotations

import numpy as np

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, Verdict, View
from recon3d.core.transform import Rigid

# Principal points off the centre, and pixels that are taller than wide.
WIDE = PinholeCamera(320, 200, 300.0, 270.0, 150.0, 112.0)
TALL = PinholeCamera(200, 320, 310.0, 279.0, 108.0, 140.0)


def posed_ring() -> PosedPhotos:
    """Cameras around a box of 2 x 1 x 3, z-up, in metres, and points on and around it."""
    views = []
    ids = ["a.jpg", "b c.png", "ü/山.heic", 'it\'s "d".jpg']
    for n, photo_id in enumerate(ids):
        angle = 2 * np.pi * n / len(ids) + 0.3
        centre = np.array([7 * np.sin(angle), -7 * np.cos(angle), 2.0 + n / 2])
        forward = np.array([0, 0, 1.5]) - centre
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        views.append(View(photo_id, TALL if n == 2 else WIDE, Rigid(rotation, -rotation @ centre)))
    rng = np.random.default_rng(0)
    xyz = rng.uniform([-1, -0.5, 0], [1, 0.5, 3], (40, 3))
    observations = np.array([[p, v] for p in range(40) for v in range(len(ids))])
    points = SparsePoints(
        xyz, rng.integers(0, 255, (40, 3), np.uint8), np.full(40, 0.4), observations
    )
    rgb = {
        view.photo_id: np.full((view.camera.height_px, view.camera.width_px, 3), 60 * n, np.uint8)
        for n, view in enumerate(views)
    }
    verdicts = tuple(Verdict(photo_id, True) for photo_id in ids)
    return PosedPhotos(PosedScene(tuple(views), points, "metre"), rgb, {}, {}, verdicts)
