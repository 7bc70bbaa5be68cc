"""Surfaces that a result is compared with where no true mesh exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

from recon3d.core.camera import in_picture, project
from recon3d.core.scene import View
from recon3d.core.surface import Mesh

_VOXEL = 0.0078
_TRUNCATION = 0.04
"""Metres, both."""
_MIN_WEIGHT = 1
"""One map is enough, as it is for `observed`: else surface that a single map saw would be missing
from the truth and count against a result that has it."""
_BLOCKS = 8192
"""To begin with; the grid grows."""


@dataclass(frozen=True, eq=False)
class DepthSight:
    """One depth map of a sensor and where it was taken; 0 = the sensor saw nothing."""

    depth_z: Float[np.ndarray, "h w"]
    view: View


def fuse_sensor(maps: Sequence[DepthSight]) -> Mesh:
    """The sensor's own surface: its depth maps fused in their true cameras' frame, in metres.

    A truncated signed distance field (Curless and Levoy 1996) of 7.8 mm voxels, truncated at
    4 cm: about twice a depth camera's noise across a room.
    """
    from recon3d.surface.volume import Volume

    volume = Volume(_VOXEL, _TRUNCATION / _VOXEL, _BLOCKS, "cpu")
    for sight in maps:
        grey = np.zeros((*sight.depth_z.shape, 3), np.float32)
        volume.integrate(
            sight.depth_z.astype(np.float32), grey, sight.view.camera, sight.view.cam_from_world
        )
    return volume.mesh(_MIN_WEIGHT - 0.5)


def observed(
    points: Float[np.ndarray, "n 3"], maps: Sequence[DepthSight], behind: float
) -> Bool[np.ndarray, "n"]:
    """Whether any depth map looked at the place of each point, in free space or at a surface.

    A point counts as looked at when it falls on a pixel with depth and lies before that depth or
    at most `behind` further. Places behind everything, outside all pictures or on pixels without
    depth are unknown: a surface there is neither right nor wrong.
    """
    seen = np.zeros(len(points), bool)
    for sight in maps:
        rows = np.flatnonzero(~seen)
        camera = sight.view.camera
        uv_px, depth_z = project(sight.view.cam_from_world @ points[rows], camera)
        inside = (depth_z > 0) & in_picture(uv_px, camera)
        rows, column_row, depth_z = rows[inside], uv_px[inside].astype(int), depth_z[inside]
        measured = sight.depth_z[column_row[:, 1], column_row[:, 0]]
        seen[rows] = (measured > 0) & (depth_z <= measured + behind)
    return seen


def within_reach(
    points: Float[np.ndarray, "n 3"], views: Sequence[View], reach: float
) -> Bool[np.ndarray, "n"]:
    """Whether each point lies nearer than `reach` to a camera."""
    centres = cKDTree(np.array([view.centre_world for view in views]))
    return np.isfinite(centres.query(points, distance_upper_bound=reach)[0])


def read_peer(path: Path) -> Mesh:
    """Another program's mesh, "vertices" and "triangles" in an .npz."""
    with np.load(path, allow_pickle=False) as arrays:
        return Mesh(arrays["vertices"].astype(np.float32), arrays["triangles"].astype(np.int32))
