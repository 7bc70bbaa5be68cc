"""Dark photos, brought to the brightness that matching is made for."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

_DARK_GREY = 96
"""Photos that are darker than this but for a twentieth of their pixels are brightened: their
texture would drown in the noise that usual photos have."""
_BRIGHT_GREY = 224
_BLACK_GREY = 8
"""Below, there is nothing to see."""


def visible(rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """The photo itself, or a dark one as if exposed for longer; a black one stays."""
    bright = float(np.percentile(rgb[::4, ::4], 95))
    if not _BLACK_GREY <= bright < _DARK_GREY:
        return rgb
    brighter = rgb.astype(np.float32) * np.float32(_BRIGHT_GREY / bright)
    return np.minimum(np.round(brighter), 255).astype(np.uint8)
