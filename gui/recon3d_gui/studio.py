"""Everything that the window shows and can do, without the window."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_config_path

from recon3d.core.errors import OutputError, ReconError
from recon3d.run.memory import return_freed_memory
from recon3d_gui.calibration.session import CalibrationSession
from recon3d_gui.dialogs import Dialogs
from recon3d_gui.job import desktop
from recon3d_gui.job.adjusting import Adjusting, adjusted_runs
from recon3d_gui.job.asking import Asking, run_request
from recon3d_gui.job.controller import JobController
from recon3d_gui.job.costs import Costs
from recon3d_gui.job.messages import AdjustRequest
from recon3d_gui.job.state import ExportEnded, Notification, RunEnded, StageBegun, StageReached
from recon3d_gui.job.steps import COSTS, MARKED
from recon3d_gui.notices import Notices, ToastKind
from recon3d_gui.photos.photo_list import PhotoList
from recon3d_gui.project.autosave import Autosave
from recon3d_gui.project.claim import Claim
from recon3d_gui.project.file import SUFFIX, Opened
from recon3d_gui.project.history import History
from recon3d_gui.project.opening import (
    MESH_SUFFIXES,
    new_project,
    open_project,
    title_of,
    workspace_for,
)
from recon3d_gui.project.preferences import Preferences, read_preferences, write_preferences
from recon3d_gui.project.project import Project
from recon3d_gui.project.runs import folders, with_run
from recon3d_gui.questions import Purpose, Questions
from recon3d_gui.situation import Facts, Shown, Situation, situation
from recon3d_gui.viewer.client import ViewerClient

Page = Literal["model", "photo", "calibration"]

_log = logging.getLogger(__name__)


class Studio:
    """The open project, its runs and what is shown of them; `tick` it each frame.

    Panels read it and call it; nothing here ever waits for a disk, a process or a person.
    """

    def __init__(
        self,
        preferences: Preferences | None = None,
        *,
        jobs: JobController | None = None,
        viewer: ViewerClient | None = None,
        dialogs: Dialogs | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.preferences = preferences or read_preferences()
        self.history = History(new_project())
        self.revision = 0
        """Grows with each change of the project."""
        self.reached: Mapping[str, Path] = {}
        """By stage: the finished folders of the run that is shown."""
        self.reached_revision = 0
        self.begun: tuple[str, Path] | None = None
        """The stage after those that is at work, or was when the run was stopped, and where."""
        self.selected_photo: str | None = None
        self.page: Page = "model"
        self.notices = Notices(now)
        self.is_watched = True
        """Whether the window has the keyboard; otherwise the desktop is told of ends."""
        self.dialogs = dialogs or Dialogs()
        self.ask = Questions(self.dialogs, self._usual_folder, self._remember_folder)
        self.calibration = CalibrationSession()
        self.jobs = jobs or JobController(Costs(_costs_file()))
        self.viewer = viewer or ViewerClient()
        self.photos = PhotoList(self.change, self.toast)
        self.photos.tick(self.project, self.reached)
        self._asking, self._adjusting = Asking(self.jobs), Adjusting(self.jobs)
        self._autosave = Autosave(self.project)
        self._claim = Claim()
        self._started = self.project
        self._answers: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    # --- the project -------------------------------------------------------------------------

    @property
    def project(self) -> Project:
        """As it is now."""
        return self.history.project

    @property
    def file(self) -> Path | None:
        """Where the project is saved; None: nowhere yet."""
        return self._autosave.file

    @property
    def title(self) -> str:
        """What the project is called."""
        return self.file.stem if self.file else title_of(self.project)

    @property
    def elsewhere(self) -> str:
        """Where the project is open already, in words; then nothing of it is written here."""
        return self._claim.elsewhere

    def change(self, label: str, **changed: Any) -> None:
        """Replace fields of the project, as one step that undo takes back."""
        before = self.project
        if not before.runs and before.workspace == workspace_for(before.sources):
            # Nothing is there yet, so the place for results follows the photos.
            changed = {
                "workspace": workspace_for(changed.get("sources", before.sources)),
                **changed,
            }
        try:
            if self.history.change(label, **changed):
                self.revision += 1
        except ReconError as error:
            self.toast(str(error), "warning", error.hint)

    def amend(self, **changed: Any) -> None:
        """Replace what undo leaves alone: runs, view."""
        self.history.amend(**changed)

    def undo(self) -> None:
        """Take the latest step back."""
        if label := self.history.undo():
            self.revision += 1
            self.toast(f"Undone: {label}")

    def redo(self) -> None:
        """Do again what undo took back."""
        if label := self.history.redo():
            self.revision += 1
            self.toast(f"Done again: {label}")

    def new(self) -> None:
        """Begin an empty project; the one before is saved."""
        if self._may_leave():
            self._adopt(Opened(new_project()))

    def open(self, path: Path) -> None:
        """Open a project, a workspace, or a mesh; the one before is saved."""
        if not self._may_leave():
            return
        if path.suffix.lower() in MESH_SUFFIXES and not path.with_suffix(".recon3d").is_dir():
            self.viewer.open_mesh(path)
            self.page = "model"
            return

        def read() -> Callable[[], None]:
            opened = open_project(path)
            return lambda: self._adopt(opened, path)

        self.in_background(read)

    def recover(self, left: Path) -> None:
        """Open a project that was left without being saved; it stays without a file."""
        if not self._may_leave():
            return

        def adopt(opened: Opened) -> None:
            self._adopt(replace(opened, file=None))
            self._autosave.take_over(left)

        def read() -> Callable[[], None]:
            return partial(adopt, open_project(left))

        self.in_background(read)

    def forget_unsaved(self, left: Path) -> None:
        """Throw away a project that was left without being saved."""
        with suppress(OSError):
            left.unlink()

    def save(self) -> None:
        """Save the project where it is, or ask where."""
        if self.file and self._claim.elsewhere:
            self.toast(self._claim.elsewhere, "warning")
        elif self.file:
            self._save(self.file)
        else:
            self.save_as()

    def save_as(self) -> None:
        """Ask where to save the project."""
        self.ask.save("Save the project", f"{self.title}{SUFFIX}", self._save)

    def ask_open(self) -> None:
        """Ask for a project."""
        self.ask.file("Open a project", self.open)

    # --- runs -----------------------------------------------------------------------------------

    @property
    def situation(self) -> Situation:
        """How things stand, as every part of the window says it."""
        jobs, photos, progress = self.jobs, self.photos, self.jobs.progress
        return situation(
            Facts(
                elsewhere=self.elsewhere,
                has_sources=bool(self.project.sources),
                is_listing=photos.is_listing,
                photos=len(photos.rows),
                excluded=sum(row.state == "excluded" for row in photos.rows),
                broken=photos.broken,
                problem=photos.problem,
                hint=photos.hint,
                request=run_request(self.project) if self.project.sources else None,
                run=jobs.run,
                saving=jobs.saving,
                steps=progress.steps if progress else {},
                elapsed_seconds=progress.elapsed_seconds if progress else 0.0,
                seconds_left=progress.seconds_left() if progress and jobs.run.busy else 0.0,
                warnings=len(jobs.warnings),
                outlook=jobs.outlook,
                shown=self._shown,
                is_view_gone=self.viewer.is_gone,
            )
        )

    @property
    def shows_model(self) -> bool:
        """Whether the 3D view has something to show, be it points."""
        return self._shown == "something"

    @property
    def _shown(self) -> Shown:
        loaded = self.viewer.loaded.get("a")
        if loaded and (loaded.layers or loaded.views):
            return "something"
        return "loading" if self.viewer.note or self.viewer.is_reading else "nothing"

    def start(self) -> None:
        """Compute what the project asks for."""
        if not self.situation.start.is_enabled:
            return
        self._started = self.project
        self._show({})
        self.page = "model"
        self.jobs.start(run_request(self.project))

    def watch(self, is_focused: bool) -> None:
        """Whether the window has the keyboard; who comes back to it may have mended files."""
        comes_back, self.is_watched = is_focused and not self.is_watched, is_focused
        outlook = self.jobs.outlook
        if comes_back and (self.photos.problem or (outlook and outlook.problem)):
            self.look_again()

    def look_again(self) -> None:
        """Files of the project have changed on the disk."""
        self.photos.refresh()
        self._asking.again()

    def show_photo_in_model(self, name: str) -> None:
        """Look from where a photo was taken, with the photo over the model.

        name: its id in the run that is shown.
        """
        self.selected_photo, self.page = self.photos.of_run(name), "model"
        if self.viewer.navigator.to_photo(name):
            backdrop = self.viewer.style.backdrop or 0.5
            self.viewer.restyle(selected=name, backdrop=backdrop)
        else:
            self.toast(f"{name} could not be placed, so there is no view from it.")

    @property
    def selected_view(self) -> str | None:
        """The selected photo's id in the run that is shown."""
        row = self.photos.row(self.selected_photo) if self.selected_photo else None
        return (row.run_name or row.id) if row else self.selected_photo

    # --- the window ---------------------------------------------------------------------------

    def toast(self, text: str, kind: ToastKind = "info", details: str = "") -> None:
        """Show a short message."""
        self.notices.tell(text, kind, details)

    def open_file(self, file: Path) -> None:
        """Open a file with the desktop's program for it, or say where it lies."""
        desktop.open_file(file, partial(self._nothing_opens, file))

    def show_in_folder(self, path: Path) -> None:
        """Show a file or folder in the desktop's file manager, or say where it lies."""
        desktop.show_in_folder(path, partial(self._nothing_opens, path))

    def _nothing_opens(self, path: Path) -> None:
        self._answers.put(partial(self.toast, desktop.nothing_opens(path), "warning"))

    def prefer(self, **changed: Any) -> None:
        """Remember something about the user."""
        self.preferences = replace(self.preferences, **changed)

    @property
    def is_busy(self) -> bool:
        """Whether something moves by itself, so that the window should be drawn often."""
        return (
            self.jobs.busy
            or self.calibration.state != "idle"
            or self.viewer.is_busy
            or self.photos.is_busy
        )

    @property
    def stamp(self) -> tuple[object, ...]:
        """Another one whenever something that is shown may have changed."""
        parts = (self.jobs, self.photos, self.calibration)
        return (
            self.revision, self.reached_revision, *(part.revision for part in parts),
            self.page, self.selected_photo, self.title, self.dialogs.typed, self.is_busy,
            *map(id, self.notices.shown),
        )  # fmt: skip

    def tick(self) -> None:
        """Take in what has happened; each frame."""
        while not self._answers.empty():
            self._answers.get()()
        self.dialogs.poll()
        for notification in self.jobs.poll():
            self._hear(notification)
        self.calibration.poll()
        self.photos.tick(self.project, self.reached, busy=self.jobs.busy)
        self._asking.tick(self.project, self.revision)
        self._keep_claim()
        stamp = (self.revision, self.reached_revision)
        if not self._claim.elsewhere and self._adjusting.tick(self.project, self.reached, stamp):
            self._started = self.project
        if not self._claim.elsewhere and (failure := self._autosave.tick(self.project)):
            self.toast(f"The project could not be saved: {failure}", "bad", failure.hint)
        self.notices.tick()

    def close(self) -> None:
        """End every process and save; may take a second."""
        self.dialogs.close()
        self.jobs.close()
        self.calibration.close()
        self.viewer.close()
        self.photos.close()
        empty = not self.project.sources
        may_write = not self._claim.elsewhere
        if failure := self._autosave.close(keep=not empty, may_write=may_write):
            _log.error("the project could not be saved: %s", failure)
        self._claim.release()
        with suppress(OutputError):
            write_preferences(self.preferences)

    def _keep_claim(self) -> None:
        places = (self.project.workspace,) if self.project.sources else ()
        if self._claim.want(*places, *([self.file] if self.file else ())):
            self.toast("The other window is closed, so you can go on here.", "good")
            if self.file:
                self.open(self.file)  # it may have changed meanwhile

    def _may_leave(self) -> bool:
        if self.jobs.busy:
            self.toast("Cancel the run first, or wait until it is done.", "warning")
            return False
        return True

    def _adopt(self, opened: Opened, path: Path | None = None) -> None:
        project = opened.project
        may_write = not self._claim.elsewhere
        is_kept = bool(self.project.sources)
        if failure := self._autosave.close(keep=is_kept, may_write=may_write):
            self.toast(f"The project before could not be saved: {failure}", "bad", failure.hint)
        self.history = History(project)
        self._autosave = Autosave(project, opened.file)
        self.revision += 1
        self.selected_photo, self.page = None, "model"
        self.jobs.forget_run()
        self.viewer.show({})  # of the project before
        latest = project.runs[-1] if project.runs else None
        self._show(folders(latest, project.workspace) if latest else {})
        self.viewer.navigator.restore(project.view)
        if path and (kept := opened.file or path).suffix != ".ply":
            self.preferences = self.preferences.with_recent(kept)
        for note in opened.notes:
            self.toast(note, "warning")
        return_freed_memory()

    def _save(self, file: Path) -> None:
        file = file if file.suffix.lower() == SUFFIX else file.with_name(file.name + SUFFIX)
        try:
            self._autosave.save_as(file, self.project)
        except OutputError as error:
            self.toast(str(error), "bad", error.hint)
            return
        self.preferences = self.preferences.with_recent(file)
        self.toast(f"Saved {file.name}.", "good")

    def _usual_folder(self, purpose: Purpose) -> Path:
        return self.preferences.last_folders.get(purpose, self.project.workspace.parent)

    def _remember_folder(self, purpose: Purpose, folder: Path) -> None:
        self.preferences = self.preferences.with_folder(purpose, folder)

    def in_background(self, work: Callable[[], Callable[[], None]]) -> None:
        """Do what may be slow in a thread, and what it returns on the main thread."""

        def run() -> None:
            try:
                self._answers.put(work())
            except ReconError as error:
                self._answers.put(partial(self.toast, str(error), "bad", error.hint))

        threading.Thread(target=run, daemon=True).start()

    def _show(self, reached: Mapping[str, Path]) -> None:
        self.reached, self.begun = dict(reached), None
        self.reached_revision += 1

    def _hear(self, notification: Notification) -> None:
        match notification:
            case StageBegun(stage, folder):
                self.begun = (stage, folder)
            case StageReached(stage, folder):
                self._show({**_without_later(self.reached, stage), stage: folder})
            case RunEnded():
                self._run_ended(notification)
            case ExportEnded("failed", _, _, failure) if failure:
                self.toast(failure.message, "bad", failure.hint)

    def _run_ended(self, ended: RunEnded) -> None:
        if ended.state == "done" and isinstance(ended.request, AdjustRequest):
            runs = adjusted_runs(self.project, self._started, ended.request, ended.reached)
            self.amend(runs=runs)
            self._show(ended.reached)
        elif ended.state == "done":
            runs = with_run(self.project, self._started, ended.reached, datetime.now())
            self.amend(runs=runs)
            self._show(ended.reached)
            self.toast("Your model is ready.", "good")
            self._tell_desktop("Your model is ready.")
        elif ended.state == "failed" and ended.failure:
            # The strip at the bottom says it, and for longer than a toast.
            self._tell_desktop(ended.failure.message)
        elif ended.state == "cancelled":
            self.toast("Stopped. What is finished is kept; press Go on to continue.")

    def _tell_desktop(self, text: str) -> None:
        if not self.is_watched:
            desktop.notify(f"recon3d: {self.title}", text)


def _without_later(reached: Mapping[str, Path], stage: str) -> dict[str, Path]:
    """Without what an earlier run made from another result of this stage; the frame stays."""
    if stage in MARKED:
        return dict(reached)
    order = [*COSTS]
    return {
        each: folder
        for each, folder in reached.items()
        if each == "frame" or order.index(each) < order.index(stage)
    }


def _costs_file() -> Path:
    return user_config_path("recon3d", appauthor=False) / "costs.json"
