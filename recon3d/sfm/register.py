"""Where every photo was taken: structure from motion, or the poses the user gave."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recon3d.core.camera import Intrinsics
from recon3d.core.depth import DepthEstimator
from recon3d.core.rig import RigPhoto, looking_from_one_place
from recon3d.core.scene import (
    GivenCameras,
    ImageSet,
    OtherScene,
    Point,
    PosedPhotos,
    PosedScene,
    SparsePoints,
    Unit,
    Verdict,
    View,
)
from recon3d.run.stage import Stage, StageResult
from recon3d.run.task import Task
from recon3d.run.workspace import Workspace
from recon3d.sfm.evidence import Basis, read_evidence, write_evidence
from recon3d.sfm.extension import DoesNotFitError, Earlier, extend_run
from recon3d.sfm.other_scenes import tell_other_scenes, worth_a_model
from recon3d.sfm.posed_files import (
    read_scene,
    sample_colours,
    write_other_scenes,
    write_pictures,
    write_scene,
    write_sightings,
)
from recon3d.sfm.quality import describe, find_weaknesses
from recon3d.sfm.single_photo import stand_alone
from recon3d.sfm.structure_from_motion import (
    PoseConfig,
    Solution,
    explain,
    explain_given,
    solve,
    use_given_poses,
)
from recon3d.sfm.undistortion import undistorted_camera

if TYPE_CHECKING:  # it imports pycolmap
    from recon3d.sfm.mapping import Placement

_logger = logging.getLogger(__name__)


def place_photos(
    image_set: ImageSet,
    given: GivenCameras,
    config: PoseConfig,
    folder: Path,
    task: Task,
) -> None:
    """Place and undistort the image set's photos into `folder`.

    An interrupted run leaves its features and matches there; the next one goes on from them.

    Raises:
        TooFewPhotosPlacedError: fewer than two photos could be placed; says why for each.
        IntrinsicsError: poses are given without intrinsics.
    """
    scratch = folder / "sfm"
    if given.cam_from_world:
        solution = use_given_poses(image_set, given, config, scratch, task)
        verdicts = explain_given(image_set, given)
    else:
        solution = solve(image_set, given, config, scratch, task)
        verdicts = explain(image_set, solution)
    unit = given.unit if given.cam_from_world else _unit_of(solution.placement)
    _write(image_set, solution, verdicts, unit, given.origin, folder, task)
    if solution.can_be_extended:
        assert solution.database
        write_evidence(folder, solution.database, Basis.of(image_set, given, config), task)
    shutil.rmtree(scratch, ignore_errors=True)


def add_photos(
    image_set: ImageSet,
    given: GivenCameras,
    earlier: Earlier,
    config: PoseConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write what `place_photos` writes, with the cameras of an earlier run where photos stay.

    Raises:
        DoesNotFitError: all are better placed anew.
    """
    scratch = folder / "sfm"
    basis = Basis.of(image_set, given, config)
    solution = extend_run(image_set, basis, given, earlier, config, scratch, task)
    assert solution.database
    verdicts = explain(image_set, solution)
    unit = earlier.posed.scene.unit
    _write(image_set, solution, verdicts, unit, given.origin, folder, task)
    write_evidence(folder, solution.database, basis, task)
    shutil.rmtree(scratch, ignore_errors=True)


def register(
    work: Workspace,
    config: PoseConfig,
    image_set: StageResult[ImageSet],
    given: GivenCameras,
    left_out: Iterable[str],
) -> StageResult[PosedPhotos]:
    """Place all photos, going on from the run of this workspace that has most of them, if any."""
    settings = replace(config, keep_cameras=True)
    anew = settings, image_set, given
    if config.keep_cameras and not work.is_finished(REGISTER, *anew, depends_on=left_out):
        basis = Basis.of(image_set.value, given, settings)
        runs = []
        for made in work.others(REGISTER):
            evidence = read_evidence(made.folder)
            if not evidence or evidence.basis.settings != basis.settings or not work.is_whole(made):
                continue
            if evidence.basis == basis:
                return work.take(made, REGISTER)
            runs.append(made.map(partial(Earlier, evidence=evidence)))
        worth_it = [run for run in runs if run.value.is_worth_it(basis)]
        if worth_it:
            best = max(worth_it, key=lambda run: len(run.value.staying(basis)))
            with suppress(DoesNotFitError):
                return work.run(EXTEND, settings, image_set, given, best, depends_on=left_out)
    return work.run(REGISTER, *anew, depends_on=left_out)


def place_one_photo(
    image_set: ImageSet, given: GivenCameras, estimator: DepthEstimator, folder: Path, task: Task
) -> None:
    """Undistort the image set's only photo into `folder`; see `stand_alone` for its lens.

    The scene's unit is "scene" until its depth says that it is metres.

    Raises:
        EstimatorError: the estimator was asked for the field of view and cannot serve.
    """
    solution = stand_alone(image_set, given, estimator)
    verdicts = tuple(Verdict(photo.id, True) for photo in image_set.photos)
    unit: Unit = "metre" if image_set.sensor_depth else "scene"
    _write(image_set, solution, verdicts, unit, given.origin, folder, task)


def read_posed_photos(folder: Path) -> PosedPhotos:
    """Read what `place_photos` wrote, pixels one file when asked."""
    return read_scene(folder)


def _write(
    image_set: ImageSet,
    solution: Solution,
    verdicts: tuple[Verdict, ...],
    unit: Unit,
    origin: Point,
    folder: Path,
    task: Task,
) -> None:
    scene = write_placed(image_set, solution.placement, solution.rigs, unit, origin, folder, task)
    scene = replace(scene, report=describe(scene, verdicts, solution))
    if late := solution.placement.brought:
        _logger.info("a second look placed %d more photos: %s", len(late), ", ".join(late))
    write_other_scenes(folder, [*_other_scenes(solution)])
    write_scene(folder, scene, verdicts)
    for weakness in find_weaknesses(scene):
        task.warn(weakness)


def write_placed(
    image_set: ImageSet,
    placement: Placement,
    rigs: Mapping[str, RigPhoto],
    unit: Unit,
    origin: Point,
    folder: Path,
    task: Task,
) -> PosedScene:
    """Write the undistorted pictures of a placement and where they show its points.

    Returns its scene, which is not written yet.
    """
    scene, lenses = _undistorted(placement, rigs, unit, origin)
    write_pictures(folder, image_set, scene.views, lenses, task)
    write_sightings(folder, scene, placement.sightings_px)
    return replace(scene, points=sample_colours(folder, scene, task))


def _undistorted(
    placement: Placement, rigs: Mapping[str, RigPhoto], unit: Unit, origin: Point
) -> tuple[PosedScene, dict[str, Intrinsics]]:
    """A placement seen by cameras without distortion, and by photo id the lenses with theirs."""
    lenses = {
        photo_id: placement.cameras[key].intrinsics for photo_id, key in placement.camera_of.items()
    }
    pinholes = {lens: undistorted_camera(lens) for lens in dict.fromkeys(lenses.values())}
    views = tuple(
        View(photo_id, pinholes[lenses[photo_id]], pose)
        for photo_id, pose in placement.cam_from_world.items()
    )
    xyz_world = placement.xyz_world
    rgb = np.zeros(xyz_world.shape, np.uint8)
    points = SparsePoints(xyz_world, rgb, placement.error_px, placement.observations)
    scene = PosedScene(
        views,
        points,
        unit,
        placement.cameras,
        origin=origin,
        one_place=looking_from_one_place(rigs),
        scale_sigma=placement.scale_sigma,
        camera_of=dict(placement.camera_of),
    )
    return scene, lenses


def _unit_of(placement: Placement) -> Unit:
    return "scene" if placement.scale_sigma is None else "metre"


def _other_scenes(solution: Solution) -> Iterator[OtherScene]:
    """Those that are worth a model, with their numbers."""
    for placement in worth_a_model(solution.placement):
        unit = _unit_of(placement)
        scene, lenses = _undistorted(placement, solution.rigs, unit, (0.0, 0.0, 0.0))
        used = [Verdict(view.photo_id, True) for view in scene.views]
        report = describe(scene, used, replace(solution, placement=placement, gps=None))
        yield OtherScene(replace(scene, report=report), lenses)


REGISTER = Stage(
    name="pose",
    result="posed",
    version=9,
    run=place_photos,
    read=read_posed_photos,
    libraries=("pycolmap",),
    warnings=lambda folder: [*tell_other_scenes(read_posed_photos(folder))],
)
EXTEND = replace(REGISTER, run=add_photos)
"""Photos that come to those of an earlier run, or some of them."""
REGISTER_ONE = Stage(
    name="pose",
    result="posed",
    version=4,
    run=lambda image_set, given, estimator, config, folder, task: place_one_photo(
        image_set, given, estimator, folder, task
    ),
    read=read_posed_photos,
)
"""A photo that is given alone."""
