"""One gain per photo and colour channel, so that photos agree on the colours of what they share."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, Integer, UInt8

_SAMPLES = 60_000
_ROUNDS = 6
_DARK, _BRIGHT = 12, 245
"""Colours beyond these say nothing about exposure: noise, or cut off."""
_OUTLIER = 0.1
"""Of the logarithm of colour: a difference of this size counts half (Geman and McClure 1987)."""
_PRIOR = 0.02
"""Weight of "no gain", as a share of a photo's samples and of a usual photo's: a chain of photos
must not drift, and one with a few samples not take their colour."""
_LIMIT = np.log(2.5)


def solve_gains(
    view: Integer[np.ndarray, "n k"], rgb: UInt8[np.ndarray, "n k 3"], views: int
) -> Float32[np.ndarray, "v 3"]:
    """Factors for each photo's red, green and blue; their mean is about 1.

    Least squares over logarithms of the colours of places that several photos see (Brown and Lowe
    2007, section 6), reweighted so that shadows, gloss and passers-by do not count.

    Args:
        view: Of each place the photos that see it, -1 where there are fewer.
        rgb: Its colour in each of them.
        views: How many photos there are.
    """
    seen = np.flatnonzero((view >= 0).sum(1) > 1)
    seen = seen[:: max(1, len(seen) // _SAMPLES)]
    view, rgb = view[seen], rgb[seen]
    good = (view >= 0) & (rgb.min(2) > _DARK) & (rgb.max(2) < _BRIGHT)
    enough = good.sum(1) > 1
    view, rgb, good = view[enough], rgb[enough], good[enough]
    gains = np.ones((views, 3), np.float32)
    if not good.any():
        return gains
    index = np.where(good, view, 0).astype(np.int64)
    for channel in range(3):
        log = np.log(np.maximum(rgb[..., channel], 1).astype(np.float64))
        gains[:, channel] = np.exp(_solve_channel(log, index, good, views))
    return gains


def _solve_channel(
    log: Float[np.ndarray, "n k"],
    view: Int64[np.ndarray, "n k"],
    good: Bool[np.ndarray, "n k"],
    views: int,
) -> Float[np.ndarray, "v"]:
    gain = np.zeros(views)
    for _ in range(_ROUNDS):
        level = log + gain[view]
        typical = np.nanmedian(np.where(good, level, np.nan), axis=1, keepdims=True)
        weight = np.where(good, 1 / (1 + ((level - typical) / _OUTLIER) ** 2), 0.0)
        total = np.maximum(weight.sum(1), 1e-12)
        matrix = np.zeros((views, views))
        right = np.zeros(views)
        # Each place's own colour is unknown; eliminating it leaves the photos' gains.
        mean = (weight * log).sum(1) / total
        for a in range(view.shape[1]):
            right += np.bincount(view[:, a], weight[:, a] * (mean - log[:, a]), views)
            matrix += np.diag(np.bincount(view[:, a], weight[:, a], views))
            for b in range(view.shape[1]):
                pair = np.bincount(
                    view[:, a] * views + view[:, b], weight[:, a] * weight[:, b] / total, views**2
                )
                matrix -= pair.reshape(views, views)
        samples = np.bincount(view.ravel(), weight.ravel(), views)
        prior = _PRIOR * (samples + samples.mean())
        gain = np.clip(np.linalg.solve(matrix + np.diag(prior), right), -_LIMIT, _LIMIT)
    return gain
