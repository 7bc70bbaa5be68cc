"""A thing on a turntable before a background that stays is placed by what turns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from corner_scene import CAMERA, corner, poses_of
from PIL import Image

from recon3d.core.camera import Intrinsics
from recon3d.core.scene import Exif, GivenCameras, ImageSet, Photo, PosedPhotos
from recon3d.core.transform import Rigid, fit_similarity
from recon3d.run.task import CancelToken, Event, Task
from recon3d.sfm.register import place_photos, read_posed_photos
from recon3d.sfm.structure_from_motion import PoseConfig


def farther(pose: Rigid) -> Rigid:
    """So far that the thing leaves room for a background."""
    return replace(pose, translation=pose.translation + np.array([0.0, 0.0, 3.0]))


POSES = {name: farther(pose) for name, pose in poses_of("turn", 5).items()}


def background() -> np.ndarray:
    cells = np.random.default_rng(77).integers(0, 256, (72, 96)).astype(np.uint8)
    sharp = cv2.resize(cells, (480, 360), interpolation=cv2.INTER_NEAREST)
    return cv2.GaussianBlur(sharp, (0, 0), 1.2)


def on_turntable(pose: Rigid) -> np.ndarray:
    """The thing before the background; what a camera sees that stands still while it turns."""
    thing = corner(pose, 0)
    covered = cv2.morphologyEx((thing != 90).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9)))
    return np.where(covered > 0, thing, background())


def place(folder: Path, pictures: dict[str, np.ndarray]) -> tuple[PosedPhotos, list[Event]]:
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / name, quality=97)
    photos = tuple(Photo(name, name, 480, 360, Exif(), name, "camera") for name in pictures)
    paths = {name: folder / name for name in pictures}
    image_set = ImageSet(photos, (), False, paths, {}, {})
    given = GivenCameras(intrinsics={name: Intrinsics(CAMERA) for name in pictures})
    events: list[Event] = []
    task = Task("pose", events.append, CancelToken())
    config = PoseConfig(features=1500, attempts=1)
    place_photos(image_set, given, config, folder / "out", task)
    return read_posed_photos(folder / "out"), events


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> tuple[PosedPhotos, list[Event]]:
    folder = tmp_path_factory.mktemp("turntable")
    return place(folder, {name: on_turntable(pose) for name, pose in POSES.items()})


def test_the_cameras_go_round_the_thing(turned: tuple[PosedPhotos, list[Event]]) -> None:
    views = turned[0].scene.views
    assert [view.photo_id for view in views] == list(POSES)
    found = np.array([view.centre_world for view in views])
    true = np.array([POSES[view.photo_id].inverse().translation for view in views])
    true_from_found = fit_similarity(found, true)
    # As for a camera that moves (tests/sfm/test_pose.py), from half as many pixels.
    assert np.linalg.norm(true_from_found @ found - true, axis=1).max() < 0.02


def test_it_is_told_and_masks_are_advised(turned: tuple[PosedPhotos, list[Event]]) -> None:
    posed, events = turned
    assert posed.scene.report["fixed_background"] is True
    assert any("--masks" in event.note for event in events if event.kind == "warning")


def test_a_camera_that_moves_has_no_fixed_background(tmp_path: Path) -> None:
    names = ("turn0.jpg", "turn2.jpg", "turn4.jpg")
    posed, events = place(tmp_path, {name: corner(POSES[name], 0) for name in names})
    assert len(posed.scene.views) == 3
    assert posed.scene.report["fixed_background"] is False
    assert not any("background" in event.note for event in events)
