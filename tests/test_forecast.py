"""What a run would compute is told without running it, by the code that runs it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon3d.api import forecast, reconstruct
from recon3d.config import Config, updated
from recon3d.core.errors import Cancelled, EstimatorError, InputError
from recon3d.photos.digests import sha256_of
from recon3d.results import Forecast, Inputs, Until
from recon3d.run.task import CancelToken, Event, silent
from recon3d.run.workspace import open_workspace

pytestmark = pytest.mark.usefixtures("small_stills")

Changes = Mapping[str, Mapping[str, object]]
NONE: Changes = {}


class Scene:
    """One photo of a depth camera, the quickest run there is."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        photos, depth = folder / "photos", folder / "depth"
        photos.mkdir()
        depth.mkdir()
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(photos / "ü.png")
        slope = np.linspace(900, 1500, 64 * 64).reshape(64, 64).astype(np.uint16)
        Image.fromarray(slope).save(depth / "ü.png")
        self.inputs = Inputs(photos=photos, sensor_depth=depth)
        self.workspace = folder / "scene.recon3d"

    def forecast(self, changes: Changes = NONE, until: Until = Until.MESH) -> Forecast:
        return forecast(self.inputs, self.workspace, updated(Config(), changes), until=until)

    def run(self, changes: Changes = NONE, until: Until = Until.MESH) -> tuple[str, ...]:
        """The stages that were computed."""
        events: list[Event] = []
        config = updated(Config(), changes)
        reconstruct(self.inputs, self.workspace, config, until=until, listener=events.append)
        return tuple(event.stage for event in events if event.kind == "stage_started")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    made = Scene(tmp_path_factory.mktemp("forecast"))
    made.run()
    return made


CHANGES: list[Changes] = [
    {"mesh": {"faces": 200}},
    {"mesh": {"crop": (-9.0, -9.0, -9.0, 9.0, 9.0, 9.0)}},
    {"frame": {"up": "none"}},
    {"levels": {"count": 2}},
]


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: next(iter(changes)))
def test_a_run_computes_what_was_foreseen(changes: Changes, scene: Scene) -> None:
    foreseen = scene.forecast(changes)
    assert foreseen.complete
    assert foreseen.computed == scene.run(changes) != ()
    assert scene.forecast(changes).computed == ()
    assert scene.forecast().computed == ()  # switching back costs nothing


def test_a_run_that_goes_further_computes_what_is_new_only(scene: Scene) -> None:
    foreseen = scene.forecast(until=Until.TEXTURE)
    assert foreseen.computed == scene.run(until=Until.TEXTURE) == ("texture",)


def test_a_mesh_setting_keeps_everything_before_the_mesh(scene: Scene) -> None:
    foreseen = scene.forecast({"mesh": {"faces": 800}}, Until.TEXTURE)
    assert foreseen.computed == ("mesh", "texture", "frame")
    assert foreseen.kept == ("ingest", "pose", "depth", "scale", "relief")


def test_a_depth_setting_computes_from_depth_on(scene: Scene) -> None:
    foreseen = scene.forecast({"depth": {"planes": 77}}, Until.TEXTURE)
    assert foreseen.kept == ("ingest", "pose")
    assert foreseen.computed == ("depth", "scale", "relief", "mesh", "texture", "frame")


def test_an_empty_workspace_computes_everything_and_stays_empty(
    scene: Scene, tmp_path: Path
) -> None:
    foreseen = forecast(scene.inputs, tmp_path / "new.recon3d", until=Until.TEXTURE)
    assert foreseen == Forecast((), ("ingest",), complete=False)
    assert list(tmp_path.iterdir()) == []


def test_a_forecast_needs_no_lock_and_writes_nothing(scene: Scene) -> None:
    before = sorted(scene.workspace.rglob("*"))
    with open_workspace(scene.workspace, silent, CancelToken()):
        assert scene.forecast({"mesh": {"faces": 700}}).computed[0] == "mesh"
    assert sorted(scene.workspace.rglob("*")) == before


def test_what_a_run_would_refuse_is_refused_at_once(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(EstimatorError):
        scene.forecast({"depth": {"model": "nobody"}})
    with pytest.raises(InputError):
        forecast(tmp_path / "missing", scene.workspace)


def test_a_forecast_can_be_cancelled(scene: Scene) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        forecast(scene.inputs, scene.workspace, cancel=token)


def test_finished_and_cached_stages_say_where_they_lie(scene: Scene) -> None:
    events: list[Event] = []
    reconstruct(scene.inputs, scene.workspace, listener=events.append)
    folders = [Path(event.folder) for event in events if event.kind == "stage_cached"]
    assert len(folders) == 7
    assert all((folder / "manifest.json").is_file() for folder in folders)


def old_file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))
    return path


def test_contents_are_hashed_anew_when_a_file_changes(tmp_path: Path) -> None:
    path = old_file(tmp_path / "a.jpg", b"first")
    first = sha256_of(path, lambda: None)
    # Same size, same time: only the time of the change itself tells.
    assert sha256_of(old_file(path, b"other"), lambda: None) != first


def test_a_file_that_stays_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old_file(tmp_path / "a.jpg", b"first")
    later = time.time_ns() + 10**10
    monkeypatch.setattr("recon3d.photos.digests.time.time_ns", lambda: later)
    first = sha256_of(path, lambda: None)
    monkeypatch.setattr(Path, "open", None)
    assert sha256_of(path, lambda: None) == first
