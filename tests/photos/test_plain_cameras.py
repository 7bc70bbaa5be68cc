"""Intrinsics as texts, tables and XML of other programs."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import IntrinsicsError
from recon3d.photos.intrinsics import read_camera_file

SIZE = (640, 480)
K = np.array([[500.0, 0, 318.0], [0, 502.0, 242.0], [0, 0, 1]])
CAMERA = PinholeCamera(640, 480, 500.0, 502.0, 318.0, 242.0)
SCANNET = "500 0 318 0\n0 502 242 0\n0 0 1 0\n0 0 0 1\n"
KITTI = "P0: 500 0 317.5 0 0 502 241.5 0 0 0 1 0\nTr: 1 0 0 0 0 1 0 0 0 0 1 0\n"


def read_one(folder: Path, name: str, text: str) -> Intrinsics:
    (folder / name).write_text(text)
    (camera,) = read_camera_file(folder / name, SIZE).shared
    return camera


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("intrinsic_color.txt", SCANNET),
        ("K.txt", "500 0 318 0 0 502 242 0 0 0 1 0"),
        ("K.txt", "# fx fy cx cy\n500 502 318 242\n"),
        ("K.csv", "500,0,318\n0,502,242\n0,0,1\n"),
        ("K.txt", "[[500, 0, 318], [0, 502, 242], [0, 0, 1]]"),
        ("calib.txt", KITTI),
        ("calib.txt", KITTI.replace("P0:", "P_rect_02:")),
        ("K.csv", "fx, fy, cx, cy\n500, 502, 318, 242\n"),
        ("K.csv", "width,height,fx,fy,cx,cy,k1,k2\n640,480,500,502,318,242,0,0\n"),
    ],
)
def test_matrices_of_many_shapes_are_one_camera(tmp_path: Path, name: str, text: str) -> None:
    camera = read_one(tmp_path, name, text)
    np.testing.assert_allclose(camera.pinhole.matrix, CAMERA.matrix)
    assert camera == Intrinsics(camera.pinhole)


def test_a_table_may_hold_a_lens(tmp_path: Path) -> None:
    text = "fx,fy,cx,cy,k1,k2,p1,p2\n500,502,318,242,0.1,0.2,0.01,-0.01\n"
    assert read_one(tmp_path, "K.csv", text).distortion == Distortion(
        "brown", (0.1, 0.2, 0.01, -0.01)
    )


def test_kittis_cameras_of_one_kind_are_one_and_of_two_are_two(tmp_path: Path) -> None:
    again = KITTI + KITTI.splitlines()[0].replace("P0", "P1").replace("317.5 0", "317.5 -380")
    read_one(tmp_path, "same.txt", again)
    (tmp_path / "two.txt").write_text(again.replace("P1: 500", "P1: 700"))
    assert len(read_camera_file(tmp_path / "two.txt", SIZE).shared) == 2


def test_opencvs_xml_is_read_as_its_yaml_is(tmp_path: Path) -> None:
    path = tmp_path / "camera.xml"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 640)
    storage.write("image_height", 480)
    storage.write("camera_matrix", K - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]))
    storage.write("distortion_coefficients", np.array([[0.1, -0.2, 1e-5, 0.0, 0.0]]))
    storage.release()
    (camera,) = read_camera_file(path, (1, 1)).shared
    np.testing.assert_allclose(camera.pinhole.matrix, CAMERA.matrix)
    assert camera.distortion == Distortion("brown", (0.1, -0.2, 1e-5, 0.0))


def test_metashapes_calibration_counts_from_the_middle(tmp_path: Path) -> None:
    text = (
        "<?xml version='1.0'?><calibration><projection>frame</projection><width>640</width>"
        "<height>480</height><f>500</f><cx>4</cx><cy>-2</cy><b1>2</b1><k1>0.1</k1>"
        "<p1>0.01</p1><p2>0.02</p2></calibration>"
    )
    camera = read_one(tmp_path, "calibration.xml", text)
    assert camera.pinhole == PinholeCamera(640, 480, 502.0, 500.0, 324.0, 238.0)
    assert camera.distortion == Distortion("brown", (0.1, 0.0, 0.02, 0.01))
    with pytest.raises(IntrinsicsError, match="k4"):
        read_one(tmp_path, "calibration.xml", text.replace("<k1>", "<k4>1</k4><k1>"))


@pytest.mark.parametrize(
    "text",
    [
        "500 0 318 0\n0 502 242 0\n0 0 1 0\n5 5 5 1\n",
        "1 2 3 4 5 6 7",
        "hello world",
        "<camera><focal>500</focal></camera>",
        "<!DOCTYPE x><opencv_storage/>",
        "<opencv_storage>" * 50_000,
        "name,x,y\na,1,2\n",
        "P2: 1 2 3\n",
    ],
)
def test_what_is_no_camera_is_refused_with_the_list_of_formats(tmp_path: Path, text: str) -> None:
    (tmp_path / "K.txt").write_text(text)
    with pytest.raises(IntrinsicsError, match=r"K\.txt") as error:
        read_camera_file(tmp_path / "K.txt", SIZE)
    assert "COLMAP" not in str(error.value)
    assert "KITTI" in error.value.hint


def test_a_matrix_without_a_size_may_be_for_photos_turned_by_90_degrees(tmp_path: Path) -> None:
    (tmp_path / "K.txt").write_text(SCANNET)
    (camera,) = read_camera_file(tmp_path / "K.txt", (480, 640)).shared
    assert camera.pinhole == CAMERA


LENS = {"w": 640, "h": 480, "fl_x": 500, "cx": 320, "cy": 240}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"is_fisheye": True, "k1": 0.1}, Distortion("fisheye", (0.1, 0.0, 0.0, 0.0))),
        (
            {"camera_model": "OPENCV_FISHEYE", "k4": 0.1},
            Distortion("fisheye", (0.0, 0.0, 0.0, 0.1)),
        ),
        ({"camera_model": "OPENCV", "k1": 0.1}, Distortion("brown", (0.1, 0.0, 0.0, 0.0))),
        (
            {"camera_model": "FULL_OPENCV", "k4": 0.1},
            Distortion("brown", (0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0)),
        ),
    ],
)
def test_lenses_of_transforms_are_known_by_name(
    tmp_path: Path, fields: dict[str, object], expected: Distortion
) -> None:
    text = json.dumps({**LENS, **fields, "frames": []})
    assert read_one(tmp_path, "t.json", text).distortion == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"camera_model": "THIN_PRISM_FISHEYE", "k1": 0.1, "sx1": 0.01},
        {"camera_model": "FISHEYE624", "distortion_params": [0.1] * 12},
        {"camera_model": "EQUIRECTANGULAR"},
        {"camera_model": "OPENCV_FISHEYE", "p1": 0.1},
        {"camera_model": "OPENCV", "k4": 0.1},
        {"camera_model": "OPENCV", "distortion_params": [0.1]},
        {"is_fisheye": True, "ftheta_p0": 1.0},
        {"camera_angle_x": 4.0, "fl_x": None},
    ],
)
def test_lenses_that_nobody_here_knows_are_refused(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    with pytest.raises(IntrinsicsError):
        read_one(tmp_path, "t.json", json.dumps({**LENS, **fields, "frames": []}))


def test_a_frames_own_camera_counts_beside_a_shared_one(tmp_path: Path) -> None:
    frames = [{"file_path": "C:\\scan\\images\\a.jpg", "fl_x": 600}, {"file_path": "./b"}]
    (tmp_path / "t.json").write_text(json.dumps({**LENS, "frames": frames}))
    file = read_camera_file(tmp_path / "t.json", SIZE)
    assert [camera.pinhole.fx_px for camera in file.shared] == [500]
    assert {name: camera.pinhole.fx_px for name, camera in file.by_name.items()} == {
        "scan/images/a.jpg": 600, "b": 500,
    }  # fmt: skip
