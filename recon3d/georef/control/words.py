"""What ground control points are told to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from recon3d.core.scene import ImageSet
from recon3d.georef.control.fit import SeenPoint, SurveyFit, fit_survey
from recon3d.georef.control.points import GroundControl, in_words, pixels_of
from recon3d.georef.frame_words import mark_warnings

BADLY = 3.0
"""Points that fit worse than so many of their error bars deserve a warning."""


def metres(value: float) -> str:
    """A length as people say it."""
    if value < 1:
        return f"{1000 * value:.3g} mm" if value < 0.01 else f"{100 * value:.3g} cm"
    return f"{value:.3g} m" if value < 1000 else f"{value:.0f} m"


def summary(rmse_m: Mapping[str, Mapping[str, float] | None]) -> str:
    """How well control and check points fit, in one line."""
    told = [
        f"{rmse['points']:.0f} {'points fit' if role == 'control' else 'to check'} to "
        f"{metres(rmse['total'])}"
        for role, rmse in rmse_m.items()
        if rmse
    ]
    return "; ".join(told)


def warn_of_marks(
    control: GroundControl, image_set: ImageSet, seen: Sequence[SeenPoint]
) -> list[str]:
    """Where marks do not count, or their pixels had to be guessed."""
    ids = [photo.id for photo in image_set.photos]
    found = mark_warnings(pixels_of(control.in_photos(ids)), image_set)
    if left_out := control.photos_left_out(ids):
        found.append(f"Marks in photos that are not here do not count: {in_words(left_out)}.")
    found += [
        f"The mark of {one.point.name} in {photo} does not count: it is {off_px:.0f} pixels from "
        "where the other photos show the point."
        for one in seen
        for photo, off_px in one.wrong_px.items()
    ]
    return found


def warn_of_fit(
    fit: SurveyFit,
    held: Sequence[SeenPoint],
    accuracy: Sequence[float],
    wrong: Sequence[SeenPoint],
    gaps: Mapping[str, np.ndarray],
) -> list[str]:
    """Where points look wrong: `wrong` names them, `gaps` says by how much each misses."""
    found = [
        f"{one.point.name} is {metres(float(np.linalg.norm(gaps[one.point.name])))} off, which "
        "chance does not explain: it is perhaps marked in the wrong place "
        f"({in_words(sorted(one.errors_px))}), or its coordinates are wrong."
        for one in wrong
    ]
    fits = root_mean_square(fit.residuals_m)
    names = [one.point.name for one in wrong if not one.point.is_check]
    if names:
        good = [i for i, one in enumerate(held) if one.point.name not in names]
        rest = fit_survey([held[i] for i in good], [accuracy[i] for i in good])
        found.append(
            f"All ground control points are used as they are, and fit to {metres(fits)}; without "
            f"{in_words(names)} the others fit to {metres(root_mean_square(rest.residuals_m))}. "
            f'Correct them, or say --check "{",".join(names)}".'
        )
    elif fit.variance_factor > BADLY**2:
        promised = fits / float(np.sqrt(fit.variance_factor))
        found.append(
            f"The ground control points fit only to {metres(fits)}, where their accuracies promise "
            f"{metres(promised)}, and no single one explains it: check the marks and the "
            "accuracies, take more overlapping photos, or let the points straighten the cameras "
            "(--control.adjust)."
        )
    return found


def tell_adjustment(outcome: Mapping[str, Any]) -> str:
    """What came of moving the cameras by the points, as `ControlOutcome` has it."""
    gps = _tell_gps(outcome["gps"]) if outcome.get("gps") else []
    if not outcome["used"]:
        return " ".join(
            [f"The ground control points do not move the cameras: {outcome['why']}.", *gps]
        )
    told = {
        "control_m": "control points from {} to {}",
        "left_out_m": "control points that were left out in turn from {} to {}",
        "check_m": "check points from {} to {}",
    }
    fits = [
        words.format(*map(metres, outcome[name])) for name, words in told.items() if outcome[name]
    ]
    moved = (
        f"The points moved the cameras by as much as {metres(outcome['moved_m'])}: "
        f"{', '.join(fits)}."
    )
    return " ".join([moved, *gps])


def _tell_gps(gps: Mapping[str, Any]) -> list[str]:
    """What became of it beside the points, as `GpsBeside` has it, in sentences."""
    if not gps["used"]:
        return [f"GPS of {gps['readings']} photos took no part: {gps['why']}."]
    told = (
        f"GPS of {gps['readings']} photos, good to {metres(gps['error_m'])}, took part, and half "
        f"of them lie within {metres(gps['off_m'])} of it."
    )
    if not gps["shift_m"]:
        turned = f"{gps['turn_deg']:.2f}°, {gps['scale']:.5f}"
        return [
            told,
            "Since the survey's coordinate system has no name, GPS was turned and enlarged onto "
            f"it ({turned}).",
        ]
    east, north, up = gps["shift_m"]
    return [
        told,
        f"GPS was shifted by {east:.2f} m east, {north:.2f} m north and {up:.2f} m up.",
    ]


def root_mean_square(gaps: Float[np.ndarray, "n 3"]) -> float:
    """Of their lengths."""
    return float(np.sqrt((gaps**2).sum(axis=1).mean()))
