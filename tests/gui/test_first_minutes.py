"""What a new user meets in the first minutes, in the real window."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from driving import Program
from Xlib import X
from Xlib.ext import xtest

pytestmark = pytest.mark.gui

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos"
Open = Callable[..., Program]


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "ruin"
    folder.mkdir()
    return [Path(shutil.copy(path, folder)) for path in sorted(EXAMPLE.glob("*.jpg"))[:6]]


def bottom(program: Program, tag: str) -> float:
    widget = program.wait_for(tag)
    return float(widget["min"][1] + widget["size"][1])


def says(program: Program, tag: str, text: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while text not in str((program.widget(tag) or {}).get("value")):
        assert time.monotonic() < end, program.widget(tag)
        time.sleep(0.1)


def test_an_empty_folder_and_broken_photos_are_not_ready(
    open_program: Open, tmp_path: Path
) -> None:
    folder = tmp_path / "church" / "images"
    folder.mkdir(parents=True)
    program = open_program()
    program.drop([folder])
    says(program, "model.empty_title", "No photos found")
    assert program.widget("run.start")["enabled"] is False  # type: ignore[index]
    assert "church" in program.widget("top.title")["label"]  # type: ignore[index]
    program.key("Control_L", "n")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    program.drop([folder])
    says(program, "run.headline", "Nothing to build from")
    assert program.widget("run.start")["enabled"] is False  # type: ignore[index]


def test_a_question_takes_the_drop_and_a_page_of_keys_does_not(
    open_program: Open, photos: list[Path]
) -> None:
    program = open_program()
    program.key("F1")
    program.wait_for("help")
    program.drop(photos[:1])
    program.wait(lambda known: any("open question" in toast for toast in known["toasts"]))
    assert program.studio()["photos"] == []
    program.key("Escape")
    program.click("model.begin")
    program.wait_for("paths.text")
    program.drop(photos[:2])
    program.wait(lambda known: len(known["photos"]) == 2)
    assert program.widget("paths") is None


def test_text_grows_and_shrinks_and_everything_goes_on(
    open_program: Open, photos: list[Path]
) -> None:
    program = open_program()
    program.drop(photos)
    program.wait(lambda known: len(known["photos"]) == 6)
    before = program.wait_for("run.start")["size"]
    program.key("Control_L", "equal")
    end = time.monotonic() + 20
    while (size := program.wait_for("run.start")["size"])[0] < 1.09 * before[0]:
        assert time.monotonic() < end, size
    program.click("photos.row.2")
    program.wait(lambda known: known["selected"] == "ruin_02.jpg")
    program.key("Control_L", "equal")  # 1280 pixels have no room for more
    program.wait(lambda known: any("no room" in toast for toast in known["toasts"]))
    program.key("Control_L", "0")
    end = time.monotonic() + 20
    while program.wait_for("run.start")["size"] != before:
        assert time.monotonic() < end
    assert not program.studio()["failures"]
    assert program.leave() == 0


def test_a_drag_between_two_frames_turns_the_model(open_program: Open) -> None:
    program = open_program()
    left, top = program.wait_for("model.canvas")["min"]
    eye = program.studio()["eye"]
    program.move(left + 60, top + 60)
    link = program.screen.link
    xtest.fake_input(link, X.ButtonPress, 1)
    xtest.fake_input(link, X.MotionNotify, x=round(left + 200), y=round(top + 90))
    xtest.fake_input(link, X.ButtonRelease, 1)
    link.sync()
    program.wait(lambda known: known["eye"] != eye)


def test_a_run_that_is_stopped_killed_and_resumed_tells_the_truth(
    open_program: Open, photos: list[Path]
) -> None:
    program = open_program()
    program.drop(photos)
    program.wait(lambda known: len(known["photos"]) == 6)
    program.click("run.start")
    program.wait(lambda known: "ingest" in known["reached"], 120)
    program.click("run.cancel")
    program.wait(lambda known: known["state"] == "cancelled", 10)
    for is_known in (False, True):
        if is_known:
            program.wait(lambda known: known["outlook"], 60)
        says(program, "model.empty_title", "Stopped")
        says(program, "model.empty_text", "Photos are kept.")
        says(program, "run.line", "Photos are kept.")
    assert program.wait_for("run.start")["label"] == "Go on"
    program.click("run.start")
    says(program, "model.empty_title", "Working on your photos")
    program.wait(lambda known: known["state"] == "running", 60)
    (job,) = (each for each in program.processes[1:] if each.nice() >= 10 and not each.children())
    job.kill()
    program.wait(lambda known: known["state"] == "failed", 20)
    says(program, "model.empty_title", "Ended early")
    # The failure's buttons are whole, above the strip.
    assert bottom(program, "run.failure.close") <= program.wait_for("run.start")["min"][1] - 12


def test_the_second_window_says_where_the_first_is(open_program: Open, photos: list[Path]) -> None:
    first = open_program(photos[0].parent)
    first.wait(lambda known: len(known["photos"]) == 6)
    second = open_program(photos[0].parent)
    says(second, "run.headline", "Open in another window")
    says(second, "run.line", f"{first.process.pid}")
    assert second.widget("run.start")["enabled"] is False  # type: ignore[index]
    assert first.leave() == 0
    assert not psutil.pid_exists(first.process.pid)
    second.wait(lambda known: known["outlook"], 60)
    second.wait_for("run.start")
