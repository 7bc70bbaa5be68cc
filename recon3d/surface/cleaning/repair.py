"""A surface in which every edge has at most two faces, and every vertex one sheet around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int

from recon3d.core.surface import Mesh, face_areas
from recon3d.surface.cleaning.pieces import keep_faces
from recon3d.surface.topology import edge_uses, half_edges, same_way_round

_SAME_POINT = 1e-3
"""Vertices nearer than this share of the median edge are one."""
_NO_AREA = 1e-7
"""In squared median edges: below it a face has no direction."""
_ROUNDS = 8
"""Each takes a face off every edge that has too many; more than ten on one edge is no surface."""


def make_manifold(mesh: Mesh) -> Mesh:
    """Mend what unwrapping, subdividing and printing stumble over; which side is out stays.

    Vertices that all but coincide become one, faces without area go, sheets that touch in a point
    or an edge come apart, and of more than two faces on one edge the smallest go.
    """
    mended = separate_sheets(_without_doubled(_without_degenerate(mesh)))
    for _ in range(_ROUNDS):
        surplus = _smallest_of_crowds(mended)
        if not surplus.any():
            break
        mended = separate_sheets(keep_faces(mended, ~surplus))
    return mended


def count_faulty_edges(mesh: Mesh) -> int:
    """Edges with more than two faces, or with two that do not agree which side is out."""
    uses = edge_uses(mesh.faces)
    return int((uses.counts > 2).sum() + (~same_way_round(mesh.faces, uses.pairs)).sum())


def separate_sheets(mesh: Mesh) -> Mesh:
    """Give every fan of faces around a vertex a vertex of its own."""
    pairs = edge_uses(mesh.faces).pairs
    label = _fan_of_corner(len(mesh.faces), pairs[same_way_round(mesh.faces, pairs)])
    corners = mesh.faces.ravel()
    fans = int(label.max(initial=-1)) + 1
    vertex_of_fan = np.zeros(fans, np.int32)
    vertex_of_fan[label] = corners
    if fans == len(np.unique(vertex_of_fan)):
        return mesh
    # In the order of the vertices they come from, as neighbours in memory are used together.
    order = np.argsort(vertex_of_fan, kind="stable")
    place = np.empty(fans, np.int32)
    place[order] = np.arange(fans, dtype=np.int32)
    kept = vertex_of_fan[order]
    return replace(
        mesh,
        vertices=mesh.vertices[kept],
        faces=place[label].reshape(-1, 3),
        normals=None if mesh.normals is None else mesh.normals[kept],
        rgb=None if mesh.rgb is None else mesh.rgb[kept],
    )


def fans_too_many(faces: Int[np.ndarray, "f 3"]) -> int:
    """How many vertices more it takes until each has one sheet around it; 0 = vertex-manifold."""
    label = _fan_of_corner(len(faces), edge_uses(faces).pairs)
    return int(label.max(initial=-1)) + 1 - len(np.unique(faces))


def _fan_of_corner(faces: int, pairs: Int[np.ndarray, "p 2"]) -> Int[np.ndarray, "c"]:
    """Number corners (3 f + i) alike where their faces share an edge that ends there."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = pairs.T
    links = np.concatenate([[first, _next_corner(second)], [_next_corner(first), second]], axis=1)
    graph = coo_array((np.ones(links.shape[1], np.int8), links), shape=(3 * faces, 3 * faces))
    _, label = connected_components(graph, directed=False)
    return np.asarray(label)


def _next_corner(corner: Int[np.ndarray, "p"]) -> Int[np.ndarray, "p"]:
    return corner - corner % 3 + (corner + 1) % 3


def _without_degenerate(mesh: Mesh) -> Mesh:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = half_edges(mesh.faces)
    length = np.linalg.norm(mesh.vertices[ends[:, 0]] - mesh.vertices[ends[:, 1]], axis=1)
    median = float(np.median(length))
    short = ends[length < _SAME_POINT * median].T
    if short.shape[1]:
        size = len(mesh.vertices)
        graph = coo_array((np.ones(short.shape[1], np.int8), short), shape=(size, size))
        _, label = connected_components(graph, directed=False)
        _, representative = np.unique(label, return_index=True)
        mesh = replace(mesh, faces=representative[label].astype(np.int32)[mesh.faces])
    return keep_faces(mesh, face_areas(mesh) > _NO_AREA * median**2)


def _without_doubled(mesh: Mesh) -> Mesh:
    """Keep one of several faces with the same corners."""
    uses = edge_uses(mesh.faces)
    disagreeing = uses.pairs[~same_way_round(mesh.faces, uses.pairs)]
    crowded = uses.order[np.repeat(uses.counts > 2, uses.counts)]
    suspects = np.unique(np.concatenate([crowded, disagreeing.ravel()]) // 3)
    if len(suspects) == 0:
        return mesh
    _, first = np.unique(np.sort(mesh.faces[suspects], axis=1), axis=0, return_index=True)
    kept = np.ones(len(mesh.faces), bool)
    kept[np.delete(suspects, first)] = False
    return keep_faces(mesh, kept)


def _smallest_of_crowds(mesh: Mesh) -> Bool[np.ndarray, "f"]:
    """The smallest face on each edge that has more than two."""
    uses = edge_uses(mesh.faces)
    crowd = np.repeat(uses.counts > 2, uses.counts)
    faces = uses.order[crowd] // 3
    edge = np.repeat(np.arange(len(uses.counts)), uses.counts)[crowd]
    order = np.lexsort([face_areas(mesh)[faces], edge])
    smallest = np.zeros(len(mesh.faces), bool)
    smallest[faces[order][np.flatnonzero(np.diff(edge[order], prepend=-1))]] = True
    return smallest
