"""Which intrinsics a run will use, in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recon3d_gui.project.cameras import KnownPhoto, tell_file, tell_photos, tell_plan, tell_run

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.scene import CameraEstimate, PosedScene, SparsePoints, View
from recon3d.core.transform import Rigid
from recon3d.sfm.posed_files import write_scene

SHOT = KnownPhoto("a.jpg", Path("/photos/a.jpg"), 600, 400, "Nikon D3200", 35.2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "K.json"
    fields = {"fx": 500, "fy": 501.5, "cx": 300, "cy": 200, "width": 600, "height": 400}
    path.write_text(json.dumps({**fields, "distortion": [0.1, -0.02]}))
    return path


def test_a_camera_file_is_told_with_its_numbers(file: Path) -> None:
    told = tell_file(file, [SHOT])
    assert told.lines == (
        "fx 500.0   fy 501.5 px",
        "cx 300.0   cy 200.0 px",
        "600 × 400 px",
        "radial: 0.1, -0.02",
    )
    assert told.trouble == ""


def test_a_camera_file_of_another_size_is_scaled_and_that_is_told(file: Path) -> None:
    told = tell_file(file, [replace(SHOT, width_px=1200, height_px=800)])
    assert told.lines[0] == "fx 1000.0   fy 1003.0 px"
    assert told.lines[-1] == "scaled to the photos"


def test_a_camera_file_of_another_shape_is_told_without_words_of_the_command_line(
    file: Path,
) -> None:
    told = tell_file(file, [SHOT, replace(SHOT, photo_id="b.jpg", height_px=600)])
    assert "another shape" in told.trouble
    assert "b.jpg" in told.trouble
    assert "--" not in told.trouble


@pytest.mark.parametrize("content", ["", "{", "{}", '{"fx": "a"}', "\0\0"])
def test_a_damaged_camera_file_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "K.json"
    path.write_text(content)
    assert "K.json" in tell_file(path, [SHOT]).trouble
    assert "missing.json" in tell_file(tmp_path / "missing.json", [SHOT]).trouble


def test_without_photos_a_file_cannot_be_judged(file: Path) -> None:
    assert "Add photos" in tell_file(file, []).lines[0]


def test_lenses_are_counted() -> None:
    shots = [replace(SHOT, photo_id=str(number), focal_mm=35 + number / 100) for number in range(3)]
    assert tell_photos(shots).lines == ("Nikon D3200, 35 mm: all 3 photos",)
    silent = replace(SHOT, camera="", focal_mm=None)
    assert tell_photos([*shots, silent]).lines[1] == "Nothing about camera and lens: 1 of 4 photos"
    many = [replace(SHOT, focal_mm=20.0 + number) for number in range(9)]
    assert tell_photos(many).lines[-1] == "and 5 more"


def test_the_plan_is_one_sentence() -> None:
    silent = replace(SHOT, focal_mm=None)
    assert tell_plan(Path("/x/K.json"), [SHOT]) == "From K.json"
    assert "refined" in tell_plan(None, [SHOT])
    assert "Partly" in tell_plan(None, [SHOT, silent])
    assert tell_plan(None, [silent]) == "Estimated from the photos"


def test_the_cameras_of_a_run_are_told_with_their_uncertainty(tmp_path: Path) -> None:
    camera = PinholeCamera(600, 400, 512.34, 512.34, 300.0, 200.0)
    view = View("a.jpg", camera, Rigid(np.eye(3), np.zeros(3)))
    lens = Distortion("radial", (0.0123456,))
    estimate = CameraEstimate(Intrinsics(camera, lens), "exif, refined", 2.04, (0.31, 1.22))
    scene = PosedScene((view,), SparsePoints.empty(), "scene", {"Nikon": estimate})
    write_scene(tmp_path, scene, ())
    (tmp_path / "images").mkdir(exist_ok=True)
    picture = tmp_path / "images" / "a.jpg"
    Image.new("RGB", (600, 400)).save(picture)
    assert tell_run(tmp_path).lines == (
        "Nikon: from the photos, refined",
        "fx 512.3   fy 512.3 ± 2.0 px",
        "cx 300.0 ± 0.3   cy 200.0 ± 1.2 px",
        "600 × 400 px",
        "radial: 0.01235",
    )


def test_a_damaged_run_is_told(tmp_path: Path) -> None:
    assert "damaged" in tell_run(tmp_path).trouble
