"""Least squares over a lens, where its photos were taken, and the points that they share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from recon3d.core.lens import Lens, project, project_with_slopes
from recon3d.core.transform import rotations_from_axis_angle
from recon3d.run.task import Task
from recon3d.sfm.anchors import Anchors
from recon3d.sfm.least_squares import Patience, by_turn, damped, descend, grown, noise_of

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
    spread: Float[np.ndarray, "n"] | None = None
    """Standard deviation of each in units of the usual one; None where all are alike."""

    def where(self, keep: Bool[np.ndarray, "n"] | Int[np.ndarray, "k"]) -> Tracks:
        """Only some sightings, or all in another order."""
        spread = None if self.spread is None else self.spread[keep]
        return Tracks(self.photo[keep], self.point[keep], self.points_px[keep], spread)


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known of the lens's values before any photo."""

    values: Float[np.ndarray, "p"]
    std: Float[np.ndarray, "p"]
    """Infinite where nothing is known."""


@dataclass(frozen=True, eq=False)
class FurtherLens:
    """A lens that some of a bundle's photos were taken with in place of its first."""

    lens: Lens
    start: int
    """Where its values begin among the bundle's."""
    photos: Bool[np.ndarray, "m"]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A lens, its photos and their points, in the frame of the first photo or of anchors."""

    lens: Lens
    values: Float[np.ndarray, "p"]
    rotations: Float[np.ndarray, "m 3 3"]
    """cam_from_world of each photo."""
    translations: Float[np.ndarray, "m 3"]
    points_world: Float[np.ndarray, "k 3"]
    further: tuple[FurtherLens, ...] = ()
    """Lenses of some of the photos; their values follow the first one's."""

    def points_cam(self, tracks: Tracks) -> Float[np.ndarray, "n 3"]:
        """Each sighting's point in its photo's camera frame."""
        turned = np.einsum(
            "nij,nj->ni", self.rotations[tracks.photo], self.points_world[tracks.point]
        )
        return turned + self.translations[tracks.photo]

    def residuals_px(self, tracks: Tracks) -> Float[np.ndarray, "n 2"]:
        """Where points should be, minus where they were seen."""
        points_cam = self.points_cam(tracks)
        if not self.further:
            return project(self.lens, self.values, points_cam) - tracks.points_px
        shown = np.empty_like(tracks.points_px)
        for lens, own, rows in self._lenses(tracks):
            shown[rows] = project(lens, self.values[own], points_cam[rows])
        return shown - tracks.points_px

    def project_with_slopes(
        self,
        tracks: Tracks,
        points_cam: Float[np.ndarray, "n 3"],
        free: Float[np.ndarray, "p q"],
    ) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2 q"], Float[np.ndarray, "n 2 3"]]:
        """Where points should be, with slopes by what is free of the lenses and by the points."""
        if not self.further:
            shown, by_values, by_cam = project_with_slopes(self.lens, self.values, points_cam)
            return shown, by_values @ free, by_cam
        shown = np.empty_like(tracks.points_px)
        by_lens = np.empty((*shown.shape, free.shape[1]))
        by_cam = np.empty((*shown.shape, 3))
        for lens, own, rows in self._lenses(tracks):
            found = project_with_slopes(lens, self.values[own], points_cam[rows])
            shown[rows], by_cam[rows] = found[0], found[2]
            by_lens[rows] = found[1] @ free[own]
        return shown, by_lens, by_cam

    def _lenses(self, tracks: Tracks) -> Iterator[tuple[Lens, slice, Int[np.ndarray, "r"]]]:
        """Each lens, where its values are, and the rows of the tracks that it took."""
        first = np.ones(len(self.rotations), bool)
        for other in self.further:
            first &= ~other.photos
            end = other.start + _count_values(other.lens)
            yield other.lens, slice(other.start, end), np.flatnonzero(other.photos[tracks.photo])
        yield self.lens, slice(0, _count_values(self.lens)), np.flatnonzero(first[tracks.photo])

    def noise_px(self, tracks: Tracks) -> float:
        """Standard deviation of one coordinate of a sighting, whatever a few wrong ones say."""
        return noise_of(np.linalg.norm(self.residuals_px(tracks), axis=1))

    def soft_squares(self, tracks: Tracks, noise_px: float) -> Float[np.ndarray, "n"]:
        """How much each miss costs: its square in units of the noise, less when far off."""
        squares = (self.residuals_px(tracks) ** 2).sum(axis=1) / _each(tracks, noise_px) ** 2
        return _SOFT_SIGMAS**2 * np.log1p(squares / _SOFT_SIGMAS**2)

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
    bundle: Bundle,
    tracks: Tracks,
    free: Float[np.ndarray, "p q"],
    prior: Prior,
    task: Task,
    patience: Patience = _PATIENCE,
) -> Bundle:
    """Levenberg-Marquardt with the points eliminated; misses weigh as Cauchy's do.

    free: a column for each number that may change, with what it does to the values.
    """
    # How far is far off shows only after a first round.
    for _ in range(2):
        noise_px = bundle.noise_px(tracks)
        bundle = descend(
            bundle,
            partial(bundle_cost, tracks=tracks, prior=prior, noise_px=noise_px),
            partial(BundleEquations, tracks=tracks, free=free, prior=prior, noise_px=noise_px),
            partial(moved, free),
            task,
            patience,
        )
    return bundle


def bundle_covariance(
    bundle: Bundle, tracks: Tracks, free: Float[np.ndarray, "p q"], prior: Prior
) -> Float[np.ndarray, "p p"]:
    """Of the lens's values; infinite where the photos leave one open.

    The larger of two estimates: from the noise of single sightings, and from how
    much the result moves when a share of the photos is left out (jackknife, one Newton step).
    """
    noise_px = bundle.noise_px(tracks)
    q = free.shape[1]
    try:
        classic = BundleEquations(bundle, tracks, free, prior, noise_px).covariance()[:q, :q]
        steps = [
            BundleEquations(bundle, tracks.where(keep), free, prior, noise_px).step(0.0)[0][:q]
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


class BundleEquations:
    """The normal equations of photos and lens, in units of the noise, without the points.

    The first photo stands still, and one coordinate of the farthest one fixes the size, unless
    anchors hold all; photos that see nothing stand still too.
    """

    def __init__(
        self,
        bundle: Bundle,
        tracks: Tracks,
        free: Float[np.ndarray, "p q"],
        prior: Prior,
        noise_px: float,
        anchors: Anchors | None = None,
    ) -> None:
        self._bundle = bundle
        photos, points = len(bundle.rotations), len(bundle.points_world)
        # A block row of the sparse matrix is a photo.
        order = np.argsort(tracks.photo, kind="stable")
        tracks = tracks.where(order)
        self._photo, self._seen = tracks.photo, tracks.point
        points_cam = bundle.points_cam(tracks)
        shown, by_lens, by_cam = bundle.project_with_slopes(tracks, points_cam, free)
        misses = shown - tracks.points_px
        weight = _weights(misses, _each(tracks, noise_px))
        misses = misses * weight[:, None]
        turned = points_cam - bundle.translations[tracks.photo]
        by_lens = by_lens * weight[:, None, None]
        by_photo = np.concatenate([by_turn(turned, by_cam), by_cam], axis=2)
        by_photo *= weight[:, None, None]
        by_point = (by_cam @ bundle.rotations[tracks.photo]) * weight[:, None, None]
        across = by_photo.transpose(0, 2, 1)
        self._lens = np.tensordot(by_lens, by_lens, ((0, 1), (0, 1)))
        self._lens_photo = _summed(by_lens.transpose(0, 2, 1) @ by_photo, tracks.photo, photos)
        self._lens_point = _summed(by_lens.transpose(0, 2, 1) @ by_point, tracks.point, points)
        self._own = _summed(across @ by_photo, tracks.photo, photos)
        self._point = _summed(by_point.transpose(0, 2, 1) @ by_point, tracks.point, points)
        self._photo_point = across @ by_point
        lens_pull = np.tensordot(by_lens, misses, ((0, 1), (0, 1)))
        photo_pull = _summed(np.einsum("ndi,nd->ni", by_photo, misses), tracks.photo, photos)
        self._point_pull = _summed(np.einsum("ndi,nd->ni", by_point, misses), tracks.point, points)
        self._lens += free.T @ (free / prior.std[:, None] ** 2)
        lens_pull += free.T @ ((bundle.values - prior.values) / prior.std**2)
        if anchors:
            anchors.pull_photos(bundle.rotations, bundle.translations, self._own, photo_pull)
            anchors.pull_points(bundle.points_world, self._point, self._point_pull)
        self._pull = np.concatenate([lens_pull, photo_pull.ravel()])
        self._moving = self._find_moving(tracks, free.shape[1], is_held=anchors is not None)

    def step(self, damping: float) -> tuple[Float[np.ndarray, "c"], Float[np.ndarray, "k 3"]]:
        """Of lens and photos, and of the points."""
        normal, pull, inverse = self._reduced(damping)
        moving = self._moving
        camera_step = np.zeros(len(pull))
        camera_step[moving] = -np.linalg.solve(normal[np.ix_(moving, moving)], pull[moving])
        lens_step, photo_step = np.split(camera_step, [len(self._lens)])
        photo_step = photo_step.reshape(-1, 6)[self._photo]
        rest = self._point_pull + np.einsum("kqi,q->ki", self._lens_point, lens_step)
        rest += _summed(
            np.einsum("nci,nc->ni", self._photo_point, photo_step), self._seen, len(rest)
        )
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
        q, photos = len(self._lens), len(self._own)
        lens_onto = self._lens_point @ inverse
        photo_onto = self._photo_point @ inverse[self._seen]
        normal = np.empty((q + 6 * photos,) * 2)
        normal[:q, :q] = damped(self._lens[None], damping)[0]
        normal[:q, :q] -= np.tensordot(lens_onto, self._lens_point, ((0, 2), (0, 2)))
        both = lens_onto[self._seen] @ self._photo_point.transpose(0, 2, 1)
        both = self._lens_photo - _summed(both, self._photo, photos)
        normal[:q, q:] = both.transpose(1, 0, 2).reshape(q, 6 * photos)
        normal[q:, :q] = normal[:q, q:].T
        among = -(self._blocks(photo_onto) @ self._blocks(self._photo_point).T).toarray()
        each = np.arange(photos)
        among.reshape(photos, 6, photos, 6)[each, :, each] += damped(self._own, damping)
        normal[q:, q:] = among
        pull = self._pull.copy()
        pull[:q] -= np.tensordot(lens_onto, self._point_pull, ((0, 2), (0, 1)))
        pull[q:] -= _summed(
            np.einsum("nci,ni->nc", photo_onto, self._point_pull[self._seen]), self._photo, photos
        ).ravel()
        return normal, pull, inverse

    def _blocks(self, blocks: Float[np.ndarray, "n 6 3"]) -> sparse.bsr_matrix:
        """Of each photo and point."""
        photos, points = len(self._own), len(self._point)
        starts = np.searchsorted(self._photo, np.arange(photos + 1))
        return sparse.bsr_matrix((blocks, self._seen, starts), shape=(6 * photos, 3 * points))

    def _find_moving(self, tracks: Tracks, q: int, *, is_held: bool) -> Int[np.ndarray, "f"]:
        moves = np.zeros((len(self._bundle.rotations), 6), bool)
        moves[np.unique(tracks.photo)] = True
        if not is_held:
            moves[0] = False
            away = np.abs(self._bundle.translations) * moves[:, 3:]
            photo, axis = np.unravel_index(np.argmax(away), away.shape)
            moves[photo, 3 + axis] = False
        return np.flatnonzero(np.concatenate([np.ones(q, bool), moves.ravel()]))


def moved(
    free: Float[np.ndarray, "p q"],
    bundle: Bundle,
    camera_step: Float[np.ndarray, "c"],
    point_step: Float[np.ndarray, "k 3"],
) -> Bundle:
    """A bundle after a step of its lenses and photos, and of its points."""
    q = free.shape[1]
    poses = camera_step[q:].reshape(-1, 6)
    return replace(
        bundle,
        values=bundle.values + free @ camera_step[:q],
        rotations=rotations_from_axis_angle(poses[:, :3]) @ bundle.rotations,
        translations=bundle.translations + poses[:, 3:],
        points_world=bundle.points_world + point_step,
    )


def with_points_nearer(bundle: Bundle, tracks: Tracks, noise_px: float) -> Bundle:
    """After one Gauss-Newton step of the points alone, whose photos stand still."""
    points_cam = bundle.points_cam(tracks)
    nothing = np.zeros((len(bundle.values), 0))
    shown, _, by_cam = bundle.project_with_slopes(tracks, points_cam, nothing)
    misses = shown - tracks.points_px
    weight = _weights(misses, _each(tracks, noise_px))
    by_point = (by_cam @ bundle.rotations[tracks.photo]) * weight[:, None, None]
    misses = misses * weight[:, None]
    # Photos that have turned away from a point say nothing of it.
    ahead = np.isfinite(misses).all(axis=1) & np.isfinite(by_point).all(axis=(1, 2))
    by_point[~ahead], misses[~ahead] = 0, 0
    count = len(bundle.points_world)
    normal = _summed(by_point.transpose(0, 2, 1) @ by_point, tracks.point, count)
    pull = _summed(np.einsum("ndi,nd->ni", by_point, misses), tracks.point, count)
    step = np.linalg.pinv(normal, rcond=1e-12, hermitian=True) @ pull[..., None]
    return replace(bundle, points_world=bundle.points_world - step[..., 0])


def _summed(
    each: Float[np.ndarray, "n *d"], group: Int[np.ndarray, "n"], groups: int
) -> Float[np.ndarray, "g *d"]:
    """The sum over the rows of each group."""
    sums = np.empty((groups, *each.shape[1:]))
    for index in np.ndindex(*each.shape[1:]):
        sums[:, *index] = np.bincount(group, each[:, *index], groups)
    return sums


def _count_values(lens: Lens) -> int:
    return 4 + len(lens.coefficients)


def _each(tracks: Tracks, noise_px: float) -> Float[np.ndarray, "n"] | float:
    """Standard deviation of a coordinate of each sighting."""
    return noise_px if tracks.spread is None else noise_px * tracks.spread


def _weights(
    misses: Float[np.ndarray, "n 2"], noise_px: Float[np.ndarray, "n"] | float
) -> Float[np.ndarray, "n"]:
    """Root of Cauchy's weights, in units of the noise."""
    squares = (misses**2).sum(axis=1) / noise_px**2
    return 1 / (noise_px * np.sqrt(1 + squares / _SOFT_SIGMAS**2))


def bundle_cost(
    bundle: Bundle,
    tracks: Tracks,
    prior: Prior,
    noise_px: float,
    anchors: Anchors | None = None,
) -> float:
    """What `BundleEquations` make less of; infinite where a photo is turned away from a point."""
    cost = bundle.soft_squares(tracks, noise_px).sum()
    if anchors:
        cost += anchors.cost(bundle.rotations, bundle.translations, bundle.points_world)
    cost += (((bundle.values - prior.values) / prior.std) ** 2).sum()
    return float(cost) if np.isfinite(cost) else np.inf
