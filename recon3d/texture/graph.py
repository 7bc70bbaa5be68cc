"""A mesh as a graph: which faces and which vertices are neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int, Int32


def vertex_graph(faces: Int32[np.ndarray, "f 3"], vertices: int) -> Any:
    """A scipy csr_array with a 1 for every pair of vertices that share an edge."""
    from scipy.sparse import coo_array

    start, end = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    ends = (np.concatenate([start, end]), np.concatenate([end, start]))
    graph = coo_array((np.ones(len(ends[0]), np.float32), ends), shape=(vertices,) * 2).tocsr()
    graph.data[:] = 1
    return graph


def patches(
    neighbours: Int32[np.ndarray, "f 3"], label: Int[np.ndarray, "f"]
) -> tuple[int, Int32[np.ndarray, "f"]]:
    """Number the connected regions of faces that have one label: (how many, region per face)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    face, side = np.nonzero(neighbours >= 0)
    other = neighbours[face, side]
    same = label[face] == label[other]
    links = coo_array(
        (np.ones(int(same.sum()), bool), (face[same], other[same])), shape=(len(label),) * 2
    )
    count, region = connected_components(links, directed=False)
    return int(count), region.astype(np.int32)
