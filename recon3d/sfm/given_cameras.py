"""What the user knows of the cameras, fitted to the image set's photos."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from recon3d.core.camera import Intrinsics
from recon3d.core.errors import PosesError
from recon3d.core.natural_order import natural_key
from recon3d.core.orientation import (
    MIRRORED,
    DescribedPixels,
    Pixels,
    Size,
    assumption_in_words,
    turn_pose,
    turned_size,
)
from recon3d.core.rig import RigPhoto
from recon3d.core.scene import GivenCameras, ImageSet, Photo, Point
from recon3d.core.transform import Rigid
from recon3d.language import word
from recon3d.photos.fitted_cameras import FittedCameras, fit_to_photos, size_of, which_pixels
from recon3d.photos.intrinsics import CameraFile, read_camera_file
from recon3d.photos.naming import PHOTO_SUFFIXES, match_by_name, split_role
from recon3d.photos.panorama_views import PanoramaViews
from recon3d.photos.rig_files import read_rig_file
from recon3d.sfm.pose_formats.pose_file import PoseFile
from recon3d.sfm.pose_formats.registry import read_pose_file
from recon3d.sfm.rig_photos import baseline_of, check_folders, has_folders, place_in_rig

# Cameras so many times further from the origin than they are apart get an origin of their own:
# meshes and the voxel grid hold seven digits.
_FAR = 100.0


def read_given_cameras(
    image_set: ImageSet,
    intrinsics: Path | None,
    poses: Path | None,
    warn: Callable[[str], None] = lambda warning: None,
    panoramas: PanoramaViews | None = None,
) -> GivenCameras:
    """Read what the user knows of the cameras and fit it to the image set's photos.

    Poses that come with intrinsics (COLMAP, transforms.json) give these too, to the photos that
    they place, unless `intrinsics` is given. Poses are in metres where their file says so or the
    photos have sensor depth, which is in metres itself. What is for the stored pixels of photos
    that EXIF turned is turned along. Poses far from their origin get one of their own. Views of
    panoramas have cameras of their own, and those of one panorama are a rig.

    Raises:
        IntrinsicsError: a file is unreadable, impossible, or does not fit the photos.
        PosesError: a file is unreadable, impossible, or belongs to no photo.
    """
    described = image_set.orientation
    posed, placed = PoseFile(), dict[str, Rigid]()
    fitted = FittedCameras({}, {}, ())
    views = panoramas.intrinsics if panoramas else {}
    rigs, baseline = (panoramas.rigs if panoramas else {}), None
    held: Mapping[str, RigPhoto] = {}
    taken = [photo for photo in image_set.photos if photo.id not in views]
    usual_size = _usual_size(taken or image_set.photos, described)
    if intrinsics and taken:
        file = read_camera_file(intrinsics, usual_size)
        several = bool(file.by_name) or len(file.shared) > 1
        rig = read_rig_file(intrinsics, usual_size) if several else None
        if rig and (file.by_name or has_folders(taken, rig)):
            check_folders(taken, rig, intrinsics)
            file = CameraFile(by_name={name: each.intrinsics for name, each in rig.cameras.items()})
        else:
            # Kalibr's cameras have no names of their own; then sizes say whose they are.
            rig = None
        fitted = fit_to_photos(taken, file, intrinsics, described)
        if rig and not poses:
            held = place_in_rig(taken, rig, fitted.pixels, intrinsics, warn)
            baseline = baseline_of(rig, held)
    elif intrinsics:
        warn(f"{intrinsics.name} is not used: 360-degree photos need no intrinsics")
    if poses:
        posed = read_pose_file(poses, [photo.id for photo in image_set.photos], usual_size)
        placed, cameras = _place(image_set, posed, poses, warn)
        photos = [photo for photo in image_set.photos if photo.id in placed]
        if cameras and not intrinsics:
            fitted = fit_to_photos(photos, CameraFile(by_name=cameras), poses, described)
        sizes = {photo_id: size_of(camera) for photo_id, camera in cameras.items()}
        pixels, assumed = which_pixels(photos, sizes, described, fitted.pixels)
        placed = _turned(photos, placed, pixels)
        if assumed:
            what = "cameras and poses" if fitted.assumed else word("poses")
            warn(assumption_in_words(what, assumed, pixels[assumed[0]]))
    elif fitted.assumed:
        warn(assumption_in_words(word("cameras"), fitted.assumed, fitted.pixels[fitted.assumed[0]]))
    origin = _local_origin(placed.values())
    own = {photo.id: views[photo.id] for photo in image_set.photos if photo.id in views}
    sources = [*([intrinsics] if intrinsics else []), *posed.sources]
    return GivenCameras(
        {**fitted.intrinsics, **own},
        {photo_id: _moved(pose, origin) for photo_id, pose in placed.items()},
        posed.unit or ("metre" if image_set.sensor_depth else "scene"),
        _digest(sources) + ("rig" if held else "") + (panoramas.digest if panoramas else ""),
        origin,
        {**held, **{photo_id: rigs[photo_id] for photo_id in own}},
        baseline,
    )


def _turned(
    photos: Sequence[Photo], placed: Mapping[str, Rigid], pixels: Mapping[str, Pixels]
) -> dict[str, Rigid]:
    mirrored = [
        photo.id
        for photo in photos
        if pixels[photo.id] == "stored" and photo.exif.orientation in MIRRORED
    ]
    if mirrored:
        raise PosesError(
            f"{mirrored[0]} is stored mirrored, so no camera can stand where its stored pixels "
            "say.",
            hint="If the poses are for the photos as viewers show them, say --orientation upright; "
            "else turn the photos first and place them anew.",
        )
    return {
        photo.id: turn_pose(placed[photo.id], photo.exif.orientation)
        if pixels[photo.id] == "stored"
        else placed[photo.id]
        for photo in photos
    }


def _local_origin(poses: Iterable[Rigid]) -> Point:
    """Near the cameras, in whole units, where they stand far from the origin; else the origin."""
    centres = np.array([pose.inverse().translation for pose in poses]).reshape(-1, 3)
    if not len(centres):
        return (0.0, 0.0, 0.0)
    middle = np.median(centres, axis=0)
    apart = float(np.linalg.norm(centres - middle, axis=1).max())
    if float(np.linalg.norm(middle)) <= _FAR * (apart or 1.0):
        return (0.0, 0.0, 0.0)
    x, y, z = np.round(middle).tolist()
    return (x, y, z)


def _moved(cam_from_file: Rigid, origin: Point) -> Rigid:
    """cam_from_world, the world's origin being where the file has `origin`."""
    return cam_from_file @ Rigid(np.eye(3), np.array(origin))


def _usual_size(photos: Sequence[Photo], described: DescribedPixels) -> Size:
    """Of most photos, as other programs see them: stored, unless told otherwise."""
    return Counter(
        (photo.width_px, photo.height_px)
        if described == "upright"
        else turned_size((photo.width_px, photo.height_px), photo.exif.orientation)
        for photo in photos
    ).most_common(1)[0][0]


def _place(
    image_set: ImageSet, posed: PoseFile, source: Path, warn: Callable[[str], None]
) -> tuple[dict[str, Rigid], dict[str, Intrinsics]]:
    """The poses of the file and its cameras, where it has some, by photo id."""
    ids = [photo.id for photo in image_set.photos]
    names = match_by_name(ids, posed.cam_from_world)
    if names:
        cameras = {i: posed.intrinsics[n] for i, n in names.items() if n in posed.intrinsics}
        return {i: posed.cam_from_world[n] for i, n in names.items()}, cameras
    if posed.in_order:
        return _place_in_order(image_set, posed, source, warn)
    example = min(posed.cam_from_world, default="nothing")
    raise PosesError(
        f"No pose in {source.name} belongs to a photo: photos are named like {ids[0]}, "
        f"the poses like {example}.",
        hint="Use the same names, or check that poses and photos belong together.",
    )


def _place_in_order(
    image_set: ImageSet, posed: PoseFile, source: Path, warn: Callable[[str], None]
) -> tuple[dict[str, Rigid], dict[str, Intrinsics]]:
    ids = [photo.id for photo in image_set.photos]
    # A photo that ingest left out still has its line.
    left_out = (v.photo_id for v in image_set.verdicts if _is_photo_name(v.photo_id))
    for candidates in (sorted([*ids, *left_out], key=natural_key), sorted(ids, key=natural_key)):
        if len(candidates) != len(posed.in_order):
            continue
        if candidates != sorted(candidates):
            warn(
                f"{source.name} names no photos, so its poses are taken in the order in which "
                f"people count: {', '.join(candidates[:3])}. A program that sorts by letters would "
                f"begin with {', '.join(sorted(candidates)[:3])}."
            )
        number = {photo_id: number for number, photo_id in enumerate(candidates)}
        poses = {i: pose for i in ids if (pose := posed.in_order[number[i]])}
        lenses = posed.intrinsics_in_order
        return poses, {i: lenses[number[i]] for i in poses} if lenses else {}
    raise PosesError(
        f"{source.name} holds {len(posed.in_order)} poses, but there are {len(ids)} photos.",
        hint="It does not name the photos, so there must be one pose for each, in the order of "
        "their names.",
    )


def _is_photo_name(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES and split_role(name)[1] not in (
        "depth",
        "mask",
    )


def _digest(files: Sequence[Path]) -> str:
    """Empty without files."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest() if files else ""
