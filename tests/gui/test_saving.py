"""Saving from the window: formats, what files will weigh, Blender, favours of the desktop."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from recon3d_gui.failure import Failure
from recon3d_gui.job import blender, desktop
from recon3d_gui.job.formats import Format, available_formats
from recon3d_gui.job.messages import Summary
from recon3d_gui.job.saving import Saving
from recon3d_gui.job.sizes import Content, content_of, expected_bytes, size_words
from recon3d_gui.job.state import Job
from recon3d_gui.project.project import Project
from shared_pages import box_scene, share_box

from recon3d.core.errors import InputError, OutputError
from recon3d.core.surface import Mesh, TexturedMesh
from recon3d.export.export import Outputs
from recon3d.export.meshes import MESH_WRITERS, write_mesh
from recon3d.export.textures import ExportConfig, TextureFormat

WITHIN = 0.3
"""Of the size that was foretold."""


def bumpy_sheet(side: int) -> Mesh:
    """A sheet of about as many triangles and vertices as a cleaned model, twice as many."""
    across, down = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    up = np.random.default_rng(0).random((side, side))
    vertices = np.stack([across, down, up], -1).reshape(-1, 3).astype(np.float32) / 7
    corner = (across * side + down)[:-1, :-1].reshape(-1, 1)
    faces = np.concatenate(
        [corner + np.array([0, side, 1]), corner + np.array([1, side, side + 1])]
    ).astype(np.int32)
    rgb = np.random.default_rng(1).integers(0, 255, (side * side, 3), np.uint8)
    return Mesh(vertices, faces, rgb=rgb)


def content_of_mesh(mesh: Mesh) -> Content:
    return Content(vertices=len(mesh.vertices), faces=len(mesh.faces))


def written_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("form", [form for form in available_formats() if form.takes_levels])
def test_the_size_that_is_foretold_is_about_the_size_that_is_written(
    form: Format, tmp_path: Path
) -> None:
    mesh = bumpy_sheet(120)
    (target,) = form.outputs(tmp_path / "größe").meshes
    write_mesh(target, mesh)
    foretold = expected_bytes(form, content_of_mesh(mesh), ExportConfig())
    assert foretold == pytest.approx(written_bytes(tmp_path), rel=WITHIN)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
@pytest.mark.parametrize("quality", [75, 92, 97])
def test_the_texture_is_part_of_the_size(kind: TextureFormat, quality: int, tmp_path: Path) -> None:
    from PIL import Image

    page = photo_like(512)
    Image.fromarray(page).save(tmp_path / "page.png")
    mesh = bumpy_sheet(12)
    uv = np.random.default_rng(2).random((len(mesh.faces), 3, 2)).astype(np.float32)
    textured = TexturedMesh(
        mesh, uv, np.zeros(len(mesh.faces), np.int32), [page], np.ones(len(mesh.faces), bool)
    )
    config = ExportConfig(texture_format=kind, texture_quality=quality)
    write_mesh(tmp_path / "out" / "a.glb", textured, config)
    content = replace(content_of_mesh(mesh), page_bytes=(tmp_path / "page.png").stat().st_size)
    foretold = expected_bytes(Format.GLB, content, config)
    # One made-up page is not every photo; real models are within a tenth.
    assert foretold == pytest.approx(written_bytes(tmp_path / "out"), rel=0.6)


@cache
def photo_like(side: int) -> np.ndarray:
    """Structure at every scale, as in photos, so that compression has its usual work."""
    rng = np.random.default_rng(3)
    total = np.zeros((side, side, 3))
    for cells in (4, 16, 64, 256, side):
        noise = rng.random((cells, cells, 3))
        total += np.kron(noise, np.ones((side // cells, side // cells, 1))) / cells**0.5
    total -= total.min()
    return (255 * total / total.max()).astype(np.uint8)


def test_levels_and_pictures_add_to_the_size() -> None:
    one = Content(vertices=1000, faces=2000, page_bytes=10**7, photos=5, photo_bytes=10**6)
    three = replace(one, level_faces=(500, 125))
    config = ExportConfig()
    assert expected_bytes(Format.PLY, three, config) == pytest.approx(
        1.3125 * expected_bytes(Format.PLY, one, config), rel=0.01
    )
    assert expected_bytes(Format.BLENDER, one, config) > 1.5 * 10**6
    assert expected_bytes(Format.STL, one, config) == 84 + 50 * 2000


def test_a_page_weighs_its_model_its_scripts_and_its_photos(tmp_path: Path) -> None:
    mesh = bumpy_sheet(120)
    # A grid of whole numbers would pack better than any surface that was measured.
    jitter = np.random.default_rng(4).normal(0, 0.02, mesh.vertices.shape).astype(np.float32)
    mesh = replace(mesh, vertices=mesh.vertices + jitter)
    scene = box_scene()
    pictures = dict.fromkeys((view.photo_id for view in scene.views), photo_like(512))
    page = share_box(tmp_path / "page.html", scene, pictures, mesh)
    content = replace(content_of_mesh(mesh), photos=len(scene.views))
    foretold = expected_bytes(Format.PAGE, content, ExportConfig())
    assert foretold == pytest.approx(page.stat().st_size, rel=WITHIN)
    without = expected_bytes(Format.PAGE, content, ExportConfig(page_photos=False))
    bare = share_box(tmp_path / "bare.html", scene, {}, mesh)
    assert without == pytest.approx(bare.stat().st_size, rel=WITHIN)


def test_sizes_are_said_no_finer_than_they_are_known() -> None:
    sizes = [size_words(count) for count in (300, 12_345_678, 1_234_567, 2.5e9)]  # type: ignore[arg-type]
    assert sizes == ["about 1 kB", "about 12 MB", "about 1.2 MB", "about 2.5 GB"]


def test_every_mesh_format_of_the_program_can_be_chosen() -> None:
    assert {form.suffix for form in Format if form.takes_levels} == set(MESH_WRITERS)
    outputs = {form: form.outputs(Path("scene")) for form in Format}
    assert all(made != Outputs() for made in outputs.values())
    assert Format.GLB.outputs(Path("a.b/scene.v2")).meshes == (Path("a.b/scene.v2.glb"),)
    assert Format.GLB.outputs(Path("scene.GLB")).meshes == (Path("scene.GLB"),)
    assert Format.PAGE.outputs(Path("scene")) == Outputs(page=Path("scene.html"))
    assert Format.COLMAP.suggested_name("church") == "church_colmap"


def test_a_run_that_is_gone_cannot_be_looked_at(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone"):
        content_of(tmp_path, {"mesh": tmp_path / "mesh" / "0123456789abcdef"})


class Jobs:
    """A controller that only writes down what it is asked."""

    def __init__(self) -> None:
        self.run: Job[Any] = Job()
        self.saving: Job[Any] = Job()
        self.asked: list[Any] = []

    @property
    def busy(self) -> bool:
        return self.run.busy or self.saving.busy

    def export(self, request: Any) -> None:
        self.asked.append(request)
        self.saving = Job(request, len(self.asked), "running")


def make_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Saving, Any]:
    monkeypatch.setattr("recon3d_gui.job.saving.find_blender", lambda: ["blender"])
    toasts: list[str] = []
    studio = SimpleNamespace(
        jobs=Jobs(),
        project=Project(workspace=tmp_path / "church.recon3d"),
        reached={"frame": tmp_path},
        reached_revision=0,
        toasts=toasts,
        toast=lambda text, **_: toasts.append(text),
    )
    saving = Saving(studio)  # type: ignore[arg-type]
    saving.content = Content(vertices=3, faces=1, photos=4)
    saving._seen = 0
    return saving, studio


def test_a_saved_file_is_shown_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saving, studio = make_saving(tmp_path, monkeypatch)
    saving.save(tmp_path / "church.glb")
    assert not saving.ready  # one at a time
    assert studio.jobs.asked[0].outputs == Outputs(meshes=(tmp_path / "church.glb",))
    studio.jobs.saving.state = "done"
    studio.jobs.saving.summary = Summary(written=(tmp_path / "church.glb",))
    saving.tick()
    assert saving.saved == tmp_path / "church.glb"
    assert studio.toasts == ["Saved church.glb."]


def test_a_failed_export_leaves_nothing_to_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saving, studio = make_saving(tmp_path, monkeypatch)
    saving.save(tmp_path / "church.glb")
    studio.jobs.saving.state, studio.jobs.saving.failure = "failed", Failure("The disk is full.")
    saving.tick()
    assert saving.saved is None
    assert saving.ready  # to be tried again


def test_what_is_saved_while_a_run_goes_on_is_written_when_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saving, studio = make_saving(tmp_path, monkeypatch)
    studio.jobs.run.state = "running"
    saving.save(tmp_path / "church.glb")
    saving.tick()
    assert studio.jobs.asked == []
    assert "as soon as the run is done" in studio.toasts[-1]
    studio.jobs.run.state = "done"
    saving.tick()
    saving.tick()
    assert [request.outputs.meshes for request in studio.jobs.asked] == [(tmp_path / "church.glb",)]


def test_what_waits_to_be_saved_is_forgotten_with_its_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saving, studio = make_saving(tmp_path, monkeypatch)
    studio.jobs.run.state = "running"
    saving.save(tmp_path / "church.glb")
    studio.jobs.run.state = "idle"
    studio.project = Project(workspace=tmp_path / "tower.recon3d")
    saving.tick()
    assert studio.jobs.asked == []


def test_a_folder_for_blender_is_opened_when_it_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Sequence[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: opened.append(command))
    saving, studio = make_saving(tmp_path, monkeypatch)
    folder = tmp_path / "for blender, ü"
    folder.mkdir()
    (folder / "import_into_blender.py").touch()
    end = time.monotonic() + 5
    while saving.blender is None and time.monotonic() < end:
        saving.tick()
    saving.save_and_open(folder)
    studio.jobs.saving.state = "done"
    studio.jobs.saving.summary = Summary(written=(folder,))
    saving.tick()
    assert opened == [["blender", "--python", str(folder / "import_into_blender.py")]]
    (folder / "import_into_blender.py").unlink()
    saving.open_blender()
    assert "gone" in studio.toasts[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="other places there")
def test_the_newest_blender_in_the_usual_places_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(
        blender, "_usual_places", lambda: [(tmp_path / "none", "*"), (tmp_path, "blender*/blender")]
    )
    assert blender.find_blender() is None
    for version in ("4.2.10", "4.10.1", "4.9.0"):
        program = tmp_path / f"blender-{version}-linux-x64" / "blender"
        program.parent.mkdir()
        program.touch()
    assert blender.find_blender() == [str(tmp_path / "blender-4.10.1-linux-x64" / "blender")]


def test_blender_that_does_not_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "import_into_blender.py").touch()
    with pytest.raises(OutputError, match="does not start"):
        blender.open_in_blender([str(tmp_path / "no such program")], tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script")
def test_texts_of_notifications_are_never_read_as_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/said"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    desktop.notify("-u; rm", '"$(touch x)" 写真')
    end = time.monotonic() + 5
    while not (tmp_path / "said").exists() and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.05)
    said = (tmp_path / "said").read_text().splitlines()
    assert said[-3:] == ["--", "-u; rm", '"$(touch x)" 写真']


def test_a_desktop_without_the_program_is_no_error_but_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    desktop.notify("title", "text")
    told = threading.Event()
    desktop.open_file(Path("report.html"), told.set)
    assert told.wait(5)
    assert "report.html" in desktop.nothing_opens(Path("report.html"))
