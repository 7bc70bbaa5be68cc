"""Positions that photos know by GPS, as observations in one more bundle adjustment.

Features alone hold a long strip well from photo to photo and badly as a whole: it bends like a
bowl (doming) or drifts, since a lens that is slightly off explains nearly the same pixels. GPS
errs by metres, but does not bend. So both are adjusted together, each weighed by its error bar,
GPS robustly. This is kept only where it predicts positions that it was not told better than the
photos alone do, by more than chance, and the pixels fit as well as before.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from recon3d.core.geodesy import GpsFit, fit_gps
from recon3d.core.transform import fit_similarity
from recon3d.run.task import Task
from recon3d.sfm.anchors import soft
from recon3d.sfm.gps_anchors import GPS_FOLDS, GpsAnchors
from recon3d.sfm.gps_readings import GpsReadings
from recon3d.sfm.joint_bundle import MOST_PHOTOS, JointBundle, joint_bundle
from recon3d.sfm.lens_ladder import gains_surely

if TYPE_CHECKING:  # it imports pycolmap
    from recon3d.sfm.mapping import Placement

_log = logging.getLogger(__name__)

_FEWEST_READINGS = 8
# Of photos that have a reading: where fewer fit, something else is wrong.
_FEWEST_FITTING = 0.6
# A bend of so large a share of the extent must stand out of all readings together.
_WORTH_SHARE, _STANDS_OUT = 0.02, 4.0
_POINTS_TO_DECIDE, _POINTS_TO_FIT = 60, 600
"""For each photo on the mean."""
_WEAK = 1e4
# Pixels may fit worse by this share; GPS that bends what was straight costs more.
_MOST_NOISE = 1.03


@dataclass(frozen=True)
class GpsOutcome:
    """What became of the readings, for the report."""

    readings: int
    used: bool
    why: str = ""
    """Why they do not count; empty where they do."""
    error_m: float = 0.0
    """One standard deviation of a horizontal reading, as the adjustment found it."""
    before_m: float = 0.0
    """Median distance of the photos from their readings, before and after."""
    after_m: float = 0.0
    moved_m: float = 0.0
    """The farthest that a photo moved against the others."""


def adjust_to_gps(
    placement: Placement, readings: GpsReadings, task: Task
) -> tuple[Placement, GpsOutcome | None]:
    """A placement with GPS in its bundle adjustment, and what came of it.

    None in place of an outcome where there are too few readings, or where they are too coarse for
    a scene of this size; it stays as it is then, as where they turn out not to help. The world's
    frame stays.

    Raises:
        Cancelled: the task was stopped.
    """
    readings = readings.of([*placement.cam_from_world])
    count = len(readings.photo_ids)
    if count < _FEWEST_READINGS:
        return placement, None
    anchors = GpsAnchors.of(placement, readings)
    fit = anchors.fit(placement)
    if fit is None or fit.used.sum() < _FEWEST_FITTING * count:
        used = 0 if fit is None else int(fit.used.sum())
        why = f"only {used} of {count} readings fit the way the cameras stand"
        return placement, GpsOutcome(count, False, why)
    if not _may_help(fit, readings):
        return placement, None
    if len(placement.cam_from_world) > MOST_PHOTOS:
        why = f"more than {MOST_PHOTOS} photos are too many to adjust with it"
        return placement, GpsOutcome(count, False, why)
    try:
        return _adjusted(placement, anchors, fit, task)
    except np.linalg.LinAlgError:
        return placement, GpsOutcome(count, False, "some photos hang on the others by too little")


def adjust_all_to_gps(
    placement: Placement, readings: GpsReadings, task: Task
) -> tuple[Placement, dict[str, object]]:
    """A placement and its others, each by itself, and for the report what came of it.

    Raises:
        Cancelled: the task was stopped.
    """
    adjusted, outcome = adjust_to_gps(placement, readings, task)
    others = tuple(adjust_to_gps(other, readings, task)[0] for other in placement.others)
    told: dict[str, object] = {**asdict(outcome)} if outcome else {}
    if readings.warning:
        told["warning"] = readings.warning
    return replace(adjusted, others=others), told


def _may_help(fit: GpsFit, readings: GpsReadings) -> bool:
    sure_m = float(np.median(readings.std_m[:, 0])) / np.sqrt(len(readings.photo_ids))
    return bool(_STANDS_OUT * sure_m < _WORTH_SHARE * fit.spread_m)


def _adjusted(
    placement: Placement, problem: GpsAnchors, fit: GpsFit, task: Task
) -> tuple[Placement, GpsOutcome]:
    count = len(problem.photo)
    whole = joint_bundle(placement, placement.cameras, fit.enu_from_world)
    if not _predicts_better(whole.thinned(_POINTS_TO_DECIDE), problem, task):
        why = "positions that were held back are predicted no better with it"
        return placement, GpsOutcome(count, False, why)
    task.step(GPS_FOLDS, GPS_FOLDS + 1, "adjusting to GPS")
    start = whole.thinned(_POINTS_TO_FIT)
    # The same least squares without GPS, which then only keeps the frame.
    free = start.adjusted(problem.anchors(np.full(count, _WEAK)), task)
    found, factor = problem.settled(start, task)
    if found.noise_px > _MOST_NOISE * free.noise_px:
        why = (
            f"the pixels fit worse with it ({found.noise_px:.2f} px in place of "
            f"{free.noise_px:.2f})"
        )
        return placement, GpsOutcome(count, False, why)
    moved = fit_similarity(start.centres, found.centres) @ start.centres - found.centres
    gaps = [float(np.median(problem.distances(joint))) for joint in (start, found)]
    outcome = GpsOutcome(
        count,
        True,
        error_m=round(float(np.median(problem.readings.std_m[:, 0] * factor)), 3),
        before_m=round(gaps[0], 3),
        after_m=round(gaps[1], 3),
        moved_m=round(float(np.linalg.norm(moved, axis=1).max()), 3),
    )
    _log.info(
        "GPS of %d photos adjusts the cameras by as much as %.2f m; readings good to %.2f m",
        count, outcome.moved_m, outcome.error_m,
    )  # fmt: skip
    return whole.with_cameras_of(found).placed(placement), outcome


def _predicts_better(joint: JointBundle, problem: GpsAnchors, task: Task) -> bool:
    """Whether readings that were held back are nearer with the others than without any."""
    stretch = problem.stretches
    gain = np.zeros(len(stretch))
    for fold in range(GPS_FOLDS):
        task.step(fold, GPS_FOLDS + 1, "asking whether GPS straightens the cameras")
        out = stretch % GPS_FOLDS == fold
        told, held = problem.where(~out), problem.where(out)
        fit = fit_gps(joint.centres[told.photo], told.readings.enu_m, np.random.default_rng(0))
        if fit is None:
            return False
        with_gps, factor = told.settled(joint, task)
        usual = np.full(out.sum(), float(np.median(factor)))
        centres = fit.enu_from_world @ joint.centres[held.photo]
        alone = ((centres - held.readings.enu_m) / held.readings.std_m / usual[:, None]) ** 2
        gain[out] = soft(alone.sum(axis=1)) - soft(held.squares(with_gps, usual))
    return gains_surely(gain, stretch)
