"""Photos without EXIF that were taken at several zooms get a lens for each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corner_scene import CAMERA, corner, look_at
from PIL import Image

from recon3d.core.scene import Exif, GivenCameras, ImageSet, Photo
from recon3d.core.transform import fit_similarity
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm.mapping import Placement
from recon3d.sfm.structure_from_motion import PoseConfig, solve
from recon3d.sfm.zooms import focal_groups

POSES = {
    f"{n}.jpg": look_at(np.array([x, 0.6 * (n % 2), -0.5]))
    for n, x in enumerate(np.linspace(-3, 3, 9))
}
ZOOMED = ("2.jpg", "5.jpg", "8.jpg")


def placed(folder: Path, zoom: float) -> Placement:
    """Photos of a corner, a third of them zoomed, about which nothing is known but their size."""
    for name, pose in POSES.items():
        focal_px = CAMERA.fx_px * (zoom if name in ZOOMED else 1)
        camera = replace(CAMERA, fx_px=focal_px, fy_px=focal_px)
        Image.fromarray(corner(pose, 0, camera)).save(folder / name, quality=97)
    photos = tuple(Photo(name, name, 480, 360, Exif(), name, "camera") for name in POSES)
    paths = {name: folder / name for name in POSES}
    task = Task("pose", silent, CancelToken())
    config = PoseConfig(features=1500, attempts=1)
    image_set = ImageSet(photos, (), False, paths, {}, {})
    return solve(image_set, GivenCameras(), config, folder / "sfm", task).placement


def assert_true(placement: Placement) -> None:
    assert [*placement.cam_from_world] == [*POSES]
    found = np.array([pose.inverse().translation for pose in placement.cam_from_world.values()])
    true = np.array([pose.inverse().translation for pose in POSES.values()])
    true_from_found = fit_similarity(found, true)
    # 0.3 px at 450 px and 5 m is 3 mm; with one lens for all some are off by a metre and more.
    assert np.linalg.norm(true_from_found @ found - true, axis=1).max() < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("zoom", [1.15, 2.0])
def test_each_zoom_gets_its_focal_length(tmp_path: Path, zoom: float) -> None:
    placement = placed(tmp_path, zoom)
    assert_true(placement)
    keys = {name: "camera #2" if name in ZOOMED else "camera" for name in POSES}
    assert placement.camera_of == keys
    wide, tele = (
        placement.cameras[key].intrinsics.pinhole.fx_px for key in ("camera", "camera #2")
    )
    # Unknown, a focal length of so few photos is known to some thousandths.
    assert wide == pytest.approx(450, rel=0.01)
    assert tele == pytest.approx(450 * zoom, rel=0.01)


@pytest.mark.slow
def test_photos_at_one_zoom_share_a_lens(tmp_path: Path) -> None:
    placement = placed(tmp_path, 1.0)
    assert_true(placement)
    assert [*placement.cameras] == ["camera"]


@pytest.mark.parametrize(
    ("focals_px", "std_px", "groups"),
    [
        ([1001, 1500, 999, 1499, 1000], 2, [0, 1, 0, 1, 0]),
        ([2000, 1000, 1500, 1001, 1501, 2001], 2, [2, 0, 1, 0, 1, 2]),
        # Focused differently, not zoomed.
        ([1000, 1030, 1001, 1031, 1000], 2, [0, 0, 0, 0, 0]),
        # The photos do not say it surely.
        ([1000, 1100, 1000, 1100, 1000], 50, [0, 0, 0, 0, 0]),
        # One photo alone may be wrong as a whole.
        ([1000, 1500, 1001, 999, 1000], 2, [0, 0, 0, 0, 0]),
        ([1000, 1500, 1001, 1600, 1000], 2, [0, 1, 0, 1, 0]),
        ([], 2, []),
    ],
)
def test_focal_lengths_that_are_surely_apart_are_several_zooms(
    focals_px: list[float], std_px: float, groups: list[int]
) -> None:
    found = focal_groups(np.array(focals_px, float), np.full(len(focals_px), float(std_px)))
    assert found.tolist() == groups
