"""Poses of another convention contradict the photos, and the mistake is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from recon3d.core.camera import Intrinsics, PinholeCamera, pixel_rays
from recon3d.core.errors import PosesError
from recon3d.core.orientation import turn_pose
from recon3d.core.scene import Exif, GivenCameras, ImageSet, Photo
from recon3d.core.transform import Rigid
from recon3d.sfm.depth_check import check_depth
from recon3d.sfm.pose_check import MatchedPair, check_poses, fitting_share

CAMERA = PinholeCamera(80, 60, 60.0, 60.0, 40.0, 30.0)
ROOM = np.array([2.0, 1.5, 3.0])
"""Half its size in metres, about the origin."""
GL = Rigid(np.diag([1.0, -1.0, -1.0]), np.zeros(3))
Wrong = Callable[[Rigid], Rigid]


def inside_the_room(count: int = 8) -> dict[str, Rigid]:
    """Cameras a step and a turn apart, none of them level."""
    rng = np.random.default_rng(3)
    poses = {}
    for number in range(count):
        turn = Rotation.from_euler(
            "zyx", [10 + rng.normal(0, 8), 15 * number, rng.normal(0, 10)], degrees=True
        )
        rotation = turn.as_matrix()
        centre = rng.uniform(-0.35, 0.35, 3) * ROOM
        poses[f"{number}.jpg"] = Rigid(rotation, -rotation @ centre)
    return poses


POSES = inside_the_room()


def photos(orientation: int = 1) -> list[Photo]:
    return [Photo(name, "", 80, 60, Exif(orientation=orientation), "", "one") for name in POSES]


def depth_of(pose: Rigid) -> np.ndarray:
    """depth_z of the room's walls, analytic."""
    world_from_cam = pose.inverse()
    rays = pixel_rays(CAMERA) @ world_from_cam.rotation.T
    centre = world_from_cam.translation
    reach = (np.sign(rays) * ROOM - centre) / np.where(rays == 0, 1e-12, rays)
    return reach.min(axis=-1).astype(np.float32)


def pairs(noise: float = 0.0) -> list[MatchedPair]:
    """What every two neighbours see of points in the room."""
    rng = np.random.default_rng(5)
    points = rng.uniform(-1, 1, (600, 3)) * ROOM
    found = []
    for first, second in combinations(POSES, 2):
        in_first, in_second = POSES[first] @ points, POSES[second] @ points
        seen = (in_first[:, 2] > 0.2) & (in_second[:, 2] > 0.2)
        seen &= (np.abs(in_first[:, :2]) < in_first[:, 2:]).all(axis=1)
        seen &= (np.abs(in_second[:, :2]) < in_second[:, 2:]).all(axis=1)
        if seen.sum() > 10:
            rays = [p[seen] / p[seen, 2:] for p in (in_first, in_second)]
            for ray in rays:
                ray[:, :2] += rng.normal(0, noise, (len(ray), 2))
            found.append(MatchedPair(first, second, rays[0], rays[1], 0.01))
    return found


def changed(wrong: Wrong) -> dict[str, Rigid]:
    return {name: wrong(pose) for name, pose in POSES.items()}


WRONG: Mapping[str, tuple[Wrong, str]] = {
    "inverted": (Rigid.inverse, "inverted: camera-to-world"),
    "opengl": (lambda pose: GL @ pose, "OpenGL's axes and OpenCV's were exchanged"),
    "both": (lambda pose: (GL @ pose).inverse(), "inverted and OpenGL"),
    "rotation alone, about the camera": (
        lambda pose: Rigid(pose.rotation.T, -pose.rotation.T @ pose.inverse().translation),
        "rotations were transposed",
    ),
    "rotation alone": (lambda pose: Rigid(pose.rotation.T, pose.translation), "transposed"),
    "left-handed": (
        lambda pose: Rigid(
            np.diag([1, -1.0, 1]) @ pose.rotation @ np.diag([1, -1.0, 1]),
            np.diag([1, -1.0, 1]) @ pose.translation,
        ),
        "left-handed",
    ),
    "ros": (
        lambda pose: Rigid(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.zeros(3)) @ pose,
        "axes of robots",
    ),
    "half a turn": (
        lambda pose: Rigid(np.diag([-1.0, -1.0, 1.0]), np.zeros(3)) @ pose,
        "half a turn",
    ),
}


def test_right_poses_pass_noise_and_all() -> None:
    assert fitting_share(POSES, pairs()) == 1.0
    assert check_poses(photos(), POSES, pairs(noise=0.004)) == ""


@pytest.mark.parametrize("name", WRONG)
def test_the_mistake_that_matches_show_is_named(name: str) -> None:
    wrong, words = WRONG[name]
    with pytest.raises(PosesError, match=words) as error:
        check_poses(photos(), changed(wrong), pairs(noise=0.002))
    assert "docs/POSES.md" in error.value.hint


@pytest.mark.parametrize("name", WRONG)
def test_the_mistake_that_measured_depth_shows_is_named(name: str) -> None:
    wrong, words = WRONG[name]
    with pytest.raises(PosesError, match=words):
        check_depth(photos(), *measured(changed(wrong)))


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("hint", ["stored", "upright"])
def test_poses_for_the_other_way_up_say_which_option_helps(orientation: int, hint: str) -> None:
    # Half a turn and back again are the same, so there either word is right.
    undone = {3: 3, 6: 8, 8: 6}[orientation]
    wrong = changed(lambda pose: turn_pose(pose, undone if hint == "stored" else orientation))
    with pytest.raises(PosesError) as error:
        check_poses(photos(orientation), wrong, pairs())
    if orientation == 3:
        assert "half a turn" in str(error.value)
    else:
        assert f"--orientation {hint}" in error.value.hint


def test_poses_of_other_photos_are_an_error_without_a_reason() -> None:
    names = list(POSES)
    mixed = dict(zip(names, [POSES[names[n]] for n in (4, 7, 1, 6, 0, 3, 5, 2)], strict=True))
    with pytest.raises(PosesError, match="no usual mistake") as error:
        check_poses(photos(), mixed, pairs())
    assert "order" in error.value.hint


def test_poses_that_are_off_by_degrees_are_a_warning() -> None:
    rng = np.random.default_rng(1)

    def shaken(pose: Rigid) -> Rigid:
        turn = Rotation.from_rotvec(np.radians(rng.normal(0, 1.2, 3))).as_matrix()
        return Rigid(turn, np.zeros(3)) @ pose

    assert "matches between photos agree" in check_poses(photos(), changed(shaken), pairs())


def test_photos_that_share_nothing_say_nothing() -> None:
    assert check_poses(photos(), changed(Rigid.inverse), []) == ""


def measured(poses: Mapping[str, Rigid], too_large: float = 1.0) -> tuple[ImageSet, GivenCameras]:
    depth = {name: too_large * depth_of(pose) for name, pose in POSES.items()}
    image_set = ImageSet(tuple(photos()), (), False, {}, {}, depth)
    return image_set, GivenCameras(dict.fromkeys(POSES, Intrinsics(CAMERA)), poses, "metre")


@pytest.mark.parametrize("too_large", [5.0, 0.2, 0.1, 1000.0, 1.25])
def test_depth_in_another_unit_is_a_warning_that_names_it(too_large: float) -> None:
    warning = check_depth(photos(), *measured(POSES, too_large))
    unit = float(warning.split("--depth-unit ")[1].rstrip("."))
    # Scales are tried 6 % apart, and usual units are told exactly.
    assert unit == pytest.approx(0.001 / too_large, rel=0.06)
    if too_large == 5:
        assert unit == 0.0002


def test_depth_in_the_unit_of_the_poses_passes() -> None:
    assert check_depth(photos(), *measured(POSES)) == ""
    # A wall that fills all photos says nothing of the unit.
    wall = dict.fromkeys(POSES, Rigid.identity())
    image_set, given = measured(wall)
    flat = dict.fromkeys(POSES, np.full((60, 80), 2.0, np.float32))
    image_set = ImageSet(image_set.photos, (), False, {}, {}, flat)
    assert check_depth(photos(), image_set, given) == ""
