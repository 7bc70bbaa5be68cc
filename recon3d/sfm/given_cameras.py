"""What the user knows of the cameras, fitted to the image set's photos."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import IntrinsicsError, PosesError
from recon3d.core.scene import GivenCameras, ImageSet, Photo
from recon3d.core.transform import Rigid
from recon3d.photos.intrinsics import CameraFile, Size, read_camera_file
from recon3d.photos.naming import PHOTO_SUFFIXES, match_by_name, split_role
from recon3d.photos.pictures import read_orientation
from recon3d.sfm.poses import PoseFile, read_pose_file

_ASPECT_TOLERANCE = 0.01


def read_given_cameras(
    image_set: ImageSet, intrinsics: Path | None, poses: Path | None
) -> GivenCameras:
    """Read what the user knows of the cameras and fit it to the image set's photos.

    Poses that come with intrinsics (COLMAP, transforms.json) give these too, to the photos that
    they place, unless `intrinsics` is given. Poses are in metres where their file says so or the
    photos have sensor depth, which is in metres itself.

    Raises:
        IntrinsicsError: a file is unreadable, impossible, or does not fit the photos.
        PosesError: a file is unreadable, impossible, or belongs to no photo.
    """
    usual_size = Counter((p.width_px, p.height_px) for p in image_set.photos).most_common(1)[0][0]
    posed, placed = PoseFile(), dict[str, Rigid]()
    cameras: dict[str, Intrinsics] = {}
    if poses:
        posed = read_pose_file(poses, [photo.id for photo in image_set.photos], usual_size)
        placed = _place(image_set, posed, poses)
    if intrinsics:
        file = read_camera_file(intrinsics, usual_size)
        cameras = fit_to_photos(image_set.photos, file, intrinsics)
    elif poses and posed.intrinsics:
        photos = [photo for photo in image_set.photos if photo.id in placed]
        cameras = fit_to_photos(photos, CameraFile(by_name=posed.intrinsics), poses)
    return GivenCameras(
        cameras,
        placed,
        posed.unit or ("metre" if image_set.sensor_depth else "scene"),
        _digest([*([intrinsics] if intrinsics else []), *posed.sources]),
    )


def fit_to_photo(intrinsics: Intrinsics, photo: Photo, source: Path) -> Intrinsics:
    """Scale to the photo's size; turn them when EXIF turned the photo by 90 degrees.

    Scaling keeps the centre of the first pixel at (0.5, 0.5). A landscape calibration fits a
    portrait photo only when the photo's own EXIF says which way it was turned.

    Raises:
        IntrinsicsError: the photo has another shape.
    """
    camera, size = intrinsics.pinhole, (photo.width_px, photo.height_px)
    if _same_shape((camera.width_px, camera.height_px), size):
        return replace(intrinsics, pinhole=camera.resized(*size))
    turned = {6: _turned_right, 8: _turned_left}.get(read_orientation(Path(photo.path)))
    if turned and _same_shape((camera.height_px, camera.width_px), size):
        return fit_to_photo(turned(intrinsics), photo, source)
    raise IntrinsicsError(
        f"{source.name} is for {camera.width_px}x{camera.height_px} pixels, but {photo.id} has "
        f"{photo.width_px}x{photo.height_px}: another shape.",
        hint="Give the uncropped photos, one camera per photo (docs/INTRINSICS.md), or leave "
        "--intrinsics out to have them estimated.",
    )


def fit_to_photos(photos: Sequence[Photo], file: CameraFile, source: Path) -> dict[str, Intrinsics]:
    """The camera of every photo, by photo id: of its name, its folder or its size, or the only one.

    Raises:
        IntrinsicsError: a photo has no camera in the file, or one of another shape.
    """
    if file.shared:
        return {p.id: fit_to_photo(_choose(file.shared, p, source), p, source) for p in photos}
    ids = [photo.id for photo in photos]
    names = _named_folders(ids, file.by_name) | match_by_name(ids, file.by_name)
    missing = [photo.id for photo in photos if photo.id not in names]
    if missing:
        raise IntrinsicsError(
            f"{source.name} has no camera for {len(missing)} of {len(photos)} photos, "
            f"such as {missing[0]}.",
            hint="Name every photo in it or the folder that it lies in, or give one camera for "
            "all of them.",
        )
    return {p.id: fit_to_photo(file.by_name[names[p.id]], p, source) for p in photos}


def _named_folders(photo_ids: Iterable[str], names: Container[str]) -> dict[str, str]:
    """The nearest folder around each photo that is named, as a rig's cameras are."""
    return {
        photo_id: folder.name
        for photo_id in photo_ids
        for folder in reversed(PurePosixPath(photo_id).parents)
        if folder.name in names
    }


def _choose(shared: Sequence[Intrinsics], photo: Photo, source: Path) -> Intrinsics:
    """The one camera of the photo's size, or the only one."""
    size = photo.width_px, photo.height_px
    fitting = [c for c in shared if (c.pinhole.width_px, c.pinhole.height_px) == size]
    if len(shared) == 1 or len(fitting) == 1:
        return (fitting or shared)[0]
    raise IntrinsicsError(
        f"{source.name} holds {len(shared)} cameras, {len(fitting)} of them for "
        f"{photo.width_px}x{photo.height_px} pixels: which one took {photo.id} is unclear.",
        hint="Give one camera, or name the photos (docs/INTRINSICS.md).",
    )


def _place(image_set: ImageSet, posed: PoseFile, source: Path) -> dict[str, Rigid]:
    ids = [photo.id for photo in image_set.photos]
    if posed.in_order:
        # A photo that ingest left out still has its line.
        left_out = (v.photo_id for v in image_set.verdicts if _is_photo_name(v.photo_id))
        for candidates in (sorted([*ids, *left_out]), ids):
            if len(candidates) == len(posed.in_order):
                by_id = dict(zip(candidates, posed.in_order, strict=True))
                return {photo_id: by_id[photo_id] for photo_id in ids}
        raise PosesError(
            f"{source.name} holds {len(posed.in_order)} poses, but there are {len(ids)} photos.",
            hint="One matrix per photo is needed, in the order of the photos' names.",
        )
    names = match_by_name(ids, posed.cam_from_world)
    if not names:
        example = min(posed.cam_from_world, default="nothing")
        raise PosesError(
            f"No pose in {source.name} belongs to a photo: photos are named like {ids[0]}, "
            f"the poses like {example}.",
            hint="Use the same names, or check that poses and photos belong together.",
        )
    return {photo_id: posed.cam_from_world[name] for photo_id, name in names.items()}


def _is_photo_name(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES and split_role(name)[1] not in (
        "depth",
        "mask",
    )


def _same_shape(a: Size, b: Size) -> bool:
    return abs(a[0] * b[1] / (a[1] * b[0]) - 1) <= _ASPECT_TOLERANCE


def _turned_right(given: Intrinsics) -> Intrinsics:
    """The camera of the photo turned by 90 degrees clockwise: (x, y) becomes (height - y, x)."""
    c = given.pinhole
    camera = PinholeCamera(
        c.height_px, c.width_px, c.fy_px, c.fx_px, c.height_px - c.cy_px, c.cx_px
    )
    lens = given.distortion
    if lens.model == "brown":
        # The tangential part turns like the vector (p2, p1), the prism like (s1, s3) and (s2, s4);
        # the radial part does not change.
        k1, k2, p1, p2, *more = lens.coefficients
        if prism := more[4:]:
            s1, s2, s3, s4 = prism
            more[4:] = [-s3, -s4, s1, s2]
        lens = Distortion("brown", (k1, k2, p2, -p1, *more))
    return Intrinsics(camera, lens)


def _turned_left(given: Intrinsics) -> Intrinsics:
    return _turned_right(_turned_right(_turned_right(given)))


def _digest(files: Sequence[Path]) -> str:
    """Empty without files."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest() if files else ""
