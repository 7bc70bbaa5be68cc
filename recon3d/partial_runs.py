"""Runs that begin in the middle of the method, with what an earlier one has made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from recon3d.config import Config
from recon3d.core.errors import InputError
from recon3d.depth.estimate import ESTIMATE, choose_model
from recon3d.depth.registry import make_estimator
from recon3d.export.reimport import world_from_file
from recon3d.finished import gather
from recon3d.georef.control.markers import Markers
from recon3d.georef.control.stage import CONTROL
from recon3d.pipeline import depth_to_mesh, find_masks
from recon3d.placing_markers import check_markers, measure_markers
from recon3d.results import Results, Until, latest_surface
from recon3d.run.workspace import Workspace
from recon3d.segmentation.object_masks import FIND_OBJECT
from recon3d.sfm.other_scenes import OTHER_SCENE, OtherSceneConfig, photos_of
from recon3d.surface.foreign_meshes import read_usable_mesh
from recon3d.surface.mesh import CROP, CROP_RELIEF, cleaning_of
from recon3d.surface.relief import RELIEF
from recon3d.surface_to_model import crop_mesh, finish
from recon3d.texture.own_mesh import PAINT, own_mesh
from recon3d.texture.texture import read_gains


def run_other_scene(
    work: Workspace, number: int, largest: Results, config: Config, until: Until, made: Results
) -> None:
    """Another scene of the same photos, from the cameras that are known already."""
    assert largest.image_set
    assert largest.posed
    image_set, posed = largest.image_set, largest.posed
    made.panoramas = largest.panoramas
    made.image_set = image_set.map(lambda every: photos_of(every, posed.value, number))
    made.posed = work.run(OTHER_SCENE, OtherSceneConfig(number=number), image_set, posed)
    find_masks(work, config, made)
    # A box is meant in the frame of the largest scene.
    config = replace(config, mesh=replace(config.mesh, crop=None))
    if until >= Until.DEPTH:
        model = choose_model(config.depth, measured=False, one_photo=False)
        runtime = work.task("depth").runtime.for_one_item
        estimator = make_estimator(model, asdict(config.depth), runtime)
        made.predictions = work.run(ESTIMATE, config.depth, made.posed, estimator)
        depth_to_mesh(work, config, until, made)
    finish(work, config, made, has_texture=until >= Until.TEXTURE)


def adjust_stages(work: Workspace, config: Config, made: Results, *, has_texture: bool) -> None:
    """The last stages of a finished run once more: another frame, and the mesh inside its box.

    made: what the run has made up to its whole mesh.
    """
    if made.mesh and config.mesh.crop is not None:
        assert made.surface
        part = CROP_RELIEF if made.surface.stage == RELIEF.name else CROP
        settings = cleaning_of(config.fuse.surface, config.mesh)
        crop_mesh(work, replace(config, mesh=settings), made, part)
    finish(work, config, made, has_texture=has_texture)


def measure_markers_again(
    work: Workspace, config: Config, made: Results, markers: Markers, reached: Mapping[str, Path]
) -> None:
    """Other control points and scale bars for a finished run.

    reached: by stage: the folder of its result.
    """
    assert made.image_set
    given = check_markers(made.image_set.value, markers, config.control)
    for note in given.notes:
        work.task(CONTROL.name).warn(note)
    # As in a whole run, which looks for masks of the object only afterwards.
    unmasked = {stage: folder for stage, folder in reached.items() if stage != FIND_OBJECT.name}
    posed = gather(made.workspace, unmasked).posed
    assert posed
    measure_markers(work, config, made, given, posed)


def paint_file(
    work: Workspace, mesh: Path, config: Config, made: Results, *, keep_uv: bool
) -> None:
    """The photos of a finished run on a mesh of a file, which takes the place of the run's own.

    Raises:
        InputError: the run made no surface, or the mesh cannot be read or does not lie on it.
        TooLittleDepthError: no photo sees it.
    """
    if not (made.posed and made.surface and made.frame):
        raise InputError(
            f"The latest run in {made.workspace} ended before there was a surface.",
            hint="Run `recon3d mesh` with this --workspace; what is finished stays.",
        )
    task = work.task(PAINT.name)
    found = read_usable_mesh(mesh, task.runtime)
    there = world_from_file(mesh, found, made.frame.value, latest_surface(made), task)
    textured = made.textured
    gains = read_gains(textured.folder, made.posed.value) if textured else None
    own = own_mesh(mesh.name, found, there, gains, task, keep_uv=keep_uv)
    painted = work.run(PAINT, config.texture, made.posed, own)
    made.mesh, made.textured = painted.map(lambda model: model.mesh), painted
    made.maps = made.levels = made.textured_levels = None
