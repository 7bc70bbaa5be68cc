"""Counting circles: which rows and columns a cloud of dark spots stands in."""

from __future__ import annotations

from collections import deque
from itertools import product
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from recon3d_calib.planes import is_mirrored

# Of a step; perspective lets steps grow and shrink by less from one circle to the next.
_NEAR = 0.35
_LEAST_SINE = 0.4
_FEWEST = 9
_SEEDS = 8
# Of a row or column at the rim; less is clutter that happens to lie there.
_RIM_THERE = 0.6
_MOST_THERE = 0.8

Kind = Literal["circles", "asymmetric-circles"]


def countings(centres_px: Float[np.ndarray, "n 2"], kind: Kind) -> list[Int[np.ndarray, "r c"]]:
    """Every way to count the grid that most spots stand in, as its front shows it.

    Each says which spot is which circle, row by row; -1 where one was not seen. Those with most
    circles come first: askew, a part of a grid looks like a smaller one.
    """
    labels, known = _labels(centres_px)
    if known.sum() < _FEWEST:
        return []
    spots = np.flatnonzero(known)
    grids = []
    for turn in _turns():
        places = labels[known] @ turn.T
        if kind == "asymmetric-circles":
            # The shortest steps of staggered rows lead aslant.
            places = places @ np.array([[1, 1], [-1, 1]])
        if not is_mirrored(places.astype(np.float64), centres_px[known]):
            grid = _grid(places, spots, kind)
            if min(grid.shape) > 1 and (grid >= 0).mean() > _MOST_THERE:
                grids.append(grid)
    return sorted(grids, key=lambda grid: -int((grid >= 0).sum()))


def _turns() -> list[Int[np.ndarray, "2 2"]]:
    """Every way in which the same lattice can be counted with small steps."""
    matrices = [np.array(entries).reshape(2, 2) for entries in product((-1, 0, 1), repeat=4)]
    return [matrix for matrix in matrices if abs(round(float(np.linalg.det(matrix)))) == 1]


def _grid(
    places: Int[np.ndarray, "k 2"], spots: Int[np.ndarray, "k"], kind: Kind
) -> Int[np.ndarray, "r c"]:
    """The spots row by row; without any where they stand otherwise than on a board of the kind."""
    x, y = (places - places.min(axis=0)).T
    table = np.full((y.max() + 1, x.max() + 1), -1)
    table[y, x] = spots
    if kind == "circles":
        return _without_stray_rims(table, 1)
    table = _without_stray_rims(table, 2)
    # Odd rows begin one step later; what lies between is empty.
    rows = [row[index % 2 :: 2] for index, row in enumerate(table)]
    width = min(len(row) for row in rows)
    grid = np.stack([row[:width] for row in rows])
    return grid if (table >= 0).sum() == (grid >= 0).sum() else np.full((1, 1), -1)


def _without_stray_rims(table: Int[np.ndarray, "r c"], step: int) -> Int[np.ndarray, "r c"]:
    """Without outer rows and columns of which little is there; step: of the circles in them."""
    while min(table.shape) > 1:
        rims = {
            (0, 0): table[0], (0, -1): table[-1], (1, 0): table[:, 0], (1, -1): table[:, -1],
        }  # fmt: skip
        shares = {rim: step * float((line >= 0).mean()) for rim, line in rims.items()}
        rim = min(shares, key=lambda each: shares[each])
        if shares[rim] > _RIM_THERE:
            break
        axis, end = rim
        table = np.delete(table, end, axis=axis)
    return table


def _labels(
    centres_px: Float[np.ndarray, "n 2"],
) -> tuple[Int[np.ndarray, "n 2"], Bool[np.ndarray, "n"]]:
    """Whole-numbered places in a lattice of two shortest steps, and which spots have one.

    Grown from the spot whose lattice reaches farthest; each circle hands its own steps on, so
    that perspective and lens may bend the lattice.
    """
    best = np.zeros((len(centres_px), 2), int), np.zeros(len(centres_px), bool)
    if len(centres_px) < _FEWEST:
        return best
    # Late, because the window's start reads this module and scipy takes longer than all else.
    from scipy.spatial import cKDTree

    tree = cKDTree(centres_px)
    middle = np.median(centres_px, axis=0)
    order = np.argsort(np.linalg.norm(centres_px - middle, axis=1))
    for seed in order[:_SEEDS].tolist():
        grown = _grown(centres_px, tree, seed)
        if grown is not None and grown[1].sum() > best[1].sum():
            best = grown
    return best


def _grown(
    centres_px: Float[np.ndarray, "n 2"], tree: Any, seed: int
) -> tuple[Int[np.ndarray, "n 2"], Bool[np.ndarray, "n"]] | None:
    steps = _shortest_steps(centres_px, tree, seed)
    if steps is None:
        return None
    labels = np.zeros((len(centres_px), 2), int)
    known = np.zeros(len(centres_px), bool)
    taken = {(0, 0): seed}
    known[seed] = True
    waiting = deque([(seed, steps)])
    while waiting:
        spot, steps = waiting.popleft()
        for axis, way in product((0, 1), (1, -1)):
            place = labels[spot].copy()
            place[axis] += way
            if (key := (int(place[0]), int(place[1]))) in taken:
                continue
            away, other = tree.query(centres_px[spot] + way * steps[axis])
            other = int(other)
            if known[other] or away > _NEAR * np.linalg.norm(steps[axis]):
                continue
            labels[other], known[other], taken[key] = place, True, other
            own = steps.copy()
            own[axis] = way * (centres_px[other] - centres_px[spot])
            waiting.append((other, own))
    return labels, known


def _shortest_steps(
    centres_px: Float[np.ndarray, "n 2"], tree: Any, seed: int
) -> Float[np.ndarray, "2 2"] | None:
    _, around = tree.query(centres_px[seed], k=min(9, len(centres_px)))
    first, *rest = centres_px[around[1:]] - centres_px[seed]
    for second in rest:
        area = first[0] * second[1] - first[1] * second[0]
        if abs(area) > _LEAST_SINE * np.linalg.norm(first) * np.linalg.norm(second):
            return np.stack([first, second])
    return None
