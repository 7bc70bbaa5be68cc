"""Least squares with a few unknowns that all groups share and some that each has of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from recon3d.run.task import Task

T = TypeVar("T")

_ROUNDS = 60
_DAMPING = 1e-3
_MOST_DAMPING = 1e10
# Of the sum of squares; far below what any error bar notices.
_CONVERGED = 1e-9


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
        onto = self.both @ np.linalg.pinv(_damped(self.own, damping), hermitian=True)
        schur = _damped(self.shared, damping) - onto @ self.both.transpose(0, 2, 1)
        return schur, self.shared_pull - np.einsum("mqi,mi->mq", onto, self.own_pull)

    def step(self, damping: float) -> tuple[Float[np.ndarray, "q"], Float[np.ndarray, "m k"]]:
        """Of the shared unknowns and of each group's."""
        schur, pull = self.reduced(damping)
        shared_step = -np.linalg.pinv(schur.sum(axis=0), hermitian=True) @ pull.sum(axis=0)
        rest = self.own_pull + np.einsum("mqi,q->mi", self.both, shared_step)
        own_step = -np.linalg.solve(_damped(self.own, damping), rest[..., None])[..., 0]
        return shared_step, own_step


def descend(
    start: T,
    cost_of: Callable[[T], float],
    equations_of: Callable[[T], NormalEquations],
    moved: Callable[[T, Float[np.ndarray, "q"], Float[np.ndarray, "m k"]], T],
    task: Task,
) -> T:
    """Levenberg-Marquardt until the sum of squares stays.

    Raises:
        Cancelled: the task was stopped; many photos and a rich lens take seconds.
    """
    best, cost, damping = start, cost_of(start), _DAMPING
    for _ in range(_ROUNDS):
        task.check()
        equations = equations_of(best)
        gained = 0.0
        while damping < _MOST_DAMPING:
            trial = moved(best, *equations.step(damping))
            new_cost = cost_of(trial)
            if new_cost < cost:
                gained, best, cost = (cost - new_cost) / cost, trial, new_cost
                damping = max(damping / 10, 1e-12)
                break
            damping *= 10
        if gained < _CONVERGED:
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
    total, count = schur.sum(axis=0), len(schur)
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
    jackknife = (count - 1) / count * left_out.T @ left_out
    grow = np.sqrt(np.maximum(np.diag(jackknife) / np.diag(classic), 1.0))
    return np.asarray(classic * np.outer(grow, grow))


def _damped(blocks: Float[np.ndarray, "m k k"], damping: float) -> Float[np.ndarray, "m k k"]:
    on_diagonal = np.eye(blocks.shape[1]) * np.diagonal(blocks, axis1=1, axis2=2)[:, None]
    return blocks + damping * on_diagonal
