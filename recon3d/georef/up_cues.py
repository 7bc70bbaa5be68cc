"""Which way is up: several sayings, each with how sure it is in which direction, become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from recon3d.georef.planes import PlumbSurfaces
from recon3d.georef.upright import level_axes, of_one_pose, up_in_world

UpSource = Literal["given", "gravity sensor", "gps", "cameras", "ground", "walls"]

# Hands hold no camera more level than this.
_LEAST_ROLL_DEG = 2.0
# Photos that all look one way leave open how far they look up or down.
_PITCH_DEG = 12.0
# Accelerometers in phones and drones after the factory, held still; alike in all the photos.
_SENSOR_BIAS_DEG = 0.7
_LEAST_SENSOR_DEG = 1.0
# Floors and walls are truer than this, but not all that is taken for one is one.
_PLANE_DEG = 1.0
# Share of the surface from which walls facing one way count in full.
_ENOUGH_WALL = 0.05
# A cue that ends further away than this many of its error bars speaks of something else.
_CONTRADICTION = 3.0
_CAUCHY = 2.385
_ROUNDS = 30


@dataclass(frozen=True, eq=False)
class UpCue:
    """One saying: a direction, and how sure it is.

    A wall says nothing about turning in its own plane, so sureness is a matrix, not a number.
    """

    source: UpSource
    detail: str
    up_world: Float[np.ndarray, "3"]
    information: Float[np.ndarray, "3 3"]
    """Inverse covariance of up_world in 1/rad², zero along up_world itself."""


@dataclass(frozen=True, eq=False)
class JudgedUp:
    """A cue and whether it counted."""

    cue: UpCue
    used: bool
    differs_deg: float
    """From what the cues say together, only as far as this one can tell."""


@dataclass(frozen=True, eq=False)
class FusedUp:
    """What the cues say together."""

    up_world: Float[np.ndarray, "3"]
    information: Float[np.ndarray, "3 3"]
    cues: tuple[JudgedUp, ...]


def fuse_ups(cues: Sequence[UpCue]) -> FusedUp:
    """The direction nearest to all cues, each weighted by its information; outliers hardly count.

    Robust least squares (Cauchy) from the first cue on, so give the most trusted one first: where
    cues contradict each other, those that agree with it win.

    Raises:
        ValueError: there are no cues.
    """
    if not cues:
        raise ValueError("cues: got none, expected 1 or more")
    information = np.stack([cue.information for cue in cues])
    directions = np.stack([cue.up_world for cue in cues])
    up = directions[0]
    for _ in range(_ROUNDS):
        gaps = directions - up
        chi2 = np.einsum("ni,nij,nj->n", gaps, information, gaps)
        weighted = information / (1 + chi2 / _CAUCHY**2)[:, None, None]
        joint = _tangent(weighted.sum(0), up)
        pull = _across(up) @ np.einsum("nij,nj->i", weighted, gaps)
        up = up + np.linalg.pinv(joint, rcond=1e-9, hermitian=True) @ pull
        up = up / np.linalg.norm(up)
    judged = (
        JudgedUp(cue, bool(one <= _CONTRADICTION**2), _angle_deg(cue, up))
        for cue, one in zip(cues, chi2, strict=True)
    )
    return FusedUp(up, joint, tuple(judged))


def sigma_deg(information: Float[np.ndarray, "3 3"]) -> float:
    """One standard deviation in the direction that is known worst; 90 where it is not known."""
    middle = float(np.linalg.eigvalsh(information)[1])
    return float(min(90.0, np.degrees(middle**-0.5))) if middle > 0 else 90.0


def given_up(up_world: Float[np.ndarray, "3"], detail: str) -> UpCue:
    """What the user says; nothing outweighs it."""
    return UpCue("given", detail, up_world, _across(up_world) / np.radians(0.01) ** 2)


def cameras_up(cam_from_world: Float[np.ndarray, "n 3 3"]) -> UpCue:
    """People hold cameras level: the scatter of what should be level says how sure that is.

    Raises:
        ValueError: there are no cameras.
    """
    asked = cam_from_world[of_one_pose(cam_from_world)]
    up = up_in_world(asked)
    axes = level_axes(asked, up)
    roll = np.arcsin(np.clip(axes @ up, -1, 1)) if len(axes) else np.zeros(1)
    scatter = max(np.radians(_LEAST_ROLL_DEG), 1.4826 * float(np.median(np.abs(roll))))
    held = axes.T @ axes / scatter**2
    pitch = _across(up) / np.radians(_PITCH_DEG) ** 2
    # Who holds one photo askew holds the next one so too: more photos hardly make it surer.
    information = _blunted(_tangent(held, up) + pitch, up, float(np.degrees(scatter)))
    count = len(cam_from_world)
    photos = f"{count} photo{'s' if count > 1 else ''}"
    if len(asked) < count:
        photos = f"{len(asked)} of {count} photos, the others show the object turned over"
    return UpCue("cameras", photos, up, information)


def gravity_up(ups_world: Float[np.ndarray, "n 3"]) -> UpCue:
    """The sensors of all photos together, without the ones that were shaken.

    ups_world: one for each photo that knows, unit length.
    """
    kept = ups_world
    for _ in range(5):
        up = kept.mean(0) / np.linalg.norm(kept.mean(0))
        away = np.degrees(np.arccos(np.clip(ups_world @ up, -1, 1)))
        kept = ups_world[away <= max(3 * float(np.median(away)), 2.0)]
    # The median of a Rayleigh distribution is 1.18 sigma.
    spread_deg = max(_LEAST_SENSOR_DEG, float(np.median(away)) / 1.18)
    information = len(kept) * _across(up) / np.radians(spread_deg) ** 2
    return UpCue(
        "gravity sensor",
        f"{len(kept)} of {len(ups_world)} photos agree",
        up,
        _blunted(information, up, _SENSOR_BIAS_DEG),
    )


def gps_up(
    up_world: Float[np.ndarray, "3"], turn_covariance_world: Float[np.ndarray, "3 3"]
) -> UpCue:
    """Of cameras that fit their readings; as sure as the fit is of its rotation."""
    x, y, z = up_world
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    covariance = cross @ turn_covariance_world @ cross.T
    information = np.linalg.pinv(covariance, rcond=1e-9, hermitian=True)
    return UpCue("gps", "", up_world, information)


def ground_up(normal_world: Float[np.ndarray, "3"], detail: str) -> UpCue:
    """A level plane: up is its normal."""
    information = _across(normal_world) / np.radians(_PLANE_DEG) ** 2
    return UpCue("ground", detail, normal_world, information)


def walls_up(plumb: PlumbSurfaces) -> UpCue:
    """Up lies in every wall: walls that all face one way leave open how far they lean sideways."""
    facing, axes = np.linalg.eigh(_tangent(plumb.facing, plumb.up_world))
    known = np.clip(facing / _ENOUGH_WALL, 0, 1) / np.radians(_PLANE_DEG) ** 2
    information = _tangent(axes @ np.diag(known) @ axes.T, plumb.up_world)
    return UpCue("walls", f"{100 * plumb.share:.0f} % of the model", plumb.up_world, information)


def _across(up: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Projects onto the plane across up."""
    return np.eye(3) - np.outer(up, up)


def _tangent(matrix: np.ndarray, up: np.ndarray) -> Float[np.ndarray, "3 3"]:
    projected: np.ndarray = _across(up) @ matrix @ _across(up)
    return projected


def _blunted(information: np.ndarray, up: np.ndarray, bias_deg: float) -> np.ndarray:
    """Less sure by an error that all photos share."""
    covariance = np.linalg.pinv(information, rcond=1e-9, hermitian=True)
    shared = np.radians(bias_deg) ** 2 * _across(up)
    return np.asarray(np.linalg.pinv(covariance + shared, rcond=1e-9, hermitian=True))


def _angle_deg(cue: UpCue, up_world: np.ndarray) -> float:
    """Only in the directions that the cue knows of."""
    most = float(np.linalg.eigvalsh(cue.information)[2])
    gap = cue.up_world - up_world
    return float(np.degrees(np.sqrt(max(0.0, gap @ cue.information @ gap) / max(most, 1e-300))))
