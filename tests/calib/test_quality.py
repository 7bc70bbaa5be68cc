"""What a calibration says of itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from boards import seen_boards
from recon3d_calib.calibrate import Calibration, calibrate
from recon3d_calib.files import save_calibration
from recon3d_calib.plots import draw_coverage, draw_residuals, draw_tilts
from recon3d_calib.quality import advice, coverage, grade, summary

from recon3d.photos.intrinsics import read_camera_file
from recon3d.run.task import CancelToken, Task, silent


@pytest.fixture(scope="module")
def good() -> Calibration:
    board, looks = seen_boards("radial1", 24, np.random.default_rng(11), 0.1)
    return calibrate(looks, board, Task("calibrate", silent, CancelToken()), lens="radial1")


def test_many_tilted_sharp_photos_are_good_and_need_no_advice(good: Calibration) -> None:
    assert [a for a in advice(good) if "corner" not in a] == []
    assert grade(replace(good, std={**good.std, "fx": 0.0, "fy": 0.0})) in ("good", "fair")


def test_few_photos_and_flat_ones_get_the_advice_that_helps(good: Calibration) -> None:
    few = replace(good, photos=good.photos[:6])
    assert any("Only 6 photos" in sentence for sentence in advice(few))
    upright = np.concatenate([np.eye(3), [[0], [0], [10]]], axis=1)
    flat = replace(good, photos=tuple(replace(p, cam_from_board=upright) for p in good.photos))
    assert any("tilted left, right, up and down" in sentence for sentence in advice(flat))


def test_a_focal_length_that_is_not_known_is_not_trustworthy(good: Calibration) -> None:
    doubtful = replace(good, std={**good.std, "fx": 40.0})
    assert grade(doubtful) == "poor"
    assert "Not trustworthy" in summary(doubtful)
    unknown = replace(good, std={**good.std, "fx": np.inf})
    assert "leave the focal length open" in summary(unknown)


def test_an_edge_that_no_board_reached_is_named(good: Calibration) -> None:
    halves = tuple(
        replace(photo, kept=photo.kept & (photo.points_px[:, 0] < 900)) for photo in good.photos
    )
    assert any("right edge" in sentence for sentence in advice(replace(good, photos=halves)))


def test_every_kept_corner_is_counted_where_it_is(good: Calibration) -> None:
    counts = coverage(good)
    assert counts.shape == (12, 16)
    assert counts.sum() == sum(photo.kept.sum() for photo in good.photos)


def test_plots_show_every_corner_and_photo(good: Calibration) -> None:
    arrows = draw_residuals(good)
    assert len(arrows.kept) + len(arrows.dropped) == 24 * 54
    assert sum(count for _, count in draw_tilts(good)) == 24
    assert len(draw_coverage(good).cells) == (coverage(good) > 0).sum()


def test_the_file_that_is_saved_is_the_camera_and_says_how_sure_it_is(
    good: Calibration, tmp_path: Path
) -> None:
    save_calibration(tmp_path / "K.json", good)
    assert read_camera_file(tmp_path / "K.json", (1, 1)).shared == (good.intrinsics,)
    said = json.loads((tmp_path / "K.json").read_text())["calibration"]
    assert said["standard_deviations"]["fx"] == good.std["fx"]
    assert said["photos_used"] == len(good.used)
