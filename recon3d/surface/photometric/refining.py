"""Vertices move along their normals until the photos agree.

After Vu, Labatut, Pons and Keriven (2012): every photo is carried over to its neighbours through
the mesh, and where windows disagree, their correlation's derivative pushes the surface; a thin
plate resists. Instead of many small steps along the gradient a few of Gauss and Newton are taken,
from coarse pictures to fine ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int32

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, vertex_normals
from recon3d.depth.covisibility import rank_neighbours
from recon3d.run.task import Task
from recon3d.surface.cleaning.crossings import crossing_faces
from recon3d.surface.photometric.agreement import Push, carry_over, correlate, derivative, push
from recon3d.surface.photometric.looks import Look, Recent, look_at, rays_world, read_grey
from recon3d.surface.photometric.plate import Plate
from recon3d.surface.rays import MeshRays
from recon3d.surface.topology import edge_uses, half_edges

_LONGEST_PX = 1600
_LEVELS = ((0.25, 5), (0.5, 5), (1.0, 2))
"""Shares of that size, and steps at each."""
_NEIGHBOURS = 4
"""Photos that each one is compared with."""
_BENDING = 40.0
"""Weight of a squared angle of one radian at a vertex, in pixels that disagree wholly."""
_DAMPING = 0.02
"""Weight of a squared pixel of way, where greys say little."""
_MOST_PX, _MOST_EDGES = 1.0, 0.5
"""Longest way in a step."""
_LEAST_COSINE = (0.7, 0.2)
"""Between a face's normal before and after a step, and after all of them: what turns further folds.
"""
_UNFOLDINGS = 10
_LOOK_BYTES, _WORK_BYTES = 40, 60
"""A pixel, with what is kept and what takes part in comparing."""
_MOST_KEPT_BYTES = 1 << 30
"""Neighbours are mostly taken one after the other: more would spare few rays."""


@dataclass(frozen=True, eq=False)
class _Level:
    """The photos at one size."""

    posed: PosedPhotos
    neighbours: Sequence[Sequence[int]]
    cameras: Sequence[PinholeCamera]
    grey: Recent[np.ndarray]
    kept: int
    """Photos whose pixels fit into memory."""
    threads: int


def refine_by_photos(posed: PosedPhotos, mesh: Mesh, task: Task) -> Mesh:
    """The same faces with vertices where the photos agree better.

    Vertices on an open border, and those that no two photos see, stay where they are.

    Raises:
        Cancelled: the task was stopped.
    """
    neighbours = rank_neighbours(posed.scene, _NEIGHBOURS)
    if len(mesh.faces) == 0 or not any(neighbours):
        return mesh
    held = np.zeros(len(mesh.vertices), bool)
    held[half_edges(mesh.faces)[edge_uses(mesh.faces).borders]] = True
    vertices = mesh.vertices.astype(np.float64)
    first_normals = _face_normals(vertices, mesh.faces)
    done, total = 0.0, sum(share * steps for share, steps in _LEVELS)
    for share, steps in _LEVELS:
        level = _level(posed, neighbours, share, task)
        for _ in range(steps):
            move = _step(level, Mesh(vertices, mesh.faces), held, task)
            vertices = vertices + _without_folds(vertices, move, mesh.faces, first_normals)
            done += share
            task.step(round(100 * done / total), 100)
    vertices = _without_crossings(vertices, mesh, task)
    return replace(mesh, vertices=vertices.astype(mesh.vertices.dtype), normals=None)


def disagreement(posed: PosedPhotos, mesh: Mesh, task: Task) -> float:
    """Mean of 1 - correlation over all pairs of photos at half the size, 0 to 2."""
    neighbours = rank_neighbours(posed.scene, _NEIGHBOURS)
    if len(mesh.faces) == 0 or not any(neighbours):
        return 0.0
    level = _level(posed, neighbours, _LEVELS[1][0], task)
    return _compare(level, mesh, vertex_normals(mesh).astype(np.float64), task)[1]


def _compare(
    level: _Level, mesh: Mesh, normals: Float64[np.ndarray, "v 3"], task: Task
) -> tuple[Push, float]:
    """What all pairs of photos say of a mesh, and their mean disagreement, 0 to 2.

    Added up in the order of the photos, so that the number of threads changes nothing.
    """
    views, rays = level.posed.scene.views, MeshRays(mesh)
    face_normals = _face_normals(mesh.vertices.astype(np.float64), mesh.faces)

    def look(number: int) -> Look:
        task.check()
        view = views[number]
        mask = level.posed.masks.get(view.photo_id)
        return look_at(rays, view, level.cameras[number], level.grey(number), mask)

    def compare_one(number: int, mine: Look, others: Sequence[Look]) -> tuple[Push, float, float]:
        total, disagreement, weight = Push.none(len(normals)), 0.0, 0.0
        directions = rays_world(views[number], level.cameras[number])
        for other, theirs in zip(level.neighbours[number], others, strict=True):
            carried = carry_over(mine, theirs, views[number], views[other])
            windows = correlate(mine.grey, carried.grey, carried.common)
            first, second = derivative(mine.grey, carried.grey, windows)
            total.add(
                push(mine, carried, first, second, directions, mesh.faces, face_normals, normals)
            )
            disagreement += windows.disagreement
            weight += windows.weight
        return total, disagreement, weight

    looks = Recent(look, level.kept)
    summed, disagreement, weight = Push.none(len(normals)), 0.0, 0.0
    with ThreadPoolExecutor(level.threads) as pool:
        for start in range(0, len(views), level.threads):
            numbers = range(start, min(start + level.threads, len(views)))
            jobs = [
                pool.submit(
                    compare_one, number, looks(number), [looks(i) for i in level.neighbours[number]]
                )
                for number in numbers
            ]
            for job in jobs:
                found, disagreed, weighed = job.result()
                summed.add(found)
                disagreement += disagreed
                weight += weighed
    return summed, disagreement / max(weight, 1e-30)


def _level(
    posed: PosedPhotos, neighbours: Sequence[Sequence[int]], share: float, task: Task
) -> _Level:
    cameras = [
        view.camera.fitted(
            max(
                16,
                round(share * min(_LONGEST_PX, max(view.camera.width_px, view.camera.height_px))),
            )
        )
        for view in posed.scene.views
    ]
    pixels = max(camera.width_px * camera.height_px for camera in cameras)
    # Half of the room for what is kept, half for comparing.
    threads = task.runtime.threads_within(2 * _WORK_BYTES * pixels)
    least = threads * (1 + _NEIGHBOURS)
    room_bytes = min(task.runtime.room_bytes // 2, _MOST_KEPT_BYTES)
    kept = max(least, room_bytes // (_LOOK_BYTES * pixels))
    views = posed.scene.views
    grey = Recent(lambda number: read_grey(posed, views[number], cameras[number]), kept)
    return _Level(posed, neighbours, cameras, grey, kept, threads)


def _step(
    level: _Level, mesh: Mesh, held: Bool[np.ndarray, "v"], task: Task
) -> Float64[np.ndarray, "v 3"]:
    """How far each vertex is to move."""
    normals = vertex_normals(mesh).astype(np.float64)
    found, _ = _compare(level, mesh, normals, task)
    task.check()
    plate = Plate(mesh.vertices, mesh.faces, normals, ~held & (found.pixels > 0))
    stiffness = found.stiffness + _DAMPING * found.squared_parallax
    way = plate.give_in(found.gradient, stiffness, _BENDING)
    pixels_per_unit = np.sqrt(found.squared_parallax / np.maximum(found.pixels, 1e-30))
    most = np.minimum(_MOST_PX / np.maximum(pixels_per_unit, 1e-30), _MOST_EDGES * plate.edge)
    return normals * np.clip(way, -most, most)[:, None]


def _without_folds(
    vertices: Float64[np.ndarray, "v 3"],
    move: Float64[np.ndarray, "v 3"],
    faces: Int32[np.ndarray, "f 3"],
    first_normals: Float64[np.ndarray, "f 3"],
) -> Float64[np.ndarray, "v 3"]:
    """The move, halved again and again where a face would turn over."""
    before = _face_normals(vertices, faces)
    in_step, in_all = _LEAST_COSINE
    move = move.copy()
    for _ in range(_UNFOLDINGS):
        after = _face_normals(vertices + move, faces)
        folds = ((after * before).sum(1) < in_step) | ((after * first_normals).sum(1) < in_all)
        moving = np.unique(faces[folds])
        moving = moving[move[moving].any(axis=1)]
        if len(moving) == 0:
            break
        move[moving] /= 2
    else:
        move[moving] = 0
    return move


def _without_crossings(
    vertices: Float64[np.ndarray, "v 3"], before: Mesh, task: Task
) -> Float64[np.ndarray, "v 3"]:
    """Vertices of faces that pass through others only since they moved go half of the way back.

    What still crosses then goes back all the way.
    """
    crossed = crossing_faces(before)
    for way_left in (0.5, 0.0):
        task.check()
        now = crossing_faces(replace(before, vertices=vertices.astype(np.float32)))
        back = np.unique(before.faces[np.setdiff1d(now, crossed)])
        vertices[back] = before.vertices[back] + way_left * (vertices[back] - before.vertices[back])
    return vertices


def _face_normals(
    vertices: Float64[np.ndarray, "v 3"], faces: Int32[np.ndarray, "f 3"]
) -> Float64[np.ndarray, "f 3"]:
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-30)
