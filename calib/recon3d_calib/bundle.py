"""Least squares over a lens, where its photos were taken, and the points that they share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from recon3d.run.task import Task
from recon3d_calib.adjust import rotations_of
from recon3d_calib.least_squares import Patience, by_turn, damped, descend, grown
from recon3d_calib.lens import Lens, project, project_with_slopes
from recon3d_calib.noise import noise_of

_PATIENCE = Patience(rounds=40, damping=1e-4, most_damping=1e8, converged=1e-7, rounds_converged=2)
# Leaving out one such share of the photos at a time tells what photos have in common.
_SHARES = 12
# Half the length of a miss that counts in full, in standard deviations (Cauchy).
_SOFT_SIGMAS = 3.0


@dataclass(frozen=True, eq=False)
class Tracks:
    """Which photo sees which point where."""

    photo: Int[np.ndarray, "n"]
    point: Int[np.ndarray, "n"]
    points_px: Float[np.ndarray, "n 2"]

    def where(self, keep: Bool[np.ndarray, "n"]) -> Tracks:
        """Only some sightings."""
        return Tracks(self.photo[keep], self.point[keep], self.points_px[keep])


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known of the lens's values before any photo."""

    values: Float[np.ndarray, "p"]
    std: Float[np.ndarray, "p"]
    """Infinite where nothing is known."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A lens, its photos and their points, in the frame of the first photo."""

    lens: Lens
    values: Float[np.ndarray, "p"]
    rotations: Float[np.ndarray, "m 3 3"]
    """cam_from_world of each photo."""
    translations: Float[np.ndarray, "m 3"]
    points_world: Float[np.ndarray, "k 3"]

    def points_cam(self, tracks: Tracks) -> Float[np.ndarray, "n 3"]:
        """Each sighting's point in its photo's camera frame."""
        turned = np.einsum(
            "nij,nj->ni", self.rotations[tracks.photo], self.points_world[tracks.point]
        )
        return turned + self.translations[tracks.photo]

    def residuals_px(self, tracks: Tracks) -> Float[np.ndarray, "n 2"]:
        """Where points should be, minus where they were seen."""
        return project(self.lens, self.values, self.points_cam(tracks)) - tracks.points_px

    def noise_px(self, tracks: Tracks) -> float:
        """Standard deviation of one coordinate of a sighting, whatever a few wrong ones say."""
        return noise_of(np.linalg.norm(self.residuals_px(tracks), axis=1))

    def in_first_photo(self) -> Bundle:
        """The same, seen from the first photo, so that its size is a factor of all places."""
        turn, shift = self.rotations[0], self.translations[0]
        rotations = self.rotations @ turn.T
        return replace(
            self,
            rotations=rotations,
            translations=self.translations - rotations @ shift,
            points_world=self.points_world @ turn.T + shift,
        )


def adjust_bundle(
    bundle: Bundle, tracks: Tracks, free: Float[np.ndarray, "p q"], prior: Prior, task: Task
) -> Bundle:
    """Levenberg-Marquardt with the points eliminated; misses weigh as Cauchy's do.

    free: as for `adjust`.
    """
    # How far is far off shows only after a first round.
    for _ in range(2):
        noise_px = bundle.noise_px(tracks)
        bundle = descend(
            bundle,
            partial(_cost, tracks=tracks, prior=prior, noise_px=noise_px),
            partial(_Equations, tracks=tracks, free=free, prior=prior, noise_px=noise_px),
            partial(_moved, free),
            task,
            _PATIENCE,
        )
    return bundle


def bundle_covariance(
    bundle: Bundle, tracks: Tracks, free: Float[np.ndarray, "p q"], prior: Prior
) -> Float[np.ndarray, "p p"]:
    """Of the lens's values; infinite where the photos leave one open.

    As for boards the larger of two estimates: from the noise of single sightings, and from how
    much the result moves when a share of the photos is left out (jackknife, one Newton step).
    """
    noise_px = bundle.noise_px(tracks)
    q = free.shape[1]
    try:
        classic = _Equations(bundle, tracks, free, prior, noise_px).covariance()[:q, :q]
        steps = [
            _Equations(bundle, tracks.where(keep), free, prior, noise_px).step(0.0)[0][:q]
            for keep in _without_shares(bundle, tracks)
        ]
    except np.linalg.LinAlgError:
        return np.full((len(bundle.values),) * 2, np.inf)
    left_out = np.stack(steps)
    left_out -= left_out.mean(axis=0)
    return free @ grown(classic, left_out) @ free.T


def _without_shares(bundle: Bundle, tracks: Tracks) -> Iterator[Bool[np.ndarray, "n"]]:
    """Sightings without one share of the photos, of points that two others see."""
    shares = min(_SHARES, len(bundle.rotations))
    for share in range(shares):
        keep = tracks.photo % shares != share
        seen = np.bincount(tracks.point[keep], minlength=len(bundle.points_world))
        yield keep & (seen[tracks.point] >= 2)


class _Equations:
    """The normal equations of photos and lens, in units of the noise, without the points.

    The first photo stands still, and one coordinate of the farthest one fixes the size; photos
    that see nothing stand still too.
    """

    def __init__(
        self,
        bundle: Bundle,
        tracks: Tracks,
        free: Float[np.ndarray, "p q"],
        prior: Prior,
        noise_px: float,
    ) -> None:
        self._bundle = bundle
        q, photos, points = free.shape[1], len(bundle.rotations), len(bundle.points_world)
        points_cam = bundle.points_cam(tracks)
        shown, by_values, by_cam = project_with_slopes(bundle.lens, bundle.values, points_cam)
        misses = shown - tracks.points_px
        weight = _weights(misses, noise_px)
        turned = points_cam - bundle.translations[tracks.photo]
        by_camera = np.concatenate([by_values @ free, by_turn(turned, by_cam), by_cam], axis=2)
        by_camera *= weight[:, None, None]
        by_point = (by_cam @ bundle.rotations[tracks.photo]) * weight[:, None, None]
        misses = misses * weight[:, None]
        columns = np.concatenate(
            [
                np.broadcast_to(np.arange(q), (len(misses), q)),
                q + 6 * tracks.photo[:, None] + np.arange(6),
            ],
            axis=1,
        )
        cameras = _rows(by_camera, columns, q + 6 * photos)
        places = _rows(by_point, 3 * tracks.point[:, None] + np.arange(3), 3 * points)
        self._both = (cameras.T @ places).tocsr()
        self._camera = (cameras.T @ cameras).toarray()
        self._camera_pull = cameras.T @ misses.ravel()
        self._point_pull = places.T @ misses.ravel()
        self._point = np.zeros((points, 3, 3))
        np.add.at(self._point, tracks.point, by_point.transpose(0, 2, 1) @ by_point)
        precision = free.T @ (free / prior.std[:, None] ** 2)
        self._camera[:q, :q] += precision
        self._camera_pull[:q] += free.T @ ((bundle.values - prior.values) / prior.std**2)
        self._moving = self._find_moving(tracks, q)

    def step(self, damping: float) -> tuple[Float[np.ndarray, "c"], Float[np.ndarray, "k 3"]]:
        """Of lens and photos, and of the points."""
        normal, pull, inverse = self._reduced(damping)
        moving = self._moving
        camera_step = np.zeros(len(pull))
        camera_step[moving] = -np.linalg.solve(normal[np.ix_(moving, moving)], pull[moving])
        rest = (self._point_pull + self._both.T @ camera_step).reshape(-1, 3)
        return camera_step, -np.einsum("kij,kj->ki", inverse, rest)

    def covariance(self) -> Float[np.ndarray, "c c"]:
        """Of what moves; the lens comes first."""
        return np.asarray(np.linalg.inv(self._reduced(0.0)[0][np.ix_(self._moving, self._moving)]))

    def _reduced(
        self, damping: float
    ) -> tuple[Float[np.ndarray, "c c"], Float[np.ndarray, "c"], Float[np.ndarray, "k 3 3"]]:
        point = damped(self._point, damping)
        # Points that nobody sees stay where they are.
        point[~point.any(axis=(1, 2))] = np.eye(3)
        inverse = np.linalg.inv(point)
        count = len(inverse)
        blocks = sparse.bsr_matrix((inverse, np.arange(count), np.arange(count + 1)))
        onto = self._both @ blocks
        camera = self._camera + damping * np.diag(np.diag(self._camera))
        pull = self._camera_pull - onto @ self._point_pull
        return camera - (onto @ self._both.T).toarray(), pull, inverse

    def _find_moving(self, tracks: Tracks, q: int) -> Int[np.ndarray, "f"]:
        moves = np.zeros((len(self._bundle.rotations), 6), bool)
        moves[np.unique(tracks.photo)] = True
        moves[0] = False
        away = np.abs(self._bundle.translations) * moves[:, 3:]
        photo, axis = np.unravel_index(np.argmax(away), away.shape)
        moves[photo, 3 + axis] = False
        return np.flatnonzero(np.concatenate([np.ones(q, bool), moves.ravel()]))


def _moved(
    free: Float[np.ndarray, "p q"],
    bundle: Bundle,
    camera_step: Float[np.ndarray, "c"],
    point_step: Float[np.ndarray, "k 3"],
) -> Bundle:
    q = free.shape[1]
    poses = camera_step[q:].reshape(-1, 6)
    return replace(
        bundle,
        values=bundle.values + free @ camera_step[:q],
        rotations=rotations_of(poses[:, :3]) @ bundle.rotations,
        translations=bundle.translations + poses[:, 3:],
        points_world=bundle.points_world + point_step,
    )


def _rows(
    slopes: Float[np.ndarray, "n 2 c"], columns: Int[np.ndarray, "n c"], width: int
) -> sparse.csr_matrix:
    count, _, each = slopes.shape
    both = np.repeat(columns, 2, axis=0).ravel()
    return sparse.csr_matrix(
        (slopes.ravel(), both, each * np.arange(2 * count + 1)), (2 * count, width)
    )


def _weights(misses: Float[np.ndarray, "n 2"], noise_px: float) -> Float[np.ndarray, "n"]:
    """Root of Cauchy's weights, in units of the noise."""
    squares = (misses**2).sum(axis=1) / noise_px**2
    return 1 / (noise_px * np.sqrt(1 + squares / _SOFT_SIGMAS**2))


def _cost(bundle: Bundle, tracks: Tracks, prior: Prior, noise_px: float) -> float:
    squares = (bundle.residuals_px(tracks) ** 2).sum(axis=1) / noise_px**2
    cost = _SOFT_SIGMAS**2 * np.log1p(squares / _SOFT_SIGMAS**2).sum()
    cost += (((bundle.values - prior.values) / prior.std) ** 2).sum()
    return float(cost) if np.isfinite(cost) else np.inf
