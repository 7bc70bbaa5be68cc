"""The commands about cameras, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon3d.cli.commands import parse
from recon3d.cli.perform import perform
from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.photos.intrinsics import read_camera_file
from recon3d.photos.intrinsics_files import write_camera_file
from recon3d.run.task import CancelToken

PINHOLE = PinholeCamera(320, 240, 300.0, 300.0, 158.0, 121.0)


def run(*arguments: str | Path) -> int:
    return perform(parse([str(argument) for argument in arguments]), CancelToken())


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    lens = Intrinsics(
        PinholeCamera(320, 240, 300.0, 300.0, 158.0, 121.0), Distortion("radial", (-0.2,))
    )
    write_camera_file(tmp_path / "K.json", lens, None)
    return tmp_path / "K.json"


def test_undistorted_photos_come_with_their_new_camera(camera: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos" / "größer"
    photos.mkdir(parents=True)
    for name in ("a.jpg", "b.png"):
        Image.new("RGB", (320, 240), (90, 120, 200)).save(photos / name)
    (photos / "c.jpg").write_bytes(b"no photo")
    out = tmp_path / "out"
    photos_given = tmp_path / "photos"
    assert run("undistort", photos_given, "--intrinsics", camera, "-o", out, "--quiet") == 0
    (new,) = read_camera_file(out / "K.json", (1, 1)).shared
    assert new.distortion.model == "none"
    for name in ("größer/a.jpg", "größer/b.png"):
        with Image.open(out / name) as picture:
            assert picture.size == (new.pinhole.width_px, new.pinhole.height_px)
            # Nothing blank remains where the crop is inside.
            assert np.asarray(picture).min() > 60


def test_the_same_camera_is_kept_where_that_is_asked_for(camera: Path, tmp_path: Path) -> None:
    Image.new("RGB", (640, 480)).save(tmp_path / "a.png")
    out = tmp_path / "out"
    assert run("undistort", tmp_path / "a.png", "--intrinsics", camera, "-o", out, "--crop",
               "same", "--quiet") == 0  # fmt: skip
    (new,) = read_camera_file(out / "K.json", (1, 1)).shared
    # Twice the size of the calibration: the same camera, twice as fine.
    assert new.pinhole == PinholeCamera(640, 480, 600.0, 600.0, 316.0, 242.0)


@pytest.mark.parametrize("told", ["auto", "stored", "upright"])
def test_a_camera_for_the_stored_pixels_is_turned_along_and_what_is_assumed_is_told(
    camera: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], told: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", (320, 240)).save(tmp_path / "a.jpg", exif=exif)
    out = tmp_path / "out"
    assert run("undistort", tmp_path / "a.jpg", "--intrinsics", camera, "-o", out, "--crop",
               "same", "--orientation", told) == 0  # fmt: skip
    (new,) = read_camera_file(out / "K.json", (1, 1)).shared
    centre_px = (158.0, 121.0) if told == "upright" else (162.0, 119.0)
    assert (new.pinhole.cx_px, new.pinhole.cy_px) == centre_px
    words = " ".join("".join(capfd.readouterr()).split())
    assert ("EXIF turns a.jpg" in words) == (told == "auto")
    assert ("say --orientation upright" in words) == (told == "auto")


def test_a_fisheye_keeps_what_fits_in_a_flat_picture_and_says_how_much(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # 100 pixels a radian: 183 degrees across, 137 down.
    fisheye = Intrinsics(
        PinholeCamera(320, 240, 100.0, 100.0, 160.0, 120.0), Distortion("fisheye", (0.0,) * 4)
    )
    write_camera_file(tmp_path / "K.json", fisheye, None)
    y, x = np.mgrid[:240, :320] + 0.5
    # As bright as the angle off the axis, in degrees.
    angle = np.degrees(np.hypot(x - 160, y - 120) / 100)
    Image.fromarray(np.minimum(angle, 255).astype(np.uint8)).save(tmp_path / "a.png")
    out = tmp_path / "out"
    assert run("undistort", tmp_path / "a.png", "--intrinsics", tmp_path / "K.json", "-o", out,
               "--crop", "all") == 0  # fmt: skip
    assert "sees 229° from corner to corner; the flat photos keep 150° across" in (
        "".join(capfd.readouterr()).replace("\n", " ")
    )
    (new,) = read_camera_file(out / "K.json", (1, 1)).shared
    camera = new.pinhole
    assert max(camera.width_px / 320, camera.height_px / 240) <= 2
    half = camera.width_px / 2 / camera.fx_px
    assert np.degrees(np.arctan(half)) == pytest.approx(75, abs=0.2)
    half = camera.height_px / 2 / camera.fy_px
    assert np.degrees(np.arctan(half)) == pytest.approx(np.degrees(1.2), abs=0.2)
    flat = np.asarray(Image.open(out / "a.png").convert("L")).astype(float)
    row, column = camera.height_px // 2, camera.width_px * 3 // 4
    at = np.degrees(np.arctan((column + 0.5 - camera.cx_px) / camera.fx_px))
    # Whole grey levels, each a degree.
    assert flat[row, column] == pytest.approx(at, abs=1.5)


def test_camera_files_are_converted(camera: Path, tmp_path: Path) -> None:
    assert run("intrinsics", "convert", camera, tmp_path / "c.yaml", "--quiet") == 0
    (read,) = read_camera_file(tmp_path / "c.yaml", (1, 1)).shared
    assert read.pinhole == PINHOLE
    assert read.distortion.coefficients[0] == -0.2


def test_a_board_is_printed_as_large_as_fits(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "board.pdf"
    assert run("board", "--type", "chessboard", "--paper", "A3", "-o", target, "--json") == 0
    said = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert target.exists()
    assert 25 < said["square_mm"] < 40


def test_photos_without_a_board_end_in_a_message(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (200, 150), "grey").save(tmp_path / "a.png")
    assert run("calibrate", tmp_path, "--board", "9x6", "-o", tmp_path / "K.json") == 1
    assert "None of the 1 photos shows a chessboard of 9x6" in capfd.readouterr().err
    assert not (tmp_path / "K.json").exists()
