"""The calibration page without its window."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from boards import render_boards
from PIL import Image
from recon3d_calib.calibrate import Calibration
from recon3d_gui.calibration.session import CalibrationSession
from recon3d_gui.calibration.words import doubtful_first, photo_line, progress_words
from recon3d_gui.calibration.worker import Progress, Wanted
from recon3d_gui.failure import Failure

from recon3d.core.errors import InputError


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos of a chessboard of 6x4 corners, leaning to different sides, and one without."""
    folder = tmp_path_factory.mktemp("Tafeln schräg")
    render_boards(folder)
    Image.new("L", (800, 600), 128).save(folder / "leer.png")
    return folder


def wait(session: CalibrationSession) -> None:
    end = time.monotonic() + 300
    while session.state != "idle" and time.monotonic() < end:
        session.poll()
        time.sleep(0.02)
    assert session.state == "idle"


def test_photos_become_a_camera_in_a_process_of_its_own(boards: Path, tmp_path: Path) -> None:
    session = CalibrationSession()
    assert session.add([boards]) == 7
    session.choose(Wanted("chessboard"))
    before = session.revision
    session.start()
    wait(session)
    assert session.failure is None
    assert session.revision > before
    assert session.found
    assert (session.found.columns, session.found.rows) == (6, 4)
    outcome = session.outcome
    assert outcome
    assert isinstance(outcome.judged, Calibration)
    # Six photos of 24 corners: the error bar says what to expect.
    camera, std = outcome.judged.intrinsics.pinhole, outcome.judged.std
    assert abs(camera.fx_px - 900) < 4 * std["fx"] + 1
    assert session.looks["leer.png"].detection is None
    assert set(session.thumbnails) == set(session.paths)
    session.save(tmp_path / "K.json")
    assert (tmp_path / "K.json").exists()
    assert "px, tilted" in photo_line("0.png", session.looks["0.png"], outcome)[0]
    assert photo_line("leer.png", session.looks["leer.png"], outcome)[1] == "warning"
    assert dict(outcome.rows)["Photos used"] == "6 of 7"
    names = [f"{index}.png" for index in range(6)]
    assert doubtful_first([*names, "leer.png"], outcome) == ["leer.png", *names]
    assert doubtful_first(["b", "a"], None) == ["a", "b"]
    session.write_report()
    report = session.reported.get(timeout=60)
    assert isinstance(report, Path)
    assert "leer.png" in report.read_text(encoding="utf-8")
    session.close()
    assert not report.exists()


@pytest.mark.slow
def test_a_zoomed_lens_keeps_the_corners_that_were_found(boards: Path) -> None:
    session = CalibrationSession()
    session.add([boards])
    session.choose(Wanted("chessboard", "6x4"))
    session.start()
    wait(session)
    session.choose(Wanted("chessboard", "6x4", zoomed=True))
    assert session.outcome is None
    assert session.looks
    session.start()
    wait(session)
    assert session.outcome
    assert "focal length" in session.outcome.used["0.png"]
    assert not session.outcome.fits_project


@pytest.mark.slow
def test_photos_without_a_board_become_a_camera_too(example: Path, tmp_path: Path) -> None:
    session = CalibrationSession()
    session.choose(Wanted(boardless=True))
    photos = sorted(example.glob("*.jpg"))[::2]
    session.add(photos)
    session.start()
    wait(session)
    outcome = session.outcome
    assert outcome, session.failure
    assert set(outcome.used) == set(session.paths) == set(session.thumbnails)
    truth = json.loads((example / "K.json").read_text())
    assert outcome.judged.intrinsics.pinhole.fx_px == pytest.approx(truth["fx"], rel=0.005)
    session.save(tmp_path / "K.json")
    assert json.loads((tmp_path / "K.json").read_text())["calibration"]["points"] > 100
    session.close()


@pytest.mark.slow
def test_a_wrong_size_is_a_failure_that_says_the_right_one(boards: Path) -> None:
    session = CalibrationSession()
    session.add([boards])
    session.choose(Wanted("chessboard", "8x5"))
    session.start()
    wait(session)
    assert session.outcome is None
    assert session.failure
    assert "6x4" in session.failure.message


def test_it_stops_within_three_seconds(boards: Path) -> None:
    session = CalibrationSession()
    session.add([boards])
    session.start()
    session.cancel()
    asked = time.monotonic()
    wait(session)
    assert time.monotonic() - asked < 4
    assert session.failure is None
    assert session.outcome is None


def test_another_board_forgets_what_was_seen(boards: Path) -> None:
    session = CalibrationSession()
    session.add([boards])
    session.found = None
    session.thumbnails["0.png"] = np.zeros((2, 2, 3), np.uint8)
    session.choose(Wanted("circles", "4x11"))
    assert not session.thumbnails


def test_files_that_are_no_photos_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    session = CalibrationSession()
    with pytest.raises(InputError):
        session.add([tmp_path])
    with pytest.raises(InputError, match="no photos yet"):
        session.start()


def test_more_photos_keep_what_was_seen_though_their_names_change(
    boards: Path, tmp_path: Path
) -> None:
    session = CalibrationSession()
    session.add([boards / "0.png", boards / "1.png"])
    session.thumbnails["0.png"] = np.zeros((2, 2, 3), np.uint8)
    (tmp_path / "2.png").write_bytes((boards / "2.png").read_bytes())
    assert session.add([tmp_path / "2.png"]) == 1
    assert [name for name in session.thumbnails if name.endswith("/0.png")]


def test_a_board_is_drawn_without_waiting(tmp_path: Path) -> None:
    session = CalibrationSession()
    session.print_board(tmp_path / "board.svg")
    assert session.printed.get(timeout=60) == tmp_path / "board.svg"
    session.print_board(tmp_path / "board.doc")
    refused = session.printed.get(timeout=60)
    assert isinstance(refused, Failure)


def test_a_sample_of_the_photos_is_not_told_as_their_number() -> None:
    board = "finding out which board it is"
    assert progress_words(Progress(10, 10, board, is_sample=True)) == board
    assert progress_words(Progress(4, 13, "d.jpg")) == "4 of 13  d.jpg"
    assert progress_words(Progress(0, 1, "fitting")) == "fitting"
