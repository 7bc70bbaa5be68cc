"""The holes of a mesh are closed where no camera looked through.

After Labatut, Pons and Keriven (2007, 2009): the mesh's own vertices and what is left of the
confirmed depth are joined to Delaunay tetrahedra, every camera that sees a point votes for free
space on the way to it and for matter behind it, and a minimal cut parts the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from recon3d.core.camera import PinholeCamera, backproject, project
from recon3d.core.depth import SceneDepth
from recon3d.core.errors import TooLittleDepthError
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, median_edge
from recon3d.run.task import Task
from recon3d.surface.closing.cut import free_cells
from recon3d.surface.closing.tetrahedra import (
    Tetrahedra,
    Votes,
    facet_badness,
    surface_of,
    tetrahedra,
    vote,
)
from recon3d.surface.rays import MeshRays, ray_scene

# Lengths in shares of the scene's median depth, weights in rays.
_SPACING = 0.015
"""Between points that fill in where the mesh has none."""
_SIGMA = 0.009
_SAME_DEPTH = 0.02
_STEP_PX = 4
_MOST_RAYS = 6
_LOOSE_WEIGHT, _SURELY_SEEN = 0.5, 5.0
_BADNESS = 0.3
_AT_CAMERA = 1e4
_SMOOTHING_ROUNDS = 5
_DETAIL_EDGES = 4.0
"""Longest edge, in median edges of the mesh, of faces that stand for what photos showed."""
_LOST_EDGES = 2.0
_RAY_STEP_PX = 3


@dataclass(frozen=True, eq=False)
class _Rays:
    """Who sees which point."""

    point: Int64[np.ndarray, "r"]
    view: Int64[np.ndarray, "r"]
    weight: Float64[np.ndarray, "r"]


_NO_RAYS = _Rays(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def close_surface(
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    mesh: Mesh,
    reach: float,
    task: Task,
    *,
    loose: bool = True,
) -> Mesh:
    """The same surface with its holes closed; faces that close them are marked as `filled`.

    Args:
        posed: The photos and where they were taken.
        depth: What other photos confirmed of each.
        mesh: Manifold; its vertices stay where they are, but for those that nearly coincide.
        reach: Longest edge of a closing face, in shares of the median depth.
        task: Asked whether to stop.
        loose: Whether confirmed depth where the mesh has nothing joins in.

    Raises:
        TooLittleDepthError: nothing was confirmed that could say what is free.
        Cancelled: the task was stopped.
    """
    views = [view for view in posed.scene.views if view.photo_id in depth]
    typical_z = _median_depth(depth)
    merged, of_vertex = _merged(mesh)
    task.check()
    seen = _seen_vertices(merged, posed, depth, task)
    extra, extra_rays = np.zeros((0, 3)), _NO_RAYS
    if loose:
        extra, extra_rays = _loose_points(merged, posed, depth, _SPACING * typical_z, task)
    rays = _strongest(
        _Rays(
            np.concatenate([seen.point, extra_rays.point + len(merged)]),
            np.concatenate([seen.view, extra_rays.view]),
            np.concatenate([seen.weight, extra_rays.weight]),
        )
    )
    points = np.concatenate([merged, extra])
    task.check()
    cameras = np.array([view.centre_world for view in views])
    cells = tetrahedra(np.concatenate([points, cameras]))
    task.check()
    votes = _votes(cells, rays, len(points), _SIGMA * typical_z)
    task.check()
    faces = surface_of(cells, free_cells(cells, votes))
    task.check()
    vertices = _smoothed(cells.points, faces, len(merged))
    vertices[: len(merged)] = merged
    own = of_vertex[mesh.faces]
    own = own[(own != np.roll(own, 1, axis=1)).all(axis=1)]
    edge = median_edge(mesh)
    is_confirmed = np.zeros(len(vertices), bool)
    is_confirmed[seen.point] = True
    longest = _longest_edges(vertices, faces)
    is_detail = (faces < len(merged)).all(axis=1) & (longest < _DETAIL_EDGES * edge)
    kept = is_detail & is_confirmed[faces].any(axis=1)
    kept |= (longest < reach * typical_z) & _first_seen(vertices, faces, posed)
    faces, is_detail = faces[kept], is_detail[kept]
    lost = _lost(vertices, own, faces, _LOST_EDGES * edge)
    task.check()
    all_faces = np.concatenate([faces, own[lost]]).astype(np.int32)
    is_own = np.concatenate([is_detail, np.ones(int(lost.sum()), bool)])
    return _finished(vertices, all_faces, is_own, mesh)


def _median_depth(depth: Mapping[str, SceneDepth]) -> float:
    samples = [found.depth_z[::8, ::8] for found in depth.values()]
    known = np.concatenate([sample[sample > 0] for sample in samples])
    if not len(known):
        raise TooLittleDepthError("No depth was confirmed.", hint="Take more photos.")
    return float(np.median(known))


def _merged(mesh: Mesh) -> tuple[Float64[np.ndarray, "p 3"], Int64[np.ndarray, "v"]]:
    """Vertices that nearly coincide become one: they would make cells without volume."""
    cell = np.floor(mesh.vertices / (0.3 * median_edge(mesh))).astype(np.int64)
    _, of_vertex, counts = np.unique(cell, axis=0, return_inverse=True, return_counts=True)
    of_vertex = of_vertex.ravel()
    sums = [np.bincount(of_vertex, mesh.vertices[:, i]) for i in range(3)]
    return np.stack(sums, axis=1) / counts[:, None], of_vertex


def _seen_vertices(
    points: Float64[np.ndarray, "p 3"],
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    task: Task,
) -> _Rays:
    found, numbers = [], []
    views = [view for view in posed.scene.views if view.photo_id in depth]
    for number, view in enumerate(views):
        task.check()
        there = depth[view.photo_id]
        uv_px, z = project(view.cam_from_world @ points, there.camera)
        inside = np.flatnonzero(_inside(uv_px, there.camera))
        column, row = np.floor(uv_px[inside]).astype(np.int64).T
        known_z = there.depth_z[row, column]
        same = (known_z > 0) & (np.abs(known_z - z[inside]) < _SAME_DEPTH * z[inside])
        found.append(inside[same])
        numbers.append(np.full(int(same.sum()), number))
    point = np.concatenate(found)
    return _Rays(point, np.concatenate(numbers), np.ones(len(point)))


def _inside(uv_px: np.ndarray, camera: PinholeCamera) -> Bool[np.ndarray, "n"]:
    with np.errstate(invalid="ignore"):
        inside: np.ndarray = (
            np.isfinite(uv_px).all(axis=1)
            & (uv_px >= 0).all(axis=1)
            & (uv_px[:, 0] < camera.width_px)
            & (uv_px[:, 1] < camera.height_px)
        )
    return inside


def _loose_points(
    points: Float64[np.ndarray, "p 3"],
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    spacing: float,
    task: Task,
) -> tuple[Float64[np.ndarray, "q 3"], _Rays]:
    """Confirmed depth where the mesh has nothing, one point a cell of `spacing`."""
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    low, high = points.min(axis=0) - spacing, points.max(axis=0) + spacing
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
        far, _ = tree.query(xyz, distance_upper_bound=2 * spacing)
        loose = np.isinf(far) & (xyz > low).all(axis=1) & (xyz < high).all(axis=1)
        places.append(xyz[loose])
        numbers.append(np.full(int(loose.sum()), number))
        weights.append(_LOOSE_WEIGHT * np.clip(agreeing[known][loose] / _SURELY_SEEN, 0.3, 1.0))
    xyz, view_of, weight = (np.concatenate(parts) for parts in (places, numbers, weights))
    if not len(xyz):
        return np.zeros((0, 3)), _NO_RAYS
    _, cluster = np.unique(np.floor(xyz / spacing).astype(np.int64), axis=0, return_inverse=True)
    cluster = cluster.ravel()
    total = np.bincount(cluster, weight)
    middle = np.stack([np.bincount(cluster, weight * xyz[:, i]) for i in range(3)], axis=1)
    pair, first = np.unique(cluster * len(views) + view_of, return_index=True)
    return middle / total[:, None], _Rays(pair // len(views), pair % len(views), weight[first])


def _strongest(rays: _Rays) -> _Rays:
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
    return _Rays(rays.point[chosen], rays.view[chosen], rays.weight[chosen])


def _votes(cells: Tetrahedra, rays: _Rays, first_camera: int, sigma: float) -> Votes:
    found = vote(
        cells,
        rays.point.astype(np.int32),
        (rays.view + first_camera).astype(np.int32),
        rays.weight.astype(np.float64),
        np.full(len(cells.points), sigma),
    )
    at_camera = (cells.cells >= first_camera).any(axis=1)
    return Votes(
        found.facets + _BADNESS * facet_badness(cells),
        found.free + _AT_CAMERA * at_camera,
        found.solid,
    )


def _smoothed(
    points: Float64[np.ndarray, "p 3"], faces: Int32[np.ndarray, "f 3"], first: int
) -> Float64[np.ndarray, "p 3"]:
    """Points from `first` on move to the middle of their neighbours; the others are measured."""
    from scipy.sparse import coo_array

    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both = np.concatenate([ends, ends[:, ::-1]])
    graph = coo_array((np.ones(len(both)), both.T), shape=(len(points),) * 2).tocsr()
    degree = np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1)
    moved = points.copy()
    alone = np.asarray(graph.sum(axis=1)).ravel()[first:] == 0
    for _ in range(_SMOOTHING_ROUNDS):
        mean = (graph @ moved)[first:] / degree[first:, None]
        mean[alone] = moved[first:][alone]
        moved[first:] = (moved[first:] + mean) / 2
    return moved


def _longest_edges(
    vertices: Float64[np.ndarray, "p 3"], faces: Int32[np.ndarray, "f 3"]
) -> Float64[np.ndarray, "f"]:
    corners = vertices[faces]
    longest: np.ndarray = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    return longest


def _first_seen(
    vertices: Float64[np.ndarray, "p 3"], faces: Int32[np.ndarray, "f 3"], posed: PosedPhotos
) -> Bool[np.ndarray, "f"]:
    """Faces that some camera sees, nothing before them."""
    scene, tensor = ray_scene(vertices, faces)
    seen = np.zeros(len(faces), bool)
    for view in posed.scene.views:
        camera = view.camera
        u, v = np.meshgrid(
            np.arange(_RAY_STEP_PX / 2, camera.width_px, _RAY_STEP_PX),
            np.arange(_RAY_STEP_PX / 2, camera.height_px, _RAY_STEP_PX),
        )
        along = np.stack(
            [(u - camera.cx_px) / camera.fx_px, (v - camera.cy_px) / camera.fy_px, np.ones_like(u)],
            axis=-1,
        ).reshape(-1, 3)
        directions = along @ view.cam_from_world.rotation
        starts = np.broadcast_to(view.centre_world, directions.shape)
        rays = np.hstack([starts, directions]).astype(np.float32)
        hit = scene.cast_rays(tensor(rays))["primitive_ids"].numpy()
        seen[np.unique(hit[hit < len(faces)])] = True
    return seen


def _lost(
    vertices: Float64[np.ndarray, "p 3"],
    own: Int64[np.ndarray, "f 3"],
    faces: Int32[np.ndarray, "g 3"],
    tolerance: float,
) -> Bool[np.ndarray, "f"]:
    """Faces of the mesh that the cut took for nothing: what photos confirmed is never lost.

    By distance: where the cut runs over single points that stick out, nothing is lost.
    """
    if not len(faces):
        return np.ones(len(own), bool)
    middles = vertices[own].mean(axis=1).astype(np.float32)
    nearest, weights = MeshRays(Mesh(vertices.astype(np.float32), faces)).nearest(middles)
    there = np.einsum("nk,nki->ni", weights, vertices[faces[nearest]])
    far: np.ndarray = np.linalg.norm(there - middles, axis=1) > tolerance
    return far


def _finished(
    vertices: Float64[np.ndarray, "p 3"],
    faces: Int32[np.ndarray, "f 3"],
    is_own: Bool[np.ndarray, "f"],
    mesh: Mesh,
) -> Mesh:
    """With the colours of the mesh, and marked where it had no surface or marked one itself."""
    from scipy.spatial import cKDTree

    used, numbers = np.unique(faces, return_inverse=True)
    places = vertices[used].astype(np.float32)
    faces = numbers.reshape(faces.shape).astype(np.int32)
    _, nearest = cKDTree(mesh.vertices).query(places)
    filled = ~is_own
    if mesh.filled is not None:
        marked = np.zeros(len(mesh.vertices), bool)
        marked[mesh.faces[mesh.filled]] = True
        marked[mesh.faces[~mesh.filled]] = False
        filled |= marked[nearest][faces].any(axis=1)
    return Mesh(places, faces, rgb=None if mesh.rgb is None else mesh.rgb[nearest], filled=filled)
