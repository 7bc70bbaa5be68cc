"""The cloud that grows while a run computes depth."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from recon3d_gui.viewer import growing, loader
from recon3d_gui.viewer.content import Content
from recon3d_gui.viewer.drawing import Model
from recon3d_gui.viewer.growing import Growth
from recon3d_gui.viewer.loader import Loader, Read
from recon3d_gui.viewer.protocol import Grow
from recon3d_gui.viewer.workbench import growth_of

from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import PredictedDepth, SceneDepth
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.surface import PointCloud
from recon3d.core.transform import Rigid
from recon3d.depth.files import depth_file_paths, write_prediction, write_scene_depth

CAMERA = PinholeCamera(96, 64, 90.0, 90.0, 48.0, 32.0)
DISTANCE = 2.0
NAMES = ("a/0.jpg", "1.jpg", "2.jpg")


def wall_photos() -> PosedPhotos:
    """Three photos side by side of the plane z = 2."""
    views = tuple(
        View(name, CAMERA, Rigid(np.eye(3), np.array([-0.1 * index, 0.0, 0.0])))
        for index, name in enumerate(NAMES)
    )
    rgb = {name: np.full((64, 96, 3), 40 * i, np.uint8) for i, name in enumerate(NAMES)}
    return PosedPhotos(PosedScene(views, SparsePoints.empty(), "scene"), rgb, {}, {}, ())


def predict(folder: Path, name: str, distance: float = DISTANCE, kind: str = "scene") -> None:
    folder.mkdir(exist_ok=True)
    depth_z = np.full((64, 96), distance, np.float32)
    sure = np.full((64, 96), 0.9, np.float32)
    target = depth_file_paths(folder, [name])[name]
    write_prediction(target, PredictedDepth(depth_z, kind, sure, CAMERA))  # type: ignore[arg-type]


def confirm(folder: Path, name: str, distance: float) -> None:
    folder.mkdir(exist_ok=True)
    depth_z = np.full((64, 96), distance, np.float32)
    target = depth_file_paths(folder, [name])[name]
    write_scene_depth(target, SceneDepth(depth_z, np.full_like(depth_z, 2.0), CAMERA, name))


def nothing() -> None:
    return None


def grown(growth: Growth, *folders: tuple[str, Path]) -> PointCloud:
    cloud, is_behind = growth.advance(folders, nothing)
    assert cloud is not None
    assert not is_behind
    return cloud


def test_what_one_photo_says_alone_is_not_shown(tmp_path: Path) -> None:
    growth, depth = Growth(wall_photos()), ("depth", tmp_path / "depth")
    predict(depth[1], NAMES[0])
    assert not len(grown(growth, depth).points)
    predict(depth[1], NAMES[1])
    both = grown(growth, depth)
    assert len(both.points) > 0.6 * 2 * 64 * 96
    np.testing.assert_allclose(both.points[:, 2], DISTANCE, atol=1e-4)
    # Contradicted by both others.
    predict(depth[1], NAMES[2], 3.0)
    np.testing.assert_allclose(grown(growth, depth).points[:, 2], DISTANCE, atol=1e-4)


def test_the_same_files_show_the_same_whenever_they_came(tmp_path: Path) -> None:
    """As of a run that was stopped and went on, or of a window that was opened late."""
    depth = ("depth", tmp_path / "depth")
    watched = Growth(wall_photos())
    for name in reversed(NAMES):
        predict(depth[1], name)
        watched_last = watched.advance((depth,), nothing)[0]
    at_once = grown(Growth(wall_photos()), depth)
    assert watched_last is not None
    np.testing.assert_array_equal(watched_last.points, at_once.points)
    np.testing.assert_array_equal(watched_last.rgb, at_once.rgb)
    assert watched.advance((depth,), nothing) == (None, False)  # nothing new: nothing to draw


def test_later_stages_take_the_place_of_earlier_ones_photo_by_photo(tmp_path: Path) -> None:
    depth, refine = ("depth", tmp_path / "depth"), ("refine", tmp_path / "refine")
    growth = Growth(wall_photos())
    for name in NAMES:
        predict(depth[1], name)
    before = len(grown(growth, depth).points)
    confirm(refine[1], NAMES[1], 5.0)
    after = grown(growth, depth, refine)
    assert (after.points[:, 2] > 4).sum() == 64 * 96
    assert 0 < (after.points[:, 2] < 4).sum() < before
    # Other settings: the maps of before are no longer asked for.
    assert not len(grown(growth, ("depth", tmp_path / "other")).points)


def test_maps_without_the_scenes_scale_and_torn_ones_show_nothing(tmp_path: Path) -> None:
    growth, depth = Growth(wall_photos()), ("depth", tmp_path / "depth")
    for name in NAMES[:2]:
        predict(depth[1], name, kind="relative")
    depth_file_paths(depth[1], NAMES)[NAMES[2]].write_bytes(b"PK torn")
    assert growth.advance((depth,), nothing) == (None, False)


def test_points_of_all_photos_together_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "MOST_POINTS", 3000)
    growth, refine = Growth(wall_photos()), ("refine", tmp_path / "refine")
    for name in NAMES:
        confirm(refine[1], name, DISTANCE)
    cloud = grown(growth, refine)
    assert 2000 < len(cloud.points) <= 3000
    # As far apart as the whole photo: thinned, not cut.
    assert np.ptp(cloud.points[:, 1]) > 0.9 * 64 / 90 * DISTANCE


def test_the_view_is_told_of_a_runs_depth_until_it_has_a_surface(tmp_path: Path) -> None:
    pose = {"pose": tmp_path}
    begun = ("depth", tmp_path / "1.part")
    assert growth_of({}, begun, is_at_work=True) == Grow()
    assert growth_of(pose, begun, is_at_work=True) == Grow((begun,), True)
    done = {**pose, "depth": tmp_path / "1"}
    found = growth_of(done, ("planes", tmp_path / "2.part"), is_at_work=False)
    assert found == Grow((("depth", tmp_path / "1"), ("planes", tmp_path / "2.part")))
    assert growth_of({**done, "fuse": tmp_path}, None, is_at_work=True) == Grow()


def test_the_loader_shows_what_has_come_and_stops_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "_LOOK_S", 0.02)
    work = Loader()
    model = Model(Content(posed=wall_photos()))
    work._models["a"] = (model, {"pose": tmp_path})
    depth = tmp_path / "depth"
    work.grow(Grow((("depth", depth),), is_at_work=True))
    for name in NAMES[:2]:
        predict(depth, name)
    read = first_read(work)
    assert read.model.content.growing is not None
    assert len(read.model.content.growing.points)
    # The run has come to its surface: what had grown is not brought back.
    work._models["a"] = (Model(Content(posed=wall_photos(), cloud=read.model.content.growing)), {})
    predict(depth, NAMES[2])
    time.sleep(0.3)
    assert not work.take()
    assert work._look_at_s == float("inf")


def first_read(work: Loader) -> Read:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for result in work.take():
            assert isinstance(result, Read), result
            if result.model.content.growing is not None:
                return result
        time.sleep(0.02)
    raise AssertionError("nothing has grown")
