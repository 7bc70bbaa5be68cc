"""What came of a calibration, with a board or without one, as the page shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recon3d_calib.calibrate import Calibration
from recon3d_calib.files import save_calibration, save_self_calibrations
from recon3d_calib.from_photos import SelfCalibration, SelfCalibrations
from recon3d_calib.photo_warnings import grade as grade_of_photos
from recon3d_calib.photo_warnings import verdict, warnings
from recon3d_calib.quality import Grade, Judged, advice, covered, grade, summary

from recon3d.core.lens import LensName

_LENSES = {
    "pinhole": "no distortion",
    "radial1": "radial distortion (1 number)",
    "radial2": "radial distortion (2 numbers)",
    "brown": "radial and tangential (5 numbers)",
    "rational": "rational (8 numbers)",
    "thin-prism": "thin prism (12 numbers)",
    "fisheye": "fisheye (4 numbers)",
    "division": "division (1 number)",
}


@dataclass(frozen=True, eq=False)
class Outcome:
    """A result in words and numbers that a photographer reads."""

    headline: str
    grade: Grade
    rows: Sequence[tuple[str, str]]
    """Names and values, with error bars of one standard deviation."""
    advice: Sequence[str]
    judged: Judged
    """For the plots."""
    used: Mapping[str, str]
    """What to say of the photos that it rests on, by id."""
    left_out: Mapping[str, str]
    """Why, by photo id."""
    fits_project: bool
    """Whether it says something of other photos than those that it was found from."""
    save: Callable[[Path], None]
    """Write the camera file; raises OutputError."""
    write_report: Callable[[Path], None]
    """Write the page; raises OutputError."""


def outcome_of(calibration: Calibration | SelfCalibrations, paths: Mapping[str, Path]) -> Outcome:
    """What the page shows; paths are those of the photos, by id."""
    if isinstance(calibration, SelfCalibrations):
        return _of_photos(calibration)
    return _of_boards(calibration, dict(paths))


def _of_boards(found: Calibration, paths: Mapping[str, Path]) -> Outcome:
    from recon3d_calib.report import write_report

    zooms = {i: zoom.intrinsics.pinhole.fx_px for i, zoom in found.zooms.items()}
    rows = _rows(found, found.lens, found.std, len(found.photos))
    if zooms:
        span = f"{min(zooms.values()):.1f} to {max(zooms.values()):.1f} px,\none for each photo"
        rows[0] = "Focal length", span
    return Outcome(
        headline=summary(found),
        grade=grade(found),
        rows=[*rows[:3], ("Corners miss by", f"{found.rms_px:.2f} px"), *rows[3:]],
        advice=advice(found),
        judged=found,
        used={
            photo.photo_id: f"{photo.rms_px:.2f} px, tilted {photo.tilt_deg:.0f}°"
            + (f", focal length {zooms[photo.photo_id]:.0f} px" if zooms else "")
            for photo in found.used
        },
        left_out={photo.photo_id: photo.reason for photo in found.photos if not photo.used},
        fits_project=not zooms,
        save=partial(save_calibration, calibration=found),
        write_report=partial(write_report, calibration=found, paths=paths),
    )


def _of_photos(found: SelfCalibrations) -> Outcome:
    from recon3d_calib.report import write_photos_report

    first = found.cameras[0]
    given = sum(len(each.used) for each in found.cameras) + len(found.left_out)
    rows = _rows(first, first.lens, first.std, given)
    others = [f"Another camera or zoom: {_short(each)}" for each in found.cameras[1:]]
    return Outcome(
        headline=verdict(first),
        grade=grade_of_photos(first),
        rows=[*rows[:3], ("Points miss by", f"{first.rms_px:.2f} px"), *rows[3:]],
        advice=[*warnings(first), *others],
        judged=first,
        used={
            photo.photo_id: f"{len(photo.points_px)} points, {photo.rms_px:.2f} px"
            for each in found.cameras
            for photo in each.used
        },
        left_out=found.left_out,
        fits_project=True,
        save=partial(save_self_calibrations, found=found),
        write_report=partial(write_photos_report, found=found),
    )


def _rows(
    found: Judged, lens: LensName, std: Mapping[str, float], given: int
) -> list[tuple[str, str]]:
    camera = found.intrinsics.pinhole
    return [
        ("Focal length", _pair((camera.fx_px, std["fx"]), (camera.fy_px, std["fy"]))),
        ("Principal point", _pair((camera.cx_px, std["cx"]), (camera.cy_px, std["cy"]))),
        ("Lens", _LENSES[lens]),
        ("Picture covered", f"{100 * covered(found):.0f} %"),
        ("Photo size", f"{camera.width_px} × {camera.height_px}"),
        ("Photos used", f"{len(found.used)} of {given}"),
    ]


def _short(found: SelfCalibration) -> str:
    camera = found.intrinsics.pinhole
    return (
        f"{len(found.used)} photos of {camera.width_px} × {camera.height_px}, focal length "
        f"{camera.fx_px:.1f} px ± {_two_digits(found.std['fx'])}"
    )


def _pair(first: tuple[float, float], second: tuple[float, float]) -> str:
    return "\n".join(f"{value:.1f} px ± {_two_digits(std)}" for value, std in (first, second))


def _two_digits(std: float) -> str:
    """No more digits than an error bar is worth."""
    return f"{std:.2g}" if std < 10 else f"{std:.0f}"
