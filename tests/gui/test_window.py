"""What a person does with the window, from the first drop to the saved model."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import trimesh
from driving import Program

pytestmark = pytest.mark.gui

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos"
NAMES = ("a ruin.jpg", "Säule.jpg", "写真 3.jpg", "ruin_03.jpg", "été 5.jpg", "폐허.jpg")
CANVAS = "model.canvas"


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "my photos ü"
    folder.mkdir()
    sources = sorted(EXAMPLE.glob("*.jpg"))[: len(NAMES)]
    for source, name in zip(sources, NAMES, strict=True):
        shutil.copy(source, folder / name)
    shutil.copy(EXAMPLE / "K.json", folder / "K.json")
    return [folder / name for name in NAMES]


def choose_draft(program: Program) -> None:
    program.click("left.settings")
    preset = program.wait_for("settings.preset")
    for _ in range(5):  # a click while the list is still unfolding closes it again
        program.click("settings.preset")
        time.sleep(0.6)
        # Draft is the first line, right below.
        program.click_at(preset["min"][0] + 24, preset["min"][1] + 1.6 * preset["size"][1])
        time.sleep(0.6)
        if program.studio()["preset"] == "draft":
            return
    raise AssertionError("Draft could not be chosen")


def test_photos_become_a_model_that_is_measured_changed_and_saved(
    open_program: Callable[..., Program], photos: list[Path], tmp_path: Path
) -> None:
    program = open_program()
    program.drop([*photos, photos[0].with_name("K.json")])
    program.wait(lambda known: len(known["photos"]) == len(NAMES))
    choose_draft(program)

    program.click("run.start")
    program.wait(lambda known: "pose" in known["reached"], 120)
    program.wait(lambda known: known["loaded"], 30)  # cameras and points, before there is a mesh
    known = program.wait(lambda known: known["state"] == "done", 400)
    assert "texture" in known["reached"]
    assert known["runs"] == 1

    x, y = program.middle(CANVAS)
    eye = known["eye"]
    program.drag((x, y), (x + 120, y + 30))
    program.wait(lambda known: known["eye"] != eye)

    program.click("model.tool.measure")
    for index in range(40):  # some of these places are beside the model
        if program.studio()["picks"] == 2:
            break
        program.click_at(x - 150 + 50 * (index % 8), y - 60 + 30 * (index // 8))
        time.sleep(0.5)
    assert program.studio()["picks"] == 2
    program.click("model.tool.measure")

    program.click("left.settings")
    before = known["reached"]
    program.click("settings.search")
    program.type("triangles")
    program.click("settings.mesh.faces")
    program.key("Control_L", "a")
    program.type("20000")
    program.key("Return")
    program.wait(lambda known: known["changes"].get("mesh", {}).get("faces") == 20000)
    program.click("run.start")
    program.wait(lambda known: known["state"] in ("starting", "running"))
    known = program.wait(lambda known: known["state"] == "done", 200)
    same = {stage for stage in before if known["reached"].get(stage) == before[stage]}
    assert {"ingest", "pose", "depth", "refine", "fuse"} <= same
    assert not same & {"mesh", "texture"}

    target = tmp_path / "model.glb"
    program.click("left.export")
    program.click("export.save")
    program.wait_for("paths.text")
    program.key("Control_L", "a")
    program.type(str(target))
    program.click("paths.ok")
    program.wait(lambda known: known["saving"] == "done", 60)
    mesh = trimesh.load(target, force="mesh")
    assert 1_000 < len(mesh.faces) <= 20_000
    assert np.isfinite(mesh.vertices).all()

    program.click("export.share")
    program.wait_for("paths.text")
    program.key("Control_L", "a")
    program.type(str(tmp_path / "ruin.html"))
    program.click("paths.ok")
    program.wait(lambda known: known["saving"] == "done" and (tmp_path / "ruin.html").exists(), 120)
    assert "data:image/webp" in (tmp_path / "ruin.html").read_text(encoding="utf-8")

    program.key("Control_L", "s")
    program.wait_for("paths.text")
    program.key("Control_L", "a")
    program.type(str(tmp_path / "ruin.r3d"))
    program.click("paths.ok")
    program.wait(lambda known: known["file"])
    assert program.leave() == 0

    again = open_program(tmp_path / "ruin.r3d")
    known = again.wait(lambda known: known["loaded"], 60)
    assert len(known["photos"]) == len(NAMES)
    assert known["runs"] == 2
    assert known["changes"]["mesh"]["faces"] == 20000
    assert again.leave() == 0


def test_a_run_is_cancelled_within_seconds_and_goes_on_from_there(
    open_program: Callable[..., Program], photos: list[Path]
) -> None:
    program = open_program()
    program.drop(photos)
    program.wait(lambda known: len(known["photos"]) == len(NAMES))
    choose_draft(program)
    program.click("run.start")
    program.wait(lambda known: "ingest" in known["reached"], 120)
    program.click("run.cancel")
    program.wait(lambda known: known["state"] == "cancelled", 6)
    assert program.wait_for("run.start")["label"] == "Go on"


def test_closing_during_a_run_asks_and_keeps_what_is_finished(
    open_program: Callable[..., Program], photos: list[Path]
) -> None:
    program = open_program()
    program.drop(photos)
    program.wait(lambda known: len(known["photos"]) == len(NAMES))
    choose_draft(program)
    program.click("run.start")
    known = program.wait(lambda known: "ingest" in known["reached"], 120)
    program.ask_close()
    program.click("leave.stay")
    while program.widget("leave"):
        time.sleep(0.1)
    assert program.wait(lambda known: known["state"] == "running")
    program.ask_close()
    children = program.processes[1:]
    program.click("leave.close")
    assert program.process.wait(20) == 0
    _, alive = psutil.wait_procs(children, 5)
    assert not alive
    assert (Path(known["reached"]["ingest"]) / "manifest.json").is_file()


def test_what_is_no_photo_is_told_and_excluding_can_be_undone(
    open_program: Callable[..., Program], photos: list[Path], tmp_path: Path
) -> None:
    strange = tmp_path / "notes.docx"
    strange.write_bytes(b"PK\x03\x04")
    program = open_program()
    program.drop([strange])
    program.wait(lambda known: any("notes.docx" in toast for toast in known["toasts"]))
    program.drop(photos)
    program.wait(lambda known: len(known["photos"]) == len(NAMES))
    program.click("photos.row.1")
    known = program.wait(lambda known: known["selected"])
    program.key("Delete")
    program.wait(lambda known_now: known_now["excluded"] == [known["selected"]])
    program.key("Control_L", "z")
    program.wait(lambda known: known["excluded"] == [])
    program.key("Control_L", "y")
    program.wait(lambda known: len(known["excluded"]) == 1)
