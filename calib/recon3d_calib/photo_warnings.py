"""Can a camera that was found without a board be trusted?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recon3d_calib.from_photos import SelfCalibration
from recon3d_calib.quality import Grade

_ENOUGH_PHOTOS = 8
_TURNED_DEG = 20.0
_USABLE_FOCAL = 0.02
# Shares of the photo's longer side.
_LOOSE_CENTRE = 0.01
_SHORTEST_FOCAL, _LONGEST_FOCAL = 0.3, 5.0
# What cameras say of their focal length is rounded, and for infinity.
_EXIF_OFF = 0.1


def grade(found: SelfCalibration) -> Grade:
    """One word."""
    # Also where it is infinite.
    if not found.focal_error <= _USABLE_FOCAL:
        return "poor"
    return "fair" if any(warnings(found)) else "good"


def verdict(found: SelfCalibration) -> str:
    """One sentence a photographer understands."""
    error = found.focal_error
    if not np.isfinite(error):
        return "Not trustworthy: the photos leave the focal length open."
    within = f"the focal length is right within {100 * error:.2g} %"
    words = {
        "good": f"Trustworthy: {within}.",
        "fair": f"Use it with care: {within}, if nothing below is wrong.",
        "poor": f"Not trustworthy: {within}.",
    }
    return words[grade(found)]


def warnings(found: SelfCalibration) -> Iterator[str]:
    """Why not to trust it, and what would make it better, most important first."""
    camera = found.intrinsics.pinhole
    longer = max(camera.width_px, camera.height_px)
    if len(found.photos) < _ENOUGH_PHOTOS:
        yield (
            f"It rests on {len(found.photos)} photos only: take {_ENOUGH_PHOTOS} or more, all "
            "around the object."
        )
    if found.turned_deg < _TURNED_DEG:
        yield (
            f"All photos look in nearly one direction ({found.turned_deg:.0f}° apart at most): "
            "focal length and distance cannot be told apart well. Walk around the object."
        )
    if found.focal_error > _USABLE_FOCAL:
        yield "The focal length is uncertain: photos from more sides, and some turned by 90°, help."
    if max(found.std["cx"], found.std["cy"]) > _LOOSE_CENTRE * longer:
        yield (
            "The principal point is hardly better known than that it is near the middle: turn the "
            "camera by 90° for some photos."
        )
    says = found.exif_focal_px
    if says and abs(camera.fx_px / says - 1) > _EXIF_OFF:
        yield (
            f"The camera itself says {says:.0f} px: the photos were cropped, or the result is "
            "wrong."
        )
    if not _SHORTEST_FOCAL < camera.fx_px / longer < _LONGEST_FOCAL:
        yield "Few cameras have such a focal length: calibrate with a printed board to be sure."
