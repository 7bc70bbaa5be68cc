"""Pages to send, opened in a real browser: `pytest -m browser` where there is Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import PROGRAM, Browser
from shared_pages import CAMERA, DISTANCE, box_scene, share_box
from textured_box import CORNERS, RESTS, one_page_box, textured_box

from recon3d.core.surface import Mesh

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="needs Chromium: apt-get install chromium"),
]
WIDTH, HEIGHT = 800, 600
MIDDLE = (WIDTH / 2, HEIGHT / 2)
BACKGROUND = (236, 238, 241)
TOP = 64
"""Pixels above a photo that is looked at (viewer.js)."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return share_box(tmp_path_factory.mktemp("page") / "a box & <b>.html")


@pytest.fixture
def opened(browser: Browser, box: Path) -> Iterator[Browser]:
    browser.open(box, WIDTH, HEIGHT)
    assert browser.state()["state"] == "ready"
    yield browser
    assert browser.logged == []
    assert {url.split(":")[0] for url in browser.requests} <= {"file", "data", "blob"}
    assert len([url for url in browser.requests if url.startswith("file")]) == 1


def colours(picture: np.ndarray) -> set[tuple[int, ...]]:
    """Of what covers more than a thousandth of the picture, in steps of eight."""
    found, counts = np.unique(picture.reshape(-1, 3) // 8 * 8, axis=0, return_counts=True)
    return {tuple(map(int, each)) for each in found[counts > counts.sum() / 1000]}


def near(picture: np.ndarray, colour: np.ndarray) -> float:
    """The share of the picture that has a colour, but for what JPEG makes of it."""
    return float((np.abs(picture.astype(int) - colour).max(-1) < 16).mean())


def pixel_of(u_px: float, v_px: float, dock_px: float) -> tuple[float, float]:
    """Where a pixel of a photo is in the window, while it is looked at from its camera."""
    free = HEIGHT - TOP - dock_px - 32
    scale = min((WIDTH - 24) / CAMERA.width_px, free / CAMERA.height_px)
    left = (WIDTH - scale * CAMERA.width_px) / 2
    top = TOP + (free - scale * CAMERA.height_px) / 2
    return left + scale * u_px, top + scale * v_px


def front(x: float, z: float) -> tuple[float, float]:
    """Where a point of the box's front, half a metre before its middle, is in the first photo."""
    depth = DISTANCE - 0.5
    return (
        CAMERA.fx_px * x / depth + CAMERA.cx_px,
        CAMERA.fy_px * (1.5 - z) / depth + CAMERA.cy_px,
    )


def test_the_first_view_shows_the_front_upright_in_the_photos_own_colours(opened: Browser) -> None:
    picture = opened.picture()
    assert tuple(picture[5, 500]) == BACKGROUND
    # The front (-y) is side 2, on page 0: its quarter of another colour is at the lower left.
    assert near(picture, RESTS[2]) > 0.05
    assert near(picture, CORNERS[2]) > 0.01
    rows, columns = np.nonzero((np.abs(picture.astype(int) - CORNERS[2]) < 16).all(-1))
    assert rows.mean() > MIDDLE[1] > 0
    assert columns.mean() < MIDDLE[0]
    # The roof is side 5, on page 1.
    assert near(picture, RESTS[5]) > 0.005
    assert opened.evaluate("document.title") == "a box & <b>"
    assert opened.evaluate("document.querySelector('h1').textContent") == "a box & <b>"


def test_clay_has_no_colours_and_the_line_parts_the_two(opened: Browser) -> None:
    opened.click_on("[data-surface=clay]")
    clay = opened.picture()[:480]
    assert opened.state()["surface"] == "clay"
    assert near(clay, RESTS[2]) == 0
    assert len(colours(clay)) > 2  # lit, not blank

    opened.press("3")
    both = opened.picture()[:480]
    assert near(both[:, :390], RESTS[2]) == 0
    assert near(both[:, 410:], RESTS[2]) > 0.02
    np.testing.assert_array_equal(both[100:, :370], clay[100:, :370])
    opened.drag(MIDDLE, (300, 300), (380, 300))
    opened.press("ArrowRight")  # the line has the keyboard, the model stays
    assert float(opened.evaluate("document.getElementById('split').ariaValueNow")) in (49, 50)


def test_a_camera_is_looked_through_and_lengths_are_measured_in_metres(opened: Browser) -> None:
    opened.press("p")
    green = (np.abs(opened.picture().astype(int) - (30, 200, 60)) < 16).all(-1)
    rows, columns = np.nonzero(green[:480])  # of the first photo, before the box, and the fourth
    nearest = rows.argmax()
    opened.click(float(columns[nearest]), float(rows[nearest]) - 3)
    assert opened.state()["photo"] == "0"
    assert opened.evaluate("document.getElementById('name').textContent") == "photo 0.jpg"
    opened.wait_for("document.getElementById('photo').hidden === false")
    green = opened.picture()
    dock_px = opened.evaluate("document.getElementById('dock').offsetHeight")
    for u, v in ((1, 1), (63, 1), (1, 47), (63, 47)):
        x, y = pixel_of(u, v, dock_px)
        assert np.abs(green[int(y), int(x)].astype(int) - (30, 200, 60)).max() < 16
    x, y = pixel_of(-1, 1, dock_px)
    assert tuple(green[int(y), int(x)]) == BACKGROUND

    opened.evaluate("(o => {o.value = 0; o.dispatchEvent(new Event('input'))})"
                    "(document.getElementById('opacity'))")  # fmt: skip
    picture = opened.picture()
    for x, z, colour in ((-0.5, 0.7, CORNERS[2]), (0.5, 0.7, RESTS[2]), (-0.5, 2.2, RESTS[2])):
        column, row = pixel_of(*front(x, z), dock_px)
        assert np.abs(picture[int(row), int(column)].astype(int) - colour).max() < 16

    opened.press("m")
    opened.click(*pixel_of(*front(-0.8, 1.0), dock_px))
    opened.click(*pixel_of(*front(0.8, 1.0), dock_px))
    assert opened.state()["length"] == "1.60 m"
    opened.click(*pixel_of(*front(0, 0.5), dock_px))
    assert opened.state()["length"] == ""
    opened.click(*pixel_of(*front(0, 0.75), dock_px))
    assert opened.state()["length"] == "25.0 cm"
    opened.drawn()
    assert opened.evaluate("document.getElementById('length').hidden") is False

    opened.press("ArrowRight")
    assert opened.state()["photo"] == "1"
    opened.drag(MIDDLE, (430, 300), (460, 300))
    assert opened.state()["photo"] == "-1"


def test_mouse_wheel_and_keys_move_the_view(opened: Browser) -> None:
    first = opened.picture()
    for move in (
        lambda: opened.drag(MIDDLE, (450, 320), (500, 340)),
        lambda: opened.drag(MIDDLE, (450, 320), (500, 340), button="right"),
        lambda: opened.wheel(*MIDDLE, -300),
        lambda: opened.press("ArrowLeft"),
        lambda: opened.press("-"),
    ):
        before = opened.picture()
        move()
        assert (opened.picture() != before).mean() > 0.01
    opened.press("f")
    np.testing.assert_array_equal(opened.picture(), first)


def test_the_point_below_the_pointer_stays_there_while_the_wheel_turns(opened: Browser) -> None:
    opened.press("p")
    opened.press("ArrowRight")
    opened.press("f")
    x, y = 430, 330
    before = opened.picture()[y, x].astype(int)
    opened.wheel(x, y, -120)
    assert np.abs(opened.picture()[y, x] - before).max() < 16


def test_on_a_phone_everything_is_in_reach_of_fingers_by_day_and_by_night(
    browser: Browser, box: Path
) -> None:
    browser.open(box, 360, 740, phone=True, dark=True)
    assert browser.state()["state"] == "ready"
    dark = browser.picture()
    assert dark[20, 700].max() < 60
    assert near(dark, RESTS[2]) > 0.05
    buttons = browser.evaluate(
        "[...document.querySelectorAll('#bar button')].map(b => b.getBoundingClientRect())"
        ".map(r => [r.left, r.right, r.bottom, r.height])"
    )
    assert all(left >= 0 and right <= 360 and bottom <= 740 and height >= 40
               for left, right, bottom, height in buttons)  # fmt: skip
    browser.touch([(180, 300)], [(200, 300)], [(260, 310)])
    turned = browser.picture()
    assert (turned != dark).mean() > 0.01
    browser.touch([(150, 300), (210, 300)], [(120, 300), (240, 300)], [(80, 300), (280, 300)])
    assert near(browser.picture(), np.array([20, 23, 28])) < near(turned, np.array([20, 23, 28]))
    assert browser.state()["length"] == ""
    assert browser.logged == []


@pytest.mark.parametrize(
    ("model", "coloured"),
    [
        (one_page_box(), True),
        (textured_box().mesh, True),
        (replace(textured_box().mesh, rgb=None), False),
    ],
    ids=["one page", "colours of vertices", "no colours"],
)
def test_models_of_every_kind_are_shown(
    browser: Browser, model: Mesh, coloured: bool, tmp_path: Path
) -> None:
    page = share_box(tmp_path / "page.html", replace(box_scene(0), unit="scene"), model=model)
    browser.open(page, WIDTH, HEIGHT)
    assert browser.state() | {"length": ""} == {
        "state": "ready", "surface": "colour" if coloured else "clay", "measuring": "false",
        "photo": "-1", "length": "",
    }  # fmt: skip
    picture = browser.picture()
    assert near(picture, np.array(BACKGROUND)) < 0.95
    if isinstance(model, Mesh) and coloured:
        assert near(picture, np.array([128, 128, 128])) > 0.1
    hidden = "document.getElementById('{}').hidden".format
    assert browser.evaluate(hidden("cameras"))
    assert browser.evaluate(hidden("surfaces")) is not coloured
    browser.press("m")
    browser.click(*MIDDLE)
    browser.click(MIDDLE[0] + 30, MIDDLE[1])
    assert browser.state()["length"].endswith(" units")
    assert browser.logged == []


@pytest.mark.parametrize("distance", [0.1, DISTANCE], ids=["room", "thing"])
def test_the_walls_of_a_room_are_seen_through_from_outside(
    browser: Browser, tmp_path: Path, distance: float
) -> None:
    solid = textured_box()
    hollow = replace(solid.mesh, faces=np.ascontiguousarray(solid.mesh.faces[:, ::-1]))
    walls = replace(solid, mesh=hollow, uv=np.ascontiguousarray(solid.uv[:, ::-1]))
    page = share_box(tmp_path / "page.html", box_scene(distance=distance), model=walls)
    browser.open(page, WIDTH, HEIGHT)
    front, back = (near(browser.picture(), RESTS[side]) > 0.01 for side in (2, 3))
    assert (front, back) == ((False, True) if distance < 1 else (True, False))


@pytest.mark.parametrize("lost", [slice(200, None), slice(200, 400)], ids=["end", "middle"])
def test_a_page_that_was_damaged_on_its_way_says_so(
    browser: Browser, box: Path, tmp_path: Path, lost: slice
) -> None:
    text = box.read_text(encoding="utf-8")
    start = text.index('id="model">') + len('id="model">')
    page, model = text[:start], list(text[start:])
    del model[lost]
    (tmp_path / "damaged.html").write_text(page + "".join(model), encoding="utf-8")
    browser.open(tmp_path / "damaged.html", WIDTH, HEIGHT)
    assert browser.state()["state"] == "failed"
    assert "damaged" in browser.evaluate("document.getElementById('loading').textContent")


def test_scripts_that_were_put_into_a_page_do_not_run(
    browser: Browser, box: Path, tmp_path: Path
) -> None:
    text = box.read_text(encoding="utf-8")
    evil = "<script>document.title = 'taken'; fetch('https://example.org')</script></body>"
    (tmp_path / "evil.html").write_text(text.replace("</body>", evil), encoding="utf-8")
    browser.open(tmp_path / "evil.html", WIDTH, HEIGHT)
    assert browser.state()["state"] == "ready"
    assert browser.evaluate("document.title") != "taken"
    assert any("Content Security Policy" in line for line in browser.logged)
    fetched = browser.evaluate(
        "fetch('https://example.org').then(() => 'reached', () => 'refused')"
    )
    assert fetched == "refused"
