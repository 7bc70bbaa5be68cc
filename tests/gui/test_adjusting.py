"""Scale, up and crop act at once on the model that is shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from recon3d_gui.job.adjusting import (
    Adjusting,
    adjusted_changes,
    adjusted_runs,
    adjustment,
    pending_crop,
)
from recon3d_gui.job.messages import AdjustRequest, RunRequest
from recon3d_gui.job.state import Job
from recon3d_gui.job.steps import ADJUSTED, Step
from recon3d_gui.project.project import Changes, Project, RunRecord
from recon3d_gui.situation import Facts, Mark, situation

from recon3d import api
from recon3d.config import Config
from recon3d.results import Inputs

WHERE = Path("scene.recon3d")
KEYS = {"ingest": "1" * 16, "pose": "2" * 16, "mesh": "3" * 16, "frame": "4" * 16}
REACHED = {stage: WHERE / stage / key for stage, key in KEYS.items()}
RUN = RunRecord(
    name="Run 1",
    finished_at=datetime(2026, 1, 1).astimezone(),
    preset="draft",
    changes={"depth": {"planes": 64}, "mesh": {"faces": 5000}},
    reached=KEYS,
)
PROJECT = Project(
    sources=(Path("photos"),), workspace=WHERE, preset="draft", changes=RUN.changes, runs=(RUN,)
)
BOX = (0.0, 0.0, 0.0, 1.0, 1.0, 1.0)


def changed(**changes: dict[str, Any]) -> Project:
    return replace(PROJECT, changes={**PROJECT.changes, **changes})


class Jobs:
    """A controller that only remembers."""

    def __init__(self) -> None:
        self.busy = False
        self.asked: list[AdjustRequest] = []

    def adjust(self, request: AdjustRequest) -> None:
        self.asked.append(request)


def test_the_list_of_stages_is_that_of_the_pipeline() -> None:
    assert frozenset(api.ADJUSTED) == ADJUSTED


def test_a_model_that_stands_as_wanted_is_left_alone() -> None:
    assert adjustment(PROJECT, REACHED) is None
    assert adjustment(changed(depth={"planes": 96}), REACHED) is None
    assert adjustment(changed(frame={"scale": "2"}), {}) is None
    other = {**REACHED, "mesh": WHERE / "mesh" / ("9" * 16)}  # of a run that was broken off
    assert adjustment(changed(frame={"scale": "2"}), other) is None


@pytest.mark.parametrize(
    ("changes", "cuts"),
    [
        ({"frame": {"scale": "2"}}, False),
        ({"frame": {"up": "0,0,1"}}, False),
        ({"mesh": {"faces": 5000, "crop": BOX}}, True),
    ],
)
def test_scale_up_and_crop_are_applied_with_the_other_settings_of_the_run(
    changes: dict[str, Any], cuts: bool
) -> None:
    # The other settings may be waiting for a run of their own.
    request = adjustment(changed(depth={"planes": 96}, **changes), REACHED)
    assert request
    assert request.cuts == cuts
    assert request.config.depth.planes == 64
    assert request.config.mesh.faces == 5000
    stage, wanted = next(iter(changes.items()))
    name, value = list(wanted.items())[-1]
    assert getattr(getattr(request.config, stage), name) == value


def test_the_run_that_was_shown_takes_the_new_settings_and_results() -> None:
    started = changed(frame={"scale": "2"}, mesh={"faces": 9, "crop": BOX})
    request = adjustment(started, REACHED)
    assert request
    reached = {**REACHED, "crop": WHERE / "crop" / ("5" * 16)}
    now = replace(started, changes={})  # changed once more meanwhile
    (run,) = adjusted_runs(now, started, request, reached)
    wanted: Changes = {
        "depth": {"planes": 64}, "frame": {"scale": "2"}, "mesh": {"faces": 5000, "crop": BOX},
    }  # fmt: skip
    assert run.changes == wanted
    assert run.reached == {**KEYS, "crop": "5" * 16}
    assert run.name == RUN.name
    assert adjustment(replace(started, runs=(run,)), reached) is None
    undone = adjustment(replace(now, runs=(run,)), reached)
    assert undone
    assert undone.cuts
    assert undone.config.frame.scale == ""


def test_taking_a_crop_back_leaves_no_empty_settings() -> None:
    run = replace(RUN, changes={"mesh": {"crop": BOX}, "frame": {"scale": "2"}})
    assert adjusted_changes(run, replace(PROJECT, changes={})) == {}


def test_it_begins_when_things_have_come_to_rest_and_never_twice_in_vain() -> None:
    jobs, clock = Jobs(), [0.0]
    adjusting = Adjusting(jobs, lambda: clock[0])  # type: ignore[arg-type]
    wanted = changed(frame={"scale": "2"})
    assert not adjusting.tick(wanted, REACHED, 1)  # a slider may still move
    clock[0] = 1.0
    jobs.busy = True
    assert not adjusting.tick(wanted, REACHED, 1)
    jobs.busy = False
    assert adjusting.tick(wanted, REACHED, 1)
    clock[0] = 9.0
    assert not adjusting.tick(wanted, REACHED, 2)
    clock[0] = 18.0
    assert not adjusting.tick(wanted, REACHED, 2)  # it has failed
    assert not adjusting.tick(changed(frame={"scale": "3"}), REACHED, 3)
    clock[0] = 27.0
    assert adjusting.tick(changed(frame={"scale": "3"}), REACHED, 3)
    assert [request.config.frame.scale for request in jobs.asked] == ["2", "3"]


def test_a_wanted_crop_is_shown_until_it_is_computed() -> None:
    wanted = changed(mesh={"faces": 5000, "crop": BOX})
    assert pending_crop(wanted, REACHED) == BOX
    assert pending_crop(PROJECT, REACHED) is None
    # In another frame the box would hold something else.
    turned = replace(wanted, changes={**wanted.changes, "frame": {"up": "0,0,1"}})
    assert pending_crop(turned, REACHED) is None
    assert pending_crop(wanted, {**REACHED, "crop": WHERE / "crop" / ("5" * 16)}) is None


def test_while_it_goes_on_the_other_steps_are_kept() -> None:
    request = adjustment(changed(mesh={"faces": 5000, "crop": BOX}), REACHED)
    now = situation(
        Facts(
            has_sources=True,
            photos=3,
            request=RunRequest(inputs=Inputs(photos=WHERE), workspace=WHERE, config=Config()),
            run=Job(request, 1, "running"),
        )
    )
    assert now.headline == "Adjusting the model"
    assert set(now.marks.values()) == {Mark("kept", "good")}
    assert len(now.marks) == len(Step)
