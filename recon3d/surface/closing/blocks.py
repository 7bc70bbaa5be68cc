"""A scene with too many points for one set of tetrahedra is parted into blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

_MOST_POINTS = 400_000
"""In a block: 3 GiB of tetrahedra. A number, not what is free, as memory must not change a
result."""
_ELSEWHERE_SHARE = 0.25
"""Of so many points: those that stand for all elsewhere."""
_MARGIN_SHARE = 1 / 8
"""Of a box that is halved, at most."""


@dataclass(frozen=True, eq=False)
class Block:
    """A box, and the points that say what in it is free and what solid."""

    low: Float64[np.ndarray, "3"]
    high: Float64[np.ndarray, "3"]
    points: Int64[np.ndarray, "n"]
    """Numbers of points: all of the box and around it, and a few of everywhere else, because
    cameras look through the box at them."""
    weight: Float64[np.ndarray, "n"]
    """How many points each stands for."""

    def holds(self, places: Float[np.ndarray, "m 3"]) -> Bool[np.ndarray, "m"]:
        """Which places lie in the box; of all blocks exactly one holds a place."""
        return _within(places, self.low, self.high)


def blocks(points: Float64[np.ndarray, "p 3"], margin: float) -> Iterator[Block]:
    """Halve the points' box along its longest side until each part has few enough.

    margin: How far around a box all points take part, unless that is much of the box: near its
        border tetrahedra are then the same as those of the block beside it.
    """
    yield from _halved(points, margin, np.full(3, -np.inf), np.full(3, np.inf))


def _halved(
    points: Float64[np.ndarray, "p 3"],
    margin: float,
    low: Float64[np.ndarray, "3"],
    high: Float64[np.ndarray, "3"],
) -> Iterator[Block]:
    is_around = _within(points, low - margin, high + margin)
    inside = points[_within(points, low, high)]
    if is_around.sum() <= _MOST_POINTS:
        if len(inside):
            yield _block(is_around, low, high)
        return
    sides = np.ptp(inside, axis=0)
    axis = int(sides.argmax())
    below, above = high.copy(), low.copy()
    below[axis] = above[axis] = (inside[:, axis].min() + inside[:, axis].max()) / 2
    margin = min(margin, float(sides[axis]) * _MARGIN_SHARE)
    yield from _halved(points, margin, low, below)
    yield from _halved(points, margin, above, high)


def _block(
    is_around: Bool[np.ndarray, "p"], low: Float64[np.ndarray, "3"], high: Float64[np.ndarray, "3"]
) -> Block:
    around, elsewhere = np.flatnonzero(is_around), np.flatnonzero(~is_around)
    every = max(1, -(-len(elsewhere) // round(_ELSEWHERE_SHARE * _MOST_POINTS)))
    few = elsewhere[::every]
    weight = np.concatenate([np.ones(len(around)), np.full(len(few), float(every))])
    return Block(low, high, np.concatenate([around, few]), weight)


def _within(
    places: Float[np.ndarray, "m 3"], low: Float64[np.ndarray, "3"], high: Float64[np.ndarray, "3"]
) -> Bool[np.ndarray, "m"]:
    return np.asarray(((places >= low) & (places < high)).all(axis=1))
