"""The whole method on one screen: photos, cameras, depth, surface, mesh, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from recon3d.config import Config
from recon3d.core.depth import PredictedDepth
from recon3d.core.errors import ReconError
from recon3d.core.frame import TargetFrame
from recon3d.core.region import Box
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, PointCloud, sparse_surface
from recon3d.depthnet.registry import make_estimator
from recon3d.io.cameras import read_given_cameras
from recon3d.io.photos import find_files
from recon3d.io.textures import ExportConfig
from recon3d.results import Forecast, Inputs, Results, Stage
from recon3d.run.device import Runtime
from recon3d.run.libraries import explain_missing_libraries
from recon3d.run.task import CancelToken, Event, Listener, Task, silent
from recon3d.run.workspace import Foresight, Made, NotMadeError, Workspace, open_workspace
from recon3d.stages import (
    align,
    depth,
    export,
    frame,
    fuse,
    ingest,
    levels,
    mesh,
    pose,
    refine,
    relief,
    report,
    texture,
)  # fmt: skip
from recon3d.stages.export import Outputs

__all__ = [
    "Forecast",
    "Inputs",
    "Results",
    "Stage",
    "forecast",
    "in_unit_of_depth",
    "reconstruct",
    "write_outputs",
]


def reconstruct(
    inputs: Inputs | Path,
    workspace: Path,
    config: Config = Config(),  # noqa: B008 - frozen
    *,
    outputs: Outputs = Outputs(),  # noqa: B008 - frozen
    runtime: Runtime = Runtime(),  # noqa: B008 - frozen
    listener: Listener = silent,
    cancel: CancelToken | None = None,
    until: Stage | None = None,
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
    with explain_missing_libraries(), open_workspace(workspace, tell, token) as work:
        try:
            _run_stages(work, given, config, runtime, last, results)
            results.written = write_outputs(results, outputs, config.export, work.task("export"))
            work.remember_run(results.reached, given.files)
        except ReconError as error:
            # A failed run needs its report most: it says which photo failed where.
            _report(results, config, outputs, error)
            raise
        _report(results, config, outputs, None)
    return results


def forecast(
    inputs: Inputs | Path,
    workspace: Path,
    config: Config = Config(),  # noqa: B008 - frozen
    *,
    outputs: Outputs = Outputs(),  # noqa: B008 - frozen
    runtime: Runtime = Runtime(),  # noqa: B008 - frozen
    cancel: CancelToken | None = None,
    until: Stage | None = None,
) -> Forecast:
    """Tell what `reconstruct` with the same arguments would compute; nothing is written or locked.

    Photos are read to know their contents, once in the life of a process.

    Raises:
        ReconError: the run would fail at its start.
        Cancelled: `cancel` was set.
    """
    given = inputs if isinstance(inputs, Inputs) else Inputs(photos=inputs)
    work = Foresight(workspace, cancel or CancelToken())
    complete = True
    with explain_missing_libraries():
        try:
            last = _last_stage(outputs, until)
            _run_stages(work, given, config, runtime, last, Results(workspace))
        except NotMadeError:
            complete = False
    return Forecast(tuple(work.kept), tuple(work.missing), complete)


def _last_stage(outputs: Outputs, until: Stage | None) -> Stage:
    return until or (Stage.TEXTURE if outputs.hold_texture else Stage.MESH)


def _run_stages(
    work: Workspace, inputs: Inputs, config: Config, runtime: Runtime, until: Stage, made: Results
) -> None:
    _run_to_mesh(work, inputs, config, runtime, until, made)
    if until >= Stage.TEXTURE:
        _texture(work, config, made)
    if config.levels.count > 1:
        _make_levels(work, config, made)
    _find_frame(work, config, made)


def _run_to_mesh(
    work: Workspace, inputs: Inputs, config: Config, runtime: Runtime, until: Stage, made: Results
) -> None:
    task = work.task("ingest")
    files = find_files(inputs.photos, inputs.masks, inputs.sensor_depth, task, inputs.excluded)
    alone = files.is_one_photo and until >= Stage.DEPTH
    if until >= Stage.DEPTH:
        # Early: a wrong name or missing weights must not cost an hour of placing photos.
        measured = inputs.sensor_depth is not None
        model = depth.choose_model(config.depth, measured=measured, one_photo=alone)
        estimator = make_estimator(model, asdict(config.depth), runtime)
        if alone:
            relief.check_estimator(estimator)
    made.album = album = work.stage(
        "ingest",
        version=ingest.VERSION,
        config=config.ingest,
        upstream=[files.digest],
        work=lambda folder, task: ingest.ingest(files, config.ingest, folder, task, runtime),
        read=lambda folder: ingest.read_album(folder, inputs.excluded),
    )
    ingest.check_excluded(album.value, inputs.excluded, task)
    if until < Stage.POSE:
        return
    frame.check_photos(config.frame, album.value)
    given = read_given_cameras(album.value, inputs.intrinsics, inputs.poses)
    made.posed = posed = work.stage(
        "pose",
        version=pose.VERSION,
        config=config.pose,
        upstream=[
            *(album.key, *album.value.excluded, given.digest, version("pycolmap")),
            *([estimator.digest] if alone else []),
        ],
        work=lambda folder, task: (
            pose.place_one_photo(album.value, given, estimator, folder, task)
            if alone
            else pose.place_photos(album.value, given, config.pose, folder, task, runtime)
        ),
        read=pose.read_posed_photos,
    )
    if until < Stage.DEPTH:
        return
    made.predictions = predictions = work.stage(
        "depth",
        version=depth.VERSION,
        config=config.depth,
        upstream=[posed.key, estimator.digest],
        work=lambda folder, task: depth.estimate_depth(
            posed.value, estimator, config.depth, folder, task
        ),
        read=depth.read_predictions,
    )
    work.doubt("depth", lambda: depth.doubts(predictions.folder))
    if alone:
        _make_relief(work, posed, predictions, config, until, made)
        return
    aligned = predictions
    if align.is_needed(predictions.value):
        aligned = work.stage(
            "align",
            version=align.VERSION,
            config=config.align,
            upstream=[predictions.key],
            work=lambda folder, task: align.align_depth(
                posed.value, predictions.value, config.align, folder, task
            ),
            read=align.read_aligned,
        )
        folder = aligned.folder
        work.doubt("align", lambda: align.doubts(folder))
    made.aligned = aligned
    made.depth = refined = work.stage(
        "refine",
        version=refine.VERSION,
        config=config.refine,
        upstream=[aligned.key],
        work=lambda folder, task: refine.refine_depth(
            posed.value, aligned.value, config.refine, folder, task, runtime
        ),
        read=refine.read_scene_depth,
    )
    if until < Stage.FUSE:
        return
    made.surface = surface = work.stage(
        "fuse",
        version=fuse.VERSION,
        config=config.fuse,
        upstream=[refined.key, version("open3d")],
        work=lambda folder, task: fuse.fuse_depth(
            posed.value, refined.value, config.fuse, folder, task, runtime
        ),
        read=fuse.read_surface,
    )
    if until < Stage.MESH:
        return
    settings = config.mesh
    if settings.unseen == "auto" and config.fuse.surface == "poisson":
        settings = replace(settings, unseen="keep")
    _clean(
        work,
        replace(config, mesh=settings),
        made,
        lambda crop, folder, task: mesh.clean_mesh(
            posed.value.scene, surface.value[0], crop, settings, folder, task
        ),
    )


def _make_relief(
    work: Workspace,
    posed: Made[PosedPhotos],
    predictions: Made[Mapping[str, PredictedDepth]],
    config: Config,
    until: Stage,
    made: Results,
) -> None:
    """From the depth of a single photo to its mesh."""
    made.posed = posed = in_unit_of_depth(posed, predictions)
    work.doubt("relief", lambda: relief.assumptions(posed.value, predictions.value))
    made.depth = settled = work.stage(
        "scale",
        version=relief.VERSION,
        config=config.relief,
        upstream=[predictions.key],
        work=lambda folder, task: relief.settle_depth(
            posed.value, predictions.value, config.relief, folder, task
        ),
        read=relief.read_depth,
    )
    if until < Stage.FUSE:
        return
    made.surface = surface = work.stage(
        "relief",
        version=relief.VERSION,
        config=config.relief,
        upstream=[settled.key],
        work=lambda folder, task: relief.build_relief(
            posed.value, settled.value, config.relief, folder, task
        ),
        read=relief.read_relief,
    )
    if until < Stage.MESH:
        return

    def clean(crop: Box | None, folder: Path, task: Task) -> None:
        (view,) = posed.value.scene.views
        mesh.clean_relief(surface.value[0], view.cam_from_world, crop, config.mesh, folder, task)

    _clean(work, config, made, clean)


def _clean(
    work: Workspace,
    config: Config,
    made: Results,
    clean: Callable[[Box | None, Path, Task], None],
) -> None:
    """From the raw surface to the clean mesh, and on to the part of it that is wanted."""
    assert made.surface
    upstream = [made.surface.key]
    made.mesh = work.stage(
        "mesh",
        version=mesh.VERSION,
        config=replace(config.mesh, crop=None),
        upstream=upstream,
        work=lambda folder, task: clean(None, folder, task),
        read=mesh.read_mesh,
    )
    if config.mesh.crop is None:
        return
    # The box is given in the frame of the whole model, which stays that of the cropped one.
    # Cleaning starts from the raw surface again, so that all faces go into the part.
    standing = _find_frame(work, config, made)
    assert standing
    low, high = np.split(np.array(config.mesh.crop, np.float64), 2)
    made.mesh = work.stage(
        "crop",
        version=mesh.VERSION,
        config=config.mesh,
        upstream=[*upstream, standing.key],
        work=lambda folder, task: clean(
            Box(standing.value.target_from_world, low, high), folder, task
        ),
        read=mesh.read_mesh,
    )


def _texture(work: Workspace, config: Config, made: Results) -> None:
    """The photos onto the mesh."""
    assert made.posed
    assert made.mesh
    posed, surface = made.posed, made.mesh
    made.textured = work.stage(
        "texture",
        version=texture.VERSION,
        config=config.texture,
        upstream=[posed.key, surface.key, version("open3d")],
        work=lambda folder, task: texture.texture_mesh(
            posed.value, surface.value, config.texture, folder, task
        ),
        read=texture.read_texture,
    )
    folder = made.textured.folder
    work.doubt("texture", lambda: texture.doubts(folder))


def _make_levels(work: Workspace, config: Config, made: Results) -> None:
    """The mesh once more, coarser and coarser, with textures where it has one."""
    if not (made.posed and (surface := made.mesh)):
        return
    posed = made.posed
    made.levels = coarser = work.stage(
        "levels",
        version=levels.VERSION,
        config=config.levels,
        upstream=[surface.key],
        work=lambda folder, task: levels.make_levels(surface.value, config.levels, folder, task),
        read=levels.read_levels,
    )
    if not (finest := made.textured):
        return
    made.textured_levels = work.stage(
        "level textures",
        version=texture.VERSION,
        config=config.texture,
        upstream=[finest.key, coarser.key],
        work=lambda folder, task: texture.texture_levels(
            posed.value, coarser.value, finest.value, config.texture, folder, task
        ),
        read=texture.read_textured_levels,
    )


def in_unit_of_depth(
    posed: Made[PosedPhotos], predictions: Made[Mapping[str, PredictedDepth]]
) -> Made[PosedPhotos]:
    """The camera of a single photo, in the unit of its depth."""
    return replace(posed, read=lambda: relief.in_unit_of_depth(posed.value, predictions.value))


def _find_frame(work: Workspace, config: Config, made: Results) -> Made[TargetFrame] | None:
    """How the latest stage that was reached is to stand."""
    if made.frame or not ((album := made.album) and (posed := made.posed)):
        return made.frame
    latest = made.mesh or made.surface or posed
    made.frame = found = work.stage(
        "frame",
        version=frame.VERSION,
        config=config.frame,
        upstream=[posed.key, latest.key],
        work=lambda folder, task: frame.find_frame(
            posed.value, album.value, _latest_surface(made)[0], config.frame, folder, task
        ),
        read=frame.read_frame,
    )
    work.doubt("frame", lambda: frame.doubts(found.value))
    return found


def _latest_surface(made: Results) -> tuple[Mesh, PointCloud]:
    # Before there is a surface, the sparse points say where the ground is.
    assert made.posed
    points = made.posed.value.scene.points
    surface, cloud = made.surface.value if made.surface else sparse_surface(points)
    return (made.mesh.value if made.mesh else surface), cloud


def write_outputs(
    made: Results, outputs: Outputs, config: ExportConfig, task: Task
) -> tuple[Path, ...]:
    """Write the outputs from the latest stage that was reached; returns their paths.

    Raises:
        TooLittleDepthError: a mesh is wanted, and there is none.
        OutputError: a place cannot be written.
    """
    if not (made.posed and made.frame):
        return ()
    depth_maps = made.depth.value if made.depth else {}
    surface, cloud = _latest_surface(made)
    textured = made.textured.value if made.textured else None
    exportable = export.Exportable(
        made.posed.value,
        surface,
        cloud,
        depth_maps,
        made.frame.value,
        textured,
        made.levels.value if made.levels else (),
        made.textured_levels.value if made.textured_levels else (),
    )
    return export.export(exportable, outputs, config, task)


def _report(made: Results, config: Config, outputs: Outputs, failure: ReconError | None) -> None:
    run = report.Run(
        album=made.album.value if made.album else None,
        posed=made.posed.value if made.posed else None,
        depth=made.depth.value if made.depth else None,
        mesh=made.mesh.value if made.mesh else None,
        textured=made.textured.value if made.textured else None,
        texturing=texture.read_numbers(made.textured.folder) if made.textured else None,
        frame=made.frame.value if made.frame else None,
        cleaning=mesh.read_effects(made.mesh.folder) if made.mesh else None,
        costs={stage.stage: (stage.cost, stage.cached) for stage in made.stages},
        warnings=made.warnings,
        settings=asdict(config),
        written=made.written,
        failure=failure,
    )
    report.write_report(made.workspace / "report.html", run, outputs.report)
