"""Photos as a camera without distortion would have taken them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from recon3d.core.camera import Intrinsics, PinholeCamera
from recon3d.core.errors import InputError
from recon3d.core.lens import LENSES, project
from recon3d.core.orientation import DescribedPixels, assumption_in_words
from recon3d.core.scene import Photo
from recon3d.photos.fitted_cameras import fit_to_photos
from recon3d.photos.intrinsics import read_camera_file
from recon3d.photos.intrinsics_files import our_fields
from recon3d.photos.pictures import read_picture
from recon3d.run.files import atomic_path, write_json
from recon3d.run.task import Task
from recon3d.sfm.undistortion import Undistorter, undistorted_camera

Crop = Literal["inside", "all", "same"]

# Half the angle of view; a flat picture of more is mostly stretched edges.
_WIDEST = np.radians(75)
# Per side of the photo's own; the middle becomes coarser instead.
_LARGEST = 2.0
_AS_JPEG = frozenset({".jpg", ".jpeg", ".webp", ".heic", ".heif"})


@dataclass(frozen=True)
class Undistorted:
    """What came of a set of photos."""

    written: tuple[Path, ...]
    camera_file: Path
    left_out: Mapping[str, str]
    """Why, by photo id."""


def undistort_photos(
    paths: Mapping[str, Path],
    intrinsics: Path,
    folder: Path,
    crop: Crop,
    task: Task,
    workers: int,
    described: DescribedPixels = "auto",
) -> Undistorted:
    """Write the photos below `folder` by their ids, and K.json with their new cameras.

    crop: inside has no blank pixels; all keeps everything that was seen, with black around it,
        of a fisheye 150 degrees at most, which it warns of; same keeps size, focal length and
        principal point.
    described: which pixels of photos that EXIF turns the cameras are for; what their shape does not
        decide is taken for stored, with a warning.

    Raises:
        IntrinsicsError: the camera file is unreadable or does not fit the photos.
        InputError: no photo can be read.
        OutputError: the folder cannot be written.
        Cancelled: the task was stopped.
    """
    losses: set[str] = set()
    assumed: set[str] = set()

    def convert(item: tuple[str, Path]) -> tuple[str, Path | None, PinholeCamera | str]:
        photo_id, path = item
        try:
            picture = read_picture(path)
        except InputError as error:
            return photo_id, None, str(error)
        rgb = picture.rgb
        height_px, width_px = rgb.shape[:2]
        photo = Photo(photo_id, str(path), width_px, height_px, picture.exif, "", "")
        file = read_camera_file(intrinsics, (width_px, height_px))
        fitted = fit_to_photos([photo], file, intrinsics, described)
        assumed.update(fitted.assumed)
        given = fitted.intrinsics[photo_id]
        camera, loss = _camera(given, crop)
        if loss:
            losses.add(loss)
        suffix = ".jpg" if path.suffix.lower() in _AS_JPEG else ".png"
        target = folder / PurePosixPath(photo_id).with_suffix(suffix)
        _write(target, Undistorter(given, camera).smooth(rgb))
        return photo_id, target, camera

    with ThreadPoolExecutor(workers) as pool:
        try:
            found = list(
                task.each(pool.map(convert, paths.items()), len(paths), lambda done: done[0])
            )
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    for loss in sorted(losses):
        task.warn(loss)
    if assumed:
        task.warn(assumption_in_words("cameras", [i for i in paths if i in assumed], "stored"))
    cameras = {i: camera for i, _, camera in found if isinstance(camera, PinholeCamera)}
    if not cameras:
        raise InputError(
            f"None of the {len(paths)} photos can be read.",
            hint="Give a folder with JPEG, PNG, TIFF, WebP or HEIC files.",
        )
    camera_file = folder / "K.json"
    fields = {i: our_fields(Intrinsics(camera)) for i, camera in cameras.items()}
    same = len(set(cameras.values())) == 1
    write_json(camera_file, next(iter(fields.values())) if same else {"cameras": fields})
    return Undistorted(
        tuple(target for _, target, _ in found if target),
        camera_file,
        {i: reason for i, _, reason in found if isinstance(reason, str)},
    )


def _camera(given: Intrinsics, crop: Crop) -> tuple[PinholeCamera, str]:
    """And what it leaves out, in words, where that is much."""
    if crop == "same":
        return given.pinhole, ""
    if crop == "all" and given.distortion.model == "fisheye":
        camera = given.pinhole
        across_px, down_px = (max(side) for side in _sides_px(camera))
        corner = _angle(given, float(np.hypot(across_px, down_px)) / camera.fx_px)
        if corner > _WIDEST:
            return _widest(given, corner)
    return undistorted_camera(given, blank=1.0 if crop == "all" else 0.0), ""


def _widest(given: Intrinsics, corner: float) -> tuple[PinholeCamera, str]:
    """As much of a fisheye's picture as fits in a flat one; corner: angle to the farthest one."""
    camera = given.pinhole
    focals = camera.fx_px, camera.fy_px
    angles = [
        [min(_angle(given, side / focal), _WIDEST) for side in sides]
        for sides, focal in zip(_sides_px(camera), focals, strict=True)
    ]
    spans = np.tan(angles) * np.array(focals)[:, None]
    most = _LARGEST * np.array([camera.width_px, camera.height_px])
    shrink = min(1.0, *(most / spans.sum(axis=1)))
    width_px, height_px = np.floor(spans.sum(axis=1) * shrink).astype(int).tolist()
    before = (spans[:, 0] * shrink).tolist()
    across = np.degrees(sum(angles[0]))
    words = (
        f"The lens sees {2 * np.degrees(corner):.0f}° from corner to corner; the flat photos keep "
        f"{across:.0f}° across."
    )
    fx_px, fy_px = (focal * shrink for focal in focals)
    return PinholeCamera(width_px, height_px, fx_px, fy_px, *before), words


def _sides_px(camera: PinholeCamera) -> tuple[tuple[float, float], tuple[float, float]]:
    """From the principal point to the left and right edge, and to the upper and lower one."""
    return (
        (camera.cx_px, camera.width_px - camera.cx_px),
        (camera.cy_px, camera.height_px - camera.cy_px),
    )


def _angle(given: Intrinsics, away: float) -> float:
    """Off the axis, of what a fisheye shows at a distance from its centre, in focal lengths."""
    angles = np.linspace(0, np.pi, 2000)
    rays = np.stack([np.sin(angles), np.zeros_like(angles), np.cos(angles)], axis=1)
    plain = np.array([1.0, 1.0, 0.0, 0.0, *given.distortion.coefficients])
    shown = project(LENSES["fisheye"], plain, rays)[:, 0]
    # Where a polynomial turns back it says nothing more.
    falling = np.flatnonzero(np.diff(shown) <= 0)
    end = int(falling[0]) + 1 if len(falling) else len(shown)
    return float(np.interp(away, shown[:end], angles[:end]))


def _write(target: Path, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
    from PIL import Image

    with atomic_path(target) as part:
        if target.suffix == ".jpg":
            Image.fromarray(rgb).save(part, quality=95, subsampling=0)
        else:
            Image.fromarray(rgb).save(part)
