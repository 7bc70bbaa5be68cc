"""Boards as they are printed, photographed from the side, and found again."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from recon3d_calib import printing
from recon3d_calib.board import Board, parse_size
from recon3d_calib.detection import Detection, detect_boards, look_at
from recon3d_calib.errors import BoardError
from recon3d_calib.printing import largest_square_mm, print_board
from recon3d_calib.search import find_board, settle_board

from recon3d.core.errors import Cancelled, ConfigError
from recon3d.run.task import CancelToken, Task, silent

# Of the pages in these tests: about as fine as the photos of them.
DPI = 150
WIDTH, HEIGHT = 1200, 900
BOARDS = {
    "chessboard": Board(columns=9, rows=6),
    "charuco": Board(kind="charuco", columns=11, rows=8, family="aruco_5x5_100"),
    "apriltags": Board(
        kind="apriltags", columns=6, rows=4, family="apriltag_36h11", marker_share=0.3
    ),
    "circles": Board(kind="circles", columns=9, rows=7),
    "asymmetric-circles": Board(kind="asymmetric-circles", columns=4, rows=11),
}


def task() -> Task:
    return Task("calibrate", silent, CancelToken())


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as coarse:
        coarse.setattr(printing, "_DPI", DPI)
        for kind, board in BOARDS.items():
            print_board(folder / f"{kind}.png", board, "A4")
    return {kind: np.asarray(Image.open(folder / f"{kind}.png").convert("L")) for kind in BOARDS}


def photographed(page: np.ndarray, lean: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A photo of a page, leaning back by some of its width, and photo from page in pixels."""
    height, width = page.shape
    scale = min(WIDTH / width, HEIGHT / height) * 0.92
    w, h = width * scale, height * scale
    x, y = (WIDTH - w) / 2, (HEIGHT - h) / 2
    inwards = lean * w
    target = [[x + inwards, y], [x + w - inwards, y + 0.3 * inwards], [x + w, y + h], [x, y + h]]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turn = cv2.getPerspectiveTransform(corners, np.array(target, np.float32))
    # Rendered twice as large, then shrunk, as a lens would.
    fine = np.diag([2.0, 2.0, 1.0]) @ turn
    centres = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    warp = np.linalg.inv(centres) @ fine @ centres
    large = cv2.warpPerspective(
        page, warp, (2 * WIDTH, 2 * HEIGHT), flags=cv2.INTER_AREA, borderValue=255
    )
    return cv2.resize(large, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), turn


def through(turn: np.ndarray, points: np.ndarray) -> np.ndarray:
    flat = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ turn.T
    return flat[:, :2] / flat[:, 2:]


def places(found: Detection) -> np.ndarray:
    """Points on the board, counted from the upper left: a chessboard looks the same turned."""
    around = found.points_px - found.points_px.mean(axis=0)
    centred = found.points_board - found.points_board.mean(axis=0)
    turned = (around * centred).sum() < 0
    return found.points_board.max(axis=0) - found.points_board if turned else found.points_board


def origins(found: Detection, on_page: np.ndarray, step: float) -> np.ndarray:
    """Where each point says that the board begins."""
    return on_page - places(found) * step


@pytest.mark.parametrize("kind", BOARDS)
def test_a_printed_board_has_the_size_it_says(kind: str, pages: dict[str, np.ndarray]) -> None:
    photo, turn = photographed(pages[kind])
    found = look_at(photo, BOARDS[kind], "a").detection
    assert found
    on_page = through(np.linalg.inv(turn), found.points_px)
    step = largest_square_mm(BOARDS[kind], "A4") / 25.4 * DPI
    # Pixels of the page, of which a photo's pixel has one or two.
    assert np.abs(origins(found, on_page, step).std(axis=0)).max() < 0.15


@pytest.mark.parametrize("kind", BOARDS)
def test_every_point_of_a_leaning_board_is_found_where_it_is(
    kind: str, pages: dict[str, np.ndarray]
) -> None:
    board = BOARDS[kind]
    straight, straight_turn = photographed(pages[kind])
    flat = look_at(straight, board, "a").detection
    photo, turn = photographed(pages[kind], lean=0.08)
    found = look_at(photo, board, "a").detection
    assert flat
    assert found
    assert len(found.points_px) == len(board.points)
    assert found.numbers is not None
    step = largest_square_mm(board, "A4") / 25.4 * DPI
    origin = origins(flat, through(np.linalg.inv(straight_turn), flat.points_px), step)
    truth = through(turn, places(found) * step + origin.mean(axis=0))
    # Saddle points are sharper than the corners of tags, where two lines meet.
    tolerance_px = 0.5 if kind == "apriltags" else 0.35
    assert np.linalg.norm(found.points_px - truth, axis=1).max() < tolerance_px


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOARDS)
def test_the_kind_and_size_of_a_board_are_found(
    kind: str, pages: dict[str, np.ndarray], tmp_path: Path
) -> None:
    paths = {}
    for index, lean in enumerate((0.0, 0.05, 0.09)):
        paths[f"{index}.png"] = tmp_path / f"{index}.png"
        Image.fromarray(photographed(pages[kind], lean)[0]).save(paths[f"{index}.png"])
    found, board = find_board(paths, None, task()), BOARDS[kind]
    assert (found.kind, found.columns, found.rows) == (board.kind, board.columns, board.rows)
    if kind in ("charuco", "apriltags"):
        assert found.family == board.family
    looks = detect_boards(paths, found, task(), 1)
    assert all(look.detection for look in looks)


@pytest.mark.slow
@pytest.mark.parametrize("legacy", [False, True])
def test_charuco_boards_of_older_versions_of_opencv_are_told_apart(
    legacy: bool, tmp_path: Path
) -> None:
    family = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_6X6_250)
    drawn = cv2.aruco.CharucoBoard((7, 6), 1.0, 0.7, family)
    drawn.setLegacyPattern(legacy)
    path = tmp_path / "a.png"
    Image.fromarray(photographed(drawn.generateImage((700, 600), None, 60), 0.05)[0]).save(path)
    board = find_board({"a": path}, "charuco", task())
    assert (board.size, board.legacy) == ("7x6", legacy)
    (look,) = detect_boards({"a": path}, board, task())
    assert look.detection
    assert len(look.detection.points_px) == 6 * 5


@pytest.mark.parametrize("kind", ["charuco", "apriltags"])
def test_a_mirrored_board_is_called_mirrored(kind: str, pages: dict[str, np.ndarray]) -> None:
    photo, _ = photographed(pages[kind])
    look = look_at(np.ascontiguousarray(photo[:, ::-1]), BOARDS[kind], "a")
    assert look.detection is None
    assert "mirrored" in look.reason


@pytest.mark.parametrize("kind", ["charuco", "apriltags"])
def test_a_board_with_markers_may_be_cut_off(kind: str, pages: dict[str, np.ndarray]) -> None:
    photo, _ = photographed(pages[kind])
    part = np.ascontiguousarray(photo[:, : WIDTH // 2])
    found = look_at(part, BOARDS[kind], "a").detection
    assert found
    assert found.numbers is not None
    assert 10 < len(found.numbers) < len(BOARDS[kind].points)


def test_a_cut_off_chessboard_is_found_in_part(pages: dict[str, np.ndarray]) -> None:
    photo, _ = photographed(pages["chessboard"])
    found = look_at(np.ascontiguousarray(photo[:, : WIDTH // 2]), BOARDS["chessboard"], "a")
    assert found.detection
    assert found.detection.numbers is None
    assert len(found.detection.points_px) >= 18


def test_a_chessboard_of_another_size_is_measured(pages: dict[str, np.ndarray]) -> None:
    photo, _ = photographed(pages["chessboard"])
    look = look_at(photo, Board(columns=7, rows=5), "a")
    assert look.detection is None
    assert look.other_size
    assert sorted(look.other_size) == [6, 9]


@pytest.mark.slow
def test_a_wrong_size_of_a_charuco_board_is_an_error_that_says_the_right_one(
    pages: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(photographed(pages["charuco"])[0]).save(path)
    with pytest.raises(BoardError, match="11x8 squares, not 7x5"):
        settle_board({"a": path}, "charuco", "7x5", task())


@pytest.mark.slow
def test_photos_without_a_board_are_an_error(example: Path) -> None:
    paths = {path.name: path for path in sorted(example.glob("*.jpg"))[:2]}
    assert paths
    with pytest.raises(BoardError, match="No calibration board"):
        find_board(paths, None, task())


def test_a_broken_photo_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    (look,) = detect_boards({"a.jpg": tmp_path / "a.jpg"}, BOARDS["chessboard"], task(), 1)
    assert look.detection is None
    assert look.reason


def test_looking_stops_when_asked(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        detect_boards({"a": tmp_path / "a"}, BOARDS["circles"], Task("c", silent, token), 1)


def test_what_does_not_fit_on_the_paper_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not fit on A4"):
        print_board(tmp_path / "a.pdf", Board(columns=9, rows=6, square_mm=40), "A4")


def test_a_page_is_a_pdf_of_the_papers_size(tmp_path: Path) -> None:
    print_board(tmp_path / "a.pdf", BOARDS["asymmetric-circles"], "A4")
    content = (tmp_path / "a.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    box = re.search(rb"/MediaBox \[ *0 0 ([\d.]+) ([\d.]+)", content)
    assert box
    # In points of 1/72 inch.
    assert [float(side) / 72 * 25.4 for side in box.groups()] == pytest.approx([210, 297])


@pytest.mark.parametrize("text", ["", "9", "9x", "9x6x3", "axb", "-9x6", "9.5x6"])
def test_what_is_no_size_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError, match="no size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["9x6", " 9 x 6", "9X6", "9×6", "9, 6", "9*6"])
def test_sizes_may_be_written_in_many_ways(text: str) -> None:
    assert parse_size(text) == (9, 6)
