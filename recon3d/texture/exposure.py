"""One gain per photo and colour channel, so that photos agree on the colours of what they share."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32

from recon3d.texture.sight import Candidates

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
_MIN_DISAGREEMENT = 28.0
"""Steps of 255 by which a photo must differ from the others to be called an outlier."""
_DEVIATIONS = 3.5
_RIM_FACES = 2


def solve_gains(found: Candidates, views: int) -> Float32[np.ndarray, "v 3"]:
    """Factors for each photo's red, green and blue; their mean is about 1.

    Least squares over logarithms of the colours of faces that several photos see (Brown and Lowe
    2007, section 6), reweighted so that shadows, gloss and passers-by do not count.
    """
    seen = np.flatnonzero((found.view >= 0).sum(1) > 1)
    seen = seen[:: max(1, len(seen) // _SAMPLES)]
    view, rgb = found.view[seen], found.rgb[seen]
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
    log: Float[np.ndarray, "n k"], view: np.ndarray, good: np.ndarray, views: int
) -> Float[np.ndarray, "v"]:
    gain = np.zeros(views)
    for _ in range(_ROUNDS):
        level = log + gain[view]
        typical = np.nanmedian(np.where(good, level, np.nan), axis=1, keepdims=True)
        weight = np.where(good, 1 / (1 + ((level - typical) / _OUTLIER) ** 2), 0.0)
        total = np.maximum(weight.sum(1), 1e-12)
        matrix = np.zeros((views, views))
        right = np.zeros(views)
        # Each face's own colour is unknown; eliminating it leaves the photos' gains.
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


def find_outliers(
    found: Candidates,
    gains: Float32[np.ndarray, "v 3"],
    neighbours: Int32[np.ndarray, "f 3"],
) -> Bool[np.ndarray, "f k"]:
    """Photos whose colour of a face the others contradict; it takes three to tell who is wrong.

    They show something that stood before the surface, a passer-by, a highlight or a shadow. Its
    rim looks half right, so the same photo's neighbouring faces go with it.
    """
    there = found.view >= 0
    out = np.zeros(there.shape, bool)
    asked = np.flatnonzero(there.sum(1) >= 3)
    for rows in np.array_split(asked, max(1, len(asked) // 200_000)):
        colour = found.rgb[rows] * gains[found.view[rows]]
        colour[~there[rows]] = np.nan
        away = np.abs(colour - np.nanmedian(colour, axis=1, keepdims=True)).max(2)
        deviation = 1.4826 * np.nanmedian(away, axis=1, keepdims=True)
        out[rows] = away > np.maximum(_MIN_DISAGREEMENT, _DEVIATIONS * deviation)
    enough = there.sum(1) >= 3
    for _ in range(_RIM_FACES):
        face, slot = np.nonzero(out)
        for side in range(3):
            beside = neighbours[face, side]
            same = (found.view[beside] == found.view[face, slot][:, None]) & there[beside]
            same &= ((beside >= 0) & enough[beside])[:, None]
            row, theirs = np.nonzero(same)
            out[beside[row], theirs] = True
    # A face on which every photo is called wrong keeps them all.
    out[out.sum(1) == there.sum(1)] = False
    return out
