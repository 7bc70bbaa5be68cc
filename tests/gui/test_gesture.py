"""A drag moves things by what the mouse has moved, whatever frames see of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recon3d_gui.viewer.gesture import Gesture

CLICK_PX = 4.0
PLACES = st.tuples(st.integers(-500, 500), st.integers(-500, 500))


@given(st.lists(PLACES, max_size=6), PLACES)
def test_the_steps_of_a_drag_add_up_to_the_way_of_the_mouse(
    seen: list[tuple[float, float]], end: tuple[float, float]
) -> None:
    gesture = Gesture.at((10.0, 20.0))
    steps = [gesture.step_to(place, CLICK_PX) for place in (*seen, end)]
    if gesture.is_drag:
        total = [sum(step[axis] for step in steps if step) for axis in (0, 1)]
        assert total == [end[0] - 10.0, end[1] - 20.0]
    else:
        assert not any(steps)


def test_a_drag_that_no_frame_has_seen_is_done_when_the_button_is_let_go() -> None:
    gesture = Gesture.at((100.0, 100.0))
    assert gesture.step_to((220.0, 130.0), CLICK_PX) == (120.0, 30.0)
    assert gesture.is_drag


@pytest.mark.parametrize("place", [(100.0, 100.0), (104.0, 97.0)])
def test_a_hand_that_trembles_still_clicks(place: tuple[float, float]) -> None:
    gesture = Gesture.at((100.0, 100.0))
    assert gesture.step_to(place, CLICK_PX) is None
    assert not gesture.is_drag


def test_coming_back_to_the_start_is_no_click() -> None:
    gesture = Gesture.at((0.0, 0.0))
    assert gesture.step_to((50.0, 0.0), CLICK_PX) == (50.0, 0.0)
    assert gesture.step_to((0.0, 0.0), CLICK_PX) == (-50.0, 0.0)
    assert gesture.is_drag
