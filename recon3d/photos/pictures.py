"""Image files -> upright 8-bit sRGB pixels; hostile files end in an InputError."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from recon3d.core.orientation import turn_raster, turned_size
from recon3d.core.scene import Exif
from recon3d.photos.colour import to_srgb
from recon3d.photos.decoding import opened
from recon3d.photos.exif import read_exif, read_orientation

_WHITES = (1.0, 255.0, 4095.0, 65535.0)


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded photo, upright."""

    rgb: UInt8[np.ndarray, "h w 3"]
    opaque: Bool[np.ndarray, "h w"] | None
    """Where a transparent image shows something; None for ordinary photos."""
    exif: Exif
    mode: str
    """Pillow's name of the stored pixels: RGB, L, 1, I;16, ..."""
    is_plain_jpeg: bool
    """The file itself, byte by byte, is an upright 8-bit RGB or grey JPEG in sRGB."""
    flaw: str
    """What makes its colours worse than they look, in words; empty for a good photo."""


@dataclass(frozen=True, eq=False)
class Preview:
    """A photo made small for a screen, upright."""

    rgb: UInt8[np.ndarray, "h w 3"]
    width_px: int
    """Of the whole photo, upright."""
    height_px: int
    exif: Exif


def read_picture(path: Path) -> Picture:
    """Decode a photo, apply its EXIF orientation once, and bring it to 8-bit sRGB.

    16-bit values are scaled by 65535, or by 4095 or 255 when none is larger (12-bit cameras).
    Transparent pixels become white. Of an animation or a multi-page file the first picture
    counts.

    Raises:
        InputError: as `opened`.
        NotEnoughMemoryError: the machine has too little memory left to decode it.
    """
    with opened(path) as image:
        exif = read_exif(image)
        mode = image.mode
        image.load()
        stored = to_8_bits(image)
        coloured, flaw = to_srgb(stored)
        rgb, opaque = _to_upright_rgb(coloured, read_orientation(image))
        is_plain_jpeg = (
            image.format in ("JPEG", "MPO")
            and mode in ("RGB", "L")
            and coloured is stored
            and exif.orientation == 1
        )
    return Picture(rgb, opaque, exif, mode, is_plain_jpeg, flaw)


def read_preview(path: Path, longest_px: int) -> Preview:
    """Decode a photo as `read_picture` does, its longer side at most `longest_px`.

    Raises:
        InputError: as `read_picture`.
    """
    with opened(path) as image:
        exif = read_exif(image)
        sides = image.size
        factor = min(1.0, longest_px / max(sides))
        size = (max(1, round(sides[0] * factor)), max(1, round(sides[1] * factor)))
        # A JPEG decoder skips most of the work where an eighth of the size will do.
        image.draft("RGB", size)
        image.load()
        small: Image.Image = to_8_bits(image)
        if small.size != size:
            if small.mode in ("P", "1"):
                small = small.convert("RGBA" if "transparency" in small.info else "RGB")
            small = small.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        small, _ = to_srgb(small)
        # Known only now: what Pillow turns while decoding has its upright size from the start.
        orientation = read_orientation(image)
        rgb, _ = _to_upright_rgb(small, orientation)
    return Preview(rgb, *turned_size(sides, orientation), exif)


def read_size(path: Path) -> tuple[int, int]:
    """Width and height as they are stored; nothing is decoded.

    Raises:
        InputError: as `read_picture`.
    """
    with opened(path) as image:
        return image.size


def read_upright(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels alone.

    Raises:
        InputError: as `read_picture`.
    """
    return read_picture(path).rgb


def read_grey(path: Path) -> UInt8[np.ndarray, "h w"]:
    """Grey pixels as they are stored: calibration is about the sensor.

    Neither turned by EXIF nor brought to sRGB, which moves where a blurred edge is in the middle.

    Raises:
        InputError: as `read_picture`.
    """
    with opened(path) as image:
        # A JPEG then skips the colours.
        image.draft("L", None)
        image.load()
        return np.asarray(to_8_bits(image).convert("L"))


def to_8_bits(image: Image.Image) -> Image.Image:
    """A decoded image with 8 bits a channel; the same object where it has them already."""
    if not (image.mode.startswith("I") or image.mode == "F"):
        return image
    values = np.nan_to_num(
        np.asarray(image, np.float32), copy=False, nan=0.0, posinf=0.0, neginf=0.0
    ).clip(min=0)
    largest = float(values.max())
    # Few steps, so that the photos of one camera get the same exposure; floats end at 1.
    white = next((top for top in _WHITES if largest <= top), largest)
    values *= 255 / white
    grey = Image.fromarray(np.rint(values, out=values).astype(np.uint8))
    if "icc_profile" in image.info:
        grey.info["icc_profile"] = image.info["icc_profile"]
    return grey


def _to_upright_rgb(
    image: Image.Image, orientation: int
) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"] | None]:
    """And where it shows something, unless it does so everywhere.

    The tags stay as they are: writing odd ones, as ImageOps.exif_transpose does, fails.
    """
    if image.has_transparency_data:
        rgba = turn_raster(np.asarray(image.convert("RGBA")), orientation)
        opaque = np.ascontiguousarray(rgba[..., 3] >= 128)
        if not opaque.all():
            white = np.where(opaque[..., None], rgba[..., :3], np.uint8(255))
            return np.ascontiguousarray(white), opaque
    rgb = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    return np.ascontiguousarray(turn_raster(rgb, orientation)), None
