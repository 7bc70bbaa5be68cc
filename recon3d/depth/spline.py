"""Smooth fields over a picture: uniform cubic B-splines of few nodes (de Boor 1978)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

LEAST_NODES = 4
"""Along either axis; a cubic spline needs as many."""


def field_at(
    field: Float[np.ndarray, "rows columns"], uv: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n"]:
    """The field's values at places from (0, 0) to (1, 1) across the picture."""
    rows, columns = field.shape
    return field_basis(uv, rows, columns) @ field.ravel()


def field_map(
    field: Float[np.ndarray, "rows columns"], width_px: int, height_px: int
) -> Float[np.ndarray, "height_px width_px"]:
    """The field's values at every pixel centre."""
    rows, columns = field.shape
    down = _basis((np.arange(height_px) + 0.5) / height_px, rows)
    across = _basis((np.arange(width_px) + 0.5) / width_px, columns)
    return down @ field @ across.T


def field_basis(
    uv: Float[np.ndarray, "n 2"], rows: int, columns: int
) -> Float[np.ndarray, "n nodes"]:
    """How much each node, row by row, counts at some places."""
    down, across = _basis(uv[:, 1], rows), _basis(uv[:, 0], columns)
    return (down[:, :, None] * across[:, None, :]).reshape(len(uv), -1)


def roughness(rows: int, columns: int) -> Float[np.ndarray, "nodes nodes"]:
    """The quadratic form of the sum of squared differences between nodes side by side."""
    index = np.arange(rows * columns).reshape(rows, columns)
    return _differences(index[:, :-1], index[:, 1:], index.size) + _differences(
        index[:-1], index[1:], index.size
    )


def _differences(
    here: Int[np.ndarray, "a b"], there: Int[np.ndarray, "a b"], nodes: int
) -> Float[np.ndarray, "nodes nodes"]:
    step = np.zeros((here.size, nodes))
    step[np.arange(here.size), here.ravel()] = -1
    step[np.arange(here.size), there.ravel()] = 1
    return step.T @ step


def _basis(x: Float[np.ndarray, "n"], nodes: int) -> Float[np.ndarray, "n nodes"]:
    place = x * (nodes - 3)
    start = np.floor(place).clip(0, nodes - LEAST_NODES).astype(np.int64)
    t = place - start
    weights = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1
    )
    basis = np.zeros((len(x), nodes))
    np.put_along_axis(basis, start[:, None] + np.arange(LEAST_NODES), weights / 6, axis=1)
    return basis
