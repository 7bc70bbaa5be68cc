"""What a mask keeps, however the program that made it writes that down."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool
from PIL import Image

from recon3d.core.errors import InputError

_HALF = 128
_EXPECTED = (
    "In masks white (255) keeps and black (0) hides; 1 and 0 will do, and so will a cut-out, "
    "whose transparent part is hidden."
)


def kept(mask: Image.Image) -> Bool[np.ndarray, "h w"]:
    """True = keep, of a mask of 8 bits a channel.

    - A cut-out (transparency of any kind) keeps what is opaque, however dark it is.
    - Coloured labels keep every colour but black.
    - Grey keeps 128 or more; where all is darker, whatever is there in a single level beside 0,
      as in arrays of 0 and 1.

    Raises:
        InputError: nothing is kept, or it is unclear what is.
    """
    if mask.has_transparency_data:
        opaque = np.asarray(mask.convert("RGBA").getchannel("A")) >= _HALF
        if not opaque.all():
            return _some(opaque)
    if mask.mode == "1":
        return _some(np.asarray(mask))
    rgb = np.asarray(mask.convert("RGB"))
    brightest = rgb.max(axis=2)
    if mask.mode == "P" and (rgb != rgb[..., :1]).any():
        return _some(brightest > 0)
    if brightest.max() >= _HALF:
        return brightest >= _HALF
    levels = np.unique(brightest)
    if len(levels) > 2:
        raise InputError(
            f"it has {len(levels)} levels from {levels[0]} to {levels[-1]}, none of them white",
            hint=_EXPECTED,
        )
    return _some(brightest > 0)


def _some(keep: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    if not keep.any():
        raise InputError("it hides all of the photo", hint=_EXPECTED)
    return keep
