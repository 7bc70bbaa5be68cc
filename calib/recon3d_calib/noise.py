"""What is noise and what is wrong, among distances from where things should be."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from recon3d.sfm.least_squares import noise_of

_SOFT_SIGMAS = 2.0
_MOST_TIMES_USUAL = 3.5
# Below, a photo is fine whatever the others are.
_ALWAYS_FINE_PX = 0.15


def soft_weights(misses_px: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Cauchy's: what is far off counts less and less, so that it draws nothing along."""
    return 1 / (1 + (misses_px / (_SOFT_SIGMAS * noise_of(misses_px))) ** 2)


def stands_out(typical_px: float, usual_px: float) -> bool:
    """Whether a photo's typical miss is much larger than is usual."""
    return typical_px > max(_MOST_TIMES_USUAL * usual_px, _ALWAYS_FINE_PX)
