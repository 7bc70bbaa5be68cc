"""Ordinary photos of anything that stands still -> the camera that took them."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from recon3d.core.camera import Intrinsics
from recon3d.core.lens import FOCAL_AND_CENTRE, LensName, folds_over, intrinsics_of
from recon3d.core.scene import CameraEstimate, GivenCameras, Photo
from recon3d.run.task import Task
from recon3d.sfm.bundle import Bundle, Tracks, adjust_bundle, bundle_covariance
from recon3d.sfm.placed_bundle import (
    FEATURE_BIAS_PX,
    FEWEST_PHOTOS,
    FEWEST_POINTS,
    bundle_of_camera,
    centre_prior,
    is_surely_off,
    with_lens,
)
from recon3d_calib.calibrate import PhotoResult
from recon3d_calib.errors import CalibrationError
from recon3d_calib.start import Sharing, free_values

if TYPE_CHECKING:
    from recon3d.sfm.mapping import Placement

_log = logging.getLogger(__name__)

# From simple to complicated; each goes on from the one before.
_LADDER: tuple[LensName, ...] = ("pinhole", "radial1", "radial2", "brown")
# More points make the error bars no truer.
_MOST_POINTS = 5_000
# Sightings that lie farther off hardly count, and are shown so.
_MOST_SIGMAS = 5.0
# Of the small pictures for reports and windows.
PICTURE_PX = 320


@dataclass(frozen=True, eq=False)
class SelfCalibration:
    """A camera that was found from photos without a board, with what is needed to judge it."""

    intrinsics: Intrinsics
    """For the upright photo."""
    lens: LensName
    std: Mapping[str, float]
    """Standard deviation of every value by name; infinite where the photos leave it open."""
    used: tuple[PhotoResult, ...]
    """The photos that it rests on, upright, with the points that they share."""
    cam_from_world: Float[np.ndarray, "m 3 4"]
    """Rotation and translation of these photos, in the frame of the first one and a unit of no
    meaning."""
    points_world: Float[np.ndarray, "k 3"]
    """What they share."""
    rms_px: float
    """Of the points' sightings."""
    turned_deg: float
    """Widest angle between the directions in which photos were taken."""
    exif_focal_px: float | None
    """What the camera itself says."""

    @property
    def photos(self) -> tuple[str, ...]:
        """Ids of the photos that it rests on."""
        return tuple(photo.photo_id for photo in self.used)

    @property
    def points(self) -> int:
        """How many points they share."""
        return len(self.points_world)

    @property
    def values(self) -> Mapping[str, float]:
        """fx, fy, cx, cy and the coefficients by name."""
        camera = self.intrinsics.pinhole
        plain = (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px)
        return dict(zip(self.std, (*plain, *self.intrinsics.distortion.coefficients), strict=True))

    @property
    def focal_error(self) -> float:
        """Twice the standard deviation of the focal length, as a share of it."""
        return 2 * self.std["fx"] / self.intrinsics.pinhole.fx_px


@dataclass(frozen=True, eq=False)
class SelfCalibrations:
    """One camera for each kind of photo: maker, model, size and zoom."""

    cameras: tuple[SelfCalibration, ...]
    """The one with most photos first."""
    left_out: Mapping[str, str]
    """Why, by photo id."""
    pictures: Mapping[str, UInt8[np.ndarray, "h w 3"]] = field(default_factory=dict)
    """The photos that could be read, small and upright."""


def calibrate_from_photos(
    sources: Sequence[Path], task: Task, *, lens: LensName | None = None
) -> SelfCalibrations:
    """Place the photos in space, and adjust camera, places and points together.

    lens: the model; None takes the simplest one that no richer one contradicts.

    Raises:
        InputError: no photos.
        CalibrationError: too few photos of one camera share enough points.
        TooFewPhotosPlacedError: they share nothing.
        Cancelled: the task was stopped.
    """
    from recon3d.photos.finding import find_files
    from recon3d.photos.ingest import IngestConfig, ingest, read_image_set
    from recon3d.photos.pictures import read_preview
    from recon3d.sfm.structure_from_motion import PoseConfig, explain, solve

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files = find_files(sources, None, None, task)
        ingest(files, IngestConfig(), folder / "photos", task)
        image_set = read_image_set(folder / "photos")
        solution = solve(image_set, GivenCameras(), PoseConfig(), folder / "sfm", task)
        pictures = {i: read_preview(path, PICTURE_PX).rgb for i, path in image_set.pictures.items()}
    verdicts = [*image_set.verdicts, *explain(image_set, solution)]
    left_out = {each.photo_id: each.reason for each in verdicts if not each.used}
    camera_of = solution.placement.camera_of
    found = []
    for key, estimate in solution.placement.cameras.items():
        members = [photo for photo in image_set.photos if camera_of.get(photo.id) == key]
        outcome = calibrate_placed(solution.placement, members, estimate, task, lens)
        if isinstance(outcome, str):
            left_out |= {photo.id: outcome for photo in members}
        else:
            found.append(outcome)
    if not found:
        raise CalibrationError(
            f"No camera took {FEWEST_PHOTOS} photos that share {FEWEST_POINTS} points seen from "
            "different sides.",
            hint="Take 10 or more photos with one camera and one zoom, walking around something "
            "with texture, some of them turned by 90 degrees; or calibrate with a printed board.",
        )
    cameras = sorted(found, key=lambda each: -len(each.photos))
    return SelfCalibrations(tuple(cameras), left_out, pictures)


def calibrate_placed(
    placement: Placement,
    members: Sequence[Photo],
    estimate: CameraEstimate,
    task: Task,
    lens: LensName | None = None,
) -> SelfCalibration | str:
    """The camera of photos that are placed already; or why they say too little.

    members: the placed photos of one camera.
    """
    task.check()
    ids = [photo.id for photo in members]
    start = bundle_of_camera(placement, ids, estimate.intrinsics, _MOST_POINTS)
    if isinstance(start, str):
        return start
    bundle, tracks = start
    width_px, height_px = members[0].width_px, members[0].height_px
    best: tuple[Bundle, np.ndarray] | None = None
    names = _LADDER if lens is None else (lens,)
    for index, name in enumerate(names):
        task.step(index, len(names), f"adjusting {len(members)} photos ({name})")
        bundle = with_lens(bundle, name)
        prior = centre_prior(bundle.lens, width_px, height_px)
        free = free_values(bundle.lens, Sharing(square_pixels=True)).values
        bundle = adjust_bundle(bundle, tracks, free, prior, task)
        spread = bundle_covariance(bundle, tracks, free, prior)
        camera = intrinsics_of(bundle.lens, bundle.values, width_px, height_px)
        if best and (folds_over(bundle.lens, camera) or not _is_worth(best[0], bundle, spread)):
            break
        best = bundle, spread
    if best is None:
        return "no lens model fits its points"
    return _result(best, tracks, members)


def _is_worth(simpler: Bundle, richer: Bundle, spread: Float[np.ndarray, "p p"]) -> bool:
    """Whether the coefficients that the richer lens adds are surely not 0."""
    added = np.arange(len(simpler.values), len(richer.values))
    return is_surely_off(richer.values[added], spread[np.ix_(added, added)])


def _result(
    best: tuple[Bundle, Float[np.ndarray, "p p"]], tracks: Tracks, members: Sequence[Photo]
) -> SelfCalibration:
    bundle, spread = best
    names = (*FOCAL_AND_CENTRE, *bundle.lens.coefficients)
    variances = np.diag(spread).copy()
    variances[2:4] += FEATURE_BIAS_PX**2
    with np.errstate(invalid="ignore"):
        std = np.sqrt(variances)
    residuals = bundle.residuals_px(tracks)
    misses = np.linalg.norm(residuals, axis=1)
    near = misses < _MOST_SIGMAS * bundle.noise_px(tracks)
    rows = [tracks.photo == index for index in range(len(members))]
    axes = bundle.rotations[:, 2]
    focals = [photo.exif.focal_px for photo in members if photo.exif.focal_px]
    found = SelfCalibration(
        intrinsics_of(bundle.lens, bundle.values, members[0].width_px, members[0].height_px),
        bundle.lens.name,
        {n: float(s) if np.isfinite(s) else np.inf for n, s in zip(names, std, strict=True)},
        tuple(
            PhotoResult(photo.id, True, "", tracks.points_px[own], residuals[own], near[own])
            for photo, own in zip(members, rows, strict=True)
        ),
        np.concatenate([bundle.rotations, bundle.translations[:, :, None]], axis=2),
        bundle.points_world,
        float(np.sqrt((misses**2).mean())),
        float(np.degrees(np.arccos(np.clip(axes @ axes.T, -1, 1).min()))),
        float(np.median(focals)) if focals else None,
    )
    _log.info(
        "calibrated from %d photos without a board, %s lens, rms %.2f px, focal %.1f px +- %.2g %%",
        len(members), found.lens, found.rms_px, found.intrinsics.pinhole.fx_px,
        100 * found.focal_error,
    )  # fmt: skip
    return found
