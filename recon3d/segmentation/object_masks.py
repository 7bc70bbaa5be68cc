"""The stage that finds the object: a mask for every photo, or why there is none."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool
from PIL import Image

from recon3d.core.camera import Intrinsics, PinholeCamera
from recon3d.core.scene import ImageSet, PosedPhotos
from recon3d.run.files import FileMapping, atomic_path, write_json
from recon3d.run.stage import Stage
from recon3d.run.task import Task
from recon3d.segmentation.carving import carve
from recon3d.segmentation.edges import at_full_size
from recon3d.segmentation.orbit import NoObjectError, find_orbit
from recon3d.segmentation.seeds import find_seeds
from recon3d.segmentation.small_photos import SmallPhoto, SmallPhotos
from recon3d.sfm.posed_files import read_mask
from recon3d.sfm.undistortion import intrinsics_of, undistort_pixels

_log = logging.getLogger(__name__)

PHOTOS = "photos"
"""The folder with masks for the photos as they were taken."""
_FOUND = "found.json"
_VIEWS = "views"
_SMALL = "small"
_STEP_PX = 16
_PARTS = 3
_LEAST_AGREEMENT = 0.8
"""Of the hull with what colours alone make of a typical photo."""


@dataclass(frozen=True, kw_only=True)
class MasksConfig:
    """Masks that the program makes by itself."""

    auto: bool = False
    """Find the object that the photos go around, or that turns before them, and leave out all
    else from depth on. Photos with a mask of their own keep it. Rooms, facades and landscapes,
    where nothing stands apart, go on without, and a warning says so."""


@dataclass(frozen=True, eq=False)
class FoundMasks:
    """Masks of an object, or why there are none."""

    photos: Mapping[str, Path] = field(default_factory=dict)
    """By photo id: a PNG for the photo as it was taken, upright, 255 = keep."""
    views: Mapping[str, Bool[np.ndarray, "h w"]] = field(default_factory=dict)
    """By photo id, of the undistorted photo."""
    refusal: str = ""
    """Empty where the object was found."""


def find_object(
    posed: PosedPhotos, image_set: ImageSet, config: MasksConfig, folder: Path, task: Task
) -> None:
    """Write a mask for every placed photo into `folder`, or the reason why not.

    config: Not looked at: the stage runs where masks are wanted.
    """
    views = posed.scene.views
    try:
        orbit = find_orbit(views)
        seeds = find_seeds(posed.scene, orbit)
        photos = SmallPhotos(posed, seeds, folder / _SMALL, task.part(0, _PARTS))
        carved = carve(photos, orbit, task.part(1, _PARTS))
        if np.median(carved.agreement) < _LEAST_AGREEMENT:
            raise NoObjectError("its colours do not tell it from what is around it")
    except NoObjectError as error:
        write_json(folder / _FOUND, {"refusal": str(error), "views": [], "photos": []})
        shutil.rmtree(folder / _SMALL, ignore_errors=True)
        return

    def write(photo: SmallPhoto) -> None:
        photo_id = photo.view.photo_id
        target, taken = _view_path(folder, photo_id), _photo_path(folder, photo_id)
        if target.exists() and (photo.given is not None or taken.exists()):
            return
        keep = posed.masks.get(photo_id)
        if keep is None:
            keep = at_full_size(carved.cut(photo), photo.rgb, posed.rgb[photo_id])
            lens = intrinsics_of(posed.scene, photos_by_id[photo_id], photo.view)
            _save(as_taken(keep, photo.view.camera, lens), taken)
        _save(keep, target)

    photos_by_id = {photo.id: photo for photo in image_set.photos}
    for _ in photos.each(write, task.part(2, _PARTS)):
        pass
    write_json(
        folder / _FOUND,
        {
            "refusal": "",
            "views": [view.photo_id for view in views],
            "photos": [view.photo_id for view in views if view.photo_id not in posed.masks],
            "agreement": carved.agreement.tolist(),
        },
    )
    shutil.rmtree(folder / _SMALL, ignore_errors=True)
    _log.info(
        "found the object in %d photos, which agree by %.2f, %.1f s",
        len(views),
        float(np.median(carved.agreement)),
        task.seconds,
    )


def as_taken(
    mask: Bool[np.ndarray, "h w"], camera: PinholeCamera, intrinsics: Intrinsics
) -> Bool[np.ndarray, "H W"]:
    """A mask of an undistorted photo for the photo as its lens showed it; False beyond.

    camera: of the undistorted photo.
    """
    taken = intrinsics.pinhole
    if taken == camera and not any(intrinsics.distortion.coefficients):
        return mask
    # Lenses bend smoothly: a lattice will do.
    column, row = np.meshgrid(
        *(np.arange(0, side + _STEP_PX, _STEP_PX) for side in (taken.width_px, taken.height_px))
    )
    lattice = np.stack([column, row], axis=-1).reshape(-1, 2) + 0.5
    with np.errstate(all="ignore"):
        straight = undistort_pixels(lattice, intrinsics, camera).reshape(*column.shape, 2) - 0.5
    straight = np.nan_to_num(straight, nan=-1.0, posinf=-1.0, neginf=-1.0).astype(np.float32)
    across, down = cv2.split(
        cv2.warpAffine(
            straight,
            np.array([[1 / _STEP_PX, 0, 0], [0, 1 / _STEP_PX, 0]]),
            (taken.width_px, taken.height_px),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )
    return np.asarray(cv2.remap(mask.view(np.uint8), across, down, cv2.INTER_NEAREST)) > 0


def read_found_masks(folder: Path) -> FoundMasks:
    """Read what `find_object` wrote, masks one file when asked."""
    found = json.loads((folder / _FOUND).read_text(encoding="utf-8"))
    return FoundMasks(
        {photo_id: _photo_path(folder, photo_id) for photo_id in found["photos"]},
        FileMapping(
            {photo_id: _view_path(folder, photo_id) for photo_id in found["views"]}, read_mask
        ),
        found["refusal"],
    )


def with_found_masks(posed: PosedPhotos, found: FoundMasks) -> PosedPhotos:
    """The placed photos with the masks."""
    return posed if found.refusal else replace(posed, masks=found.views)


def tell_refusal(folder: Path) -> Iterator[str]:
    """The reason for people, where there are no masks."""
    if refusal := read_found_masks(folder).refusal:
        yield f"No masks were made, since {refusal}. The model is of everything that is seen."


def _save(keep: Bool[np.ndarray, "h w"], target: Path) -> None:
    with atomic_path(target) as part:
        Image.fromarray(keep.astype(np.uint8) * 255).save(part)


def _view_path(folder: Path, photo_id: str) -> Path:
    return folder / _VIEWS / f"{photo_id}.png"


def _photo_path(folder: Path, photo_id: str) -> Path:
    return folder / PHOTOS / f"{photo_id}.png"


FIND_OBJECT = Stage(
    name="masks",
    result="found_masks",
    version=1,
    run=find_object,
    read=read_found_masks,
    libraries=("numpy", "opencv", "scipy"),
    warnings=tell_refusal,
)
