"""Saving by itself: into the project's file, or into a safe place until it has one."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil
from platformdirs import user_data_path

from recon3d.core.errors import OutputError
from recon3d_gui.project.file import SUFFIX, save_project
from recon3d_gui.project.project import Project

QUIET_SECONDS = 2.0
"""Nothing is written while a person goes on changing things."""


_SAME_START_SECONDS = 5


def unsaved_folder() -> Path:
    """Where projects without a file are kept from being lost."""
    return user_data_path("recon3d", appauthor=False) / "unsaved"


class Autosave:
    """Writes the project two seconds after its last change, in a thread of its own."""

    def __init__(
        self,
        project: Project,
        file: Path | None = None,
        *,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """file: the project's own; folder: for a project that has none, unsaved_folder()."""
        # Compared by identity, each frame: a change makes a new project.
        self._latest = self._tried = self._saved = project
        self._folder = folder or unsaved_folder()
        self._file = file
        self._clock = clock
        self._changed_at = 0.0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="autosave")
        self._write: Future[None] | None = None

    @property
    def file(self) -> Path | None:
        """The project's own file; None: it was never saved."""
        return self._file

    @property
    def dirty(self) -> bool:
        """Whether something is not yet on the disk."""
        return self._latest is not self._saved

    def tick(self, project: Project) -> OutputError | None:
        """Call often with the current project; returns why writing has failed, once for each try.

        A failed write is tried again after the next change.
        """
        if project is not self._latest:
            self._latest, self._changed_at = project, self._clock()
        failure = self._outcome()
        if (
            self._write is None
            and self._latest is not self._tried
            and self._clock() - self._changed_at >= QUIET_SECONDS
        ):
            self._start()
        return failure

    def save_as(self, file: Path, project: Project) -> None:
        """Give the project a file; blocks until it is written.

        Raises:
            OutputError: the place cannot be written; the project keeps the file it had.
        """
        self._finish()
        save_project(project, file)
        self._forget_unsaved()
        self._file = file
        self._latest = self._tried = self._saved = project

    def close(self, *, keep: bool = True, may_write: bool = True) -> OutputError | None:
        """Write what is not yet written; returns why that failed.

        Args:
            keep: False throws away a project that was never saved.
            may_write: False leaves the project's file as it is: it is another window's.
        """
        failure = self._finish()
        if self._file is None and not keep:
            self._forget_unsaved()
        elif self.dirty and may_write:
            self._start()
            failure = self._finish()
        self._pool.shutdown()
        # The program may go on with another project that was never saved.
        with suppress(OSError):
            _unsaved_file(self._folder).rename(self._folder / f"left-{uuid4().hex}{SUFFIX}")
        return failure

    def take_over(self, left: Path) -> None:
        """Go on in place of whoever left a project without saving it: one of abandoned_projects."""
        with suppress(OSError):
            left.replace(_unsaved_file(self._folder))

    def _start(self) -> None:
        self._tried = self._latest
        file = self._file or _unsaved_file(self._folder)
        self._write = self._pool.submit(save_project, self._tried, file)

    def _outcome(self) -> OutputError | None:
        if self._write is None or not self._write.done():
            return None
        done, self._write = self._write, None
        try:
            done.result()
        except OutputError as error:
            return error
        self._saved = self._tried
        return None

    def _finish(self) -> OutputError | None:
        if self._write is not None:
            self._write.exception()  # waits
        return self._outcome()

    def _forget_unsaved(self) -> None:
        with suppress(OSError):
            _unsaved_file(self._folder).unlink()


def abandoned_projects(folder: Path | None = None) -> list[Path]:
    """Projects that were never saved and whose program is gone, latest first."""
    found = []
    for file in (folder or unsaved_folder()).glob(f"*{SUFFIX}"):
        with suppress(OSError):
            if not _is_running(file.stem):
                found.append((file.stat().st_mtime, file))
    return [file for _, file in sorted(found, reverse=True)]


def _unsaved_file(folder: Path) -> Path:
    process = psutil.Process()
    return folder / f"{process.pid}-{process.create_time():.0f}{SUFFIX}"


def _is_running(name: str) -> bool:
    """Whether the program that wrote an unsaved project still works on it."""
    pid, _, started = name.partition("-")
    try:
        # Told from the boot's time, which moves when the clock is set.
        return abs(psutil.Process(int(pid)).create_time() - int(started)) < _SAME_START_SECONDS
    except (ValueError, psutil.Error):
        return False
