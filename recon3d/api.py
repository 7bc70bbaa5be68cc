"""The doors of the pipeline: run it, or foretell what it would compute."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from recon3d.config import Config
from recon3d.core.errors import OutputError, ReconError
from recon3d.export import export
from recon3d.export.export import Outputs
from recon3d.finished import gather
from recon3d.outputs import report_run, write_outputs
from recon3d.pipeline import adjust_stages, run_stages
from recon3d.results import Forecast, Inputs, Results, Until
from recon3d.run.device import Runtime
from recon3d.run.libraries import explain_missing_libraries
from recon3d.run.notes import files_of_run
from recon3d.run.task import CancelToken, Event, Listener, silent
from recon3d.run.workspace import DryRun, NotComputedError, open_workspace
from recon3d.stage import STAGES


def reconstruct(
    inputs: Inputs | Path,
    workspace: Path,
    config: Config = Config(),  # noqa: B008 - frozen
    *,
    outputs: Outputs = Outputs(),  # noqa: B008 - frozen
    runtime: Runtime = Runtime(),  # noqa: B008 - frozen
    listener: Listener = silent,
    cancel: CancelToken | None = None,
    until: Until | None = None,
) -> Results:
    """Turn photos into a mesh; whatever the workspace already holds is not computed again.

    Args:
        inputs: The user's files, or just the folder of photos.
        workspace: Folder for finished and half-finished work; made if missing.
        config: What to compute.
        outputs: Files to write, from whatever the last stage has made.
        runtime: Device, threads and memory; never changes what is computed.
        listener: Told of every step.
        cancel: Set it from any thread to stop within about a second.
        until: Last stage to run; None goes as far as the outputs need, to the mesh at least.

    Raises:
        ReconError: the photos, files or settings cannot give a mesh; says why and what to do.
        Cancelled: `cancel` was set; everything finished so far is kept.
    """
    given = inputs if isinstance(inputs, Inputs) else Inputs(photos=inputs)
    export.check_outputs(outputs)
    results = Results(workspace)
    last = _last_stage(outputs, until)

    def tell(event: Event) -> None:
        if event.kind == "warning":
            results.warnings.append(f"{event.stage}: {event.note}")
        listener(event)

    token = cancel or CancelToken()
    with explain_missing_libraries(), open_workspace(workspace, tell, token, runtime) as work:
        try:
            run_stages(work, given, config, last, results)
            results.written = write_outputs(results, outputs, config.export, work.task("export"))
            work.remember_run(results.reached, given.files)
        except ReconError as error:
            # A failed run needs its report most: it says which photo failed where. Where that
            # cannot be written, as on a full disk, it must not hide why the run failed.
            with suppress(OutputError):
                report_run(results, config, outputs, error)
            raise
        report_run(results, config, outputs)
    return results


ADJUSTED = ("crop", "levels", "texture", "level textures", "frame")
"""The stages that `adjust` makes anew."""


def adjust(
    workspace: Path,
    reached: Mapping[str, Path],
    config: Config,
    *,
    runtime: Runtime = Runtime(),  # noqa: B008 - frozen
    listener: Listener = silent,
    cancel: CancelToken | None = None,
) -> Results:
    """Give a finished run another scale, up or crop; its photos are not looked at.

    What it makes lies where `reconstruct` with the same settings looks for it.

    Args:
        workspace: Where the run has worked.
        reached: By stage: the folder of its result, as the run's events named it.
        config: The run's own settings but for `frame` and `mesh.crop`.
        runtime: Device, threads and memory; never changes what is computed.
        listener: Told of every step.
        cancel: Set it from any thread to stop within about a second.

    Raises:
        InputError: a folder is gone or not whole.
        ReconError: the box holds nothing, or the scale cannot be found.
        Cancelled: `cancel` was set; what was there before stays.
    """
    warnings: list[str] = []

    def tell(event: Event) -> None:
        if event.kind == "warning":
            warnings.append(f"{event.stage}: {event.note}")
        listener(event)

    token, files = cancel or CancelToken(), files_of_run(workspace)
    with explain_missing_libraries(), open_workspace(workspace, tell, token, runtime) as work:
        kept = {stage: folder for stage, folder in reached.items() if stage not in ADJUSTED}
        had_texture = "texture" in reached
        made = gather(workspace, kept)
        for result in made.stages:
            work.warn_again(result.stage, partial(STAGES[result.stage].warnings, result.folder))
        adjust_stages(work, config, made, has_texture=had_texture)
        made.warnings = warnings
        work.remember_run(made.reached, files)
        report_run(made, config, Outputs())
    return made


def forecast(
    inputs: Inputs | Path,
    workspace: Path,
    config: Config = Config(),  # noqa: B008 - frozen
    *,
    outputs: Outputs = Outputs(),  # noqa: B008 - frozen
    runtime: Runtime = Runtime(),  # noqa: B008 - frozen
    cancel: CancelToken | None = None,
    until: Until | None = None,
) -> Forecast:
    """Tell what `reconstruct` with the same arguments would compute; nothing is written or locked.

    Photos are read to know their contents, once in the life of a process.

    Raises:
        ReconError: the run would fail at its start.
        Cancelled: `cancel` was set.
    """
    given = inputs if isinstance(inputs, Inputs) else Inputs(photos=inputs)
    work = DryRun(workspace, silent, cancel or CancelToken(), runtime)
    complete, made = True, Results(workspace)
    with explain_missing_libraries():
        try:
            last = _last_stage(outputs, until)
            run_stages(work, given, config, last, made)
        except NotComputedError:
            complete = False
    kept, missing = tuple(work.kept), tuple(work.missing)
    if not (made.image_set and made.image_set.cached):
        return Forecast(kept, missing, complete)
    image_set = made.image_set.value
    return Forecast(kept, missing, complete, len(image_set.photos), image_set.typical_megapixels)


def _last_stage(outputs: Outputs, until: Until | None) -> Until:
    return until or (Until.TEXTURE if outputs.hold_texture else Until.MESH)
