"""Ordinary photos of anything that stands still -> the camera that took them."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from recon3d.core.camera import Intrinsics
from recon3d.core.scene import CameraEstimate, GivenCameras, Photo
from recon3d.run.task import Task
from recon3d_calib.bundle import Bundle, Prior, Tracks, adjust_bundle, bundle_covariance
from recon3d_calib.calibrate import PhotoResult
from recon3d_calib.errors import CalibrationError
from recon3d_calib.lens import FOCAL_AND_CENTRE, LENSES, LensName, folds_over, intrinsics_of
from recon3d_calib.start import Sharing, free_values

if TYPE_CHECKING:
    from recon3d.sfm.mapping import Placement

_log = logging.getLogger(__name__)

# From simple to complicated; each goes on from the one before.
_LADDER: tuple[LensName, ...] = ("pinhole", "radial1", "radial2", "brown")
# Narrower points say little of the lens, and move too slowly for any solver.
_NARROWEST_DEG = 3.0
_MOST_TIMES_USUAL = 8.0
_FEWEST_PHOTOS, _FEWEST_POINTS = 3, 60
# More points make the error bars no truer.
_MOST_POINTS = 5_000
# Makers centre sensors about so well, as a share of the photo's longer side.
_CENTRE_STD = 0.02
# Detectors place all features of a photo a little to one side, which no residual shows.
_FEATURE_BIAS_PX = 0.1
# Coefficients must differ from 0 by so many standard deviations to be worth having.
_WORTH_SIGMAS = 4.0
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
            f"No camera took {_FEWEST_PHOTOS} photos that share {_FEWEST_POINTS} points seen from "
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
    start = _start(placement, members, estimate)
    if isinstance(start, str):
        return start
    bundle, tracks = start
    width_px, height_px = members[0].width_px, members[0].height_px
    best: tuple[Bundle, np.ndarray] | None = None
    names = _LADDER if lens is None else (lens,)
    for index, name in enumerate(names):
        task.step(index, len(names), f"adjusting {len(members)} photos ({name})")
        bundle = _with_lens(bundle, name)
        prior = _prior(bundle, (width_px, height_px))
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


def _start(
    placement: Placement, members: Sequence[Photo], estimate: CameraEstimate
) -> tuple[Bundle, Tracks] | str:
    if len(members) < _FEWEST_PHOTOS:
        return f"only {len(members)} photos of its camera, size and zoom could be placed"
    order = {photo_id: index for index, photo_id in enumerate(placement.cam_from_world)}
    ours = np.full(len(order), -1)
    ours[[order[photo.id] for photo in members]] = np.arange(len(members))
    poses = [placement.cam_from_world[photo.id] for photo in members]
    lens = LENSES["radial1"]
    camera = estimate.intrinsics.pinhole
    k1 = (*estimate.intrinsics.distortion.coefficients, 0.0)[0]
    bundle = Bundle(
        lens,
        np.array([camera.fx_px, camera.fx_px, camera.cx_px, camera.cy_px, k1]),
        np.stack([pose.rotation for pose in poses]),
        np.stack([pose.translation for pose in poses]),
        placement.xyz_world,
    ).in_first_photo()
    point, photo = placement.observations[:, 0], ours[placement.observations[:, 1]]
    tracks = Tracks(photo, point, placement.sightings_px).where(photo >= 0)
    misses = np.linalg.norm(bundle.residuals_px(tracks), axis=1)
    tracks = tracks.where(misses < _MOST_TIMES_USUAL * np.nanmedian(misses))
    good = np.flatnonzero(_widest_deg(bundle, tracks) > _NARROWEST_DEG)
    if len(good) < _FEWEST_POINTS:
        return f"its camera's photos share only {len(good)} points seen from different sides"
    good = np.sort(np.random.default_rng(0).permutation(good)[:_MOST_POINTS])
    tracks = tracks.where(np.isin(tracks.point, good))
    scale = np.linalg.norm(bundle.translations, axis=1).max()
    return (
        replace(
            bundle,
            translations=bundle.translations / scale,
            points_world=bundle.points_world[good] / scale,
        ),
        replace(tracks, point=np.searchsorted(good, tracks.point)),
    )


def _widest_deg(bundle: Bundle, tracks: Tracks) -> Float[np.ndarray, "k"]:
    """The widest angle at each point between its first sighting and another one."""
    centres = -np.einsum("mji,mj->mi", bundle.rotations, bundle.translations)
    rays = centres[tracks.photo] - bundle.points_world[tracks.point]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    order = np.argsort(tracks.point, kind="stable")
    point, rays = tracks.point[order], rays[order]
    cosine = np.clip((rays * rays[np.searchsorted(point, point)]).sum(axis=1), -1, 1)
    widest = np.zeros(len(bundle.points_world))
    np.maximum.at(widest, point, np.degrees(np.arccos(cosine)))
    return widest


def _with_lens(bundle: Bundle, name: LensName) -> Bundle:
    """Coefficients that mean the same in both lenses stay, others start at 0."""
    lens = LENSES[name]
    alike = lens.distortion in ("radial", "brown")
    known = dict(zip(bundle.lens.coefficients, bundle.values[4:], strict=True)) if alike else {}
    coefficients = [known.get(coefficient, 0.0) for coefficient in lens.coefficients]
    return replace(bundle, lens=lens, values=np.array([*bundle.values[:4], *coefficients]))


def _prior(bundle: Bundle, size: tuple[int, int]) -> Prior:
    """Only the principal point is known a little; without it few photos let it run away."""
    values, std = np.zeros(len(bundle.values)), np.full(len(bundle.values), np.inf)
    values[2:4] = size[0] / 2, size[1] / 2
    std[2:4] = _CENTRE_STD * max(size)
    return Prior(values, std)


def _is_worth(simpler: Bundle, richer: Bundle, spread: Float[np.ndarray, "p p"]) -> bool:
    """Whether the coefficients that the richer lens adds are surely not 0."""
    added = np.arange(len(simpler.values), len(richer.values))
    if not np.isfinite(spread).all():
        return False
    values = richer.values[added]
    surprise = values @ np.linalg.solve(spread[np.ix_(added, added)], values)
    return bool(surprise > len(added) - 1 + _WORTH_SIGMAS**2)


def _result(
    best: tuple[Bundle, Float[np.ndarray, "p p"]], tracks: Tracks, members: Sequence[Photo]
) -> SelfCalibration:
    bundle, spread = best
    names = (*FOCAL_AND_CENTRE, *bundle.lens.coefficients)
    variances = np.diag(spread).copy()
    variances[2:4] += _FEATURE_BIAS_PX**2
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
