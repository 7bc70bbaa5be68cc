"""Finished runs, opened again without their photos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recon3d.results import Results, in_unit_of_depth
from recon3d.run.notes import finished_stage, last_run
from recon3d.run.stage import StageResult
from recon3d.stage import STAGES


def reopen(workspace: Path) -> Results:
    """What the latest finished run of a workspace has made, each part read when asked for.

    Raises:
        InputError: it is not a workspace, no run has finished in it, or it is not whole.
    """
    made = last_run(workspace, STAGES.values())
    # By stage, not by the names that the run noted: those of an earlier version may be others.
    return _whole(
        workspace,
        {
            name if name == "aligned" else STAGES[result.stage].result: result
            for name, result in made.items()
        },
    )


def gather(workspace: Path, reached: Mapping[str, Path]) -> Results:
    """What any run has made, finished or not, each part read when asked for.

    reached: by stage: the folder of its result, as the run's events named it.

    Raises:
        InputError: a folder is gone or not whole.
    """
    made = {
        stage.result: finished_stage(stage, reached[name])
        for name, stage in STAGES.items()
        if name in reached
    }
    if "refine" in reached and "predictions" in made:
        # Depth that is in scene units as it is has no stage that aligns it.
        made.setdefault("aligned", made["predictions"])
    results = _whole(workspace, made)
    results.depth_steps = [
        finished_stage(stage, reached[name])
        for name, stage in STAGES.items()
        if name in reached and stage.result == "aligned"
    ]
    return results


def _whole(workspace: Path, reached: Mapping[str, StageResult[Any]]) -> Results:
    results = Results(workspace)
    for field, made in reached.items():
        setattr(results, field, made)
    if results.command_masks and results.image_set:
        results.add_command_masks(results.command_masks)
    if results.found_masks and results.posed:
        results.add_found_masks(results.found_masks)
    if results.posed and results.predictions and results.depth and results.depth.stage == "scale":
        results.posed = in_unit_of_depth(results.posed, results.predictions)
    return results


def read_stage(stage: str, folder: Path) -> Any:
    """What one finished stage has made, from the folder that a run named (Event.folder).

    Raises:
        KeyError: no stage has that name.
        OSError: the folder is gone, or its files cannot be read.
    """
    return STAGES[stage].read(folder)
