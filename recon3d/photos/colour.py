"""The colours of a picture -> sRGB, by the profile it carries; one without stays as it is.

Phones write Display P3 and cameras can write Adobe RGB; their numbers, taken for sRGB, are up to a
fifth too pale.
"""

from __future__ import annotations

import io
import struct
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base

from recon3d.photos.broken import or_else

_SRGB = ImageCms.createProfile("sRGB")
# What is no more than this many grey levels from sRGB is left byte for byte: makers' own profiles
# of it differ by a level where one of them rounds.
_SAME = 2
_PIXEL_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK", "LAB ": "LAB"}
"""Pillow's mode of pixels for a profile's colour space (ICC.1, 7.2.6)."""
_INTEROPERABILITY_INDEX, _ADOBE_RGB = 1, 2


def to_srgb(image: Image.Image) -> tuple[Image.Image, str]:
    """An 8-bit picture in sRGB, and what is wrong with its colours in words, empty where nothing.

    It is the same object where an opaque picture has no profile, or one that is sRGB itself or
    cannot be used. Conversion is relative colorimetric with black point compensation, as programs
    for photos do it. Transparency is kept.
    """
    profile = _profile(image)
    if profile is None:
        return image, ""
    if image.has_transparency_data and "A" not in image.getbands():  # palettes
        image = image.convert("RGBA")
    mode, transform = _conversion(profile)
    plain = _as_pixels_of(mode, image)
    if plain is None:
        return image, "its colour profile cannot be used, so its colours are taken for sRGB"
    if transform is None:
        return image, ""
    converted = ImageCms.applyTransform(plain, transform)
    assert converted is not None  # only in place there is no result
    if "A" in image.getbands():
        converted.putalpha(image.getchannel("A"))
    return converted, ""


def _profile(image: Image.Image) -> bytes | None:
    if profile := image.info.get("icc_profile"):
        return bytes(profile)
    if image.mode == "LAB":
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    return _adobe_rgb() if image.mode == "RGB" and _says_adobe_rgb(image) else None


def _says_adobe_rgb(image: Image.Image) -> bool:
    """In EXIF alone, as Canon's cameras do: by DCF 2.0 (3.3.1.5), or by a number of their own."""

    def read(directory: IFD, tag: int) -> object:
        return or_else(lambda: image.getexif().get_ifd(directory).get(tag), None)

    by_dcf = read(IFD.Interop, _INTEROPERABILITY_INDEX) == "R03"
    return by_dcf or read(IFD.Exif, Base.ColorSpace) == _ADOBE_RGB


def _as_pixels_of(mode: str, image: Image.Image) -> Image.Image | None:
    """The picture's pixels as a profile of that mode wants them; None where they are others."""
    if image.mode == mode:
        return image
    if mode == "L" and image.mode in ("LA", "1"):
        return image.convert("L")
    if mode == "RGB" and image.mode not in ("CMYK", "LAB", "I", "F"):
        return image.convert("RGB")
    return None


@lru_cache(64)
def _conversion(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """Pillow's mode of the pixels that a profile describes, and the way from there to sRGB.

    No mode where the profile is damaged or of a kind that no camera writes, no way where it would
    change nothing. Kept, because the photos of a folder share their profile.
    """
    built = or_else(lambda: _build(profile), None)
    if built is None:
        return "", None
    mode, transform = built
    if mode in ("RGB", "L"):
        levels = np.arange(0, 256, 15, dtype=np.uint8)
        grid = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(len(levels), -1, 3)
        before = Image.fromarray(grid if mode == "RGB" else grid[..., 0])
        after = ImageCms.applyTransform(before, transform)
        change = np.asarray(after, np.int16) - np.asarray(before.convert("RGB"))
        if np.abs(change).max() <= _SAME:
            return mode, None
    return mode, transform


def _build(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform]:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    mode = _PIXEL_MODES[source.profile.xcolor_space]
    return mode, ImageCms.buildTransform(
        source,
        _SRGB,
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


@cache
def _adobe_rgb() -> bytes:
    """The profile of Adobe RGB (1998) from its definition: primaries, adapted to D50, and gamma."""

    def place(x: float, y: float, z: float) -> bytes:
        return struct.pack(">4s4x3i", b"XYZ ", *(round(value * 65536) for value in (x, y, z)))

    gamma = struct.pack(">4s4xIHxx", b"curv", 1, round(2.19921875 * 256))
    tags = {
        b"wtpt": place(0.9642, 1.0, 0.8249),
        b"rXYZ": place(0.60974, 0.31111, 0.01947),
        b"gXYZ": place(0.20528, 0.62567, 0.06087),
        b"bXYZ": place(0.14919, 0.06322, 0.74457),
        b"rTRC": gamma, b"gTRC": gamma, b"bTRC": gamma,
    }  # fmt: skip
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content
    head = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x", start + len(body), 0x02400000, b"mntr", b"RGB ", b"XYZ ",
        b"acsp", 63190, 65536, 54061,
    )  # fmt: skip
    return head + table + body
