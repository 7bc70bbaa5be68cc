"""A board that is filmed instead of photographed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from boards import chessboard_leaning
from films import film

from recon3d.cli.commands import parse
from recon3d.cli.perform import perform
from recon3d.run.task import CancelToken


def run(video: Path, target: Path) -> int:
    typed = ["calibrate", str(video), "-o", str(target), "--quiet"]
    return perform(parse(typed), CancelToken())


@pytest.mark.slow
def test_a_video_of_a_board_becomes_a_camera(tmp_path: Path) -> None:
    frames = []
    for time in np.linspace(0, 2 * np.pi, 60):
        turn = (0.5 * np.sin(2 * time), 0.5 * np.cos(time), 0.2 * np.sin(time))
        frames.append(chessboard_leaning(turn, (120 * np.sin(time), 60 * np.cos(3 * time))))
    assert run(film(tmp_path / "Tafel größer.mp4", frames), tmp_path / "K.json") == 0
    found = json.loads((tmp_path / "K.json").read_text())
    said = found["calibration"]
    assert said["board"] == {"kind": "chessboard", "size": "6x4", "bend_squares": 0.0}
    assert said["photos_used"] >= 10
    # A video's own compression moves corners by tenths of a pixel.
    assert found["fx"] == pytest.approx(900, abs=4 * said["standard_deviations"]["fx"])
    assert found["fx"] == pytest.approx(900, rel=0.02)


def test_a_video_without_a_board_ends_in_a_message(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wall = np.random.default_rng(1).integers(0, 255, (15, 20)).astype(np.uint8)
    frames = [np.kron(np.roll(wall, n, 1), np.ones((8, 8))).astype(np.uint8) for n in range(8)]
    assert run(film(tmp_path / "wall.mp4", frames), tmp_path / "K.json") == 1
    assert "No calibration board was found" in capfd.readouterr().err
    assert not (tmp_path / "K.json").exists()
