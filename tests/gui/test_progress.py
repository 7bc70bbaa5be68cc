"""How far a run is and how long it will take: shown, guessed, and learnt from earlier runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recon3d_gui.job.costs import Costs, Load, clock, in_words
from recon3d_gui.job.messages import (
    Amount,
)
from recon3d_gui.job.progress import RunProgress
from recon3d_gui.job.steps import steps_until

from recon3d.config import Config, updated
from recon3d.results import Until
from recon3d.run.task import Event

AMOUNT = Amount(20, 2.0)


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def even_run(clock: Clock, seconds_per_photo: float, expected: float) -> Iterator[RunProgress]:
    progress = RunProgress(steps_until(Until.DEPTH), lambda stage: expected, clock)
    progress.expect(["depth"])
    progress.take(Event("stage_started", "depth"))
    for photo in range(21):
        progress.take(Event("progress", "depth", photo, 20))
        yield progress
        clock.seconds += seconds_per_photo


@given(st.floats(0.1, 20), st.floats(1, 400))
def test_progress_never_falls_and_time_left_never_leaps_up(
    per_photo: float, expected: float
) -> None:
    clock_ = Clock()
    share = 0.0
    left = np.inf
    for progress in even_run(clock_, per_photo, expected):
        assert share <= progress.share() <= 1
        share = progress.share()
        now = progress.seconds_left()
        # A run that is slower than foreseen is told little by little, not at once.
        assert now <= left + max(expected, 20 * per_photo)
        left = now


def test_a_run_that_goes_as_expected_shows_even_progress() -> None:
    shares = [progress.share() for progress in even_run(Clock(), 2.0, expected=40.0)]
    np.testing.assert_allclose(shares, np.arange(21) / 20, atol=0.02)


def test_time_left_comes_to_what_is_measured() -> None:
    clock_ = Clock()
    left = [progress.seconds_left() for progress in even_run(clock_, 10.0, expected=50.0)]
    # Three quarters through: 5 photos of 10 s are left, although 50 s for all were foreseen.
    assert left[15] == pytest.approx(50, rel=0.25)


def test_work_that_was_found_is_not_taken_for_speed() -> None:
    clock_ = Clock()
    progress = RunProgress(steps_until(Until.DEPTH), lambda stage: 100.0, clock_)
    progress.expect(["depth"])
    progress.take(Event("stage_started", "depth"))
    progress.take(Event("progress", "depth", 10, 20))
    clock_.seconds += 1
    assert progress.resumed
    assert progress.seconds_left() == pytest.approx(50, rel=0.05)


def test_costs_are_learnt_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "costs.json"
    costs, load = Costs(file), Load(AMOUNT, Config())
    guessed = costs.seconds("depth", load)
    for _ in range(4):
        costs.learn("depth", load, 3 * guessed)
        costs.save()
    assert Costs(file).seconds("depth", load) == pytest.approx(3 * guessed, rel=0.05)
    half = Load(Amount(10, 2.0), Config())
    assert costs.seconds("depth", half) == pytest.approx(1.5 * guessed, rel=0.05)
    other = Load(AMOUNT, Config(), device="cuda")
    assert costs.seconds("depth", other) == guessed


def test_one_slow_run_spoils_no_later_guess() -> None:
    costs, load = Costs(), Load(AMOUNT, Config())
    guessed = {stage: costs.seconds(stage, load) for stage in ("pose", "mesh")}

    def run(factor: float) -> float:
        for stage, seconds in guessed.items():
            costs.learn(stage, load, factor * seconds)
        costs.save()
        return costs.seconds("texture", load) / Costs().seconds("texture", load)

    assert run(24.0) <= 6.0**0.5 + 1e-9  # the first of all: half believed, and bounded
    assert run(1.1) == pytest.approx(1.1)
    assert run(0.9) < 1.2
    assert run(24.0) < 1.2
    for _ in range(5):
        learnt = run(3.0)
    assert learnt == pytest.approx(3.0)  # the machine is slow


def test_a_run_too_short_to_tell_changes_nothing() -> None:
    costs, load = Costs(), Load(Amount(1, 0.1), Config())
    guessed = costs.seconds("mesh", load)
    costs.learn("mesh", load, min(4.0, 40 * guessed))
    costs.save()
    assert costs.seconds("mesh", load) == guessed


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"machine": [-1, true, "x"]}', '{"depth": "x"}', '{"depth": 1e99}', "[" * 9999],
)
def test_damaged_costs_are_as_good_as_none(text: str, tmp_path: Path) -> None:
    file = tmp_path / "costs.json"
    file.write_text(text)
    load = Load(AMOUNT, Config())
    assert Costs(file).seconds("depth", load) == Costs().seconds("depth", load)


def test_finer_settings_cost_more() -> None:
    costs = Costs()

    def depth(**changes: object) -> float:
        config = updated(Config(), {"depth": changes})
        return costs.seconds("depth", Load(Amount(10, 12.0), config))

    assert depth(resolution_px=800) == pytest.approx(depth() / 4)
    assert depth(planes=256) == pytest.approx(2 * depth())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "a few seconds"), (12, "about 10 s"), (44, "about 40 s"), (59, "about 1 min"),
     (250, "about 4 min"), (1500, "about 25 min"), (3500, "about an hour"),
     (9000, "about 2.5 hours")],
)  # fmt: skip
def test_guessed_times_are_rounded_honestly(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_measured_times_are_read_as_on_a_clock() -> None:
    assert [clock(each) for each in (7, 750, 3750)] == ["0:07", "12:30", "1:02:30"]
