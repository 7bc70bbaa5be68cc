"""Opening picture files of strangers; whatever a decoder throws ends in a reason in words.

The one place that opens pictures: which formats are decoded at all, what a header may claim, and
what becomes of a file that lies are decided here, before anything is decoded.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from PIL import Image
from PIL.ImageFile import ImageFile

from recon3d.core.errors import (
    Cancelled,
    InputError,
    ReconError,
    is_lack_of_memory,
    not_enough_memory,
)
from recon3d.photos.kinds import begins_like_a_picture, begins_like_heif, what_else
from recon3d.photos.naming import OTHER_PICTURE_SUFFIXES, RAW_SUFFIXES, VIDEO_SUFFIXES
from recon3d.run.device import Runtime

MAX_PIXELS = 250_000_000
# Pillow warns on stderr from 89 megapixels on, which a good camera has, and of every odd tag;
# what matters becomes an InputError here.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", module=r"PIL\.")

_FORMATS = (
    "JPEG", "MPO", "PNG", "TIFF", "WEBP", "AVIF", "HEIF", "BMP", "GIF", "JPEG2000", "PPM",
)  # fmt: skip
"""What cameras and programs write photos as. Pillow knows many more, some of which start other
programs (EPS starts Ghostscript)."""
_BYTES_PER_PIXEL = 16
"""Pillow's own four, four for its colours, the rest for what is handed out, before and after it is
turned."""
USUAL_BYTES = 2**29
"""A photo of 32 megapixels; less memory is never planned with."""
_BELIEVED_PIXELS, _PIXELS_PER_BYTE = 16_000_000, 1500
"""Larger pictures must be in files that can hold them; a blank one has 170 (JPEG) to 1000 (PNG)
pixels a byte."""
_CAMERA_AGAIN = "Copy it from the camera again."


@contextmanager
def opened(path: Path) -> Iterator[ImageFile]:
    """The image, not yet decoded; what goes wrong with it in the block too becomes an InputError.

    Raises:
        InputError: the file is no image, is broken, or is larger than MAX_PIXELS. The message is
            a reason to be read beside the photo's name.
        NotEnoughMemoryError: the machine has too little memory left to decode it.
    """
    size = (0, 0)
    try:
        file_bytes = _check_file(path)
        with Image.open(path, formats=readable_formats()) as image:
            _check_size(image, file_bytes)
            size = image.size
            needed_bytes = decoding_bytes(*size)
            if needed_bytes > USUAL_BYTES and needed_bytes > Runtime().room_bytes:
                raise MemoryError
            yield image
    except (ReconError, Cancelled):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except Exception as error:  # decoders throw whatever they like at damaged files
        if is_lack_of_memory(error):
            doing = f"decode {path.name}"
            if size[0]:
                doing = f"decode {path.name} of {size[0]}x{size[1]} pixels"
            raise not_enough_memory(doing, decoding_bytes(*size)) from error
        raise _unreadable(path, known=size[0] > 0) from error


def decoding_bytes(width_px: int, height_px: int) -> int:
    """Memory that decoding a picture takes at most, with its pixels as they are handed out."""
    return width_px * height_px * _BYTES_PER_PIXEL


@cache
def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are decoded at all, for libraries that open pictures."""
    _open_heif_too()
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@cache
def _open_heif_too() -> bool:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _check_file(path: Path) -> int:
    """Its size in bytes."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise InputError(
                "it is a link to a file that is not there", hint="Copy the file itself here."
            ) from error
        raise InputError("the file is gone", hint=_CAMERA_AGAIN) from error
    except OSError as error:
        raise InputError(
            f"it cannot be read: {error.strerror}", hint="Check its permissions."
        ) from error
    if kind := what_else(status.st_mode):
        raise InputError(f"it is {kind}, not a file", hint="Move it out of the folder.")
    if status.st_size == 0:
        raise InputError("the file is empty", hint=_CAMERA_AGAIN)
    return status.st_size


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


def _unreadable(path: Path, *, known: bool) -> InputError:
    """known: a decoder knew the file and gave up on its contents."""
    suffix = path.suffix.lower()
    if suffix in RAW_SUFFIXES:
        return InputError("it is a raw photo", hint="Export it as JPEG, TIFF or PNG.")
    if suffix in OTHER_PICTURE_SUFFIXES:
        return InputError(f"{suffix} pictures are not read", hint="Export it as JPEG or PNG.")
    if suffix in VIDEO_SUFFIXES:
        return InputError("it is a video among photos", hint="Give the video alone.")
    if begins_like_heif(path) and not _open_heif_too():
        return InputError("HEIC photos need one more package", hint="Run: pip install '.[heic]'")
    if known or begins_like_a_picture(path):
        return InputError("the file is broken or cut off", hint=_CAMERA_AGAIN)
    return InputError("it is not a photo", hint="Move it out of the folder, or ignore this.")
