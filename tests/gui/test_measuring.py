"""Distances that are kept: through other scales and other runs, in the file and as a table."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recon3d_gui.project.file import read_project, save_project
from recon3d_gui.project.measurements import End, Measurement, Sight, new_name, usable_name
from recon3d_gui.project.project import Project
from recon3d_gui.viewer.cameras import Bounds
from recon3d_gui.viewer.measuring import measured, placed, table
from recon3d_gui.viewer.protocol import Loaded, Picked

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import View
from recon3d.core.transform import Rigid, Similarity
from recon3d.georef.known_scale import PhotoPixel

CAMERA = PinholeCamera(640, 480, 500.0, 500.0, 320.0, 240.0)
WORLD = (
    View("a.jpg", CAMERA, Rigid(np.eye(3), np.array([0.0, 0.0, 4.0]))),
    View("b.jpg", CAMERA, Rigid(np.eye(3), np.array([-1.0, 0.2, 4.0]))),
    View("c.jpg", CAMERA, Rigid(np.eye(3), np.array([1.0, 0.0, 4.0]))),
)
QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])


def loaded(model_from_world: Similarity, scene_key: str = "w/pose/1", *names: str) -> Loaded:
    views = tuple(
        replace(view, cam_from_world=model_from_world.move_camera(view.cam_from_world))
        for view in WORLD
        if not names or view.photo_id in names
    )
    return Loaded(
        "a", frozenset({"mesh"}), 0, 9, Bounds((-1.0,) * 3, (1.0,) * 3), model_from_world,
        ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)), 0.0, "metre", True, views, scene_key,
    )  # fmt: skip


def pick(number: int, world: tuple[float, float, float], frame: Similarity) -> Picked:
    x, y, z = (frame @ np.array(world)).tolist()
    photos = tuple(PhotoPixel(view.photo_id, 1.0, 1.0) for view in WORLD)
    return Picked(number, (x, y, z), photos)


FIRST = Similarity(1.0, np.eye(3), np.zeros(3))
ENDS = ((0.1, 0.2, 0.3), (0.4, 0.6, 0.3))


def a_length() -> Measurement:
    picks = [pick(index, end, FIRST) for index, end in enumerate(ENDS)]
    return measured("Step", picks, loaded(FIRST))


def test_a_length_follows_the_scale_of_its_own_scene() -> None:
    assert placed(a_length(), loaded(FIRST)).length == pytest.approx(0.5)
    larger = Similarity(3.0, QUARTER, np.array([5.0, 6, 7]))
    found = placed(a_length(), loaded(larger))
    assert found.length == pytest.approx(1.5)
    assert found.text == "1.5 m"
    assert found.ends is not None
    np.testing.assert_allclose(found.ends[0], larger @ np.array(ENDS[0]))


def test_a_length_is_found_again_where_the_photos_were_placed_anew() -> None:
    """The new world is turned, moved and ten times as large; one of the photos is gone."""
    new_world = Similarity(10.0, QUARTER, np.array([1.0, 2, 3]))
    found = placed(a_length(), loaded(new_world, "w/pose/2", "a.jpg", "b.jpg"))
    assert found.length == pytest.approx(5.0, rel=1e-6)
    assert found.ends is not None
    np.testing.assert_allclose(found.ends[1], new_world @ np.array(ENDS[1]), atol=1e-6)


@pytest.mark.parametrize("names", [("a.jpg",), ("z.jpg",)])
def test_a_length_that_a_model_does_not_tell_is_said_to_be_unknown(names: tuple[str]) -> None:
    found = placed(a_length(), loaded(FIRST, "w/pose/2", *names))
    assert found.ends is None
    assert found.text == "not in this model"
    rows = list(csv.reader(io.StringIO(table([found], "m"))))
    assert rows[1] == ["Step", "", ""]


def test_lengths_are_a_table_that_no_spreadsheet_takes_for_a_formula() -> None:
    lengths = [
        placed(replace(a_length(), name=name), loaded(FIRST)) for name in ("=1+1", 'a "b", c')
    ]
    rows = list(csv.reader(io.StringIO(table(lengths, "m"))))
    assert rows[0][:4] == ["name", "length", "unit", "start_x"]
    assert [row[0] for row in rows[1:]] == ["'=1+1", 'a "b", c']
    assert rows[1][1:] == ["0.5", "m", "0.1", "0.2", "0.3", "0.4", "0.6", "0.3"]


def test_lengths_live_in_the_project_s_file(tmp_path: Path) -> None:
    odd = Measurement("Höhe 写", "w", End((1.0, -2.5e-7, 3.0)), End((0.0, 0.0, 0.0)))
    project = Project(workspace=tmp_path / "w.recon3d", measurements=(a_length(), odd))
    save_project(project, tmp_path / "p.r3d")
    opened = read_project(tmp_path / "p.r3d")
    assert opened.project.measurements == project.measurements
    assert not opened.notes


@pytest.mark.parametrize(
    "damage",
    ['point = ["x", 1, 2]', "point = [nan, 1.0, 2.0]", "point = [1.0, 2.0]", "point = true"],
)
def test_one_damaged_length_does_not_cost_the_others(tmp_path: Path, damage: str) -> None:
    project = Project(
        workspace=tmp_path / "w.recon3d", measurements=(a_length(), replace(a_length(), name="B"))
    )
    file = tmp_path / "p.r3d"
    save_project(project, file)
    lines = file.read_text().splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("point = ["))
    end = next(index for index in range(at, len(lines)) if lines[index].endswith("]"))
    file.write_text("\n".join([*lines[:at], damage, *lines[end + 1 :]]))
    opened = read_project(file)
    assert [each.name for each in opened.project.measurements] == ["B"]
    assert opened.notes == ("p.r3d: one of measurements is damaged and was left out.",)


def test_names_are_one_short_line_and_new_ones_are_free() -> None:
    assert usable_name("  a\n b\t") == "a b"
    assert len(usable_name("x" * 999)) == 80
    assert new_name(["Length 1", "Length 3"]) == "Length 2"


def test_the_sights_of_an_end_are_where_the_cameras_see_it() -> None:
    (first, *_) = a_length().start.sights
    assert first == Sight("a.jpg", (pytest.approx(0.1 / 4.3), pytest.approx(0.2 / 4.3)))
