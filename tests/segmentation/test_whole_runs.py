"""Masks that a run makes act from depth on, are shown, and can be given back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import orbit_scene
import pytest
from PIL import Image

from recon3d.api import forecast, reconstruct
from recon3d.config import Config
from recon3d.finished import reopen
from recon3d.results import Inputs, Results, Until
from recon3d.segmentation.object_masks import MasksConfig

AUTO = Config(masks=MasksConfig(auto=True))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos around a thing, with their cameras."""
    folder = tmp_path_factory.mktemp("given")
    posed, _ = orbit_scene.orbit()
    (folder / "photos").mkdir()
    for photo_id, rgb in posed.rgb.items():
        Image.fromarray(rgb).save(folder / "photos" / photo_id, quality=97)
    camera = orbit_scene.CAMERA
    (folder / "K.txt").write_text("\n".join(" ".join(map(str, row)) for row in camera.matrix))
    poses = {
        view.photo_id: {"cam_from_world": view.cam_from_world.matrix().tolist()}
        for view in posed.scene.views
    }
    (folder / "poses.json").write_text(json.dumps({"poses": poses}))
    return folder


def run(folder: Path, workspace: Path, config: Config, masks: Path | None = None) -> Results:
    inputs = Inputs(
        photos=folder / "photos",
        intrinsics=folder / "K.txt",
        poses=folder / "poses.json",
        masks=masks,
    )
    return reconstruct(inputs, workspace, config, until=Until.POSE)


@pytest.mark.slow
def test_found_masks_are_used_shown_reopened_and_given_back(photos: Path, tmp_path: Path) -> None:
    _, true = orbit_scene.orbit()
    made = run(photos, tmp_path / "work", AUTO)
    assert made.posed
    assert made.posed.value.masks.keys() == true.keys()
    assert made.posed.key != made.posed.folder.name

    report = json.loads((tmp_path / "work" / "report.json").read_text())
    assert report["masks"]["photos"] == len(true)
    place = tmp_path / "work" / report["masks"]["found_in"]
    assert len([*place.iterdir()]) == len(true)
    assert "hide is red" in (tmp_path / "work" / "report.html").read_text()

    again = reopen(tmp_path / "work")
    assert again.posed
    assert again.posed.key == made.posed.key
    np.testing.assert_array_equal(
        again.posed.value.masks["05.jpg"], made.posed.value.masks["05.jpg"]
    )

    given = run(photos, tmp_path / "other", Config(), masks=place)
    assert given.posed
    for photo_id, mask in given.posed.value.masks.items():
        np.testing.assert_array_equal(mask, made.posed.value.masks[photo_id])


@pytest.mark.slow
def test_masks_that_are_turned_on_cost_no_new_cameras(photos: Path, tmp_path: Path) -> None:
    plain = run(photos, tmp_path, Config())
    inputs = Inputs(
        photos=photos / "photos", intrinsics=photos / "K.txt", poses=photos / "poses.json"
    )
    expected = forecast(inputs, tmp_path, AUTO, until=Until.POSE)
    assert "pose" in expected.kept
    assert "masks" in expected.computed
    assert plain.posed
    assert run(photos, tmp_path, AUTO).reached["posed"].folder == plain.posed.folder
