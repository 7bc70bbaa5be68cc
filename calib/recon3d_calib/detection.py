"""What a photo shows of a board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from recon3d.core.errors import InputError
from recon3d.photos.pictures import read_grey
from recon3d.run.task import Task
from recon3d_calib.board import Board, BoardKind
from recon3d_calib.chessboard import find_chessboard
from recon3d_calib.circles import find_circles
from recon3d_calib.markers import find_charuco
from recon3d_calib.planes import is_mirrored
from recon3d_calib.seen import Points, Seen
from recon3d_calib.tags import find_apriltags

Finder = Callable[[UInt8[np.ndarray, "h w"], Board], Seen]
_FINDERS: Mapping[BoardKind, Finder] = {
    "chessboard": find_chessboard,
    "circles": find_circles,
    "asymmetric-circles": find_circles,
    "charuco": find_charuco,
    "apriltags": find_apriltags,
}


@dataclass(frozen=True, eq=False)
class Detection:
    """The points of a board in one photo."""

    photo_id: str
    width_px: int
    height_px: int
    points_px: Float[np.ndarray, "n 2"]
    """In the picture as it is stored, before EXIF turns it; the centre of its first pixel is
    (0.5, 0.5)."""
    points_board: Float[np.ndarray, "n 2"]
    """The same points on the board, in squares."""
    numbers: Int[np.ndarray, "n"] | None
    """Their places in Board.points; None where a part of a plain grid was seen, of which nobody
    can say which part it is."""

    @property
    def is_whole(self) -> bool:
        """Whether every point is known by its number."""
        return self.numbers is not None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the photo."""
        return self.width_px, self.height_px


@dataclass(frozen=True, eq=False)
class Look:
    """What came of looking for the board in one photo."""

    photo_id: str
    detection: Detection | None = None
    reason: str = ""
    """Why there is none."""
    other_size: tuple[int, int] | None = None
    """Columns and rows of the board that is there instead."""


def detect_board(path: Path, board: Board, photo_id: str = "") -> Look:
    """Look for the board in one photo; an unreadable one is a reason, not an error."""
    photo_id = photo_id or path.name
    try:
        grey = read_grey(path)
    except InputError as error:
        return Look(photo_id, reason=str(error))
    return look_at(grey, board, photo_id)


def look_at(grey: UInt8[np.ndarray, "h w"], board: Board, photo_id: str) -> Look:
    """Look for the board in one picture."""
    seen = _FINDERS[board.kind](grey, board)
    if seen.points is None:
        return Look(photo_id, reason=seen.reason, other_size=seen.other_size)
    points = _facing_us(seen.points)
    height_px, width_px = grey.shape
    return Look(
        photo_id,
        Detection(photo_id, width_px, height_px, points.px + 0.5, points.board, points.numbers),
    )


def detect_boards(
    paths: Mapping[str, Path], board: Board, task: Task, workers: int = 1
) -> list[Look]:
    """Look for the board in many photos, by id, in their order.

    Raises:
        Cancelled: the task was stopped.
    """
    with ThreadPoolExecutor(workers) as pool:
        try:
            looks = pool.map(lambda item: detect_board(item[1], board, item[0]), paths.items())
            return list(task.each(looks, len(paths), lambda look: look.photo_id))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _facing_us(points: Points) -> Points:
    """A plain grid may have been counted in mirror writing; nobody sees a board from behind."""
    if points.numbers is not None and points.handed:
        return points
    if not is_mirrored(points.board, points.px):
        return points
    top = points.board[:, 1].max()
    return replace(points, board=np.stack([points.board[:, 0], top - points.board[:, 1]], axis=1))
