"""Where photos were taken, seen from above, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recon3d_calib.from_photos import SelfCalibration
from recon3d_calib.plots import WIDTH

_TALLEST = 480
_MARGIN = 24.0
_MOST_POINTS = 1500
# Points in the background would leave the cameras no room.
_NEAR_PERCENT = 2, 98
# Of a camera's picture, as a share of the plot's width.
_CAMERA = 0.045


@dataclass(frozen=True, eq=False)
class Places:
    """A map; the first photo looks upwards in it."""

    height: int
    points: Float[np.ndarray, "n 2"]
    """What the photos share."""
    cameras: Float[np.ndarray, "m 3 2"]
    """Triangles, from where a photo was taken to the left and right of what it sees."""


def draw_places(found: SelfCalibration) -> Places:
    """Look down along the photos' common vertical."""
    rotations, translations = found.cam_from_world[:, :, :3], found.cam_from_world[:, :, 3]
    centres = -np.einsum("mji,mj->mi", rotations, translations)
    # Photos are upright, so that their columns run down.
    up = _unit(-rotations[:, 1].mean(axis=0))
    ahead = _unit(rotations[0, 2] - up * (up @ rotations[0, 2]))
    # Right and down on the page.
    onto = np.stack([np.cross(ahead, up), -ahead])
    flat_points, flat_centres = found.points_world @ onto.T, centres @ onto.T
    low, high = np.percentile(flat_points, _NEAR_PERCENT, axis=0)
    low = np.minimum(low, flat_centres.min(axis=0))
    high = np.maximum(high, flat_centres.max(axis=0))
    extent = np.maximum(high - low, 1e-9)
    scale = float(min((WIDTH - 2 * _MARGIN) / extent[0], (_TALLEST - 2 * _MARGIN) / extent[1]))
    height = round(extent[1] * scale + 2 * _MARGIN)
    middle = np.array([WIDTH / 2, height / 2])
    points, tips = (
        (flat - (low + high) / 2) * scale + middle for flat in (flat_points, flat_centres)
    )
    inside = ((points >= 0) & (points <= [WIDTH, height])).all(axis=1)
    points = points[inside]
    camera = found.intrinsics.pinhole
    half = camera.width_px / camera.fx_px / 2
    rays = np.array([[-half, 0, 1], [half, 0, 1]])
    sides = np.einsum("rk,mkj,ij->mri", rays, rotations, onto) * _CAMERA * WIDTH
    cameras = np.concatenate([tips[:, None], tips[:, None] + sides], axis=1)
    return Places(height, points[:: -(-len(points) // _MOST_POINTS) or 1], cameras)


def _unit(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
