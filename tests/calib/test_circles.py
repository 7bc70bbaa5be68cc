"""Grids of circles are counted, whatever their size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from recon3d_calib.board import Board
from recon3d_calib.circle_lattice import Kind, countings
from recon3d_calib.circles import find_circles, sizes_of_circles

from recon3d.core.lens import LENSES, project
from recon3d.core.transform import rotations_from_axis_angle

LENS = np.array([600, 600, 320, 240, -0.2, 0.05])


def seen(board: Board, rng: np.random.Generator) -> np.ndarray:
    """The circles in a photo of 640x480 pixels, from a slant."""
    flat = np.pad(board.points - board.points.mean(axis=0), ((0, 0), (0, 1)))
    turn = rotations_from_axis_angle(rng.uniform(-0.6, 0.6, (1, 3)))[0]
    away = np.array([*rng.uniform(-1, 1, 2), 2.2 * np.ptp(board.points, axis=0).max()])
    return project(LENSES["radial2"], LENS, flat @ turn.T + away)


def drawn(board: Board, spots_px: np.ndarray) -> np.ndarray:
    grey = np.full((480, 640), 210, np.uint8)
    step = np.linalg.norm(spots_px[0] - spots_px[1])
    for x, y in spots_px * 16:
        cv2.circle(grey, (round(x), round(y)), round(step * 2.5), 30, -1, cv2.LINE_AA, 4)
    return grey


@pytest.mark.parametrize(
    ("kind", "columns", "rows"),
    [
        ("circles", 9, 7),
        ("circles", 12, 9),
        ("circles", 5, 5),
        ("asymmetric-circles", 4, 11),
        ("asymmetric-circles", 5, 8),
        ("asymmetric-circles", 3, 9),
    ],
)
def test_every_circle_is_counted_among_clutter(kind: Kind, columns: int, rows: int) -> None:
    board = Board(kind=kind, columns=columns, rows=rows)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        circles = seen(board, rng)
        clutter = rng.uniform(0, [640, 480], (40, 2))
        lonely = np.linalg.norm(clutter[:, None] - circles, axis=2).min(axis=1) > 40
        order = rng.permutation(len(circles) + lonely.sum())
        spots = np.concatenate([circles, clutter[lonely]])[order]
        wanted = np.arange(len(circles)).reshape(rows, columns)
        # A board that looks the same from its other end may be counted from there.
        ways = [wanted, wanted[::-1, ::-1]] if columns != rows else _turned(wanted)
        found = next(grid for grid in countings(spots, kind) if grid.shape == wanted.shape)
        assert any(np.array_equal(order[found], way) for way in ways)


def _turned(grid: np.ndarray) -> list[np.ndarray]:
    return [np.rot90(grid, quarter) for quarter in range(4)]


@pytest.mark.parametrize("kind", ["circles", "asymmetric-circles"])
def test_a_circle_that_is_not_seen_leaves_the_others_counted(kind: Kind) -> None:
    board = Board(kind=kind, columns=5, rows=7)
    spots = seen(board, np.random.default_rng(3))
    found = find_circles(drawn(board, np.delete(spots, 17, axis=0)), board).points
    assert found is not None
    assert found.numbers is not None
    assert len(found.px) == 34
    # A straight grid looks the same from its other end, and 17 is the one in its middle.
    assert 17 not in found.numbers
    ends = [spots, spots[::-1]] if kind == "circles" else [spots]
    assert any(np.abs(found.px - end[found.numbers]).max() < 0.5 for end in ends)


def test_the_size_that_is_there_is_found_and_named() -> None:
    board = Board(kind="circles", columns=8, rows=5)
    grey = drawn(board, seen(board, np.random.default_rng(4)))
    assert sizes_of_circles(grey, "circles") == {(8, 5)}
    wrong = find_circles(grey, Board(kind="circles", columns=7, rows=5))
    assert wrong.points is None
    assert wrong.reason == "it shows a grid of 8x5 circles, not 7x5"
    assert wrong.other_size == (8, 5)


def test_a_mirrored_board_is_no_board() -> None:
    # One with an odd number of rows is its own mirror image.
    board = Board(kind="asymmetric-circles", columns=5, rows=8)
    spots = seen(board, np.random.default_rng(5))
    mirrored = drawn(board, spots)[:, ::-1]
    assert find_circles(drawn(board, spots), board).points is not None
    assert find_circles(np.ascontiguousarray(mirrored), board).points is None


def test_spots_in_no_order_are_no_board() -> None:
    spots = np.random.default_rng(6).uniform(0, [640, 480], (80, 2))
    for kind in ("circles", "asymmetric-circles"):
        assert all((grid >= 0).sum() < 12 for grid in countings(spots, kind))
