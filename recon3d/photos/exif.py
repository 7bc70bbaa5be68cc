"""What a photo says of itself; broken EXIF reads as if there were none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from recon3d.core.scene import Exif
from recon3d.photos.broken import or_else
from recon3d.photos.gps_accuracy import read_gps_accuracy
from recon3d.photos.gravity import read_down

_FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}

Tags = Mapping[int, object]


def read_exif(image: Image.Image) -> Exif:
    """Read the tags of an image that may still be sideways; sizes and focal are rotation-proof."""
    exif = or_else(image.getexif, Image.Exif())
    main = _readable(exif)
    detail = {**main, **_readable(or_else(lambda: exif.get_ifd(IFD.Exif), {}))}
    gps = _readable(or_else(lambda: exif.get_ifd(IFD.GPSInfo), {}))
    orientation = read_orientation(image)
    return Exif(
        make=_text(main.get(Base.Make)),
        model=_text(main.get(Base.Model)),
        focal_px=_focal_px(detail, *image.size),
        gps_deg_m=(place := _gps_deg_m(gps)),
        gps_std_m=place and read_gps_accuracy(image, gps),
        taken_at=_time(detail.get(Base.DateTimeOriginal) or main.get(Base.DateTime)),
        down_cam=read_down(image, orientation),
        orientation=orientation,
    )


def _readable(tags: Mapping[int, object]) -> Tags:
    """The tags without those that cannot be read: one odd one must not cost the others."""
    numbers: list[int] = or_else(lambda: list(tags), [])
    found = ((number, or_else(partial(tags.get, number), None)) for number in numbers)
    return {number: value for number, value in found if value is not None}


def read_orientation(image: Image.Image) -> int:
    """EXIF's orientation 1 to 8; 1 where there is none or it cannot be read.

    Pillow turns some formats itself while it decodes them (TIFF); then it is 1 afterwards.
    """
    value = or_else(lambda: image.getexif().get(Base.Orientation), None)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _focal_px(tags: Tags, width_px: int, height_px: int) -> float | None:
    """Focal length of the photo as it is, resized or not; None where a crop made EXIF wrong."""
    taken_width = _number(tags.get(Base.ExifImageWidth)) or width_px
    taken_height = _number(tags.get(Base.ExifImageHeight)) or height_px
    aspect = max(width_px, height_px) / min(width_px, height_px)
    taken_aspect = max(taken_width, taken_height) / min(taken_width, taken_height)
    if abs(aspect / taken_aspect - 1) > 0.02:
        return None
    shrunk = max(width_px, height_px) / max(taken_width, taken_height)
    for focal_px in (
        # CIPA DCG-001: the 35 mm equivalent compares diagonals.
        _product(
            tags.get(Base.FocalLengthIn35mmFilm),
            math.hypot(width_px, height_px) / _FULL_FRAME_DIAGONAL_MM,
        ),
        _product(tags.get(Base.FocalLength), _pixels_per_mm(tags), shrunk),
    ):
        # From a 150 degree fisheye to a 1200 mm telephoto lens.
        if focal_px and 0.2 < focal_px / max(width_px, height_px) < 40:
            return focal_px
    return None


def _pixels_per_mm(tags: Tags) -> float | None:
    unit = _number(tags.get(Base.FocalPlaneResolutionUnit)) or 2
    density = _number(tags.get(Base.FocalPlaneXResolution))
    width_px = _number(tags.get(Base.ExifImageWidth))
    mm = _MM_PER_UNIT.get(int(unit))
    if density is None or mm is None or width_px is None:
        return None
    # Sensors are 2 to 70 mm wide; some cameras write the density of their thumbnail.
    return density / mm if 2 <= width_px / (density / mm) <= 70 else None


def _product(*factors: object) -> float | None:
    numbers = [_number(factor) for factor in factors]
    return math.prod(n for n in numbers if n) if all(numbers) else None


def _number(value: object) -> float | None:
    """A finite number above zero, or None."""
    number = or_else(lambda: float(value), math.nan)  # type: ignore[arg-type]
    return number if math.isfinite(number) and number > 0 else None


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    text = "".join(char for char in value if char.isprintable()).strip()
    return text[:80] or None


def _time(value: object) -> str | None:
    text = str(value)[:19]
    return or_else(lambda: datetime.strptime(text, "%Y:%m:%d %H:%M:%S").isoformat(), None)


def _gps_deg_m(tags: Tags) -> tuple[float, float, float] | None:
    place = or_else(lambda: _place(tags), None)
    if place is None:
        return None
    latitude, longitude, altitude = place
    sane = abs(latitude) <= 90 and abs(longitude) <= 180 and abs(altitude) < 1e5
    return place if sane else None


def _place(tags: Tags) -> tuple[float, float, float]:
    altitude = float(tags[GPS.GPSAltitude])  # type: ignore[arg-type]
    return (
        _degrees(tags[GPS.GPSLatitude], tags.get(GPS.GPSLatitudeRef) == "S"),
        _degrees(tags[GPS.GPSLongitude], tags.get(GPS.GPSLongitudeRef) == "W"),
        -altitude if tags.get(GPS.GPSAltitudeRef) in (b"\x01", 1) else altitude,
    )


def _degrees(value: object, negative: bool) -> float:
    degrees, minutes, seconds = (float(part) for part in value)  # type: ignore[attr-defined]
    return (-1 if negative else 1) * (degrees + minutes / 60 + seconds / 3600)
