"""A photo that stands alone: nothing places it, and its lens is known, told or guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from recon3d.core.camera import GUESSED_FOCAL, Intrinsics, PinholeCamera
from recon3d.core.depth import DepthEstimator
from recon3d.core.scene import CameraEstimate, GivenCameras, ImageSet, Photo, SparsePoints
from recon3d.core.transform import Rigid

if TYPE_CHECKING:  # importing it takes a second
    from recon3d.sfm.structure_from_motion import Solution

_BELIEVABLE_DEG = (5.0, 150.0)


@runtime_checkable
class SeesFieldOfView(Protocol):
    """A depth estimator that also tells from a photo how wide the camera looked."""

    def field_of_view_deg(self, rgb: UInt8[np.ndarray, "h w 3"]) -> float | None:
        """Across the photo's width; None where it cannot say."""
        ...


def stand_alone(image_set: ImageSet, given: GivenCameras, estimator: DepthEstimator) -> Solution:
    """The only photo, in the pose that was given or else in the origin, looking along +z.

    Its focal length is the given one, or what EXIF says, or what the depth network sees, or a
    guess: the first of these that there is.

    Raises:
        EstimatorError: as `estimator` does when it looks.
    """
    from recon3d.sfm.mapping import Placement
    from recon3d.sfm.structure_from_motion import Solution

    (photo,) = image_set.photos
    camera = _given_or_exif(photo, given) or _seen(image_set, photo, estimator) or _guessed(photo)
    nothing = SparsePoints.empty()
    placement = Placement(
        {photo.id: given.cam_from_world.get(photo.id, Rigid.identity())},
        {photo.camera_group: camera},
        {photo.id: photo.camera_group},
        nothing.xyz_world,
        nothing.error_px,
        nothing.observations,
    )
    return Solution(placement, {}, np.zeros((0, 0), np.int64), 0)


def _given_or_exif(photo: Photo, given: GivenCameras) -> CameraEstimate | None:
    if known := given.intrinsics.get(photo.id):
        return CameraEstimate(known, "given")
    if focal_px := photo.exif.focal_px:
        return CameraEstimate(_centred(photo, focal_px), "exif")
    return None


def _seen(image_set: ImageSet, photo: Photo, estimator: DepthEstimator) -> CameraEstimate | None:
    from recon3d.photos.pictures import read_upright

    if not isinstance(estimator, SeesFieldOfView):
        return None
    angle_deg = estimator.field_of_view_deg(read_upright(image_set.pictures[photo.id]))
    low_deg, high_deg = _BELIEVABLE_DEG
    if angle_deg is None or not low_deg < angle_deg < high_deg:
        return None
    focal_px = photo.width_px / 2 / np.tan(np.radians(angle_deg) / 2)
    return CameraEstimate(_centred(photo, float(focal_px)), "depth network")


def _guessed(photo: Photo) -> CameraEstimate:
    focal_px = GUESSED_FOCAL * max(photo.width_px, photo.height_px)
    return CameraEstimate(_centred(photo, focal_px), "guessed")


def _centred(photo: Photo, focal_px: float) -> Intrinsics:
    return Intrinsics(PinholeCamera.centred(photo.width_px, photo.height_px, focal_px))
