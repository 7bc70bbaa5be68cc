"""Which photos show something else than the surface: a passer-by, a highlight, a shadow."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, Int32

from recon3d.texture.sight import Candidates

_MIN_DISAGREEMENT = 28.0
"""Steps of 255 by which a photo must differ from the others to be called an outlier."""
_DEVIATIONS = 3.5
_RIM_FACES = 2


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
