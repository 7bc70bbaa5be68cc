"""Files of rigs: written, read again, the same cameras in the same places."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pycolmap
import pytest
import yaml

from recon3d.cli.commands import parse
from recon3d.cli.perform import perform
from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import IntrinsicsError, OutputError
from recon3d.core.transform import Rigid
from recon3d.photos.intrinsics import read_camera_file
from recon3d.photos.rig_files import RigFile, RigMember, read_rig_file, write_rig_file
from recon3d.run.task import CancelToken

# Right looks 90 degrees to the left of where the first camera looks; back looks behind it.
AROUND_Y = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
PLACES = [
    Rigid.identity(),
    Rigid(AROUND_Y, np.array([-0.12, 0.01, 0.002])),
    Rigid(AROUND_Y @ AROUND_Y, np.array([0.03, -0.2, 0.4])),
]
LENSES = [
    Distortion("brown", (-0.2, 0.05, 0.001, -0.002)),
    Distortion("fisheye", (-0.02, 0.01, -0.004, 0.001)),
    Distortion("radial", (-0.1, 0.02)),
]
RIG = RigFile(
    {
        name: RigMember(
            Intrinsics(PinholeCamera(1280, 720, 1001.5, 1003.25, 641.75, 350.125), lens), place
        )
        for name, lens, place in zip(("links", "right", "back"), LENSES, PLACES, strict=True)
    },
    metric=True,
)


def padded(lens: Distortion) -> list[float]:
    return [*lens.coefficients, *[0.0] * (12 - len(lens.coefficients))]


@pytest.mark.parametrize("name", ["K.rig.json", "camchain.yaml"])
def test_a_rig_that_is_written_is_read_again(name: str, tmp_path: Path) -> None:
    write_rig_file(tmp_path / name, RIG, None)
    read = read_rig_file(tmp_path / name, (1, 1))
    assert read is not None
    assert read.metric
    for given, found in zip(RIG.cameras.values(), read.cameras.values(), strict=True):
        assert found.intrinsics.pinhole == given.intrinsics.pinhole
        assert padded(found.intrinsics.distortion) == pytest.approx(
            padded(given.intrinsics.distortion)
        )
        assert found.cam_from_first.matrix() == pytest.approx(
            given.cam_from_first.matrix(), abs=1e-12
        )
    if name.endswith(".json"):
        assert list(read.cameras) == ["links", "right", "back"]


def test_kalibr_places_each_camera_from_the_one_before(tmp_path: Path) -> None:
    write_rig_file(tmp_path / "camchain.yaml", RIG, None)
    chain = yaml.safe_load((tmp_path / "camchain.yaml").read_text())
    assert "T_cn_cnm1" not in chain["cam0"]
    # A point in the second camera's frame, moved to the third's.
    expected = PLACES[2] @ (PLACES[1].inverse() @ np.array([0.1, 0.2, 0.3]))
    moved = np.array(chain["cam2"]["T_cn_cnm1"]) @ [0.1, 0.2, 0.3, 1]
    assert moved[:3] == pytest.approx(expected)


def test_colmap_reads_the_rig(tmp_path: Path) -> None:
    write_rig_file(tmp_path / "rig_config.json", RIG, None)
    (rig,) = pycolmap.read_rig_config(tmp_path / "rig_config.json")
    assert [camera.ref_sensor for camera in rig.cameras] == [True, False, False]
    assert [camera.image_prefix for camera in rig.cameras] == ["links/", "right/", "back/"]
    for read, given in zip(rig.cameras[1:], [*RIG.cameras.values()][1:], strict=True):
        expected = given.cam_from_first.matrix()[:3]
        assert read.cam_from_rig.matrix() == pytest.approx(expected, abs=1e-12)
    assert rig.cameras[1].camera.model.name == "OPENCV_FISHEYE"
    assert rig.cameras[1].camera.params[:4] == pytest.approx([1001.5, 1003.25, 641.75, 350.125])


def test_the_rig_of_recon3d_holds_each_camera_by_its_name(tmp_path: Path) -> None:
    write_rig_file(tmp_path / "K.rig.json", RIG, None)
    named = read_camera_file(tmp_path / "K.rig.json", (1, 1)).by_name
    assert named["right"] == RIG.cameras["right"].intrinsics


def test_a_file_without_places_is_no_rig(tmp_path: Path) -> None:
    write_rig_file(tmp_path / "camchain.yaml", RIG, None)
    chain = yaml.safe_load((tmp_path / "camchain.yaml").read_text())
    del chain["cam1"], chain["cam2"]
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(chain))
    assert read_rig_file(tmp_path / "one.yaml", (1, 1)) is None


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], "12 values, not 16"),
        ([[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]], "not a rotation"),
        ([[1, 0, 0, "inf"], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "not a finite number"),
        (None, "0 values, not 16"),
    ],
)
def test_a_place_that_is_none_is_an_error(place: object, words: str, tmp_path: Path) -> None:
    target = tmp_path / "K.rig.json"
    write_rig_file(target, RIG, None)
    fields = json.loads(target.read_text())
    fields["cameras"]["right"]["cam_from_first"] = place
    target.write_text(json.dumps(fields))
    with pytest.raises(IntrinsicsError, match=words):
        read_rig_file(target, (1, 1))


def test_an_order_of_other_cameras_is_an_error(tmp_path: Path) -> None:
    target = tmp_path / "K.rig.json"
    write_rig_file(target, RIG, None)
    target.write_text(target.read_text().replace('"links",', '"left",'))
    with pytest.raises(IntrinsicsError, match="order does not name each camera once"):
        read_rig_file(target, (1, 1))


def test_kalibr_is_not_told_metres_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="unit is unknown"):
        write_rig_file(tmp_path / "c.yaml", RigFile(RIG.cameras, metric=False), None)


def test_a_format_for_one_camera_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not hold 3 cameras"):
        write_rig_file(tmp_path / "camera.yaml", RIG, "opencv")
    with pytest.raises(OutputError, match="says no format"):
        write_rig_file(tmp_path / "cameras.txt", RIG, None)


def test_a_rig_is_converted_as_it_is_typed(tmp_path: Path) -> None:
    ours, theirs, again = (tmp_path / name for name in ("K.rig.json", "c.yaml", "again.json"))
    write_rig_file(ours, RIG, None)
    for source, target in ((ours, theirs), (theirs, again)):
        command = ["intrinsics", "convert", str(source), str(target), "--quiet"]
        assert perform(parse(command), CancelToken()) == 0
    read = read_rig_file(again, (1, 1))
    assert read is not None
    assert read.cameras["cam2"].cam_from_first.matrix() == pytest.approx(PLACES[2].matrix())
