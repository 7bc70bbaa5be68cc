"""Looking along axes, with and without perspective."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recon3d_gui.viewer.axes import axis_ends, end_at
from recon3d_gui.viewer.cameras import Bounds, Eye, as_rows
from recon3d_gui.viewer.lens import PARALLEL, USUAL
from recon3d_gui.viewer.navigator import Navigator

from recon3d.core.camera import project


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", [1, -1])
def test_from_an_axis_one_looks_back_along_it(axis: int, sign: int) -> None:
    direction = sign * np.eye(3)[axis]
    for upright in (np.eye(3), np.eye(3)[[2, 0, 1]]):
        eye = replace(Eye(), upright=as_rows(upright)).from_direction(direction)
        # 0.1 degrees: straight from above one could not turn.
        assert eye.cam_from_model.rotation[2] @ direction < -np.cos(np.radians(0.11))


def test_front_right_and_top_are_what_the_axes_say() -> None:
    for side, direction in (("front", (0, -1, 0)), ("right", (1, 0, 0)), ("top", (0, 0, 1))):
        a, b = Eye().from_side(side), Eye().from_direction(np.array(direction, float))
        np.testing.assert_allclose(a.cam_from_model.rotation, b.cam_from_model.rotation, atol=1e-9)


def test_parallel_lines_keep_the_size_of_the_focus_and_lose_perspective() -> None:
    usual = Eye(azimuth_deg=0, elevation_deg=0)
    parallel = usual.through(PARALLEL)
    ends = np.array([[0.5, 0, 0], [0.5, 1, 0]])  # one behind the other

    def across(eye: Eye) -> np.ndarray:
        return project(eye.cam_from_model @ ends, eye.lens.on_canvas(900, 600))[0][:, 0] - 450

    near, behind = across(usual)
    flat_near, flat_behind = across(parallel)
    assert flat_near == pytest.approx(near, rel=1e-9)
    assert behind / near == pytest.approx(5 / 6)
    # A unit behind a focus that is 40 times as far away.
    assert flat_behind / flat_near == pytest.approx(200 / 201)
    assert parallel.through(USUAL) == usual
    assert parallel.described() == usual.described()
    assert parallel.from_side("top").is_parallel
    assert parallel.framed(Bounds((-1, -1, -1), (1, 1, 1))).is_parallel


@pytest.mark.parametrize("seconds", [10.0, 0.3, 0.1, 0.0])
def test_an_axis_that_faces_one_is_seen_from_behind_however_fast_one_clicks(
    seconds: float,
) -> None:
    navigator = Navigator()
    for start_s in (0.0, seconds, 2 * seconds):
        navigator.from_direction(np.array([1.0, 0, 0]))
        for late_s in np.arange(0, seconds + 0.01, 0.05):
            navigator.advance(start_s + float(late_s))
    for late_s in (0.2, 0.6):
        navigator.advance(3 * seconds + late_s)
    assert navigator.eye.azimuth_deg == pytest.approx(90)
    navigator.from_direction(np.array([1.0, 0, 0]))
    navigator.toggle_parallel()
    assert navigator.eye.azimuth_deg == pytest.approx(-90)
    assert navigator.eye.is_parallel


def test_the_nearest_end_of_the_axes_is_hit() -> None:
    rotation = Eye(azimuth_deg=0, elevation_deg=0).cam_from_model.rotation
    ends = axis_ends(rotation, (100.0, 100.0), 1.0)
    assert end_at(ends, (100, 100), 1.0).name == "-Y"  # the front
    assert end_at(ends, (136, 100), 1.0).name == "X"
    assert end_at(ends, (100, 64), 1.0).name == "Z"
    assert end_at(ends, (120, 120), 1.0) is None
