"""Values that are known at some pixels, spread smoothly over all of them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

Map = Float32[np.ndarray, "h w"]

_SMALLEST_PX = 2


def spread(values: Map, weights: Map) -> Map:
    """Fill in by pull and push (Gortler et al., "The lumigraph", 1996, section 3.4).

    Pixels of weight 1 keep their value; the others get, from ever coarser means of what is known
    around them, as much as they lack. 0 everywhere where nothing is known.
    """
    import cv2

    height, width = values.shape
    if weights.min() >= 1 or max(height, width) <= _SMALLEST_PX:
        total = float(weights.sum())
        mean = float((values * weights).sum()) / total if total > 0 else 0.0
        return (weights * values + (1 - weights) * np.float32(mean)).astype(np.float32)
    size = (max(1, (width + 1) // 2), max(1, (height + 1) // 2))
    coarse_weights = np.asarray(cv2.resize(weights, size, interpolation=cv2.INTER_AREA))
    sums = np.asarray(cv2.resize(values * weights, size, interpolation=cv2.INTER_AREA))
    means = np.divide(sums, coarse_weights, out=np.zeros_like(sums), where=coarse_weights > 0)
    # One known pixel of four is as good as four: only what has nothing asks a coarser level.
    coarse = spread(means, np.minimum(4 * coarse_weights, 1).astype(np.float32))
    below = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))
    return (weights * values + (1 - weights) * below).astype(np.float32)
