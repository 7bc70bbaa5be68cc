"""Planes between confirmed points: what a plain surface would be like if it went straight on."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Float64

from recon3d.depth.patchmatch.levels import Planes

_BLOCKS = 128
"""Along the photo's longer side; one point of each."""
_LEAST_BLOCK_PX = 5
_LARGEST = 0.3
"""Longest side of a triangle, as a share of the photo's."""
_JUMP = 1.25
"""Greatest ratio of depths within one."""


def triangulated(
    confirmed_z: Float32[np.ndarray, "H W"],
    agreeing_views: Float32[np.ndarray, "H W"],
    wanted: Bool[np.ndarray, "h w"],
) -> Planes:
    """Planes, at the wanted pixels of a smaller map, through triangles of confirmed points.

    Of each block of pixels the point that most views agree on is a corner (Xu and Tao 2020,
    ACMP). Triangles across a jump, or too large to lie on one thing, say nothing.
    """
    from scipy.spatial import Delaunay, QhullError

    planes = np.zeros((*wanted.shape, 3), np.float32)
    column, row, inverse = _corners(confirmed_z, agreeing_views)
    x = (column + 0.5) * (wanted.shape[1] / confirmed_z.shape[1]) - 0.5
    y = (row + 0.5) * (wanted.shape[0] / confirmed_z.shape[0]) - 0.5
    try:
        mesh = Delaunay(np.stack([x, y], -1))
    except (QhullError, ValueError):  # fewer than three points, or all on a line
        return planes
    corners = mesh.simplices
    longest = _LARGEST * max(wanted.shape)
    right, down, good = _slopes(x[corners], y[corners], inverse[corners], longest)
    rows, columns = np.nonzero(wanted)
    triangle = mesh.find_simplex(np.stack([columns, rows], -1).astype(np.float64))
    on = (triangle >= 0) & good[triangle]
    rows, columns, triangle = rows[on], columns[on], triangle[on]
    first = corners[triangle, 0]
    right, down = right[triangle], down[triangle]
    planes[rows, columns, 0] = (
        inverse[first] + right * (columns - x[first]) + down * (rows - y[first])
    )
    planes[rows, columns, 1], planes[rows, columns, 2] = right, down
    return planes


def _corners(
    confirmed_z: Float32[np.ndarray, "H W"], agreeing_views: Float32[np.ndarray, "H W"]
) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:
    """Column, row and inverse depth of the points."""
    height, width = confirmed_z.shape
    block = max(_LEAST_BLOCK_PX, round(max(height, width) / _BLOCKS))
    down, across = height // block, width // block
    votes = np.where(confirmed_z > 0, agreeing_views, 0)[: down * block, : across * block]
    blocks = votes.reshape(down, block, across, block).swapaxes(1, 2).reshape(down, across, -1)
    row, column = np.nonzero(blocks.max(-1) > 0)
    best = blocks[row, column].argmax(-1)
    row, column = row * block + best // block, column * block + best % block
    inverse = 1 / confirmed_z[row, column].astype(np.float64)
    return column.astype(np.float64), row.astype(np.float64), inverse


def _slopes(
    x: Float64[np.ndarray, "t 3"],
    y: Float64[np.ndarray, "t 3"],
    inverse: Float64[np.ndarray, "t 3"],
    longest: float,
) -> tuple[Float64[np.ndarray, "t"], Float64[np.ndarray, "t"], Bool[np.ndarray, "t"]]:
    """Slopes to the right and down of the planes through triangles, and which to believe."""
    (x1, y1, w1), (x2, y2, w2) = (
        [each[:, corner] - each[:, 0] for each in (x, y, inverse)] for corner in (1, 2)
    )
    twice_area = x1 * y2 - x2 * y1
    good = np.abs(twice_area) > 1e-6
    good &= inverse.max(1) < _JUMP * inverse.min(1)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        good &= np.hypot(x[:, a] - x[:, b], y[:, a] - y[:, b]) < longest
    twice_area = np.where(good, twice_area, 1)
    return (w1 * y2 - w2 * y1) / twice_area, (x1 * w2 - x2 * w1) / twice_area, good
