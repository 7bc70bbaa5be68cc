"""How sure a photo's GPS is, where drones and phones say so."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from PIL import Image
from PIL.ExifTags import GPS

from recon3d.core.geodesy import GPS_VERTICAL
from recon3d.photos.broken import or_else

_RTK = tuple(
    re.compile(rb"drone-dji:" + name + rb"(?:=\"|>)\s*([-+]?[\d.]+)")
    for name in (b"RtkStdLon", b"RtkStdLat", b"RtkStdHgt")
)
_MOST_XMP_BYTES = 1 << 20
_MOST_M = 1000.0


def read_gps_accuracy(image: Image.Image, gps: Mapping[int, object]) -> tuple[float, float] | None:
    """One standard deviation in metres, horizontally and of the altitude; None where unknown.

    gps: EXIF's tags of the position.

    DJI's RTK drones write it by axis into XMP. GPSHPositioningError of EXIF 2.31 (phones) is
    horizontal; the altitude then counts as usual.
    """
    return or_else(lambda: _rtk(image), None) or or_else(lambda: _horizontal(gps), None)


def _rtk(image: Image.Image) -> tuple[float, float] | None:
    xmp = image.info.get("xmp", b"")
    if not isinstance(xmp, bytes):
        return None
    found = [pattern.search(xmp[:_MOST_XMP_BYTES]) for pattern in _RTK]
    longitude, latitude, altitude = (float(match[1]) if match else 0.0 for match in found)
    return _sane(max(longitude, latitude), altitude)


def _horizontal(gps: Mapping[int, object]) -> tuple[float, float] | None:
    error_m = float(gps[GPS.GPSHPositioningError])  # type: ignore[arg-type]
    return _sane(error_m, GPS_VERTICAL * error_m)


def _sane(horizontal_m: float, vertical_m: float) -> tuple[float, float] | None:
    both = (horizontal_m, vertical_m)
    return both if all(math.isfinite(one) and 0 < one < _MOST_M for one in both) else None
