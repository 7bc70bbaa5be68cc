"""A depth camera's 16-bit images: whole levels on the disk, metres in the program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt16

from recon3d.core.errors import InputError
from recon3d.core.orientation import DescribedPixels, Size, as_shown
from recon3d.photos.decoding import opened


def read_depth_m(path: Path, unit_m: float) -> Float32[np.ndarray, "h w"]:
    """Read a depth image as metres; 0 = unknown.

    unit_m: metres of one grey level.

    Raises:
        InputError: the file is broken or is not a 16-bit single-channel image.
    """
    return (_read_levels(path) * np.float64(unit_m)).astype(np.float32)


def read_depth_levels(
    path: Path, size: Size, orientation: int, described: DescribedPixels
) -> UInt16[np.ndarray, "h w"]:
    """The grey levels as the upright photo shows them, at any size; 0 = unknown.

    Args:
        path: The depth image.
        size: Width and height of the upright photo.
        orientation: How EXIF turned the photo.
        described: Which pixels depth is for. Depth cameras know nothing of EXIF: where neither
            this nor the size decides, it is for the stored ones.

    Raises:
        InputError: as `read_depth_m`, or it does not fit the photo.
    """
    levels = as_shown(_read_levels(path), size, orientation, described, "stored")
    height_px, width_px = levels.shape
    # Depth sensors have an aspect ratio of their own, a little off the photo's.
    if abs(width_px / height_px * size[1] / size[0] - 1) > 0.02:
        raise InputError(
            f"its depth image is {width_px}x{height_px}, the photo {size[0]}x{size[1]}",
            hint="Depth images must show what the photo shows, at any size.",
        )
    return np.ascontiguousarray(levels)


def _read_levels(path: Path) -> UInt16[np.ndarray, "h w"]:
    try:
        with opened(path) as image:
            is_depth = image.mode.startswith("I")
            levels = np.asarray(image, np.int64) if is_depth else None
    except InputError as error:
        raise InputError(f"its depth image {path.name}: {error}", hint=error.hint) from error
    if levels is None:
        raise InputError(
            f"its depth image {path.name} is not a 16-bit grey image",
            hint="Depth images hold whole numbers in 16 bits, 0 = unknown; --depth-unit says "
            "what one is in metres.",
        )
    known = (levels > 0) & (levels < 65535)
    return np.where(known, levels, 0).astype(np.uint16)
