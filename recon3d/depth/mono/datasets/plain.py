"""A folder with photos in `rgb` (or images, color) and depth maps in `depth`, named alike.

Depth is 16-bit grey pictures in millimetres or .npy files in metres. K.json, K.txt or any other
camera file that recon3d reads may lie beside the folders (docs/INTRINSICS.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from recon3d.core.camera import PinholeCamera
from recon3d.core.errors import InputError
from recon3d.depth.mono.datasets.files import frame_of, photos_in, read_depth, read_rgb
from recon3d.depth.mono.frames import Frame, FrameSet
from recon3d.photos.intrinsics import read_camera_file
from recon3d.photos.naming import CAMERA_FILE_NAMES, match_by_name

_log = logging.getLogger(__name__)

_PHOTO_FOLDERS = ("rgb", "images", "image", "color", "colour")


def find_plain(folder: Path) -> FrameSet | None:
    """The frames of such a folder; None where it is not one.

    Raises:
        InputError: photos and depth maps do not belong together, or the camera file is broken.
    """
    photos = next(filter(None, (photos_in(folder / name) for name in _PHOTO_FOLDERS)), {})
    depths = {path.stem: path for path in photos_in(folder / "depth").values()} or {
        path.stem: path for path in sorted((folder / "depth").glob("*.npy"))
    }
    if not photos or not depths:
        return None
    pairs = {photo: depths[name] for photo, name in match_by_name(photos, depths).items()}
    if not pairs and len(photos) == len(depths):
        pairs = dict(zip(photos, depths.values(), strict=True))
    if not pairs:
        raise InputError(
            f"{folder}: no depth map belongs to a photo: photos are named like "
            f"{next(iter(photos))}, depth maps like {next(iter(depths.values())).name}.",
            hint="Give depth maps the names of their photos.",
        )
    names = tuple(pairs)
    camera = _camera_reader(folder)

    def read(position: int) -> Frame:
        name = names[position]
        rgb, depth_z = read_rgb(photos[name]), read_depth(pairs[name])
        return frame_of(str(photos[name]), rgb, depth_z, camera(name, rgb.shape[1], rgb.shape[0]))

    return FrameSet("plain", names, read)


def _camera_reader(folder: Path) -> Callable[[str, int, int], PinholeCamera | None]:
    """The camera of a photo by its name, width and height."""
    path = next((folder / name for name in CAMERA_FILE_NAMES if (folder / name).is_file()), None)
    if path is None:
        _log.warning("%s has no K.json or K.txt: a view of 60 degrees is assumed", folder)
        return lambda name, width_px, height_px: None

    @lru_cache(maxsize=1024)
    def read(name: str, width_px: int, height_px: int) -> PinholeCamera:
        cameras = read_camera_file(path, (width_px, height_px))
        named = match_by_name([name], cameras.by_name)
        if not named and not cameras.shared:
            raise InputError(f"{path} has no camera for {name}.")
        found = cameras.by_name[named[name]] if named else cameras.shared[0]
        if found.distortion.coefficients:
            _log.warning("%s has lens distortion; photos are taken as already undistorted", path)
        return found.pinhole.resized(width_px, height_px)

    return read
