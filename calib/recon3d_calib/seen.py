"""What the finders of boards return, and what they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

# Boards are found at this size and their corners sharpened at the photo's own.
SEARCH_PX = 1600
# Half the window around a corner, in pixels of the shrunk picture; nothing else may lie in it.
_WIDEST_WINDOW_PX = 11
# A blur of this share of the window. Noise in the plain parts of a window holds the corner to
# where it was begun: at a noise of 8 grey levels the blur makes 0.23 px of error to 0.08 px, and
# on six sets of real photos it lowers what the corners miss by, by 1 to 23 %.
_BLUR = 1 / 8
_MOST_MOVED = 0.25


@dataclass(frozen=True, eq=False)
class Points:
    """Points of a board in a picture."""

    px: Float[np.ndarray, "n 2"]
    """In OpenCV's convention: the centre of the first pixel is (0, 0)."""
    board: Float[np.ndarray, "n 2"]
    numbers: Int[np.ndarray, "n"] | None
    """Their places in Board.points, where they are known."""
    handed: bool = False
    """The pattern itself says which side is left, so that it cannot be counted mirrored."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Points, or why there are none."""

    points: Points | None = None
    reason: str = ""
    other_size: tuple[int, int] | None = None


def shrunk(grey: UInt8[np.ndarray, "h w"]) -> tuple[UInt8[np.ndarray, "i j"], float]:
    """The picture at the size where boards are searched, and photo pixels per pixel of it."""
    import cv2

    factor = max(grey.shape) / SEARCH_PX
    if factor <= 1:
        return grey, 1.0
    height, width = (max(1, round(side / factor)) for side in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)), factor


def enlarged(points_px: np.ndarray, factor: float) -> Float[np.ndarray, "n 2"]:
    """Points of the shrunk picture in the photo; pixel centres stay centres."""
    flat = np.asarray(points_px, np.float64).reshape(-1, 2)
    return (flat + 0.5) * factor - 0.5


def sharpened(
    grey: UInt8[np.ndarray, "h w"], points_px: Float[np.ndarray, "n 2"], spacing_px: float
) -> Float[np.ndarray, "n 2"]:
    """Saddle points at the photo's full size; a point that runs away stays where it was."""
    import cv2

    widest = _WIDEST_WINDOW_PX * max(1.0, max(grey.shape) / SEARCH_PX)
    half = int(np.clip(spacing_px / 3, 2, widest))
    left, top = corner = np.maximum(points_px.min(axis=0) - 3 * half, 0).astype(int)
    right, bottom = (points_px.max(axis=0) + 3 * half).astype(int)
    smooth = cv2.GaussianBlur(grey[top:bottom, left:right], (0, 0), _BLUR * half)
    start = np.ascontiguousarray((points_px - corner)[:, None], np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-3)
    moved = cv2.cornerSubPix(smooth, start, (half, half), (-1, -1), criteria)
    found = np.asarray(moved, np.float64).reshape(-1, 2) + corner
    far = np.linalg.norm(found - points_px, axis=1) > _MOST_MOVED * spacing_px
    return np.where(far[:, None], points_px, found)


def spacing_px(grid_px: Float[np.ndarray, "r c 2"]) -> float:
    """The shortest distance of neighbours in a grid."""
    along = np.linalg.norm(np.diff(grid_px, axis=1), axis=2)
    down = np.linalg.norm(np.diff(grid_px, axis=0), axis=2)
    return float(min(along.min(initial=np.inf), down.min(initial=np.inf)))
