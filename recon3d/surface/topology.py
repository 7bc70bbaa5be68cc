"""How the triangles of a mesh hang together, from their indices alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Int32


def half_edges(faces: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, "h 2"]:
    """Every face's edges 0-1, 1-2 and 2-0 as it runs around them; row 3 f + i is edge i of f."""
    return np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class EdgeUses:
    """Which half-edges lie on the same edge: they stand together in `order`."""

    order: Int[np.ndarray, "h"]
    """The rows of `half_edges`, those of one edge side by side."""
    starts: Int[np.ndarray, "e"]
    """Where in `order` each edge begins."""
    counts: Int[np.ndarray, "e"]
    """How many half-edges each edge has: 1 on a border, 2 inside, more where sheets meet."""

    @property
    def borders(self) -> Int[np.ndarray, "b"]:
        """The half-edges without a partner."""
        return self.order[self.starts[self.counts == 1]]

    @property
    def pairs(self) -> Int[np.ndarray, "p 2"]:
        """The half-edges of every edge that has exactly two."""
        first = self.starts[self.counts == 2]
        return np.stack([self.order[first], self.order[first + 1]], axis=-1)


def edge_uses(faces: Int[np.ndarray, "f 3"]) -> EdgeUses:
    """Group the half-edges of a mesh by edge, whatever their direction."""
    ends = half_edges(faces).astype(np.int64)
    code = ends.min(1) * (int(faces.max(initial=0)) + 1) + ends.max(1)
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    return EdgeUses(order, starts, np.diff(starts, append=len(order)))


def face_neighbours(faces: Int[np.ndarray, "f 3"]) -> Int32[np.ndarray, "f 3"]:
    """The face across each edge (0-1, 1-2, 2-0); -1 at borders and where more than two meet."""
    first, second = edge_uses(faces).pairs.T
    neighbours = np.full(3 * len(faces), -1, np.int32)
    neighbours[first], neighbours[second] = second // 3, first // 3
    return neighbours.reshape(-1, 3)


def same_way_round(
    faces: Int[np.ndarray, "f 3"], pairs: Int[np.ndarray, "p 2"]
) -> Bool[np.ndarray, "p"]:
    """Whether two faces show the same side: then they run along their edge in opposite ways."""
    start = half_edges(faces)[:, 0]
    agreed: np.ndarray = start[pairs[:, 0]] != start[pairs[:, 1]]
    return agreed


@dataclass(frozen=True, eq=False)
class Loops:
    """Closed chains of border vertices, each in the order in which the faces beside it run."""

    vertices: Int[np.ndarray, "n"]
    """Of all loops, one loop after the other."""
    starts: Int[np.ndarray, "l"]

    @property
    def sizes(self) -> Int[np.ndarray, "l"]:
        """How many vertices each loop has."""
        return np.diff(self.starts, append=len(self.vertices))

    @property
    def loop_of_vertex(self) -> Int[np.ndarray, "n"]:
        """The number of the loop that each entry of `vertices` belongs to."""
        return np.repeat(np.arange(len(self.starts)), self.sizes)


def border_loops(faces: Int[np.ndarray, "f 3"]) -> Loops:
    """The rims of all holes and of the surface itself.

    Where a vertex has several borders, as two sheets that touch in a point have, or where faces
    do not agree on their side, the chains there are left out: they are no simple loops.
    """
    ends = half_edges(faces)[edge_uses(faces).borders]
    known, (start, end) = _renumbered(ends)
    count = len(known)
    clean = (np.bincount(start, minlength=count) == 1) & (np.bincount(end, minlength=count) == 1)
    after = np.arange(count)
    after[start] = end
    smallest, step = _rank_in_loop(after, clean)
    in_loop = np.flatnonzero(smallest >= 0)
    # From the smallest vertex on; the rank counts the steps that are left to it.
    order = in_loop[np.lexsort([-step[in_loop], smallest[in_loop]])]
    starts = np.flatnonzero(np.diff(smallest[order], prepend=-1))
    return Loops(known[order], starts)


def _renumbered(
    ends: Int[np.ndarray, "b 2"],
) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "2 b"]]:
    known, index = np.unique(ends, return_inverse=True)
    return known, index.reshape(ends.shape).T


def _rank_in_loop(
    after: Int[np.ndarray, "n"], clean: Bool[np.ndarray, "n"]
) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """Per vertex the smallest one of its loop and the steps to it; -1 where there is no loop.

    List ranking by doubling: after round k each vertex knows of 2^k vertices ahead.
    """
    count = len(after)
    smallest, ahead = np.arange(count), after.copy()
    whole = clean.copy()
    rounds = range(max(1, int(count).bit_length()))
    for _ in rounds:
        smallest = np.minimum(smallest, smallest[ahead])
        whole &= whole[ahead]
        ahead = ahead[ahead]
    # Now stop at the smallest, and count.
    is_end = smallest == np.arange(count)
    ahead = np.where(is_end, np.arange(count), after)
    step = np.where(is_end, 0, 1)
    for _ in rounds:
        step = step + step[ahead]
        ahead = ahead[ahead]
    # The end itself is a full turn away, so it comes first.
    turns = np.bincount(smallest, minlength=count)
    step = np.where(is_end, turns[smallest], step)
    return np.where(whole, smallest, -1), step
