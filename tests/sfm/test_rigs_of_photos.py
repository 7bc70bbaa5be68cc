"""Rendered panoramas and photos of a rig find their places, each rig as one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from panorama_scene import panorama, photo, stands, walk_around, write_panoramas
from PIL import Image

from recon3d.api import reconstruct
from recon3d.cli.commands import parse
from recon3d.cli.perform import perform
from recon3d.config import Config, preset
from recon3d.core.camera import Intrinsics, PinholeCamera
from recon3d.core.equirectangular import VIEWS
from recon3d.core.scene import PosedPhotos
from recon3d.core.transform import (
    Rigid,
    fit_similarity,
    rotation_angle_deg,
    rotations_from_axis_angle,
)
from recon3d.photos.rig_files import RigFile, RigMember, write_rig_file
from recon3d.results import Inputs, Results, Until
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken

CONFIG = preset("draft")
CAMERA = PinholeCamera.centred(400, 300, 280.0)
TURN = rotations_from_axis_angle(np.radians([[2.0, 12.0, -3.0]]))[0]
RIGHT = Rigid(TURN, -TURN @ np.array([0.24, 0.01, 0.02]))


def place(
    photos: Path, work: Path, intrinsics: Path | None = None, config: Config = CONFIG
) -> Results:
    inputs = Inputs(photos=photos, intrinsics=intrinsics)
    return reconstruct(inputs, work, config, runtime=Runtime(workers=2), until=Until.POSE)


def errors(posed: PosedPhotos, truth: Mapping[str, Rigid]) -> tuple[float, float, float]:
    """Of the scale as a share, and the worst of places in metres and of turns in degrees."""
    views = posed.scene.views
    centres = np.array([view.centre_world for view in views])
    true = np.array([truth[view.photo_id].inverse().translation for view in views])
    fit = fit_similarity(centres, true)
    off = np.linalg.norm(fit @ centres - true, axis=1).max()
    turned = np.array(
        [
            fit.move_camera(view.cam_from_world).rotation @ truth[view.photo_id].rotation.T
            for view in views
        ]
    )
    return fit.scale - 1, float(off), float(rotation_angle_deg(turned).max())


@pytest.mark.slow
def test_rendered_panoramas_are_placed_within_a_tenth_of_a_degree(tmp_path: Path) -> None:
    truth = write_panoramas(tmp_path / "panos", stands(6), 1024)
    made = place(tmp_path / "panos", tmp_path / "work")
    assert made.posed
    views = made.posed.value.scene.views
    assert len(views) == 5 * len(truth)
    of_views = {
        f"{name.removesuffix('.jpg')}_{side}.jpg": Rigid(VIEWS[side], np.zeros(3)) @ pose
        for name, pose in truth.items()
        for side in VIEWS
    }
    _, off, turned_deg = errors(made.posed.value, of_views)
    # .0007 m and .02 degrees measured.
    assert off < 0.004
    assert turned_deg < 0.1
    for name in truth:
        stem = name.removesuffix(".jpg")
        centres = [view.centre_world for view in views if view.photo_id.startswith(f"{stem}_")]
        assert np.ptp(centres, axis=0).max() < 1e-9
    photos = (tmp_path / "work" / "report.json").read_text()
    assert '"id": "pano_00.jpg"' in photos


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Rigid]]:
    """Photos of two cameras, some moments of which lack one, and a rig file beside them."""
    folder, truth = tmp_path_factory.mktemp("stereo"), {}
    for number, left in enumerate(walk_around(8)):
        for name, pose in (("left", left), ("right", RIGHT @ left)):
            if (name, number) not in (("left", 2), ("right", 5)):
                truth[f"{name}/{number}.jpg"] = pose
                path = folder / "photos" / name / f"{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(photo(pose, CAMERA)).save(path, quality=95)
    lens = Intrinsics(CAMERA)
    cameras = {
        "left": RigMember(lens, Rigid.identity()),
        "right": RigMember(lens, RIGHT),
    }
    write_rig_file(folder / "K.rig.json", RigFile(cameras, metric=True), None)
    return folder, truth


@pytest.mark.slow
def test_a_rendered_rig_gives_the_model_its_true_size(
    stereo: tuple[Path, dict[str, Rigid]], tmp_path: Path
) -> None:
    folder, truth = stereo
    made = place(folder / "photos", tmp_path / "work", folder / "K.rig.json")
    assert made.posed
    assert made.frame
    scene = made.posed.value.scene
    assert len(scene.views) == len(truth)
    scale, off, turned_deg = errors(made.posed.value, truth)
    assert scene.scale_sigma
    assert abs(scale) < scene.scale_sigma < 0.02
    # The rig of the file is exact, so what is off is the noise of features.
    assert abs(scale) < 0.002
    assert off < 0.005
    assert turned_deg < 0.1
    assert made.frame.value.unit == "metre"
    (cue,) = made.frame.value.report["scale"]["cues"]  # type: ignore[index]
    assert (cue["source"], cue["used"]) == ("rig", True)


@pytest.mark.slow
def test_a_rig_that_the_photos_contradict_is_not_held(
    stereo: tuple[Path, dict[str, Rigid]], tmp_path: Path
) -> None:
    folder, truth = stereo
    lens = Intrinsics(CAMERA)
    # As if the folders had been exchanged.
    exchanged = {
        "left": RigMember(lens, Rigid.identity()),
        "right": RigMember(lens, RIGHT.inverse()),
    }
    write_rig_file(tmp_path / "K.rig.json", RigFile(exchanged, metric=True), None)
    made = place(folder / "photos", tmp_path / "work", tmp_path / "K.rig.json")
    assert made.posed
    assert len(made.posed.value.scene.views) == len(truth)
    assert made.posed.value.scene.unit == "scene"
    _, off, turned_deg = errors(made.posed.value, truth)
    assert off < 0.005
    assert turned_deg < 0.1
    assert any("fit the places of the rig's cameras" in warning for warning in made.warnings)


def test_a_panorama_alone_is_told_as_it_is_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "panos").mkdir()
    picture = Image.fromarray(panorama(stands(1)[0], 512))
    picture.save(tmp_path / "panos" / "a.jpg")
    picture.save(tmp_path / "panos" / "b.jpg")
    command = ["poses", str(tmp_path / "panos"), "-o", str(tmp_path / "out"), "--panorama", "all"]
    assert perform(parse([*command, "--quiet"]), CancelToken()) == 1
    assert "a.jpg is the only 360-degree photo" in capsys.readouterr().err
