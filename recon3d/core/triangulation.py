"""One point from the pixels that show it, and how sure its place is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import PinholeCamera, project
from recon3d.core.scene import View

_STEPS = 10
# Pairs of views that are asked which of many sightings are of the same point.
_MOST_PAIRS = 100


@dataclass(frozen=True, eq=False)
class LocatedPoint:
    """A point and its covariance in squared scene units."""

    xyz_world: Float[np.ndarray, "3"]
    covariance: Float[np.ndarray, "3 3"]


def ray_in_world(view: View, uv_px: Float[np.ndarray, "2"]) -> Float[np.ndarray, "3"]:
    """The unit direction in which a view sees a pixel."""
    camera = view.camera
    ray_cam = np.array(
        [(uv_px[0] - camera.cx_px) / camera.fx_px, (uv_px[1] - camera.cy_px) / camera.fy_px, 1.0]
    )
    ray: np.ndarray = view.cam_from_world.rotation.T @ ray_cam
    return ray / np.linalg.norm(ray)


def triangulate(
    views: Sequence[View], uv_px: Float[np.ndarray, "n 2"], sigma_px: float
) -> LocatedPoint | None:
    """The point with the least reprojection error, from one pixel in each of two or more views.

    sigma_px: one standard deviation of a pixel; where the pixels fit worse, they count as worse.

    Returns None where no such point lies in front of all views (parallel or crossed rays).
    """
    centres = np.stack([view.centre_world for view in views])
    rays = np.stack([ray_in_world(view, uv) for view, uv in zip(views, uv_px, strict=True)])
    point = nearest_to_rays(centres, rays)
    if point is None:
        return None
    for _ in range(_STEPS):
        linear = _linearised(views, uv_px, point)
        if linear is None:
            return None
        error, jacobian = linear
        step = np.linalg.lstsq(jacobian, error, rcond=None)[0]
        point = point + step
        if np.linalg.norm(step) < 1e-9 * (1 + np.linalg.norm(point)):
            break
    linear = _linearised(views, uv_px, point)
    if linear is None:
        return None
    error, jacobian = linear
    variance = max(sigma_px**2, float(error @ error) / max(1, len(error) - 3))
    return LocatedPoint(point, variance * np.linalg.pinv(jacobian.T @ jacobian))


def triangulate_agreeing(
    views: Sequence[View], uv_px: Float[np.ndarray, "n 2"], sigma_px: float, limit_px: float
) -> tuple[LocatedPoint, Float[np.ndarray, "n"]] | None:
    """The point that most of the pixels show, and how far each of them is from it, in pixels.

    Pixels further off than limit_px do not count; of two, both do. None as in `triangulate`.
    """
    good = list(range(len(views)))
    if len(views) > 2:
        centres = np.stack([view.centre_world for view in views])
        rays = np.stack([ray_in_world(view, uv) for view, uv in zip(views, uv_px, strict=True)])
        pairs = np.array([*combinations(range(len(views)), 2)])
        least = np.inf
        for pair in pairs[:: -(-len(pairs) // _MOST_PAIRS)]:
            if (met := nearest_to_rays(centres[pair], rays[pair])) is None:
                continue
            off_px = distances_px(views, uv_px, met)
            cost = float((np.minimum(off_px, limit_px) ** 2).sum())
            if cost < least:
                good, least = np.flatnonzero(off_px <= limit_px).tolist(), cost
    found = triangulate([views[i] for i in good], uv_px[good], sigma_px) if good[1:] else None
    return None if found is None else (found, distances_px(views, uv_px, found.xyz_world))


def distances_px(
    views: Sequence[View], uv_px: Float[np.ndarray, "n 2"], point: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "n"]:
    """From where each view shows a point to its pixel; infinite behind the view."""
    points_cam = np.stack([view.cam_from_world @ point for view in views])
    matrices = np.stack([view.camera.matrix for view in views])
    shown = np.einsum("nij,nj->ni", matrices, points_cam)
    with np.errstate(divide="ignore", invalid="ignore"):
        off_px = np.linalg.norm(shown[:, :2] / shown[:, 2:] - uv_px, axis=1)
    return np.where(shown[:, 2] > 0, off_px, np.inf)


def nearest_to_rays(
    centres: Float[np.ndarray, "n 3"], rays: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "3"] | None:
    """The point with the least squared distance from all rays; None where they are parallel."""
    across = np.eye(3) - rays[:, :, None] * rays[:, None, :]
    system = across.sum(0)
    if np.linalg.eigvalsh(system)[0] < 1e-8:
        return None
    point: np.ndarray = np.linalg.solve(system, np.einsum("nij,nj->i", across, centres))
    return point


def _linearised(
    views: Sequence[View], uv_px: Float[np.ndarray, "n 2"], point: Float[np.ndarray, "3"]
) -> tuple[np.ndarray, np.ndarray] | None:
    """(pixels minus projections, d projection / d point), two rows for each view."""
    errors, rows = [], []
    for view, uv in zip(views, uv_px, strict=True):
        point_cam = view.cam_from_world @ point
        if point_cam[2] <= 0:
            return None
        errors.append(uv - project(point_cam[None], view.camera)[0][0])
        rows.append(_projection_slope(view.camera, point_cam) @ view.cam_from_world.rotation)
    return np.concatenate(errors), np.concatenate(rows)


def _projection_slope(camera: PinholeCamera, point_cam: np.ndarray) -> Float[np.ndarray, "2 3"]:
    x, y, z = point_cam
    return np.array(
        [
            [camera.fx_px / z, 0, -camera.fx_px * x / z**2],
            [0, camera.fy_px / z, -camera.fy_px * y / z**2],
        ]
    )
