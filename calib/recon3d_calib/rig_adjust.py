"""Least squares over where a rig's cameras stand and where the board was at each moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.transform import Rigid
from recon3d.run.task import Task
from recon3d_calib.adjust import rotations_of
from recon3d_calib.calibrate import Calibration
from recon3d_calib.lens import LENSES, project, project_with_slopes
from recon3d_calib.normal_equations import NormalEquations, covariance_of_shared, descend
from recon3d_calib.rig_start import Placed


@dataclass(frozen=True, eq=False)
class RigSightings:
    """Every corner in every photo of a rig, ordered by moment."""

    camera: Int[np.ndarray, "n"]
    moment: Int[np.ndarray, "n"]
    points_board: Float[np.ndarray, "n 3"]
    points_px: Float[np.ndarray, "n 2"]
    weight: Float[np.ndarray, "n"]

    @staticmethod
    def of(placed: Sequence[Placed]) -> RigSightings:
        """All corners in one table; the moments are numbered as they come."""
        views = [(index, view) for index, each in enumerate(placed) for view in each.views]
        counts = [len(view.points_px) for _, view in views]
        return RigSightings(
            np.repeat([view.camera for _, view in views], counts),
            np.repeat([index for index, _ in views], counts),
            np.concatenate([view.points_board for _, view in views]),
            np.concatenate([view.points_px for _, view in views]),
            np.ones(sum(counts)),
        )

    @property
    def moments(self) -> list[slice]:
        """The rows of each moment."""
        edges = np.searchsorted(self.moment, np.arange(self.moment[-1] + 2)).tolist()
        return [slice(a, b) for a, b in pairwise(edges)]


@dataclass(frozen=True, eq=False)
class RigFit:
    """Where everything stands, in squares; the lenses stay as they were calibrated."""

    cameras: Sequence[Calibration]
    turns: Float[np.ndarray, "c 3 3"]
    """cam_from_first of each camera; the first stays where it is."""
    shifts: Float[np.ndarray, "c 3"]
    board_turns: Float[np.ndarray, "m 3 3"]
    """first_from_board at each moment."""
    board_shifts: Float[np.ndarray, "m 3"]

    @staticmethod
    def of(
        cameras: Sequence[Calibration], cam_from_first: Sequence[Rigid], boards: Sequence[Rigid]
    ) -> RigFit:
        """From transforms in squares."""
        return RigFit(
            cameras,
            np.stack([each.rotation for each in cam_from_first]),
            np.stack([each.translation for each in cam_from_first]),
            np.stack([each.rotation for each in boards]),
            np.stack([each.translation for each in boards]),
        )

    @property
    def cam_from_first(self) -> list[Rigid]:
        """Of each camera, in squares."""
        return [Rigid(turn, shift) for turn, shift in zip(self.turns, self.shifts, strict=True)]

    def residuals_px(self, sightings: RigSightings) -> Float[np.ndarray, "n 2"]:
        """Where the corners should be, minus where they were seen."""
        _, points_cam = self._points(sightings)
        shown = np.empty((len(points_cam), 2))
        for camera, calibration in enumerate(self.cameras):
            rows = sightings.camera == camera
            lens, values = LENSES[calibration.lens], _values(calibration)
            shown[rows] = project(lens, values, points_cam[rows])
        return shown - sightings.points_px

    def _points(
        self, sightings: RigSightings
    ) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
        """The corners turned like the board, and in their own camera's frame."""
        moment, camera = sightings.moment, sightings.camera
        turned = np.einsum("nij,nj->ni", self.board_turns[moment], sightings.points_board)
        points_first = turned + self.board_shifts[moment]
        points_cam = np.einsum("nij,nj->ni", self.turns[camera], points_first)
        return turned, points_cam + self.shifts[camera]

    def slopes(self, sightings: RigSightings) -> Float[np.ndarray, "n 2 j"]:
        """Derivatives of the residuals by the cameras' places, the lenses, and the board's place.

        Six columns for each camera but the first, then all values of all lenses in their order,
        then six of the moment's own; turns are left ones, before shifts.
        """
        turned, points_cam = self._points(sightings)
        sizes = [len(calibration.values) for calibration in self.cameras]
        places = 6 * (len(self.cameras) - 1)
        starts = places + np.cumsum([0, *sizes])
        slopes = np.zeros((len(turned), 2, int(starts[-1]) + 6))
        for camera, calibration in enumerate(self.cameras):
            rows = np.flatnonzero(sightings.camera == camera)
            lens, values = LENSES[calibration.lens], _values(calibration)
            _, by_values, by_point = project_with_slopes(lens, values, points_cam[rows])
            slopes[rows, :, starts[camera] : starts[camera + 1]] = by_values
            if camera:
                around = points_cam[rows] - self.shifts[camera]
                slopes[rows, :, 6 * camera - 6 : 6 * camera - 3] = _by_turn(around, by_point)
                slopes[rows, :, 6 * camera - 3 : 6 * camera] = by_point
            by_first = by_point @ self.turns[camera]
            slopes[rows, :, -6:-3] = _by_turn(turned[rows], by_first)
            slopes[rows, :, -3:] = by_first
        return slopes


def _by_turn(
    points: Float[np.ndarray, "n 3"], by_point: Float[np.ndarray, "n 2 3"]
) -> Float[np.ndarray, "n 2 3"]:
    """d(R p)/dw = -[R p]x, so a row g becomes (R p) x g."""
    return np.cross(points[:, None], by_point)


def adjust_rig(fit: RigFit, sightings: RigSightings, task: Task) -> RigFit:
    """The least sum of weighted squares."""
    return descend(
        fit,
        lambda trial: _cost(trial, sightings),
        lambda trial: _equations(trial, sightings, lenses=False),
        _moved,
        task,
    )


def rig_covariance(fit: RigFit, sightings: RigSightings) -> Float[np.ndarray, "q q"]:
    """Of the places of all cameras but the first, in the order of `RigFit.slopes`, in squares.

    From the noise of the corners or from leaving moments out, and from how sure the lenses are:
    what their values move, the places follow. Infinite where a lens is left open.
    """
    places = 6 * (len(fit.cameras) - 1)
    schur, pull = _equations(fit, sightings, lenses=True).reduced()
    unknowns = places + 6 * len(fit.board_turns)
    spare = 2 * sightings.weight.sum() - unknowns
    noise = float(np.sqrt(_cost(fit, sightings) / max(spare, 1)))
    spread = covariance_of_shared(schur[:, :places, :places], pull[:, :places], noise)
    lenses = _block_diagonal([calibration.covariance for calibration in fit.cameras])
    if not (np.isfinite(spread).all() and np.isfinite(lenses).all()):
        return np.full(spread.shape, np.inf)
    total = schur.sum(axis=0)
    follow = -np.linalg.solve(total[:places, :places], total[:places, places:])
    return spread + follow @ lenses @ follow.T


def _equations(fit: RigFit, sightings: RigSightings, *, lenses: bool) -> NormalEquations:
    slopes = fit.slopes(sightings)
    places = 6 * (len(fit.cameras) - 1)
    shared = slopes.shape[2] - 6
    if not lenses:
        slopes, shared = np.delete(slopes, np.s_[places:shared], axis=2), places
    weight = np.sqrt(sightings.weight)[:, None]
    return NormalEquations.of_rows(
        slopes * weight[:, None],
        fit.residuals_px(sightings) * weight,
        shared,
        sightings.moments,
    )


def _moved(fit: RigFit, places: Float[np.ndarray, "q"], boards: Float[np.ndarray, "m 6"]) -> RigFit:
    # The first camera is where the others are measured from.
    cameras = np.concatenate([np.zeros((1, 6)), places.reshape(-1, 6)])
    return replace(
        fit,
        turns=rotations_of(cameras[:, :3]) @ fit.turns,
        shifts=fit.shifts + cameras[:, 3:],
        board_turns=rotations_of(boards[:, :3]) @ fit.board_turns,
        board_shifts=fit.board_shifts + boards[:, 3:],
    )


def _cost(fit: RigFit, sightings: RigSightings) -> float:
    """Sum of squares; infinite where a corner is out of a lens's sight."""
    misses = (fit.residuals_px(sightings) ** 2).sum(axis=1)
    cost = float((misses * sightings.weight).sum())
    return cost if np.isfinite(cost) else np.inf


def _block_diagonal(blocks: Sequence[Float[np.ndarray, "p p"]]) -> Float[np.ndarray, "s s"]:
    from scipy.linalg import block_diag

    return np.asarray(block_diag(*blocks))


def _values(calibration: Calibration) -> Float[np.ndarray, "p"]:
    return np.array([*calibration.values.values()])
