"""How large a square is that several photos show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.camera import project
from recon3d.core.scene import View
from recon3d.core.transform import fit_similarity
from recon3d.core.triangulation import LocatedPoint, nearest_to_rays, ray_in_world, triangulate

# Detected corners against placed cameras; beyond it the sighting is of another square.
_MOST_ERROR_PX = 3.0
# Of the edge: a marker that is bent, or a false one, is no square.
_MOST_CROOKED = 0.05
_MOST_PAIRS = 60
# Blur and ink move all corners of a marker outwards or inwards together.
_SHARED_CORNER_PX = 0.05
_SIGMA_PX = 0.1

_TEMPLATE = np.array([[-0.5, 0.5, 0], [0.5, 0.5, 0], [0.5, -0.5, 0], [-0.5, -0.5, 0]])


@dataclass(frozen=True, eq=False)
class MeasuredSquare:
    """The edge in scene units and its standard deviation."""

    edge: float
    sigma: float
    sightings: Int[np.ndarray, "n"]
    """Which of the views agree."""
    corners: tuple[LocatedPoint, ...]
    """In the order of the detected ones."""


def measure_square(
    views: Sequence[View], corners_px: Float[np.ndarray, "n 4 2"]
) -> MeasuredSquare | None:
    """Triangulate the corners from the views that agree, and fit a square to them.

    The pair of views that most others agree with decides, so that a second square with the same
    pattern, or a false sighting, does not mix in. Returns None where fewer than 2 views agree or
    what they see is no square.
    """
    inside: np.ndarray = np.zeros(0, np.int64)
    least = np.inf
    centres = np.stack([view.centre_world for view in views])
    rays = np.stack(
        [
            [ray_in_world(view, uv) for uv in corners]
            for view, corners in zip(views, corners_px, strict=True)
        ]
    )
    pairs = list(combinations(range(len(views)), 2))
    for pair in pairs[:: max(1, len(pairs) // _MOST_PAIRS)]:
        two = list(pair)
        met = [nearest_to_rays(centres[two], rays[two, corner]) for corner in range(4)]
        points = np.stack([point for point in met if point is not None] or [np.zeros(3)])
        if len(points) < 4:
            continue
        shown = [project(view.cam_from_world @ points, view.camera)[0] for view in views]
        error_px = np.linalg.norm(np.stack(shown) - corners_px, axis=2).max(axis=1)
        error_px = np.nan_to_num(error_px, nan=np.inf)
        agreeing = np.flatnonzero(error_px < _MOST_ERROR_PX)
        cost = float(np.minimum(error_px, _MOST_ERROR_PX).sum())
        if len(agreeing) >= 2 and cost < least:
            inside, least = agreeing, cost
    corners = _corners(views, corners_px, inside) if len(inside) else None
    return None if corners is None else _fitted(views, corners_px, inside, corners)


def _corners(
    views: Sequence[View], corners_px: np.ndarray, chosen: np.ndarray
) -> list[LocatedPoint] | None:
    points = [
        triangulate([views[i] for i in chosen], corners_px[chosen, corner], _SIGMA_PX)
        for corner in range(4)
    ]
    found = [point for point in points if point is not None]
    return found if len(found) == 4 else None


def _fitted(
    views: Sequence[View],
    corners_px: np.ndarray,
    inside: np.ndarray,
    corners: Sequence[LocatedPoint],
) -> MeasuredSquare | None:
    xyz = np.stack([corner.xyz_world for corner in corners])
    if np.ptp(xyz, axis=0).max() <= 0:
        return None
    world_from_square = fit_similarity(_TEMPLATE, xyz)
    edge = world_from_square.scale
    crooked = np.linalg.norm(xyz - world_from_square @ _TEMPLATE, axis=1).max()
    if not edge > 0 or crooked > _MOST_CROOKED * edge:
        return None
    # The edge is the mean of the corners' distances along the square's diagonals.
    along = _TEMPLATE @ world_from_square.rotation.T
    variances = np.einsum("ni,nij,nj->n", along, [corner.covariance for corner in corners], along)
    edges_px = np.linalg.norm(corners_px[inside] - np.roll(corners_px[inside], 1, 1), axis=2)
    shared = 2 * _SHARED_CORNER_PX / float(np.median(edges_px)) * edge
    sigma = float(np.hypot(np.sqrt(variances.sum()) / 2, shared))
    return MeasuredSquare(edge, sigma, inside, tuple(corners))
