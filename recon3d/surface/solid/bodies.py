"""Which closed pieces of a surface are bodies, and making pieces closed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int

from recon3d.core.surface import Mesh, face_areas
from recon3d.surface.cleaning.holes import close_every_hole
from recon3d.surface.cleaning.pieces import keep_faces, piece_of_face
from recon3d.surface.cleaning.repair import make_manifold
from recon3d.surface.topology import edge_uses, half_edges

_SMALLEST = 0.002
"""Of the largest body's volume; smaller ones are crumbs."""
_ROUNDS = 5
_EVENING_ROUNDS = 20


def keep_bodies(mesh: Mesh) -> Mesh:
    """Drop crumbs, and hollows that nobody has seen.

    A hollow stays where most of its area was measured, as in a room that was seen from within.
    """
    piece = piece_of_face(mesh)
    volume = enclosed(mesh, piece)
    kept = volume >= _SMALLEST * volume.max(initial=0)
    if mesh.inferred is not None:
        area = face_areas(mesh)
        guessed = np.bincount(piece, area * mesh.inferred) > 0.5 * np.bincount(piece, area)
        kept |= (-volume >= _SMALLEST * volume.max(initial=0)) & ~guessed
    return keep_faces(mesh, kept[piece])


def even_out_guesses(mesh: Mesh) -> Mesh:
    """Move vertices among inferred faces towards the middle of their neighbours.

    The back of a wall repeats the roughness of its front, which would cost triangles and prints
    badly; what was measured stays where it is.
    """
    from scipy.sparse import coo_array, diags_array

    if mesh.inferred is None:
        return mesh
    free = np.ones(len(mesh.vertices), bool)
    free[mesh.faces[~mesh.inferred]] = False
    free = np.flatnonzero(free)
    # Of a closed surface every edge comes once in either direction.
    ends = half_edges(mesh.faces)
    graph = coo_array((np.ones(len(ends)), ends.T), shape=(len(mesh.vertices),) * 2).tocsr()[free]
    even = diags_array(1 / np.maximum(graph.sum(axis=1), 1)) @ graph
    vertices = mesh.vertices.astype(np.float64)
    for _ in range(_EVENING_ROUNDS):
        vertices[free] = (vertices[free] + even @ vertices) / 2
    return replace(mesh, vertices=vertices.astype(np.float32))


def enclosed(mesh: Mesh, piece: Int[np.ndarray, "f"]) -> Float64[np.ndarray, "p"]:
    """The volume of each piece, by the divergence theorem; negative for hollows."""
    corners = mesh.vertices.astype(np.float64)
    corners = (corners - corners.mean(axis=0))[mesh.faces]
    a, b, c = np.moveaxis(corners, 1, 0)
    return np.bincount(piece, np.einsum("ni,ni->n", a, np.cross(b, c)) / 6)


def seal(mesh: Mesh) -> Mesh:
    """Mend what merging triangles has torn: every edge gets two faces, every vertex one sheet."""
    for _ in range(_ROUNDS):
        mesh = make_manifold(mesh)
        if (edge_uses(mesh.faces).counts == 2).all():
            break
        mesh = close_every_hole(mesh)
    return mesh
