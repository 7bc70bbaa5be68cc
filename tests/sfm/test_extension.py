"""Photos that come to a finished run, or leave it, move no other camera."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from corner_scene import CAMERA, corner, look_at, poses_of
from PIL import Image

from recon3d.api import forecast, reconstruct
from recon3d.config import Config
from recon3d.core import camera
from recon3d.core.transform import fit_similarity
from recon3d.depth.estimate import DepthConfig
from recon3d.depth.files import depth_file_paths
from recon3d.finished import reopen
from recon3d.results import Inputs, Results, Until
from recon3d.run.unused import unused_folders
from recon3d.sfm.evidence import read_evidence

CONFIG = replace(
    Config(),
    pose=replace(Config().pose, features=1000, attempts=1),
    depth=DepthConfig(resolution_px=160, planes=16, source_views=2),
    refine=replace(Config().refine, search_passes=0),
)
POSES = {
    **poses_of("walk", 6),
    "near.jpg": look_at(np.array([0.3, 0.6, 0.2])),
    "zfar.jpg": look_at(np.array([1.5, -0.3, -0.4])),
}


@dataclass(frozen=True)
class Project:
    """A folder of photos and its workspace."""

    root: Path

    def put(self, *names: str) -> None:
        for name in names:
            Image.fromarray(corner(POSES[name], 0)).save(self.root / "photos" / name, quality=97)

    def run(self, config: Config = CONFIG, until: Until = Until.POSE) -> Results:
        inputs = Inputs(photos=self.root / "photos", intrinsics=self.root / "K.txt")
        return reconstruct(inputs, self.root / "out.recon3d", config, until=until)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Six photos of a walk, run up to their depth."""
    project = Project(tmp_path_factory.mktemp("walk ä"))
    (project.root / "photos").mkdir()
    (project.root / "K.txt").write_text("450 0 240\n0 450 180\n0 0 1\n")
    project.put(*poses_of("walk", 6))
    project.run(until=Until.DEPTH)
    return project


@pytest.fixture
def project(walked: Project, tmp_path: Path) -> Project:
    """A copy of it."""
    return Project(Path(shutil.copytree(walked.root, tmp_path / "copy")))


def cameras(results: Results) -> Mapping[str, bytes]:
    assert results.posed
    views = results.posed.value.scene.views
    return {view.photo_id: view.cam_from_world.matrix().tobytes() for view in views}


def off_m(results: Results) -> dict[str, float]:
    """How far each camera stands from the truth, after a similarity over all."""
    assert results.posed
    views = results.posed.value.scene.views
    found = np.array([view.centre_world for view in views])
    true = np.array([POSES[view.photo_id].inverse().translation for view in views])
    errors = np.linalg.norm(fit_similarity(found, true) @ found - true, axis=1)
    return {view.photo_id: float(error) for view, error in zip(views, errors, strict=True)}


def test_added_photos_find_their_place_and_the_others_keep_theirs_to_the_bit(
    project: Project,
) -> None:
    made = reopen(project.root / "out.recon3d")
    before = cameras(made)
    project.put("near.jpg", "zfar.jpg")
    results = project.run()
    after = cameras(results)
    assert made.posed
    assert results.posed
    for name in before:
        path = Path("images") / name
        assert (results.posed.folder / path).samefile(made.posed.folder / path)
    assert {name: after[name] for name in before} == before
    errors = off_m(results)
    assert max(errors["near.jpg"], errors["zfar.jpg"]) < max(0.02, 2 * max(errors.values()))
    assert max(errors.values()) < 0.02


def test_points_that_new_photos_see_are_theirs_too(project: Project) -> None:
    project.put("near.jpg")
    results = project.run()
    assert results.posed
    posed = results.posed.value
    scene = posed.scene
    assert len(np.unique(scene.points.observations, axis=0)) == len(scene.points.observations)
    for index, view in enumerate(scene.views):
        seen = scene.points.seen_by(index)
        uv_px, _ = camera.project(view.cam_from_world @ scene.points.xyz_world[seen], CAMERA)
        assert len(seen) == len(posed.sightings_px[view.photo_id]) > 50
        off_px = np.linalg.norm(uv_px - posed.sightings_px[view.photo_id], axis=1)
        assert np.median(off_px) < 0.5
    lengths = np.bincount(scene.points.observations[:, 0])
    assert lengths.max() == 7


def test_a_photo_that_leaves_moves_nobody_and_depth_that_did_not_need_it_stays(
    project: Project,
) -> None:
    made = reopen(project.root / "out.recon3d")
    before = cameras(made)
    assert made.predictions
    maps = depth_file_paths(made.predictions.folder)
    (project.root / "photos" / "walk0.jpg").unlink()
    results = project.run(until=Until.DEPTH)
    assert cameras(results) == {k: v for k, v in before.items() if k != "walk0.jpg"}
    assert results.predictions
    kept = depth_file_paths(results.predictions.folder)
    same = [name for name in kept if kept[name].samefile(maps[name])]
    assert same
    assert all(kept[name].read_bytes() == maps[name].read_bytes() for name in same)


def test_the_same_photos_again_compute_nothing_however_they_came_together(
    project: Project,
) -> None:
    project.put("near.jpg")
    first = project.run()
    again = project.run()
    assert first.posed
    assert again.posed
    assert again.posed.cached
    assert again.posed.folder == first.posed.folder
    for folder in unused_folders(project.root / "out.recon3d").folders:
        shutil.rmtree(folder)
    assert project.run().posed.folder == first.posed.folder  # type: ignore[union-attr]


def test_without_keep_cameras_all_are_placed_anew(project: Project, tmp_path: Path) -> None:
    project.put("near.jpg")
    anew = replace(CONFIG, pose=replace(CONFIG.pose, keep_cameras=False))
    alone = Project(tmp_path / "alone")
    shutil.copytree(project.root / "photos", alone.root / "photos")
    shutil.copy(project.root / "K.txt", alone.root)
    assert cameras(project.run(anew)) == cameras(alone.run())


def test_a_photo_that_fits_nowhere_costs_nobody_a_place(project: Project) -> None:
    before = cameras(reopen(project.root / "out.recon3d"))
    noise = np.random.default_rng(9).integers(0, 256, (90, 120)).astype(np.uint8)
    picture = Image.fromarray(noise).resize((480, 360), Image.Resampling.BICUBIC)
    picture.save(project.root / "photos" / "stranger.jpg", quality=97)
    results = project.run()
    assert cameras(results) == before
    assert results.posed
    verdicts = {verdict.photo_id: verdict for verdict in results.posed.value.verdicts}
    assert "shares too little" in verdicts["stranger.jpg"].reason


@pytest.mark.parametrize("name", ["evidence/photos.json", "evidence/pairs.npz", "points.npz"])
def test_a_damaged_run_is_not_gone_on_from(project: Project, name: str) -> None:
    made = reopen(project.root / "out.recon3d").posed
    assert made
    path = made.folder / name
    path.write_bytes(path.read_bytes()[:20])
    project.put("near.jpg")
    assert len(cameras(project.run())) == 7


def test_a_forecast_reads_no_pictures_of_earlier_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "photos" / "walk0.jpg").unlink()
    project.run()
    project.put("walk0.jpg", "near.jpg")

    def read_file(path: Path) -> str:
        raise AssertionError(path)

    project.run(until=Until.INGEST)
    monkeypatch.setattr("recon3d.run.manifest.file_digest", read_file)
    inputs = Inputs(photos=project.root / "photos", intrinsics=project.root / "K.txt")
    found = forecast(inputs, project.root / "out.recon3d", CONFIG, until=Until.DEPTH)
    assert "pose" in found.computed


def test_evidence_that_is_no_evidence_is_none(tmp_path: Path) -> None:
    assert read_evidence(tmp_path) is None
    (tmp_path / "evidence").mkdir()
    for content in ("", "[]", '{"photos": 3}', '{"photos": ["a"], "basis": {"contents": 1}}'):
        (tmp_path / "evidence" / "photos.json").write_text(content)
        assert read_evidence(tmp_path) is None
