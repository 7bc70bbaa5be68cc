"""Is the board flat, and if not, by how much?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recon3d.run.task import Task
from recon3d_calib.adjust import Fit, Freedom, Sightings, adjust, bow_covariance
from recon3d_calib.board import Board

# Of chi-squared with three degrees of freedom: noise alone exceeds it once in 100 000 times.
_SURELY = 25.9
# Of the board's longer side. As much moves the focal length by 1 %; below, a lens that other
# programs would find, too, is worth more than the last bit of truth.
_MATTERS = 0.003


@dataclass(frozen=True, eq=False)
class Bend:
    """How a board stands out of its plane."""

    height: float
    """Between its lowest and its highest corner, in squares."""
    sure: bool
    """It is no noise."""
    matters: bool
    """It is sure, and too large to be left aside."""
    fit: Fit
    """The lens if the bend is taken into account."""


def bend_of_board(board: Board, fit: Fit, sightings: Sightings, free: Freedom, task: Task) -> Bend:
    """What the photos say of the board's shape, as a polynomial of the second degree.

    Warped wood and paper that came loose are smooth; what is finer moves the lens less. A board
    of which every photo is taken for flat shifts the focal length far beyond its error bars, and
    leaving out photos does not show it, because all of them show the same board (as Strobl and
    Hirzinger 2011 found).
    """
    may_bend = replace(free, bow=True)
    bent = adjust(fit, sightings, may_bend, task)
    spread = bow_covariance(bent, sightings, may_bend)
    if not np.isfinite(spread).all():
        return Bend(0.0, sure=False, matters=False, fit=fit)
    x, y = (board.points - board.points.mean(axis=0)).T
    heights = np.stack([x * x, x * y, y * y], axis=1) @ bent.bow
    plane = np.stack([x, y, np.ones_like(x)], axis=1)
    heights -= plane @ np.linalg.lstsq(plane, heights, rcond=None)[0]
    height = float(np.ptp(heights))
    sure = float(bent.bow @ np.linalg.solve(spread, bent.bow)) > _SURELY
    longer = float(np.ptp(board.points, axis=0).max())
    return Bend(height, sure=sure, matters=sure and height > _MATTERS * longer, fit=bent)
