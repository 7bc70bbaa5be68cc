"""How sure GPS is, as drones and phones write it."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD
from PIL.TiffImagePlugin import IFDRational

from recon3d.photos.exif import read_exif

PLACE = {
    GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (52.0, 30.0, 0.0), GPS.GPSLongitudeRef: "E",
    GPS.GPSLongitude: (13.0, 24.0, 0.0), GPS.GPSAltitude: 120.0,
}  # fmt: skip
RTK = (
    '<rdf:Description drone-dji:RtkFlag="50" drone-dji:RtkStdLon="0.01201" '
    'drone-dji:RtkStdLat="0.01530" drone-dji:RtkStdHgt="0.02910"/>'
)


def accuracy(tags: dict[int, object], xmp: str = "") -> tuple[float, float] | None:
    image, exif, file = Image.new("RGB", (40, 30)), Image.Exif(), BytesIO()
    exif.get_ifd(IFD.GPSInfo).update(tags)
    image.save(file, "JPEG", exif=exif, xmp=xmp.encode())
    return read_exif(Image.open(file)).gps_std_m


def test_a_drone_with_rtk_says_it_by_axis_and_a_phone_by_one_number() -> None:
    assert accuracy(PLACE, RTK) == (0.0153, 0.0291)
    assert accuracy({**PLACE, GPS.GPSHPositioningError: IFDRational(47, 10)}) == (4.7, 9.4)
    # The drone's own words are the surer ones.
    assert accuracy({**PLACE, GPS.GPSHPositioningError: 3.0}, RTK) == (0.0153, 0.0291)


@pytest.mark.parametrize(
    ("tags", "xmp"),
    [
        (PLACE, ""),
        ({}, RTK),
        ({**PLACE, GPS.GPSHPositioningError: 0.0}, ""),
        ({**PLACE, GPS.GPSHPositioningError: IFDRational(1, 0)}, ""),
        (PLACE, RTK.replace("0.01530", "1.2.3")),
        (PLACE, RTK.replace("0.02910", "0.00000")),
    ],
)
def test_what_is_missing_or_odd_is_unknown(tags: dict[int, object], xmp: str) -> None:
    assert accuracy(tags, xmp) is None
