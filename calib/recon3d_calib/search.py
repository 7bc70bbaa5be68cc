"""Which board is it? Looks at a few photos, where the user did not say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from recon3d.core.errors import InputError
from recon3d.photos.markers import find_markers
from recon3d.photos.pictures import read_grey
from recon3d.run.task import Task
from recon3d_calib.board import KALIBR, Board, BoardKind, parse_size
from recon3d_calib.chessboard import any_grid
from recon3d_calib.circle_lattice import Kind
from recon3d_calib.circles import sizes_of_circles
from recon3d_calib.errors import BoardError
from recon3d_calib.markers import charuco_corners, read_markers
from recon3d_calib.planes import plane_error
from recon3d_calib.seen import shrunk
from recon3d_calib.tag_grids import find_tag_grid

_PHOTOS = 10
_FEWEST_MARKERS = 4
# Every family is tried, and markers are seen well or not at all.
_MARKED_PHOTOS = 3
# Photos that must agree on a grid of circles, which has no marks.
_FEWEST_VOTES = 2
_KALIBR_FAMILY = "apriltag_36h11"
# Of the board's size in the picture; lenses bend planes by less, wrong sizes by more.
_MOST_OFF_PLANE = 0.02

Grey = UInt8[np.ndarray, "h w"]


def settle_board(paths: Mapping[str, Path], kind: BoardKind | None, size: str, task: Task) -> Board:
    """The board that the user names, completed from the photos where that takes a look.

    kind: None where the user leaves it open; a size alone means a chessboard.
    size: columns x rows; empty where the user leaves it open.

    Raises:
        ConfigError: the size is none.
        BoardError: the photos show no board, or another one.
        Cancelled: the task was stopped.
    """
    wanted = parse_size(size) if size else None
    if wanted and kind not in ("charuco", "apriltags"):
        return Board(kind=kind or "chessboard", columns=wanted[0], rows=wanted[1])
    board = find_board(paths, kind, task)
    if wanted and board.kind == "apriltags" and board.columns == wanted[0]:
        # The last row may be cut off in the photos that were looked at.
        board = replace(board, rows=max(board.rows, wanted[1]))
    if wanted and sorted(wanted) != sorted((board.columns, board.rows)):
        raise BoardError(
            f"The photos show {board.words}, not {wanted[0]}x{wanted[1]}.",
            hint=f"Give the size {board.size}, or leave it to recon3d.",
        )
    return board


def find_board(paths: Mapping[str, Path], kind: BoardKind | None, task: Task) -> Board:
    """The board that most of a few photos show.

    kind: what it is, where the user knows that much.

    Raises:
        BoardError: none of the photos shows a board that recon3d knows.
        Cancelled: the task was stopped.
    """
    chosen = list(paths.values())[:: max(1, len(paths) // _PHOTOS)][:_PHOTOS]
    greys: list[Grey] = []
    for path in task.each(chosen, len(chosen), lambda path: path.name):
        with suppress(InputError):
            greys.append(shrunk(read_grey(path))[0])
    searches: tuple[tuple[tuple[BoardKind, ...], Callable[[list[Grey], Task], Board | None]], ...]
    searches = (
        (("charuco", "apriltags"), _marked_board),
        (("chessboard",), _chessboard),
        (("circles", "asymmetric-circles"), _circles),
    )
    # One after the other: the next is needed only where the one before finds nothing.
    found = (search(greys, task) for kinds, search in searches if kind in (None, *kinds))
    board = next((board for board in found if board and kind in (None, board.kind)), None)
    if board is None:
        raise BoardError(
            f"No calibration board was found in {len(greys)} photos.",
            hint="The whole board must be seen, flat, sharp and evenly lit, with its white border. "
            "If it is a grid of circles or small in the photos, give its kind and size. "
            "`recon3d board` prints one.",
        )
    return board


def _chessboard(greys: Sequence[Grey], task: Task) -> Board | None:
    sizes: Counter[tuple[int, int]] = Counter()
    for grey in greys:
        task.check()
        if (grid := any_grid(grey)) is not None:
            rows, columns = sorted(grid.shape[:2])
            sizes[columns, rows] += 1
    if not sizes:
        return None
    # Cut-off boards are smaller than the board, and are in the minority; of equals the larger.
    (columns, rows), _ = max(sizes.items(), key=lambda item: (item[1], item[0][0] * item[0][1]))
    return Board(columns=columns, rows=rows)


def _marked_board(greys: Sequence[Grey], task: Task) -> Board | None:
    # First, because a border of two cells looks like other families' tags to a reader of one.
    if found := find_tag_grid(greys, _KALIBR_FAMILY, KALIBR.border_bits, task):
        return found
    family = ""
    numbers: set[int] = set()
    best: tuple[int, Grey] | None = None
    for grey in greys[:_MARKED_PHOTOS]:
        task.check()
        markers = find_markers(np.repeat(grey[..., None], 3, axis=2), family or "auto")
        if len(markers) < _FEWEST_MARKERS:
            continue
        if best is None or len(markers) > best[0]:
            best = len(markers), grey
        # Trying every family takes long; one photo tells which it is.
        family = family or Counter(marker.family for marker in markers).most_common(1)[0][0]
        numbers |= {marker.number for marker in markers if marker.family == family}
    if best is None:
        return None
    return _charuco(best[1], family, max(numbers) + 1) or find_tag_grid(greys, family, 1, task)


def _charuco(grey: Grey, family: str, markers: int) -> Board | None:
    """The size and pattern that explain most corners of the best photo."""
    sizes = [
        (columns, rows)
        for columns in range(3, 31)
        for rows in range(3, 31)
        if columns * rows // 2 in (markers, markers + 1)
        or (columns * rows + 1) // 2 in (markers, markers + 1)
    ]
    read = read_markers(grey, family)
    best, most = None, _FEWEST_MARKERS
    for columns, rows in sizes:
        for legacy in (False, True) if rows % 2 == 0 else (False,):
            board = Board(kind="charuco", columns=columns, rows=rows, family=family, legacy=legacy)
            corners, found = charuco_corners(grey, board, read)
            if len(found) <= most:
                continue
            if plane_error(board.points[found], corners) < _MOST_OFF_PLANE:
                best, most = board, len(found)
    return best


def _circles(greys: Sequence[Grey], task: Task) -> Board | None:
    # Straight rows first: a square part of them may be counted as staggered, too.
    kinds: tuple[Kind, ...] = ("circles", "asymmetric-circles")
    for kind in kinds:
        seen: Counter[tuple[int, int]] = Counter()
        for grey in greys:
            task.check()
            seen.update(sizes_of_circles(grey, kind))
        size, votes = max(seen.items(), key=lambda each: (each[1], each[0]), default=((0, 0), 0))
        if votes >= _FEWEST_VOTES:
            return Board(kind=kind, columns=size[0], rows=size[1])
    return None
