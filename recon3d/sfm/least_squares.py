"""Least squares with a few unknowns that all groups share and some that each has of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from jaxtyping import Float

from recon3d.run.task import Task

T = TypeVar("T")

# The median distance of a Gaussian cloud in the plane, in its standard deviations.
_MEDIAN_DISTANCE = 1.1774


@dataclass(frozen=True, kw_only=True)
class Patience:
    """When `descend` stops."""

    rounds: int = 60
    damping: float = 1e-3
    """At the start, as a share of the equations' diagonal."""
    most_damping: float = 1e10
    converged: float = 1e-9
    """A gain of less of the sum of squares is none; far below what any error bar notices."""
    rounds_converged: int = 1
    """So many rounds in a row without a gain are the end."""


class Equations(Protocol):
    """What can say how to go on from where it was made."""

    def step(self, damping: float) -> tuple[np.ndarray, np.ndarray]:
        """Of the shared unknowns, and of each group's own."""


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Group by group; what a group has of its own meets no other group's."""

    shared: Float[np.ndarray, "m q q"]
    both: Float[np.ndarray, "m q k"]
    own: Float[np.ndarray, "m k k"]
    shared_pull: Float[np.ndarray, "m q"]
    own_pull: Float[np.ndarray, "m k"]

    @staticmethod
    def of_rows(
        slopes: Float[np.ndarray, "n d j"],
        misses: Float[np.ndarray, "n d"],
        shared: int,
        groups: Sequence[slice],
    ) -> NormalEquations:
        """From weighted derivatives, whose first `shared` columns are of the shared unknowns."""
        normal = np.empty((len(groups),) + (slopes.shape[2],) * 2)
        pull = np.empty(normal.shape[:2])
        for index, rows in enumerate(groups):
            flat = slopes[rows].reshape(-1, slopes.shape[2])
            normal[index] = flat.T @ flat
            pull[index] = flat.T @ misses[rows].ravel()
        q = shared
        return NormalEquations(
            normal[:, :q, :q], normal[:, :q, q:], normal[:, q:, q:], pull[:, :q], pull[:, q:]
        )

    def reduced(
        self, damping: float = 0.0
    ) -> tuple[Float[np.ndarray, "m q q"], Float[np.ndarray, "m q"]]:
        """Each group's share of the equations for the shared unknowns alone (Schur complement)."""
        onto = self.both @ np.linalg.pinv(damped(self.own, damping), hermitian=True)
        schur = damped(self.shared, damping) - onto @ self.both.transpose(0, 2, 1)
        return schur, self.shared_pull - np.einsum("mqi,mi->mq", onto, self.own_pull)

    def step(self, damping: float) -> tuple[Float[np.ndarray, "q"], Float[np.ndarray, "m k"]]:
        """Of the shared unknowns and of each group's."""
        schur, pull = self.reduced(damping)
        shared_step = -np.linalg.pinv(schur.sum(axis=0), hermitian=True) @ pull.sum(axis=0)
        rest = self.own_pull + np.einsum("mqi,q->mi", self.both, shared_step)
        own_step = -np.linalg.solve(damped(self.own, damping), rest[..., None])[..., 0]
        return shared_step, own_step


def descend(
    start: T,
    cost_of: Callable[[T], float],
    equations_of: Callable[[T], Equations],
    moved: Callable[[T, Float[np.ndarray, "q"], Float[np.ndarray, "m k"]], T],
    task: Task,
    patience: Patience | None = None,
) -> T:
    """Levenberg-Marquardt until the sum of squares stays.

    Raises:
        Cancelled: the task was stopped; many photos and a rich lens take seconds.
    """
    patience = patience or Patience()
    best, cost, damping, quiet = start, cost_of(start), patience.damping, 0
    for _ in range(patience.rounds):
        task.check()
        equations = equations_of(best)
        gained = 0.0
        while damping < patience.most_damping:
            trial = moved(best, *equations.step(damping))
            new_cost = cost_of(trial)
            if new_cost < cost:
                gained, best, cost = (cost - new_cost) / cost, trial, new_cost
                damping = max(damping / 10, 1e-12)
                break
            damping *= 10
        quiet = quiet + 1 if gained < patience.converged else 0
        if quiet == patience.rounds_converged or not gained:
            break
    return best


def covariance_of_shared(
    schur: Float[np.ndarray, "m q q"], pull: Float[np.ndarray, "m q"], noise: float
) -> Float[np.ndarray, "q q"]:
    """Infinite where an unknown is left open.

    The larger of two estimates: from the noise of single rows, and from how much the result
    moves when one group is left out (jackknife, one Newton step each). The second also sees what
    the rows of one group have in common.

    schur, pull: of `reduced` at the solution.
    """
    total = schur.sum(axis=0)
    try:
        classic = noise**2 * np.linalg.inv(total)
        left_out = np.stack(
            [
                np.linalg.solve(total - one, one_pull)
                for one, one_pull in zip(schur, pull, strict=True)
            ]
        )
    except np.linalg.LinAlgError:
        return np.full(total.shape, np.inf)
    return grown(classic, left_out)


def grown(
    classic: Float[np.ndarray, "q q"], left_out: Float[np.ndarray, "s q"]
) -> Float[np.ndarray, "q q"]:
    """A covariance, grown to the jackknife's where that is larger.

    left_out: how far the result moves without each of the groups.
    """
    count = len(left_out)
    jackknife = (count - 1) / count * left_out.T @ left_out
    grow = np.sqrt(np.maximum(np.diag(jackknife) / np.diag(classic), 1.0))
    return np.asarray(classic * np.outer(grow, grow))


def by_turn(
    turned: Float[np.ndarray, "n 3"], by_point: Float[np.ndarray, "n 2 3"]
) -> Float[np.ndarray, "n 2 3"]:
    """Slopes by a further turn of points R p: d(R p)/dw = -[R p]x, so a row g is (R p) x g."""
    return np.cross(turned[:, None], by_point)


def sum_of_squares(misses: Float[np.ndarray, "n 2"], weight: Float[np.ndarray, "n"]) -> float:
    """Weighted; infinite where a corner is out of a lens's sight."""
    cost = float(((misses**2).sum(axis=1) * weight).sum())
    return cost if np.isfinite(cost) else np.inf


def noise_left(cost: float, weight: Float[np.ndarray, "n"], unknowns: int) -> float:
    """Standard deviation of one coordinate of a corner, in pixels, from the sum of squares."""
    return float(np.sqrt(cost / max(2 * weight.sum() - unknowns, 1)))


def noise_of(misses_px: Float[np.ndarray, "n"]) -> float:
    """Standard deviation of one coordinate, whatever a few wrong ones say; never quite 0."""
    return max(float(np.median(misses_px)) / _MEDIAN_DISTANCE, 1e-6)


def damped(blocks: Float[np.ndarray, "m k k"], damping: float) -> Float[np.ndarray, "m k k"]:
    """With so much more on the diagonals (Marquardt, 1963)."""
    on_diagonal = np.eye(blocks.shape[1]) * np.diagonal(blocks, axis1=1, axis2=2)[:, None]
    return blocks + damping * on_diagonal
