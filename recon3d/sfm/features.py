"""Photos -> a COLMAP database of cameras, images and SIFT features."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from recon3d.core.rig import RigPhoto
from recon3d.core.scene import CameraEstimate
from recon3d.photos.colmap_cameras import colmap_from_intrinsics
from recon3d.run.task import Task
from recon3d.sfm.pycolmap_library import open_database, pycolmap, run_cancellable
from recon3d.sfm.rigs import frames_of_images, rigs_of_cameras


@dataclass(frozen=True)
class PhotoToPlace:
    """One photo as structure from motion sees it."""

    id: str
    picture: Path
    mask: Path | None
    camera: str
    """Key of its camera; photos of one camera share intrinsics and, in a rig, their place."""
    place: RigPhoto | None = None
    """In a rig; None where it belongs to none."""


@dataclass(frozen=True)
class FeatureEffort:
    """How hard to look for features."""

    longest_px: int
    limit: int
    fine: bool
    """Look at twice the resolution and take fainter features: about four times the work."""


@dataclass(frozen=True)
class PhotoDatabase:
    """A COLMAP database; image n + 1 is photo n and camera n + 1 is the nth camera."""

    folder: Path
    photos: tuple[PhotoToPlace, ...]
    cameras: Mapping[str, CameraEstimate]

    @property
    def path(self) -> Path:
        """The database file."""
        return self.folder / "database.db"

    @property
    def pictures(self) -> Path:
        """Links to the photos under the names that the database has for them."""
        return self.folder / "pictures"

    def name(self, index: int) -> str:
        """The database's name of a photo; ids may hold spaces, which pair lists cannot."""
        return f"{index:06d}{self.photos[index].picture.suffix}"

    @property
    def camera_numbers(self) -> dict[str, int]:
        """COLMAP's, by key."""
        return {key: number for number, key in enumerate(self.cameras, start=1)}

    @property
    def camera_places(self) -> dict[int, RigPhoto | None]:
        """In rigs, by COLMAP's number of the camera."""
        place_of = {photo.camera: photo.place for photo in self.photos}
        return {number: place_of.get(key) for key, number in self.camera_numbers.items()}

    def open(self) -> pycolmap.Database:
        """A connection, to be used with `with`.

        Only ever through pycolmap: a second SQLite library in the process, such as Python's own,
        breaks the locks of the first, and the program dies of SIGBUS.

        Raises:
            OutputError: the disk is almost full.
        """
        return open_database(self.path)


def find_features(
    database: PhotoDatabase, effort: FeatureEffort, threads: int, task: Task
) -> np.ndarray:
    """Fill the database with features; photos that have theirs already are skipped.

    Returns the number of features by photo.
    """
    prepare(database)
    sizes = [
        max(camera.pinhole.width_px, camera.pinhole.height_px)
        for camera in (database.cameras[photo.camera].intrinsics for photo in database.photos)
    ]
    # Twice enlarged, small photos give enough features; large ones have plenty without, at a
    # quarter of the work and the same accuracy of the poses.
    enlarged = [effort.fine or min(size, effort.longest_px) < 1000 for size in sizes]
    for choice in (False, True):
        names = [database.name(n) for n, yes in enumerate(enlarged) if yes == choice]
        if names:
            _extract(database, names, effort, choice, threads, task)
    return count_features(database)


def count_features(database: PhotoDatabase) -> np.ndarray:
    """The number of features by photo."""
    with database.open() as stored:
        return np.array(
            [stored.num_keypoints_for_image(n + 1) for n in range(len(database.photos))], np.int64
        )


def read_descriptors(database: PhotoDatabase) -> Iterator[UInt8[np.ndarray, "n 128"]]:
    """The SIFT descriptors of each photo in turn."""
    with database.open() as stored:
        for n in range(len(database.photos)):
            yield descriptors_of(stored, n)


def descriptors_of(stored: pycolmap.Database, index: int) -> UInt8[np.ndarray, "n 128"]:
    """The SIFT descriptors of one photo."""
    found: np.ndarray = stored.read_descriptors(index + 1).data.reshape(-1, 128)
    return found


def _extract(
    database: PhotoDatabase,
    names: Sequence[str],
    effort: FeatureEffort,
    enlarged: bool,
    threads: int,
    task: Task,
) -> None:
    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size = effort.longest_px
    options.num_threads = threads
    options.use_gpu = False
    options.sift.max_num_features = effort.limit
    options.sift.first_octave = -1 if enlarged else 0
    if effort.fine:
        options.sift.peak_threshold /= 2
    reader = pycolmap.ImageReaderOptions()
    if any(photo.mask for photo in database.photos):
        reader.mask_path = database.folder / "masks"
    with database.open() as watched:
        run_cancellable(
            task,
            database.folder,
            lambda: (_count_finished(watched, database), len(database.photos), "finding features"),
            lambda token: pycolmap.extract_features(
                database.path,
                database.pictures,
                names,
                reader_options=reader,
                extraction_options=options,
                device=pycolmap.Device.cpu,
                cancellation_token=token,
            ),
        )


def _count_finished(stored: pycolmap.Database, database: PhotoDatabase) -> int:
    return sum(stored.exists_descriptors(n + 1) for n in range(len(database.photos)))


def prepare(database: PhotoDatabase) -> None:
    """Write cameras and images at once, so that an interrupted run never sees half of them."""
    masks = database.folder / "masks"
    for index, photo in enumerate(database.photos):
        _link(photo.picture, database.pictures / database.name(index))
        if photo.mask:
            _link(photo.mask, masks / f"{database.name(index)}.png")
    if database.path.exists():
        return
    part = database.path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with open_database(part) as stored:
        for estimate in database.cameras.values():
            stored.write_camera(to_colmap_camera(estimate))
        rigs = [*rigs_of_cameras(database.camera_places)]
        for rig in rigs:
            stored.write_rig(rig, use_rig_id=True)
        images, numbers = {}, database.camera_numbers
        for index, photo in enumerate(database.photos):
            camera_id = numbers[photo.camera]
            image = pycolmap.Image(name=database.name(index), camera_id=camera_id)
            images[stored.write_image(image)] = camera_id, photo.place
        for frame in frames_of_images(images, rigs):
            stored.write_frame(frame, use_frame_id=True)
    part.replace(database.path)


def copy_evidence(database: PhotoDatabase, split: PhotoDatabase) -> None:
    """Features and matches for the same photos; an interrupted copy is gone on with."""
    with database.open() as source, split.open() as target:
        for number in range(1, len(database.photos) + 1):
            if not target.exists_keypoints(number):
                target.write_keypoints(number, source.read_keypoints(number))
            if not target.exists_descriptors(number):
                target.write_descriptors(number, source.read_descriptors(number))
        for pair_id in source.read_num_matches()[0]:
            a, b = pycolmap.pair_id_to_image_pair(pair_id)
            if not target.exists_matches(a, b):
                target.write_matches(a, b, source.read_matches(a, b))
            if not target.exists_two_view_geometry(a, b):
                target.write_two_view_geometry(a, b, source.read_two_view_geometry(a, b))


def to_colmap_camera(estimate: CameraEstimate) -> pycolmap.Camera:
    """The camera to start from; one focal length and one distortion term unless all are given."""
    pinhole = estimate.intrinsics.pinhole
    model, params = colmap_from_intrinsics(estimate.intrinsics)
    if estimate.source != "given":
        model = "SIMPLE_RADIAL"
        params = [pinhole.fx_px, pinhole.cx_px, pinhole.cy_px, 0.0]
    camera = pycolmap.Camera(
        model=model, width=pinhole.width_px, height=pinhole.height_px, params=params
    )
    camera.has_prior_focal_length = estimate.source != "guessed, refined"
    return camera


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        # Another disk, or a file system without links.
        part = target.with_suffix(".part")
        shutil.copyfile(source, part)
        part.replace(target)
