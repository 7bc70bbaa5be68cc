"""Image files -> upright 8-bit pixels, masks and depth; hostile files end in an InputError."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Shaped, UInt8, UInt16
from PIL import Image, ImageOps

from recon3d.core.errors import InputError, is_lack_of_memory, not_enough_memory
from recon3d.core.orientation import (
    Pixels,
    PixelsTold,
    Size,
    described_pixels,
    same_shape,
    turn_raster,
)
from recon3d.core.scene import Exif
from recon3d.photos.broken import BROKEN
from recon3d.photos.exif import read_exif, read_orientation
from recon3d.photos.naming import RAW_SUFFIXES, VIDEO_SUFFIXES

MAX_PIXELS = 250_000_000
# Pillow warns on stderr from 89 megapixels on, which a good camera has, and of every odd tag;
# what matters becomes an InputError here.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", module=r"PIL\.")

_BYTES_PER_PIXEL = 11
"""Pillow's own four, four more for the upright copy, and three for what is handed out."""
_BELIEVED_PIXELS, _PIXELS_PER_BYTE = 16_000_000, 1500
"""Larger pictures must be in files that can hold them; a blank one has 170 (JPEG) to 1000 (PNG)
pixels a byte."""
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
    """The file itself, byte by byte, is an upright 8-bit RGB or grey JPEG."""


@dataclass(frozen=True, eq=False)
class Preview:
    """A photo made small for a screen, upright."""

    rgb: UInt8[np.ndarray, "h w 3"]
    width_px: int
    """Of the whole photo, upright."""
    height_px: int
    exif: Exif


def read_picture(path: Path) -> Picture:
    """Decode a photo, apply its EXIF orientation once, and bring it to 8-bit RGB.

    16-bit values are scaled by 65535, or by 4095 or 255 when none is larger (12-bit cameras).
    Transparent pixels become white. Of an animation or a multi-page file the first picture
    counts.

    Raises:
        InputError: the file is no image, is broken, or is larger than MAX_PIXELS. The message is
            a reason to be read beside the photo's name.
        NotEnoughMemoryError: the machine has too little memory left to decode it.
    """
    with _opened(path) as image:
        exif = read_exif(image)
        mode = image.mode
        upright = ImageOps.exif_transpose(image)
        image.load()
        is_jpeg = image.format in ("JPEG", "MPO") and mode in ("RGB", "L")
        is_upright = read_orientation(image) == 1
        rgb, opaque = _to_rgb(upright)
    return Picture(rgb, opaque, exif, mode, is_jpeg and is_upright)


def read_preview(path: Path, longest_px: int) -> Preview:
    """Decode a photo as `read_picture` does, its longer side at most `longest_px`.

    Raises:
        InputError: as `read_picture`.
    """
    with _opened(path) as image:
        exif = read_exif(image)
        sides = image.size[::-1] if read_orientation(image) >= 5 else image.size
        factor = min(1.0, longest_px / max(sides))
        size = (max(1, round(sides[0] * factor)), max(1, round(sides[1] * factor)))
        # A JPEG decoder skips most of the work where an eighth of the size will do.
        image.draft("RGB", size[::-1] if sides != image.size else size)
        rgb, _ = _to_rgb(ImageOps.exif_transpose(image))
        if rgb.shape[1::-1] != size:
            rgb = np.asarray(Image.fromarray(rgb).resize(size, reducing_gap=2.0))
    return Preview(rgb, *sides, exif)


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
    with _opened(path) as image:
        if image.mode.startswith("I") or image.mode == "F":
            return _to_8_bit(np.asarray(image))
        # A JPEG then skips the colours.
        image.draft("L", None)
        return np.asarray(image.convert("L"))


def read_mask(
    path: Path, size: Size, orientation: int = 1, told: PixelsTold = "auto"
) -> Bool[np.ndarray, "h w"]:
    """Read a mask, True = keep, at the size of its photo.

    Keep means bright (128 or more) and not transparent. A mask of another size is resized when
    its aspect ratio is the photo's within 1 %.

    Args:
        path: The mask.
        size: Width and height of the upright photo.
        orientation: How EXIF turned the photo; a mask of its stored pixels is turned along.
        told: Which pixels masks are for; upright where neither this nor the size decides.

    Raises:
        InputError: the mask is broken or does not fit the photo.
    """
    try:
        picture = read_picture(path)
    except InputError as error:
        raise InputError(f"its mask {path.name}: {error}", hint=error.hint) from error
    keep = np.asarray(picture.rgb.max(axis=2) >= 128, bool)
    if picture.opaque is not None:
        keep &= picture.opaque
    keep = _as_shown(keep, size, orientation, told, "upright")
    height, width = keep.shape
    if not same_shape((width, height), size):
        raise InputError(
            f"its mask {path.name} is {width}x{height}, the photo {size[0]}x{size[1]}",
            hint="Make the mask from the photo as viewers show it, at its size.",
        )
    if (width, height) == size:
        return keep
    resized = Image.fromarray(keep).resize(size, Image.Resampling.NEAREST)
    return np.asarray(resized, bool)


def read_depth_m(path: Path, unit_m: float) -> Float32[np.ndarray, "h w"]:
    """Read a depth camera's 16-bit image as metres; 0 = unknown.

    unit_m: metres of one grey level.

    Raises:
        InputError: the file is broken or is not a 16-bit single-channel image.
    """
    levels = read_depth_levels(path)
    return (levels * np.float64(unit_m)).astype(np.float32)


def read_depth_levels(path: Path) -> UInt16[np.ndarray, "h w"]:
    """The grey levels of a depth camera's 16-bit image; 0 = unknown.

    Raises:
        InputError: as `read_depth_m`.
    """
    try:
        with _opened(path) as image:
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


def turned_depth(
    stored: Shaped[np.ndarray, "h w"], size: Size, orientation: int, told: PixelsTold
) -> Shaped[np.ndarray, "i j"]:
    """A depth map, at any size, as the upright photo of the given size shows it.

    Depth cameras know nothing of EXIF: what the size does not decide is for the stored pixels.
    """
    return _as_shown(stored, size, orientation, told, "stored")


def _as_shown(
    values: np.ndarray, size: Size, orientation: int, told: PixelsTold, usual: Pixels
) -> np.ndarray:
    height, width = values.shape[:2]
    pixels = described_pixels((width, height), size, orientation)
    chosen = told if told != "auto" else pixels or usual
    return turn_raster(values, orientation) if chosen == "stored" else values


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image, not yet decoded; what goes wrong with it becomes a reason in words."""
    size = (0, 0)
    try:
        _open_heif_too()
        with Image.open(path) as image:
            _check_size(image, path.stat().st_size)
            size = image.size
            yield image
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except (*BROKEN, MemoryError) as error:
        if is_lack_of_memory(error):
            pixels = f" of {size[0]}x{size[1]} pixels" if size[0] else ""
            needed_bytes = size[0] * size[1] * _BYTES_PER_PIXEL
            raise not_enough_memory(f"decode {path.name}{pixels}", needed_bytes) from error
        raise _unreadable(path) from error


def _to_rgb(
    image: Image.Image,
) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"] | None]:
    if image.mode.startswith("I") or image.mode == "F":
        grey = _to_8_bit(np.asarray(image))
        return np.repeat(grey[..., None], 3, axis=2), None
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        rgba = np.asarray(image.convert("RGBA"))
        opaque = rgba[..., 3] >= 128
        if not opaque.all():
            return np.where(opaque[..., None], rgba[..., :3], np.uint8(255)), opaque
    return np.asarray(image.convert("RGB")), None


def _to_8_bit(values: np.ndarray) -> UInt8[np.ndarray, "h w"]:
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0).clip(min=0)
    largest = float(values.max())
    # Few steps, so that the photos of one camera get the same exposure; floats end at 1.
    white = next((top for top in _WHITES if largest <= top), largest)
    return np.round(values * (255 / white)).astype(np.uint8)


def _check_size(image: Image.Image, file_bytes: int) -> None:
    # 65500 is the longest side of a JPEG.
    if image.width * image.height > MAX_PIXELS or max(image.size) > 65_500:
        raise _too_large()
    pixels = image.width * image.height
    # A header of some hundred bytes must not take gigabytes: no photo is packed so tightly.
    if pixels > max(_BELIEVED_PIXELS, _PIXELS_PER_BYTE * file_bytes):
        raise InputError(
            f"it claims {image.width} x {image.height} pixels in {file_bytes} bytes",
            hint="It is cut off or was made to do harm; copy it from the camera again.",
        )


def _too_large() -> InputError:
    return InputError(
        f"it is larger than {MAX_PIXELS // 10**6} megapixels or 65500 pixels on one side",
        hint="Save it smaller; 24 megapixels are plenty.",
    )


def _unreadable(path: Path) -> InputError:
    suffix = path.suffix.lower()
    if not path.exists() or path.stat().st_size == 0:
        return InputError("the file is empty", hint="Copy it from the camera again.")
    if suffix in RAW_SUFFIXES:
        return InputError("it is a raw photo", hint="Export it as JPEG, TIFF or PNG.")
    if suffix in VIDEO_SUFFIXES:
        return InputError("it is a video among photos", hint="Give the video alone.")
    if _is_heif(path) and not _open_heif_too():
        return InputError("HEIC photos need one more package", hint="Run: pip install '.[heic]'")
    try:
        with Image.open(path):
            pass
    except BROKEN:
        return InputError("it is not a photo", hint="Move it out of the folder, or ignore this.")
    return InputError("the file is broken or cut off", hint="Copy it from the camera again.")


def _is_heif(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
    except OSError:
        return False
    return head[4:8] == b"ftyp" and head[8:12] in (
        b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1",
    )  # fmt: skip


@cache
def _open_heif_too() -> bool:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True
