"""Image files -> upright 8-bit sRGB pixels, masks and depth; hostile files end in an InputError."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from recon3d.core.errors import InputError
from recon3d.core.scene import Exif
from recon3d.photos.colour import to_srgb
from recon3d.photos.decoding import opened
from recon3d.photos.exif import orientation_of, read_exif
from recon3d.photos.masks import kept

_WHITES = (1.0, 255.0, 4095.0, 65535.0)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
"""From stored to upright pixels, by EXIF orientation."""


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
        stored = _to_8_bits(image)
        coloured, flaw = to_srgb(stored)
        rgb, opaque = _to_rgb(_upright(image, coloured))
        is_plain_jpeg = (
            image.format in ("JPEG", "MPO")
            and mode in ("RGB", "L")
            and coloured is stored
            and orientation_of(image) == 1
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
        small: Image.Image = _to_8_bits(image)
        if small.size != size:
            if small.mode in ("P", "1"):
                small = small.convert("RGBA" if "transparency" in small.info else "RGB")
            small = small.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        small, _ = to_srgb(small)
        rgb, _ = _to_rgb(_upright(image, small))
        if orientation_of(image) >= 5:
            sides = sides[::-1]
    return Preview(rgb, *sides, exif)


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
    """Grey pixels as they are stored, not turned by EXIF: calibration is about the sensor.

    Raises:
        InputError: as `read_picture`.
    """
    with opened(path) as image:
        # A JPEG then skips the colours.
        image.draft("L", None)
        image.load()
        coloured, _ = to_srgb(_to_8_bits(image))
        return np.asarray(coloured.convert("L"))


def read_orientation(path: Path) -> int:
    """The EXIF orientation 1 to 8 of a photo; 1 where it has none or cannot be read."""
    try:
        with opened(path) as image:
            return orientation_of(image)
    except InputError:
        return 1


def read_mask(path: Path, width_px: int, height_px: int) -> Bool[np.ndarray, "h w"]:
    """Read a mask, True = keep, at the size of its photo.

    What keeps is said in `masks`. A mask of another size is resized when its aspect ratio is the
    photo's within 1 %.

    Raises:
        InputError: the mask is broken, does not fit the photo, or hides all of it.
    """
    try:
        with opened(path) as image:
            image.load()
            mask = _upright(image, _to_8_bits(image))
            if abs(mask.width / mask.height * height_px / width_px - 1) > 0.01:
                raise InputError(
                    f"it is {mask.width}x{mask.height}, the photo {width_px}x{height_px}",
                    hint="Make the mask from the upright photo, at its size.",
                )
            keep = kept(mask)
    except InputError as error:
        raise InputError(f"its mask {path.name}: {error}", hint=error.hint) from error
    if keep.shape == (height_px, width_px):
        return keep
    resized = Image.fromarray(keep).resize((width_px, height_px), Image.Resampling.NEAREST)
    return np.asarray(resized, bool)


def read_depth_mm(path: Path) -> Float32[np.ndarray, "h w"]:
    """Read a depth camera's 16-bit image in millimetres as metres; 0 = unknown.

    Raises:
        InputError: the file is broken or is not a 16-bit single-channel image.
    """
    try:
        with opened(path) as image:
            is_depth = image.mode.startswith("I")
            depth_mm = np.asarray(image, np.int64) if is_depth else None
    except InputError as error:
        raise InputError(f"its depth image {path.name}: {error}", hint=error.hint) from error
    if depth_mm is None:
        raise InputError(
            f"its depth image {path.name} is not a 16-bit grey image",
            hint="Depth images hold millimetres in 16 bits, 0 = unknown.",
        )
    known = (depth_mm > 0) & (depth_mm < 65535)
    return np.where(known, depth_mm / 1000, 0).astype(np.float32)


def _upright(source: Image.Image, pixels: Image.Image) -> Image.Image:
    """Pixels of a decoded image, turned as it says.

    The tags stay as they are: writing odd ones, as ImageOps.exif_transpose does, fails. What Pillow
    turns itself while decoding (TIFF, HEIF) has no orientation left.
    """
    turn = _TURNS.get(orientation_of(source))
    return pixels if turn is None else pixels.transpose(turn)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """The same object where it has 8 bits already."""
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


def _to_rgb(
    image: Image.Image,
) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"] | None]:
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        opaque = rgba[..., 3] >= 128
        if not opaque.all():
            return np.where(opaque[..., None], rgba[..., :3], np.uint8(255)), opaque
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB")), None
