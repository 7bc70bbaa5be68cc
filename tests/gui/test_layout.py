"""The left column, the looks of the photo list, the axes and the number pad, by real hands."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from driving import Program
from photo_files import photo
from recon3d_gui.viewer.axes import ARM, RADIUS

pytestmark = pytest.mark.gui

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos"
Open = Callable[..., Program]
MANY = 300


def width(program: Program, tag: str) -> float:
    return float(program.wait_for(tag)["size"][0])


def until(what: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def test_the_left_column_is_dragged_within_bounds_and_remembered(open_program: Open) -> None:
    program = open_program()
    before = width(program, "left")
    # Nothing to look at, so the toolbar cannot be pressed.
    for tag in ("model.mode.clay", "model.tool.crop", "model.view"):
        assert program.widget(tag)["enabled"] is False  # type: ignore[index]
    x, y = program.middle("left.edge")
    program.drag((x, y), (x + 150, y))
    until(lambda: width(program, "left") == pytest.approx(before + 150, abs=2))
    # What is in it goes along, and the page has the rest.
    assert width(program, "photos.add") > 0.4 * (before + 150)
    page = program.wait_for("page.model")
    assert page["min"][0] + page["size"][0] == 1280
    x, y = program.middle("left.edge")
    program.drag((x, y), (1200, y))
    until(lambda: width(program, "page.model") == pytest.approx(560, abs=2))
    x, y = program.middle("left.edge")
    program.drag((x, y), (x - 150, y))
    until(lambda: width(program, "left") < 600)
    kept = width(program, "left")
    assert program.leave() == 0
    again = open_program()
    assert width(again, "left") == kept
    x, y = again.middle("left.edge")
    again.drag((x, y), (3, y))
    until(lambda: width(again, "left") == 314)
    again.key("Control_L", "plus")
    until(lambda: width(again, "left") > 330)
    # Narrow and large, its words still end inside it.
    for tab in ("settings", "camera", "export", "photos"):
        again.click(f"left.{tab}")
        room = again.wait_for(f"left.{tab.capitalize()}.room")
        assert room["min"][0] + room["size"][0] <= width(again, "left")
    again.studio()
    assert again.leave() == 0


def test_hundreds_of_photos_are_seen_as_list_grid_and_table(
    open_program: Open, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    for number in range(MANY):
        photo(folder / f"{number}.png", number, (64, 48))
    program = open_program()
    program.drop([folder])
    names = [f"{number}.png" for number in range(MANY)]
    program.wait(lambda known: known["photos"] == names)

    program.click("photos.view.grid")
    program.click("photos.row.4")
    program.wait(lambda known: known["selected"] == "4.png")
    program.key("Right")
    program.wait(lambda known: known["selected"] == "5.png")
    program.key("Down")
    known = program.wait(lambda known: known["selected"] != "5.png")
    columns = int(known["selected"].removesuffix(".png")) - 5
    assert columns >= 2
    # To the far end, and only what is seen has widgets.
    for _ in range(40):
        program.key("Down")
    program.wait(lambda known: known["selected"] == f"{5 + 41 * columns}.png")
    assert program.widget(f"photos.row.{MANY // 2}") is None

    program.click("photos.view.table")
    program.click("photos.head.name")
    program.wait(lambda known: known["shown_photos"] == names[::-1])
    program.click("photos.head.sharpness")
    program.wait(lambda known: known["shown_photos"] not in (names, names[::-1]))
    rising = program.studio()["shown_photos"]
    program.click("photos.head.sharpness")
    program.wait(lambda known: known["shown_photos"] == rising[::-1])
    program.click("photos.row.0")
    program.wait(lambda known: known["selected"] == rising[-1])
    program.key("Delete")
    program.wait(lambda known: known["excluded"] == [rising[-1]])
    # Neither list nor grid says that the order is turned around, so there it is not.
    program.click("photos.view.list")
    program.wait(lambda known: known["shown_photos"] == rising)
    program.click("photos.view.table")
    assert program.leave() == 0
    again = open_program()
    again.drop([folder])
    again.wait(lambda known: len(known["photos"]) == MANY)
    again.wait_for("photos.head.name")


def test_axes_and_number_pad_look_from_all_sides(open_program: Open) -> None:
    program = open_program()
    program.drop([*sorted(EXAMPLE.glob("*.jpg"))[:5], EXAMPLE / "K.json"])
    program.wait(lambda known: len(known["photos"]) == 5)
    program.click("run.start")
    program.wait(lambda known: "pose" in known["reached"], 300)
    program.click("run.cancel")
    program.wait(lambda known: known["loaded"] and known["state"] == "cancelled", 60)

    def looks(azimuth: float, elevation: float) -> None:
        program.wait(
            lambda known: (
                known["eye"]["azimuth_deg"] % 360 == pytest.approx(azimuth, abs=0.01)
                and known["eye"]["elevation_deg"] == pytest.approx(elevation, abs=0.2)
            )
        )

    x, y = program.middle("model.canvas")
    program.move(x, y)
    for key, here, there in (
        ("KP_1", (0, 0), (180, 0)), ("KP_3", (90, 0), (270, 0)), ("KP_7", (0, 90), (0, -90)),
    ):  # fmt: skip
        program.key(key)
        looks(*here)
        program.key("Control_L", key)
        looks(*there)
    program.key("KP_5")
    program.wait(lambda known: known["is_parallel"])
    program.key("KP_1")
    looks(0, 0)
    assert program.studio()["is_parallel"]
    program.key("KP_5")
    program.wait(lambda known: not known["is_parallel"])

    # What the window tells comes and goes in the same corner.
    program.wait(lambda known: not known["toasts"], 60)
    # The axes in the corner, from the front: X at the right, Z above, -Y towards us.
    canvas = program.wait_for("model.canvas")
    right, low = (canvas["min"][i] + canvas["size"][i] - RADIUS - 12 for i in (0, 1))
    program.click_at(right + ARM, low)
    looks(90, 0)
    # What faces one is seen from behind.
    program.click_at(right, low)
    looks(270, 0)
    program.click_at(right, low - ARM)
    looks(0, 90)
    before = program.studio()["eye"]
    program.drag((right, low), (right + 30, low))
    program.wait(lambda known: known["eye"]["azimuth_deg"] != before["azimuth_deg"])

    program.move(x, y)
    program.key("KP_0")
    program.wait(lambda known: any("Choose a photo" in text for text in known["toasts"]))
    program.click("photos.row.1")
    program.move(x, y)
    before = program.studio()["eye"]["distance"]
    program.key("KP_Decimal")
    program.wait(lambda known: known["eye"]["distance"] < 0.9 * before)
    program.key("KP_0")
    until(lambda: (program.widget("model.photo.name") or {}).get("value"))
