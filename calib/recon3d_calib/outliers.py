"""Corners and photos that do not fit the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from recon3d.core.lens import LENSES, LensName
from recon3d.run.task import Task
from recon3d.sfm.least_squares import noise_of
from recon3d_calib.adjust import Fit, Sightings, adjust
from recon3d_calib.noise import soft_weights, stands_out
from recon3d_calib.start import Sharing, free_values
from recon3d_calib.usable import FEWEST_PHOTOS

_ROUNDS = 4
# Of Gaussian corners fewer than one in 100 000 lie so far off.
_MOST_SIGMAS = 5.0
_FEWEST_CORNERS = 6


def drop_outliers(
    start: Mapping[LensName, Fit],
    sightings: Sightings,
    ids: Sequence[str],
    lenses: Sequence[LensName],
    verdicts: dict[str, str],
    sharing: Sharing,
    task: Task,
) -> tuple[dict[LensName, Fit], Sightings, list[str]]:
    """Fit the lenses, without the corners and photos that no lens explains.

    A corner that is far off counts less and less (Cauchy weights), then nothing. What is far off
    is judged with the lens that fits best, so that a simple lens does not make outliers of the
    corners that it cannot bend to.

    Returns:
        The fits, the sightings that are left (outliers with weight 0), and their photos.

    Raises:
        Cancelled: the task was stopped.
    """
    ids = list(ids)
    fits = dict(start)
    for _ in range(_ROUNDS):
        fits = fit_lenses(fits, sightings, lenses, sharing, task)
        best = min(fits.values(), key=lambda fit: _typical_miss(fit, sightings))
        misses = np.linalg.norm(best.residuals_px(sightings), axis=1)
        sharper = adjust(
            best,
            replace(sightings, weight=soft_weights(misses)),
            free_values(best.lens, sharing),
            task,
        )
        misses = np.linalg.norm(sharper.residuals_px(sightings), axis=1)
        keep = misses < _MOST_SIGMAS * noise_of(misses)
        typical = np.array([np.median(misses[rows]) for rows in sightings.photos])
        usual = float(np.median(typical))
        few = np.array([keep[rows].sum() < _FEWEST_CORNERS for rows in sightings.photos])
        bad = np.array([stands_out(px, usual) for px in typical.tolist()])
        out = bad | few
        if (~out).sum() < FEWEST_PHOTOS:
            out[:] = False
        for index in np.flatnonzero(out):
            times = typical[index] / usual
            verdicts[ids[index]] = (
                f"its corners lie {typical[index]:.1f} px off, {times:.0f} times as far as in "
                "other photos: blurred, or the board was bent or is counted wrongly"
            )
        same = not out.any() and np.array_equal(keep, sightings.weight > 0)
        good = np.flatnonzero(~out)
        sightings = replace(sightings, weight=keep.astype(np.float64)).of_photos(good)
        fits = {name: fit.of_photos(good) for name, fit in fits.items()}
        ids = [ids[index] for index in good]
        if same:
            break
    return fit_lenses(fits, sightings, lenses, sharing, task), sightings, ids


def fit_lenses(
    fits: Mapping[LensName, Fit],
    sightings: Sightings,
    lenses: Sequence[LensName],
    sharing: Sharing,
    task: Task,
) -> dict[LensName, Fit]:
    """Every lens, each starting from its own solution or from the simpler lens's."""
    wanted = set(lenses)
    for name in lenses:
        before = LENSES[name].starts_from
        while before:
            wanted.add(before)
            before = LENSES[before].starts_from
    solved: dict[LensName, Fit] = {}
    for name, lens in LENSES.items():
        if name not in wanted:
            continue
        begin = fits.get(name)
        if begin is None and lens.starts_from in solved:
            simpler = solved[lens.starts_from]
            values = np.zeros(4 + len(lens.coefficients))
            values[: len(simpler.values)] = simpler.values
            begin = replace(simpler, lens=lens, values=values)
        if begin is not None:
            solved[name] = adjust(begin, sightings, free_values(lens, sharing), task)
    return solved


def _typical_miss(fit: Fit, sightings: Sightings) -> float:
    misses = np.linalg.norm(fit.residuals_px(sightings), axis=1)
    return float(np.median(np.nan_to_num(misses, nan=np.inf)))
