"""Scale, up, crop and markers act at once: on what is shown, and so on what is exported."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from recon3d.config import preset, updated
from recon3d_gui.job.controller import JobController
from recon3d_gui.job.messages import AdjustRequest
from recon3d_gui.project.markers import stamp

if TYPE_CHECKING:
    from recon3d_gui.project.project import Changes, Project, RunRecord

_REST_SECONDS = 0.3


def shown_run(project: Project, reached: Mapping[str, Path]) -> RunRecord | None:
    """The finished run of the project that lies in these folders."""
    keys = {stage: folder.name for stage, folder in reached.items()}
    return next((run for run in project.runs if run.reached == keys), None)


def takes_markers(run: RunRecord, project: Project) -> bool:
    """Whether other markers change no camera of a run, so that they can act at once."""
    was = updated(preset(run.preset), run.changes)
    return not (was.control.adjust or project.config.control.adjust)


def adjusted_changes(run: RunRecord, project: Project) -> Changes:
    """The settings of a run with the project's scale, up and crop."""
    own = {stage: dict(settings) for stage, settings in run.changes.items()}
    own["frame"] = dict(project.changes.get("frame", {}))
    if takes_markers(run, project) and (project.markers or run.markers):
        own["control"] = dict(project.changes.get("control", {}))
    own["mesh"] = {name: value for name, value in own.get("mesh", {}).items() if name != "crop"}
    crop = project.changes.get("mesh", {}).get("crop")
    if crop is not None:
        own["mesh"]["crop"] = crop
    return {stage: settings for stage, settings in own.items() if settings}


def adjustment(project: Project, reached: Mapping[str, Path]) -> AdjustRequest | None:
    """What is to be done for the shown model to stand as the project says; None: nothing."""
    run = shown_run(project, reached)
    if run is None or "frame" not in reached:
        return None
    base = preset(run.preset)
    is_now, wanted = updated(base, run.changes), updated(base, adjusted_changes(run, project))
    takes = takes_markers(run, project)
    is_marked = takes and stamp(project.markers) != run.markers
    if is_now == wanted and not is_marked:
        return None
    changes = is_marked or is_now.control != wanted.control
    return AdjustRequest(
        workspace=project.workspace,
        reached=dict(reached),
        config=wanted,
        device=project.device,
        # A solid's floor lies in the frame.
        cuts=is_now.mesh.crop != wanted.mesh.crop or wanted.solid.watertight,
        markers=project.markers if changes else None,
    )


def pending_crop(project: Project, reached: Mapping[str, Path]) -> tuple[float, ...] | None:
    """The box that the shown model is to be cut to, which takes a while to compute."""
    run = shown_run(project, reached)
    if run is None or "frame" not in reached:
        return None
    is_now, wanted = updated(preset(run.preset), run.changes), project.config
    if wanted.mesh.crop == is_now.mesh.crop or wanted.frame != is_now.frame:
        return None
    return wanted.mesh.crop


def adjusted_runs(
    project: Project, started: Project, request: AdjustRequest, reached: Mapping[str, Path]
) -> tuple[RunRecord, ...]:
    """The project's runs after it: the one that was shown has other settings and results.

    started: the project as it was when this began; a person may have changed it since.
    """
    before = shown_run(project, request.reached)
    if before is None:
        return project.runs
    keys = {stage: folder.name for stage, folder in reached.items()}
    marks = before.markers if request.markers is None else stamp(request.markers)
    changes = adjusted_changes(before, started)
    after = replace(before, changes=changes, reached=keys, markers=marks)
    others = [run for run in project.runs if run is before or run.reached != keys]
    return tuple(after if run is before else run for run in others)


class Adjusting:
    """Begins it a moment after the last change; what has failed is not tried again."""

    def __init__(self, jobs: JobController, now: Callable[[], float] = time.monotonic) -> None:
        self._jobs, self._now = jobs, now
        self._stamp: object = None
        self._changed_at = 0.0
        self._is_due = False
        self._tried: AdjustRequest | None = None

    def tick(self, project: Project, reached: Mapping[str, Path], stamp: object) -> bool:
        """Call it often; whether it has begun now.

        stamp: another one with every change of project or folders.
        """
        now = self._now()
        if stamp != self._stamp:
            self._stamp, self._changed_at, self._is_due = stamp, now, True
        if not self._is_due or self._jobs.busy or now - self._changed_at < _REST_SECONDS:
            return False
        self._is_due = False
        request = adjustment(project, reached)
        if request is None or request == self._tried:
            return False
        self._tried = request
        self._jobs.adjust(request)
        return True
