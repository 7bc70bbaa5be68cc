"""What the calibration page says of photos, and what it offers to say of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from recon3d_calib.board import BoardKind
from recon3d_calib.detection import Look

if TYPE_CHECKING:
    from recon3d_gui.calibration.outcome import Outcome
    from recon3d_gui.calibration.worker import Progress

NO_BOARD = "No board"
KINDS: dict[str, BoardKind | None] = {
    "Find out": None,
    "Chessboard": "chessboard",
    "ChArUco": "charuco",
    "AprilTags": "apriltags",
    "Circles": "circles",
    "Staggered circles": "asymmetric-circles",
    NO_BOARD: None,
}
"""What the page offers."""

EMPTY = (
    "Drop photos of a printed calibration board here, or press Add photos.\n\n"
    "1.  Print a board, glue it to something flat and stiff.\n"
    "2.  Take 15 to 25 photos with the camera, zoom and focus of your project.\n"
    "3.  Tilt the board in most of them, and bring it into every corner of the picture.\n"
    "4.  Keep it sharp and evenly lit; it may be cut off a little at the edges.\n\n"
    "Without a board, choose No board."
)
EMPTY_WITHOUT_BOARD = (
    "Drop photos of something that stands still here, or press Add photos.\n\n"
    "1.  Take 10 or more with the camera, zoom and focus of your project.\n"
    "2.  Walk around something with texture: a statue, a facade, a shelf.\n"
    "3.  Turn the camera by 90 degrees for some photos."
)
WAITING = "The camera, with error bars, appears here."


def progress_words(progress: Progress) -> str:
    """How far it is; of a sample no number, which would be taken for that of the photos."""
    counts = progress.total > 1 and not progress.is_sample
    return f"{progress.done} of {progress.total}  {progress.note}" if counts else progress.note


def doubtful_first(photo_ids: Iterable[str], outcome: Outcome | None) -> list[str]:
    """By name, the photos that were left out before the others."""
    used = outcome.used if outcome else {}
    return sorted(photo_ids, key=lambda photo_id: (photo_id in used, photo_id))


def photo_line(photo_id: str, look: Look | None, outcome: Outcome | None) -> tuple[str, str]:
    """What became of a photo, and the name of the colour to say it in."""
    if outcome and photo_id in outcome.used:
        return outcome.used[photo_id], "muted"
    if outcome and photo_id in outcome.left_out:
        return _sentence(outcome.left_out[photo_id]), "warning"
    if look is None:
        return "not looked at yet", "muted"
    if look.detection is None:
        return _sentence(look.reason), "warning"
    return f"{len(look.detection.points_px)} corners", "good"


def _sentence(reason: str) -> str:
    return reason[:1].upper() + reason[1:]
