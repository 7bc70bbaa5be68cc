"""Where the next photo could be taken: near where somebody stood, and not inside of anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import PinholeCamera, in_picture, pixel_rays, project
from recon3d.core.scene import View
from recon3d.core.transform import Rigid, rotations_from_axis_angle
from recon3d.surface.rays import MeshRays

_AROUND_DEG = (-40, -30, -20, -10, 0, 10, 20, 30, 40)
_ABOVE_DEG = (-15, 0, 15)
_NEARER = (1.0, 0.6)
_ASIDE = ((-0.35, 0.0), (0.35, 0.0), (0.0, -0.3), (0.0, 0.3))
"""Steps to the side and up without turning, in widths and heights of what the photo shows."""
_TURNS = ((0.0, 0.0), (-0.25, 0.0), (0.25, 0.0), (0.0, -0.25), (0.0, 0.25))
"""From the way the photo looked, right and down, in angles of view."""
_REACH_DOWN, _REACH_UP = 0.6, 1.15
"""Of the heights above ground at which photos were taken; nobody carries a ladder."""
_NEAREST = 0.4
"""Of the least distance between a photo and the surface."""
_APART = 0.12
"""Of the distance to what a photo shows: nearer places are one."""
_APART_DEG = 10.0
"""Photos of one thing from directions nearer than this hardly tell more than one of them."""
_SAME_DEG = 5.0
_BETWEEN_DEG = 110.0
"""Apart lie, as seen from what is looked at, the ways to two photos that one stands between."""
_BETWEEN_REACH = 4.0
"""The farther of them, in distances to the nearer."""
_MOST_PARENTS = 80
_GRID_PX = 32


@dataclass(frozen=True, eq=False)
class Stand:
    """A place to stand, with what the photo it was derived from looked at."""

    view: View
    pivot_world: Float[np.ndarray, "3"]
    is_nearer: bool = False
    """Than that photo; for what was seen from too far."""

    @property
    def distance(self) -> float:
        """To what is looked at."""
        return float(np.linalg.norm(self.view.centre_world - self.pivot_world))

    def turned(self) -> Iterator[View]:
        """The same place, looking straight on and a quarter of the picture to each side."""
        camera = self.view.camera
        half_x = np.arctan(camera.width_px / 2 / camera.fx_px)
        half_y = np.arctan(camera.height_px / 2 / camera.fy_px)
        for right, down in _TURNS:
            axis = np.array([-2 * half_y * down, 2 * half_x * right, 0.0])
            turn = rotations_from_axis_angle(axis[None])[0]
            rotation = turn.T @ self.view.cam_from_world.rotation
            yield placed(self.view, self.view.centre_world, rotation)


def placed(
    view: View, centre_world: Float[np.ndarray, "3"], rotation: Float[np.ndarray, "3 3"]
) -> View:
    """The same lens elsewhere."""
    return replace(view, cam_from_world=Rigid(rotation, -rotation @ centre_world))


def neighbours(
    centre_world: Float[np.ndarray, "3"],
    pivot_world: Float[np.ndarray, "3"],
    views: Sequence[View],
) -> tuple[int, int | None]:
    """The photo that looks at a pivot most as one would from a place, and the one beyond the place.

    None: there is no photo on the other side, or the first already looks from there.
    """
    ways = np.stack([view.centre_world for view in views]) - pivot_world
    toward = unit(ways) - unit((centre_world - pivot_world)[None])
    away = np.linalg.norm(toward, axis=1)
    order = np.argsort(away, kind="stable")
    first = int(order[0])
    if away[first] < np.radians(_SAME_DEG):
        return first, None
    opposite = toward @ toward[first] < np.cos(np.radians(_BETWEEN_DEG)) * away * away[first]
    opposite &= away < _BETWEEN_REACH * away[first]
    return first, next((int(index) for index in order if opposite[index]), None)


def is_same(stand: Stand, view: View) -> bool:
    """Whether a photo shows from about there what is looked at from a place."""
    uv_px, depth_z = project(view.cam_from_world @ stand.pivot_world[None], view.camera)
    if depth_z[0] <= 0 or not in_picture(uv_px, view.camera)[0]:
        return False
    ways = np.stack([stand.view.centre_world, view.centre_world]) - stand.pivot_world
    near, far = np.sort(np.linalg.norm(ways, axis=1))
    cosine = float(np.prod(unit(ways), axis=0).sum())
    return bool(cosine > np.cos(np.radians(_APART_DEG)) and far < 1.4 * near)


def unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Of length 1; zero stays zero."""
    made: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    return made


def stands(views: Sequence[View], rays: MeshRays, upright_from_world: Rigid) -> list[Stand]:
    """Places around those of the photos: on, nearer.

    Each can be walked to in a straight line from a photo, lies above ground, between the heights
    at which photos were taken or a little beyond, and no nearer to the surface than people went.
    Where a photo looks from already is none.
    """
    parents = [
        Stand(view, pivot) for view in _spread(views) if (pivot := _pivot(view, rays)) is not None
    ]
    if not parents:
        return []
    centres = np.stack([parent.view.centre_world for parent in parents])
    heights = (upright_from_world @ centres)[:, 2]
    lowest = heights.min() * (_REACH_DOWN if heights.min() > 0 else 1 / _REACH_DOWN)
    highest = heights.max() * (_REACH_UP if heights.max() > 0 else 1 / _REACH_UP)
    least = _NEAREST * float(rays.distance(centres.astype(np.float32)).min())
    apart = _APART * float(np.median([parent.distance for parent in parents]))
    up_world = upright_from_world.rotation[2]
    found, taken = list[Stand](), set[tuple[int, ...]]()
    for parent in parents:
        tried = [stand for stand in _moved(parent, up_world)]
        places = np.stack([stand.view.centre_world for stand in tried])
        height = (upright_from_world @ places)[:, 2]
        starts = np.broadcast_to(parent.view.centre_world, places.shape).astype(np.float32)
        good = (height >= lowest) & (height <= highest)
        good &= ~rays.blocked(starts, places.astype(np.float32))
        good &= rays.distance(places.astype(np.float32)) >= least
        for index in np.flatnonzero(good).tolist():
            forward = tried[index].view.cam_from_world.rotation[2]
            cell = (*np.floor(places[index] / apart), *np.round(forward * 3))
            key = tuple(int(value) for value in cell)
            if key not in taken:
                taken.add(key)
                found.append(tried[index])
    return [stand for stand in found if not any(is_same(stand, view) for view in views)]


def _spread(views: Sequence[View]) -> Sequence[View]:
    """All, or as many of a long capture as are worth trying."""
    return views[:: -(-len(views) // _MOST_PARENTS)]


def _pivot(view: View, rays: MeshRays) -> Float[np.ndarray, "3"] | None:
    """The point on the optical axis as far away as what the middle of the photo shows."""
    camera = coarse(view.camera)
    around = pixel_rays(camera)
    rows, columns = (slice(side // 4, side - side // 4) for side in around.shape[:2])
    world_from_cam = view.cam_from_world.inverse()
    directions = around[rows, columns].reshape(-1, 3) @ world_from_cam.rotation.T
    # Rays with z = 1 in the camera: how far they go is depth_z.
    depth_z, _, _ = rays.first_hits(view.centre_world, directions)
    depth_z = depth_z[np.isfinite(depth_z)]
    if len(depth_z) == 0:
        return None
    pivot: np.ndarray = world_from_cam @ np.array([0.0, 0.0, float(np.median(depth_z))])
    return pivot


def coarse(camera: PinholeCamera) -> PinholeCamera:
    """The camera with a few hundred pixels, each standing for a part of the picture."""
    return camera.fitted(_GRID_PX)


def _moved(parent: Stand, up_world: Float[np.ndarray, "3"]) -> Iterator[Stand]:
    view, pivot = parent.view, parent.pivot_world
    rotation, centre = view.cam_from_world.rotation, view.centre_world
    out = centre - pivot
    # Level, to the right of somebody who looks at the pivot; none where the photo looks down.
    level = np.cross(-out, up_world)
    level = level / n if (n := float(np.linalg.norm(level))) > 1e-9 else rotation[0]
    for around, above, nearer in product(_AROUND_DEG, _ABOVE_DEG, _NEARER):
        if (around, above, nearer) == (0, 0, 1.0):
            continue
        axes = np.radians([[around]]) * up_world, np.radians([[-above]]) * level
        turn = rotations_from_axis_angle(axes[0])[0] @ rotations_from_axis_angle(axes[1])[0]
        moved = placed(view, pivot + nearer * turn @ out, rotation @ turn.T)
        yield Stand(moved, pivot, nearer < 1)
    camera = view.camera
    width = parent.distance * camera.width_px / camera.fx_px
    height = parent.distance * camera.height_px / camera.fy_px
    for right, down in _ASIDE:
        step = rotation[0] * right * width + rotation[1] * down * height
        yield Stand(placed(view, centre + step, rotation), pivot + step)
