"""Finished runs of a project: noted when they end, found again in the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from recon3d_gui.project.markers import stamp
from recon3d_gui.project.project import Project, RunRecord

MOST_RUNS = 50


def with_run(
    project: Project, started: Project, reached: Mapping[str, Path], finished_at: datetime
) -> tuple[RunRecord, ...]:
    """The project's runs and one more; a run that found everything there takes its twin's place.

    started: the project as it was when the run began; a person may have changed it since.
    reached: by stage: the folder of its result.
    """
    keys = {stage: folder.name for stage, folder in reached.items()}
    others = [run for run in project.runs if run.reached != keys]
    twin = next((run for run in project.runs if run.reached == keys), None)
    record = RunRecord(
        name=twin.name if twin else f"Run {_last_number(project) + 1}",
        finished_at=finished_at.astimezone(),
        preset=started.preset,
        changes=started.changes,
        reached=keys,
        markers=stamp(started.markers),
    )
    return (*others, record)[-MOST_RUNS:]


def folders(run: RunRecord, workspace: Path) -> dict[str, Path]:
    """By stage: where a run's results lie; empty if the workspace has lost any of them."""
    found = {stage: workspace / stage / key for stage, key in run.reached.items()}
    return found if all((folder / "manifest.json").is_file() for folder in found.values()) else {}


def _last_number(project: Project) -> int:
    numbers = (run.name.removeprefix("Run ") for run in project.runs)
    return max((int(number) for number in numbers if number.isdecimal()), default=0)
