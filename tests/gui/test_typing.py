"""While somebody types, keys are text; afterwards they are shortcuts again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from driving import Program

pytestmark = pytest.mark.gui

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos"
FIELD = "settings.search"


@pytest.fixture
def program(open_program: Callable[..., Program], tmp_path: Path) -> Program:
    """With three photos, the second selected and excluded, and the cursor in a field."""
    program = open_program()
    photos = [tmp_path / f"{name}.jpg" for name in "abc"]
    for photo in photos:
        shutil.copy(EXAMPLE / "ruin_00.jpg", photo)
    program.drop(photos)
    program.wait(lambda known: len(known["photos"]) == 3)
    program.click("photos.row.1")
    program.wait(lambda known: known["selected"])
    program.key("Delete")
    program.wait(lambda known: known["excluded"])
    program.click("left.settings")
    program.click(FIELD)
    return program


def wait_value(program: Program, value: str) -> None:
    end = time.monotonic() + 5
    while (shown := program.wait_for(FIELD)["value"]) != value:
        assert time.monotonic() < end, f"the field shows {shown!r} instead of {value!r}"


def test_undo_and_delete_in_a_field_leave_the_project_alone(program: Program) -> None:
    before = program.studio()
    program.type("depth")
    program.key("Control_L", "z")
    program.key("Control_L", "z")
    program.type("x")
    program.key("Delete")
    program.key("Control_L", "a")
    program.type("mesh")
    wait_value(program, "mesh")
    known = program.studio()
    assert known["excluded"] == before["excluded"]
    assert known["toasts"] == before["toasts"]
    program.key("Return")
    program.key("Control_L", "z")
    program.wait(lambda known: not known["excluded"])


def test_letters_typed_while_the_mouse_is_over_the_model_are_text(program: Program) -> None:
    left, top = program.wait_for("model.canvas")["min"]
    program.move(left + 40, top + 40)  # beside the words in the middle
    program.type("gcf")
    wait_value(program, "gcf")
    assert program.widget("model.show.grid")["value"]
    program.key("Return")
    program.key("g")
    end = time.monotonic() + 5
    while program.widget("model.show.grid")["value"]:
        assert time.monotonic() < end


def test_a_path_pasted_into_a_field_is_text_and_elsewhere_a_photo(
    program: Program, tmp_path: Path
) -> None:
    path = str(shutil.copy(EXAMPLE / "ruin_01.jpg", tmp_path / "d.jpg"))
    program.type(path)
    program.key("Control_L", "a")
    program.key("Control_L", "x")
    wait_value(program, "")
    program.key("Control_L", "v")
    wait_value(program, path)
    assert len(program.studio()["photos"]) == 3
    program.key("Return")
    program.key("Control_L", "v")
    program.wait(lambda known: len(known["photos"]) == 4)


def test_esc_leaves_the_field_before_it_leaves_the_page(program: Program) -> None:
    program.click("left.photos")
    program.click("top.calibrate")
    program.wait(lambda known: known["page"] == "calibration")
    program.click("left.settings")
    program.click(FIELD)
    program.key("Escape")
    time.sleep(0.5)
    assert program.studio()["page"] == "calibration"
    program.key("Escape")
    program.wait(lambda known: known["page"] == "model")
