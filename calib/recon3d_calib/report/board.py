"""The report of photos of a board."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from recon3d_calib.calibrate import Calibration
from recon3d_calib.plots import draw_coverage, draw_residuals, draw_tilts
from recon3d_calib.quality import (
    advice,
    board_words,
    covered,
    grade,
    percent,
    summary,
    worst_first,
)
from recon3d_calib.report.paper import BADGES, value_rows, write_page
from recon3d_calib.report.pictures import thumbnail


def write_report(target: Path, calibration: Calibration, paths: Mapping[str, Path]) -> None:
    """Write the page.

    paths: the photos by id, for their pictures.

    Raises:
        OutputError: the place cannot be written.
    """
    write_page(
        target,
        "board.html.j2",
        {
            "calibration": calibration,
            "board": board_words(calibration),
            "camera": calibration.intrinsics.pinhole,
            "grade": grade(calibration),
            "badge": BADGES[grade(calibration)],
            "summary": summary(calibration),
            "advice": advice(calibration),
            "focal_error": percent(calibration.focal_error),
            "covered": f"{100 * covered(calibration):.0f} %",
            "values": value_rows(calibration.values, calibration.std),
            "coverage": draw_coverage(calibration),
            "residuals": draw_residuals(calibration),
            "tilts": draw_tilts(calibration),
            "used": worst_first(calibration.used),
            "out": [photo for photo in calibration.photos if not photo.used],
            "pictures": {
                photo.photo_id: thumbnail(paths[photo.photo_id], photo)
                for photo in calibration.photos
                if photo.photo_id in paths
            },
        },
    )
