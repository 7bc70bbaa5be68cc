"""The front of a box before a slanted plane, and their depth."""

from __future__ import annotations

import numpy as np

from recon3d.core.camera import PinholeCamera, pixel_rays

CAMERA = PinholeCamera(160, 120, 150.0, 150.0, 84.0, 57.0)
NORMAL = np.array([-0.35, 0.15, 1.0])
OFFSET, BOX_Z = 4.0, 2.5
NAME = "photo.jpg"


def is_box(camera: PinholeCamera) -> np.ndarray:
    """The front of a box, about 1 x 0.8 units, before the slanted plane NORMAL . x = OFFSET."""
    x, y, _ = np.moveaxis(pixel_rays(camera) * BOX_Z, -1, 0)
    return (np.abs(x) < 0.5) & (np.abs(y) < 0.4)


def true_depth(camera: PinholeCamera = CAMERA) -> np.ndarray:
    plane_z = OFFSET / (pixel_rays(camera) @ NORMAL)
    return np.where(is_box(camera), BOX_Z, plane_z).astype(np.float32)
