"""How far depth maps are from the truth.

By Eigen et al., "Depth map prediction from a single image using a multi-scale deep network",
NeurIPS 2014. All maps of a set count as one; they are asked for one after the other, so that many
photos need no more memory than few.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class DepthErrors:
    """How far depth is from the truth; NaN where there is nothing to measure."""

    abs_rel: float
    """Mean of |depth - truth| / truth over pixels where both are known."""
    within_105: float
    """Share of those pixels with max(depth / truth, truth / depth) < 1.05."""
    within_125: float
    """The same below 1.25: Eigen's delta."""
    coverage: float
    """Share of the true pixels that have a depth at all."""
    all_within_5_percent: float
    """Share of all true pixels with |depth - truth| < 5 % of the truth; a hole is a miss."""


@dataclass(frozen=True)
class ConfidenceBin:
    """Pixels to which an estimator gave about the same confidence."""

    stated: float
    """Their mean confidence."""
    within_2_percent: float
    """Share of them with |depth - truth| < 2 % of the truth."""
    within_5_percent: float
    pixels: float
    """Share of all pixels that have a depth."""


def depth_errors(
    maps: Iterable[tuple[Float[np.ndarray, "*n"], Float[np.ndarray, "*n"]]],
) -> DepthErrors:
    """Compare pairs of depth_z and true depth_z in one unit; 0 is unknown on both sides."""
    known, both, relative_sum = 0, 0, 0.0
    counts = np.zeros(3, np.int64)
    for depth_z, truth_z in maps:
        true = truth_z > 0
        common = true & (depth_z > 0)
        depth, truth = depth_z[common].astype(np.float64), truth_z[common].astype(np.float64)
        ratio = np.maximum(depth / truth, truth / depth)
        relative = np.abs(depth - truth) / truth
        known += int(true.sum())
        both += len(depth)
        relative_sum += float(relative.sum())
        counts += [(ratio < 1.05).sum(), (ratio < 1.25).sum(), (relative < 0.05).sum()]
    within_105, within_125, right = counts.tolist()
    return DepthErrors(
        _share(relative_sum, both),
        _share(within_105, both),
        _share(within_125, both),
        _share(both, known),
        _share(right, known),
    )


def confidence_bins(
    maps: Iterable[
        tuple[Float[np.ndarray, "*n"], Float[np.ndarray, "*n"], Float[np.ndarray, "*n"]]
    ],
    bins: int = 5,
) -> tuple[ConfidenceBin, ...]:
    """Whether confidence means what it says, by equal intervals of it; empty ones are left out.

    Args:
        maps: Depth and truth in the same unit, and confidence; pixels where depth or truth is 0
            do not count.
        bins: How many intervals.
    """
    # Of each interval: pixels, sum of their confidence, within 2 %, within 5 %.
    sums = np.zeros((4, bins))
    for depth_z, truth_z, confidence in maps:
        known = (depth_z > 0) & (truth_z > 0)
        stated = confidence[known]
        error = np.abs(depth_z[known] / truth_z[known] - 1)
        index = np.clip((stated * bins).astype(int), 0, bins - 1)
        for row, weights in enumerate((None, stated, error < 0.02, error < 0.05)):
            sums[row] += np.bincount(index, weights, bins)
    total = sums[0].sum()
    return tuple(
        ConfidenceBin(stated / count, within_2 / count, within_5 / count, count / total)
        for count, stated, within_2, within_5 in sums.T.tolist()
        if count
    )


def _share(part: float, whole: int) -> float:
    return part / whole if whole else float("nan")
