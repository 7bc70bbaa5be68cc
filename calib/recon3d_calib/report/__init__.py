"""report.html of a calibration: can it be trusted, and what would make it better."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recon3d.run.files import atomic_path
from recon3d_calib.calibrate import Calibration
from recon3d_calib.plots import draw_coverage, draw_residuals, draw_tilts
from recon3d_calib.quality import advice, covered, grade, percent, summary, worst_first
from recon3d_calib.report.pictures import thumbnail

_WORDS = {
    "fx": "focal length across, px", "fy": "focal length down, px",
    "cx": "principal point across, px", "cy": "principal point down, px",
}  # fmt: skip
_BADGES = {"good": "trustworthy", "fair": "usable", "poor": "not yet"}


def write_report(target: Path, calibration: Calibration, paths: Mapping[str, Path]) -> None:
    """Write the page; it needs no other file and no network.

    paths: the photos by id, for their pictures.

    Raises:
        OutputError: the place cannot be written.
    """
    environment = Environment(
        # Always: file names may hold markup.
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["strokes"] = _strokes
    used = worst_first(calibration.used)
    out = [photo for photo in calibration.photos if not photo.used]
    pictures = {
        photo.photo_id: thumbnail(paths[photo.photo_id], photo)
        for photo in calibration.photos
        if photo.photo_id in paths
    }
    page = environment.get_template("page.html.j2").render(
        calibration=calibration,
        camera=calibration.intrinsics.pinhole,
        grade=grade(calibration),
        badge=_BADGES[grade(calibration)],
        summary=summary(calibration),
        advice=advice(calibration),
        focal_error=percent(calibration.focal_error),
        covered=f"{100 * covered(calibration):.0f} %",
        values=[
            (name, _WORDS.get(name, ""), value, calibration.std[name])
            for name, value in calibration.values.items()
        ],
        coverage=draw_coverage(calibration),
        residuals=draw_residuals(calibration),
        tilts=draw_tilts(calibration),
        used=used,
        out=out,
        pictures=pictures,
    )
    with atomic_path(target) as part:
        # File names may hold bytes that are no text.
        part.write_bytes(page.encode("utf-8", "replace"))


def _strokes(lines: Float[np.ndarray, "n 4"]) -> str:
    """As the path of an SVG."""
    return "".join(f"M{x:g} {y:g}L{to_x:g} {to_y:g}" for x, y, to_x, to_y in lines.tolist())
