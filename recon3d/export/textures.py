"""How colours go into files."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from jaxtyping import UInt8

from recon3d.core.errors import OutputError
from recon3d.core.ranges import Range, check_ranges
from recon3d.georef.crs import check_metres, parse_crs

TextureFormat = Literal["jpeg", "png", "webp"]

SUFFIXES: dict[TextureFormat, str] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
# What the file formats themselves can hold.
_LARGEST_PX: dict[TextureFormat, int] = {"jpeg": 65500, "png": 1 << 20, "webp": 16383}


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """How models are written; changing it computes nothing again."""

    texture_format: TextureFormat = "jpeg"
    """jpeg is small and read everywhere, png keeps every level but is some ten times larger, webp
    is the smallest, but older programs do not read it (USDZ gets JPEG instead)."""

    texture_quality: Annotated[int, Range(least=1, most=100)] = 92
    """Of JPEG and WebP, 1 to 100; below about 80 fine grain turns to blocks."""

    unlit: bool = False
    """Show the photos' colours as they are, whatever lights there are (GLB only). Without it lights
    shine on the model, so that it can be lit anew."""

    quality: bool = False
    """Say how exact each place is: the error that can be expected there (one standard deviation, in
    the model's unit), as `quality` of the vertices of .ply, and as colours in a file beside .glb,
    scene_quality.glb. Takes about a second for a photo."""

    page_photos: bool = True
    """Put small pictures of the photos into web pages (`recon3d share`); without them only the
    places of the cameras are shown."""

    crs: str = ""
    """Coordinate reference system of .las and .laz files, such as EPSG:25832; needs ground control
    points, poses far from their origin, or GPS. Without it that of the points is taken, and for GPS
    the UTM zone. Meshes keep 0,0,0 near themselves; the report says where that is."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_ranges(self, "export")
        if self.crs:
            check_metres(parse_crs(self.crs, "--crs"), "--crs")


def encode_page(rgb: UInt8[np.ndarray, "h w 3"], form: TextureFormat, quality: int) -> bytes:
    """Compress one page of a texture.

    Raises:
        OutputError: the page is larger than the format allows.
    """
    from PIL import Image

    longest_px = max(rgb.shape[:2])
    if longest_px > _LARGEST_PX[form]:
        raise OutputError(
            f"A texture of {longest_px} pixels does not fit into {form}, "
            f"which holds {_LARGEST_PX[form]} at most.",
            hint="Choose --export.texture-format jpeg or png, or smaller textures.",
        )
    # Full colour resolution: half of it bleeds across the borders between charts.
    options: dict[TextureFormat, dict[str, int]] = {
        "jpeg": {"quality": quality, "subsampling": 0},
        "png": {},
        "webp": {"quality": quality},
    }
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, form, **options[form])
    return stream.getvalue()


def linear_from_srgb(rgb: UInt8[np.ndarray, "*n 3"]) -> np.ndarray:
    """Light, 0 to 1, as float32: what glTF and USD mean by a vertex's colour."""
    return _LINEAR[rgb]


def _linear_table() -> np.ndarray:
    encoded = np.arange(256) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


_LINEAR = _linear_table()
