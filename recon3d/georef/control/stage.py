"""The stage that brings the placed cameras onto surveyed points, and tells how well they fit."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recon3d.core.scene import ImageSet, PosedPhotos
from recon3d.core.transform import Similarity
from recon3d.georef.control.fit import (
    SeenPoint,
    SurveyFit,
    fit_survey,
    is_surprising,
    suspects,
)
from recon3d.georef.control.points import (
    ControlError,
    GroundControl,
)
from recon3d.georef.control.survey import ControlConfig, measure_control, rmse_of
from recon3d.georef.control.words import (
    BADLY,
    metres,
    root_mean_square,
    summary,
    tell_adjustment,
    warn_of_fit,
    warn_of_marks,
)
from recon3d.georef.upright import up_in_world
from recon3d.run.files import write_json
from recon3d.run.stage import Stage
from recon3d.run.task import Task

_CONTROL = "control.json"
# Swapped columns are told where they fit so much better.
_MUCH_BETTER = 0.2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FittedControl:
    """Where the survey puts the model."""

    enh_from_world: Similarity
    """East, north and height in metres."""
    crs: str
    """Of these, as pyproj reads it; empty where nobody said."""
    scale_sigma: float
    """One standard deviation of the scale, as a share of it."""
    report: Mapping[str, Any]
    """Every point with its residuals, and the errors together."""
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class NoControl:
    """What the frame is made from where there are no ground control points."""

    digest: str = ""


def fit_control(
    posed: PosedPhotos,
    image_set: ImageSet,
    control: GroundControl,
    config: ControlConfig,
    folder: Path,
    task: Task,
) -> None:
    """Write where the survey puts the model, and how well it fits, into `folder`.

    Raises:
        ControlError: too few points are left in the placed photos, or they contradict each other.
    """
    adjusted: Any = posed.scene.report.get("control")
    if adjusted:
        adjusted = {**adjusted, "words": tell_adjustment(adjusted)}
    survey = measure_control(posed.scene, image_set, control, config, task)
    here, seen, held, checks = survey.control, survey.seen, survey.held, survey.checks
    accuracy, fit = survey.accuracy_m, survey.fit
    _refuse_swapped_columns(fit, held, accuracy, posed)
    wrong = [held[i] for i in suspects(held, accuracy)]
    gps: Any = (adjusted or {}).get("gps")
    if gps and gps["used"]:
        # Points at one end say little of how the other one lies; with GPS they settled in this.
        survey = survey.in_frame(Similarity.from_plain(gps["enh_from_world"]))
    gaps = survey.gaps_m(config.accuracy)
    for one in checks:
        _, surprise = survey.fit.difference(one, one.point.accuracy_m or config.accuracy)
        if is_surprising(surprise, fit, len(checks)):
            wrong.append(one)
    warnings = [
        *control.notes,
        *warn_of_marks(control, image_set, seen),
        *warn_of_fit(fit, held, accuracy, wrong, gaps),
        *([adjusted["words"]] if adjusted and not adjusted["used"] else ()),
    ]
    rmse_m = {
        "control": rmse_of([gaps[one.point.name] for one in held]),
        "check": rmse_of([gaps[one.point.name] for one in checks]) if checks else None,
    }
    content = {
        "enh_from_world": survey.fit.enh_from_world.plain(),
        "crs": control.crs,
        "scale_sigma": float(np.sqrt(fit.covariance[0, 0] * max(1.0, fit.variance_factor))),
        "report": {
            "crs": control.crs,
            "points": _table(here, seen, gaps, wrong),
            "rmse_m": rmse_m,
            "summary": summary(rmse_m),
            "adjusted": adjusted,
        },
        "warnings": warnings,
    }
    write_json(folder / _CONTROL, content)
    logger.info("ground control: %s", summary(rmse_m))


def read_control(folder: Path) -> FittedControl:
    """Read what `fit_control` wrote."""
    stored: dict[str, Any] = json.loads((folder / _CONTROL).read_text(encoding="utf-8"))
    return FittedControl(
        Similarity.from_plain(stored["enh_from_world"]),
        stored["crs"],
        stored["scale_sigma"],
        stored["report"],
        tuple(stored["warnings"]),
    )


def _refuse_swapped_columns(
    fit: SurveyFit, held: Sequence[SeenPoint], accuracy: Sequence[float], posed: PosedPhotos
) -> None:
    """Raise where east and north are surely each other.

    Points in space then fit badly, points on the ground fit as well but upside down.
    """
    swapped = fit_survey(
        [
            replace(one, point=replace(one.point, enh_m=(north, east, height)))
            for one in held
            for east, north, height in [one.point.enh_m]
        ],
        accuracy,
    )
    up_world = up_in_world(np.stack([v.cam_from_world.rotation for v in posed.scene.views]))
    ways = [float(one.enh_from_world.rotation[2] @ up_world) for one in (fit, swapped)]
    before, after = (root_mean_square(one.residuals_m) for one in (fit, swapped))
    fits_worse = fit.variance_factor > BADLY**2 and after < _MUCH_BETTER * before
    is_upside_down = ways[0] < -0.5 and ways[1] > 0.5 and after < 1 / _MUCH_BETTER * before
    if fits_worse or is_upside_down:
        raise ControlError(
            f"The ground control points fit to {metres(before)}"
            f"{' but upside down' if is_upside_down else ''}, and to {metres(after)} with east and "
            "north swapped.",
            hint="Check the order of the columns: east (X, Rechtswert) is the one with fewer "
            "digits in most of Europe. A header such as name,N,E,H says which is which.",
        )


def _table(
    control: GroundControl,
    seen: Sequence[SeenPoint],
    gaps: Mapping[str, np.ndarray],
    wrong: Sequence[SeenPoint],
) -> list[dict[str, object]]:
    """A row for each point, used or not."""
    by_name = {one.point.name: one for one in seen}
    rows = []
    for point in control.points:
        row: dict[str, object] = {
            "name": point.name,
            "role": "check" if point.is_check else "control",
            "enh_m": list(point.enh_m),
            "marks": len(point.marks),
        }
        if one := by_name.get(point.name):
            gap = gaps[point.name]
            errors = np.array([*one.errors_px.values()])
            row |= {
                "residual_m": gap.tolist(),
                "error_m": float(np.linalg.norm(gap)),
                "error_px": float(np.sqrt((errors**2).mean())),
                "photos": sorted(one.errors_px),
                "wrong_marks_px": dict(one.wrong_px),
                "suspect": one in wrong,
            }
        else:
            row["why_not"] = (
                "its marks do not meet in one point"
                if len(point.marks) >= 2
                else f"{len(point.marks)} placed photos show it, 2 are needed"
            )
        rows.append(row)
    return rows


CONTROL = Stage(
    name="control",
    result="control",
    version=3,
    run=fit_control,
    read=read_control,
    warnings=lambda folder: read_control(folder).warnings,
)
