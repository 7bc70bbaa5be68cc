"""Least squares over a rig's cameras, their lenses, and where the board was at each moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from recon3d.core.lens import LENSES, Lens, project, project_with_slopes
from recon3d.core.transform import Rigid, rotations_from_axis_angle
from recon3d.run.task import Task
from recon3d.sfm.least_squares import (
    NormalEquations,
    by_turn,
    covariance_of_shared,
    descend,
    noise_left,
    sum_of_squares,
)
from recon3d_calib.calibrate import Calibration
from recon3d_calib.rig_start import Placed
from recon3d_calib.start import free_values


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

    def first(self, moments: int) -> RigSightings:
        """Only so many moments."""
        keep = self.moment < moments
        return RigSightings(
            self.camera[keep],
            self.moment[keep],
            self.points_board[keep],
            self.points_px[keep],
            self.weight[keep],
        )

    @property
    def moments(self) -> list[slice]:
        """The rows of each moment."""
        edges = np.searchsorted(self.moment, np.arange(self.moment[-1] + 2)).tolist()
        return [slice(a, b) for a, b in pairwise(edges)]


@dataclass(frozen=True, eq=False)
class RigFit:
    """Where everything stands, in squares, and the lenses."""

    lenses: Sequence[Lens]
    values: Sequence[Float[np.ndarray, "p"]]
    """Of each lens: fx, fy, cx, cy in pixels, then the coefficients."""
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
            [LENSES[calibration.lens] for calibration in cameras],
            [np.array([*calibration.values.values()]) for calibration in cameras],
            np.stack([each.rotation for each in cam_from_first]),
            np.stack([each.translation for each in cam_from_first]),
            np.stack([each.rotation for each in boards]),
            np.stack([each.translation for each in boards]),
        )

    @property
    def cam_from_first(self) -> list[Rigid]:
        """Of each camera, in squares."""
        return [Rigid(turn, shift) for turn, shift in zip(self.turns, self.shifts, strict=True)]

    def with_moments(self, placed: Sequence[Placed]) -> RigFit:
        """With more moments at the end."""
        boards = [each.first_from_board for each in placed]
        turns = np.array([board.rotation for board in boards]).reshape(-1, 3, 3)
        shifts = np.array([board.translation for board in boards]).reshape(-1, 3)
        return replace(
            self,
            board_turns=np.concatenate([self.board_turns, turns]),
            board_shifts=np.concatenate([self.board_shifts, shifts]),
        )

    @property
    def places(self) -> int:
        """Unknowns of the cameras' places."""
        return 6 * (len(self.lenses) - 1)

    def residuals_px(self, sightings: RigSightings) -> Float[np.ndarray, "n 2"]:
        """Where the corners should be, minus where they were seen."""
        _, points_cam = self._points(sightings)
        shown = np.empty((len(points_cam), 2))
        for camera, (lens, values) in enumerate(zip(self.lenses, self.values, strict=True)):
            rows = sightings.camera == camera
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
        starts = self.places + np.cumsum([0, *map(len, self.values)])
        slopes = np.zeros((len(turned), 2, int(starts[-1]) + 6))
        for camera, (lens, values) in enumerate(zip(self.lenses, self.values, strict=True)):
            rows = np.flatnonzero(sightings.camera == camera)
            _, by_values, by_point = project_with_slopes(lens, values, points_cam[rows])
            slopes[rows, :, starts[camera] : starts[camera + 1]] = by_values
            if camera:
                around = points_cam[rows] - self.shifts[camera]
                slopes[rows, :, 6 * camera - 6 : 6 * camera - 3] = by_turn(around, by_point)
                slopes[rows, :, 6 * camera - 3 : 6 * camera] = by_point
            by_first = by_point @ self.turns[camera]
            slopes[rows, :, -6:-3] = by_turn(turned[rows], by_first)
            slopes[rows, :, -3:] = by_first
        return slopes


def free_lenses(cameras: Sequence[Calibration]) -> Float[np.ndarray, "s f"]:
    """How all values of all lenses move with what is searched."""
    from scipy.linalg import block_diag

    return np.asarray(block_diag(*[free_values(LENSES[c.lens], c.sharing).values for c in cameras]))


def adjust_rig(
    fit: RigFit,
    sightings: RigSightings,
    task: Task,
    free: Float[np.ndarray, "s f"] | None = None,
) -> RigFit:
    """The least sum of weighted squares; without `free` the lenses stay as they are."""
    if free is None:
        free = np.empty((sum(map(len, fit.values)), 0))
    return descend(
        fit,
        lambda trial: _cost(trial, sightings),
        lambda trial: _equations(trial, sightings, free),
        lambda trial, *steps: _moved(trial, free, *steps),
        task,
    )


def rig_covariance(
    fit: RigFit,
    sightings: RigSightings,
    free: Float[np.ndarray, "s f"],
    overlooked: Float[np.ndarray, "s"],
) -> tuple[Float[np.ndarray, "q q"], Float[np.ndarray, "s s"]]:
    """Of the places of all cameras but the first, in squares, and of the lenses' values.

    In the order of `RigFit.slopes`. From the noise of the corners or from leaving moments out;
    infinite where the photos leave something open.

    overlooked: what a bend of the board that was left aside would change of the lenses' values;
        the places would follow.
    """
    schur, pull = _equations(fit, sightings, free).reduced()
    unknowns = fit.places + free.shape[1] + 6 * len(fit.board_turns)
    noise = noise_left(_cost(fit, sightings), sightings.weight, unknowns)
    spread = covariance_of_shared(schur, pull, noise)
    places, lenses = spread[: fit.places, : fit.places], spread[fit.places :, fit.places :]
    if not np.isfinite(spread).all():
        return np.full(places.shape, np.inf), np.full((len(free),) * 2, np.inf)
    total = schur.sum(axis=0)
    follow = -np.linalg.solve(total[: fit.places, : fit.places], total[: fit.places, fit.places :])
    change = follow @ np.linalg.pinv(free) @ overlooked
    return (
        places + np.outer(change, change),
        free @ lenses @ free.T + np.outer(overlooked, overlooked),
    )


def _equations(
    fit: RigFit, sightings: RigSightings, free: Float[np.ndarray, "s f"]
) -> NormalEquations:
    by_places, by_lenses, own = np.split(fit.slopes(sightings), [fit.places, -6], axis=2)
    weight = np.sqrt(sightings.weight)[:, None]
    return NormalEquations.of_rows(
        np.concatenate([by_places, by_lenses @ free, own], axis=2) * weight[:, None],
        fit.residuals_px(sightings) * weight,
        fit.places + free.shape[1],
        sightings.moments,
    )


def _moved(
    fit: RigFit,
    free: Float[np.ndarray, "s f"],
    shared: Float[np.ndarray, "q"],
    boards: Float[np.ndarray, "m 6"],
) -> RigFit:
    # The first camera is where the others are measured from.
    cameras = np.concatenate([np.zeros((1, 6)), shared[: fit.places].reshape(-1, 6)])
    values = np.concatenate([*fit.values]) + free @ shared[fit.places :]
    return replace(
        fit,
        values=np.split(values, np.cumsum([len(each) for each in fit.values])[:-1]),
        turns=rotations_from_axis_angle(cameras[:, :3]) @ fit.turns,
        shifts=fit.shifts + cameras[:, 3:],
        board_turns=rotations_from_axis_angle(boards[:, :3]) @ fit.board_turns,
        board_shifts=fit.board_shifts + boards[:, 3:],
    )


def _cost(fit: RigFit, sightings: RigSightings) -> float:
    return sum_of_squares(fit.residuals_px(sightings), sightings.weight)
