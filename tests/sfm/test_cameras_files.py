"""Intrinsics and poses of many programs, fitted to photos."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera, project
from recon3d.core.errors import IntrinsicsError, PosesError
from recon3d.core.scene import Exif, ImageSet, Photo, Verdict
from recon3d.core.transform import Rigid
from recon3d.photos.fitted_cameras import fit_to_photo
from recon3d.sfm.given_cameras import read_given_cameras

SIZE = (640, 480)
K = np.array([[500.0, 0, 318.0], [0, 502.0, 242.0], [0, 0, 1]])
OURS = {"width": 640, "height": 480, "fx": 500.0, "fy": 502.0, "cx": 318.0, "cy": 242.0}
CAMERA = PinholeCamera(640, 480, 500.0, 502.0, 318.0, 242.0)


def image_set(
    *names: str, size: tuple[int, int] = SIZE, left_out: Sequence[str] = (), depth: bool = False
) -> ImageSet:
    photos = tuple(
        Photo(name, f"/nowhere/{name}", *size, Exif(), "", "group") for name in names or ("a.jpg",)
    )
    depths = {photo.id: np.ones((2, 2), np.float32) for photo in photos} if depth else {}
    verdicts = tuple(Verdict(name, False, "it is blurred") for name in left_out)
    return ImageSet(photos, verdicts, False, {}, {}, depths)


def turned_photo(name: str, upright: tuple[int, int], orientation: int) -> Photo:
    return Photo(name, "", *upright, Exif(orientation=orientation), "", "group")


def write(path: Path, content: str | Mapping[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def read_one(path: Path, photos: ImageSet | None = None) -> Intrinsics:
    return read_given_cameras(photos or image_set(), path, None).intrinsics["a.jpg"]


def assert_camera(actual: PinholeCamera, expected: PinholeCamera) -> None:
    assert (actual.width_px, actual.height_px) == (expected.width_px, expected.height_px)
    np.testing.assert_allclose(actual.matrix, expected.matrix, rtol=1e-9)


def test_our_json_is_taken_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "K.json", {**OURS, "distortion": [0.1, -0.2]})
    read = read_one(path)
    assert_camera(read.pinhole, CAMERA)
    assert read.distortion == Distortion("radial", (0.1, -0.2))


@pytest.mark.parametrize(
    ("model", "coefficients", "expected"),
    [
        (None, [], Distortion()),
        ("none", [], Distortion()),
        ("radial", [0.1], Distortion("radial", (0.1,))),
        (None, [0.1, 0.2, 0.3, 0.4], Distortion("brown", (0.1, 0.2, 0.3, 0.4))),
        (None, [0.1, 0.2, 0.3, 0.4, 0.5], Distortion("brown", (0.1, 0.2, 0.3, 0.4, 0.5))),
        ("fisheye", [0.1, 0.2, 0.3, 0.4], Distortion("fisheye", (0.1, 0.2, 0.3, 0.4))),
        (
            "brown",
            [0.1, 0.2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            Distortion("brown", (0.1, 0.2, 0.0, 0.0)),
        ),
    ],
)
def test_distortion_models_are_told_apart(
    tmp_path: Path, model: str | None, coefficients: list[float], expected: Distortion
) -> None:
    content = {**OURS, "distortion": coefficients}
    if model:
        content["distortion_model"] = model
    assert read_one(write(tmp_path / "K.json", content)).distortion == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"fx": math.nan},
        {"fx": -500},
        {"fx": "wide"},
        {"fy": math.inf},
        {"cx": 5000},
        {"width": 0},
        {"width": 640.5},
        {"fx": 0.001},
        {"distortion": [math.nan]},
        {"distortion": "strong"},
        {"distortion": [1, 2, 3]},
        {"distortion_model": "magic"},
        {"distortion_model": "fisheye", "distortion": [1]},
        {"fx": None},
        {"fx": True},
    ],
)
def test_impossible_values_are_an_error_that_names_the_file(
    tmp_path: Path, wrong: Mapping[str, object]
) -> None:
    path = write(tmp_path / "K.json", {**OURS, **wrong})
    with pytest.raises(IntrinsicsError, match=r"K\.json"):
        read_one(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2]", "hello", "{}", '{"fx": 1}', "1 2 3", "a: &a [*a]"]
)
@pytest.mark.parametrize("name", ["K.json", "K.yaml", "K.txt"])
def test_damaged_files_are_an_error(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(IntrinsicsError, match="K"):
        read_one(write(tmp_path / name, text))


def test_endless_nesting_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IntrinsicsError, match="damaged"):
        read_one(write(tmp_path / "K.json", '{"a":' * 100_000))
    with pytest.raises(IntrinsicsError, match="damaged"):
        read_one(write(tmp_path / "K.yaml", "[" * 1500))


def test_a_file_that_is_missing_or_binary_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IntrinsicsError, match="does not exist"):
        read_one(tmp_path / "K.json")
    (tmp_path / "K.json").write_bytes(bytes(range(256)))
    with pytest.raises(IntrinsicsError, match="not a text file"):
        read_one(tmp_path / "K.json")
    with (tmp_path / "big.json").open("wb") as stream:
        stream.truncate(65 << 20)
    with pytest.raises(IntrinsicsError, match="larger than 64 MiB"):
        read_one(tmp_path / "big.json")


def test_a_text_matrix_is_for_the_photos_size(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "K.txt", K)
    assert_camera(read_one(tmp_path / "K.txt").pinhole, CAMERA)
    with pytest.raises(IntrinsicsError, match="another size"):
        read_one(tmp_path / "K.txt", image_set("a.jpg", size=(1920, 1440)))
    np.savetxt(tmp_path / "K.txt", K.T)
    with pytest.raises(IntrinsicsError, match="transposed"):
        read_one(tmp_path / "K.txt")


@pytest.mark.parametrize("extension", ["yml", "yaml", "json"])
def test_opencv_storage_is_shifted_by_half_a_pixel(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"camera.{extension}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 640)
    storage.write("image_height", 480)
    storage.write("camera_matrix", K - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]))
    storage.write("distortion_coefficients", np.array([[0.1, -0.2, 1e-5, 0.0, 0.0]]))
    storage.release()
    read = read_one(path)
    assert_camera(read.pinhole, CAMERA)
    assert read.distortion == Distortion("brown", (0.1, -0.2, 1e-5, 0.0))


def test_yaml_cannot_run_code(tmp_path: Path) -> None:
    path = write(tmp_path / "K.yaml", "fx: !!python/object/apply:os.getcwd []")
    with pytest.raises(IntrinsicsError, match="unknown format"):
        read_one(path)


def test_open3d_json_is_column_major_and_shifted(tmp_path: Path) -> None:
    matrix = (K - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])).T.ravel().tolist()
    path = write(tmp_path / "o3d.json", {"width": 640, "height": 480, "intrinsic_matrix": matrix})
    assert_camera(read_one(path).pinhole, CAMERA)


def test_nerfstudio_cameras_are_read_once_or_per_frame(tmp_path: Path) -> None:
    lens = {"fl_x": 500, "fl_y": 502, "cx": 318, "cy": 242, "w": 640, "h": 480, "k1": 0.1}
    frame = {"file_path": "images/a.jpg", "transform_matrix": np.eye(4).tolist()}
    for name, content in (
        ("once.json", {**lens, "camera_model": "OPENCV", "frames": [frame]}),
        ("each.json", {"frames": [{**frame, **lens}]}),
    ):
        read = read_one(write(tmp_path / name, content))
        assert_camera(read.pinhole, CAMERA)
        assert read.distortion == Distortion("brown", (0.1, 0.0, 0.0, 0.0))


def test_colmap_cameras_are_read_by_size(tmp_path: Path) -> None:
    text = "1 PINHOLE 640 480 500 502 318 242\n2 SIMPLE_RADIAL 480 640 510 240 320 0.1\n"
    path = write(tmp_path / "cameras.txt", text)
    assert_camera(read_one(path).pinhole, CAMERA)
    portrait = read_one(path, image_set("a.jpg", size=(480, 640)))
    assert portrait.distortion == Distortion("radial", (0.1,))
    with pytest.raises(IntrinsicsError, match="2 cameras"):
        read_one(path, image_set("a.jpg", size=(1280, 960)))


def test_one_camera_per_photo_is_found_by_name(tmp_path: Path) -> None:
    cameras = {"a.jpg": OURS, "b.jpg": {**OURS, "fx": 900.0}}
    path = write(tmp_path / "K.json", {"cameras": cameras})
    read = read_given_cameras(image_set("x/a.jpg", "x/b.jpg"), path, None).intrinsics
    assert read["x/b.jpg"].pinhole.fx_px == 900
    with pytest.raises(IntrinsicsError, match=r"1 of 2 photos, such as c\.jpg"):
        read_given_cameras(image_set("a.jpg", "c.jpg"), path, None)


def test_cameras_of_a_rig_took_the_photos_in_the_folders_of_their_names(tmp_path: Path) -> None:
    cameras = {"left": OURS, "right": {**OURS, "fx": 900.0}, "left/2.jpg": {**OURS, "fx": 901.0}}
    path = write(tmp_path / "K.rig.json", {"cameras": cameras, "unit": "metre"})
    photos = image_set("left/1.jpg", "left/2.jpg", "right/day/1.jpg")
    read = read_given_cameras(photos, path, None).intrinsics
    assert [read[photo.id].pinhole.fx_px for photo in photos.photos] == [OURS["fx"], 901, 900]
    with pytest.raises(IntrinsicsError, match=r"1 of 2 photos, such as back/1\.jpg"):
        read_given_cameras(image_set("left/1.jpg", "back/1.jpg"), path, None)


@given(
    scale=st.floats(0.25, 4),
    x=st.floats(-0.4, 0.4),
    y=st.floats(-0.3, 0.3),
)
def test_scaled_intrinsics_see_the_same_scene_at_the_same_share_of_the_photo(
    scale: float, x: float, y: float
) -> None:
    size = (round(640 * scale / 4) * 4, round(640 * scale / 4) * 3)
    photo = image_set("a.jpg", size=size).photos[0]
    fitted = fit_to_photo(Intrinsics(CAMERA), photo, Path("K.json")).pinhole
    point = np.array([[x, y, 1.0]])
    before, after = (project(point, camera)[0][0] for camera in (CAMERA, fitted))
    # With the first pixel's centre at 0.5 the photo's edges are 0 and its width.
    np.testing.assert_allclose(after / size, before / SIZE, rtol=1e-9)


def test_another_shape_names_photo_and_sizes(tmp_path: Path) -> None:
    path = write(tmp_path / "K.json", OURS)
    with pytest.raises(IntrinsicsError, match=r"640x480 pixels, but a\.jpg has 1920x1080"):
        read_one(path, image_set("a.jpg", size=(1920, 1080)))
    with pytest.raises(IntrinsicsError, match="another shape"):
        read_one(path, image_set("a.jpg", size=(480, 640)))


@pytest.mark.parametrize("orientation", [6, 8])
def test_a_landscape_calibration_follows_the_turn_that_exif_made(orientation: int) -> None:
    photo = turned_photo("a.jpg", (480, 640), orientation)
    lens = Distortion("brown", (0.1, 0.05, 0.01, -0.02))
    turned = fit_to_photo(Intrinsics(CAMERA, lens), photo, Path("K.json"))
    point = np.array([0.21, -0.13])
    before = _distorted(point, lens) * (500.0, 502.0) + (318.0, 242.0)
    # Orientation 6 is shown turned clockwise, 8 counter-clockwise.
    if orientation == 6:
        seen, expected = np.array([-point[1], point[0]]), (480 - before[1], before[0])
    else:
        seen, expected = np.array([point[1], -point[0]]), (before[1], 640 - before[0])
    c = turned.pinhole
    after = _distorted(seen, turned.distortion) * (c.fx_px, c.fy_px) + (c.cx_px, c.cy_px)
    np.testing.assert_allclose(after, expected, rtol=1e-12)


def _distorted(xy: np.ndarray, lens: Distortion) -> np.ndarray:
    """OpenCV's model, by OpenCV."""
    point = np.array([[*xy, 1.0]])
    k = np.array(lens.coefficients)
    return cv2.projectPoints(point, np.zeros(3), np.zeros(3), np.eye(3), k)[0].reshape(2)


WORLD_FROM_CAM = Rigid(
    cv2.Rodrigues(np.array([0.3, -0.8, 0.4]))[0], np.array([1.5, -0.25, 3.0])
).matrix()


def assert_placed(given: Mapping[str, Rigid], photo_id: str = "a.jpg") -> None:
    np.testing.assert_allclose(given[photo_id].matrix(), np.linalg.inv(WORLD_FROM_CAM), atol=1e-9)


def test_one_text_file_per_photo_is_camera_to_world(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "frame-1.pose.txt", WORLD_FROM_CAM)
    np.savetxt(tmp_path / "frame-2.pose.txt", np.full((4, 4), -np.inf))
    np.savetxt(tmp_path / "camera-intrinsics.txt", K)
    photos = image_set("frame-1.color.jpg", "frame-2.color.jpg", depth=True)
    given = read_given_cameras(photos, None, tmp_path)
    assert list(given.cam_from_world) == ["frame-1.color.jpg"]
    assert_placed(given.cam_from_world, "frame-1.color.jpg")
    assert given.unit == "metre"


def test_a_line_per_photo_counts_the_photos_that_were_left_out(tmp_path: Path) -> None:
    lines = np.stack([np.eye(4).ravel(), WORLD_FROM_CAM.ravel()])
    np.savetxt(tmp_path / "poses.txt", lines)
    for photos in (image_set("0.jpg", "a.jpg"), image_set("a.jpg", left_out=["0.jpg", "README"])):
        given = read_given_cameras(photos, None, tmp_path / "poses.txt")
        assert_placed(given.cam_from_world)
        assert given.unit == "scene"
    with pytest.raises(PosesError, match="2 poses, but there are 3 photos"):
        read_given_cameras(image_set("a", "b", "c"), None, tmp_path / "poses.txt")


def test_lines_of_3x4_and_blocks_of_4x4_are_read_too(tmp_path: Path) -> None:
    for name, rows in (
        ("kitti.txt", WORLD_FROM_CAM[:3].reshape(1, 12)),
        ("block.txt", WORLD_FROM_CAM),
    ):
        np.savetxt(tmp_path / name, rows)
        assert_placed(read_given_cameras(image_set(), None, tmp_path / name).cam_from_world)


def test_nerfstudio_poses_turn_from_opengl_and_bring_their_intrinsics(tmp_path: Path) -> None:
    gl = WORLD_FROM_CAM @ np.diag([1.0, -1, -1, 1])
    content = {
        "fl_x": 500, "fl_y": 502, "cx": 318, "cy": 242, "w": 640, "h": 480,
        "frames": [{"file_path": "./images/a.jpg", "transform_matrix": gl.tolist()}],
    }  # fmt: skip
    path = write(tmp_path / "transforms.json", content)
    given = read_given_cameras(image_set(), None, path)
    assert_placed(given.cam_from_world)
    assert_camera(given.intrinsics["a.jpg"].pinhole, CAMERA)
    other = write(tmp_path / "K.json", {**OURS, "fx": 777.0})
    both = read_given_cameras(image_set(), other, tmp_path)
    assert both.intrinsics["a.jpg"].pinhole.fx_px == 777


@pytest.mark.parametrize("wrapped", [True, False])
def test_our_pose_json_says_its_unit(tmp_path: Path, wrapped: bool) -> None:
    poses = {"a.jpg": {"cam_from_world": np.linalg.inv(WORLD_FROM_CAM).tolist()}}
    content = {"unit": "metre", "poses": poses} if wrapped else {"unit": "metre", **poses}
    given = read_given_cameras(image_set(), None, write(tmp_path / "poses.json", content))
    assert_placed(given.cam_from_world)
    assert given.unit == "metre"


def test_colmap_poses_bring_their_intrinsics(tmp_path: Path) -> None:
    write(tmp_path / "cameras.txt", "1 PINHOLE 640 480 500 502 318 242\n")
    write(tmp_path / "images.txt", "1 1 0 0 0 1 2 3 1 a.jpg\n\n")
    write(tmp_path / "points3D.txt", "")
    given = read_given_cameras(image_set(), None, tmp_path)
    np.testing.assert_allclose(given.cam_from_world["a.jpg"].translation, (1, 2, 3))
    assert_camera(given.intrinsics["a.jpg"].pinhole, CAMERA)


@pytest.mark.parametrize(
    "pose",
    [
        np.diag([2.0, 2, 2, 1]),
        np.diag([1.0, 1, -1, 1]),
        np.full((4, 4), math.nan),
        np.eye(3),
    ],
)
def test_a_matrix_that_is_no_pose_is_named(tmp_path: Path, pose: np.ndarray) -> None:
    path = write(tmp_path / "poses.json", {"a.jpg": {"cam_from_world": pose.tolist()}})
    with pytest.raises(PosesError, match=r"the pose of a\.jpg"):
        read_given_cameras(image_set(), None, path)


def test_poses_that_belong_to_no_photo_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "poses.json", {"z.jpg": {"cam_from_world": np.eye(4).tolist()}})
    with pytest.raises(PosesError, match=r"named like a\.jpg, the poses like z\.jpg"):
        read_given_cameras(image_set(), None, path)
    with pytest.raises(PosesError, match="does not exist"):
        read_given_cameras(image_set(), None, tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PosesError, match="empty"):
        read_given_cameras(image_set(), None, tmp_path / "empty")


def test_the_digest_follows_the_contents(tmp_path: Path) -> None:
    first = read_given_cameras(image_set(), write(tmp_path / "K.json", OURS), None).digest
    same = read_given_cameras(image_set(), write(tmp_path / "other.json", OURS), None).digest
    changed = write(tmp_path / "K.json", {**OURS, "fx": 501.0})
    assert first == same
    assert first != read_given_cameras(image_set(), changed, None).digest
    assert read_given_cameras(image_set(), None, None).digest == ""


def test_the_real_sets_cameras_are_read(real_photos: Path) -> None:
    ids = [f"frame-{number:06d}.color.jpg" for number in range(0, 1000, 10)]
    kitchen = image_set(*ids, depth=True)
    folder = real_photos / "kitchen_rgbd"
    given = read_given_cameras(kitchen, folder / "camera-intrinsics.txt", folder)
    assert (len(given.intrinsics), len(given.cam_from_world), given.unit) == (100, 100, "metre")
    chair = read_one(next((real_photos / "chair").glob("*.y*ml")))
    assert chair.pinhole.fx_px == pytest.approx(477.115, abs=1e-3)
    assert chair.distortion.model == "brown"
