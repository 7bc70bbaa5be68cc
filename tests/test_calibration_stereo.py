"""Two cameras before the same board."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))
from boards import SIZE, VALUES
from recon3d_calib.adjust import rotations_of
from recon3d_calib.board import Board
from recon3d_calib.calibrate import Calibration, calibrate
from recon3d_calib.detection import Detection, Look
from recon3d_calib.errors import CalibrationError
from recon3d_calib.lens import LENSES, project
from recon3d_calib.stereo import calibrate_stereo

from recon3d.run.task import CancelToken, Task, silent

NOISE_PX = 0.1
TURN = rotations_of(np.array([[0.02, -0.1, 0.01]]))[0]
SHIFT = np.array([-3.0, 0.1, 0.2])
Seen = tuple[Board, list[Look], list[Look], Calibration, Calibration]


def task() -> Task:
    return Task("stereo", silent, CancelToken())


@pytest.fixture(scope="module")
def seen() -> Seen:
    """Twelve pairs; the second camera counts every third board from its other end."""
    rng, board = np.random.default_rng(3), Board(columns=9, rows=6, square_mm=20)
    flat = np.pad(board.points - board.points.mean(axis=0), ((0, 0), (0, 1)))
    values = np.array(VALUES["radial1"])
    looks: tuple[list[Look], list[Look]] = [], []
    while len(looks[0]) < 12:
        turn = rotations_of(rng.uniform(-0.6, 0.6, (1, 3)))[0]
        first = flat @ turn.T + [*rng.uniform(-3, 3, 2), rng.uniform(10, 16)]
        shown = [project(LENSES["radial1"], values, p) for p in (first, first @ TURN.T + SHIFT)]
        if not all((uv > 5).all() and (uv < np.array(SIZE) - 5).all() for uv in shown):
            continue
        name = f"{len(looks[0]):02}.jpg"
        for side, uv in enumerate(shown):
            points_px = uv + rng.normal(0, NOISE_PX, uv.shape)
            if side and len(looks[0]) % 3 == 0:
                points_px = points_px[::-1]
            detection = Detection(name, *SIZE, points_px, board.points, np.arange(54))
            looks[side].append(Look(name, detection))
    first_camera, second_camera = (calibrate(side, board, task(), lens="radial1") for side in looks)
    return board, *looks, first_camera, second_camera


def test_the_second_camera_is_found_where_it_stands(seen: Seen) -> None:
    board, first, second, a, b = seen
    stereo = calibrate_stereo(a, b, list(zip(first, second, strict=True)), board, task())
    assert stereo.pairs_used == 12
    truth = np.linalg.norm(SHIFT) * 0.02
    assert abs(stereo.baseline - truth) < 3 * stereo.baseline_std
    assert stereo.baseline_std < 0.005 * truth
    # Two coordinates of noise.
    assert stereo.rms_px == pytest.approx(NOISE_PX * np.sqrt(2), rel=0.1)
    turned = stereo.second_from_first.rotation @ TURN.T
    assert np.degrees(np.arccos((np.trace(turned) - 1) / 2)) < 0.3


@pytest.mark.slow
def test_a_pair_that_was_not_taken_at_one_moment_does_not_count(seen: Seen) -> None:
    board, first, second, a, b = seen
    mixed = list(zip(first, second, strict=True))
    mixed[4] = mixed[4][0], second[5]
    stereo = calibrate_stereo(a, b, mixed, board, task())
    assert stereo.pairs_used == 11
    assert stereo.pairs_given == 12


@pytest.mark.slow
def test_without_millimetres_the_unit_is_a_square(seen: Seen) -> None:
    _, first, second, a, b = seen
    unknown = Board(columns=9, rows=6)
    stereo = calibrate_stereo(a, b, list(zip(first, second, strict=True)), unknown, task())
    assert not stereo.metric
    assert stereo.baseline == pytest.approx(np.linalg.norm(SHIFT), rel=0.01)


def test_too_few_pairs_are_an_error(seen: Seen) -> None:
    board, first, second, a, b = seen
    blind = [replace(look, detection=None) for look in second[2:]]
    pairs = list(zip(first, [*second[:2], *blind], strict=True))
    with pytest.raises(CalibrationError, match="in 2 of 12 pairs"):
        calibrate_stereo(a, b, pairs, board, task())
