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
from recon3d.surface.rays import MeshRays
from recon3d.surface.topology import edge_uses, half_edges

# Lengths in shares of the scene's median depth, weights in rays.
_SPACING = 0.01
"""Between points that fill in where the mesh has none."""
_SIGMA = 0.009
_SAME_DEPTH = 0.02
_STEP_PX = 4
_MOST_RAYS = 6
_LOOSE_WEIGHT, _SURELY_SEEN = 0.5, 5.0
_BADNESS = 0.3
_AT_CAMERA = 1e4
_SMOOTHING_ROUNDS = 5

# In median edges of the mesh.
_SAME_VERTEX = 0.05
_SAME_SURFACE = 0.3
"""What lies nearer to the mesh is the mesh, triangulated otherwise."""
_SAME_PLACE = 0.1
"""A face does not hide itself."""


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
        extra, extra_rays = _loose_points(mesh, posed, depth, _SPACING * typical_z, task)
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
    own = of_vertex[mesh.faces].astype(np.int32)
    own = own[(own != np.roll(own, 1, axis=1)).all(axis=1)]
    faces = faces[_longest_edges(vertices, faces) < reach * typical_z]
    edge = median_edge(mesh)
    far = _distance(mesh, vertices[faces].mean(axis=1)) > _SAME_SURFACE * edge
    faces = faces[far | _goes_on(own, faces)]
    task.check()
    whole = Mesh(vertices.astype(np.float32), np.concatenate([own, faces]))
    closing = np.arange(len(own), len(whole.faces))
    faces = faces[_seen(whole, closing, posed, _SAME_PLACE * edge, task)]
    return _joined(vertices, own, faces, mesh)


def _median_depth(depth: Mapping[str, SceneDepth]) -> float:
    samples = [found.depth_z[::8, ::8] for found in depth.values()]
    known = np.concatenate([sample[sample > 0] for sample in samples])
    if not len(known):
        raise TooLittleDepthError("No depth was confirmed.", hint="Take more photos.")
    return float(np.median(known))


def _merged(mesh: Mesh) -> tuple[Float64[np.ndarray, "p 3"], Int64[np.ndarray, "v"]]:
    """Vertices that nearly coincide become one: they would make cells without volume."""
    cell = np.floor(mesh.vertices / (_SAME_VERTEX * median_edge(mesh))).astype(np.int64)
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
    mesh: Mesh,
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    spacing: float,
    task: Task,
) -> tuple[Float64[np.ndarray, "q 3"], _Rays]:
    """Confirmed depth where the mesh has nothing, one point a cell of `spacing`."""
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
        loose[loose] = _distance(mesh, xyz[loose]) > 2 * spacing
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


def _goes_on(
    own: Int32[np.ndarray, "f 3"], faces: Int32[np.ndarray, "g 3"]
) -> Bool[np.ndarray, "g"]:
    """Which faces lie across a border of the mesh, however near to it."""
    borders = half_edges(own)[edge_uses(own).borders].astype(np.int64)
    across = half_edges(faces)[:, ::-1].astype(np.int64)
    width = max(int(own.max()), int(faces.max(initial=0))) + 1
    on_border = np.isin(across @ [width, 1], borders @ [width, 1])
    return np.asarray(on_border.reshape(-1, 3).any(axis=1))


def _seen(
    surface: Mesh,
    wanted: Int64[np.ndarray, "n"],
    posed: PosedPhotos,
    tolerance: float,
    task: Task,
) -> Bool[np.ndarray, "n"]:
    """Which of some faces cameras see from the front, nothing before them.

    By four points of each: rays through pixels would slip between small faces. Where masks leave
    something out, a sight of it counts against the face.
    """
    rays = MeshRays(surface)
    corners = surface.vertices[surface.faces[wanted]]
    middle = corners.mean(axis=1)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    balance = np.zeros(len(wanted), np.int64)
    for view in posed.scene.views:
        task.check()
        centre, mask = view.centre_world, posed.masks.get(view.photo_id)
        facing = np.flatnonzero(np.einsum("ij,ij->i", normals, middle - centre) < 0)
        for points in (middle, *np.moveaxis((corners + middle[:, None]) / 2, 1, 0)):
            uv_px, z = project(view.cam_from_world @ points[facing].astype(np.float64), view.camera)
            inside = _inside(uv_px, view.camera) & (z > 0)
            rows, pixels = facing[inside], np.floor(uv_px[inside]).astype(np.int64)
            visible = ~rays.hidden(centre, points[rows], tolerance)
            kept = True if mask is None else mask[pixels[:, 1], pixels[:, 0]]
            balance[rows] += visible * np.where(kept, 1, -1)
    seen: np.ndarray = balance > 0
    return seen


def _distance(mesh: Mesh, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
    """From each point to the surface."""
    face, weights = MeshRays(mesh).nearest(points.astype(np.float32))
    nearest = np.einsum("nk,nki->ni", weights, mesh.vertices[mesh.faces[face]])
    distance: np.ndarray = np.linalg.norm(nearest - points, axis=1)
    return distance


def _joined(
    vertices: Float64[np.ndarray, "p 3"],
    own: Int32[np.ndarray, "f 3"],
    closing: Int32[np.ndarray, "g 3"],
    mesh: Mesh,
) -> Mesh:
    """With the colours of the mesh, and marked where it had no surface or marked one itself."""
    from scipy.spatial import cKDTree

    faces = np.concatenate([own, closing])
    used, numbers = np.unique(faces, return_inverse=True)
    places = vertices[used].astype(np.float32)
    _, nearest = cKDTree(mesh.vertices).query(places)
    faces = numbers.reshape(faces.shape).astype(np.int32)
    filled = np.arange(len(faces)) >= len(own)
    if mesh.filled is not None:
        marked = np.zeros(len(mesh.vertices), bool)
        marked[mesh.faces[mesh.filled]] = True
        marked[mesh.faces[~mesh.filled]] = False
        filled |= marked[nearest][faces].any(axis=1)
    return Mesh(places, faces, rgb=None if mesh.rgb is None else mesh.rgb[nearest], filled=filled)
