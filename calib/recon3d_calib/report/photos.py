"""The report of photos without a board."""

from __future__ import annotations

from pathlib import Path

from recon3d_calib.calibrate import PhotoResult
from recon3d_calib.from_photos import SelfCalibration, SelfCalibrations
from recon3d_calib.photo_warnings import grade, verdict, warnings
from recon3d_calib.places import draw_places
from recon3d_calib.plots import draw_coverage, draw_residuals
from recon3d_calib.quality import percent, worst_first
from recon3d_calib.report.paper import BADGES, value_rows, write_page
from recon3d_calib.report.pictures import data_uri


def write_photos_report(target: Path, found: SelfCalibrations) -> None:
    """Write the page.

    Raises:
        OutputError: the place cannot be written.
    """
    out = [PhotoResult(photo_id, False, reason) for photo_id, reason in found.left_out.items()]
    sizes = {
        photo.photo_id: each.intrinsics.pinhole.width_px
        for each in found.cameras
        for photo in each.used
    }
    results = {photo.photo_id: photo for each in found.cameras for photo in each.used}
    pictures = {
        photo_id: data_uri(rgb, results.get(photo_id), rgb.shape[1] / sizes.get(photo_id, 1))
        for photo_id, rgb in found.pictures.items()
    }
    write_page(
        target,
        "photos.html.j2",
        {
            "cameras": [_parts(each) for each in found.cameras],
            "given": sum(len(each.used) for each in found.cameras) + len(out),
            "out": out,
            "pictures": pictures,
        },
    )


def _parts(found: SelfCalibration) -> dict[str, object]:
    return {
        "grade": grade(found),
        "badge": BADGES[grade(found)],
        "verdict": verdict(found),
        "doubts": list(warnings(found)),
        "pinhole": found.intrinsics.pinhole,
        "lens": found.lens,
        "points": found.points,
        "rms_px": found.rms_px,
        "turned_deg": found.turned_deg,
        "focal_error": percent(found.focal_error),
        "coverage": draw_coverage(found),
        "residuals": draw_residuals(found),
        "places": draw_places(found),
        "photos": found.photos,
        "table": value_rows(found.values, found.std),
        "used": worst_first(found.used),
    }
