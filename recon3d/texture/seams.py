"""From one photo to the next without a seam: soft weights, and colours that meet.

Two neighbouring faces may take their colours from different photos. Around such a seam every
vertex gets a weight for each photo near it (`soften`), and every photo an offset at each of its
vertices so that photos agree where they meet (`level`: the global step of Waechter et al. 2014,
section 4.3, over the whole strip of shared vertices instead of the seam alone). The texels are
then blended in two bands of frequency (Burt and Adelson 1983): coarse colour fades over the
strip, fine detail changes photo within a quarter of it, so that it is neither stepped nor doubled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32

from recon3d.core.sparse_solving import conjugate_gradients
from recon3d.texture.graph import vertex_graph
from recon3d.texture.sight import Candidates

MOST_BLENDED = 3
"""Photos that are blended in one face."""
_LEAST_WEIGHT = 0.02
_SMOOTHNESS = 10.0
"""Of offsets between neighbours, against their closing a difference (1 / lambda of the paper)."""
_TOLERANCE, _MOST_STEPS = 1e-4, 400
"""Of the solution."""
_PRIOR = 0.002
"""Of offsets being 0: without it, small differences add up across a large model."""
_SURE_STEP = 20.0
"""Differences beyond are rather a photo placed a pixel off than a change in exposure."""


@dataclass(frozen=True, eq=False)
class Blend:
    """Which photos colour each face, and how much at each corner."""

    nodes: Any
    """csr_array (vertices, photos): weights above 0; a node is one of its entries."""
    view: Int32[np.ndarray, "f m"]
    """-1 for fewer."""
    node: Int32[np.ndarray, "f 3 m"]
    """Entry of `nodes` at each corner; -1 where the weight is 0."""


def soften(
    faces: Int32[np.ndarray, "f 3"],
    chosen: Int32[np.ndarray, "f"],
    found: Candidates,
    vertices: int,
    spread: int,
) -> Blend:
    """Let the choice of photos fade over `spread` rings of vertices around each seam."""
    views = max(int(found.view.max(initial=0)), int(chosen.max(initial=0)), 0) + 1
    weights = _shares(faces, chosen, vertices, views)
    graph = vertex_graph(faces, vertices)
    mean = _row_normalised(graph + _identity(vertices))
    for _ in range(spread):
        weights = mean @ weights
    weights.data[weights.data < _LEAST_WEIGHT] = 0
    weights.eliminate_zeros()
    view = _views_of_faces(faces, chosen, found, weights)
    weights = _row_normalised(_only_used(weights, faces, view))
    weights.sort_indices()
    return Blend(weights, view, _node_indices(weights, faces, view))


def level(
    blend: Blend, faces: Int32[np.ndarray, "f 3"], rgb: Float32[np.ndarray, "n 3"]
) -> Float32[np.ndarray, "n 3"]:
    """What to add to each node's colour so that photos agree at their shared vertices.

    rgb: the colour that each node's photo has at its vertex.
    """
    from scipy.sparse import coo_array, diags_array

    count = blend.nodes.nnz
    vertex = _vertex_of_node(blend)
    # Pairs of photos at one vertex: within a row, entries one or two apart.
    pairs = [
        np.stack([np.arange(count - step), np.arange(step, count)], 1)[
            vertex[: count - step] == vertex[step:]
        ]
        for step in (1, 2)
        if count > step
    ]
    pair = np.concatenate([*pairs, np.zeros((0, 2), np.int64)])
    step = rgb[pair[:, 0]] - rgb[pair[:, 1]]
    sure = 1 / (1 + (np.abs(step).max(1) / _SURE_STEP) ** 2)
    # Neighbouring vertices' nodes of one photo.
    number = _numbered(blend)
    start, end = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    ends = np.unique(np.sort(np.stack([start, end], 1), axis=1), axis=0)
    one, other = _same_view_links(number, ends)
    i = np.concatenate([pair[:, 0], one])
    j = np.concatenate([pair[:, 1], other])
    weight = np.concatenate([sure, np.full(len(one), _SMOOTHNESS)])
    matrix = coo_array((-weight, (i, j)), shape=(count, count))
    matrix = matrix + matrix.T
    diagonal = -matrix.sum(1) + _PRIOR
    matrix = (matrix + diags_array(diagonal)).tocsr()
    offsets = np.zeros((count, 3), np.float32)
    for channel in range(3):
        pull = sure * step[:, channel]
        right = np.bincount(pair[:, 1], pull, count) - np.bincount(pair[:, 0], pull, count)
        if not right.any():
            continue
        offsets[:, channel] = conjugate_gradients(
            matrix, right, share=_TOLERANCE, most_steps=_MOST_STEPS
        )
    return offsets


def nodes_of_view(blend: Blend, view: int) -> tuple[np.ndarray, np.ndarray]:
    """The nodes of one photo and their vertices."""
    node = np.flatnonzero(blend.nodes.indices == view)
    vertex = np.searchsorted(blend.nodes.indptr, node, side="right") - 1
    return node, vertex


def _vertex_of_node(blend: Blend) -> np.ndarray:
    return np.repeat(np.arange(blend.nodes.shape[0]), np.diff(blend.nodes.indptr))


def _shares(faces: np.ndarray, chosen: np.ndarray, vertices: int, views: int) -> Any:
    """The share of each photo among the faces around a vertex."""
    from scipy.sparse import coo_array

    has = chosen >= 0
    rows, columns = faces[has].ravel(), np.repeat(chosen[has], 3)
    ones = np.ones(len(rows), np.float32)
    counts = coo_array((ones, (rows, columns)), shape=(vertices, views)).tocsr()
    counts.sum_duplicates()
    return _row_normalised(counts)


def _identity(size: int) -> Any:
    from scipy.sparse import eye_array

    return eye_array(size, dtype=np.float32, format="csr")


def _row_normalised(matrix: Any) -> Any:
    from scipy.sparse import diags_array

    total = np.asarray(matrix.sum(1)).ravel()
    scale = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
    return (diags_array(scale.astype(np.float32)) @ matrix).tocsr()


def _views_of_faces(
    faces: np.ndarray, chosen: np.ndarray, found: Candidates, weights: Any
) -> Int32[np.ndarray, "f m"]:
    """The photos with the largest weights among those that see the face, its own one first."""
    from scipy.sparse import coo_array

    count = len(faces)
    corners = coo_array(
        (
            np.ones(faces.size, np.float32),
            (np.repeat(np.arange(count), 3), faces.ravel()),
        ),
        shape=(count, weights.shape[0]),
    ).tocsr()
    total = (corners @ weights).tocoo()
    face, view, weight = total.row, total.col, total.data.copy()
    own = chosen[face] == view
    sees = own | (found.view[face] == view[:, None]).any(1)
    face, view, weight = face[sees], view[sees], weight[sees] + 10 * own[sees]
    order = np.lexsort((view, -weight, face))
    face, view = face[order], view[order]
    rank = np.arange(len(face)) - np.searchsorted(face, face)
    kept = (rank < MOST_BLENDED) & (chosen[face] >= 0)
    out = np.full((count, MOST_BLENDED), -1, np.int32)
    out[face[kept], rank[kept]] = view[kept]
    return out


def _only_used(weights: Any, faces: np.ndarray, view: np.ndarray) -> Any:
    """Without the weights of photos that no face around a vertex is coloured by."""
    from scipy.sparse import coo_array

    rows = np.repeat(faces.ravel(), view.shape[1])
    columns = np.repeat(view, 3, axis=0).ravel()
    has = columns >= 0
    used = coo_array(
        (np.ones(int(has.sum()), np.float32), (rows[has], columns[has])), shape=weights.shape
    ).tocsr()
    used.data[:] = 1
    return weights.multiply(used).tocsr()


def _numbered(blend: Blend) -> Any:
    """The same entries holding their own numbers plus one."""
    numbers = blend.nodes.copy()
    numbers.data = np.arange(1, blend.nodes.nnz + 1, dtype=np.int64)
    return numbers


def _same_view_links(number: Any, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of nodes of one photo at the two ends of every edge."""
    # Row by row: where both ends have an entry in a column, the two numbers are linked.
    one, other = number[ends[:, 0]], number[ends[:, 1]]
    pattern = other.copy()
    pattern.data = np.ones_like(pattern.data)
    left = one.multiply(pattern).tocsr()
    pattern = one.copy()
    pattern.data = np.ones_like(pattern.data)
    right = other.multiply(pattern).tocsr()
    left.sort_indices()
    right.sort_indices()
    return left.data - 1, right.data - 1


def _node_indices(weights: Any, faces: np.ndarray, view: np.ndarray) -> Int32[np.ndarray, "f 3 m"]:
    """Find (vertex, photo) among the sorted entries; -1 where it is none."""
    columns = weights.shape[1]
    rows = np.repeat(np.arange(weights.shape[0], dtype=np.int64), np.diff(weights.indptr))
    keys = rows * columns + weights.indices
    wanted = faces.astype(np.int64)[:, :, None] * columns + view[:, None, :]
    place = np.searchsorted(keys, wanted)
    hit = (view[:, None, :] >= 0) & (keys[np.minimum(place, len(keys) - 1)] == wanted)
    return np.where(hit, place, -1).astype(np.int32)
