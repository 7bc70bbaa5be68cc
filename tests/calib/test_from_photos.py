"""Cameras without a board: points that stand still, photographed from all around."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from boards import VALUES
from recon3d_calib.calibrate import PhotoResult
from recon3d_calib.files import save_self_calibrations
from recon3d_calib.from_photos import (
    SelfCalibration,
    SelfCalibrations,
    calibrate_placed,
)
from recon3d_calib.photo_warnings import verdict, warnings
from recon3d_calib.places import draw_places
from recon3d_calib.report import write_photos_report

from recon3d.cli.commands import parse
from recon3d.cli.perform import perform
from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import OutputError
from recon3d.core.lens import LENSES, LensName, project
from recon3d.core.scene import CameraEstimate, Exif, Photo
from recon3d.core.transform import Rigid
from recon3d.photos.intrinsics import read_camera_file
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm.mapping import Placement

SIZE = 1200, 900
NOISE_PX = 0.3


def task() -> Task:
    return Task("calibrate", silent, CancelToken())


def placed(
    lens: LensName, rng: np.random.Generator, photos: int = 12, around_deg: int = 200
) -> tuple[Placement, list[Photo], CameraEstimate]:
    """Photos of a cloud of points as structure from motion leaves them: nearly right."""
    points = rng.normal(0, 1, (250, 3)) * [2, 1.5, 2]
    values = np.array(VALUES[lens], float)
    values[1] = values[0]
    poses, rows, seen = {}, [], []
    for index in range(photos):
        angle = np.radians(around_deg) * index / (photos - 1)
        eye = np.array([9 * np.sin(angle), rng.uniform(-2, 1), -9 * np.cos(angle)])
        ahead = -eye / np.linalg.norm(eye)
        across = np.cross([0, 1, 0], ahead)
        across /= np.linalg.norm(across)
        turn = np.stack([across, np.cross(ahead, across), ahead])
        if index % 3 == 2:
            turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]) @ turn
        uv = project(LENSES[lens], values, (points - eye) @ turn.T)
        uv += rng.normal(0, NOISE_PX, uv.shape)
        inside = np.flatnonzero(((uv > 0) & (uv < SIZE)).all(axis=1))
        rows += [(point, index) for point in inside]
        seen += [*uv[inside]]
        poses[f"{index:02}.jpg"] = Rigid(turn, -turn @ eye)
    observations, sightings_px = np.array(rows), np.array(seen)
    wrong = rng.choice(len(seen), len(seen) // 50, replace=False)
    sightings_px[wrong] += rng.normal(0, 2, (len(wrong), 2))
    placement = Placement(
        poses,
        {},
        dict.fromkeys(poses, "one"),
        points + rng.normal(0, 1e-3, points.shape),
        np.zeros(len(points)),
        observations,
        sightings_px,
    )
    members = [Photo(name, name, *SIZE, Exif(), "", "one") for name in poses]
    start = PinholeCamera.centred(*SIZE, 1.002 * values[0])
    distortion = Distortion("radial", (*values[4:5], 0.0)[:1])
    return placement, members, CameraEstimate(Intrinsics(start, distortion), "guessed, refined")


@cache
def found_in(lens: LensName, seed: int, **how: int) -> SelfCalibration:
    outcome = calibrate_placed(*placed(lens, np.random.default_rng(seed), **how), task())
    assert isinstance(outcome, SelfCalibration)
    return outcome


@pytest.mark.parametrize(("lens", "seed"), [("pinhole", 1), ("radial1", 2)])
def test_the_camera_comes_back_within_its_error_bars(lens: LensName, seed: int) -> None:
    found = found_in(lens, seed)
    camera = found.intrinsics.pinhole
    assert found.lens == lens
    fx, _, cx, cy, *terms = VALUES[lens]
    assert abs(camera.fx_px - fx) < 3 * found.std["fx"] < 0.01 * fx
    assert abs(camera.cx_px - cx) < 3 * found.std["cx"]
    assert abs(camera.cy_px - cy) < 3 * found.std["cy"]
    for term, truth in zip(found.intrinsics.distortion.coefficients, terms, strict=True):
        assert abs(term - truth) < 3 * found.std["k1"]
    assert not list(warnings(found))
    assert verdict(found).startswith("Trustworthy")


def test_photos_from_one_direction_are_not_to_be_trusted_and_say_so() -> None:
    wide, narrow = found_in("pinhole", 1), found_in("pinhole", 1, around_deg=12)
    assert narrow.std["fx"] > 3 * wide.std["fx"]
    assert any("one direction" in sentence for sentence in warnings(narrow))
    assert not verdict(narrow).startswith("Trustworthy")


def test_few_photos_are_doubtful_and_two_are_too_few() -> None:
    found = found_in("pinhole", 5, photos=4)
    assert any("4 photos only" in sentence for sentence in warnings(found))
    placement, members, estimate = placed("pinhole", np.random.default_rng(5), photos=4)
    reason = calibrate_placed(placement, members[:2], estimate, task())
    assert isinstance(reason, str)
    assert "only 2 photos" in reason


def test_several_cameras_are_written_by_photo_and_only_where_that_can_be(tmp_path: Path) -> None:
    one = found_in("pinhole", 5, photos=4)
    zoomed = Intrinsics(replace(one.intrinsics.pinhole, fx_px=1500.0))
    other = replace(one, intrinsics=zoomed, used=(PhotoResult("zoomed.jpg", True),))
    both = SelfCalibrations((one, other), {})
    save_self_calibrations(tmp_path / "K.json", both)
    cameras = read_camera_file(tmp_path / "K.json", SIZE).by_name
    assert cameras["00.jpg"] == one.intrinsics
    assert cameras["zoomed.jpg"] == other.intrinsics
    with pytest.raises(OutputError, match="Not all photos"):
        save_self_calibrations(tmp_path / "K.txt", both)


def test_the_size_of_squares_needs_a_board(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").mkdir()
    typed = ["calibrate", "--from-photos", str(tmp_path / "a"), "--square-mm", "20"]
    assert perform(parse(typed), CancelToken()) == 1
    assert "need a board" in capfd.readouterr().err


def test_the_report_says_which_photos_count_and_why_not_to_trust_it(tmp_path: Path) -> None:
    good, doubtful = found_in("radial1", 2), found_in("pinhole", 5, photos=4)
    pictures = {good.photos[-1]: np.zeros((90, 120, 3), np.uint8)}
    both = SelfCalibrations((good, doubtful), {"<b>.jpg": "it is blurred"}, pictures)
    write_photos_report(tmp_path / "K.html", both)
    page = (tmp_path / "K.html").read_text(encoding="utf-8")
    assert "Trustworthy: the focal length" in page
    assert "From 12 of 17 photos" in page
    assert next(warnings(doubtful)) in page
    assert "&lt;b&gt;.jpg" in page
    assert "it is blurred" in page
    assert page.count("<polygon") == 16
    assert page.count("<img src=") == 1
    assert "<b>.jpg" not in page


def test_the_map_shows_every_photo_looking_at_the_points() -> None:
    places = draw_places(found_in("pinhole", 1))
    middle = places.points.mean(axis=0)
    for tip, left, right in places.cameras:
        ahead = (left + right) / 2 - tip
        towards = middle - tip
        cosine = ahead @ towards / np.linalg.norm(ahead) / np.linalg.norm(towards)
        # The cloud's middle is known to a tenth of its distance.
        assert cosine > np.cos(np.radians(10))
    # The first photo looks up the page.
    tip, left, right = places.cameras[0]
    assert left[0] < tip[0] < right[0]
    assert max(left[1], right[1]) < tip[1]


@pytest.mark.slow
def test_the_example_gives_its_own_camera(example: Path, tmp_path: Path) -> None:
    truth = json.loads((example / "K.json").read_text())
    photos = [str(path) for path in sorted(example.glob("*.jpg"))[::2]]
    typed = ["calibrate", "--from-photos", *photos, "-o", str(tmp_path / "K.json"), "--quiet"]
    assert perform(parse(typed), CancelToken()) == 0
    found = json.loads((tmp_path / "K.json").read_text())
    std = found["calibration"]["standard_deviations"]
    for name in ("fx", "cx", "cy"):
        assert abs(found[name] - truth[name]) < 3 * std[name]
    assert std["fx"] < 0.005 * truth["fx"]
    assert (tmp_path / "K.html").read_text(encoding="utf-8").count("<img src=") == len(photos)
