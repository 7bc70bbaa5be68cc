"""Cameras of a file, fitted to the photos: which is whose, which way up, and at which size."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from recon3d.core.camera import Intrinsics
from recon3d.core.errors import IntrinsicsError
from recon3d.core.orientation import (
    DescribedPixels,
    Pixels,
    Size,
    described_pixels,
    same_shape,
    size_tells,
    turn_intrinsics,
    turned_size,
)
from recon3d.core.scene import Photo
from recon3d.photos.intrinsics import CameraFile
from recon3d.photos.naming import match_by_name


@dataclass(frozen=True, eq=False)
class FittedCameras:
    """Cameras of upright photos, and what was taken to be so."""

    intrinsics: Mapping[str, Intrinsics]
    """By photo id."""
    pixels: Mapping[str, Pixels]
    """By photo id: which pixels the file's camera is for."""
    assumed: tuple[str, ...]
    """Ids of turned photos for which nothing says it."""


def fit_to_photos(
    photos: Sequence[Photo], file: CameraFile, source: Path, described: DescribedPixels = "auto"
) -> FittedCameras:
    """The camera of every photo: of its name, its folder or its size, or the only one.

    described: which pixels of turned photos the cameras are for; where neither this nor a size
        decides, it is the stored ones, unless other photos of the file say otherwise.

    Raises:
        IntrinsicsError: a photo has no camera in the file, or one of another shape.
    """
    ids = [photo.id for photo in photos]
    names = _named_folders(ids, file.by_name) | match_by_name(ids, file.by_name)
    missing = [photo.id for photo in photos if photo.id not in names]
    if missing and not file.shared:
        raise IntrinsicsError(
            f"{source.name} has no camera for {len(missing)} of {len(photos)} photos, "
            f"such as {missing[0]}.",
            hint="Name every photo in it or the folder that it lies in, or give one camera for "
            "all of them.",
        )
    cameras = {
        photo.id: file.by_name[names[photo.id]]
        if photo.id in names
        else _choose(file.shared, photo, source)
        for photo in photos
    }
    sizes = {photo_id: size_of(camera) for photo_id, camera in cameras.items()}
    pixels, assumed = which_pixels(photos, sizes, described)
    return FittedCameras(
        {
            photo.id: fit_to_photo(cameras[photo.id], photo, source, pixels[photo.id])
            for photo in photos
        },
        pixels,
        assumed,
    )


def fit_to_photo(
    intrinsics: Intrinsics, photo: Photo, source: Path, pixels: Pixels = "stored"
) -> Intrinsics:
    """Scale to the photo's size, and turn them as EXIF turned the photo where they are stored.

    Scaling keeps the centre of the first pixel at (0.5, 0.5).

    Raises:
        IntrinsicsError: the photo has another shape.
    """
    size = photo.width_px, photo.height_px
    if pixels == "stored":
        intrinsics = turn_intrinsics(intrinsics, photo.exif.orientation)
    camera = intrinsics.pinhole
    if same_shape((camera.width_px, camera.height_px), size):
        return replace(intrinsics, pinhole=camera.resized(*size))
    hint = (
        "Give the uncropped photos, one camera per photo (docs/INTRINSICS.md), or leave "
        "--intrinsics out to have them estimated."
    )
    if same_shape(turned_size((camera.width_px, camera.height_px), photo.exif.orientation), size):
        hint = "It would fit the photo as EXIF turns it: say --orientation stored."
    raise IntrinsicsError(
        f"{source.name} is for {camera.width_px}x{camera.height_px} pixels, but {photo.id} has "
        f"{photo.width_px}x{photo.height_px}: another shape.",
        hint=hint,
    )


def which_pixels(
    photos: Sequence[Photo],
    sizes: Mapping[str, Size],
    described: DescribedPixels,
    like: Mapping[str, Pixels] | None = None,
) -> tuple[dict[str, Pixels], tuple[str, ...]]:
    """Which pixels of each photo something is for, and the turned ones of which nothing says it.

    sizes: what it is for, where that is known.
    like: what counts where sizes are not known at all.
    """
    if described != "auto":
        return dict.fromkeys((photo.id for photo in photos), described), ()
    seen = {
        photo.id: described_pixels(
            sizes.get(photo.id), (photo.width_px, photo.height_px), photo.exif.orientation
        )
        for photo in photos
    }
    turned = [photo for photo in photos if photo.exif.orientation != 1]
    # One program wrote all of it: where other turned photos are upright, so is one that does not
    # tell.
    clear = {pixels for photo in turned if (pixels := seen[photo.id])}
    usual: Pixels = "upright" if clear == {"upright"} else "stored"
    follows = like or {}
    chosen = {key: pixels or follows.get(key, usual) for key, pixels in seen.items()}
    unclear = (p for p in turned if seen[p.id] is None and not _is_known(p, follows))
    return chosen, tuple(photo.id for photo in unclear)


def _is_known(photo: Photo, pixels: Mapping[str, Pixels]) -> bool:
    """Whether the size of something else has told it."""
    size = photo.width_px, photo.height_px
    return photo.id in pixels and size_tells(size, photo.exif.orientation)


def _named_folders(photo_ids: Iterable[str], names: Container[str]) -> dict[str, str]:
    """The nearest folder around each photo that is named, as a rig's cameras are."""
    return {
        photo_id: folder.name
        for photo_id in photo_ids
        for folder in reversed(PurePosixPath(photo_id).parents)
        if folder.name in names
    }


def _choose(shared: Sequence[Intrinsics], photo: Photo, source: Path) -> Intrinsics:
    """The one camera of the photo's size, upright or else as stored, or the only one."""
    if len(shared) == 1:
        return shared[0]
    size = photo.width_px, photo.height_px
    for wanted in (size, turned_size(size, photo.exif.orientation)):
        if len(fitting := [camera for camera in shared if size_of(camera) == wanted]) == 1:
            return fitting[0]
    raise IntrinsicsError(
        f"{source.name} holds {len(shared)} cameras, {len(fitting)} of them for "
        f"{photo.width_px}x{photo.height_px} pixels: which one took {photo.id} is unclear.",
        hint="Give one camera, or name the photos (docs/INTRINSICS.md).",
    )


def size_of(camera: Intrinsics) -> Size:
    """Width and height in pixels."""
    return camera.pinhole.width_px, camera.pinhole.height_px
