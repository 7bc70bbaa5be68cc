"""The doors of the pipeline: run it, or foretell what it would compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from recon3d.config import Config
from recon3d.core.errors import OutputError, ReconError
from recon3d.export import export
from recon3d.export.export import Outputs
from recon3d.finished import gather, reopen
from recon3d.georef.control.markers import Markers
from recon3d.outputs import report_run, write_outputs
from recon3d.partial_runs import (
    adjust_stages,
    measure_markers_again,
    paint_file,
    run_other_scene,
)
from recon3d.pipeline import run_stages
from recon3d.placing_markers import MARKER_STAGES
from recon3d.results import Components, Forecast, Inputs, Results, Until
from recon3d.run.device import Runtime
from recon3d.run.libraries import explain_missing_libraries
from recon3d.run.notes import files_of_run
from recon3d.run.task import CancelToken, Event, Listener, silent
from recon3d.run.workspace import DryRun, NotComputedError, Workspace, open_workspace
from recon3d.stage import STAGES
from recon3d.texture.maps import BakeConfig


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
    components: Components = "largest",
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
        components: Photos may show several scenes that share nothing. all makes each of them, the
            others as `Results.others` in workspaces of their own below this one, their files
            beside the first one's; one that fails is a warning and its report says why.

    Raises:
        ReconError: the photos, files or settings cannot give a mesh; says why and what to do.
        Cancelled: `cancel` was set; everything finished so far is kept.
    """
    given = inputs if isinstance(inputs, Inputs) else Inputs(photos=inputs)
    export.check_outputs(outputs)
    if runtime.cluster:  # whose machines work in other folders
        workspace = workspace.absolute()
    results = Results(workspace)
    last = _last_stage(outputs, until)
    token = cancel or CancelToken()

    wanted = _possible(config, last)

    def run_largest(work: Workspace) -> None:
        if config.bake.is_wanted and not wanted.bake.is_wanted:
            work.task("bake").warn("No maps are made: they lie beside a texture, in .glb and .obj.")
        run_stages(work, given, wanted, last, results)

    with (
        explain_missing_libraries(),
        open_workspace(workspace, _telling(results, listener), token, runtime) as work,
    ):
        _run(work, run_largest, results, wanted, outputs, given.files)
        others = results.posed.value.others if results.posed and components == "all" else ()
        for number in range(2, len(others) + 2):
            made = Results(workspace / f"scene_{number}")
            run_other = partial(
                run_other_scene,
                number=number,
                largest=results,
                config=wanted,
                until=last,
                made=made,
            )
            results.others.append(made)
            tell = _telling(made, listener)
            with open_workspace(made.workspace, tell, token, runtime) as part:
                try:
                    _run(part, run_other, made, wanted, outputs.numbered(number), {})
                except ReconError as error:
                    # The largest scene is finished and stays so.
                    part.task("scene").warn(f"There is no model of scene {number}: {error}")
    return results


def _run(
    work: Workspace,
    stages: Callable[[Workspace], None],
    results: Results,
    config: Config,
    outputs: Outputs,
    files: Mapping[str, Path],
) -> None:
    try:
        stages(work)
        results.written = write_outputs(results, outputs, config.export, work.task("export"))
        work.remember_run(results.reached, files)
    except ReconError as error:
        # A failed run needs its report most: it says which photo failed where. Where that
        # cannot be written, as on a full disk, it must not hide why the run failed.
        with suppress(OutputError):
            report_run(results, config, outputs, work.task("report"), error)
        raise
    report_run(results, config, outputs, work.task("report"))


def _telling(results: Results, listener: Listener) -> Listener:
    """The listener, with the warnings kept for the report."""

    def tell(event: Event) -> None:
        if event.kind == "warning":
            results.warnings.append(f"{event.stage}: {event.note}")
        listener(event)

    return tell


ADJUSTED = ("crop", "solid", "levels", "texture", "bake", "level textures", "frame")
"""The stages that `adjust` makes anew."""


def adjust(
    workspace: Path,
    reached: Mapping[str, Path],
    config: Config,
    *,
    markers: Markers | None = None,
    runtime: Runtime = Runtime(),  # noqa: B008 - frozen
    listener: Listener = silent,
    cancel: CancelToken | None = None,
) -> Results:
    """Give a finished run another scale, up, crop or other markers; no photo is looked at.

    What it makes lies where `reconstruct` with the same settings looks for it.

    Args:
        workspace: Where the run has worked.
        reached: By stage: the folder of its result, as the run's events named it.
        config: The run's own settings but for `frame`, `mesh.crop`, and `control` where markers
            are given.
        markers: In place of the control points and scale bars that the run had; None keeps those.
            They do not move the cameras, so a run with `control.adjust` is to be computed again.
        runtime: Device, threads and memory; never changes what is computed.
        listener: Told of every step.
        cancel: Set it from any thread to stop within about a second.

    Raises:
        InputError: a folder is gone or not whole.
        ReconError: the box holds nothing, or the scale cannot be found.
        Cancelled: `cancel` was set; what was there before stays.
    """
    anew = {*ADJUSTED, *(() if markers is None else MARKER_STAGES)}
    kept = {stage: folder for stage, folder in reached.items() if stage not in anew}
    made, files = gather(workspace, kept), files_of_run(workspace)
    token, tell = cancel or CancelToken(), _telling(made, listener)
    with explain_missing_libraries(), open_workspace(workspace, tell, token, runtime) as work:
        for result in made.stages:
            work.warn_again(result.stage, partial(STAGES[result.stage].warnings, result.folder))
        if markers is not None:
            measure_markers_again(work, config, made, markers, kept)
        adjust_stages(work, config, made, has_texture="texture" in reached)
        work.remember_run(made.reached, files)
        report_run(made, config, Outputs(), work.task("report"))
    return made


def paint(
    mesh: Path,
    workspace: Path,
    config: Config = Config(),  # noqa: B008 - frozen
    *,
    keep_uv: bool = False,
    outputs: Outputs = Outputs(),  # noqa: B008 - frozen
    runtime: Runtime = Runtime(),  # noqa: B008 - frozen
    listener: Listener = silent,
    cancel: CancelToken | None = None,
) -> Results:
    """Put the photos of a finished run onto a mesh from elsewhere, such as an edited one.

    The mesh stands where recon3d wrote the run's own; photos are taken from the workspace, their
    exposure as the run has found it. The run itself stays as it is.

    Args:
        mesh: PLY, OBJ, GLB, glTF, STL, OFF or 3MF; its own textures are not looked at.
        workspace: Where the run has worked.
        config: Of which `texture` and `export` count.
        keep_uv: Keep the mesh's own UV layout; without, one is made.
        outputs: Files to write.
        runtime: Device, threads and memory; never changes what is computed.
        listener: Told of every step.
        cancel: Set it from any thread to stop within about a second.

    Returns:
        The run's results with the mesh and its texture in the place of its own.

    Raises:
        InputError: no run has finished there, or the mesh cannot be read, does not lie on the
            run's own, or has no layout that could be kept.
        OutputError: a place cannot be written, or it is that of the mesh.
        TooLittleDepthError: no photo sees the mesh.
        Cancelled: `cancel` was set.
    """
    export.check_outputs(outputs)
    for target in outputs.meshes:
        if target.resolve() == mesh.resolve():
            raise OutputError(
                f"{target} is the mesh that is to be painted, and would be lost.",
                hint="Give the result another name with -o.",
            )
    made = reopen(workspace)
    tell, token = _telling(made, listener), cancel or CancelToken()
    with explain_missing_libraries(), open_workspace(workspace, tell, token, runtime) as work:
        paint_file(work, mesh, config, made, keep_uv=keep_uv)
        made.written = write_outputs(made, outputs, config.export, work.task("export"))
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
            run_stages(work, given, _possible(config, last), last, made)
        except NotComputedError:
            complete = False
    kept, missing = tuple(work.kept), tuple(work.missing)
    if not (made.image_set and made.image_set.cached):
        return Forecast(kept, missing, complete)
    image_set = made.image_set.value
    return Forecast(kept, missing, complete, len(image_set.photos), image_set.typical_megapixels)


def _last_stage(outputs: Outputs, until: Until | None) -> Until:
    return until or (Until.TEXTURE if outputs.hold_texture else Until.MESH)


def _possible(config: Config, last: Until) -> Config:
    """Without maps where there will be no texture that they could lie beside."""
    return config if last >= Until.TEXTURE else replace(config, bake=BakeConfig())
