"""Runs, exports and forecasts as the window knows them; no call ever waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from recon3d.run.task import Event
from recon3d_gui.failure import Failure
from recon3d_gui.job.costs import Costs, Load, clock
from recon3d_gui.job.messages import (
    AdjustRequest,
    Amount,
    Ask,
    AskForecast,
    Begun,
    Cancel,
    Done,
    ExportRequest,
    Failed,
    Foreseen,
    Logged,
    News,
    RunRequest,
    Stopped,
    Summary,
    Told,
)
from recon3d_gui.job.outlook import Outlook, outlook_of
from recon3d_gui.job.process import JobProcess
from recon3d_gui.job.progress import RunProgress
from recon3d_gui.job.state import (
    Computed,
    ExportEnded,
    Job,
    LogLine,
    Notification,
    OutlookChanged,
    RunEnded,
    StageBegun,
    StageReached,
    State,
)
from recon3d_gui.job.steps import ADJUSTED, MARKED, Step, step_of, steps_until

GRACE_SECONDS = 1.0
"""Between Cancel and the end of a process that does not stop by itself: some library calls hold
Python's lock for many seconds, and the workspace survives the end."""
IDLE_SECONDS = 20.0
"""After this the process is ended: what libraries hold after a run, half a gigabyte and more,
belongs to others. The next question starts it again."""
_LOG_LINES = 2000


class JobController:
    """One job at a time, in a process that is started when it is first needed."""

    def __init__(
        self,
        costs: Costs,
        *,
        process: Callable[[], JobProcess] = JobProcess,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run: Job[Computed] = Job()
        self.saving: Job[ExportRequest] = Job()
        """The export."""
        self.progress: RunProgress | None = None
        """Of the latest run."""
        self.reached: dict[str, Path] = {}
        """By stage: the folders of the latest run, growing while it goes on."""
        self.warnings: list[str] = []
        """Of the latest run."""
        self.log: deque[LogLine] = deque(maxlen=_LOG_LINES)
        self.outlook: Outlook | None = None
        """What pressing Start would do, as far as the latest answer knows."""
        self.revision = 0
        """Grows with everything that could be shown, but the clock."""
        self._costs = costs
        self._new_process, self._now = process, now
        self._process: JobProcess | None = None
        self._last_number = 0
        self._question: AskForecast | None = None
        self._load: Load | None = None
        self._kill_at: float | None = None
        self._answered = 0
        """The number of the latest question that was."""
        self._worked_at = 0.0
        self._notifications: list[Notification] = []

    @property
    def state(self) -> State:
        """Of the latest run."""
        return self.run.state

    @property
    def busy(self) -> bool:
        """Whether a run or an export is going on; then neither can be started."""
        return self.run.busy or self.saving.busy

    def start(self, request: RunRequest) -> None:
        """Begin a run.

        Raises:
            ValueError: a job is going on.
        """
        if self.busy:
            raise ValueError("start: a job is going on")
        known = self.outlook if self.outlook and self.outlook.request == request else None
        self._begin(request, steps_until(request.until))
        if known and self.progress:
            self.progress.expect(known.stages)
        self.reached = {}
        self._order_job(self.run)

    def adjust(self, request: AdjustRequest) -> None:
        """Begin to give a finished run another scale, up or crop, or other markers.

        Raises:
            ValueError: a job is going on.
        """
        if self.busy:
            raise ValueError("adjust: a job is going on")
        self._begin(request, [Step.MESH, Step.TEXTURE] if request.cuts else [])
        anew = ADJUSTED if request.markers is None else ADJUSTED | MARKED
        self.reached = {
            stage: folder for stage, folder in request.reached.items() if stage not in anew
        }
        self._order_job(self.run)

    def export(self, request: ExportRequest) -> None:
        """Begin to write files of a run.

        Raises:
            ValueError: a job is going on.
        """
        if self.busy:
            raise ValueError("export: a job is going on")
        self.saving = Job(request, self._next_number(), "starting")
        self._order_job(self.saving)

    def cancel(self) -> None:
        """Stop the job that is going on; what it has finished is kept."""
        job = self._active
        if job and job.state != "cancelling" and self._process:
            job.state = "cancelling"
            self._process.send(Cancel(job.number))
            self._kill_at = self._now() + GRACE_SECONDS
            self.revision += 1

    def forecast(self, request: RunRequest) -> None:
        """Ask what a run would do; an OutlookChanged brings the answer, after a run if one goes on.

        It is asked again by itself when a run has changed the workspace.
        """
        self._question = AskForecast(self._next_number(), request)
        if process := self._living_process():
            process.send(self._question)

    def forget_run(self) -> None:
        """Another project is open, to which the latest run does not belong.

        Raises:
            ValueError: a job is going on.
        """
        if self.busy:
            raise ValueError("forget_run: a job is going on")
        self.run, self.saving, self.progress = Job(), Job(), None
        self.reached, self.warnings = {}, []
        self.log.clear()
        self.forget_outlook()

    def forget_outlook(self) -> None:
        """There is nothing to foresee: the project has no photos."""
        self._question = self.outlook = None
        self.revision += 1

    def poll(self) -> list[Notification]:
        """Take in what has happened; call it often."""
        process = self._process
        if process:
            over = process.ended
            for news in process.news():
                self._take(news)
                self.revision += 1
            if over:
                self._process = None
                self._lost(process)
        self._rest()
        if self._kill_at is not None and self._now() > self._kill_at:
            self._kill()
        found, self._notifications = self._notifications, []
        return found

    def close(self) -> None:
        """End the process; a job that is going on is lost but for what it has finished."""
        if self._process:
            self._process.close()
            self._process = None

    @property
    def _active(self) -> Job[Computed] | Job[ExportRequest] | None:
        return self.run if self.run.busy else self.saving if self.saving.busy else None

    def _begin(self, request: Computed, steps: Sequence[Step]) -> None:
        amount = self.outlook.amount if self.outlook else Amount()
        self._load = Load(amount, request.config, request.device)
        self.progress = RunProgress(steps, self._expected, self._now)
        self.warnings = []
        self.log.clear()
        self.run = Job(request, self._next_number(), "starting")

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _order_job(self, job: Job[Computed] | Job[ExportRequest]) -> None:
        self.revision += 1
        assert job.request
        if process := self._living_process():
            process.send(Ask(job.number, job.request))
            return
        self._end("failed", failure=Failure(
            "The system starts no more programs.",
            "Close some others, or restart the computer, then try again.",
        ))  # fmt: skip

    def _living_process(self) -> JobProcess | None:
        if self._process is None:
            try:
                self._process = self._new_process()
            except OSError:
                return None
        return self._process

    def _rest(self) -> None:
        """End a process that has had nothing to do for a while."""
        is_asked = self._question is not None and self._question.number != self._answered
        if self.busy or is_asked:
            self._worked_at = self._now()
        elif self._process and self._now() - self._worked_at > IDLE_SECONDS:
            self._process.kill()
            self._process = None

    def _kill(self) -> None:
        self._kill_at = None
        if self._process:
            self._process.kill()
            self._process = None
        self._end("cancelled")

    def _lost(self, process: JobProcess) -> None:
        """The process is gone, and nobody has asked it to."""
        job = self._active
        if job and job.state == "cancelling":
            self._end("cancelled")
        elif job:
            self._end("failed", failure=process.crash())

    def _take(self, news: News) -> None:
        if isinstance(news, Foreseen):
            self._answered = news.number
            if self._question and news.number == self._question.number:
                self.outlook = outlook_of(news, self._question.request, self._costs)
                self._notifications.append(OutlookChanged(self.outlook))
            return
        job = self._active
        if not job or news.number != job.number:
            return
        match news:
            case Begun(_, amount):
                if job.state == "starting":
                    job.state = "running"
                if self._load and job is self.run:
                    self._load = replace(self._load, amount=amount)
            case Told(_, event):
                self._hear(job, event)
            case Logged(_, level, text):
                self._log(level, text)
            case Done(_, summary):
                self._end("done", summary=summary)
            case Stopped():
                self._end("cancelled")
            case Failed(_, failure):
                self._end("failed", failure=failure)

    def _hear(self, job: Job[Computed] | Job[ExportRequest], event: Event) -> None:
        if event.kind == "progress":
            job.done, job.total, job.note = event.done, event.total, event.note
        if job is not self.run or not self.progress:
            return
        self.progress.take(event)
        step = step_of(event.stage)
        title = step.value if step else event.stage.capitalize()
        match event.kind:
            case "warning":
                self.warnings.append(event.note)
                self._log("warning", f"{title}: {event.note}")
            case "stage_started" if event.folder:
                self._notifications.append(StageBegun(event.stage, Path(event.folder)))
            case "stage_finished" | "stage_cached":
                folder = Path(event.folder)
                self.reached[event.stage] = folder
                self._notifications.append(StageReached(event.stage, folder))
                if event.kind == "stage_cached":
                    self._log("info", f"{title} ({event.stage}): already there")
                    return
                self._log("info", f"{title} ({event.stage}): done in {clock(event.seconds)}")
                if self._load and not self.progress.resumed:
                    self._costs.learn(event.stage, self._load, event.seconds)

    def _log(self, level: str, text: str) -> None:
        at = self.progress.elapsed_seconds if self.progress else 0.0
        self.log.append(LogLine(at, level, text))

    def _end(
        self, state: State, *, summary: Summary | None = None, failure: Failure | None = None
    ) -> None:
        job = self._active
        if not job:
            return
        self.revision += 1
        self._kill_at = None
        job.state, job.summary, job.failure = state, summary, failure
        if job is self.saving:
            assert self.saving.request
            self._notifications.append(ExportEnded(state, self.saving.request, summary, failure))
            return
        assert self.run.request
        if self.progress:
            self.progress.end(failed=state == "failed")
        if failure:
            self._log("error", failure.message)
        self._notifications.append(
            RunEnded(state, self.run.request, summary, failure, dict(self.reached))
        )
        threading.Thread(target=self._costs.save).start()
        # What it said of the workspace is no longer so.
        self.outlook = None
        if self._question:
            self.forecast(self._question.request)

    def _expected(self, stage: str) -> float:
        return self._costs.seconds(stage, self._load) if self._load else 0.0
