"""The whole method on one screen: photos, cameras, depth, surface, mesh, texture."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial

from recon3d.config import Config
from recon3d.depth import align, plain_regions
from recon3d.depth.consistency import CHECK_CONSISTENCY
from recon3d.depth.estimate import ESTIMATE, choose_model
from recon3d.depth.patchmatch.stages import passes
from recon3d.depth.plain_regions import COMPLETE_PLAIN_REGIONS
from recon3d.depth.registry import make_estimator
from recon3d.georef.frame import check_photos
from recon3d.photos.finding import find_files
from recon3d.photos.ingest import INGEST, check_excluded, read_image_set
from recon3d.photos.mask_command import MASK_COMMAND
from recon3d.photos.panorama_views import SPLIT_PANORAMAS
from recon3d.photos.panoramas import find_panoramas
from recon3d.placing_markers import given_markers, measure_markers, place_control
from recon3d.results import Inputs, Results, Until, in_unit_of_depth
from recon3d.run.workspace import Workspace
from recon3d.segmentation.object_masks import FIND_OBJECT
from recon3d.sfm.given_cameras import read_given_cameras
from recon3d.sfm.register import REGISTER, REGISTER_ONE, register
from recon3d.surface import relief
from recon3d.surface.fuse import FUSE, within_budget
from recon3d.surface.mesh import CLEANING, CLEANING_RELIEF, cleaning_of
from recon3d.surface.relief import RELIEF, SETTLE
from recon3d.surface_to_model import clean_surface, finish


def run_stages(
    work: Workspace, inputs: Inputs, config: Config, until: Until, made: Results
) -> None:
    """Everything between the user's files and the results, as far as `until`."""
    task = work.task("ingest")
    files = find_files(
        inputs.photos, inputs.masks, inputs.sensor_depth, task,
        inputs.excluded, inputs.named_below, inputs.drawn_masks,
    )  # fmt: skip
    excluded = inputs.excluded
    if panoramas := find_panoramas(files, config.panorama.photos, task):
        made.panoramas = work.run(SPLIT_PANORAMAS, config.panorama, panoramas)
        files = made.panoramas.value.in_place_of_panoramas(files)
        excluded = frozenset(made.panoramas.value.with_views(excluded))
    alone = files.is_one_photo and until >= Until.DEPTH
    if until >= Until.DEPTH:
        # Early: a wrong name or missing weights must not cost an hour of placing photos.
        model = choose_model(config.depth, measured=bool(inputs.sensor_depth), one_photo=alone)
        estimator = make_estimator(model, asdict(config.depth), task.runtime.for_one_item)
        if alone:
            relief.check_estimator(estimator)
    read = partial(read_image_set, excluded=excluded)
    made.image_set = image_set = work.run(INGEST, config.ingest, files, read=read)
    check_excluded(image_set.value, excluded, task)
    left_out = image_set.value.excluded
    if tool := inputs.mask_command:
        masks = work.run(MASK_COMMAND, config.ingest, image_set, tool, depends_on=left_out)
        made.add_command_masks(masks)
        image_set = made.image_set
    if until < Until.POSE:
        return
    check_photos(config.frame, image_set.value)
    markers = given_markers(image_set.value, inputs, config.control)
    given = read_given_cameras(
        image_set.value,
        inputs.intrinsics,
        inputs.poses,
        work.task(REGISTER.name).warn,
        made.panoramas.value if made.panoramas else None,
    )
    made.posed = (
        work.run(REGISTER_ONE, config.pose, image_set, given, estimator, depends_on=left_out)
        if alone
        else register(work, config.pose, image_set, given, left_out)
    )
    place_control(work, config, made, markers, given)
    measure_markers(work, config, made, markers, made.posed)
    if not alone:
        find_masks(work, config, made)
    if until >= Until.DEPTH:
        made.predictions = work.run(ESTIMATE, config.depth, made.posed, estimator)
        (_one_photo_to_mesh if alone else depth_to_mesh)(work, config, until, made)
    finish(work, config, made, has_texture=until >= Until.TEXTURE)


def find_masks(work: Workspace, config: Config, made: Results) -> None:
    """Masks of the object, where they are wanted."""
    assert made.image_set
    assert made.posed
    if config.masks.auto:
        made.add_found_masks(work.run(FIND_OBJECT, config.masks, made.posed, made.image_set))


def depth_to_mesh(work: Workspace, config: Config, until: Until, made: Results) -> None:
    """From what was predicted for each photo to the mesh, as far as `until`."""
    assert made.posed
    assert made.predictions
    posed, steps = made.posed, made.depth_steps
    steps.append(made.predictions)
    if align.is_needed(made.predictions.value):
        steps.append(work.run(align.ALIGN, config.align, posed, steps[-1]))
    if plain_regions.is_needed(posed.value, config.refine):
        steps.append(work.run(COMPLETE_PLAIN_REGIONS, config.refine, posed, steps[-1]))
    for each in passes(posed.value, config.refine):
        steps.append(work.run(each, config.refine, posed, steps[-1]))
    made.aligned = steps[-1]
    made.depth = work.run(CHECK_CONSISTENCY, config.refine, posed, made.aligned)
    if until < Until.FUSE:
        return
    kind = config.fuse.surface
    fusing = config.fuse if kind == "poisson" else replace(config.fuse, surface="tsdf")
    fusing = within_budget(fusing, work.task(FUSE.name).runtime.memory_bytes)
    made.surface = work.run(FUSE, fusing, posed, made.depth)
    if until >= Until.MESH:
        clean_surface(work, replace(config, mesh=cleaning_of(kind, config.mesh)), made, CLEANING)


def _one_photo_to_mesh(work: Workspace, config: Config, until: Until, made: Results) -> None:
    assert made.posed
    assert made.predictions
    depth = made.predictions
    made.posed = posed = in_unit_of_depth(made.posed, depth)
    work.warn_again("relief", lambda: relief.assumptions(posed.value, depth.value))
    made.depth = work.run(SETTLE, config.relief, posed, depth)
    if until < Until.FUSE:
        return
    made.surface = work.run(RELIEF, config.relief, posed, made.depth)
    if until >= Until.MESH:
        clean_surface(work, config, made, CLEANING_RELIEF)
