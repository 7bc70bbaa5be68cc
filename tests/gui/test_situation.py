"""Strip, centre, steps and button tell one and the same story, whatever has happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from recon3d_gui.failure import Failure
from recon3d_gui.job.messages import Amount, ExportRequest, RunRequest, Summary
from recon3d_gui.job.outlook import Outlook
from recon3d_gui.job.progress import StepProgress, StepState
from recon3d_gui.job.state import Job, State
from recon3d_gui.job.steps import Step
from recon3d_gui.situation import Facts, Mark, Situation, Start, situation

from recon3d.config import Config
from recon3d.export.export import Outputs
from recon3d.results import Inputs

REQUEST = RunRequest(
    inputs=Inputs(photos=Path("photos")), workspace=Path("s.recon3d"), config=Config()
)
OTHER = replace(REQUEST, workspace=Path("other.recon3d"))
EVERYTHING = tuple(Step)
PHOTOS = {"has_sources": True, "photos": 12, "request": REQUEST}


def foreseen(*kept: Step, seconds: float = 240.0, request: RunRequest = REQUEST) -> Outlook:
    computed = tuple(step for step in EVERYTHING if step not in kept)
    stages = ("mesh",) if computed else ()
    return Outlook(request, Amount(12, 2.0), stages, computed, kept, seconds if computed else 0.0)


def steps(*states: StepState) -> dict[Step, StepProgress]:
    return {
        step: StepProgress(step, state, seconds=65.0 if state == "done" else 0.0)
        for step, state in zip(EVERYTHING, states, strict=False)
    }


def told(state: State = "idle", failure: Failure | None = None, **more: Any) -> Situation:
    summary = Summary(given=12, placed=11, faces=3000) if state == "done" else None
    run = Job(REQUEST if state != "idle" else None, 1, state, failure, summary)
    return situation(Facts(**{**PHOTOS, "run": run, **more}))


def words(marks: dict[Step, Mark] | Any) -> list[str]:
    return [marks[step].words for step in EVERYTHING]


def test_without_photos_one_is_asked_for_some() -> None:
    now = situation(Facts())
    assert (now.headline, now.title) == ("No photos yet", "Drop photos or a folder here")
    assert now.offers_photos
    assert not now.start.is_enabled
    assert words(now.marks) == [""] * 6


@pytest.mark.parametrize(
    ("lack", "headline", "said"),
    [
        ({"photos": 0}, "Looking for photos", "moment"),
        ({"photos": 0, "problem": "Gone.", "is_listing": True}, "Looking for photos", "moment"),
        ({"photos": 0, "problem": "No photos in x."}, "No photos found", "No photos in x."),
        ({"broken": 12}, "Nothing to build from", "None of these photos"),
        ({"broken": 5, "excluded": 7}, "Nothing to build from", "None of these photos"),
        ({"elsewhere": "Process 7 has it."}, "Open in another window", "Process 7 has it."),
        ({"excluded": 12}, "Nothing to build from", "left out all"),
        (
            {"outlook": Outlook(REQUEST, Amount(), problem=Failure("No lens file.", "Drop it."))},
            "This cannot start yet",
            "No lens file. Drop it.",
        ),
    ],
)
def test_what_cannot_start_says_why_and_offers_no_start(
    lack: dict[str, Any], headline: str, said: str
) -> None:
    failed: State = "failed"
    for state in ("idle", "done", "cancelled", failed):
        now = told(state, **lack)
        assert now.headline == headline
        assert said in now.text
        assert not now.start.is_enabled
        assert "Ready" not in now.title


def test_photos_at_rest_are_ready_and_name_what_is_computed() -> None:
    now = told(outlook=foreseen())
    assert (now.headline, now.title) == ("Ready", "Ready to build")
    assert now.line == "Computes everything: about 4 min."
    assert now.start == Start("Start", True)
    assert words(now.marks) == ["to do"] * 6


def test_a_broken_photo_among_good_ones_hinders_nothing() -> None:
    assert told(outlook=foreseen(), broken=11).start.is_enabled


def test_a_running_step_is_named_with_the_time_left() -> None:
    progress = steps("cached", "running")
    progress[Step.CAMERAS] = replace(progress[Step.CAMERAS], done=3, total=12, note="comparing")
    now = told("running", steps=progress, elapsed_seconds=75, seconds_left=240)
    assert (now.headline, now.line) == ("Cameras: comparing", "1:15, about 4 min left")
    assert now.title == "Working on your photos"
    assert not now.start.is_enabled
    assert now.marks[Step.CAMERAS] == Mark("3 / 12", "running", 0.25)
    assert words(now.marks)[0] == "kept"


@pytest.mark.parametrize("is_known", [False, True])
def test_a_cancelled_run_says_of_each_step_what_is_true(is_known: bool) -> None:
    """As soon as it has ended, and again when the forecast has come: the same."""
    outlook = foreseen(Step.PHOTOS, Step.CAMERAS) if is_known else None
    progress = steps("done", "done", "begun", "waiting", "waiting", "waiting")
    now = told("cancelled", steps=progress, outlook=outlook)
    assert now.headline == "Stopped"
    assert now.line.startswith("Photos and cameras are kept.")
    assert "everything" not in now.line
    assert now.text == "Photos and cameras are kept. Press Go on for the rest."
    assert now.start == Start("Go on", True)
    marks = now.marks
    assert marks[Step.PHOTOS].look == marks[Step.CAMERAS].look == "good"
    assert marks[Step.DEPTH] == Mark("begun")
    assert marks[Step.MESH].look == "plain"


def test_a_run_that_was_cancelled_in_its_first_step_keeps_what_was_begun() -> None:
    progress = steps("begun", "waiting", "waiting", "waiting", "waiting", "waiting")
    for outlook in (None, foreseen()):
        now = told("cancelled", steps=progress, outlook=outlook)
        assert "goes on from where it stopped" in now.line
        assert "everything" not in now.line
        assert now.marks[Step.PHOTOS] == Mark("begun")
        assert now.start == Start("Go on", True)


def test_a_run_that_found_no_step_finished_does_not_speak_of_kept_ones() -> None:
    now = told("failed", Failure("No photo could be placed."), outlook=foreseen())
    assert now.line == "No step was finished. Computes everything: about 4 min."
    assert "kept" not in f"{now.headline} {now.text}"
    assert now.start == Start("Try again", True)


def test_a_crash_says_why_where_the_model_would_be() -> None:
    progress = steps("done", "failed", "waiting", "waiting", "waiting", "waiting")
    crash = Failure("The computation ended unexpectedly (SIGSEGV).")
    for outlook in (None, foreseen(Step.PHOTOS)):
        now = told("failed", crash, steps=progress, outlook=outlook)
        assert now.headline == now.title == "Ended early"
        assert now.text.startswith(crash.message)
        assert "Photos are kept." in now.text
        assert now.marks[Step.PHOTOS].look == "good"
        assert now.marks[Step.CAMERAS] == Mark("failed", "bad")
        assert now.start == Start("Go on", True)


def test_a_program_that_was_killed_goes_on_where_it_stopped() -> None:
    now = told(outlook=foreseen(Step.PHOTOS, Step.CAMERAS))
    assert now.headline == now.title == "Ready to go on"
    assert "Photos and cameras are kept." in now.text
    assert now.start.label == "Go on"
    assert words(now.marks)[:3] == ["kept", "kept", "to do"]


def test_a_saved_model_that_is_being_read_invites_to_nothing() -> None:
    for outlook in (None, foreseen(*EVERYTHING)):
        now = told(shown="loading", outlook=outlook)
        assert now.title == "Opening the model"
        assert not now.start.is_enabled
    now = told(shown="something", outlook=foreseen(*EVERYTHING))
    assert now.is_up_to_date
    assert (now.headline, now.line) == ("Done", "Everything is up to date.")


def test_a_finished_run_is_up_to_date_before_the_forecast_says_so() -> None:
    for outlook in (None, foreseen(*EVERYTHING)):
        now = told("done", elapsed_seconds=75, outlook=outlook, steps=steps(*["done"] * 6))
        assert now.is_up_to_date
        assert (now.headline, now.line) == (
            "Done in 1:15", "3,000 triangles, 11 of 12 photos placed",
        )  # fmt: skip
        assert words(now.marks) == ["1:05"] * 6


def test_a_changed_setting_after_a_run_is_no_longer_done() -> None:
    now = told(
        "done", request=OTHER, shown="something", outlook=foreseen(Step.PHOTOS, request=OTHER)
    )
    assert now.headline == "Ready"
    assert now.start == Start("Start", True)
    assert words(now.marks)[:2] == ["kept", "to do"]
    assert "Photos are kept." in now.more


def test_an_outlook_on_earlier_settings_does_not_say_done() -> None:
    assert not told(request=OTHER, outlook=foreseen(*EVERYTHING), shown="something").is_up_to_date


def test_saving_is_told_while_it_goes_on() -> None:
    job = Job(ExportRequest(workspace=Path("s"), reached={}, outputs=Outputs()), 2, "running")
    job.note = "scene.glb"
    now = told("done", saving=job, outlook=foreseen(*EVERYTHING))
    assert (now.headline, now.line) == ("Saving", "scene.glb")


def test_a_3d_view_that_is_gone_is_told_in_its_place_only() -> None:
    now = told(outlook=foreseen(), is_view_gone=True)
    assert now.title == "The 3D view has stopped"
    assert now.headline == "Ready"
    assert now.start.is_enabled
