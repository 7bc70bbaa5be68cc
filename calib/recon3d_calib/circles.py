"""Grids of dark circles, in straight or staggered rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import UInt8

from recon3d_calib.board import Board
from recon3d_calib.seen import Points, Seen, enlarged, shrunk


def find_circles(grey: UInt8[np.ndarray, "h w"], board: Board) -> Seen:
    """All circles, or none: a grid without marks cannot be counted in part."""
    import cv2

    small, factor = shrunk(grey)
    form = (
        cv2.CALIB_CB_ASYMMETRIC_GRID
        if board.kind == "asymmetric-circles"
        else cv2.CALIB_CB_SYMMETRIC_GRID
    )
    for flags in (form, form | cv2.CALIB_CB_CLUSTERING):
        found, centres = cv2.findCirclesGrid(
            small, (board.columns, board.rows), flags=flags, blobDetector=_blobs(small)
        )
        if found:
            numbers = np.arange(board.columns * board.rows)
            return Seen(Points(enlarged(centres, factor), board.points, numbers))
    return Seen(reason=f"no grid of {board.size} circles was found in it")


def _blobs(small: UInt8[np.ndarray, "h w"]) -> Any:
    """OpenCV's default takes no circle larger than 5000 pixels, which a near board exceeds."""
    import cv2

    parameters = cv2.SimpleBlobDetector.Params()
    parameters.minArea = 20
    parameters.maxArea = small.size / 16
    return cv2.SimpleBlobDetector.create(parameters)
