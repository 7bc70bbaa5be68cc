"""Chessboards whose markers say which corner is which: they may be cut off or half covered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from recon3d.photos.markers import marker_dictionary
from recon3d_calib.board import Board
from recon3d_calib.seen import Points, Seen, enlarged, sharpened, shrunk

_FEWEST_CORNERS = 6
MIRRORED = "it is mirrored: its markers can be read in a looking glass only"


def find_charuco(grey: UInt8[np.ndarray, "h w"], board: Board) -> Seen:
    """The chessboard corners beside markers that could be read."""
    small, factor = shrunk(grey)
    corners, numbers = charuco_corners(small, board)
    if len(numbers) < _FEWEST_CORNERS:
        if len(charuco_corners(np.ascontiguousarray(small[:, ::-1]), board)[1]) >= _FEWEST_CORNERS:
            return Seen(reason=MIRRORED)
        few = f"only {len(numbers)} corners" if len(numbers) else "no corners"
        return Seen(reason=f"{few} of a ChArUco board of {board.size} squares were found in it")
    places = board.points[numbers]
    rough = enlarged(corners, factor)
    return Seen(Points(sharpened(grey, rough, _spacing(rough, places)), places, numbers, True))


ReadMarkers = tuple[Sequence[np.ndarray], np.ndarray]
"""Corners and numbers as OpenCV has them."""


def read_markers(small: UInt8[np.ndarray, "h w"], family: str) -> ReadMarkers:
    """Every marker of a family, for looking at a picture with several boards in mind."""
    import cv2

    corners, numbers, _ = cv2.aruco.ArucoDetector(marker_dictionary(family)).detectMarkers(small)
    return corners, np.empty((0, 1), np.int32) if numbers is None else np.asarray(numbers)


def charuco_corners(
    small: UInt8[np.ndarray, "h w"], board: Board, read: ReadMarkers | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Corners and their numbers, as OpenCV finds them; empty where there are none."""
    import cv2

    detector = cv2.aruco.CharucoDetector(opencv_charuco(board))
    markers = read or read_markers(small, board.family)
    corners, numbers, _, _ = detector.detectBoard(small, None, None, *markers)
    if numbers is None or corners is None:
        return np.empty((0, 2)), np.empty(0, np.int64)
    return np.asarray(corners).reshape(-1, 2), np.asarray(numbers, np.int64).ravel()


def opencv_charuco(board: Board) -> Any:
    """OpenCV's own description of a ChArUco board, in squares."""
    import cv2

    drawn = cv2.aruco.CharucoBoard(
        (board.columns, board.rows), 1.0, board.marker_share, marker_dictionary(board.family)
    )
    drawn.setLegacyPattern(board.legacy)
    return drawn


def _spacing(px: np.ndarray, places: np.ndarray) -> float:
    """Pixels from one corner of the board to the next."""
    from scipy.spatial.distance import pdist

    return float(np.min(pdist(px) / pdist(places)))
