"""Marching tetrahedra on the blocks of a lattice that a surface passes: always a closed manifold.

Every cell is cut into six tetrahedra around one diagonal, alike in all cells, so that neighbours
fit (Freudenthal 1942; Doi and Koide 1991). No block is ever missed: blocks are added until the
surface passes no face of the last ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64

_CELLS = 8
"""Of a block, along each axis."""
_POINTS = _CELLS + 1
_BLOCKS_AT_ONCE = 128
_CELLS_AT_ONCE = 1 << 16
_BITS = 19
"""Of a number of a lattice point along an axis: three, and an edge's direction, fit into 64."""
_MARGIN = 0.02
"""Of an edge: nearer to its ends no vertex lies, so that no triangle is without area."""

Field = Callable[[Float64[np.ndarray, "n 3"]], Float32[np.ndarray, "n"]]
"""Above 0 inside, below 0 outside."""


class TooFineError(Exception):
    """Cells are too small for the surface."""


@dataclass(frozen=True, eq=False)
class Crossings:
    """The edges of a lattice whose ends lie on two sides of a surface, and its triangles."""

    inside: Float64[np.ndarray, "e 3"]
    outside: Float64[np.ndarray, "e 3"]
    value_inside: Float32[np.ndarray, "e"]
    value_outside: Float32[np.ndarray, "e"]
    faces: Int32[np.ndarray, "f 3"]
    """Numbers of edges; counter-clockwise seen from outside."""

    def vertices(self, share: Float64[np.ndarray, "e"]) -> Float32[np.ndarray, "e 3"]:
        """Points on the edges, by their shares of the way from outside to inside."""
        share = share.clip(_MARGIN, 1 - _MARGIN)[:, None]
        return (self.outside + share * (self.inside - self.outside)).astype(np.float32)

    @property
    def by_value(self) -> Float64[np.ndarray, "e"]:
        """The shares at which the value is 0 where it changes evenly along each edge."""
        out = np.maximum(-self.value_outside.astype(np.float64), 1e-9)
        return out / (out + np.maximum(self.value_inside, 1e-9))


def cross(
    field: Field,
    seeds: Float64[np.ndarray, "n 3"],
    cell: float,
    most_blocks: int,
    check: Callable[[], None],
) -> Crossings:
    """Where a lattice's edges cross the surface of a field.

    Args:
        field: Asked for the points of whole blocks.
        seeds: Points near every piece of the surface.
        cell: Edge of a cell.
        most_blocks: More than so many blocks are an error.
        check: Called between blocks; may raise.

    Raises:
        TooFineError: the surface passes too many blocks, or the lattice is too fine for its size.
    """
    # No plane of the lattice lies in a face along the axes.
    low = seeds.min(axis=0) - 0.37 * cell
    half = 1 << (_BITS - 1)
    around = [seeds + cell * np.array(step) for step in product((-1, 1), repeat=3)]
    wanted = _distinct(
        np.concatenate([np.floor((one - low) / (cell * _CELLS)) for one in around]).astype(np.int64)
    )
    if int(np.abs(wanted).max()) * _CELLS > half // 2:
        raise TooFineError
    known: dict[tuple[int, int, int], None] = {}
    blocks, values = [np.zeros((0, 3), np.int64)], [np.zeros((0, *(_POINTS,) * 3), np.float32)]
    while len(wanted):
        if len(known) + len(wanted) > most_blocks:
            raise TooFineError
        known |= dict.fromkeys(map(tuple, wanted.tolist()))
        found = []
        for start in range(0, len(wanted), _BLOCKS_AT_ONCE):
            check()
            batch = wanted[start : start + _BLOCKS_AT_ONCE]
            places = low + cell * (batch[:, None] * _CELLS + _LOCAL).astype(np.float64)
            found.append(field(places.reshape(-1, 3)).reshape(-1, *(_POINTS,) * 3))
        new = np.concatenate(found)
        passed = (new > 0).any(axis=(1, 2, 3)) & (new <= 0).any(axis=(1, 2, 3))
        blocks.append(wanted[passed])
        values.append(new[passed])
        nearby = _distinct(_beyond(wanted, new > 0))
        missing = [row not in known for row in map(tuple, nearby.tolist())]
        wanted = nearby[np.array(missing, bool)]
    return _marched(np.concatenate(blocks), np.concatenate(values), low, cell, check)


_LOCAL = np.array(list(product(range(_POINTS), repeat=3)), np.int64)


def _distinct(blocks: Int64[np.ndarray, "n 3"]) -> Int64[np.ndarray, "m 3"]:
    return np.unique(blocks, axis=0)


def _beyond(
    blocks: Int64[np.ndarray, "n 3"], inside: Bool[np.ndarray, "n p p p"]
) -> Int64[np.ndarray, "m 3"]:
    """The neighbours into which the surface goes on."""
    found = [np.zeros((0, 3), np.int64)]
    for axis, end in product(range(3), (0, -1)):
        face = np.take(inside, end, axis=axis + 1).reshape(len(blocks), -1)
        step = np.zeros(3, np.int64)
        step[axis] = 1 if end else -1
        found.append(blocks[face.any(axis=1) & ~face.all(axis=1)] + step)
    return np.concatenate(found)


def _marched(
    blocks: Int64[np.ndarray, "n 3"],
    values: Float32[np.ndarray, "n p p p"],
    low: Float64[np.ndarray, "3"],
    cell: float,
    check: Callable[[], None],
) -> Crossings:
    edges, ends = [np.zeros(0, np.int64)], [np.zeros((0, 2), np.float32)]
    for corner, value in _passed_cells(blocks, values):
        check()
        edge, end = _triangles(corner, value)
        edges.append(edge)
        ends.append(end)
    codes, first, number = np.unique(np.concatenate(edges), return_index=True, return_inverse=True)
    value = np.concatenate(ends)[first]
    start, step = codes >> 4, codes & 7
    coordinates = np.stack([(start >> (_BITS * axis)) & ((1 << _BITS) - 1) for axis in range(3)], 1)
    coordinates -= 1 << (_BITS - 1)
    offset = np.stack([(step >> axis) & 1 for axis in range(3)], axis=1)
    starts, stops = (low + cell * places for places in (coordinates, coordinates + offset))
    begins_inside = (codes & 8 > 0)[:, None]
    return Crossings(
        np.where(begins_inside, starts, stops),
        np.where(begins_inside, stops, starts),
        value[:, 0],
        value[:, 1],
        number.ravel().reshape(-1, 3).astype(np.int32),
    )


def _passed_cells(
    blocks: Int64[np.ndarray, "n 3"], values: Float32[np.ndarray, "n p p p"]
) -> Iterator[tuple[Int64[np.ndarray, "c 3"], Float32[np.ndarray, "c 8"]]]:
    """Lowest corners, in the numbers of the lattice, and the values at all corners.

    Corner k lies at (k & 1, k >> 1 & 1, k >> 2) of the cell.
    """
    for start in range(0, len(blocks), _BLOCKS_AT_ONCE):
        there = values[start : start + _BLOCKS_AT_ONCE]
        inside = there > 0
        corners = [
            inside[:, x : x + _CELLS, y : y + _CELLS, z : z + _CELLS] for x, y, z in _CORNERS
        ]
        count = np.sum(corners, axis=0)
        block, x, y, z = np.nonzero((count > 0) & (count < 8))
        corner = blocks[start : start + _BLOCKS_AT_ONCE][block] * _CELLS + np.stack([x, y, z], 1)
        value = np.stack([there[block, x + dx, y + dy, z + dz] for dx, dy, dz in _CORNERS], axis=1)
        for rows in range(0, len(corner), _CELLS_AT_ONCE):
            part = slice(rows, rows + _CELLS_AT_ONCE)
            yield corner[part], value[part]


_CORNERS = [(k & 1, k >> 1 & 1, k >> 2) for k in range(8)]


def _triangles(
    corner: Int64[np.ndarray, "c 3"], value: Float32[np.ndarray, "c 8"]
) -> tuple[Int64[np.ndarray, "n"], Float32[np.ndarray, "n 2"]]:
    """Three edges a triangle, one after the other, and the values inside and outside at each.

    An edge is its lower end, 8 if that is inside, and its direction.
    """
    middle = 1 << (_BITS - 1)
    place = corner[:, 0] + middle
    place = place | ((corner[:, 1] + middle) << _BITS) | ((corner[:, 2] + middle) << (2 * _BITS))
    steps = np.array([x | (y << _BITS) | (z << (2 * _BITS)) for x, y, z in _CORNERS], np.int64)
    codes, ends = [], []
    for tetrahedron, pattern, edges in _CASES:
        found = np.ones(len(corner), bool)
        for k, is_inside in zip(tetrahedron, pattern, strict=True):
            found &= (value[:, k] > 0) == is_inside
        rows = np.flatnonzero(found)
        if len(rows) == 0:
            continue
        for a, b in edges:  # from inside to outside
            start, stop = min(a, b), max(a, b)
            flag = 8 if start == a else 0
            codes.append(((place[rows] + steps[start]) << 4) | flag | (stop ^ start))
            ends.append(np.stack([value[rows, a], value[rows, b]], axis=1))
    # By triangle: its three edges side by side.
    width = [len(part) for part in codes]
    order = np.concatenate(
        [np.arange(count) * 3 + sum(width[: 3 * (i // 3)]) + i % 3 for i, count in enumerate(width)]
    )
    every, values = np.empty(sum(width), np.int64), np.empty((sum(width), 2), np.float32)
    every[order], values[order] = np.concatenate(codes), np.concatenate(ends)
    return every, values


def _cases() -> Sequence[_Case]:
    """Of each tetrahedron and each choice of corners inside: the edges of its triangles."""
    found: list[_Case] = []
    for axes in permutations(range(3)):
        a = 1 << axes[0]
        corners = (0, a, a | (1 << axes[1]), 7)
        for pattern in product((False, True), repeat=4):
            ins = [k for k in range(4) if pattern[k]]
            outs = [k for k in range(4) if not pattern[k]]
            if not ins or not outs:
                continue
            order = [*ins, *outs]
            # Positively oriented, as (0, x, x + y, x + y + z) is.
            if _is_odd(order) != _is_odd(axes):
                turned = slice(-2, None) if len(outs) > 1 else slice(0, 2)
                order[turned] = order[turned][::-1]
            i, j, k, m = (corners[n] for n in order)
            if len(ins) == 1:
                triangles = [((i, j), (i, k), (i, m))]
            elif len(ins) == 3:
                triangles = [((i, m), (j, m), (k, m))]
            else:
                triangles = [((i, k), (i, m), (j, m)), ((i, k), (j, m), (j, k))]
            found += [(corners, pattern, list(edges)) for edges in triangles]
    return found


_Case = tuple[tuple[int, ...], tuple[bool, ...], list[tuple[int, int]]]


def _is_odd(order: tuple[int, ...] | list[int]) -> bool:
    pairs = [(a, b) for n, a in enumerate(order) for b in order[n + 1 :]]
    return sum(a > b for a, b in pairs) % 2 == 1


_CASES = _cases()
