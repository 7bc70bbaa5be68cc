"""Surveyed points in the bundle adjustment: check points get nearer, and by how much is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drone_strip import HEIGHT, WIDTH, bent_strip, hills, marks_in, photos_with
from PIL import Image

from recon3d.core.scene import Exif, GivenCameras, ImageSet, PosedPhotos, SparsePoints
from recon3d.georef.control.adjust import adjust_to_control
from recon3d.georef.control.points import ControlPoint, GroundControl
from recon3d.georef.control.stage import FittedControl, fit_control, read_control
from recon3d.georef.control.survey import ControlConfig, measure_control
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm.posed_files import write_scene
from recon3d.sfm.register import read_posed_photos, write_placed

TASK = Task("control", silent, CancelToken())
UTM = np.array([391390.0, 5817855.0, 40.0])
EAST = [20, 300, 600, 900, 1200, 1480, 150, 450, 750, 1050, 1350]
"""Of six control points and five check points between them."""
MARK_PX, ACCURACY_M = 0.5, 0.03


def surveyed(noise: float = 1.0, wrong_m: float = 0.0) -> GroundControl:
    """Points along the strip, on both sides; the third may be wrong."""
    flight, _ = bent_strip()
    rng = np.random.default_rng(7)
    points = []
    for number, east in enumerate(EAST):
        north = 30.0 * (-1) ** number
        place = np.array([east, north, float(hills(np.array(east), np.array(north)))])
        marks = marks_in(flight, place, rng, noise * MARK_PX)
        enh = UTM + place + rng.normal(0, noise * ACCURACY_M, 3)
        enh[2] += wrong_m * (number == 2)
        is_check = number >= 6
        name = f"{'C' if is_check else 'P'}{number}"
        points.append(ControlPoint(name, tuple(enh.tolist()), ACCURACY_M, is_check, marks))
    return GroundControl(tuple(points), "", "")


@pytest.fixture(scope="module")
def posed(tmp_path_factory: pytest.TempPathFactory) -> tuple[PosedPhotos, ImageSet]:
    """The strip as structure from motion has left it."""
    _, placement = bent_strip()
    folder = tmp_path_factory.mktemp("pose")
    # Nobody looks at the pictures.
    blank = folder / "blank.jpg"
    Image.new("L", (WIDTH, HEIGHT)).save(blank)
    photos = photos_with({photo_id: Exif() for photo_id in placement.cam_from_world})
    pictures = {photo.id: blank for photo in photos}
    image_set = ImageSet(photos, (), False, pictures, {}, {})
    scene = write_placed(image_set, placement, {}, "scene", (0.0, 0.0, 0.0), folder, TASK)
    write_scene(folder, scene, ())
    return read_posed_photos(folder), image_set


def adjusted(
    folder: Path, posed: tuple[PosedPhotos, ImageSet], control: GroundControl, given: GivenCameras
) -> tuple[PosedPhotos, FittedControl]:
    config = ControlConfig(accuracy=ACCURACY_M, mark_px=MARK_PX, adjust=True)
    adjust_to_control(*posed, control, given, config, folder, TASK)
    found = read_posed_photos(folder)
    fit_control(found, posed[1], control, config, folder, TASK)
    return found, read_control(folder)


def test_check_points_of_a_bent_strip_come_as_near_as_their_own_error_bars_promise(
    tmp_path: Path, posed: tuple[PosedPhotos, ImageSet]
) -> None:
    control = surveyed()
    found, fitted = adjusted(tmp_path, posed, control, GivenCameras())
    outcome = fitted.report["adjusted"]
    assert outcome["used"], outcome["why"]
    assert outcome["control_m"][0] > 2
    assert outcome["check_m"][0] > 1.5
    assert outcome["left_out_m"][1] < outcome["left_out_m"][0] / 3
    after = fitted.report["rmse_m"]["check"]["total"]
    # What marks and coordinates promise of each point, and as much again for the features between
    # two control points, which lie 300 m apart.
    survey = measure_control(found.scene, posed[1], control, ControlConfig(mark_px=MARK_PX), TASK)
    scale = survey.fit.enh_from_world.scale
    own = [scale**2 * np.trace(one.place.covariance) for one in survey.checks]
    promised = float(np.sqrt(np.mean(own) + 3 * ACCURACY_M**2))
    assert after < 2.5 * promised
    assert after < 0.1 * outcome["check_m"][0]
    assert outcome["check_m"][1] == pytest.approx(after, rel=0.3)
    # The pixels fit as before, and nothing is lost.
    before_px, after_px = (each.scene.points.error_px.mean() for each in (posed[0], found))
    assert after_px == pytest.approx(before_px, rel=0.02)
    assert [view.photo_id for view in found.scene.views] == [
        view.photo_id for view in posed[0].scene.views
    ]
    assert len(found.scene.points.xyz_world) == len(posed[0].scene.points.xyz_world)
    assert fitted.warnings == ()


def test_points_that_contradict_each_other_move_nothing(
    tmp_path: Path, posed: tuple[PosedPhotos, ImageSet]
) -> None:
    found, fitted = adjusted(tmp_path, posed, surveyed(wrong_m=60.0), GivenCameras())
    outcome = fitted.report["adjusted"]
    assert not outcome["used"]
    assert any("do not move the cameras" in warning for warning in fitted.warnings)
    for before, after in zip(posed[0].scene.views, found.scene.views, strict=True):
        assert before.camera == after.camera
        np.testing.assert_array_equal(before.cam_from_world.matrix(), after.cam_from_world.matrix())


def test_given_poses_and_cameras_without_features_stay(
    tmp_path: Path, posed: tuple[PosedPhotos, ImageSet]
) -> None:
    poses = {view.photo_id: view.cam_from_world for view in posed[0].scene.views}
    _, fitted = adjusted(tmp_path / "given", posed, surveyed(), GivenCameras({}, poses))
    assert fitted.report["adjusted"]["why"] == "the poses are given"
    bare = replace(
        posed[0],
        scene=replace(posed[0].scene, points=SparsePoints.empty()),
        sightings_px={},
    )
    _, fitted = adjusted(tmp_path / "bare", (bare, posed[1]), surveyed(), GivenCameras())
    assert fitted.report["adjusted"]["why"] == "the cameras share no features"


def test_parts_that_only_markers_or_gps_join_stay_as_they_lie(
    tmp_path: Path, posed: tuple[PosedPhotos, ImageSet]
) -> None:
    points = posed[0].scene.points
    half = len(posed[0].scene.views) // 2
    later = np.bincount(points.observations[:, 0], points.observations[:, 1] >= half)
    seen = np.bincount(points.observations[:, 0])
    inside = ((later == 0) | (later == seen))[points.observations[:, 0]]
    assert 0.5 < inside.mean() < 1
    sightings = {
        view.photo_id: posed[0].sightings_px[view.photo_id][
            inside[points.observations[:, 1] == index]
        ]
        for index, view in enumerate(posed[0].scene.views)
    }
    parted = replace(points, observations=points.observations[inside])
    two = replace(posed[0], scene=replace(posed[0].scene, points=parted), sightings_px=sightings)
    _, fitted = adjusted(tmp_path, (two, posed[1]), surveyed(), GivenCameras())
    assert fitted.report["adjusted"]["why"] == "parts of the scene share no points"
