"""Grids of dark circles, in straight or staggered rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from recon3d_calib.board import Board
from recon3d_calib.circle_lattice import Kind, countings
from recon3d_calib.seen import Points, Seen, enlarged, shrunk

# Fewer may be anything.
_FEWEST = 12


def find_circles(grey: UInt8[np.ndarray, "h w"], board: Board) -> Seen:
    """The circles, of which some may be missing, but no outer row: nobody could count the rest."""
    small, factor = shrunk(grey)
    kind: Kind = "circles" if board.kind == "circles" else "asymmetric-circles"
    centres = _spots(small)
    grids = countings(centres, kind)
    for grid in grids:
        if grid.shape == (board.rows, board.columns):
            numbers = np.flatnonzero(grid.ravel() >= 0)
            px = enlarged(centres[grid.ravel()[numbers]], factor)
            return Seen(Points(px, board.points[numbers], numbers, handed=True))
    if others := _sizes(grids, kind):
        columns, rows = max(others)
        return Seen(
            reason=f"it shows a grid of {columns}x{rows} circles, not {board.size}",
            other_size=(columns, rows),
        )
    return Seen(reason=f"no grid of {board.size} circles was found in it")


def sizes_of_circles(grey: UInt8[np.ndarray, "h w"], kind: Kind) -> set[tuple[int, int]]:
    """Columns and rows of the grid that is seen, if all of its circles are.

    A straight grid has at least as many columns as rows; a staggered one with an even number of
    rows is the same board counted along its columns, so that it has two sizes.
    """
    small, _ = shrunk(grey)
    return _sizes(countings(_spots(small), kind), kind)


def _sizes(grids: Sequence[Int[np.ndarray, "r c"]], kind: Kind) -> set[tuple[int, int]]:
    most = max([_FEWEST, *((grid >= 0).sum() for grid in grids)])
    full = [grid for grid in grids if grid.size == most and (grid >= 0).all()]
    sizes = {(grid.shape[1], grid.shape[0]) for grid in full}
    return {size for size in sizes if kind != "circles" or size[0] >= size[1]}


def _spots(small: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "n 2"]:
    """Centres of dark spots."""
    import cv2

    # OpenCV's default takes none larger than 5000 pixels, which a near board exceeds.
    parameters = cv2.SimpleBlobDetector.Params()
    parameters.minArea = 20
    parameters.maxArea = small.size / 16
    found = cv2.SimpleBlobDetector.create(parameters).detect(small)
    return np.array([spot.pt for spot in found], np.float64).reshape(-1, 2)
