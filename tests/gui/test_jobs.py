"""Runs as the window knows them: forecasts, words, cancelling and crashes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from films import film
from PIL import Image
from recon3d_gui.failure import Failure
from recon3d_gui.job.asking import Asking, run_request
from recon3d_gui.job.controller import GRACE_SECONDS, IDLE_SECONDS, JobController
from recon3d_gui.job.costs import Costs, Load
from recon3d_gui.job.messages import (
    Amount,
    Ask,
    AskForecast,
    Begun,
    Cancel,
    Done,
    ExportRequest,
    Foreseen,
    Logged,
    News,
    Order,
    RunRequest,
    Stopped,
    Summary,
    Told,
)
from recon3d_gui.job.process import JobProcess
from recon3d_gui.job.state import ExportEnded, OutlookChanged, RunEnded, StageBegun, StageReached
from recon3d_gui.job.steps import COSTS, Step, step_of, steps_until, usual_stages
from recon3d_gui.job.words import failure_text, mentioned, outlook_words, result_words
from recon3d_gui.job.work import amount_of
from recon3d_gui.project.project import Project

from recon3d.config import Config, updated
from recon3d.export.export import Outputs
from recon3d.results import Forecast, Inputs, Until
from recon3d.run.task import CancelToken, Event
from recon3d.stage import STAGES

WHERE = Path("scene.recon3d")
REQUEST = RunRequest(inputs=Inputs(photos=Path("photos")), workspace=WHERE, config=Config())
AMOUNT = Amount(20, 2.0)


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class FakeProcess:
    """What the controller sees of a process, without one."""

    pid = 1

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.waiting: list[News] = []
        self.killed = self.ended = False

    def send(self, order: Order) -> None:
        self.orders.append(order)

    def news(self) -> Iterator[News]:
        said, self.waiting = self.waiting, []
        return iter(said)

    def crash(self) -> Failure:
        return Failure("It ended.", "Press Start.", "SIGSEGV")

    def kill(self) -> None:
        self.killed = True

    close = kill


class Desk:
    """A controller with a clock and processes in the test's hand."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.processes: list[FakeProcess] = []
        self.jobs = JobController(Costs(), process=self._new, now=self.clock)  # type: ignore[arg-type]

    def _new(self) -> FakeProcess:
        self.processes.append(FakeProcess())
        return self.processes[-1]

    @property
    def process(self) -> FakeProcess:
        return self.processes[-1]

    @property
    def number(self) -> int:
        return next(o.number for o in reversed(self.process.orders) if isinstance(o, Ask))

    def say(self, *news: News) -> list[object]:
        self.process.waiting += news
        return list(self.jobs.poll())

    def tell(self, kind: str, stage: str, done: int = 0, total: int = 0, **more: object) -> None:
        event = Event(kind, stage, done, total, **more)  # type: ignore[arg-type]
        self.say(Told(self.number, event))

    def started(self) -> Desk:
        self.jobs.start(REQUEST)
        self.say(Begun(self.number, AMOUNT))
        return self

    def foreseen(self, answer: Forecast | Failure) -> None:
        question = next(o for o in reversed(self.process.orders) if isinstance(o, AskForecast))
        self.say(Foreseen(question.number, answer, AMOUNT))


ONLY_MESH = Forecast(("ingest", "pose", "depth", "refine", "fuse"), ("mesh", "texture"), True)


def test_every_stage_has_its_cost_and_a_step_or_is_the_frame() -> None:
    assert list(COSTS) == list(STAGES)
    assert [stage for stage in STAGES if step_of(stage) is None] == ["control", "bars", "frame"]
    assert len(Step) == len(Until)


def test_a_run_to_the_mesh_has_no_texture_step() -> None:
    assert steps_until(Until.MESH) == list(Step)[:-1]
    assert usual_stages(steps_until(Until.POSE)) == ["ingest", "pose"]


def test_a_run_goes_from_start_to_done_and_tells_what_it_reached() -> None:
    desk = Desk().started()
    assert desk.jobs.state == "running"
    desk.tell("stage_cached", "ingest", folder="w/ingest/a")
    begun = Told(desk.number, Event("stage_started", "pose", folder="w/pose/b.part"))
    assert desk.say(begun) == [StageBegun("pose", Path("w/pose/b.part"))]
    desk.tell("progress", "pose", 3, 9, note="comparing")
    steps = desk.jobs.progress.steps  # type: ignore[union-attr]
    assert (steps[Step.PHOTOS].state, steps[Step.CAMERAS].state) == ("cached", "running")
    said = desk.say(
        Told(desk.number, Event("stage_finished", "pose", seconds=2.0, folder="w/pose/b"))
    )
    assert said == [StageReached("pose", Path("w/pose/b"))]
    summary = Summary(given=20, placed=19, faces=1234, inferred=0.168)
    (ended,) = desk.say(Done(desk.number, summary))
    assert isinstance(ended, RunEnded)
    assert ended.state == "done"
    assert ended.reached == {"ingest": Path("w/ingest/a"), "pose": Path("w/pose/b")}
    words = "1,234 triangles, 17% of the surface inferred, 19 of 20 photos placed"
    assert result_words(summary, 0) == words
    assert desk.jobs.outlook is None  # what it said of the workspace is no longer so


def test_a_second_job_is_refused_while_one_goes_on() -> None:
    desk = Desk().started()
    with pytest.raises(ValueError, match="going on"):
        desk.jobs.start(REQUEST)
    with pytest.raises(ValueError, match="going on"):
        desk.jobs.export(ExportRequest(workspace=WHERE, reached={}, outputs=Outputs()))


def test_cancel_asks_first_and_kills_after_the_grace() -> None:
    desk = Desk().started()
    desk.jobs.cancel()
    assert desk.process.orders[-1] == Cancel(desk.number)
    assert desk.jobs.state == "cancelling"
    desk.clock.seconds += GRACE_SECONDS - 0.1
    assert desk.say() == []
    assert not desk.process.killed
    desk.clock.seconds += 0.2
    (ended,) = desk.say()
    assert isinstance(ended, RunEnded)
    assert ended.state == "cancelled"
    assert desk.process.killed
    desk.jobs.start(REQUEST)  # in a new process
    assert len(desk.processes) == 2


def test_a_job_that_stops_when_asked_is_not_killed() -> None:
    desk = Desk().started()
    desk.jobs.cancel()
    desk.say(Stopped(desk.number))
    desk.clock.seconds += 2 * GRACE_SECONDS
    desk.say()
    assert desk.jobs.state == "cancelled"
    assert not desk.process.killed


def test_a_crash_is_told_and_the_next_run_gets_a_new_process() -> None:
    desk = Desk().started()
    desk.process.ended = True
    (ended,) = desk.say(Logged(desk.number, "info", "last words"))
    assert isinstance(ended, RunEnded)
    assert ended.state == "failed"
    assert ended.failure == Failure("It ended.", "Press Start.", "SIGSEGV")
    text = failure_text(desk.jobs)
    assert all(part in text for part in ("It ended.", "SIGSEGV", "last words", "Python"))
    desk.jobs.start(REQUEST)
    assert len(desk.processes) == 2


def test_a_system_without_room_for_a_process_is_a_message() -> None:
    def refuse() -> JobProcess:
        raise OSError("too many processes")

    jobs = JobController(Costs(), process=refuse)
    jobs.forecast(REQUEST)
    jobs.start(REQUEST)
    (ended,) = jobs.poll()
    assert isinstance(ended, RunEnded)
    assert ended.failure
    assert "no more programs" in ended.failure.message


def test_news_of_earlier_jobs_are_dropped() -> None:
    desk = Desk().started()
    first = desk.number
    desk.say(Stopped(first))
    desk.started()
    assert desk.say(Done(first, Summary()), Stopped(first)) == []
    assert desk.jobs.state == "running"


def test_another_project_starts_afresh() -> None:
    desk = Desk().started()
    with pytest.raises(ValueError, match="going on"):
        desk.jobs.forget_run()
    desk.tell("warning", "pose", note="few photos")
    desk.say(Done(desk.number, Summary(faces=5)))
    desk.jobs.forget_run()
    assert desk.jobs.state == "idle"
    assert not desk.jobs.warnings


def test_an_export_ends_apart_from_the_run() -> None:
    desk = Desk()
    desk.jobs.export(ExportRequest(workspace=WHERE, reached={}, outputs=Outputs()))
    desk.say(Begun(desk.number, Amount()))
    desk.tell("progress", "export", 1, 4, note="scene.glb")
    assert (desk.jobs.saving.done, desk.jobs.saving.total) == (1, 4)
    (ended,) = desk.say(Done(desk.number, Summary(written=(Path("scene.glb"),))))
    assert isinstance(ended, ExportEnded)
    assert desk.jobs.state == "idle"


def test_an_answer_to_an_outdated_question_is_dropped() -> None:
    desk = Desk()
    desk.jobs.forecast(REQUEST)
    old = desk.process.orders[-1].number
    desk.jobs.forecast(REQUEST)
    assert desk.say(Foreseen(old, ONLY_MESH, AMOUNT)) == []
    assert desk.jobs.outlook is None
    desk.foreseen(ONLY_MESH)
    assert desk.jobs.outlook is not None


def test_the_question_is_asked_again_when_a_run_has_changed_the_workspace() -> None:
    desk = Desk()
    desk.jobs.forecast(REQUEST)
    desk.foreseen(ONLY_MESH)
    desk.started()
    asked = sum(isinstance(order, AskForecast) for order in desk.process.orders)
    (ended,) = desk.say(Done(desk.number, Summary()))
    assert isinstance(ended, RunEnded)
    assert sum(isinstance(order, AskForecast) for order in desk.process.orders) == asked + 1


def test_a_process_at_rest_is_ended_and_started_again_when_it_is_needed() -> None:
    desk = Desk()
    desk.jobs.forecast(REQUEST)
    desk.clock.seconds += 2 * IDLE_SECONDS
    desk.say()
    assert not desk.process.killed  # it still looks at the photos
    desk.foreseen(ONLY_MESH)
    desk.started()
    desk.clock.seconds += 100 * IDLE_SECONDS
    desk.say()
    assert not desk.process.killed  # it computes
    desk.say(Done(desk.number, Summary()))
    desk.foreseen(ONLY_MESH)
    desk.clock.seconds += IDLE_SECONDS - 1
    desk.say()
    assert not desk.process.killed
    desk.clock.seconds += 2
    assert desk.say() == []
    assert desk.process.killed
    assert desk.jobs.state == "done"
    assert desk.jobs.outlook
    desk.jobs.forecast(REQUEST)
    assert len(desk.processes) == 2


def test_what_is_known_better_while_a_run_goes_on_counts() -> None:
    desk = Desk().started()  # as of a video: 20 frames at most
    desk.tell("stage_started", "depth")
    expected = desk.jobs._expected("mesh")
    desk.say(Begun(desk.number, Amount(5, 2.0)))
    assert desk.jobs.state == "running"
    assert desk.jobs._expected("mesh") == pytest.approx(expected / 4)


def test_a_project_at_rest_is_asked_about_once(tmp_path: Path) -> None:
    desk = Desk()
    asking = Asking(desk.jobs, desk.clock)
    project = Project(workspace=tmp_path / "a.recon3d", sources=(tmp_path,))
    for revision in range(5):  # a slider in motion
        asking.tick(project, revision)
        desk.clock.seconds += 0.1
    assert desk.processes == []
    desk.clock.seconds += 1
    for _ in range(3):
        asking.tick(project, 4)
    assert [order.request for order in desk.process.orders] == [run_request(project)]  # type: ignore[union-attr]
    desk.foreseen(ONLY_MESH)
    desk.clock.seconds += 1
    asking.tick(Project(workspace=tmp_path / "a.recon3d"), 5)
    desk.clock.seconds += 1
    asking.tick(Project(workspace=tmp_path / "a.recon3d"), 5)
    assert desk.jobs.outlook is None


def test_the_outlook_names_what_is_computed_and_what_stays() -> None:
    desk = Desk()
    desk.jobs.forecast(REQUEST)
    desk.foreseen(ONLY_MESH)
    outlook = desk.jobs.outlook
    assert outlook
    assert outlook.computed == (Step.MESH, Step.TEXTURE)
    assert outlook_words(outlook).startswith("Computes mesh and texture: about ")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Forecast((), ("ingest",), False), "Computes everything: about "),
        (Forecast(("ingest", "pose"), ("depth",), False), "Computes everything from depth on: "),
        (Forecast(("mesh",), (), True), "Everything is up to date."),
        (Forecast(("mesh",), ("frame",), True), "Only turns and scales the model"),
        (Failure("No photos."), "No photos."),
    ],
)
def test_every_outlook_has_words(answer: Forecast | Failure, words: str) -> None:
    desk = Desk()
    desk.jobs.forecast(REQUEST)
    desk.foreseen(answer)
    assert desk.jobs.outlook
    assert outlook_words(desk.jobs.outlook).startswith(words)


def test_a_message_leads_to_the_photo_that_it_names() -> None:
    photos = ["a.jpg", "far/a.jpg", "ü 写真.jpg"]
    assert mentioned("far/a.jpg is too dark", photos) == "far/a.jpg"
    assert mentioned("cannot read ü 写真.jpg", photos) == "ü 写真.jpg"
    assert mentioned("the disk is full", photos) is None


def test_frames_of_a_video_are_counted_and_not_assumed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = film(tmp_path / "ü.mp4", list(rng.integers(0, 255, (15, 240, 320), np.uint8)))
    request = RunRequest(inputs=Inputs(photos=(path,)), workspace=WHERE, config=Config())
    assert amount_of(request, CancelToken()) == Amount(15, pytest.approx(0.0768))
    few = updated(Config(), {"ingest": {"video_frames": 4}})
    assert amount_of(replace(request, config=few), CancelToken()).photos == 4
    costs = Costs()
    load = Load(amount_of(request, CancelToken()), Config())
    assert sum(costs.seconds(stage, load) for stage in usual_stages(list(Step))) < 300
    path.write_bytes(b"no film")
    assert amount_of(request, CancelToken()) == Amount()


@pytest.fixture(scope="module")
def process() -> Iterator[JobController]:
    jobs = JobController(Costs())
    yield jobs
    jobs.close()


def wait(jobs: JobController, kind: type, seconds: float = 60.0) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for said in jobs.poll():
            if isinstance(said, kind):
                return said
        time.sleep(0.01)
    raise TimeoutError(kind)


def one_photo(folder: Path) -> RunRequest:
    """The quickest run there is: one photo of a depth camera."""
    rng = np.random.default_rng(0)
    for name in ("photos", "depth"):
        (folder / name).mkdir()
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(folder / "photos/ü 写真.png")
    slope = np.linspace(900, 1500, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(slope).save(folder / "depth/ü 写真.png")
    return RunRequest(
        inputs=Inputs(photos=folder / "photos", sensor_depth=folder / "depth"),
        workspace=folder / "größe.recon3d",
        config=Config(),
        until=Until.MESH,
    )


@pytest.mark.slow
def test_a_real_process_foresees_runs_exports_and_survives_being_killed(
    process: JobController, tmp_path: Path
) -> None:
    request = one_photo(tmp_path)
    process.forecast(request)
    foreseen = wait(process, OutlookChanged)
    assert isinstance(foreseen, OutlookChanged)
    assert foreseen.outlook.amount.photos == 1
    assert process._process
    if sys.platform != "win32":
        assert psutil.Process(process._process.pid).nice() >= 10
    process.start(request)
    ended = wait(process, RunEnded)
    assert isinstance(ended, RunEnded)
    assert ended.state == "done", ended.failure
    assert ended.summary
    assert ended.summary.faces > 1000
    assert all(folder.is_dir() for folder in ended.reached.values())
    target = tmp_path / "out" / "größe.ply"
    process.export(
        ExportRequest(
            workspace=request.workspace, reached=ended.reached, outputs=Outputs(meshes=(target,))
        )
    )
    saved = wait(process, ExportEnded)
    assert isinstance(saved, ExportEnded)
    assert saved.state == "done", saved.failure
    assert target.is_file()

    first = process._process
    assert first
    first.kill()
    end = time.monotonic() + 10
    while not first.ended and time.monotonic() < end:
        time.sleep(0.01)
    missing = RunRequest(
        inputs=Inputs(photos=tmp_path / "none"), workspace=tmp_path / "n.recon3d", config=Config()
    )
    process.poll()
    process.start(missing)
    failed = wait(process, RunEnded)
    assert isinstance(failed, RunEnded)
    assert failed.state == "failed"
    assert failed.failure
    assert "does not exist" in failed.failure.message
    assert process._process is not first
