"""Which cameras see which points of a scene, by confirmed depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from recon3d.core.camera import backproject, in_picture, project
from recon3d.core.depth import SceneDepth
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh
from recon3d.run.task import Task
from recon3d.surface.rays import MeshRays

_SAME_DEPTH = 0.02
_STEP_PX = 4
_MOST_RAYS = 6
_LOOSE_WEIGHT, _SURELY_SEEN = 0.5, 5.0
"""Weight of a sighting away from the mesh, and how many agreeing views make it whole."""


@dataclass(frozen=True, eq=False)
class Sightings:
    """Who sees which point."""

    point: Int64[np.ndarray, "r"]
    view: Int64[np.ndarray, "r"]
    weight: Float64[np.ndarray, "r"]


NO_SIGHTINGS = Sightings(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def seen_vertices(
    points: Float64[np.ndarray, "p 3"],
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    task: Task,
) -> Sightings:
    """Which cameras see which points: their confirmed depth there is the point's own."""
    found, numbers = [], []
    views = [view for view in posed.scene.views if view.photo_id in depth]
    for number, view in enumerate(views):
        task.check()
        there = depth[view.photo_id]
        uv_px, z = project(view.cam_from_world @ points, there.camera)
        within = np.flatnonzero(in_picture(uv_px, there.camera))
        column, row = np.floor(uv_px[within]).astype(np.int64).T
        known_z = there.depth_z[row, column]
        same = (known_z > 0) & (np.abs(known_z - z[within]) < _SAME_DEPTH * z[within])
        found.append(within[same])
        numbers.append(np.full(int(same.sum()), number))
    point = np.concatenate(found)
    return Sightings(point, np.concatenate(numbers), np.ones(len(point)))


def loose_points(
    mesh: Mesh,
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    spacing: float,
    task: Task,
) -> tuple[Float64[np.ndarray, "q 3"], Sightings]:
    """Confirmed depth where the mesh has nothing, one point a cell of `spacing`."""
    rays = MeshRays(mesh)
    low, high = mesh.vertices.min(axis=0) - spacing, mesh.vertices.max(axis=0) + spacing
    places, numbers, weights = [], [], []
    views = [view for view in posed.scene.views if view.photo_id in depth]
    for number, view in enumerate(views):
        task.check()
        there = depth[view.photo_id]
        rows, columns = (slice(_STEP_PX // 2, None, _STEP_PX),) * 2
        xyz_cam = backproject(there.depth_z, there.camera)[rows, columns].reshape(-1, 3)
        agreeing = there.agreeing_views[rows, columns].ravel()
        known = np.isfinite(xyz_cam).all(axis=1) & (xyz_cam[:, 2] > 0)
        xyz = view.cam_from_world.inverse() @ xyz_cam[known].astype(np.float64)
        loose = ((xyz > low) & (xyz < high)).all(axis=1)
        loose[loose] = rays.distance(xyz[loose].astype(np.float32)) > 2 * spacing
        places.append(xyz[loose])
        numbers.append(np.full(int(loose.sum()), number))
        weights.append(_LOOSE_WEIGHT * np.clip(agreeing[known][loose] / _SURELY_SEEN, 0.3, 1.0))
    xyz, view_of, weight = (np.concatenate(parts) for parts in (places, numbers, weights))
    if not len(xyz):
        return np.zeros((0, 3)), NO_SIGHTINGS
    _, cluster = np.unique(np.floor(xyz / spacing).astype(np.int64), axis=0, return_inverse=True)
    cluster = cluster.ravel()
    total = np.bincount(cluster, weight)
    middle = np.stack([np.bincount(cluster, weight * xyz[:, i]) for i in range(3)], axis=1)
    pair, first = np.unique(cluster * len(views) + view_of, return_index=True)
    return middle / total[:, None], Sightings(pair // len(views), pair % len(views), weight[first])


def strongest(rays: Sightings) -> Sightings:
    """At most so many rays a point, spread over the views that see it."""
    order = np.lexsort((rays.view, -rays.weight, rays.point))
    point = rays.point[order]
    starts = np.flatnonzero(np.r_[True, point[1:] != point[:-1]])
    sizes = np.diff(np.r_[starts, len(point)])
    rank = np.arange(len(point)) - np.repeat(starts, sizes)
    count = np.repeat(sizes, sizes)
    # Evenly among those that see it: neighbours in the list are neighbours on the way.
    wanted = np.minimum(count, _MOST_RAYS)
    chosen = order[(rank * wanted) // count != ((rank - 1) * wanted) // count]
    return Sightings(rays.point[chosen], rays.view[chosen], rays.weight[chosen])
