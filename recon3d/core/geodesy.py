"""Latitude and longitude -> metres, and how a scene lies in them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from recon3d.core.transform import Similarity, fit_similarity

# WGS 84.
_EQUATOR_M, _ECCENTRICITY_2 = 6378137.0, 6.69437999014e-3
# A phone or drone under open sky; heights come out about twice as bad.
GPS_SIGMA_M = 4.0
GPS_VERTICAL = 2.0
"""How much worse."""
# So many readings' worth is the figure above believed against the scatter of this scene.
_PRIOR_READINGS = 6
_MOST_TRIPLES = 300
_STEPS = 20


@dataclass(frozen=True, eq=False)
class GpsFit:
    """Where a scene lies, east, north and up in metres about its middle."""

    enu_from_world: Similarity
    sigma: float
    """One standard deviation of the scale, as a share of it."""
    sigma_m: float
    """One standard deviation of a horizontal reading."""
    turn_covariance: Float[np.ndarray, "3 3"]
    """Of a rotation vector about east, north and up, in rad²."""
    used: Bool[np.ndarray, "n"]
    residuals_m: Float[np.ndarray, "n 3"]
    """Reading minus fit."""
    spread_m: float
    """How far apart the cameras that are used stand, as two standard deviations."""
    about_deg_m: Float[np.ndarray, "3"] | None = None
    """Latitude, longitude and altitude of 0,0,0; None where only the shape counts."""

    @property
    def turn_covariance_world(self) -> Float[np.ndarray, "3 3"]:
        """The same about the world's axes."""
        rotation = self.enu_from_world.rotation
        turned: np.ndarray = rotation.T @ self.turn_covariance @ rotation
        return turned


def enu_from_geodetic(
    latitude_longitude_altitude: Float[np.ndarray, "n 3"], about: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "n 3"]:
    """East, north and up in metres about a place; degrees and metres come in."""
    lat, lon = np.radians(about[:2])
    east = [-np.sin(lon), np.cos(lon), 0]
    north = [-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)]
    up = [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]
    away = _earth_from_geodetic(latitude_longitude_altitude) - _earth_from_geodetic(about[None])
    enu: np.ndarray = away @ np.array([east, north, up]).T
    return enu


def _earth_from_geodetic(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the middle of the earth."""
    latitude, longitude = np.radians(places[:, :2]).T
    altitude = places[:, 2]
    radius = _EQUATOR_M / np.sqrt(1 - _ECCENTRICITY_2 * np.sin(latitude) ** 2)
    return np.stack(
        [
            (radius + altitude) * np.cos(latitude) * np.cos(longitude),
            (radius + altitude) * np.cos(latitude) * np.sin(longitude),
            (radius * (1 - _ECCENTRICITY_2) + altitude) * np.sin(latitude),
        ],
        axis=1,
    )


def fit_gps(
    centres_world: Float[np.ndarray, "n 3"],
    enu_m: Float[np.ndarray, "n 3"],
    rng: np.random.Generator,
) -> GpsFit | None:
    """The similarity that brings the cameras onto their readings, without the wrong ones.

    Starts from the triple of cameras that most others agree with and ends with robust least
    squares (Cauchy) in which heights count half. The size of the readings' error is estimated
    from the residuals, held by a prior of 4 m: a few photos often agree by chance.

    Returns None for fewer than 3 places, or where they coincide.
    """
    start = _start(centres_world, enu_m, rng)
    if start is None:
        return None
    fit, sigma_m = start, GPS_SIGMA_M
    for _ in range(_STEPS):
        residuals = enu_m - fit @ centres_world
        distance2 = (residuals**2 @ [1, 1, GPS_VERTICAL**-2]) / sigma_m**2
        weights = 1 / (1 + distance2 / 2.385**2)
        fit, _ = _step(fit, centres_world, residuals, weights, sigma_m)
        used = distance2 < 4.0**2
        dof = max(0, 3 * int(used.sum()) - 7)
        prior = 3 * _PRIOR_READINGS
        squares = float((residuals[used] ** 2 @ [1, 1, GPS_VERTICAL**-2]).sum())
        sigma_m = float(np.sqrt((prior * GPS_SIGMA_M**2 + squares) / (prior + dof)))
    residuals = enu_m - fit @ centres_world
    _, covariance = _step(fit, centres_world, residuals, used.astype(float), sigma_m)
    apart = (fit @ centres_world)[used]
    return GpsFit(
        fit,
        float(np.sqrt(covariance[0, 0])),
        sigma_m,
        covariance[1:4, 1:4],
        used,
        residuals,
        spread_m=2 * float(np.sqrt(apart.var(axis=0).sum())) if used.any() else 0.0,
    )


def _start(
    centres: NDArray[np.float64], enu_m: NDArray[np.float64], rng: np.random.Generator
) -> Similarity | None:
    count = len(centres)
    if count < 3:
        return None
    if count <= 12:
        triples = list(combinations(range(count), 3))
    else:
        triples = [tuple(rng.permutation(count)[:3]) for _ in range(_MOST_TRIPLES)]
    best, least = None, np.inf
    for triple in triples:
        rows = list(triple)
        if min(np.ptp(centres[rows], axis=0).max(), np.ptp(enu_m[rows], axis=0).max()) <= 0:
            continue
        fit = fit_similarity(centres[rows], enu_m[rows])
        if not fit.scale > 0:
            continue
        distance2 = ((enu_m - fit @ centres) ** 2 @ [1, 1, GPS_VERTICAL**-2]) / GPS_SIGMA_M**2
        cost = float(np.minimum(distance2, 9.0).sum())
        if cost < least:
            best, least = fit, cost
    return best


def _step(
    fit: Similarity,
    centres: NDArray[np.float64],
    residuals: NDArray[np.float64],
    weights: NDArray[np.float64],
    sigma_m: float,
) -> tuple[Similarity, NDArray[np.float64]]:
    """One Gauss-Newton step, and the covariance of (log scale, turn about e, n, u, shift)."""
    jacobian = similarity_slopes(fit, centres)
    per_row = weights[:, None] * np.array([1, 1, GPS_VERTICAL**-2]) / sigma_m**2
    normal = np.einsum("nri,nr,nrj->ij", jacobian, per_row, jacobian)
    # Cameras in a row say nothing about turning around it; half a turn is all it can be.
    normal[1:4, 1:4] += np.eye(3) / np.pi**2
    covariance = np.linalg.pinv(normal, rcond=1e-15, hermitian=True)
    change = covariance @ np.einsum("nri,nr,nr->i", jacobian, per_row, residuals)
    return changed_similarity(fit, change), covariance


def similarity_slopes(
    fit: Similarity, points: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3 7"]:
    """What small changes of log scale, turn about x, y and z, and shift do to each moved point."""
    arm = fit.scale * points @ fit.rotation.T
    x, y, z = arm.T
    zero = np.zeros_like(x)
    turn = np.stack([zero, z, -y, -z, zero, x, y, -x, zero], axis=1).reshape(-1, 3, 3)
    shift = np.broadcast_to(np.eye(3), turn.shape)
    return np.concatenate([arm[:, :, None], turn, shift], axis=2)


def changed_similarity(fit: Similarity, change: Float[np.ndarray, "7"]) -> Similarity:
    """After a step in what `similarity_slopes` derives by."""
    growth = float(np.exp(np.clip(change[0], -0.5, 0.5)))
    rotation = _rotation(change[1:4]) @ fit.rotation
    return Similarity(fit.scale * growth, rotation, fit.translation + change[4:])


def _rotation(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rodrigues' formula."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
