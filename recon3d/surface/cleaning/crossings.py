"""Where a surface passes through itself."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from recon3d.core.surface import Mesh
from recon3d.surface.rays import MeshRays
from recon3d.surface.topology import edge_uses, half_edges


def crossing_faces(mesh: Mesh) -> Int64[np.ndarray, "n"]:
    """Faces that the edge of a face which shares no vertex with them passes through.

    Two triangles that cross always have such an edge, unless they lie in one plane.
    """
    if len(mesh.faces) == 0:
        return np.zeros(0, np.int64)
    uses = edge_uses(mesh.faces)
    ends = half_edges(mesh.faces)[uses.order[uses.starts]]
    edge, face = MeshRays(mesh).crossings(mesh.vertices[ends[:, 0]], mesh.vertices[ends[:, 1]])
    shares = (mesh.faces[face][:, :, None] == ends[edge][:, None, :]).any((1, 2))
    found: np.ndarray = np.unique(face[~shares]).astype(np.int64)
    return found


def count_crossing_faces(mesh: Mesh) -> int:
    """How many faces others pass through."""
    return len(crossing_faces(mesh))
