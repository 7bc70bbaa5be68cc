"""Least squares over the lens and where the board was in each photo, and how sure the result is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from recon3d_calib.lens import Lens, project, project_with_slopes

_ROUNDS = 60
_DAMPING = 1e-3
_MOST_DAMPING = 1e10
# Of the sum of squares; far below what any error bar notices.
_CONVERGED = 1e-9


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
    def photos(self) -> list[slice]:
        """The rows of each photo."""
        ends = np.flatnonzero(np.diff(self.photo)) + 1
        edges = [0, *ends.tolist(), len(self.photo)]
        return [slice(a, b) for a, b in pairwise(edges)]


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

    def of_photos(self, wanted: Int[np.ndarray, "k"]) -> Fit:
        """Only some photos."""
        return replace(
            self, rotations=self.rotations[wanted], translations=self.translations[wanted]
        )

    def points_cam(self, sightings: Sightings) -> Float[np.ndarray, "n 3"]:
        """The corners in the camera frame, in squares."""
        turned = np.einsum("nij,nj->ni", self.rotations[sightings.photo], sightings.points_board)
        return turned + self.translations[sightings.photo]

    def residuals_px(self, sightings: Sightings) -> Float[np.ndarray, "n 2"]:
        """Where the corners should be, minus where they were seen."""
        return project(self.lens, self.values, self.points_cam(sightings)) - sightings.points_px


def adjust(fit: Fit, sightings: Sightings, free: Float[np.ndarray, "p q"]) -> Fit:
    """Levenberg-Marquardt with the poses eliminated (Schur complement).

    free: how the lens's values move with what is searched: one column for each unknown, so that
    two values may share one. Without columns only the poses move.
    """
    damping = _DAMPING
    cost = _cost(fit, sightings)
    for _ in range(_ROUNDS):
        blocks = _blocks(fit, sightings, free)
        gained = 0.0
        while damping < _MOST_DAMPING:
            trial = _moved(fit, free, *_step(blocks, damping))
            new_cost = _cost(trial, sightings)
            if new_cost < cost:
                gained, fit, cost = (cost - new_cost) / cost, trial, new_cost
                damping = max(damping / 10, 1e-12)
                break
            damping *= 10
        if gained < _CONVERGED:
            break
    return fit


def pixel_noise(fit: Fit, sightings: Sightings, unknowns: int) -> float:
    """Standard deviation of one coordinate of a corner, in pixels."""
    seen = 2 * sightings.weight.sum()
    return float(np.sqrt(_cost(fit, sightings) / max(seen - unknowns - 6 * len(fit.rotations), 1)))


def covariance(
    fit: Fit, sightings: Sightings, free: Float[np.ndarray, "p q"]
) -> Float[np.ndarray, "p p"]:
    """Of the lens's values; infinite where the photos leave one open.

    The larger of two estimates: from the noise of single corners, and from how much the result
    moves when one photo is left out (jackknife, one Newton step each). The second also sees what
    corners of one photo have in common: a bent board, blur, a lens that the model does not fit.
    """
    schur, pull = _reduced(_blocks(fit, sightings, free), 0.0)
    total, count = schur.sum(axis=0), len(schur)
    noise = pixel_noise(fit, sightings, free.shape[1])
    try:
        classic = noise**2 * np.linalg.inv(total)
        left_out = np.stack(
            [
                np.linalg.solve(total - one, one_pull)
                for one, one_pull in zip(schur, pull, strict=True)
            ]
        )
    except np.linalg.LinAlgError:
        return np.full((len(fit.values),) * 2, np.inf)
    jackknife = (count - 1) / count * left_out.T @ left_out
    grow = np.sqrt(np.maximum(np.diag(jackknife) / np.diag(classic), 1.0))
    return free @ (classic * np.outer(grow, grow)) @ free.T


@dataclass(frozen=True, eq=False)
class _Blocks:
    """The normal equations, photo by photo."""

    lens: Float[np.ndarray, "m q q"]
    both: Float[np.ndarray, "m q 6"]
    pose: Float[np.ndarray, "m 6 6"]
    lens_pull: Float[np.ndarray, "m q"]
    pose_pull: Float[np.ndarray, "m 6"]


def _blocks(fit: Fit, sightings: Sightings, free: Float[np.ndarray, "p q"]) -> _Blocks:
    points_cam = fit.points_cam(sightings)
    shown, by_values, by_point = project_with_slopes(fit.lens, fit.values, points_cam)
    turned = points_cam - fit.translations[sightings.photo]
    by_turn = np.stack(
        [np.cross(by_point[:, row], -turned) for row in range(2)], axis=1
    )  # d(R p)/dw = -[R p]x, so a row g becomes (R p) x g
    slopes = np.concatenate([by_values @ free, by_turn, by_point], axis=2)
    weight = np.sqrt(sightings.weight)
    slopes *= weight[:, None, None]
    misses = (shown - sightings.points_px) * weight[:, None]
    normal = np.empty((len(fit.rotations),) + (slopes.shape[2],) * 2)
    pull = np.empty(normal.shape[:2])
    for index, rows in enumerate(sightings.photos):
        flat = slopes[rows].reshape(-1, slopes.shape[2])
        normal[index] = flat.T @ flat
        pull[index] = flat.T @ misses[rows].ravel()
    q = free.shape[1]
    return _Blocks(
        normal[:, :q, :q], normal[:, :q, q:], normal[:, q:, q:], pull[:, :q], pull[:, q:]
    )


def _reduced(
    blocks: _Blocks, damping: float
) -> tuple[Float[np.ndarray, "m q q"], Float[np.ndarray, "m q"]]:
    """Each photo's share of the equations for the lens alone."""
    onto = blocks.both @ np.linalg.pinv(_damped(blocks.pose, damping), hermitian=True)
    schur = _damped(blocks.lens, damping) - onto @ blocks.both.transpose(0, 2, 1)
    return schur, blocks.lens_pull - np.einsum("mqi,mi->mq", onto, blocks.pose_pull)


def _step(
    blocks: _Blocks, damping: float
) -> tuple[Float[np.ndarray, "q"], Float[np.ndarray, "m 6"]]:
    schur, pull = _reduced(blocks, damping)
    lens_step = -np.linalg.pinv(schur.sum(axis=0), hermitian=True) @ pull.sum(axis=0)
    rest = blocks.pose_pull + np.einsum("mqi,q->mi", blocks.both, lens_step)
    pose_step = -np.linalg.solve(_damped(blocks.pose, damping), rest[..., None])[..., 0]
    return lens_step, pose_step


def _damped(blocks: Float[np.ndarray, "m k k"], damping: float) -> Float[np.ndarray, "m k k"]:
    on_diagonal = np.eye(blocks.shape[1]) * np.diagonal(blocks, axis1=1, axis2=2)[:, None]
    return blocks + damping * on_diagonal


def _moved(
    fit: Fit,
    free: Float[np.ndarray, "p q"],
    lens_step: Float[np.ndarray, "q"],
    pose_step: Float[np.ndarray, "m 6"],
) -> Fit:
    return replace(
        fit,
        values=fit.values + free @ lens_step,
        rotations=rotations_of(pose_step[:, :3]) @ fit.rotations,
        translations=fit.translations + pose_step[:, 3:],
    )


def rotations_of(vectors: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, "m 3 3"]:
    """Rotations by axis times angle in radians."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_rotvec(vectors).as_matrix())


def _cost(fit: Fit, sightings: Sightings) -> float:
    """Sum of squares; infinite where a corner with weight is out of the lens's sight."""
    misses = (fit.residuals_px(sightings) ** 2).sum(axis=1)
    cost = float((misses * sightings.weight).sum())
    return cost if np.isfinite(cost) else np.inf
