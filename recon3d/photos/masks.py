"""What a mask keeps, however the program that made it writes that down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from recon3d.core.errors import InputError
from recon3d.core.orientation import DescribedPixels, Size, as_shown, same_shape, turn_raster
from recon3d.photos.decoding import opened
from recon3d.photos.exif import read_orientation
from recon3d.photos.pictures import to_8_bits

_HALF = 128
_HIDDEN_RGB = (200, 40, 40)
_EXPECTED = (
    "In masks white (255) keeps and black (0) hides; 1 and 0 will do, and so will a cut-out, "
    "whose transparent part is hidden."
)


def read_mask(
    path: Path, size: Size, orientation: int = 1, described: DescribedPixels = "auto"
) -> Bool[np.ndarray, "h w"]:
    """Read a mask, True = keep, at the size of its photo.

    A mask of another size is resized when its aspect ratio is the photo's within 1 %.

    Args:
        path: The mask.
        size: Width and height of the upright photo.
        orientation: How EXIF turned the photo; a mask of its stored pixels is turned along.
        described: Which pixels masks are for; upright where neither this nor the size decides.

    Raises:
        InputError: the mask is broken, does not fit the photo, or hides all of it.
    """
    try:
        with opened(path) as image:
            image.load()
            keep = turn_raster(_kept(to_8_bits(image)), read_orientation(image))
    except InputError as error:
        raise InputError(f"its mask {path.name}: {error}", hint=error.hint) from error
    keep = as_shown(keep, size, orientation, described, "upright")
    height_px, width_px = keep.shape
    if not same_shape((width_px, height_px), size):
        raise InputError(
            f"its mask {path.name} is {width_px}x{height_px}, the photo {size[0]}x{size[1]}",
            hint="Make the mask from the photo as viewers show it, at its size.",
        )
    if (width_px, height_px) != size:
        keep = np.asarray(Image.fromarray(keep).resize(size, Image.Resampling.NEAREST), bool)
    return keep


def hidden_in_red(
    rgb: UInt8[np.ndarray, "h w 3"], keep: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """A photo for people, what its mask hides in red."""
    import cv2

    levels = 0.4 * np.arange(256)[:, None] + 0.6 * np.array(_HIDDEN_RGB)
    red = np.asarray(cv2.LUT(np.ascontiguousarray(rgb), levels.astype(np.uint8)[None]), np.uint8)
    red[keep] = rgb[keep]
    return red


def _kept(mask: Image.Image) -> Bool[np.ndarray, "h w"]:
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
