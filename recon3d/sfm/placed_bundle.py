"""The placed photos of one camera, as least squares over its lens take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.camera import Intrinsics
from recon3d.core.lens import LENSES, Lens, LensName
from recon3d.core.transform import Rigid
from recon3d.sfm.bundle import Bundle, Prior, Tracks

FEWEST_PHOTOS, FEWEST_POINTS = 3, 60
CENTRE_STD = 0.02
"""Makers centre sensors about so well, as a share of the photo's longer side."""
FEATURE_BIAS_PX = 0.1
"""Detectors place all features of a photo a little to one side, which no residual shows."""
# Narrower points say little of the lens, and move too slowly for any solver.
_NARROWEST_DEG = 3.0
_MOST_TIMES_USUAL = 8.0
# Coefficients must differ from 0 by so many standard deviations to be worth having.
_WORTH_SIGMAS = 4.0


@runtime_checkable
class Placed(Protocol):
    """What counts here of a `Placement`, whose module needs pycolmap."""

    @property
    def cam_from_world(self) -> Mapping[str, Rigid]:
        """By photo id."""

    @property
    def camera_of(self) -> Mapping[str, str]:
        """The key of each photo's camera."""

    @property
    def xyz_world(self) -> Float[np.ndarray, "n 3"]:
        """The points."""

    @property
    def observations(self) -> Int[np.ndarray, "m 2"]:
        """(index of the point, index of the photo in cam_from_world)."""

    @property
    def sightings_px(self) -> Float[np.ndarray, "m 2"]:
        """Where the photo as it was taken shows the point."""


def bundle_of_camera(
    placement: Placed, photo_ids: Sequence[str], camera: Intrinsics, most_points: int
) -> tuple[Bundle, Tracks] | str:
    """Lens, photos and at most so many of their points; or why they say too little.

    photo_ids: the placed photos of the camera, which has square pixels and radial distortion.
    """
    if len(photo_ids) < FEWEST_PHOTOS:
        return f"only {len(photo_ids)} photos of its camera, size and zoom could be placed"
    order = {photo_id: index for index, photo_id in enumerate(placement.cam_from_world)}
    ours = np.full(len(order), -1)
    ours[[order[photo_id] for photo_id in photo_ids]] = np.arange(len(photo_ids))
    poses = [placement.cam_from_world[photo_id] for photo_id in photo_ids]
    pinhole = camera.pinhole
    k1 = (*camera.distortion.coefficients, 0.0)[0]
    bundle = Bundle(
        LENSES["radial1"],
        np.array([pinhole.fx_px, pinhole.fx_px, pinhole.cx_px, pinhole.cy_px, k1]),
        np.stack([pose.rotation for pose in poses]),
        np.stack([pose.translation for pose in poses]),
        placement.xyz_world,
    ).in_first_photo()
    point, photo = placement.observations[:, 0], ours[placement.observations[:, 1]]
    tracks = Tracks(photo, point, placement.sightings_px).where(photo >= 0)
    misses = np.linalg.norm(bundle.residuals_px(tracks), axis=1)
    tracks = tracks.where(misses < _MOST_TIMES_USUAL * np.nanmedian(misses))
    good = np.flatnonzero(_widest_deg(bundle, tracks) > _NARROWEST_DEG)
    if len(good) < FEWEST_POINTS:
        return f"its camera's photos share only {len(good)} points seen from different sides"
    bundle, tracks = _of_points(bundle, tracks, good, most_points)
    scale = np.linalg.norm(bundle.translations, axis=1).max()
    bundle = replace(
        bundle, translations=bundle.translations / scale, points_world=bundle.points_world / scale
    )
    return bundle, tracks


def thinned(bundle: Bundle, tracks: Tracks, most_points: int) -> tuple[Bundle, Tracks]:
    """The same with at most so many points, taken at random."""
    return _of_points(bundle, tracks, np.arange(len(bundle.points_world)), most_points)


def with_lens(bundle: Bundle, name: LensName) -> Bundle:
    """Coefficients that mean the same in both lenses stay, others start at 0."""
    lens = LENSES[name]
    alike = lens.distortion in ("radial", "brown")
    known = dict(zip(bundle.lens.coefficients, bundle.values[4:], strict=True)) if alike else {}
    coefficients = [known.get(coefficient, 0.0) for coefficient in lens.coefficients]
    return replace(bundle, lens=lens, values=np.array([*bundle.values[:4], *coefficients]))


def centre_prior(lens: Lens, width_px: int, height_px: int) -> Prior:
    """Only the principal point is known a little; without it few photos let it run away."""
    values = np.zeros(4 + len(lens.coefficients))
    std = np.full(len(values), np.inf)
    values[2:4] = width_px / 2, height_px / 2
    std[2:4] = CENTRE_STD * max(width_px, height_px)
    return Prior(values, std)


def is_surely_off(offset: Float[np.ndarray, "k"], covariance: Float[np.ndarray, "k k"]) -> bool:
    """Whether values differ from 0 by more than noise explains."""
    if not np.isfinite(covariance).all():
        return False
    surprise = offset @ np.linalg.solve(covariance, offset)
    return bool(surprise > len(offset) - 1 + _WORTH_SIGMAS**2)


def _of_points(
    bundle: Bundle, tracks: Tracks, points: Int[np.ndarray, "g"], most: int
) -> tuple[Bundle, Tracks]:
    chosen = np.sort(np.random.default_rng(0).permutation(points)[:most])
    tracks = tracks.where(np.isin(tracks.point, chosen))
    return (
        replace(bundle, points_world=bundle.points_world[chosen]),
        replace(tracks, point=np.searchsorted(chosen, tracks.point)),
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
