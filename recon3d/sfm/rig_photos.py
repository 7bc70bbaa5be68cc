"""Which photos the cameras of a rig took together, and where each camera stood in the rig."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from recon3d.core.errors import IntrinsicsError
from recon3d.core.orientation import MIRRORED, Pixels, turn_pose
from recon3d.core.rig import Baseline, RigPhoto
from recon3d.core.scene import Photo
from recon3d.photos.moments import moments_by_name
from recon3d.photos.rig_files import RigFile

_RIG, _TURNED = "rig", " turned "
# Where a file says nothing of its own errors: as poses in metres from elsewhere.
_BASELINE_SIGMA, _TURN_STD_DEG = 0.01, 0.02
_LAYOUT = (
    "Put the photos of each camera into a folder of the camera's name, photos of one moment under "
    "the same name (left/0001.jpg and right/0001.jpg)."
)


def check_folders(photos: Sequence[Photo], rig: RigFile, source: Path) -> None:
    """Hold the names of the rig's cameras to those of the photos' folders.

    Raises:
        IntrinsicsError: no folder is called like a camera.
    """
    if not has_folders(photos, rig):
        raise IntrinsicsError(
            f"{source.name} is of a rig with the cameras {', '.join(rig.cameras)}, but no folder "
            f"of the photos, such as {photos[0].id}, is called like one of them.",
            hint=_LAYOUT,
        )


def has_folders(photos: Sequence[Photo], rig: RigFile) -> bool:
    """Whether any photo lies in a folder that is called like a camera of the rig."""
    return any(_camera_and_rest(photo.id, rig) is not None for photo in photos)


def place_in_rig(
    photos: Sequence[Photo],
    rig: RigFile,
    pixels: Mapping[str, Pixels],
    source: Path,
    warn: Callable[[str], None],
) -> dict[str, RigPhoto]:
    """The place of every photo that one of the rig's cameras took, by photo id.

    Photos of one moment have the same name, or the same number in it, in the folders that are
    called like the cameras; a photo without a partner is a moment of its own. Empty, with a
    warning, where no two belong together.

    Args:
        photos: Of the image set.
        rig: Of the file.
        pixels: By photo id: which pixels the file's cameras are for.
        source: The file.
        warn: Told of what is not used.

    """
    cameras: dict[str, dict[str, str]] = defaultdict(dict)
    taken = {photo.id: photo for photo in photos if photo.exif.orientation not in MIRRORED}
    for photo_id in taken:
        if (found := _camera_and_rest(photo_id, rig)) is not None:
            cameras[found[0]][found[1]] = photo_id
    moments = moments_by_name({name: [*rests] for name, rests in cameras.items()})
    if not moments.together:
        warn(
            f"No photos of one moment were found, so {source.name} says no more than the lenses. "
            f"{_LAYOUT}"
        )
        return {}
    places: dict[str, RigPhoto] = {}
    for moment in moments.together:
        for name, rest in moment.photos.items():
            photo = taken[cameras[name][rest]]
            places[photo.id] = _place(photo, name, moment.name, rig, pixels)
    for name, rests in moments.alone.items():
        for rest in rests:
            photo = taken[cameras[name][rest]]
            places[photo.id] = _place(photo, name, f"{name} alone: {rest}", rig, pixels)
    return {photo.id: places[photo.id] for photo in photos if photo.id in places}


def baseline_of(rig: RigFile, places: Mapping[str, RigPhoto]) -> Baseline | None:
    """The longest one between cameras that took photos; None where nobody knows its metres."""
    sensors = {place.sensor.split(_TURNED)[0] for place in places.values()}
    used = [member for name, member in rig.cameras.items() if name in sensors]
    centres = [member.cam_from_first.inverse().translation for member in used]
    metres = max(float(np.linalg.norm(a - b)) for a in centres for b in centres) if used else 0.0
    if not (rig.metric and metres > 0):
        return None
    baseline_stds = [member.baseline_std for member in used if member.baseline_std is not None]
    turn_stds = [member.turn_std_deg for member in used if member.turn_std_deg is not None]
    return Baseline(
        metres,
        max(baseline_stds, default=_BASELINE_SIGMA * metres),
        max(turn_stds, default=_TURN_STD_DEG),
    )


def _camera_and_rest(photo_id: str, rig: RigFile) -> tuple[str, str] | None:
    """The nearest folder that is called like a camera, and the path without it."""
    *folders, name = PurePosixPath(photo_id).parts
    for index in reversed(range(len(folders))):
        if folders[index] in rig.cameras:
            return folders[index], "/".join([*folders[:index], *folders[index + 1 :], name])
    return None


def _place(
    photo: Photo, name: str, moment: str, rig: RigFile, pixels: Mapping[str, Pixels]
) -> RigPhoto:
    cam_from_rig, turned = rig.cameras[name].cam_from_first, photo.exif.orientation
    if turned == 1 or pixels[photo.id] == "upright":
        return RigPhoto(_RIG, name, moment, cam_from_rig)
    # The file's cameras are for the stored pixels, which are turned some other way here.
    return RigPhoto(_RIG, f"{name}{_TURNED}{turned}", moment, turn_pose(cam_from_rig, turned))
