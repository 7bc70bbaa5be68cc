"""Sparse linear systems, solved to the same bits with any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float


def conjugate_gradients(
    matrix: Any,
    right: np.ndarray,
    start: np.ndarray | None = None,
    *,
    share: float,
    most_steps: int,
) -> Float[np.ndarray, "n"]:
    """Solve a symmetric, positive definite system, eased by its diagonal (Jacobi).

    SciPy's own takes its inner products from BLAS, whose sums differ with the number of threads.

    start: a first guess. share: of the right-hand side's length that the residual may keep.
    """
    diagonal = matrix.diagonal()
    right = right.astype(np.float64)
    answer = np.zeros_like(right) if start is None else start.astype(np.float64)
    left = right - matrix @ answer
    enough = share**2 * (right * right).sum()
    eased = left / diagonal
    way, slope = eased, (left * eased).sum()
    for _ in range(most_steps):
        if (left * left).sum() <= enough:
            break
        ahead = matrix @ way
        length = slope / (way * ahead).sum()
        answer += length * way
        left -= length * ahead
        eased = left / diagonal
        before, slope = slope, (left * eased).sum()
        way = eased + slope / before * way
    return answer
