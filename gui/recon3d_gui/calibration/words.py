"""A calibration in words and numbers that a photographer reads."""

from __future__ import annotations

from collections.abc import Iterable

from recon3d_calib.board import BoardKind
from recon3d_calib.calibrate import Calibration, PhotoResult
from recon3d_calib.detection import Look
from recon3d_calib.quality import covered

KINDS: dict[str, BoardKind | None] = {
    "Find out": None,
    "Chessboard": "chessboard",
    "ChArUco": "charuco",
    "AprilTags": "apriltags",
    "Circles": "circles",
    "Staggered circles": "asymmetric-circles",
}
"""What the page offers."""

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


def rows(calibration: Calibration) -> list[tuple[str, str]]:
    """Names and values, with error bars of one standard deviation."""
    camera, std = calibration.intrinsics.pinhole, calibration.std
    return [
        ("Focal length", _pair((camera.fx_px, std["fx"]), (camera.fy_px, std["fy"]))),
        ("Principal point", _pair((camera.cx_px, std["cx"]), (camera.cy_px, std["cy"]))),
        ("Lens", _LENSES[calibration.lens]),
        ("Corners miss by", f"{calibration.rms_px:.2f} px"),
        ("Picture covered", f"{100 * covered(calibration):.0f} %"),
        ("Photo size", f"{camera.width_px} × {camera.height_px}"),
        ("Photos used", f"{len(calibration.used)} of {len(calibration.photos)}"),
    ]


def doubtful_first(photo_ids: Iterable[str], calibration: Calibration | None) -> list[str]:
    """By name, the photos that were left out before the others."""
    used = {photo.photo_id for photo in calibration.used} if calibration else set()
    return sorted(photo_ids, key=lambda photo_id: (photo_id in used, photo_id))


def photo_line(look: Look | None, result: PhotoResult | None) -> tuple[str, str]:
    """What became of a photo, and the name of the colour to say it in."""
    if result is not None and result.used:
        return f"{result.rms_px:.2f} px, tilted {result.tilt_deg:.0f}°", "muted"
    if result is not None:
        return _sentence(result.reason), "warning"
    if look is None:
        return "not looked at yet", "muted"
    if look.detection is None:
        return _sentence(look.reason), "warning"
    return f"{len(look.detection.points_px)} corners", "good"


def _pair(first: tuple[float, float], second: tuple[float, float]) -> str:
    return "\n".join(f"{value:.1f} px ± {_two_digits(std)}" for value, std in (first, second))


def _two_digits(std: float) -> str:
    """No more digits than an error bar is worth."""
    return f"{std:.2g}" if std < 10 else f"{std:.0f}"


def _sentence(reason: str) -> str:
    return reason[:1].upper() + reason[1:]
