"""Markers set with the real program's mouse: their error is shown, and they are there again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from driving import Program
from recon3d_gui.photos.zoom import Zoom
from recon3d_gui.project.file import read_project, save_project
from recon3d_gui.project.project import Project, RunRecord

from recon3d.api import reconstruct
from recon3d.config import preset
from recon3d.core.camera import project as project_points
from recon3d.core.scene import ImageSet, PosedScene
from recon3d.georef.back_projection import photo_pixel
from recon3d.results import Inputs, Until

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos"
NUMBERS = (0, 1, 2, 3)

pytestmark = pytest.mark.gui


def placed_project(folder: Path) -> tuple[Path, PosedScene, ImageSet]:
    """A project whose only run has placed four photos of the example."""
    photos = folder / "ruin"
    photos.mkdir()
    for number in NUMBERS:
        shutil.copy(EXAMPLE / f"ruin_{number:02d}.jpg", photos)
    workspace = folder / "ruin.recon3d"
    made = reconstruct(Inputs(photos=photos), workspace, preset("draft"), until=Until.POSE)
    assert made.posed
    assert made.image_set
    run = RunRecord(
        name="Run 1", finished_at=datetime.now().astimezone(), preset="draft", changes={},
        reached={each.stage: each.folder.name for each in made.stages},
    )  # fmt: skip
    file = folder / "ruin.r3d"
    save_project(Project(sources=(photos,), workspace=workspace, preset="draft", runs=(run,)), file)
    return file, made.posed.value.scene, made.image_set.value


def seen_twice(scene: PosedScene, image_set: ImageSet) -> list[dict[str, tuple[float, float]]]:
    """Two places far from each other, and where the first two photos show them."""
    views = sorted(scene.views, key=lambda view: view.photo_id)[:2]
    inside = []
    for xyz in scene.points.xyz_world[::5].astype(np.float64):
        shown = {}
        for view in views:
            uv_px, depth_z = project_points((view.cam_from_world @ xyz)[None], view.camera)
            share = uv_px[0] / (view.camera.width_px, view.camera.height_px)
            if depth_z[0] > 0 and (share > 0.15).all() and (share < 0.85).all():
                pixel = photo_pixel(scene, image_set, view, uv_px[0])
                shown[view.photo_id] = (pixel.column + 0.5, pixel.row + 0.5)
        if len(shown) == 2:
            inside.append((xyz, shown))
    first = inside[0]
    last = max(inside, key=lambda each: float(np.linalg.norm(each[0] - first[0])))
    return [first[1], last[1]]


def open_photo(program: Program, row: int) -> None:
    x, y = program.middle(f"photos.row.{row}")
    while program.studio()["page"] != "photo":  # a busy machine takes two clicks for two
        program.click_at(x, y)
        program.click_at(x, y)
        time.sleep(1)


def click_photo(
    program: Program, at: tuple[float, float], size: tuple[float, float], off: float = 0.0
) -> None:
    """Click a place of the photo, which is fitted into the canvas."""
    widget = program.wait_for("photo.canvas")
    (left, top), room = widget["min"], widget["size"]
    picture = Zoom().picture((room[0], room[1]), size)
    x = left + picture[0] + at[0] / size[0] * (picture[2] - picture[0])
    y = top + picture[1] + at[1] / size[1] * (picture[3] - picture[1])
    program.click_at(x + off, y)


def choose(program: Program, tag: str, item: int, word: str) -> None:
    """Choose from a list that opens below its field; a busy machine may take several tries."""
    for _ in range(5):
        x, y = program.middle(tag)
        program.click_at(x, y)
        time.sleep(1.5)
        program.click_at(x, y + 26 + 18.5 * item)
        time.sleep(1.5)
        if value(program, tag) == word:
            return
    raise AssertionError(f"{tag}: {value(program, tag)}")


def value(program: Program, tag: str) -> str:
    return str((program.widget(tag) or {}).get("value") or "")


def wait_until(what: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_marks_in_two_photos_show_their_error_and_are_there_when_opened_again(
    open_program: Callable[..., Program], tmp_path: Path
) -> None:
    file, scene, image_set = placed_project(tmp_path)
    places = seen_twice(scene, image_set)
    photo = image_set.photos[0]
    size = (float(photo.width_px), float(photo.height_px))
    names = ["ruin_00.jpg", "ruin_01.jpg"]
    program = open_program(file)
    program.wait(lambda known: len(known["photos"]) == len(NUMBERS) and known["runs"] == 1)
    open_photo(program, 0)
    program.click("photo.mark")
    program.wait_for("photo.markers.new")
    time.sleep(1)
    click_photo(program, places[0][names[0]], size)
    program.wait(lambda known: names[0] in known["markers"].get("Point 1", {}))
    wait_until(lambda: "one placed photo only" in value(program, "photo.verdict"))
    program.click("photo.next")
    program.wait(lambda known: known["selected"] == names[1])
    time.sleep(1)
    # Ten pixels of the screen off, the error is told.
    click_photo(program, places[0][names[1]], size, off=10)
    program.wait(lambda known: names[1] in known["markers"]["Point 1"])
    wait_until(lambda: value(program, "photo.markers.px.0") not in ("", "!"))
    program.click("photo.markers.new")
    click_photo(program, places[1][names[1]], size)
    program.wait(lambda known: "Point 2" in known["markers"])
    program.click("photo.previous")
    program.wait(lambda known: known["selected"] == names[0])
    time.sleep(1)
    click_photo(program, places[1][names[0]], size)
    known = program.wait(lambda known: len(known["markers"]["Point 2"]) == 2)
    for name, at in places[1].items():
        # A click is as exact as the photo is large on the screen.
        assert np.allclose(known["markers"]["Point 2"][name], np.array(at) - 0.5, atol=2)
    wait_until(lambda: value(program, "photo.markers.px.1") not in ("", "!"))
    assert float(value(program, "photo.markers.px.1")) < 2
    program.key("Control_L", "z")
    program.wait(lambda known: len(known["markers"]["Point 2"]) == 1)
    program.key("Control_L", "y")
    before = program.wait(lambda known: len(known["markers"]["Point 2"]) == 2)["markers"]
    choose(program, "photo.markers.from", 0, "Point 1")
    choose(program, "photo.markers.to", 1, "Point 2")
    program.click("photo.markers.length")
    program.type("2.5")
    program.key("Return")
    program.wait(lambda known: known["lengths"] == ["Point 1 to Point 2 = 2.5 m"])
    program.wait(lambda known: "bars" in known["reached"] and known["state"] != "running", 60)
    wait_until(lambda: value(program, "photo.markers.bar.0").endswith("+0.0 mm"))
    assert program.leave() == 0
    kept = read_project(file).project.markers
    assert {one.name for one in kept.points} == {"Point 1", "Point 2"}
    # What acted at once lies where a run with these markers looks for it.
    (run,) = read_project(file).project.runs
    inputs = Inputs(photos=tmp_path / "ruin", markers=kept)
    workspace = tmp_path / "ruin.recon3d"
    made = reconstruct(inputs, workspace, preset("draft"), until=Until.POSE)
    assert {each.stage: each.folder.name for each in made.stages} == run.reached
    assert made.frame
    assert made.frame.cached
    assert made.frame.value.unit == "metre"
    again = open_program(file)
    assert again.wait(lambda known: len(known["markers"]) == 2)["markers"] == before
    open_photo(again, 0)
    again.click("photo.mark")
    wait_until(lambda: value(again, "photo.markers.px.1") not in ("", "!"))
