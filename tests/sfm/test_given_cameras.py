"""Given cameras and the photos they are for: which way up, in which order, how far away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from recon3d.core.camera import Intrinsics, PinholeCamera
from recon3d.core.errors import IntrinsicsError, PosesError
from recon3d.core.orientation import DescribedPixels, turn_intrinsics, turn_pose, turned_size
from recon3d.core.scene import Exif, GivenCameras, ImageSet, Photo
from recon3d.core.transform import Rigid
from recon3d.sfm.given_cameras import read_given_cameras

STORED = (640, 480)
LENS = Intrinsics(PinholeCamera(*STORED, 500.0, 502.0, 300.0, 250.0))
POSE = Rigid(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([1.0, 2, 3]))


def image_set(
    orientations: Sequence[int],
    described: DescribedPixels = "auto",
    stored: tuple[int, int] = STORED,
) -> ImageSet:
    photos = tuple(
        Photo(f"{n}.jpg", "", *turned_size(stored, o), Exif(orientation=o), "", "one")
        for n, o in enumerate(orientations)
    )
    return ImageSet(photos, (), False, {}, {}, {}, orientation=described)


def write_colmap(folder: Path, count: int, size: tuple[int, int] = STORED) -> Path:
    width, height = size
    (folder / "cameras.txt").write_text(f"1 PINHOLE {width} {height} 500 502 300 250\n")
    w, z = np.sqrt(0.5), np.sqrt(0.5)
    lines = [f"{n} {w} 0 0 {z} 1 2 3 1 {n}.jpg\n" for n in range(count)]
    (folder / "images.txt").write_text("\n".join(lines))
    return folder


def read(
    photos: ImageSet, intrinsics: Path | None, poses: Path | None
) -> tuple[GivenCameras, list[str]]:
    warnings: list[str] = []
    return read_given_cameras(photos, intrinsics, poses, warnings.append), warnings


def assert_turned(given: GivenCameras, photo_id: str, orientation: int) -> None:
    expected = turn_pose(POSE, orientation).matrix()
    np.testing.assert_allclose(given.cam_from_world[photo_id].matrix(), expected, atol=1e-12)
    assert given.intrinsics[photo_id] == turn_intrinsics(LENS, orientation)


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_a_model_of_stored_pixels_is_turned_as_the_photos_are(
    tmp_path: Path, orientation: int
) -> None:
    given, warnings = read(image_set([orientation]), None, write_colmap(tmp_path, 1))
    assert_turned(given, "0.jpg", orientation)
    assert warnings == []


def test_a_model_of_upright_pixels_stays_as_it_is(tmp_path: Path) -> None:
    photos = image_set([6, 3], stored=(480, 640))
    # The one that does not tell follows the one that does, which is told.
    given, warnings = read(photos, None, write_colmap(tmp_path, 1))
    assert_turned(given, "0.jpg", 1)
    assert warnings == []
    with pytest.raises(IntrinsicsError, match="another shape"):
        read(photos, None, write_colmap(tmp_path, 2))


@pytest.mark.parametrize(
    ("described", "turned", "warned"), [("auto", 3, 1), ("stored", 3, 0), ("upright", 1, 0)]
)
def test_what_upside_down_photos_mean_is_assumed_and_said(
    tmp_path: Path, described: DescribedPixels, turned: int, warned: int
) -> None:
    given, warnings = read(image_set([3, 1], described), None, write_colmap(tmp_path, 2))
    assert_turned(given, "0.jpg", turned)
    assert_turned(given, "1.jpg", 1)
    assert len(warnings) == warned
    assert all("0.jpg" in note and "--orientation upright" in note for note in warnings)


def test_a_camera_that_fits_the_other_way_up_says_which_option_helps(tmp_path: Path) -> None:
    with pytest.raises(IntrinsicsError, match="another shape") as error:
        read(image_set([6], "upright"), None, write_colmap(tmp_path, 1))
    assert "--orientation stored" in error.value.hint


def test_poses_without_a_size_go_with_the_intrinsics(tmp_path: Path) -> None:
    fields = {"width": 640, "height": 480, "fx": 500, "fy": 502, "cx": 300, "cy": 250}
    (tmp_path / "K.json").write_text(json.dumps(fields))
    poses = {"0.jpg": {"cam_from_world": POSE.matrix().tolist()}}
    (tmp_path / "poses.json").write_text(json.dumps(poses))
    given, warnings = read(image_set([6]), tmp_path / "K.json", tmp_path / "poses.json")
    assert_turned(given, "0.jpg", 6)
    assert warnings == []
    upright = {**fields, "width": 480, "height": 640, "cx": 250, "cy": 300}
    (tmp_path / "K.json").write_text(json.dumps(upright))
    given, _ = read(image_set([6]), tmp_path / "K.json", tmp_path / "poses.json")
    np.testing.assert_allclose(given.cam_from_world["0.jpg"].matrix(), POSE.matrix())


def test_the_pixels_of_intrinsics_alone_are_assumed_and_said(tmp_path: Path) -> None:
    fields = {"width": 640, "height": 480, "fx": 500, "fy": 502, "cx": 300, "cy": 250}
    (tmp_path / "K.json").write_text(json.dumps(fields))
    given, warnings = read(image_set([3]), tmp_path / "K.json", None)
    assert given.intrinsics["0.jpg"].pinhole.cx_px == 340
    assert len(warnings) == 1


def test_a_bare_matrix_says_by_its_middle_which_way_up_it_is(tmp_path: Path) -> None:
    (tmp_path / "K.txt").write_text("500 0 330\n0 502 235\n0 0 1\n")
    given, warnings = read(image_set([6]), tmp_path / "K.txt", None)
    assert given.intrinsics["0.jpg"].pinhole.cx_px == 480 - 235
    (tmp_path / "K.txt").write_text("502 0 235\n0 500 330\n0 0 1\n")
    given, _ = read(image_set([6]), tmp_path / "K.txt", None)
    assert given.intrinsics["0.jpg"].pinhole.cx_px == 235
    assert warnings == []


def test_no_pose_is_believed_for_pixels_stored_mirrored(tmp_path: Path) -> None:
    with pytest.raises(PosesError, match="mirrored") as error:
        read(image_set([2]), None, write_colmap(tmp_path, 1))
    assert "--orientation upright" in error.value.hint
    given, _ = read(image_set([2], "upright"), None, tmp_path)
    assert_turned(given, "0.jpg", 1)


def test_poses_in_a_row_go_by_the_order_that_people_count_in(tmp_path: Path) -> None:
    rows = [np.eye(4) + np.outer([n, 0, 0, 0], [0, 0, 0, 1]) for n in range(12)]
    np.savetxt(tmp_path / "poses.txt", [row.ravel() for row in rows])
    given, warnings = read(image_set([1] * 12), None, tmp_path / "poses.txt")
    centres = {key: pose.inverse().translation[0] for key, pose in given.cam_from_world.items()}
    assert centres == {f"{n}.jpg": n for n in range(12)}
    assert len(warnings) == 1
    assert "0.jpg, 1.jpg, 10.jpg" in warnings[0]
    _, quiet = read(image_set([1] * 12), None, write_colmap(tmp_path, 12))
    assert quiet == []


UTM = np.array([431234.5, 5432109.25, 312.75])


def write_poses(path: Path, centres: np.ndarray) -> Path:
    poses = {
        f"{n}.jpg": {"world_from_cam": Rigid(np.eye(3), centre).matrix().tolist()}
        for n, centre in enumerate(centres)
    }
    path.write_text(json.dumps(poses))
    return path


def test_poses_far_from_their_origin_get_one_of_their_own(tmp_path: Path) -> None:
    centres = np.random.default_rng(0).normal(size=(5, 3))
    given, _ = read(image_set([1] * 5), None, write_poses(tmp_path / "p.json", centres + UTM))
    assert np.abs(UTM - given.origin).max() < 3
    for n, centre in enumerate(centres):
        found = given.cam_from_world[f"{n}.jpg"].inverse().translation
        # float64 at five million: a nanometre.
        np.testing.assert_allclose(found + given.origin, centre + UTM, atol=2e-9, rtol=0)
        assert np.linalg.norm(found) < 6


def test_poses_near_their_origin_keep_it(tmp_path: Path) -> None:
    centres = np.random.default_rng(0).normal((20, 0, 0), size=(5, 3))
    given, _ = read(image_set([1] * 5), None, write_poses(tmp_path / "p.json", centres))
    assert given.origin == (0, 0, 0)


def test_folders_of_one_name_are_told_apart_by_their_own_folders(tmp_path: Path) -> None:
    photos = ImageSet(
        tuple(
            Photo(f"{side}/1.jpg", "", *STORED, Exif(), "", "one") for side in ("left", "right")
        ),
        (), False, {}, {}, {},
    )  # fmt: skip
    frames = [
        {"file_path": f"../scan/images/{side}/1", "transform_matrix": matrix.tolist()}
        for side, matrix in (("left", np.eye(4)), ("right", np.diag([1.0, -1, -1, 1])))
    ]
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps({"camera_angle_x": 1.0, "frames": frames}))
    given, _ = read(photos, None, path)
    assert list(given.cam_from_world) == ["left/1.jpg", "right/1.jpg"]
    np.testing.assert_allclose(given.cam_from_world["right/1.jpg"].rotation, np.eye(3))
