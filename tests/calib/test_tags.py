"""Kalibr's AprilGrid and its relatives: drawn by Kalibr's rules, photographed, calibrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from boards import Darkroom, kalibr_page
from PIL import Image
from recon3d_calib.board import KALIBR, Board
from recon3d_calib.calibrate import calibrate
from recon3d_calib.detection import look_at
from recon3d_calib.errors import BoardError
from recon3d_calib.search import settle_board
from recon3d_calib.tag_grids import find_tag_grid

from recon3d.run.task import CancelToken, Task, silent

SIZE = 640, 480
FOCAL_PX, K1 = 520.0, -0.15
FAMILY = "apriltag_36h11"
# Turned about an axis, in radians, and where the page's middle is, in its widths. One is upside
# down, and two are cut off.
VIEWS = [
    ((0.5, 0.0, 0.0), (0.0, 0.0, 1.2)),
    ((-0.5, 0.1, 0.2), (0.2, 0.1, 1.3)),
    ((0.1, 0.6, np.pi), (-0.1, -0.1, 1.3)),
    ((0.0, -0.5, 0.1), (0.4, 0.2, 1.2)),
    ((0.4, 0.4, -0.2), (-0.3, -0.3, 1.1)),
    ((-0.3, 0.4, 1.5), (0.1, 0.0, 1.1)),
]


def task() -> Task:
    return Task("calibrate", silent, CancelToken())


@pytest.fixture(scope="module")
def darkroom() -> Darkroom:
    return Darkroom(FOCAL_PX, K1, SIZE)


@pytest.fixture(scope="module")
def photos(darkroom: Darkroom) -> list[np.ndarray]:
    rng, page = np.random.default_rng(2), kalibr_page(6, 6)
    clean = [darkroom.photo(page, turn, away) * 0.7 + 30 for turn, away in VIEWS]
    return [np.clip(each + rng.normal(0, 2, each.shape), 0, 255).astype(np.uint8) for each in clean]


def test_an_aprilgrid_gives_the_lens_within_its_error_bars(photos: list[np.ndarray]) -> None:
    board = find_tag_grid(photos, FAMILY, 2, task())
    assert board
    assert (board.columns, board.rows, board.marker_share) == (6, 6, 0.3)
    assert board.tags == KALIBR
    looks = [look_at(photo, board, f"{index}.png") for index, photo in enumerate(photos)]
    assert all(look.detection for look in looks)
    found = calibrate(looks, board, task(), lens="radial1")
    truth = {"fx": FOCAL_PX, "fy": FOCAL_PX, "cx": SIZE[0] / 2, "cy": SIZE[1] / 2, "k1": K1}
    for name, value in truth.items():
        assert abs(found.values[name] - value) < 3 * found.std[name]
    # An error bar of half a percent would make that no feat.
    assert found.focal_error < 0.005
    assert found.rms_px < 0.1


def test_a_mirrored_aprilgrid_is_called_mirrored(photos: list[np.ndarray]) -> None:
    mirrored = [np.ascontiguousarray(photo[:, ::-1]) for photo in photos[:3]]
    assert find_tag_grid(mirrored, FAMILY, 2, task()) is None
    board = Board(kind="apriltags", columns=6, rows=6, family=FAMILY, tags=KALIBR)
    assert "mirrored" in look_at(mirrored[0], board, "a").reason


@pytest.mark.parametrize(
    ("columns", "rows", "gap", "upwards", "squares"),
    [(5, 3, 0.225, True, True), (3, 4, 0.3, False, True), (3, 3, 0.3, True, False)],
)
def test_order_gap_and_squares_are_seen(
    darkroom: Darkroom, columns: int, rows: int, gap: float, upwards: bool, squares: bool
) -> None:
    page = kalibr_page(columns, rows, gap, upwards=upwards, squares=squares)
    # The second one is upside down: that must not pass for numbers in the other order.
    views = [((0.3, 0.2, 0.1), (0.0, 0.0, 1.4)), ((0.1, -0.3, np.pi), (0.05, 0.0, 1.4))]
    shots = [darkroom.photo(page, turn, away) for turn, away in views]
    for some in ([shots[1]], shots):
        board = find_tag_grid(some, FAMILY, 2, task())
        assert board
        assert (board.columns, board.rows) == (columns, rows)
        assert (board.tags.upwards, board.tags.touching) == (upwards, squares)
        assert board.marker_share == pytest.approx(gap, abs=0.003)


def test_a_size_that_is_given_counts_rows_that_no_photo_shows(
    photos: list[np.ndarray], tmp_path: Path
) -> None:
    # The upper two rows are covered by the photo's edge.
    upright = photos[0]
    Image.fromarray(upright[160:]).save(tmp_path / "a.png")
    paths = {"a.png": tmp_path / "a.png"}
    assert settle_board(paths, "apriltags", "", task()).rows < 6
    assert settle_board(paths, "apriltags", "6x6", task()).size == "6x6"
    with pytest.raises(BoardError, match="not 7x7"):
        settle_board(paths, "apriltags", "7x7", task())
