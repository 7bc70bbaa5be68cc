"""How components of the photos lie to each other by the GPS of their photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.geodesy import GPS_VERTICAL, GpsFit, fit_gps, similarity_slopes
from recon3d.sfm.component_tie import ApartError, Tie
from recon3d.sfm.gps_readings import GpsReadings

if TYPE_CHECKING:  # it imports pycolmap
    from recon3d.sfm.mapping import Placement

_FEWEST = 3
# Seven unknowns: three readings fit nearly anything, so others must have confirmed them.
_FEWEST_ALONE = 6
_FEWEST_FITTING = 0.6
# The cameras must have moved this many times further than GPS errs.
_REACH = 3.0
_MOST_TURN_DEG = 10.0
_MOST_SIGMAS = 4.0
# Of the smaller component: what GPS alone may be off.
_MOST_OFF = 0.02
# Of the standard deviations that photos state, which leave out half of what goes wrong.
_MOST_OFF_STATED = 8.0
# The median of squared lengths of three coordinates, in variances.
_MEDIAN_SQUARE = 2.366


@dataclass(frozen=True, eq=False)
class _Place:
    """A component among its readings."""

    fit: GpsFit
    count: int
    """Readings that fit."""
    sigma_m: float
    """One standard deviation of a horizontal reading."""
    turn_sigma: float
    """In radians, about the axis that is least known."""
    scale_sigma: float
    centres_enu: Float[np.ndarray, "n 3"]
    """Of its cameras."""

    def off_m(self, at_enu: Float[np.ndarray, "n 3"]) -> float:
        """How far off places are by it: the root mean square of their distances.

        Readings of one flight err alike, so that more of them make the shift no surer.
        """
        reach2 = float(((at_enu - self.centres_enu.mean(axis=0)) ** 2).sum(axis=1).mean())
        shift2 = (2 + GPS_VERTICAL**2) * self.sigma_m**2
        return float(np.sqrt(shift2 + (self.turn_sigma**2 + self.scale_sigma**2) * reach2))


def tie_by_gps(
    target: Placement, source: Placement, readings: GpsReadings, *, alone: bool
) -> Tie | None:
    """Where a component lies by the GPS of both; None where one of them has too few readings.

    alone: Nothing else will be asked, so it must be exact for components of this size.

    Raises:
        ApartError: the readings do not say it, or not well enough.
    """
    mine, theirs = _place(target, readings), _place(source, readings)
    if mine is None or theirs is None:
        return None
    off_m = float(np.hypot(mine.off_m(theirs.centres_enu), theirs.off_m(theirs.centres_enu)))
    size_m = min(mine.fit.spread_m, theirs.fit.spread_m)
    count = mine.count + theirs.count
    if alone and min(mine.count, theirs.count) < _FEWEST_ALONE:
        raise ApartError(
            f"GPS of {_FEWEST_ALONE} photos on each side would tie the two, but there are only "
            f"{mine.count} and {theirs.count}"
        )
    if alone and off_m > _MOST_OFF * size_m:
        raise ApartError(
            f"GPS says how the two lie to each other only to within {off_m:.2g} m, too coarse for "
            f"{size_m:.2g} m"
        )
    return Tie(
        mine.fit.enu_from_world.inverse() @ theirs.fit.enu_from_world,
        off_m / mine.fit.enu_from_world.scale,
        f"GPS of {count} photos (good to about {off_m:.2g} m)",
        is_coarse=True,
    )


def check_against_gps(
    target: Placement, source: Placement, tie: Tie, readings: GpsReadings
) -> None:
    """Refuse a tie that puts photos elsewhere than where they were by their GPS.

    Asks the readings of one component by those of the other, if they fit its cameras well enough
    to say anything.

    Raises:
        ApartError: they contradict it.
    """
    to_target = tie.target_from_source
    for known, other, known_from_other in (
        (target, source, to_target),
        (source, target, to_target.inverse()),
    ):
        theirs = readings.of([*other.cam_from_world])
        try:
            place = _place(known, readings)
        except ApartError:
            continue
        if place is None or len(theirs.photo_ids) < _FEWEST:
            continue
        enu_from_known = place.fit.enu_from_world
        enu_m = enu_from_known @ (known_from_other @ _centres(other, theirs.photo_ids))
        gap_m = float(np.median(np.linalg.norm((enu_m - theirs.enu_m)[:, :2], axis=1)))
        sure_m = float(
            np.linalg.norm(
                [
                    place.off_m(enu_m),
                    place.sigma_m if not theirs.is_stated.all() else _usual_sigma_m(theirs),
                    tie.off * enu_from_known.scale,
                ]
            )
        )
        if gap_m > _MOST_SIGMAS * sure_m:
            raise ApartError(
                f"photos would lie {gap_m:.2g} m from where their GPS, good to about {sure_m:.2g} "
                f"m, puts them if they were joined by {tie.by}"
            )
        return


def _place(placement: Placement, readings: GpsReadings) -> _Place | None:
    """A component among its readings; None where it has fewer than three.

    Raises:
        ApartError: they do not say how it lies.
    """
    readings = readings.of([*placement.cam_from_world])
    count = len(readings.photo_ids)
    if count < _FEWEST:
        return None
    centres = _centres(placement, readings.photo_ids)
    fit = fit_gps(centres, readings.enu_m, np.random.default_rng(0))
    used = 0 if fit is None else int((fit.used & _as_stated(fit, readings)).sum())
    if fit is None or used < max(_FEWEST, _FEWEST_FITTING * count):
        raise ApartError(f"only {used} of {count} GPS readings fit the way the cameras stand")
    sigma_m = _sigma_m(fit, readings)
    if fit.spread_m < _REACH * sigma_m:
        raise ApartError(
            f"the cameras were only {fit.spread_m:.2g} m apart, and GPS is good to {sigma_m:.2g} m"
        )
    turn_sigma, scale_sigma = _turn_and_scale_sigma(fit, centres, sigma_m)
    if turn_sigma > np.radians(_MOST_TURN_DEG):
        raise ApartError(
            "the cameras stand nearly in a row, so GPS leaves open how they are turned about it"
        )
    every = _centres(placement, [*placement.cam_from_world])
    return _Place(fit, used, sigma_m, turn_sigma, scale_sigma, fit.enu_from_world @ every)


def _as_stated(fit: GpsFit, readings: GpsReadings) -> Bool[np.ndarray, "n"]:
    """Which readings are about as good as their photos say, if these say it."""
    off = np.linalg.norm(fit.residuals_m / readings.std_m, axis=1)
    return np.asarray(~readings.is_stated | (off < _MOST_OFF_STATED))


def _turn_and_scale_sigma(
    fit: GpsFit, centres: Float[np.ndarray, "n 3"], sigma_m: float
) -> tuple[float, float]:
    slopes = similarity_slopes(fit.enu_from_world, centres[fit.used])
    weights = np.array([1, 1, GPS_VERTICAL**-2]) / sigma_m**2
    normal = np.einsum("nri,r,nrj->ij", slopes, weights, slopes)
    # Half a turn is all that cameras in a row can be wrong by.
    normal[1:4, 1:4] += np.eye(3) / np.pi**2
    covariance = np.linalg.pinv(normal, rcond=1e-15, hermitian=True)
    turn = float(np.linalg.eigvalsh(covariance[1:4, 1:4])[-1])
    return float(np.sqrt(turn)), float(np.sqrt(covariance[0, 0]))


def _sigma_m(fit: GpsFit, readings: GpsReadings) -> float:
    """What photos state of their accuracy, unless they fit worse; else what the fit has found."""
    if not readings.is_stated.all():
        return fit.sigma_m
    squares = ((fit.residuals_m / readings.std_m) ** 2).sum(axis=1)[fit.used] / _MEDIAN_SQUARE
    return _usual_sigma_m(readings) * float(np.sqrt(max(1.0, float(np.median(squares)))))


def _usual_sigma_m(readings: GpsReadings) -> float:
    """One standard deviation of a coordinate; heights count by as much as they are worse."""
    usual = np.median(readings.std_m, axis=0)
    return float(max(usual[0], usual[2] / GPS_VERTICAL))


def _centres(placement: Placement, photo_ids: tuple[str, ...] | list[str]) -> np.ndarray:
    poses = placement.cam_from_world
    return np.array([poses[i].inverse().translation for i in photo_ids]).reshape(-1, 3)
