"""Can the calibration be trusted? In numbers, and in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.camera import Intrinsics
from recon3d_calib.calibrate import Calibration, PhotoResult

Grade = Literal["good", "fair", "poor"]


class Judged(Protocol):
    """A camera, and the photos that it rests on: with a board or without one."""

    @property
    def intrinsics(self) -> Intrinsics:
        """In pixels of these photos."""

    @property
    def used(self) -> Sequence[PhotoResult]:
        """The photos."""


_COLUMNS = 16
_FEW_PHOTOS, _ENOUGH_PHOTOS = 10, 15
_TILTED_DEG = 20.0
_FEWEST_TILTED = 4
_EDGE = 0.12
# Shares of the focal length, two standard deviations.
_FINE_FOCAL, _USABLE_FOCAL = 0.005, 0.02
# Shares of the photo's longer side.
_LARGE_RMS = 1 / 1500
_MUCH_LEFT_OUT = 0.3


def coverage(calibration: Judged) -> Int[np.ndarray, "r c"]:
    """How many kept corners lie in each cell of the photo, 16 cells along the longer side."""
    camera = calibration.intrinsics.pinhole
    size = np.array([camera.width_px, camera.height_px])
    columns, rows = np.maximum(1, np.round(_COLUMNS * size / size.max())).astype(int)
    points_px = _kept_points(calibration)
    counts, _, _ = np.histogram2d(
        points_px[:, 1],
        points_px[:, 0],
        bins=(rows, columns),
        range=((0, camera.height_px), (0, camera.width_px)),
    )
    return counts.astype(np.int64)


def covered(calibration: Judged) -> float:
    """Share of the photo's cells with a corner in them."""
    return float((coverage(calibration) > 0).mean())


def grade(calibration: Calibration) -> Grade:
    """One word."""
    if calibration.focal_error > _USABLE_FOCAL or len(calibration.used) < 5:
        return "poor"
    return "fair" if any(_warnings(calibration)) else "good"


def summary(calibration: Calibration) -> str:
    """One sentence a photographer understands."""
    error = calibration.focal_error
    if not np.isfinite(error):
        return "The photos leave the focal length open: the board must be tilted in some."
    words = {
        "good": "Trustworthy: the focal length is right within {}.",
        "fair": "Usable: the focal length is right within {}.",
        "poor": "Not trustworthy yet: the focal length is right only within {}.",
    }
    return words[grade(calibration)].format(percent(error))


def percent(share: float) -> str:
    """Two digits are all that an error bar is worth."""
    return f"{100 * share:.2g} %" if np.isfinite(share) else "nothing"


def board_words(calibration: Calibration) -> str:
    """What board it was, and by how much it bends."""
    board, bend = calibration.board, calibration.bend
    if not bend:
        return board.words
    length = f" ({bend * board.square_mm:.2g} mm)" if board.square_mm else ""
    return f"{board.words}, bent by {bend:.2g} squares{length}"


def advice(calibration: Calibration) -> tuple[str, ...]:
    """What would make it better, most important first; empty when nothing would by much."""
    return tuple(_warnings(calibration))


def _warnings(calibration: Calibration) -> Iterator[str]:
    yield from _about_photos(calibration)
    yield from _about_edges(calibration)
    if calibration.bend:
        yield (
            "The board is not flat. Its bend was found and taken into account, but glued to "
            "something flat and stiff it makes the result more exact."
        )
    camera = calibration.intrinsics.pinhole
    if calibration.rms_px > _LARGE_RMS * max(camera.width_px, camera.height_px):
        yield (
            f"The corners miss by {calibration.rms_px:.2f} px: look for blur, a board that is not "
            "stiff, or a zoom or autofocus that moved between the photos."
        )


def _about_photos(calibration: Calibration) -> Iterator[str]:
    used = calibration.used
    tilted = sum(photo.tilt_deg > _TILTED_DEG for photo in used)
    if tilted < _FEWEST_TILTED:
        yield (
            f"The board is tilted by more than {_TILTED_DEG:.0f}° in only {tilted} photos: take "
            f"{max(5, _FEWEST_TILTED - tilted)} more, tilted left, right, up and down. Nothing "
            "else says how long the focal length is."
        )
    elif calibration.focal_error > _FINE_FOCAL:
        yield (
            f"The focal length is known within {percent(calibration.focal_error)}: photos with "
            "the board near, large and tilted by 30 to 45° make it more exact."
        )
    if len(used) < _FEW_PHOTOS:
        yield f"Only {len(used)} photos were used: take {_ENOUGH_PHOTOS - len(used)} more."
    left_out = len(calibration.photos) - len(used)
    if left_out > _MUCH_LEFT_OUT * len(calibration.photos):
        yield f"{left_out} of {len(calibration.photos)} photos were left out: see why below."


def _about_edges(calibration: Calibration) -> Iterator[str]:
    camera = calibration.intrinsics.pinhole
    x, y = (_kept_points(calibration) / [camera.width_px, camera.height_px]).T
    sides = {
        "left edge": (x < _EDGE).any(),
        "right edge": (x > 1 - _EDGE).any(),
        "top edge": (y < _EDGE).any(),
        "bottom edge": (y > 1 - _EDGE).any(),
    }
    blank = [side for side, seen in sides.items() if not seen]
    if blank:
        yield (
            f"No board reaches the {', '.join(blank)} of the picture, where lenses bend most: "
            "take some photos with the board there; it may be cut off a little."
            if len(blank) == 1
            else f"No board reaches the {', '.join(blank)} of the picture, where lenses bend "
            "most: take some photos with the board there."
        )
        return
    corners = {
        "top left": (x < 0.2) & (y < 0.2),
        "top right": (x > 0.8) & (y < 0.2),
        "bottom left": (x < 0.2) & (y > 0.8),
        "bottom right": (x > 0.8) & (y > 0.8),
    }
    empty = [name for name, inside in corners.items() if not inside.any()]
    if empty and calibration.lens != "fisheye":
        yield (
            f"No board was in the {', '.join(empty)} "
            f"{'corner' if len(empty) == 1 else 'corners'} of the picture."
        )


def _kept_points(calibration: Judged) -> Float[np.ndarray, "n 2"]:
    return np.concatenate([photo.points_px[photo.kept] for photo in calibration.used])


def worst_first(photos: Sequence[PhotoResult]) -> list[PhotoResult]:
    """For lists in which the doubtful should be seen."""
    return sorted(photos, key=lambda photo: -photo.rms_px)
