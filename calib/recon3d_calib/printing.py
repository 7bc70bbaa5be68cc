"""A calibration board to print at true scale, with a ruler to prove it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool

from recon3d.core.errors import ConfigError, OutputError
from recon3d.photos.markers import marker_dictionary
from recon3d.run.files import atomic_path
from recon3d_calib.board import Board
from recon3d_calib.markers import opencv_charuco

Paper = Literal["A4", "A3", "A2", "letter", "tabloid"]

_PAPERS_MM = {
    "A4": (210.0, 297.0), "A3": (297.0, 420.0), "A2": (420.0, 594.0),
    "letter": (215.9, 279.4), "tabloid": (279.4, 431.8),
}  # fmt: skip
_MM_PER_INCH = 25.4
_DPI = 300
_SUFFIXES = (".pdf", ".svg", ".png")
_MARGIN_MM, _RULER_MM = 12.0, 16.0
# Of the distance between circles; OpenCV's own pattern has the same.
_CIRCLE_RADIUS = 0.25
Box = tuple[float, float, float, float]


def board_size_squares(board: Board) -> tuple[float, float]:
    """Width and height of what is printed, in squares, without the white border."""
    if board.kind == "chessboard":
        return board.columns + 1, board.rows + 1
    if board.kind == "charuco":
        return board.columns, board.rows
    width, height = np.ptp(board.points, axis=0).tolist()
    if board.kind == "apriltags":
        return width, height
    return width + 2 * _CIRCLE_RADIUS, height + 2 * _CIRCLE_RADIUS


def largest_square_mm(board: Board, paper: Paper) -> float:
    """The largest square in tenths of a millimetre for which the board fits on the paper."""
    width_mm, height_mm = _page_mm(board, paper)
    width, height = board_size_squares(board)
    room = width_mm - 2 * _MARGIN_MM, height_mm - 2 * _MARGIN_MM - _RULER_MM
    # A square's width stays white around the board: finders need it.
    largest = min(room[0] / (width + 1), room[1] / (height + 1))
    return float(np.floor(10 * largest) / 10)


def print_board(target: Path, board: Board, paper: Paper) -> None:
    """Write one page as .pdf, .svg or .png (300 dpi), to be printed without scaling.

    Its squares are `board.square_mm`, or as large as the paper allows.

    Raises:
        ConfigError: the board does not fit on the paper.
        OutputError: the place cannot be written, or the name says no such format.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle, Rectangle

    if target.suffix.lower() not in _SUFFIXES:
        raise OutputError(f"{target.name} says no format.", hint="End it in .pdf, .svg or .png.")
    largest = largest_square_mm(board, paper)
    square_mm = board.square_mm or largest
    if square_mm > largest:
        raise ConfigError(
            f"A board of {board.size} with squares of {square_mm:g} mm does not fit on {paper}.",
            hint=f"Squares of {largest:g} mm do, or take larger paper.",
        )
    width_mm, height_mm = _page_mm(board, paper)
    figure = Figure(figsize=(width_mm / _MM_PER_INCH, height_mm / _MM_PER_INCH))
    page: Any = figure.add_axes((0, 0, 1, 1))
    # Millimetres from the upper left corner of the paper.
    page.set_xlim(0, width_mm)
    page.set_ylim(height_mm, 0)
    page.set_axis_off()
    width, height = board_size_squares(board)
    left = (width_mm - width * square_mm) / 2
    top = _MARGIN_MM + (height_mm - 2 * _MARGIN_MM - _RULER_MM - height * square_mm) / 2
    if board.kind in ("circles", "asymmetric-circles"):
        for x, y in (board.points + _CIRCLE_RADIUS) * square_mm:
            page.add_patch(Circle((left + x, top + y), _CIRCLE_RADIUS * square_mm, color="black"))
    for x, y, across, down in _black_boxes(board):
        page.add_patch(
            Rectangle(
                (left + x * square_mm, top + y * square_mm),
                across * square_mm,
                down * square_mm,
                facecolor="black",
                edgecolor="none",
                # Drawn where it is, not on the nearest dots.
                snap=False,
            )
        )
    _draw_ruler(page, width_mm, height_mm - _MARGIN_MM, _caption(board, square_mm))
    with atomic_path(target) as part:
        figure.savefig(part, format=target.suffix[1:].lower(), dpi=_DPI)


def _page_mm(board: Board, paper: Paper) -> tuple[float, float]:
    """Portrait or landscape, as the board is."""
    short, long = _PAPERS_MM[paper]
    width, height = board_size_squares(board)
    return (long, short) if width > height else (short, long)


def _black_boxes(board: Board) -> Iterator[Box]:
    """x, y, width, height in squares."""
    if board.kind == "chessboard":
        yield from _chess(board.columns + 1, board.rows + 1, first_black=True)
    elif board.kind == "charuco":
        first_black = not (board.legacy and board.rows % 2 == 0)
        yield from _chess(board.columns, board.rows, first_black=first_black)
        drawn = opencv_charuco(board)
        for corners, number in zip(drawn.getObjPoints(), drawn.getIds().ravel(), strict=True):
            x, y = np.asarray(corners)[0, :2].tolist()
            yield from _marker(board.family, int(number), x, y, board.marker_share)
    elif board.kind == "apriltags":
        for number, (x, y) in enumerate(board.points[::4].tolist()):
            yield from _marker(board.family, number, x, y, 1.0)


def _chess(columns: int, rows: int, *, first_black: bool) -> Iterator[Box]:
    for row in range(rows):
        for column in range(columns):
            if ((row + column) % 2 == 0) == first_black:
                yield column, row, 1, 1


def _marker(family: str, number: int, x: float, y: float, edge: float) -> Iterator[Box]:
    """Runs of black cells, so that no hairline of white shows between two."""
    cells = _black_cells(family, number)
    step = edge / len(cells)
    for row, line in enumerate(cells):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(int)))
        for start, end in edges.reshape(-1, 2).tolist():
            # A little taller than a cell for the same reason, except in the last row.
            tall = 1.02 if row + 1 < len(cells) and cells[row + 1, start:end].all() else 1.0
            yield x + start * step, y + row * step, (end - start) * step, tall * step


def _black_cells(family: str, number: int) -> Bool[np.ndarray, "n n"]:
    import cv2

    dictionary = marker_dictionary(family)
    side = dictionary.markerSize + 2
    picture = cv2.aruco.generateImageMarker(dictionary, number, side)
    return np.asarray(picture) == 0


def _caption(board: Board, square_mm: float) -> str:
    what = {"apriltags": "tags", "circles": "distances", "asymmetric-circles": "half distances"}
    words = board.words[0].upper() + board.words[1:]
    extra = f", {board.family}" if board.kind in ("charuco", "apriltags") else ""
    return f"{words}, {what.get(board.kind, 'squares')} of {square_mm:g} mm{extra}"


def _draw_ruler(page: Any, width_mm: float, bottom_mm: float, caption: str) -> None:
    """100 mm, to be checked on the print."""
    left, top = _MARGIN_MM, bottom_mm - 8
    for millimetre in range(0, 101):
        tall = 4.0 if millimetre % 10 == 0 else 2.5 if millimetre % 5 == 0 else 1.5
        page.plot([left + millimetre] * 2, [top, top - tall], color="black", linewidth=0.4)
    page.plot([left, left + 100], [top, top], color="black", linewidth=0.4)
    page.text(left, top + 4, "100 mm: print at 100 %, without fitting to the page", fontsize=7)
    page.text(width_mm - _MARGIN_MM, top + 4, caption, fontsize=7, ha="right")
