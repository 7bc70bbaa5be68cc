"""How far a run is: every step's state, the share that is done, and the time that is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from recon3d.run.task import Event
from recon3d_gui.job.steps import COSTS, Step, step_of, usual_stages

StepState = Literal["waiting", "running", "done", "cached", "begun", "failed"]
"""begun: broken off, and goes on from there in the next run."""

_SETTLING_SECONDS = 8.0
"""A shown time that is left moves towards a new guess within about this."""
_MOST_CORRECTION = 3.0
"""A stage that took longer than expected says so much about the others at most."""


@dataclass(frozen=True)
class StepProgress:
    """One step as it is shown."""

    step: Step
    state: StepState = "waiting"
    done: int = 0
    total: int = 0
    note: str = ""
    seconds: float = 0.0
    """That it has taken so far."""


class RunProgress:
    """Told of every event of a run; says at any moment how far it is."""

    def __init__(
        self, steps: Iterable[Step], expected: Callable[[str], float], now: Callable[[], float]
    ) -> None:
        """Start the clock.

        Args:
            steps: Those that the run will come to.
            expected: Seconds that a stage will take.
            now: A clock, in seconds.
        """
        self._expected, self._now = expected, now
        self.steps = {step: StepProgress(step) for step in steps}
        self._left = usual_stages(self.steps.keys())
        self._stage = ""
        self._stage_began = self._began = self._shown_at = now()
        self._ended: float | None = None
        self._stage_share = 0.0
        self._found_share: float | None = None
        self._spent = self._planned = 0.0
        self._shown_left: float | None = None
        self._shown_share = 0.0
        self._heard = False

    def expect(self, computed: Iterable[str]) -> None:
        """Plan with the stages that a forecast has named."""
        self._left = list(computed)

    def take(self, event: Event) -> None:
        """Take one event in."""
        self._heard = True
        match event.kind:
            case "stage_cached":
                self._forget(event.stage)
                self._set(event, "cached")
            case "stage_started":
                self._leave_earlier(event.stage)
                self._stage, self._stage_began = event.stage, self._now()
                self._stage_share, self._found_share = 0.0, None
                self._set(event, "running")
            case "progress" if event.stage == self._stage:
                if event.total > 0:
                    self._stage_share = min(1.0, event.done / event.total)
                    if self._found_share is None and COSTS[event.stage].is_even:
                        self._found_share = self._stage_share
                self._set(event, "running")
            case "stage_finished" if event.stage == self._stage:
                took = self._now() - self._stage_began
                if not self.resumed:
                    self._spent += took
                    self._planned += self._expected(event.stage)
                self._stage = ""
                self._set(event, "done", seconds=took)

    def end(self, failed: bool) -> None:
        """Stop the clock."""
        self._ended = self._now()
        for step, shown in self.steps.items():
            if shown.state == "running":
                self.steps[step] = replace(shown, state="failed" if failed else "begun")

    @property
    def resumed(self) -> bool:
        """Whether the latest stage went on from what an interrupted run had finished."""
        return bool(self._found_share)

    @property
    def elapsed_seconds(self) -> float:
        """Since the start, up to the end."""
        return (self._now() if self._ended is None else self._ended) - self._began

    @property
    def running(self) -> StepProgress | None:
        """The step at work."""
        return next((shown for shown in self.steps.values() if shown.state == "running"), None)

    def seconds_left(self) -> float:
        """Runs down with the clock and follows what is learnt on the way without jumps."""
        now, wanted = self._now(), self._guess_left()
        if self._shown_left is None:
            self._shown_left = wanted
        passed = now - self._shown_at
        self._shown_at = now
        steady = max(0.0, self._shown_left - passed)
        follow = 1 - math.exp(-passed / _SETTLING_SECONDS)
        self._shown_left = steady + (wanted - steady) * follow
        return self._shown_left

    def share(self) -> float:
        """Of the whole run, 0 to 1; never falls."""
        left, passed = self.seconds_left(), self.elapsed_seconds
        if self._heard and passed + left > 0:
            self._shown_share = max(self._shown_share, passed / (passed + left))
        return self._shown_share

    def _guess_left(self) -> float:
        pace = 1.0
        if self._planned > 0:
            # A short stage says little about the machine's speed.
            trust = self._planned / (self._planned + 10.0)
            measured = min(max(self._spent / self._planned, 1 / _MOST_CORRECTION), _MOST_CORRECTION)
            pace = measured**trust
        left = pace * sum(map(self._expected, self._left))
        if self._stage:
            left += self._left_of_stage(pace * self._expected(self._stage))
        return left

    def _left_of_stage(self, expected: float) -> float:
        passed, share = self._now() - self._stage_began, self._stage_share
        found = self._found_share or 0.0
        if COSTS[self._stage].is_even and share > found:
            # The more of it is done, the more its own speed counts.
            trust = (share - found) / (1 - found)
            whole = (1 - trust) * expected + trust * passed / (share - found)
            return whole * (1 - share)
        expected *= 1 - found
        return max(expected - passed, 0.1 * passed)

    def _leave_earlier(self, stage: str) -> None:
        """A stage has begun; those before it that were not told of do not come any more."""
        if stage in self._left:
            self._left = self._left[self._left.index(stage) + 1 :]

    def _forget(self, stage: str) -> None:
        self._left = [each for each in self._left if each != stage]

    def _set(self, event: Event, state: StepState, *, seconds: float = 0.0) -> None:
        step = step_of(event.stage)
        if step not in self.steps:
            return
        shown = self.steps[step]
        if state == "running":
            shown = replace(shown, done=event.done, total=event.total, note=event.note)
        elif state == "cached" and shown.state == "done":
            state = "done"  # one of its stages was computed
        self.steps[step] = replace(shown, state=state, seconds=shown.seconds + seconds)
