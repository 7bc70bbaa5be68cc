"""Which sparse points are of the object, and what it stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from recon3d.core.scene import PosedScene, View
from recon3d.segmentation.orbit import NoObjectError, Orbit, shared

COMMON = 0.7
"""Share of the photos that must reach to where the object is; the others show details of it."""
MARGIN = 0.02
"""Height, in distances of the cameras, from which on points stand on the ground and are not of
it: carpets and cobbles are rough."""
_PLANE = 0.01
"""How far points of the ground lie from it, likewise."""
_MOST_ROLL = 0.2
"""Sine of the angle between the ground and a typical picture's lower edge. Most people hold cameras
level within some degrees; for those around half of a wall the median is 0.3 or more."""
_TRIES = 2000
_LEAST_ON_GROUND = 0.02
_MOST_BELOW = 0.02
_FEWEST_SIGHTINGS = 3
_MOST_POINTS = 20_000
_FEWEST_SEEDS = 40
_BESIDE = 2.0
"""Radii of the object around the centre in which there is little else."""
_MOST_BESIDE = 0.2
"""Points there, as a share of those of the object: houses of a village have as many around."""


@dataclass(frozen=True)
class Ground:
    """The plane that the object stands on: normal . x = offset, the object above it."""

    normal_world: tuple[float, float, float]
    offset: float

    def height(self, points_world: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        """Above the plane, in scene units."""
        return points_world @ np.array(self.normal_world) - self.offset


@dataclass(frozen=True, eq=False)
class Seeds:
    """Sparse points that are most likely of the object, and those that are not."""

    object: Int64[np.ndarray, "n"]
    """Their indices in the scene."""
    rest: Int64[np.ndarray, "m"]
    ground: Ground | None
    """None where nothing is seen that it stands on."""


def find_seeds(scene: PosedScene, orbit: Orbit) -> Seeds:
    """Of the object are points that most photos have in their frame and that are off the ground.

    Raises:
        NoObjectError: too few are.
    """
    points = scene.points.xyz_world
    sightings = np.bincount(scene.points.observations[:, 0], minlength=len(points))
    index = np.flatnonzero(sightings >= _FEWEST_SIGHTINGS)
    if len(index) < _FEWEST_SEEDS:
        raise NoObjectError("too few points were triangulated to tell what stands where")
    index = index[:: max(1, len(index) // _MOST_POINTS)]
    common = shared(scene.views, points[index]) >= COMMON
    ground = find_ground(points[index], common, scene.views, orbit)
    stands = common.copy()
    if ground:
        stands &= ground.height(points[index]) > MARGIN * orbit.distance
    if stands.sum() < _FEWEST_SEEDS or _goes_on(points[index], stands, common, ground, orbit):
        raise NoObjectError("nothing stands apart from what is around where the cameras look")
    return Seeds(index[stands], index[~stands], ground)


def _goes_on(
    points_world: Float[np.ndarray, "n 3"],
    stands: Bool[np.ndarray, "n"],
    common: Bool[np.ndarray, "n"],
    ground: Ground | None,
    orbit: Orbit,
) -> bool:
    """Whether what stands on the ground goes on around, out of the frame of most photos."""
    away = np.linalg.norm(points_world - orbit.centre_world, axis=1)
    beside = ~common & (away < _BESIDE * np.percentile(away[stands], 95))
    if ground:
        beside &= ground.height(points_world) > MARGIN * orbit.distance
    return bool(beside.sum() > _MOST_BESIDE * stands.sum())


def find_ground(
    points_world: Float[np.ndarray, "n 3"],
    common: Bool[np.ndarray, "n"],
    views: Sequence[View],
    orbit: Orbit,
) -> Ground | None:
    """The level plane with most points that has the cameras and all between them on one side.

    By RANSAC (Fischler and Bolles 1981) over the points around the centre.

    common: points that most photos have in their frame.
    """
    near = np.linalg.norm(points_world - orbit.centre_world, axis=1) < orbit.distance
    points, common = points_world[near], common[near]
    if len(points) < _FEWEST_SEEDS:
        return None
    centres = np.stack([view.centre_world for view in views])
    rights = np.stack([view.cam_from_world.rotation[0] for view in views])
    rng = np.random.default_rng(0)
    ground, most = None, int(_LEAST_ON_GROUND * len(points))
    for _ in range(_TRIES):
        corners = points[rng.integers(0, len(points), 3)]
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        length = float(np.linalg.norm(normal))
        if length == 0:
            continue
        normal /= length
        if np.median(np.abs(rights @ normal)) > _MOST_ROLL:
            continue
        if np.median((centres - corners[0]) @ normal) < 0:
            normal = -normal
        offset = float(normal @ corners[0])
        if ((centres @ normal - offset) < MARGIN * orbit.distance).mean() > _MOST_BELOW:
            continue
        height = points @ normal - offset
        if (height[common] < -_PLANE * orbit.distance).sum() > _MOST_BELOW * common.sum():
            continue
        count = int((np.abs(height) <= _PLANE * orbit.distance).sum())
        if count > most:
            most, ground = count, Ground((normal[0], normal[1], normal[2]), offset)
    return ground
