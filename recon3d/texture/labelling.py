"""Choose one of a few labels for every face so that neighbours agree where it costs little."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, Int32

from recon3d.texture.graph import patches

_ROUNDS = 16
_DAMPING = 0.5
_NEVER = np.float32(1e6)
"""Cost of a label that a face does not have."""


def choose_labels(
    labels: Int32[np.ndarray, "f k"],
    cost: Float32[np.ndarray, "f k"],
    neighbours: Int32[np.ndarray, "f 3"],
    change_cost: Float32[np.ndarray, "f 3"],
    check: Callable[[], None],
) -> Int32[np.ndarray, "f"]:
    """Minimise the sum of costs plus change_cost over edges whose faces' labels differ.

    Loopy belief propagation, min-sum over a Potts model (Felzenszwalb and Huttenlocher 2006).

    Args:
        labels: The labels a face may have, -1 for fewer than k; no label twice in a row.
        cost: Of each of them.
        neighbours: As `face_neighbours` gives.
        change_cost: Of a change of label across each edge.
        check: Called in every round; may raise to stop.

    Returns:
        One label per face; -1 where a face has none.
    """
    faces, k = labels.shape
    cost = np.where(labels >= 0, cost, _NEVER)
    # What the face at each side tells this one about this one's labels.
    heard = np.zeros((faces, 3, k), np.float32)
    there = neighbours >= 0
    side = _opposite_sides(neighbours)
    match = _matching(labels, neighbours)
    for _ in range(_ROUNDS):
        check()
        belief = cost + heard.sum(1)
        new = np.zeros_like(heard)
        for s in range(3):
            rows = np.flatnonzero(there[:, s])
            other = neighbours[rows, s]
            said = belief[other] - heard[other, side[rows, s]]
            low = said.min(1, keepdims=True)
            same = np.take_along_axis(said, np.maximum(match[rows, s], 0), 1)
            same[match[rows, s] < 0] = _NEVER
            # Relative to the least, so that numbers do not grow from round to round.
            new[rows, s] = np.minimum(same - low, change_cost[rows, s, None])
        heard = _DAMPING * heard + (1 - _DAMPING) * new
    best = (cost + heard.sum(1)).argmin(1)
    return np.where(labels[:, 0] >= 0, labels[np.arange(faces), best], -1).astype(np.int32)


def merge_small(
    chosen: Int32[np.ndarray, "f"],
    allowed: Callable[[np.ndarray, np.ndarray], np.ndarray],
    neighbours: Int32[np.ndarray, "f 3"],
    min_faces: int,
    rounds: int = 3,
) -> Int32[np.ndarray, "f"]:
    """Give regions of fewer faces to the neighbour they share most edges with, where they may.

    allowed: says for an array of faces and one of labels which of them go together.
    """
    out = chosen.copy()
    for _ in range(rounds):
        count, region = patches(neighbours, out)
        size = np.bincount(region, minlength=count)
        face, side = np.nonzero((neighbours >= 0) & (size[region] < min_faces)[:, None])
        other = out[neighbours[face, side]]
        wanted = (other >= 0) & (out[face] >= 0) & (other != out[face])
        face, other = face[wanted], other[wanted]
        if len(face) == 0:
            return out
        # The commonest label around each small region.
        top = int(out.max()) + 1
        votes, counts = np.unique(region[face].astype(np.int64) * top + other, return_counts=True)
        order = np.lexsort((-counts, votes // top))
        _, first = np.unique(votes[order] // top, return_index=True)
        winner = np.full(count, -1, np.int64)
        winner[votes[order][first] // top] = votes[order][first] % top
        face = np.flatnonzero(winner[region] >= 0)
        new = winner[region[face]]
        may = allowed(face, new)
        out[face[may]] = new[may]
    return out


def _opposite_sides(neighbours: Int32[np.ndarray, "f 3"]) -> Int32[np.ndarray, "f 3"]:
    """By which of its own sides the neighbour sees this face."""
    back = neighbours[np.maximum(neighbours, 0)] == np.arange(len(neighbours))[:, None, None]
    return back.argmax(2).astype(np.int32)


def _matching(
    labels: Int32[np.ndarray, "f k"], neighbours: Int32[np.ndarray, "f 3"]
) -> Int32[np.ndarray, "f 3 k"]:
    """Where the neighbour at each side lists this face's labels; -1 where it does not."""
    out = np.full((*neighbours.shape, labels.shape[1]), -1, np.int32)
    for s in range(3):
        theirs = labels[np.maximum(neighbours[:, s], 0)]
        for k in range(labels.shape[1]):
            same = theirs == labels[:, k, None]
            found = same.any(1) & (labels[:, k] >= 0) & (neighbours[:, s] >= 0)
            out[found, s, k] = same[found].argmax(1)
    return out
