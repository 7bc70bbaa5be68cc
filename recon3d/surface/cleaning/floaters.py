"""What hangs in the air: faces that no camera could have seen, and spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from recon3d.core.camera import project
from recon3d.core.scene import View
from recon3d.core.surface import Mesh, median_edge
from recon3d.run.task import Task
from recon3d.surface.cleaning.pieces import keep_faces
from recon3d.surface.rays import MeshRays
from recon3d.surface.topology import edge_uses, half_edges

_KEPT_RINGS = 2
"""Rings of faces around seen ones that stay: where a surface turns away it is still one."""
_SPIKE = 0.35
"""Length of the mean unit normal around a vertex, below which it is a spike: a cone whose sides
stand steeper than 70 degrees."""
_SPIKE_ROUNDS = 5


def drop_unseen(mesh: Mesh, views: Sequence[View], task: Task) -> Mesh:
    """Keep what at least one camera could see from the front, unhidden and inside its picture.

    The tolerance is a median edge, which is about a voxel.
    """
    seen = seen_faces(mesh, views, task)
    for _ in range(_KEPT_RINGS):
        near = np.zeros(len(mesh.vertices), bool)
        near[mesh.faces[seen]] = True
        seen = near[mesh.faces].any(1)
    return keep_faces(mesh, seen)


def seen_faces(mesh: Mesh, views: Sequence[View], task: Task) -> Bool[np.ndarray, "f"]:
    """Which faces have a corner that at least one camera saw from the front."""
    rays, tolerance = MeshRays(mesh), median_edge(mesh)
    corners = mesh.vertices[mesh.faces]
    middle = corners[:, 0]
    normals = np.cross(corners[:, 1] - middle, corners[:, 2] - middle)
    seen = np.zeros(len(mesh.faces), bool)
    for view in views:
        task.check()
        centre = view.centre_world
        unseen = np.flatnonzero(~seen)
        facing = np.einsum("ij,ij->i", normals[unseen], middle[unseen] - centre) < 0
        rows = unseen[facing]
        wanted = np.zeros(len(mesh.vertices), bool)
        wanted[mesh.faces[rows]] = True
        points = np.flatnonzero(wanted)
        points = points[_in_picture(mesh.vertices[points], view)]
        visible = np.zeros(len(mesh.vertices), bool)
        visible[points] = ~rays.hidden(centre, mesh.vertices[points], tolerance)
        seen[rows] = visible[mesh.faces[rows]].any(1)
    return seen


def flatten_spikes(mesh: Mesh) -> Mesh:
    """Pull vertices around which the surface folds up into the middle of their neighbours.

    Those on a border stay: a spike there is a matter of what was seen.
    """
    inner = np.ones(len(mesh.vertices), bool)
    uses = edge_uses(mesh.faces)
    inner[half_edges(mesh.faces)[uses.borders]] = False
    vertices = mesh.vertices.astype(np.float64)
    for _ in range(_SPIKE_ROUNDS):
        spikes = np.flatnonzero(inner & (_flatness(vertices, mesh.faces) < _SPIKE))
        if len(spikes) == 0:
            break
        vertices[spikes] = _mean_of_neighbours(vertices, mesh.faces, spikes)
    return replace(mesh, vertices=vertices.astype(np.float32))


def count_spikes(mesh: Mesh) -> int:
    """Vertices around which the surface folds up, those on borders included."""
    return int((_flatness(mesh.vertices.astype(np.float64), mesh.faces) < _SPIKE).sum())


def _in_picture(points: Float[np.ndarray, "n 3"], view: View) -> Bool[np.ndarray, "n"]:
    uv_px, depth_z = project(view.cam_from_world @ points, view.camera)
    size = (view.camera.width_px, view.camera.height_px)
    inside: np.ndarray = (depth_z > 0) & ((uv_px >= 0) & (uv_px <= size)).all(1)
    return inside


def _flatness(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> Float[np.ndarray, "v"]:
    """Length of the mean unit normal of the faces around each vertex; 1 in a plane."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals /= np.where(length > 0, length, 1)
    index, count = faces.ravel(), len(vertices)
    summed = [np.bincount(index, np.repeat(normals[:, axis], 3), count) for axis in range(3)]
    around = np.bincount(index, minlength=count).clip(1)
    flatness: np.ndarray = np.linalg.norm(np.stack(summed, axis=1), axis=1) / around
    return flatness


def _mean_of_neighbours(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], wanted: Int[np.ndarray, "n"]
) -> Float[np.ndarray, "n 3"]:
    index = np.full(len(vertices), -1)
    index[wanted] = np.arange(len(wanted))
    start, end = half_edges(faces[(index[faces] >= 0).any(1)]).T
    # Inside a surface each neighbour comes once as the end of a half-edge.
    own = index[start]
    start, end = own[own >= 0], end[own >= 0]
    summed = [np.bincount(start, vertices[end, axis], len(wanted)) for axis in range(3)]
    return np.stack(summed, axis=1) / np.bincount(start, minlength=len(wanted)).clip(1)[:, None]
