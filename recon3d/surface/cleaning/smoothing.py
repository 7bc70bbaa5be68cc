"""Smoothing that keeps edges: face normals first, then vertices that fit them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.surface import Mesh, face_areas
from recon3d.surface.topology import edge_uses, face_neighbours, half_edges

_VERTEX_STEPS = 8
_NORMAL_STEPS_PER_PASS = 3
_SIGMA_DEG = 25.0
"""Normals that differ by more lie on two sides of an edge and do not smooth each other."""


def smooth_keeping_edges(mesh: Mesh, passes: int) -> Mesh:
    """Filter face normals bilaterally (Zheng et al. 2011), then fit vertices (Sun et al. 2007).

    Vertices on an open border stay where they are: they mark what was seen.
    """
    if passes <= 0 or len(mesh.faces) == 0:
        return mesh
    neighbours = face_neighbours(mesh.faces)
    vertices = mesh.vertices.astype(np.float64)
    normals = _unit(_cross(vertices, mesh.faces))
    area = face_areas(mesh)[:, None]
    for _ in range(passes * _NORMAL_STEPS_PER_PASS):
        summed = normals * area
        for column in range(3):
            other = neighbours[:, column]
            known = (other >= 0)[:, None]
            difference = ((normals - normals[other]) ** 2).sum(1, keepdims=True)
            # |a - b| = 2 sin(angle / 2)
            weight = np.exp(-difference / (2 * (2 * np.sin(np.radians(_SIGMA_DEG) / 2)) ** 2))
            summed += np.where(known, weight * area[other] * normals[other], 0)
        normals = _unit(summed)
    fixed = np.unique(half_edges(mesh.faces)[edge_uses(mesh.faces).borders])
    moved = _fit_vertices(vertices, mesh.faces, normals, fixed)
    return replace(mesh, vertices=moved.astype(np.float32), normals=None)


def normal_noise_deg(mesh: Mesh) -> float:
    """Median angle between a face's normal and the mean normal of its neighbours.

    The median: edges and corners are the minority of faces.
    """
    neighbours = face_neighbours(mesh.faces)
    normals = _unit(_cross(mesh.vertices.astype(np.float64), mesh.faces))
    mean = _unit(np.where((neighbours >= 0)[..., None], normals[neighbours], 0).sum(1))
    inner = (neighbours >= 0).all(1)
    if not inner.any():
        return 0.0
    cosine = (normals[inner] * mean[inner]).sum(1)
    return float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))


def _fit_vertices(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    normals: Float[np.ndarray, "f 3"],
    fixed: Int[np.ndarray, "b"],
) -> Float[np.ndarray, "v 3"]:
    """Move each vertex towards the planes through its faces' centres with the wanted normals."""
    count = np.bincount(faces.ravel(), minlength=len(vertices)).clip(1)[:, None]
    for _ in range(_VERTEX_STEPS):
        centres = vertices[faces].mean(1)
        move = np.zeros_like(vertices)
        for corner in range(3):
            index = faces[:, corner]
            distance = ((centres - vertices[index]) * normals).sum(1, keepdims=True)
            for axis in range(3):
                step = (distance * normals)[:, axis]
                move[:, axis] += np.bincount(index, step, minlength=len(vertices))
        move /= count
        move[fixed] = 0
        vertices = vertices + move
    return vertices


def _cross(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> Float[np.ndarray, "f 3"]:
    corners = vertices[faces]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _unit(vectors: Float[np.ndarray, "f 3"]) -> Float[np.ndarray, "f 3"]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
