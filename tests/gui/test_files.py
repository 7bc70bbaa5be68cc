"""What the desktop program keeps between two starts: unsaved projects, preferences, workspaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from recon3d_gui.project.autosave import QUIET_SECONDS, Autosave, abandoned_projects
from recon3d_gui.project.file import read_project, save_project
from recon3d_gui.project.machine import find_gpu
from recon3d_gui.project.opening import new_project, open_project
from recon3d_gui.project.preferences import (
    RECENT,
    Preferences,
    read_preferences,
    write_preferences,
)
from recon3d_gui.project.project import Project
from recon3d_gui.project.recent import look_up, look_up_earlier

from recon3d.config import Config, preset
from recon3d.core.camera import Intrinsics, PinholeCamera
from recon3d.core.errors import InputError, OutputError
from recon3d.core.scene import CameraEstimate, PosedScene, SparsePoints, View
from recon3d.core.transform import Rigid
from recon3d.photos.image_set_files import Item, picture_path, write_image_set
from recon3d.photos.ingest import INGEST
from recon3d.run.stage import StageResult
from recon3d.run.task import CancelToken, Task, silent
from recon3d.run.workspace import open_workspace
from recon3d.sfm.posed_files import write_pictures, write_scene
from recon3d.sfm.register import REGISTER


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def wait(autosave: Autosave, project: Project) -> OutputError | None:
    """Let the write that was started end."""
    for _ in range(1000):
        failure = autosave.tick(project)
        if failure or not autosave.dirty:
            return failure
        autosave._pool.submit(int).result()
    raise AssertionError("never written")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "unsaved"


def test_nothing_is_written_while_changes_go_on(tmp_path: Path, place: Path) -> None:
    clock, file = Clock(), tmp_path / "a.r3d"
    first = Project(workspace=tmp_path / "a.recon3d")
    save_project(first, file)
    autosave = Autosave(first, file, folder=place, clock=clock)
    for faces in range(20):
        clock.now += QUIET_SECONDS / 2
        now = Project(workspace=first.workspace, changes={"mesh": {"faces": faces}})
        autosave.tick(now)
    autosave._pool.submit(int).result()
    assert read_project(file).project == first
    assert autosave.dirty
    clock.now += QUIET_SECONDS
    wait(autosave, now)
    assert read_project(file).project == now
    autosave.close()
    assert not place.exists()


def test_a_project_that_was_never_saved_survives_a_crash(place: Path, tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib\n"
        "from recon3d_gui.project.autosave import Autosave\n"
        "from recon3d_gui.project.project import Project\n"
        "place = pathlib.Path(sys.argv[1])\n"
        "autosave = Autosave(Project(workspace=place), folder=place)\n"
        "autosave.tick(Project(workspace=place, preset='fine'))\n"
        "autosave._start(); autosave._finish()\n"
        "print('written', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"written"
        assert abandoned_projects(place) == []  # its program still works on it
        process.kill()
    (file,) = abandoned_projects(place)
    assert read_project(file).project.preset == "fine"


def test_saving_an_unsaved_project_leaves_none_behind(place: Path, tmp_path: Path) -> None:
    clock = Clock()
    autosave = Autosave(new_project(), folder=place, clock=clock)
    changed = new_project([tmp_path])
    autosave.tick(changed)
    clock.now += QUIET_SECONDS
    wait(autosave, changed)
    assert len(list(place.iterdir())) == 1
    autosave.save_as(tmp_path / "mine.r3d", changed)
    assert list(place.iterdir()) == []
    assert read_project(tmp_path / "mine.r3d").project == changed
    assert not autosave.dirty


def test_closing_writes_what_is_not_yet_written_or_throws_it_away(
    place: Path, tmp_path: Path
) -> None:
    changed = Project(workspace=tmp_path, preset="fine")
    autosave = Autosave(Project(workspace=tmp_path), folder=place)
    autosave.tick(changed)
    assert autosave.close() is None
    (file,) = place.iterdir()
    assert read_project(file).project == changed
    autosave = Autosave(Project(workspace=tmp_path), folder=place)
    autosave.tick(changed)
    autosave.close(keep=False)
    assert list(place.iterdir()) == [file]  # another project, which nobody has thrown away
    assert abandoned_projects(place) == [file]
    autosave = Autosave(changed, folder=place)
    autosave.take_over(file)
    assert abandoned_projects(place) == []
    autosave.save_as(tmp_path / "mine.r3d", changed)
    assert list(place.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told_once_and_tried_again(tmp_path: Path) -> None:
    clock, blocked = Clock(), tmp_path / "file"
    blocked.write_text("in the way")
    autosave = Autosave(Project(workspace=tmp_path), blocked / "a.r3d", folder=tmp_path)
    autosave._clock = clock
    changed = Project(workspace=tmp_path, preset="fine")
    autosave.tick(changed)
    clock.now += QUIET_SECONDS
    assert isinstance(wait(autosave, changed), OutputError)
    clock.now += 100
    assert autosave.tick(changed) is None
    assert autosave.dirty
    blocked.unlink()
    again = Project(workspace=tmp_path, preset="draft")
    autosave.tick(again)
    clock.now += QUIET_SECONDS
    assert wait(autosave, again) is None
    assert read_project(blocked / "a.r3d").project == again


def test_preferences_come_back(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "window.toml"
    written = Preferences(
        theme="light",
        window_px=(1920, 1080),
        maximised=True,
        scale=1.5,
        last_folders={"photos": tmp_path / "Übung"},
        recent=(tmp_path / "a.r3d",),
    )
    write_preferences(written, file)
    assert read_preferences(file) == written


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\xff\x00",
        "theme = 3\nrecent = 4\nlast_folders = 5",
        "window_px = [1, 'x']",
        "window_px = [999999, 800]",
        "scale = 'big'\nmaximised = 'yes'",
        "scale = nan",
        "recent = [1, '', 'relative', 'a\\u0000']",
        "[" * 50_000,
    ],
)
def test_damaged_preferences_are_the_usual_ones(tmp_path: Path, content: str) -> None:
    file = tmp_path / "window.toml"
    file.write_bytes(content.encode("latin-1"))
    assert read_preferences(file) == Preferences()
    assert read_preferences(tmp_path / "missing.toml") == Preferences()


def test_a_damaged_preference_costs_that_one_only(tmp_path: Path) -> None:
    file = tmp_path / "window.toml"
    file.write_text("theme = 'light'\nwindow_px = 3\nscale = 900.0\n")
    assert read_preferences(file) == Preferences(theme="light", scale=4.0)


def test_recent_projects_are_latest_first_each_once_and_tell_what_is_gone(tmp_path: Path) -> None:
    preferences = Preferences()
    for number in range(RECENT + 3):
        preferences = preferences.with_recent(tmp_path / f"{number}.r3d")
    preferences = preferences.with_recent(tmp_path / "5.r3d")
    assert len(preferences.recent) == RECENT
    assert [path.stem for path in preferences.recent][:3] == ["5", "14", "13"]
    (tmp_path / "14.r3d").touch()
    found = look_up(preferences.recent)
    assert [recent.missing for recent in found][:3] == [True, False, True]
    assert found[0].name == "5"


def test_a_project_that_was_left_unsaved_is_not_listed_as_recent_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    paths = [tmp_path / name for name in ("a.recon3d", "a.glb", "b.recon3d", "a.r3d", "gone.r3d")]
    for path in paths[:4]:
        path.touch()
    workspace = paths[0]
    autosave = Autosave(Project(workspace=workspace))
    autosave.tick(Project(workspace=workspace, preset="fine"))
    autosave.close()
    unsaved, recent = look_up_earlier(paths)
    assert [each.workspace for each in unsaved] == [workspace]
    assert [each.path.name for each in recent] == ["b.recon3d", "a.r3d"]


def test_a_new_project_works_beside_its_photos(tmp_path: Path) -> None:
    photos = tmp_path / "Fotos 写真"
    photos.mkdir()
    project = new_project([photos / ".." / "Fotos 写真", tmp_path / "b.jpg"])
    assert project.sources == (photos, tmp_path / "b.jpg")
    assert project.workspace == tmp_path / "Fotos 写真.recon3d"
    assert new_project([tmp_path / "film.mp4"]).workspace == tmp_path / "film.recon3d"


def test_photos_on_a_card_that_cannot_be_written_work_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    assert new_project([tmp_path]).workspace.parent.name == "recon3d"
    assert not new_project([tmp_path]).workspace.is_relative_to(tmp_path.parent)


def make_run(
    root: Path,
    photos: Path,
    names: list[str],
    *,
    settings: dict[str, object],
    files: dict[str, Path] | None = None,
) -> None:
    """A workspace whose run has ended after placing, as the pipeline leaves it."""
    camera = Intrinsics(PinholeCamera.centred(40, 30, 50.0))
    items = [
        Item(number=number, id=name, path=str(photos / name), sha256="", width_px=40, height_px=30)
        for number, name in enumerate(names)
    ]

    def write_ingest(folder: Path, task: Task) -> None:
        for item in items:
            picture_path(folder, item.number).parent.mkdir(exist_ok=True)
            Image.new("RGB", (40, 30)).save(picture_path(folder, item.number))
        write_image_set(folder, items, sequential=False)

    def write_pose(folder: Path, task: Task) -> None:
        image_set = made["image_set"].value
        views = tuple(View(n, camera.pinhole, Rigid(np.eye(3), np.zeros(3))) for n in names)
        write_pictures(folder, image_set, views, dict.fromkeys(names, camera), task)
        cameras = {"all": CameraEstimate(camera, "given")}
        write_scene(folder, PosedScene(views, SparsePoints.empty(), "scene", cameras), ())

    made: dict[str, StageResult[Any]] = {}
    with open_workspace(root, silent, CancelToken()) as work:
        for stage, write in ((INGEST, write_ingest), (REGISTER, write_pose)):
            writing = replace(stage, run=lambda config, folder, task, w=write: w(folder, task))
            made[stage.result] = work.run(writing, Config())
        work.remember_run(made, files)
    (root / "report.json").write_text(json.dumps({"settings": settings}))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).touch()
    return folder


def test_a_workspace_opens_with_its_photos_settings_and_run(photos: Path) -> None:
    root = photos.parent / "house.recon3d"
    settings = {"mesh": {"faces": 100_000}, "pose": {"feature_px": 1000, "features": 4000}}
    make_run(root, photos, ["a.jpg", "b.jpg"], settings=settings)
    opened = open_project(root)
    assert opened.project.sources == (photos,)
    assert opened.project.config.pose.feature_px == 1000
    (run,) = opened.project.runs
    assert set(run.reached) == {"ingest", "pose"}
    assert any("camera file" in note for note in opened.notes)


def test_a_workspace_knows_the_files_that_its_run_was_given(photos: Path) -> None:
    root, camera = photos.parent / "house.recon3d", photos / "K.json"
    camera.touch()
    files = {"intrinsics": camera, "masks": photos / "gone"}
    make_run(root, photos, ["a.jpg", "b.jpg"], settings={}, files=files)
    opened = open_project(root)
    assert (opened.project.intrinsics, opened.project.masks) == (camera, None)
    assert opened.notes == (f"{photos / 'gone'} is no longer there: add it again.",)
    (root / "files.json").write_text('{"intrinsics": 3}')
    assert open_project(root).project.intrinsics is None


def test_the_preset_that_a_workspace_was_made_with_is_found(photos: Path) -> None:
    draft = preset("draft")
    config = replace(draft, frame=replace(draft.frame, up="+z"))
    root = photos.parent / "house.recon3d"
    make_run(root, photos, ["a.jpg", "b.jpg"], settings=asdict(config))
    project = open_project(root).project
    assert (project.preset, project.changes) == ("draft", {"frame": {"up": "+z"}})
    assert project.config == config


def test_photos_beside_others_open_one_by_one_and_missing_ones_are_told(photos: Path) -> None:
    root = photos.parent / "house.recon3d"
    make_run(root, photos, ["a.jpg", "gone.jpg"], settings={})
    opened = open_project(root)
    assert opened.project.sources == (photos / "a.jpg", photos / "gone.jpg")
    assert any("gone.jpg" in note for note in opened.notes)


def test_a_damaged_report_still_opens(photos: Path) -> None:
    root = photos.parent / "house.recon3d"
    make_run(root, photos, ["a.jpg", "b.jpg"], settings={"mesh": {"faces": "many"}})
    opened = open_project(root)
    assert opened.project.changes == {}
    assert any("report" in note for note in opened.notes)


def test_a_mesh_or_workspace_opens_the_project_file_beside_it(photos: Path) -> None:
    root = photos.parent / "house.recon3d"
    make_run(root, photos, ["a.jpg", "b.jpg"], settings={})
    saved = Project(workspace=root, preset="fine", sources=(photos,))
    save_project(saved, root.with_suffix(".r3d"))
    for path in (root, root.with_suffix(".ply"), root.with_suffix(".r3d")):
        assert open_project(path).project == saved
    # A project of another workspace that only shares the name is not taken for it.
    save_project(Project(workspace=photos), root.with_suffix(".r3d"))
    assert open_project(root).project.workspace == root


def test_what_belongs_to_no_project_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no workspace beside it"):
        open_project(tmp_path / "foreign.ply")
    (tmp_path / "empty.recon3d").mkdir()
    with pytest.raises(InputError, match="not a workspace"):
        open_project(tmp_path / "empty.recon3d")
    with pytest.raises(InputError, match="does not exist"):
        open_project(tmp_path / "missing.r3d")


def test_a_workspace_whose_folders_are_gone_is_told(photos: Path) -> None:
    root = photos.parent / "house.recon3d"
    make_run(root, photos, ["a.jpg", "b.jpg"], settings={})
    shutil.rmtree(root / "pose")
    with pytest.raises(InputError, match="missing"):
        open_project(root)


def answer_of(name: str, code: int) -> Any:
    return lambda *args, **options: subprocess.CompletedProcess(args, code, f"{name}\n", "")


def test_a_gpu_is_found_only_if_pytorch_can_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    monkeypatch.setattr(subprocess, "run", answer_of("never asked", 0))
    assert find_gpu() == ""
    monkeypatch.setattr(shutil, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(subprocess, "run", answer_of("NVIDIA H200", 0))
    assert find_gpu() == "NVIDIA H200"
    monkeypatch.setattr(subprocess, "run", answer_of("half a traceback", 1))
    assert find_gpu() == ""
