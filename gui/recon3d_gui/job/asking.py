"""Forecasts asked for when the project has come to rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from recon3d_gui.job.controller import JobController
from recon3d_gui.job.messages import RunRequest

if TYPE_CHECKING:
    from recon3d_gui.project.project import Project

_REST_SECONDS = 0.3


def run_request(project: Project) -> RunRequest:
    """What pressing Start means for a project."""
    return RunRequest(
        inputs=project.inputs,
        workspace=project.workspace,
        config=project.config,
        device=project.device,
    )


class Asking:
    """Asks once for each change, a moment after the last one; a slider in motion asks nothing."""

    def __init__(self, jobs: JobController, now: Callable[[], float] = time.monotonic) -> None:
        self._jobs, self._now = jobs, now
        self._wanted: RunRequest | None = None
        self._asked: RunRequest | None = None
        self._changed_at = 0.0
        self._revision = -1

    def again(self) -> None:
        """Ask once more about the same: the answer may be another one."""
        self._asked = None

    def tick(self, project: Project, revision: int) -> None:
        """Call it often; revision: grows with every change of the project."""
        now = self._now()
        if revision != self._revision:
            self._revision, self._changed_at = revision, now
            self._wanted = run_request(project) if project.sources else None
        if self._wanted != self._asked and now - self._changed_at >= _REST_SECONDS:
            self._asked = self._wanted
            if self._wanted:
                self._jobs.forecast(self._wanted)
            else:
                self._jobs.forget_outlook()
