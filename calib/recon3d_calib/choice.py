"""Which lens model: the simplest one that predicts photos it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from recon3d.core.lens import LENSES, LensName, folds_over, intrinsics_of
from recon3d.run.task import Task
from recon3d_calib.adjust import Fit, Freedom, Sightings, adjust
from recon3d_calib.start import Sharing, free_values

CHOSEN_FROM: tuple[LensName, ...] = (
    "pinhole", "radial1", "radial2", "brown", "fisheye", "rational",
)  # fmt: skip
"""From simple to complicated. Few programs read the others, so one must ask for them."""

_FOLDS = 5
# A better model must be better by more than chance would make it.
_MOST_STANDARD_ERRORS = 1.0


@dataclass(frozen=True)
class Trial:
    """How well a lens model did."""

    lens: LensName
    rms_px: float
    """On the photos that it was fitted to."""
    held_out_px: float
    """On photos that it was not fitted to."""
    note: str = ""
    """Why it was not chosen."""
    chosen: bool = False


def choose_lens(
    fits: Mapping[LensName, Fit],
    sightings: Sightings,
    size: tuple[int, int],
    task: Task,
    sharing: Sharing,
) -> tuple[Trial, ...]:
    """Cross-validate over photos; one of the trials is the chosen one.

    Raises:
        Cancelled: the task was stopped.
    """
    names = [name for name in CHOSEN_FROM if name in fits] or [*fits]
    errors: dict[LensName, Float[np.ndarray, "m"]] = {}
    for name in names:
        free = free_values(LENSES[name], sharing)
        errors[name] = _held_out_errors(fits[name], sightings, free, task)
    folded = {
        name
        for name in names
        if folds_over(LENSES[name], intrinsics_of(LENSES[name], fits[name].values, *size))
    }
    allowed = [name for name in names if name not in folded] or names
    best = min(allowed, key=lambda name: errors[name].mean())
    chosen = next(name for name in allowed if _as_good(errors[name], errors[best]))
    trials = []
    for name in names:
        note = "" if name == chosen else "it predicts other photos worse"
        if name in folded and name != chosen:
            note = "it maps two directions to one pixel within the photo"
        elif name != chosen and _as_good(errors[name], errors[chosen]):
            note = "no better than a simpler one"
        weighted = (fits[name].residuals_px(sightings) ** 2).sum(axis=1) * sightings.weight
        rms = float(np.sqrt(weighted.sum() / sightings.weight.sum()))
        held_out = float(np.sqrt(errors[name].mean()))
        trials.append(Trial(name, rms, held_out, note, name == chosen))
    return tuple(trials)


def _held_out_errors(
    fit: Fit, sightings: Sightings, free: Freedom, task: Task
) -> Float[np.ndarray, "m"]:
    """Mean squared distance of each photo's corners from what the other photos' lens predicts.

    The photo itself only says where its board was.
    """
    count = len(fit.rotations)
    errors = np.empty(count)
    for fold in range(min(_FOLDS, count)):
        out = np.arange(fold, count, _FOLDS)
        kept = np.setdiff1d(np.arange(count), out)
        learnt = adjust(fit.of_photos(kept), sightings.of_photos(kept), free, task)
        shown = sightings.of_photos(out)
        placed = adjust(
            replace(fit.of_photos(out), values=learnt.values, bow=learnt.bow),
            shown,
            free.of_photo(),
            task,
        )
        squares = (placed.residuals_px(shown) ** 2).sum(axis=1) * shown.weight
        errors[out] = [squares[rows].sum() / shown.weight[rows].sum() for rows in shown.photos]
    return np.nan_to_num(errors, nan=np.inf)


def _as_good(errors: Float[np.ndarray, "m"], best: Float[np.ndarray, "m"]) -> bool:
    worse = errors - best
    if not np.isfinite(worse).all():
        return False
    return bool(worse.mean() <= _MOST_STANDARD_ERRORS * worse.std(ddof=1) / np.sqrt(len(worse)))
