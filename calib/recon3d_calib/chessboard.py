"""Chessboards: whole ones of a known size, parts of cut-off ones, and whatever size there is."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from recon3d_calib.board import Board
from recon3d_calib.seen import Points, Seen, enlarged, sharpened, shrunk, spacing_px

_SMALLEST_PART = 3, 4
# From one step to the next along a line of corners; a finder that skips a square doubles a step.
_MOST_STRETCH = 1.5
_MOST_BEND_DEG = 20.0
# Steps from square to square that lead from dark to bright and back; a logo may lie on some.
_MOSTLY = 0.7


def find_chessboard(grey: UInt8[np.ndarray, "h w"], board: Board) -> Seen:
    """The inner corners: all of them, or the part of a cut-off board that lies in the picture.

    OpenCV's sector-based finder (Duda and Frese 2018) is the better one; its classic finder sees
    some boards that are small or in strong perspective.
    """
    import cv2

    small, factor = shrunk(grey)
    size = board.columns, board.rows
    found, corners = cv2.findChessboardCornersSB(small, size)
    if not found:
        flags = (
            cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
        )
        found, corners = cv2.findChessboardCorners(small, size, flags=flags)
    if found:
        grid = enlarged(corners, factor).reshape(board.rows, board.columns, 2)
        return Seen(_points(grey, grid, np.arange(grid.shape[0] * grid.shape[1])))
    part = any_grid(small)
    if part is None:
        return Seen(reason="no chessboard was found in it")
    rows, columns = part.shape[:2]
    if not _fits((columns, rows), size):
        return Seen(
            reason=f"it shows a chessboard of {columns}x{rows} inner corners, not {board.size}",
            other_size=(columns, rows),
        )
    if not _fits(_SMALLEST_PART, (columns, rows)):
        return Seen(reason="the board is cut off: too little of it can be seen")
    grid = enlarged(part, factor).reshape(rows, columns, 2)
    return Seen(_points(grey, grid, None))


def any_grid(small: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "r c 2"] | None:
    """The largest regular grid of chessboard corners, of whatever size."""
    import cv2

    flags = cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_LARGER
    found, corners, kinds = cv2.findChessboardCornersSBWithMeta(small, (3, 3), flags=flags)
    if not found:
        return None
    grid = np.asarray(corners, np.float64).reshape(*np.asarray(kinds).shape[:2], 2)
    return grid if _is_regular(grid) and _is_checkered(small, grid) else None


def _points(
    grey: UInt8[np.ndarray, "h w"],
    grid_px: Float[np.ndarray, "r c 2"],
    numbers: np.ndarray | None,
) -> Points:
    rows, columns = grid_px.shape[:2]
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    places = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
    corners = sharpened(grey, grid_px.reshape(-1, 2), spacing_px(grid_px))
    return Points(corners, places, numbers)


def _is_regular(grid: Float[np.ndarray, "r c 2"]) -> bool:
    return all(_is_even(lines) for lines in (grid, grid.transpose(1, 0, 2)))


def _is_checkered(grey: UInt8[np.ndarray, "h w"], grid: Float[np.ndarray, "r c 2"]) -> bool:
    """Whether dark and bright squares take turns; between the circles of a grid none do."""
    middles = (grid[1:, 1:] + grid[1:, :-1] + grid[:-1, 1:] + grid[:-1, :-1]) / 4
    columns, rows = np.rint(middles).astype(int).transpose(2, 0, 1)
    shades = grey[rows, columns].astype(np.float64)
    sign = (-1.0) ** np.add.outer(np.arange(len(shades)), np.arange(shades.shape[1]))
    steps = [
        (np.diff(shades, axis=axis) * np.delete(sign, -1, axis=axis)).ravel() for axis in (0, 1)
    ]
    turns = np.concatenate(steps)
    return bool(abs(np.sign(turns).sum()) > _MOSTLY * len(turns))


def _is_even(lines: Float[np.ndarray, "r c 2"]) -> bool:
    steps = np.diff(lines, axis=1)
    lengths = np.linalg.norm(steps, axis=2)
    stretch = lengths[:, 1:] / lengths[:, :-1]
    cosine = (steps[:, 1:] * steps[:, :-1]).sum(axis=2) / (lengths[:, 1:] * lengths[:, :-1])
    return bool(
        np.all(np.maximum(stretch, 1 / stretch) < _MOST_STRETCH)
        and np.all(cosine > np.cos(np.radians(_MOST_BEND_DEG)))
    )


def _fits(small: tuple[int, int], large: tuple[int, int]) -> bool:
    return all(a <= b for a, b in zip(sorted(small), sorted(large), strict=True))
