"""What is noise and what is wrong, among distances from where things should be."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

# The median distance of a Gaussian cloud in the plane, in its standard deviations.
_MEDIAN_DISTANCE = 1.1774
_SOFT_SIGMAS = 2.0
_MOST_TIMES_USUAL = 3.5
# Below, a photo is fine whatever the others are.
_ALWAYS_FINE_PX = 0.15


def noise_of(misses_px: Float[np.ndarray, "n"]) -> float:
    """Standard deviation of one coordinate, whatever a few wrong ones say; never quite 0."""
    return max(float(np.median(misses_px)) / _MEDIAN_DISTANCE, 1e-6)


def soft_weights(misses_px: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Cauchy's: what is far off counts less and less, so that it draws nothing along."""
    return 1 / (1 + (misses_px / (_SOFT_SIGMAS * noise_of(misses_px))) ** 2)


def stands_out(typical_px: float, usual_px: float) -> bool:
    """Whether a photo's typical miss is much larger than is usual."""
    return typical_px > max(_MOST_TIMES_USUAL * usual_px, _ALWAYS_FINE_PX)
