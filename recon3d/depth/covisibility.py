"""Which photos see the same things from usefully different places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.camera import in_picture, project
from recon3d.core.scene import PosedScene, SparsePoints, View

BEST_ANGLE_DEG = 8.0
"""Between rays to the same point: wide enough to measure, narrow enough to look alike."""
_NARROW_DEG, _WIDE_DEG = 4.0, 15.0
_RAYS = 4
"""Across and down a photo, for what cameras could see together ..."""
_DEPTHS = np.geomspace(0.25, 40, 16)
"""... at these depths, in units of the median distance between cameras: nobody knows how far
things are where no point says so, but cameras are set up to see the same ones."""
_LEAST_ANGLE_DEG = 1.0
"""A camera that only turned on the spot sees the same and measures nothing."""
_LEAST_GAIN = 0.02
"""Of a sample that is worth comparing; as good as up to 50 degrees."""
_NEAREST = 64
"""Cameras that each one is tried with."""


def rank_neighbours(scene: PosedScene, most: int) -> list[list[int]]:
    """For every view the indices of the best `most` others, best first, maybe fewer or none.

    A shared sparse point counts by its triangulation angle, as in Yao et al. 2018 (MVSNet), eq. 6.
    Views that share none with any other (given poses, and photos too dark or plain for features)
    count by what the cameras could see together, wherever it lies.
    """
    scores = _scores_by_points(scene.views, scene.points)
    lonely = np.nonzero(scores.sum(1) == 0)[0]
    distance = _distances(scene.views) if len(lonely) else np.zeros((0, 0))
    for index in lonely:
        nearest = np.argsort(distance[index], kind="stable")[: _NEAREST + 1]
        gains = _gains(scene.views, int(index), nearest, _depths(distance))
        scores[index, nearest] = gains.sum((1, 2))
    # One place measures nothing: the view itself, and others of the same panorama.
    places = [scene.one_place.get(view.photo_id, view.photo_id) for view in scene.views]
    numbers = np.unique(places, return_inverse=True)[1]
    scores[numbers[:, None] == numbers] = 0.0
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
    uv_px, depth_z = project(points_cam, view.camera)
    inside = in_picture(uv_px, view.camera)
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
        gain = _gain(_angle_deg(centres[first] - xyz, centres[second] - xyz))
        np.add.at(scores, (first, second), gain)
        np.add.at(scores, (second, first), gain)
        lag += 1
    # A handful of shared points is as likely a mismatch as an overlap.
    return np.where(scores > 3.0, scores, 0.0)


def overlap_range(
    scene: PosedScene, view_index: int, neighbours: Sequence[int]
) -> tuple[float, float] | None:
    """Nearest and farthest depth_z that a neighbour could see at a useful angle; None if none can.

    Wide, because of the scene itself it knows nothing.
    """
    depths = _depths(_distances(scene.views))
    gains = _gains(scene.views, view_index, neighbours, depths)
    useful = np.nonzero((gains > _LEAST_GAIN).any((0, 2)))[0]
    if len(useful) == 0:
        return None
    return float(depths[useful[0]]), float(depths[useful[-1]])


def _gains(
    views: Sequence[View],
    view_index: int,
    others: Sequence[int] | Int[np.ndarray, "o"],
    depths: Float[np.ndarray, "d"],
) -> Float[np.ndarray, "o d r"]:
    """What samples of a view's frustum are worth with each other view: by depth and ray.

    The same worth by angle as that of a sparse point; 0 where one of both does not see it.
    """
    view = views[view_index]
    camera = view.camera
    across, down = np.meshgrid(*((np.arange(_RAYS) + 0.5) / _RAYS for _ in range(2)))
    uv_px = np.stack([across.ravel() * camera.width_px, down.ravel() * camera.height_px], -1)
    rays = np.column_stack([uv_px, np.ones(_RAYS**2)]) @ np.linalg.inv(camera.matrix).T
    xyz = view.cam_from_world.inverse() @ (depths[:, None, None] * rays).reshape(-1, 3)
    gains = np.zeros((len(others), len(xyz)))
    for row, index in enumerate(others):
        other = views[index]
        uv_px, _ = project(other.cam_from_world @ xyz, other.camera)
        angle = _angle_deg(view.centre_world - xyz, other.centre_world - xyz)
        inside = in_picture(uv_px, other.camera)
        gains[row] = np.where(inside & (angle > _LEAST_ANGLE_DEG), _gain(angle), 0)
    return gains.reshape(len(others), len(depths), -1)


def _distances(views: Sequence[View]) -> Float[np.ndarray, "v v"]:
    centres = np.array([view.centre_world for view in views])
    return np.asarray(np.linalg.norm(centres[:, None] - centres[None], axis=-1))


def _depths(distance: Float[np.ndarray, "v v"]) -> Float[np.ndarray, "d"]:
    """Where to sample frusta; anywhere where all cameras stand at one place."""
    apart = distance[distance > 0]
    return np.asarray(_DEPTHS * (float(np.median(apart)) if len(apart) else 1.0))


def _gain(angle_deg: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    width = np.where(angle_deg < BEST_ANGLE_DEG, _NARROW_DEG, _WIDE_DEG)
    return np.asarray(np.exp(-((angle_deg - BEST_ANGLE_DEG) ** 2) / (2 * width**2)))


def _angle_deg(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    cosine = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-12)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))
