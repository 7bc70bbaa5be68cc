"""Large triangles cut into smaller ones that lie in them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Int

from recon3d.core.surface import Mesh, median_edge
from recon3d.surface.topology import edge_uses, half_edges

# By which of a face's edges 0-1, 1-2 and 2-0 are cut, as bits: its pieces, by corners 0 to 2 and
# the middles 3 to 5 of those edges.
_PIECES = {
    0b001: ((0, 3, 2), (3, 1, 2)),
    0b010: ((0, 1, 4), (0, 4, 2)),
    0b100: ((0, 1, 5), (5, 1, 2)),
    0b011: ((3, 1, 4), (0, 3, 4), (0, 4, 2)),
    0b110: ((4, 2, 5), (0, 1, 4), (0, 4, 5)),
    0b101: ((0, 3, 5), (3, 1, 2), (3, 2, 5)),
    0b111: ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5)),
}


@dataclass(frozen=True, eq=False)
class Subdivided:
    """A mesh of smaller faces on the surface of another."""

    mesh: Mesh
    """The vertices of the other come first, as they were; colours and marks are left out."""
    parent: Int[np.ndarray, "f"]
    """The face of the other that each face lies in."""
    weights: Float32[np.ndarray, "f 3 3"]
    """By corner: the shares of that face's three corners."""

    def spread(self, of_corners: Float[np.ndarray, "p 3 c"]) -> Float32[np.ndarray, "f 3 c"]:
        """Values of the other's corners, in between for the smaller faces' corners."""
        mixed: np.ndarray = np.einsum("fck,fkd->fcd", self.weights, of_corners[self.parent])
        return mixed.astype(np.float32)

    def gather(self, of_corners: Float32[np.ndarray, "f 3 c"]) -> Float32[np.ndarray, "p 3 c"]:
        """Values of the smaller faces' corners at the corners of the other."""
        face, corner, theirs = np.nonzero(self.weights == 1)
        parents = int(self.parent.max(initial=-1)) + 1
        out = np.zeros((parents, 3, of_corners.shape[2]), np.float32)
        out[self.parent[face], theirs] = of_corners[face, corner]
        return out


def cut_large_faces(mesh: Mesh, edges: float) -> Mesh:
    """The same surface with no edge longer than so many median ones, unless faces would double."""
    found = subdivide(mesh, edges * median_edge(mesh), 2 * len(mesh.faces))
    rgb = None
    if mesh.rgb is not None:
        rgb = np.zeros((len(found.mesh.vertices), 3), np.uint8)
        rgb[found.mesh.faces] = np.rint(found.spread(mesh.rgb[mesh.faces].astype(np.float32)))
    inferred = None if mesh.inferred is None else mesh.inferred[found.parent]
    return replace(found.mesh, rgb=rgb, inferred=inferred)


def subdivide(mesh: Mesh, longest: float, most_faces: int) -> Subdivided:
    """Cut every edge in two that is longer than `longest`, until none is.

    Neighbours cut the edge between them alike, so nothing comes apart. It ends early where there
    would be more than `most_faces`.
    """
    vertices, faces = mesh.vertices, mesh.faces
    parent = np.arange(len(faces))
    weights = np.broadcast_to(np.eye(3, dtype=np.float32), (len(faces), 3, 3))
    while True:
        uses = edge_uses(faces)
        edge_of = np.empty(3 * len(faces), np.int64)
        edge_of[uses.order] = np.repeat(np.arange(len(uses.starts)), uses.counts)
        ends = half_edges(faces)[uses.order[uses.starts]]
        length = np.linalg.norm(vertices[ends[:, 0]] - vertices[ends[:, 1]], axis=1)
        cut = length > longest
        if not cut.any() or len(faces) + int(uses.counts[cut].sum()) > most_faces:
            break
        middle = len(vertices) + np.cumsum(cut) - 1
        halfway = vertices[ends[cut]].mean(1, dtype=np.float64).astype(vertices.dtype)
        vertices = np.concatenate([vertices, halfway])
        edge_of_face = edge_of.reshape(-1, 3)
        six = np.concatenate([faces, middle[edge_of_face]], axis=1)
        shares = np.concatenate([weights, (weights + np.roll(weights, -1, axis=1)) / 2], axis=1)
        kind = cut[edge_of_face] @ np.array([1, 2, 4])
        whole = np.flatnonzero(kind == 0)
        rows, made, mixed = [whole], [faces[whole]], [weights[whole]]
        for bits, pieces in _PIECES.items():
            row = np.flatnonzero(kind == bits)
            for piece in pieces:
                rows.append(row)
                made.append(six[row][:, piece])
                mixed.append(shares[row][:, piece])
        origin = np.concatenate(rows)
        order = np.argsort(parent[origin], kind="stable")
        parent = parent[origin][order]
        faces = np.concatenate(made)[order].astype(np.int32)
        weights = np.concatenate(mixed)[order]
    return Subdivided(
        replace(mesh, vertices=vertices, faces=faces, normals=None, rgb=None, inferred=None),
        parent,
        np.ascontiguousarray(weights),
    )
