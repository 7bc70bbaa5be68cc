"""Which photos a rig took together, by their folders and names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import IntrinsicsError
from recon3d.core.orientation import turn_pose, turned_size
from recon3d.core.rig import by_moment
from recon3d.core.scene import Exif, GivenCameras, ImageSet, Photo
from recon3d.core.transform import Rigid, rotations_from_axis_angle
from recon3d.photos.rig_files import RigFile, RigMember, rig_fields, write_rig_file
from recon3d.sfm.given_cameras import read_given_cameras

LENS = Intrinsics(PinholeCamera(640, 480, 500.0, 502.0, 300.0, 250.0), Distortion())
TURN = rotations_from_axis_angle(np.array([[0.0, -0.2, 0.0]]))[0]
RIGHT = Rigid(TURN, TURN @ np.array([-0.12, 0.0, 0.0]))
RIG = RigFile({"left": RigMember(LENS, Rigid.identity()), "right": RigMember(LENS, RIGHT)}, True)


def image_set(orientations: Mapping[str, int]) -> ImageSet:
    photos = tuple(
        Photo(name, "", *turned_size((640, 480), turned), Exif(orientation=turned), "", "one")
        for name, turned in orientations.items()
    )
    return ImageSet(photos, (), False, {}, {}, {})


def read(
    folder: Path, *names: str, rig: RigFile = RIG, file: str = "K.rig.json", turned: int = 1
) -> tuple[GivenCameras, list[str]]:
    write_rig_file(folder / file, rig, None)
    warnings: list[str] = []
    photos = image_set(dict.fromkeys(names, turned))
    return read_given_cameras(photos, folder / file, None, warnings.append), warnings


def moments(given: GivenCameras) -> list[list[str]]:
    return [*by_moment(given.rigs).values()]


def test_photos_of_one_name_in_the_cameras_folders_are_of_one_moment(tmp_path: Path) -> None:
    names = ("day 1/left/1.jpg", "day 1/left/2.jpg", "day 1/right/1.PNG", "day 2/right/2.jpg")
    given, warnings = read(tmp_path, *names)
    assert not warnings
    assert sorted(moments(given)) == [[names[0], names[2]], [names[1]], [names[3]]]
    assert given.rigs[names[2]].cam_from_rig.matrix() == pytest.approx(RIGHT.matrix())
    assert [place.sensor for place in given.rigs.values()] == ["left", "left", "right", "right"]
    assert set(given.intrinsics.values()) == {LENS}


def test_the_same_number_says_it_too(tmp_path: Path) -> None:
    names = ("left/L_01.jpg", "left/L_02.jpg", "right/R_02.jpg", "right/R_3.jpg")
    given, _ = read(tmp_path, *names)
    assert ["left/L_02.jpg", "right/R_02.jpg"] in moments(given)
    assert len(moments(given)) == 3


def test_the_file_of_the_calibration_says_how_sure_the_scale_is(tmp_path: Path) -> None:
    names = ("left/1.jpg", "right/1.jpg")
    stds = {"right": {"standard_deviations": {"baseline": 0.0004, "rotation_deg": 0.03, "fx": 1.0}}}
    (tmp_path / "K.json").write_text(json.dumps(rig_fields(RIG, stds)))
    baseline = read_given_cameras(
        image_set(dict.fromkeys(names, 1)), tmp_path / "K.json", None
    ).baseline
    assert baseline
    assert baseline.metres == pytest.approx(0.12)
    assert (baseline.metres_std, baseline.turn_std_deg) == (0.0004, 0.03)
    plain, _ = read(tmp_path, *names)
    assert plain.baseline
    assert plain.baseline.metres_std == pytest.approx(0.0012)


def test_a_rig_of_unknown_unit_is_held_and_tells_no_scale(tmp_path: Path) -> None:
    unknown = RigFile(RIG.cameras, metric=False)
    given, _ = read(tmp_path, "left/1.jpg", "right/1.jpg", rig=unknown)
    assert len(moments(given)) == 1
    assert given.baseline is None


def test_kalibr_s_cameras_take_the_photos_in_folders_of_their_names(tmp_path: Path) -> None:
    given, _ = read(tmp_path, "cam0/1.jpg", "cam1/1.jpg", file="camchain.yaml")
    assert [place.sensor for place in given.rigs.values()] == ["cam0", "cam1"]
    assert given.baseline


@pytest.mark.parametrize("turned", [6, 8])
def test_places_are_turned_as_the_photos_are(tmp_path: Path, turned: int) -> None:
    given, _ = read(tmp_path, "left/1.jpg", "right/1.jpg", turned=turned)
    left, right = (given.rigs[f"{name}/1.jpg"].cam_from_rig for name in ("left", "right"))
    assert left.matrix() == pytest.approx(turn_pose(Rigid.identity(), turned).matrix(), abs=1e-12)
    assert right.matrix() == pytest.approx(turn_pose(RIGHT, turned).matrix(), abs=1e-12)


def test_names_of_no_folder_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(IntrinsicsError, match=r"cameras left, right, but no folder .* L/1\.jpg"):
        read(tmp_path, "L/1.jpg", "R/1.jpg")


def test_photos_without_any_partner_keep_the_lenses_and_a_warning_says_it(tmp_path: Path) -> None:
    given, warnings = read(tmp_path, "left/a.jpg", "left/b.jpg", "right/c.jpg")
    assert not given.rigs
    assert given.baseline is None
    assert len(given.intrinsics) == 3
    assert ["no more than the lenses" in warning for warning in warnings] == [True]


def test_poses_that_are_given_outrank_the_rig(tmp_path: Path) -> None:
    poses = {name: {"cam_from_world": np.eye(4).tolist()} for name in ("left/1.jpg", "right/1.jpg")}
    (tmp_path / "poses.json").write_text(json.dumps({"unit": "scene", "poses": poses}))
    write_rig_file(tmp_path / "K.rig.json", RIG, None)
    photos = image_set(dict.fromkeys(poses, 1))
    given = read_given_cameras(photos, tmp_path / "K.rig.json", tmp_path / "poses.json")
    assert not given.rigs
    assert len(given.cam_from_world) == 2
