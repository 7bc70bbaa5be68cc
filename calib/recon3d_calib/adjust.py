"""Least squares over the lens, where the board was in each photo, and how it bends."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.lens import Lens, project, project_with_slopes
from recon3d.core.transform import rotations_from_axis_angle
from recon3d.run.task import Task
from recon3d.sfm.least_squares import (
    NormalEquations,
    by_turn,
    covariance_of_shared,
    descend,
    noise_left,
    sum_of_squares,
)


@dataclass(frozen=True, eq=False)
class Sightings:
    """Every corner in every photo, ordered by photo."""

    photo: Int[np.ndarray, "n"]
    points_board: Float[np.ndarray, "n 3"]
    points_px: Float[np.ndarray, "n 2"]
    weight: Float[np.ndarray, "n"]
    """1 counts fully, 0 not at all."""

    def of_photos(self, wanted: Int[np.ndarray, "k"]) -> Sightings:
        """Only some photos, numbered anew; `wanted` is sorted."""
        keep = np.isin(self.photo, wanted)
        return Sightings(
            np.searchsorted(wanted, self.photo[keep]),
            self.points_board[keep],
            self.points_px[keep],
            self.weight[keep],
        )

    @property
    def bows(self) -> Float[np.ndarray, "n 3"]:
        """What a board that bends is made of: x^2, xy and y^2, in squares.

        What is missing of a polynomial only moves or tilts the board.
        """
        x, y, _ = self.points_board.T
        return np.stack([x * x, x * y, y * y], axis=1)

    @property
    def photos(self) -> list[slice]:
        """The rows of each photo."""
        ends = np.flatnonzero(np.diff(self.photo)) + 1
        edges = [0, *ends.tolist(), len(self.photo)]
        return [slice(a, b) for a, b in pairwise(edges)]


@dataclass(frozen=True, eq=False)
class Freedom:
    """What `adjust` may change besides the board's places."""

    values: Float[np.ndarray, "p q"]
    """How the lens's values move with what is searched: one column for each unknown, so that two
    values may share one."""
    zoom: bool = False
    """Each photo has a focal length of its own."""
    bow: bool = False
    """The board may bend."""

    @property
    def shared(self) -> int:
        """Unknowns that all photos have in common."""
        return self.values.shape[1] + 3 * self.bow

    @property
    def per_photo(self) -> int:
        """Unknowns of each photo."""
        return 7 if self.zoom else 6

    def of_photo(self) -> Freedom:
        """The same with a lens and a board that stay as they are."""
        return replace(self, values=np.empty((len(self.values), 0)), bow=False)


@dataclass(frozen=True, eq=False)
class Fit:
    """A lens, and where the board was."""

    lens: Lens
    values: Float[np.ndarray, "p"]
    """fx, fy, cx, cy in pixels, then the coefficients."""
    rotations: Float[np.ndarray, "m 3 3"]
    """cam_from_board of each photo."""
    translations: Float[np.ndarray, "m 3"]
    """In squares."""
    zooms: Float[np.ndarray, "m"]
    """Focal length of each photo, as a factor of the lens's."""
    bow: Float[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3))
    """How the board stands out of its plane: `Sightings.bows` times this is z, in squares."""

    def of_photos(self, wanted: Int[np.ndarray, "k"]) -> Fit:
        """Only some photos."""
        return replace(
            self,
            rotations=self.rotations[wanted],
            translations=self.translations[wanted],
            zooms=self.zooms[wanted],
        )

    def points_board(self, sightings: Sightings) -> Float[np.ndarray, "n 3"]:
        """The corners on the board, bent as it is, in squares."""
        points = sightings.points_board.copy()
        points[:, 2] += sightings.bows @ self.bow
        return points

    def points_cam(self, sightings: Sightings) -> Float[np.ndarray, "n 3"]:
        """The corners in the camera frame, in squares."""
        points = self.points_board(sightings)
        turned = np.einsum("nij,nj->ni", self.rotations[sightings.photo], points)
        return turned + self.translations[sightings.photo]

    def residuals_px(self, sightings: Sightings) -> Float[np.ndarray, "n 2"]:
        """Where the corners should be, minus where they were seen."""
        shown = project(self.lens, self.values, self.points_cam(sightings))
        return self.zoomed(shown - self.values[2:4], sightings) + (
            self.values[2:4] - sightings.points_px
        )

    def zoomed(
        self, away_px: Float[np.ndarray, "n *d"], sightings: Sightings
    ) -> Float[np.ndarray, "n *d"]:
        """What is proportional to the focal length, in each photo's own."""
        factor = self.zooms[sightings.photo]
        return away_px * factor.reshape(-1, *[1] * (away_px.ndim - 1))


def adjust(fit: Fit, sightings: Sightings, free: Freedom, task: Task) -> Fit:
    """Levenberg-Marquardt with what each photo has of its own eliminated."""
    return descend(
        fit,
        lambda trial: _cost(trial, sightings),
        lambda trial: _equations(trial, sightings, free),
        lambda trial, *steps: _moved(trial, free, *steps),
        task,
    )


def pixel_noise(fit: Fit, sightings: Sightings, free: Freedom) -> float:
    """Standard deviation of one coordinate of a corner, in pixels."""
    unknowns = free.shared + free.per_photo * len(fit.rotations)
    return noise_left(_cost(fit, sightings), sightings.weight, unknowns)


def covariance(fit: Fit, sightings: Sightings, free: Freedom) -> Float[np.ndarray, "p p"]:
    """Of the lens's values, the larger of `covariance_of_shared`'s two estimates.

    Photos that share a bent board or blur make the second one larger. Infinite where the photos
    leave a value open.
    """
    q = free.values.shape[1]
    spread = _shared_covariance(fit, sightings, free)[:q, :q]
    if not np.isfinite(spread).all():
        return np.full((len(fit.values),) * 2, np.inf)
    return free.values @ spread @ free.values.T


def bow_covariance(fit: Fit, sightings: Sightings, free: Freedom) -> Float[np.ndarray, "3 3"]:
    """The same of how the board bends, which must be free."""
    return _shared_covariance(fit, sightings, free)[-3:, -3:]


def _shared_covariance(fit: Fit, sightings: Sightings, free: Freedom) -> Float[np.ndarray, "q q"]:
    schur, pull = _equations(fit, sightings, free).reduced()
    return covariance_of_shared(schur, pull, pixel_noise(fit, sightings, free))


def zoom_std(
    fit: Fit, sightings: Sightings, free: Freedom, spread: Float[np.ndarray, "p p"]
) -> Float[np.ndarray, "m"]:
    """Standard deviation of each photo's zoom, as a share of it; infinite where it is open.

    spread: the lens's covariance.
    """
    if not np.isfinite(spread).all():
        return np.full(len(fit.zooms), np.inf)
    equations = _equations(fit, sightings, free)
    noise = pixel_noise(fit, sightings, free)
    onto = np.linalg.pinv(free.values)
    try:
        inverse = np.linalg.inv(equations.own)
    except np.linalg.LinAlgError:
        return np.full(len(fit.zooms), np.inf)
    pull = inverse @ equations.both[:, : len(onto)].transpose(0, 2, 1)
    from_lens = pull @ (onto @ spread @ onto.T) @ pull.transpose(0, 2, 1)
    return np.sqrt(noise**2 * inverse[:, 6, 6] + from_lens[:, 6, 6])


def _equations(fit: Fit, sightings: Sightings, free: Freedom) -> NormalEquations:
    """A photo's own are the turn, the shift, and the zoom's logarithm where it is free."""
    points_cam = fit.points_cam(sightings)
    shown, by_values, by_point = project_with_slopes(fit.lens, fit.values, points_cam)
    away = fit.zoomed(shown - fit.values[2:4], sightings)
    by_point = fit.zoomed(by_point, sightings)
    # All but the principal point's slopes grow with the focal length.
    centre = by_values[:, :, 2:4].copy()
    by_values = fit.zoomed(by_values, sightings)
    by_values[:, :, 2:4] = centre
    turned = points_cam - fit.translations[sightings.photo]
    by_photo = [by_turn(turned, by_point), by_point, away[:, :, None]][: 3 if free.zoom else 2]
    by_height = np.einsum("nij,nj->ni", by_point, fit.rotations[sightings.photo, :, 2])
    by_bow = by_height[:, :, None] * sightings.bows[:, None, : 3 * free.bow]
    slopes = np.concatenate([by_values @ free.values, by_bow, *by_photo], axis=2)
    weight = np.sqrt(sightings.weight)
    slopes *= weight[:, None, None]
    misses = (away + fit.values[2:4] - sightings.points_px) * weight[:, None]
    return NormalEquations.of_rows(slopes, misses, free.shared, sightings.photos)


def _moved(
    fit: Fit,
    free: Freedom,
    shared_step: Float[np.ndarray, "q"],
    pose_step: Float[np.ndarray, "m k"],
) -> Fit:
    lens_step, bow_step = np.split(shared_step, [free.values.shape[1]])
    return replace(
        fit,
        values=fit.values + free.values @ lens_step,
        bow=fit.bow + bow_step if free.bow else fit.bow,
        rotations=rotations_from_axis_angle(pose_step[:, :3]) @ fit.rotations,
        translations=fit.translations + pose_step[:, 3:6],
        # Far off, a step of more than that is a guess.
        zooms=fit.zooms * np.exp(np.clip(pose_step[:, 6:].sum(axis=1), -1, 1)),
    )


def _cost(fit: Fit, sightings: Sightings) -> float:
    return sum_of_squares(fit.residuals_px(sightings), sightings.weight)
