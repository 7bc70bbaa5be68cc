"""Which photos see the same things from usefully different places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from recon3d.core.scene import PosedScene, SparsePoints, View

BEST_ANGLE_DEG = 8.0
"""Between rays to the same point: wide enough to measure, narrow enough to look alike."""
_NARROW_DEG, _WIDE_DEG = 4.0, 15.0


def rank_neighbours(scene: PosedScene, most: int) -> list[list[int]]:
    """For every view the indices of the best `most` others, best first, maybe fewer or none.

    A shared sparse point counts by its triangulation angle, as in Yao et al. 2018 (MVSNet), eq. 6.
    Without sparse points (poses from a depth camera) views count by the overlap of where they look.
    """
    if len(scene.points.xyz_world) == 0:
        scores = _scores_by_direction(scene.views)
    else:
        scores = _scores_by_points(scene.views, scene.points)
    np.fill_diagonal(scores, 0.0)
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :most]
    return [[int(j) for j in row if scores[i, j] > 0] for i, row in enumerate(ranked)]


def depth_range(
    scene: PosedScene, view_index: int, neighbours: Sequence[int]
) -> tuple[float, float] | None:
    """Nearest and farthest depth_z to look at in a view; None where too few points say so.

    From the points that the view or a neighbour sees and that fall into the view's frame, with
    room for surfaces nearer and farther than any feature. 1st and 99th percentile: a few
    mistriangulated points must not stretch the range.
    """
    view = scene.views[view_index]
    observations = scene.points.observations
    rows = np.isin(observations[:, 1], [view_index, *neighbours])
    points_cam = view.cam_from_world @ scene.points.xyz_world[np.unique(observations[rows, 0])]
    depth_z = points_cam[points_cam[:, 2] > 0, 2]
    points_cam = points_cam[points_cam[:, 2] > 0]
    camera = view.camera
    u = points_cam[:, 0] / depth_z * camera.fx_px + camera.cx_px
    v = points_cam[:, 1] / depth_z * camera.fy_px + camera.cy_px
    inside = (u >= 0) & (v >= 0) & (u < camera.width_px) & (v < camera.height_px)
    if inside.sum() < 8:
        return None
    near, far = np.percentile(depth_z[inside], [1, 99])
    return float(near * 0.8), float(far * 1.25)


def _scores_by_points(views: Sequence[View], points: SparsePoints) -> Float[np.ndarray, "v v"]:
    centres = np.array([view.centre_world for view in views])
    order = np.argsort(points.observations[:, 0], kind="stable")
    point_ids, view_ids = points.observations[order].T
    scores = np.zeros((len(views), len(views)))
    # Pair up the sightings of one point: lag k joins each with the k-th next of the same point.
    lag = 1
    while True:
        same = point_ids[:-lag] == point_ids[lag:]
        if not same.any():
            break
        first, second = view_ids[:-lag][same], view_ids[lag:][same]
        xyz = points.xyz_world[point_ids[:-lag][same]]
        angle = _angle_deg(centres[first] - xyz, centres[second] - xyz)
        width = np.where(angle < BEST_ANGLE_DEG, _NARROW_DEG, _WIDE_DEG)
        gain = np.exp(-((angle - BEST_ANGLE_DEG) ** 2) / (2 * width**2))
        np.add.at(scores, (first, second), gain)
        np.add.at(scores, (second, first), gain)
        lag += 1
    # A handful of shared points is as likely a mismatch as an overlap.
    return np.where(scores > 3.0, scores, 0.0)


def _scores_by_direction(views: Sequence[View]) -> Float[np.ndarray, "v v"]:
    axes = np.array([view.cam_from_world.rotation[2] for view in views])
    centres = np.array([view.centre_world for view in views])
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    typical = np.median(distance[distance > 0]) if (distance > 0).any() else 1.0
    facing = np.clip(axes @ axes.T, 0, 1) ** 4
    return np.where(facing > 0.2, facing * np.exp(-distance / typical), 0.0)


def _angle_deg(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    cosine = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-12)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))
