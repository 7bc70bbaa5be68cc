"""Projects that nobody has saved are found again, and keys close what stands over the window."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from driving import Program

pytestmark = pytest.mark.gui

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos"


def wait_gone(program: Program, tag: str) -> None:
    end = time.monotonic() + 10
    while program.widget(tag):
        assert time.monotonic() < end, f"{tag} is still there"
        time.sleep(0.1)


def test_a_project_that_was_never_saved_waits_on_the_start_page(
    open_program: Callable[..., Program], tmp_path: Path
) -> None:
    program = open_program()
    program.drop([EXAMPLE / "ruin_00.jpg", EXAMPLE / "ruin_01.jpg"])
    program.wait(lambda known: len(known["photos"]) == 2)
    assert program.leave() == 0
    again = open_program()
    again.click("model.unsaved.0")
    known = again.wait(lambda known: len(known["photos"]) == 2)
    assert known["file"] is None
    again.key("Control_L", "n")
    again.wait(lambda known: not known["photos"])
    again.wait_for("model.unsaved.0")  # it was left once more, and is still not lost
    again.click("model.unsaved.0.forget")
    wait_gone(again, "model.unsaved.0")
    assert again.leave() == 0


def test_esc_closes_what_is_in_front_and_leads_back_to_the_model(
    open_program: Callable[..., Program],
) -> None:
    program = open_program()
    program.key("F1")
    program.wait_for("help")
    program.key("Control_L", "o")  # means nothing while something is in front
    program.key("Escape")
    wait_gone(program, "help")
    assert program.widget("paths") is None
    program.click("model.begin_open")
    program.wait_for("paths.text")
    program.type("/nowhere")
    program.key("Return")
    end = time.monotonic() + 10
    while program.wait_for("paths.problem")["value"] != "There is nothing at this path.":
        assert time.monotonic() < end
    program.key("Escape")
    wait_gone(program, "paths")
    program.click("top.calibrate")
    program.wait(lambda known: known["page"] == "calibration")
    program.key("Escape")
    program.wait(lambda known: known["page"] == "model")
