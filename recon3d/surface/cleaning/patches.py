"""Triangulations that close a loop: rings of smaller and smaller loops, then a strip or a fan."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

_FAN = 8
"""A loop of at most this many vertices is closed by a fan around one point."""


def close_with_rings(
    loop: Int[np.ndarray, "n"], rings: int, first: int
) -> tuple[Int[np.ndarray, "f 3"], int]:
    """Triangles that close a loop with about equal edges, and how many new vertices they use.

    The loop runs as the faces beside it do; the new faces take its edges the other way, so both
    show the same side. New vertices are numbered from `first`. Each ring has 2 pi vertices fewer
    than the one outside it, as rings at equal distances have.

    rings: 0 uses none but the loop's own vertices.
    """
    faces, outer, used = [], loop, 0
    for _ in range(rings - 1):
        size = round(len(outer) - 2 * np.pi)
        if size <= _FAN:
            break
        inner = first + used + np.arange(size)
        faces.append(_between(outer, inner))
        outer, used = inner, used + size
    if rings and len(outer) <= max(_FAN, 2 * np.pi * 1.5):
        return np.concatenate([*faces, close_with_fan(outer, first + used)]), used + 1
    return np.concatenate([*faces, _strip(outer)]), used


def close_with_fan(loop: Int[np.ndarray, "n"], centre: int) -> Int[np.ndarray, "n 3"]:
    """One triangle for each edge of a loop and one new vertex."""
    return np.stack([np.roll(loop, -1), loop, np.full(len(loop), centre)], axis=1)


def _between(outer: Int[np.ndarray, "n"], inner: Int[np.ndarray, "m"]) -> Int[np.ndarray, "k 3"]:
    """Join two rings; vertex j of the inner one stands for the share [j, j + 1] / m of a turn."""
    n, m = len(outer), len(inner)
    i, j = np.arange(n), np.arange(m)
    over = inner[np.floor((i + 0.5) * m / n).astype(int)]
    # Where the edges of the outer ring go over from one inner vertex to the next.
    apex = outer[np.ceil((j + 1) * n / m - 0.5).astype(int) % n]
    return np.concatenate(
        [
            np.stack([np.roll(outer, -1), outer, over], axis=1),
            np.stack([inner, np.roll(inner, -1), apex], axis=1),
        ]
    )


def _strip(loop: Int[np.ndarray, "n"]) -> Int[np.ndarray, "k 3"]:
    """Zigzag from the loop's first edge to the opposite one."""
    zigzag = np.empty_like(loop)
    half = (len(loop) + 1) // 2
    zigzag[0::2], zigzag[1::2] = loop[:half], loop[half:][::-1]
    faces = np.stack([zigzag[:-2], zigzag[1:-1], zigzag[2:]], axis=1)
    faces[1::2] = faces[1::2, [0, 2, 1]]
    return faces
