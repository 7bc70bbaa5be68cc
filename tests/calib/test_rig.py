"""Cameras that are fixed to each other, before the same board."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from recon3d_calib.board import Board
from recon3d_calib.calibrate import Calibration
from recon3d_calib.errors import CalibrationError
from recon3d_calib.files import describe_rig
from recon3d_calib.rig import Rig, calibrate_rig
from recon3d_calib.rig_words import rig_grade, table
from rigs import CHAIN, THREE, VALUES_OF_ALL, Shots, shoot, task
from scipy.spatial.transform import Rotation

from recon3d.core.transform import Rigid
from recon3d.photos.moments import Moments

NOISE_PX = 0.1
SQUARE_M = 0.02
Seen = tuple[Shots, dict[str, Calibration]]


@pytest.fixture(scope="module")
def three() -> Seen:
    shots = shoot(THREE, 30, np.random.default_rng(3), NOISE_PX)
    return shots, shots.calibrated()


def offsets(rig: Rig, places: Sequence[Rigid]) -> np.ndarray:
    """Turn and shift from the truth, of each camera but the first."""
    return np.stack(
        [
            np.concatenate(
                [
                    Rotation.from_matrix(
                        truth.rotation @ camera.cam_from_first.rotation.T
                    ).as_rotvec(),
                    truth.translation * SQUARE_M - camera.cam_from_first.translation,
                ]
            )
            for camera, truth in zip(rig.cameras[1:], places[1:], strict=True)
        ]
    )


def sigmas(rig: Rig, places: Sequence[Rigid]) -> np.ndarray:
    """The same, in the reported standard deviations."""
    std = np.stack([np.sqrt(np.diag(camera.covariance)) for camera in rig.cameras[1:]])
    return np.abs(offsets(rig, places)) / std


def with_photo(seen: Seen, camera: str, moment: str, other: str) -> dict[str, Calibration]:
    """A camera whose photo of a moment shows what it saw at another one."""
    calibration = seen[1][camera]
    taken = {photo.photo_id: photo for photo in calibration.photos}
    wrong = replace(taken[f"{other}.jpg"], photo_id=f"{moment}.jpg")
    photos = tuple(wrong if p.photo_id == wrong.photo_id else p for p in calibration.photos)
    return {**seen[1], camera: replace(calibration, photos=photos)}


def moments_of(shots: Shots, cameras: Sequence[str]) -> list[str]:
    """Those in which just these cameras saw the board."""
    found = [each for each in shots.moments.together if set(each.photos) == set(cameras)]
    return [each.name for each in found]


def test_three_cameras_are_found_where_they_stand(three: Seen) -> None:
    shots, cameras = three
    rig = calibrate_rig(cameras, shots.moments, task())
    assert [camera.name for camera in rig.cameras] == ["left", "right", "back"]
    assert len(rig.used) == len(rig.moments) == 30
    assert sigmas(rig, THREE).max() < 3
    # 0.1 px of noise at 1000 px of focal length and 54 corners in 15 photos.
    assert np.abs(offsets(rig, THREE)[:, :3]).max() < 2e-3
    for camera, truth in zip(rig.cameras[1:], THREE[1:], strict=True):
        baseline = float(np.linalg.norm(truth.translation)) * SQUARE_M
        assert abs(camera.baseline - baseline) < 3 * camera.baseline_std
        assert camera.baseline_std < 0.005 * baseline
    # The lenses gain from what the cameras see together.
    for camera in rig.cameras:
        pinhole = camera.intrinsics.pinhole
        assert abs(pinhole.fx_px - VALUES_OF_ALL[0]) < 3 * camera.std["fx"]
        assert abs(pinhole.cx_px - VALUES_OF_ALL[2]) < 3 * camera.std["cx"]
        assert camera.std["cx"] < 1.2 * camera.calibration.std["cx"]
    # Two coordinates of noise.
    assert rig.rms_px == pytest.approx(NOISE_PX * np.sqrt(2), rel=0.1)
    assert rig.cameras[0].baseline == rig.cameras[0].baseline_std == 0


@pytest.mark.slow
def test_a_camera_that_never_sees_what_the_first_sees_is_reached_over_others() -> None:
    shots = shoot(CHAIN, 40, np.random.default_rng(5), NOISE_PX)
    cameras = shots.calibrated()
    assert not any({"left", "far"} <= set(each.photos) for each in shots.moments.together)
    rig = calibrate_rig(cameras, shots.moments, task())
    assert sigmas(rig, CHAIN).max() < 3
    # Errors add up along the chain.
    assert rig.cameras[3].baseline_std > rig.cameras[1].baseline_std


@pytest.mark.slow
def test_error_bars_are_true() -> None:
    found, chi_squared = [], []
    for seed in range(100, 140):
        shots = shoot(THREE, 30, np.random.default_rng(seed), NOISE_PX)
        rig = calibrate_rig(shots.calibrated(), shots.moments, task())
        found.append(sigmas(rig, THREE))
        for camera, miss in zip(rig.cameras[1:], offsets(rig, THREE), strict=True):
            chi_squared.append(miss @ np.linalg.solve(camera.covariance, miss))
    assert (np.array(found) < 3).mean() >= 0.99
    # Six of each camera; the larger of two estimates is a little too large on purpose.
    assert 3 < np.mean(chi_squared) < 7.5


@pytest.mark.parametrize("camera", ["left", "right"])
def test_a_pair_that_was_not_taken_at_one_moment_does_not_count(three: Seen, camera: str) -> None:
    pairs = moments_of(three[0], ("left", "right"))
    rig = calibrate_rig(with_photo(three, camera, pairs[0], pairs[1]), three[0].moments, task())
    (left_out,) = (moment for moment in rig.moments if not moment.used)
    assert left_out.name == pairs[0]
    assert "not taken at the same moment" in left_out.reason
    assert sigmas(rig, THREE).max() < 3


def test_a_photo_taken_a_little_late_does_not_count(three: Seen) -> None:
    shots, cameras = three
    pair = moments_of(shots, ("left", "right"))[2]
    # What a hand moves in between. Across the line between the cameras: along it, it is depth.
    moved = tuple(
        replace(p, points_px=p.points_px + np.array([0.0, 1.5]))
        if p.photo_id == f"{pair}.jpg"
        else p
        for p in cameras["right"].photos
    )
    late = {**cameras, "right": replace(cameras["right"], photos=moved)}
    rig = calibrate_rig(late, shots.moments, task())
    assert [moment.name for moment in rig.moments if not moment.used] == [pair]


def test_of_three_cameras_only_the_one_that_contradicts_is_left_out() -> None:
    near = (THREE[0], THREE[1], Rigid(THREE[2].rotation, np.array([1.0, -2.0, 0.4])))
    shots = shoot(near, 24, np.random.default_rng(8), NOISE_PX)
    seen = shots, shots.calibrated()
    all_three = moments_of(shots, ("left", "right", "back"))
    wrong = with_photo(seen, "back", all_three[0], all_three[1])
    rig = calibrate_rig(wrong, shots.moments, task())
    (moment,) = (each for each in rig.moments if each.reason)
    assert moment.used
    assert moment.name == all_three[0]
    assert moment.reason.startswith("back")
    assert set(moment.rms_px) == {"left", "right"}


def test_a_square_board_may_be_counted_from_any_side() -> None:
    board = Board(columns=7, rows=7, square_mm=20)
    shots = shoot(THREE[:2], 12, np.random.default_rng(2), NOISE_PX, board)
    quarter = np.arange(49).reshape(7, 7)
    for index, each in enumerate(shots.looks["right"]):
        assert each.detection
        order = np.rot90(quarter, index).ravel()
        turned = replace(each.detection, points_px=each.detection.points_px[order])
        shots.looks["right"][index] = replace(each, detection=turned)
    rig = calibrate_rig(shots.calibrated(), shots.moments, task())
    assert len(rig.used) == 12
    assert sigmas(rig, THREE[:2]).max() < 3


def test_without_millimetres_the_unit_is_a_square(three: Seen) -> None:
    shots, cameras = three
    board = Board(columns=9, rows=6)
    unknown = {name: replace(each, board=board) for name, each in cameras.items()}
    rig = calibrate_rig(unknown, shots.moments, task())
    assert not rig.metric
    truth = float(np.linalg.norm(THREE[1].translation))
    assert rig.cameras[1].baseline == pytest.approx(truth, rel=0.01)


def test_a_lens_that_is_left_open_leaves_the_places_open(three: Seen) -> None:
    shots, cameras = three
    unsure = replace(cameras["right"], covariance=np.full((5, 5), np.inf))
    rig = calibrate_rig({**cameras, "right": unsure}, shots.moments, task())
    assert rig.cameras[1].baseline_std == rig.cameras[1].rotation_std_deg == np.inf
    assert rig_grade(rig) == "poor"
    assert "± ?" in table(rig)[2]
    described = describe_rig(rig)
    # JSON knows no infinity.
    assert json.loads(json.dumps(described, allow_nan=False))["order"] == [*cameras]


def test_a_camera_that_no_moment_ties_to_the_others_is_named(three: Seen) -> None:
    shots, cameras = three
    keep = [each for each in shots.moments.together if "back" not in each.photos]
    two = [each for each in shots.moments.together if "back" in each.photos][:2]
    with pytest.raises(CalibrationError, match="Where back stands from left, right") as caught:
        calibrate_rig(cameras, Moments((*keep, *two), {}), task())
    assert "in more than 2 moments" in str(caught.value)
    assert "Take photos in which back and left, right see the whole board" in caught.value.hint


def test_moments_that_all_contradict_are_an_error(three: Seen) -> None:
    shots, cameras = three
    pairs = [each for each in shots.moments.together if {*each.photos} == {"left", "right"}]
    ids = [each.photos["right"] for each in pairs]
    mixed = [
        replace(each, photos={**each.photos, "right": other})
        for each, other in zip(pairs, [*ids[1:], ids[0]], strict=True)
    ]
    two = {name: cameras[name] for name in ("left", "right")}
    with pytest.raises(CalibrationError, match="of them agree"):
        calibrate_rig(two, Moments(tuple(mixed), {}), task())


def test_a_moment_that_one_camera_missed_is_told(three: Seen) -> None:
    shots, cameras = three
    pair = moments_of(shots, ("left", "right"))[1]
    blind = tuple(
        replace(p, used=False) if p.photo_id == f"{pair}.jpg" else p
        for p in cameras["right"].photos
    )
    rig = calibrate_rig(
        {**cameras, "right": replace(cameras["right"], photos=blind)}, shots.moments, task()
    )
    (left_out,) = (moment for moment in rig.moments if not moment.used)
    assert left_out.name == pair
    assert left_out.reason == "only left shows the whole board well, of left, right"
