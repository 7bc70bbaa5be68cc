"""Photos of several things in one folder: none is lost, and all can become models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from corner_scene import CAMERA, corner, poses_of
from PIL import Image

from recon3d.api import reconstruct
from recon3d.config import Config
from recon3d.core.scene import OtherScene, PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.transform import Rigid, fit_similarity
from recon3d.export.export import Outputs
from recon3d.finished import reopen
from recon3d.results import Inputs, Results, Until
from recon3d.run.task import Event
from recon3d.sfm import joining, structure_from_motion
from recon3d.sfm.mapping import Placement
from recon3d.sfm.other_scenes import tell_other_scenes, worth_a_model

IDENTITY = Rigid(np.eye(3), np.zeros(3))
CONFIG = replace(Config(), pose=replace(Config().pose, features=1000, attempts=1))


HALL, ROOM = poses_of("hall", 4), poses_of("room", 3)


@dataclass(frozen=True, eq=False)
class TwoRooms:
    inputs: Inputs
    folder: Path
    results: Results
    events: list[Event]


def run(folder: Path, inputs: Inputs, **more: object) -> tuple[Results, list[Event]]:
    events: list[Event] = []
    results = reconstruct(
        inputs,
        folder / "out.recon3d",
        CONFIG,
        outputs=Outputs(transforms=folder / "out.json"),
        listener=events.append,
        until=Until.POSE,
        **more,  # type: ignore[arg-type]
    )
    return results, events


@pytest.fixture(scope="module")
def two_rooms(tmp_path_factory: pytest.TempPathFactory) -> TwoRooms:
    """Photos of two corners that share nothing, in one folder, of which all are wanted."""
    folder = tmp_path_factory.mktemp("two rooms ä")
    (folder / "photos").mkdir()
    for seed, poses in enumerate((HALL, ROOM)):
        for name, pose in poses.items():
            picture = corner(pose, seed)
            Image.fromarray(picture).save(folder / "photos" / name, quality=97)
    (folder / "K.txt").write_text("450 0 240\n0 450 180\n0 0 1\n")
    inputs = Inputs(photos=folder / "photos", intrinsics=folder / "K.txt")
    return TwoRooms(inputs, folder, *run(folder, inputs, components="all"))


def placed(results: Results) -> list[str]:
    assert results.posed
    return [view.photo_id for view in results.posed.value.scene.views]


def test_two_rooms_are_two_scenes_each_with_its_own_photos(two_rooms: TwoRooms) -> None:
    (second,) = two_rooms.results.others
    assert placed(two_rooms.results) == list(HALL)
    assert placed(second) == list(ROOM)
    assert second.image_set is not None
    assert [photo.id for photo in second.image_set.value.photos] == list(ROOM)


def test_the_other_scene_is_as_exact_as_the_largest(two_rooms: TwoRooms) -> None:
    posed = two_rooms.results.others[0].posed
    assert posed is not None
    scene = posed.value.scene
    found = np.array([view.centre_world for view in scene.views])
    true = np.array([ROOM[view.photo_id].inverse().translation for view in scene.views])
    true_from_found = fit_similarity(found, true)
    # As for one scene (tests/sfm/test_pose.py): 1 % of the baseline.
    assert np.linalg.norm(true_from_found @ found - true, axis=1).max() < 0.02
    assert scene.points.rgb.std() > 20
    assert posed.value.rgb["room0.jpg"].shape == (360, 480, 3)


def test_each_scene_has_its_files_and_its_report(two_rooms: TwoRooms) -> None:
    (second,) = two_rooms.results.others
    assert (two_rooms.folder / "out.json").is_file()
    assert second.written == (two_rooms.folder / "out_2.json",)
    assert (two_rooms.folder / "out_2.json").is_file()
    assert second.workspace == two_rooms.results.workspace / "scene_2"
    assert (second.workspace / "report.html").is_file()


def test_one_sentence_says_that_there_is_another_scene(two_rooms: TwoRooms) -> None:
    told = [event.note for event in two_rooms.events if "scene of their own" in event.note]
    assert len(told) == 1
    assert told[0].startswith("3 of the photos left out (room0.jpg, room1.jpg, room2.jpg) form")
    assert "apart from the 4 of the largest: the two share " in told[0]
    assert "it becomes model 2" in told[0]


def test_printed_markers_make_two_rooms_one_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rooms lie in one frame: whatever hangs there hangs at the same places in both."""
    # Or features on the markers would match, and tie the rooms by themselves.
    inside = [(a, b) for a, b in combinations(range(7), 2) if (a < 4) == (b < 4)]
    monkeypatch.setattr(structure_from_motion, "_choose_pairs", lambda *_: inside)
    monkeypatch.setattr(joining, "_pairs_to_compare", lambda *_: [])
    monkeypatch.setattr(joining, "overlapping_pairs", lambda *_: [])
    (tmp_path / "photos").mkdir()
    for seed, poses in enumerate((HALL, ROOM)):
        for name, pose in poses.items():
            picture = corner(pose, seed, markers=(3, 7))
            Image.fromarray(picture).save(tmp_path / "photos" / name, quality=97)
    (tmp_path / "K.txt").write_text("450 0 240\n0 450 180\n0 0 1\n")
    inputs = Inputs(photos=tmp_path / "photos", intrinsics=tmp_path / "K.txt")
    results, events = run(tmp_path, inputs)
    assert placed(results) == [*HALL, *ROOM]
    assert results.posed
    scene = results.posed.value.scene
    found = np.array([view.centre_world for view in scene.views])
    true = np.array([{**HALL, **ROOM}[v.photo_id].inverse().translation for v in scene.views])
    # Markers of 35 pixels, 1.4 apart and 5 away: a tenth of a pixel is .001, and .004 at a camera.
    assert np.linalg.norm(fit_similarity(found, true) @ found - true, axis=1).max() < 0.03
    assert not [event for event in events if "scene of their own" in event.note]
    (told,) = cast("list[str]", scene.report["joined"])
    assert told.startswith("3 photos (room0.jpg, room1.jpg, room2.jpg) were joined to the others")
    assert "by 2 printed markers (aruco_4x4_50 3, aruco_4x4_50 7, corners within " in told


def test_the_largest_alone_computes_nothing_new_and_says_how_to_get_the_others(
    two_rooms: TwoRooms,
) -> None:
    results, events = run(two_rooms.folder, two_rooms.inputs)
    assert results.others == []
    assert all(stage.cached for stage in results.stages)
    (told,) = [event.note for event in events if "scene of their own" in event.note]
    assert "--components all" in told
    assert any("room0.jpg" in warning for warning in results.warnings)


def test_all_scenes_a_second_time_come_from_the_workspace(two_rooms: TwoRooms) -> None:
    results, _ = run(two_rooms.folder, two_rooms.inputs, components="all")
    assert all(stage.cached for stage in results.others[0].stages)


def test_the_other_scene_opens_again_by_itself(two_rooms: TwoRooms) -> None:
    again = reopen(two_rooms.results.others[0].workspace)
    assert placed(again) == list(ROOM)
    assert again.frame is not None


def test_a_scene_that_fails_does_not_take_the_largest_with_it(
    two_rooms: TwoRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recon3d import api
    from recon3d.core.errors import TooLittleDepthError

    def fail(*_: object, **__: object) -> None:
        raise TooLittleDepthError("Nothing there.")

    monkeypatch.setattr(api, "run_other_scene", fail)
    results, events = run(two_rooms.folder, two_rooms.inputs, components="all")
    assert placed(results) == list(HALL)
    assert any("no model of scene 2: Nothing there." in event.note for event in events)
    assert "Nothing there." in (results.others[0].workspace / "report.json").read_text()


def placement(ids: str, others: tuple[Placement, ...] = ()) -> Placement:
    none = SparsePoints.empty()
    poses: Mapping[str, Rigid] = dict.fromkeys(ids, IDENTITY)
    return Placement(poses, {}, {}, none.xyz_world, none.error_px, none.observations, others=others)


def test_pairs_and_what_another_scene_has_already_make_no_scene() -> None:
    others = (placement("defc"), placement("gh"), placement("efi"), placement("jkl"))
    worth = worth_a_model(placement("abc", others))
    assert [[*scene.cam_from_world] for scene in worth] == [[*"defc"], [*"jkl"]]


def test_every_scene_gets_its_sentence() -> None:
    def scene(ids: str) -> PosedScene:
        views = tuple(View(photo_id, CAMERA, IDENTITY) for photo_id in ids)
        return PosedScene(views, SparsePoints.empty(), "scene")

    others = tuple(OtherScene(scene(ids), {}) for ids in ("cdef", "ghi"))
    posed = PosedPhotos(scene("abc"), {}, {}, {}, (), others)
    first, second = tell_other_scenes(posed)
    assert first.startswith("3 of the photos left out (d, e, f) form")  # c is in both
    assert second.startswith("3 of the photos left out (g, h, i) form")


def test_outputs_of_other_scenes_stand_beside_the_first_ones() -> None:
    folder = Path("out.v1")
    outputs = Outputs(
        meshes=(folder / "a.b.glb", Path("x.ply")),
        transforms=folder / "t.json",
        blender=Path("my.blend.folder"),
    )
    assert outputs.numbered(3) == Outputs(
        meshes=(folder / "a.b_3.glb", Path("x_3.ply")),
        transforms=folder / "t_3.json",
        blender=Path("my.blend.folder_3"),
    )
