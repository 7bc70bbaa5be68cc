"""Meshes taken apart: which faces hang together, and keeping only some of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int

from recon3d.core.surface import Mesh, face_areas
from recon3d.surface.region import Ball, Box


def piece_of_face(mesh: Mesh) -> Int[np.ndarray, "f"]:
    """A number for each face; faces that share a vertex have the same one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(mesh.vertices)
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]]])
    graph = coo_array((np.ones(len(edges), np.int8), edges.T), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    return np.asarray(label[mesh.faces[:, 0]])


def keep_faces(mesh: Mesh, kept: Bool[np.ndarray, "f"]) -> Mesh:
    """The mesh of some faces, without the vertices that no face uses."""
    faces = mesh.faces[kept]
    used = np.zeros(len(mesh.vertices), bool)
    used[faces] = True
    if used.all():
        return replace(
            mesh, faces=faces, inferred=None if mesh.inferred is None else mesh.inferred[kept]
        )
    index = np.cumsum(used, dtype=np.int32) - 1
    return Mesh(
        mesh.vertices[used],
        index[faces],
        None if mesh.normals is None else mesh.normals[used],
        None if mesh.rgb is None else mesh.rgb[used],
        None if mesh.inferred is None else mesh.inferred[kept],
    )


def drop_small_pieces(mesh: Mesh, min_share: float) -> Mesh:
    """Keep connected pieces whose area is at least min_share of the largest one's."""
    piece = piece_of_face(mesh)
    area = np.bincount(piece, face_areas(mesh))
    return keep_faces(mesh, area[piece] >= min_share * area.max(initial=0))


def count_pieces(mesh: Mesh) -> int:
    """How many pieces there are that share no vertex."""
    return len(np.unique(piece_of_face(mesh)))


def keep_inside(mesh: Mesh, region: Box | Ball) -> Mesh:
    """Keep the faces whose corners all lie in the region."""
    return keep_faces(mesh, region.holds(mesh.vertices)[mesh.faces].all(1))
