"""Matches -> cameras in space and sparse points."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.scene import CameraEstimate
from recon3d.core.transform import Rigid
from recon3d.photos.colmap_cameras import colmap_from_intrinsics, intrinsics_from_colmap
from recon3d.run.task import Task
from recon3d.sfm.colmap_bundle import adjust
from recon3d.sfm.features import PhotoDatabase, to_colmap_camera
from recon3d.sfm.lens_ladder import find_lenses
from recon3d.sfm.lens_words import tell_lens
from recon3d.sfm.pycolmap_library import pycolmap, run_cancellable
from recon3d.sfm.rigs import frames_of_images, rigid3d, rigs_of_cameras

_log = logging.getLogger(__name__)

# A pose has six unknowns; COLMAP's own bar for a photo is 30 points, seen by anything.
_FEWEST_BOUND = 20


@dataclass(frozen=True, eq=False)
class Placement:
    """Photos placed in one frame, and the points that place them."""

    cam_from_world: Mapping[str, Rigid]
    """By photo id, in the image set's order."""
    cameras: Mapping[str, CameraEstimate]
    camera_of: Mapping[str, str]
    """The key in `cameras` of each placed photo."""
    xyz_world: Float[np.ndarray, "n 3"]
    error_px: Float[np.ndarray, "n"]
    observations: Int[np.ndarray, "m 2"]
    """(index of the point, index of the photo in cam_from_world)."""
    sightings_px: Float[np.ndarray, "m 2"] = field(default_factory=lambda: np.empty((0, 2)))
    """Where the photo as it was taken shows the point; empty without structure from motion."""
    others: tuple[Placement, ...] = ()
    """Photos that were placed among each other, but not with these; the most first."""
    brought: tuple[str, ...] = ()
    """Those that only a second look has placed; see `recon3d.sfm.joining`."""
    joined: tuple[str, ...] = ()
    """What ties components that the mapper left apart and that are one by now, in sentences."""
    joined_coarsely: tuple[str, ...] = ()
    """The same of ties that are not good to a few pixels."""
    apart: str = ""
    """Of one of `others`: why it is not joined, where that was tried."""
    scale_sigma: float | None = None
    """One standard deviation of a metre as a share; None where nothing says what a metre is."""


def map_incrementally(
    database: PhotoDatabase, *, relaxed: bool, seed: int, task: Task
) -> list[pycolmap.Reconstruction]:
    """Place photos one by one, starting from the best pair; empty if not even a pair holds.

    relaxed starts from narrower baselines and believes a photo with fewer points.

    Returns models that hang together in themselves, the one of most photos first.
    """
    options = _options(database, seed)
    if relaxed:
        options.structure_less_registration_fallback = True
        _relax(options)
    done = 0

    def count_start() -> None:
        nonlocal done
        done = 2

    def count_next() -> None:
        nonlocal done
        done += 1

    with _scratch(database.folder / "models") as folder:
        models = run_cancellable(
            task,
            database.folder,
            lambda: (done, len(database.photos), "placing photos"),
            lambda token: pycolmap.incremental_mapping(
                database.path,
                database.pictures,
                folder,
                options,
                initial_image_pair_callback=count_start,
                next_image_callback=count_next,
                cancellation_token=token,
            ),
        )
    # Ties go to the model that was built first, from the better pair.
    return sorted(models.values(), key=lambda model: -model.num_reg_images())


def extend(
    database: PhotoDatabase,
    model: pycolmap.Reconstruction,
    *,
    seed: int,
    task: Task,
    hold: bool = False,
) -> list[pycolmap.Reconstruction]:
    """A copy of a model with more photos.

    Behind it stand models of the photos that are in none of it, the largest first.

    hold: Leave the photos of the model where they are; without, all move, and more photos are
        believed with fewer points than those before.
    """
    options = _options(database, seed)
    options.fix_existing_frames = hold
    if not hold:
        _relax(options)
    with _scratch(database.folder / "models") as folder:
        given, grown = folder / "given", folder / "grown"
        given.mkdir()
        grown.mkdir()
        model.write_binary(given)
        found = run_cancellable(
            task,
            database.folder,
            lambda: (model.num_reg_images(), len(database.photos), "placing more photos"),
            lambda token: pycolmap.incremental_mapping(
                database.path,
                database.pictures,
                grown,
                options,
                input_path=given,
                cancellation_token=token,
            ),
        )
    mine = set(model.reg_image_ids())
    return sorted(
        found.values(),
        key=lambda each: (-len(mine.intersection(each.reg_image_ids())), -each.num_reg_images()),
    )


def bound_photos(model: pycolmap.Reconstruction, start: Set[int]) -> set[int]:
    """COLMAP's numbers of the photos that hang on those of `start`, by enough points each.

    A point counts that at least two photos see which belong already; so photos that see enough
    of each other, but hardly anything of these, stay outside.
    """
    # Photos of a rig stand and fall together.
    frame_of = {number: model.images[number].frame_id for number in model.reg_image_ids()}
    tracks = [
        {frame_of[element.image_id] for element in point.track.elements}
        for point in model.points3D.values()
    ]
    bound = {frame_of[number] for number in start & frame_of.keys()}
    while True:
        counts: Counter[int] = Counter()
        for seen in tracks:
            if len(seen & bound) > 1:
                counts.update(seen - bound)
        more = {number for number, count in counts.items() if count >= _FEWEST_BOUND}
        if not more:
            return {number for number, frame in frame_of.items() if frame in bound}
        bound |= more


def rebuild(
    database: PhotoDatabase,
    cam_from_world: Mapping[int, pycolmap.Rigid3d],
    cameras: Mapping[int, pycolmap.Camera],
    *,
    seed: int,
    task: Task,
) -> pycolmap.Reconstruction:
    """A model of photos whose poses are nearly known, all adjusted; numbers are COLMAP's."""
    for _ in range(2):
        model = _triangulated(database, cam_from_world, cameras, seed, task)
        adjust(database, model)
        cam_from_world = {n: model.images[n].cam_from_world() for n in model.reg_image_ids()}
        cameras = {number: model.cameras[number] for number in cameras}
    return model


def grow(
    database: PhotoDatabase,
    cam_from_world: Mapping[str, Rigid],
    *,
    seed: int,
    task: Task,
) -> Placement:
    """Photos with a pose, which stay exactly as they are, and others that find theirs among them.

    All points are new.

    Args:
        database: Of the photos. Lenses of photos that have a pose are "given".
        cam_from_world: By photo id.
        seed: Of all that is random.
        task: To step.
    """
    numbers = {photo.id: number for number, photo in enumerate(database.photos, start=1)}
    poses = {numbers[photo_id]: rigid3d(pose) for photo_id, pose in cam_from_world.items()}
    used = {database.camera_numbers[database.photos[number - 1].camera] for number in poses}
    cameras = {
        number: to_colmap_camera(estimate)
        for number, estimate in enumerate(database.cameras.values(), start=1)
        if number in used
    }
    model = _triangulated(database, poses, cameras, seed, task)
    grown = extend(database, model, seed=seed, task=task, hold=True)[0]
    placement = _adjust_with_lenses(database, grown, task, held=poses.keys())
    return replace(placement, cam_from_world={**placement.cam_from_world, **cam_from_world})


def to_placement(
    database: PhotoDatabase,
    models: Sequence[pycolmap.Reconstruction],
    reasons: Sequence[str],
    brought: tuple[str, ...],
    task: Task,
    joined: tuple[str, ...] = (),
) -> Placement | None:
    """The models, adjusted once more with the lens that their photos hold, as core types.

    None without any.

    Args:
        database: Of the photos.
        models: The largest first; they are adjusted where they are.
        reasons: Of each: why it stays apart.
        brought: Photos that only a second look has placed.
        task: Asked whether to stop.
        joined: What ties the parts of the largest model, in sentences.
    """
    if not models:
        return None
    placements: list[Placement] = []
    placed: set[str] = set()
    for model, apart in zip(models, reasons, strict=True):
        # Models may share photos, and one that adds none is a worse copy of another.
        if (ids := _photo_ids(database, model)) - placed:
            placed |= ids
            placement = _adjust_with_lenses(database, model, task)
            placements.append(replace(placement, apart=apart))
    others = tuple(placements[1:])
    return replace(placements[0], others=others, brought=brought, joined=joined)


def triangulate(
    database: PhotoDatabase,
    cam_from_world: Mapping[str, Rigid],
    *,
    seed: int,
    task: Task,
) -> Placement:
    """Points from matches, with cameras that stay exactly as they are."""
    cameras = {
        number: to_colmap_camera(estimate)
        for number, estimate in enumerate(database.cameras.values(), start=1)
    }
    poses = {
        number: rigid3d(cam_from_world[photo.id])
        for number, photo in enumerate(database.photos, start=1)
    }
    placement = _to_placement(database, _triangulated(database, poses, cameras, seed, task), {})
    # The user's own numbers, not a copy that went through quaternions.
    return replace(
        placement, cam_from_world={key: cam_from_world[key] for key in placement.cam_from_world}
    )


def _triangulated(
    database: PhotoDatabase,
    cam_from_world: Mapping[int, pycolmap.Rigid3d],
    cameras: Mapping[int, pycolmap.Camera],
    seed: int,
    task: Task,
) -> pycolmap.Reconstruction:
    camera_ids = database.camera_numbers
    images = [
        pycolmap.Image(
            name=database.name(number - 1),
            camera_id=camera_ids[database.photos[number - 1].camera],
            image_id=number,
        )
        for number in sorted(cam_from_world)
    ]
    model = build_model(database, cameras, images, cam_from_world)
    options = _options(database, seed)
    with _scratch(database.folder / "models") as folder:
        return run_cancellable(
            task,
            database.folder,
            lambda: (0, 1, "triangulating points"),
            lambda token: pycolmap.triangulate_points(
                model,
                database.path,
                database.pictures,
                folder,
                options=options,
                cancellation_token=token,
            ),
        )


def build_model(
    database: PhotoDatabase,
    cameras: Mapping[int, pycolmap.Camera],
    images: Sequence[pycolmap.Image],
    cam_from_world: Mapping[int, pycolmap.Rigid3d],
) -> pycolmap.Reconstruction:
    """A model of photos without points, those of a rig held in their places.

    Args:
        database: Of the photos.
        cameras: Of the images; by COLMAP's numbers.
        images: In ascending order of their numbers; their cameras are those of the database.
        cam_from_world: By the number of the image. Of photos that were taken together the first
            one's pose counts.
    """
    model = pycolmap.Reconstruction()
    places = database.camera_places
    for number, camera in sorted(cameras.items()):
        camera.camera_id = number
        model.add_camera(camera)
    rigs = [*rigs_of_cameras({number: places[number] for number in sorted(cameras)})]
    for rig in rigs:
        model.add_rig(rig)
    photos = database.photos
    members = {i.image_id: (i.camera_id, photos[i.image_id - 1].place) for i in images}
    frames = [*frames_of_images(members, rigs)]
    frame_of: dict[int, int] = {}
    for frame in frames:
        frame_of |= {each.id: frame.frame_id for each in frame.data_ids}
        model.add_frame(frame)
    for image in images:
        image.frame_id = frame_of[image.image_id]
        model.add_image(image)
    for frame in frames:
        # A frame has the number of its first image.
        camera_id, pose = members[frame.frame_id][0], cam_from_world[frame.frame_id]
        model.frames[frame.frame_id].set_cam_from_world(camera_id, pose)
        model.register_frame(frame.frame_id)
    return model


def _options(database: PhotoDatabase, seed: int) -> pycolmap.IncrementalPipelineOptions:
    options = pycolmap.IncrementalPipelineOptions()
    options.min_model_size = 2
    # With more threads the order of sums, and then now and then a point, differs between runs.
    options.num_threads = 1
    options.extract_colors = False
    # Tried for every photo that does not fit, it costs twenty times the rest of the mapping.
    options.structure_less_registration_fallback = False
    options.ba_refine_sensor_from_rig = False
    for seeded in (options, options.mapper, options.triangulation):
        seeded.random_seed = seed
    fixed = {
        number
        for number, estimate in enumerate(database.cameras.values(), start=1)
        if estimate.source == "given"
    }
    options.constant_cameras = fixed
    if len(fixed) == len(database.cameras):
        options.ba_refine_focal_length = False
        options.ba_refine_extra_params = False
        options.mapper.abs_pose_refine_focal_length = False
        options.mapper.abs_pose_refine_extra_params = False
    if len(database.photos) <= 3:
        # Two or three photos have two-view tracks only, and often a narrow baseline.
        options.mapper.init_min_num_inliers = 30
        options.mapper.init_min_tri_angle = 2.0
        options.triangulation.ignore_two_view_tracks = False
    return options


def _relax(options: pycolmap.IncrementalPipelineOptions) -> None:
    options.min_num_matches = 10
    options.mapper.init_min_num_inliers = 50
    options.mapper.init_min_tri_angle = 4.0
    options.mapper.abs_pose_min_num_inliers = 15
    options.mapper.abs_pose_min_inlier_ratio = 0.15
    options.mapper.filter_min_tri_angle = 0.5
    options.triangulation.min_angle = 0.5


def _adjust_with_lenses(
    database: PhotoDatabase,
    model: pycolmap.Reconstruction,
    task: Task,
    held: Collection[int] = (),
) -> Placement:
    """Adjust all, find how rich a lens the photos hold, and adjust all again with that one.

    held: COLMAP's numbers of photos that stay where they are.
    """
    placement = _to_placement(database, model, adjust(database, model, held=held))
    unknown = {
        key: estimate for key, estimate in placement.cameras.items() if estimate.source != "given"
    }
    found = find_lenses(placement, unknown, task)
    richer = {key: lens.estimate for key, lens in found.items() if lens.is_richer}
    if richer:
        numbers = {key: number for number, key in enumerate(database.cameras, start=1)}
        for key, estimate in richer.items():
            camera = model.cameras[numbers[key]]
            name, camera_params = colmap_from_intrinsics(estimate.intrinsics)
            camera.model = pycolmap.CameraModelId.__members__[name]
            camera.params = camera_params
        deviations = adjust(database, model, {numbers[key] for key in richer}, held)
        placement = _to_placement(database, model, deviations)
    told = {
        key: replace(estimate, steps=found[key].estimate.steps)
        for key, estimate in placement.cameras.items()
        if key in found
    }
    cameras = {**placement.cameras, **told, **richer}
    for key in unknown:
        _log.info("lens of %s: %s", key, tell_lens(cameras[key]))
    return replace(placement, cameras=cameras)


def as_placement(database: PhotoDatabase, model: pycolmap.Reconstruction) -> Placement:
    """A model as it is, as core types."""
    return _to_placement(database, model, {})


def _to_placement(
    database: PhotoDatabase, model: pycolmap.Reconstruction, deviations: Mapping[int, float]
) -> Placement:
    ids = sorted(model.reg_image_ids())
    rank = {image_id: place for place, image_id in enumerate(ids)}
    poses = {}
    for image_id in ids:
        matrix = model.images[image_id].cam_from_world().matrix()
        poses[database.photos[image_id - 1].id] = Rigid(matrix[:, :3], matrix[:, 3])
    cameras = {}
    for number, (key, estimate) in enumerate(database.cameras.items(), start=1):
        if estimate.source != "given" and model.exists_camera(number):
            camera = model.cameras[number]
            estimate = replace(
                estimate,
                intrinsics=intrinsics_from_colmap(
                    camera.model_name, camera.width, camera.height, camera.params.tolist()
                ),
                focal_std_px=deviations.get(number),
            )
        cameras[key] = estimate
    points = [model.points3D[number] for number in sorted(model.point3D_ids())]
    features = {image_id: model.images[image_id].points2D for image_id in ids}
    rows, sightings_px = [], []
    for index, point in enumerate(points):
        seen = {element.image_id: element.point2D_idx for element in point.track.elements}
        for image_id in sorted(seen):
            rows.append((index, rank[image_id]))
            sightings_px.append(features[image_id][seen[image_id]].xy)
    return Placement(
        poses,
        cameras,
        {photo.id: photo.camera for photo in database.photos if photo.id in poses},
        np.array([point.xyz for point in points], np.float64).reshape(-1, 3),
        np.array([point.error for point in points], np.float64),
        np.array(rows, np.int64).reshape(-1, 2),
        np.array(sightings_px, np.float64).reshape(-1, 2),
    )


def _photo_ids(database: PhotoDatabase, model: pycolmap.Reconstruction) -> set[str]:
    return {database.photos[image_id - 1].id for image_id in model.reg_image_ids()}


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """An empty folder, gone afterwards: pycolmap insists on writing its models to a disk."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
