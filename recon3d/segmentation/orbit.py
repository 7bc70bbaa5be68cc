"""Whether the cameras go around something, and where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.camera import in_picture, project
from recon3d.core.scene import View

_FEWEST_PHOTOS = 6
"""The visual hull of fewer is a prism that has little to do with the object."""
_LOOKING = 0.8
"""Share of the cameras that must have the common centre in their picture."""
_LEAST_DEG = 75.0
"""Cameras of a facade stand on one side of it, however much they converge."""
_MOST_VIEWS = 150
"""As many cameras, spread over all, tell what the photos share."""


class NoObjectError(Exception):
    """Nothing that masks could be of; the message is the reason, half a sentence."""


@dataclass(frozen=True, eq=False)
class Orbit:
    """Cameras that look at one place from around it."""

    centre_world: Float[np.ndarray, "3"]
    distance: float
    """Of a typical camera from the centre, in scene units."""


def find_orbit(views: Sequence[View]) -> Orbit:
    """Where the cameras look.

    Raises:
        NoObjectError: they do not look at one place from around it.
    """
    if len(views) < _FEWEST_PHOTOS:
        raise NoObjectError(f"{len(views)} placed photos are too few, {_FEWEST_PHOTOS} are needed")
    centres = np.stack([view.centre_world for view in views])
    centre, _ = focus_of(views)
    if shared(views, centre[None])[0] < _LOOKING:
        raise NoObjectError("the cameras do not look at one place")
    towards = centres - centre
    distance = np.linalg.norm(towards, axis=1)
    unit = (towards / distance[:, None])[:: max(1, len(views) // _MOST_VIEWS)]
    widest_deg = float(np.degrees(np.arccos(np.clip((unit @ unit.T).min(), -1, 1))))
    if widest_deg < _LEAST_DEG:
        raise NoObjectError(
            f"all cameras stand on one side of what they look at, within {widest_deg:.0f} degrees"
        )
    return Orbit(centre, float(np.median(distance)))


def shared(views: Sequence[View], points_world: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """The share of the photos whose frame holds each point, hidden or not."""
    chosen = views[:: max(1, len(views) // _MOST_VIEWS)]
    return np.asarray(sum(_holds(view, points_world).astype(float) for view in chosen)) / len(
        chosen
    )


def _holds(view: View, points_world: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
    uv_px, _ = project(view.cam_from_world @ points_world, view.camera)
    return in_picture(uv_px, view.camera)


def axes_of(views: Sequence[View]) -> Float[np.ndarray, "n 3"]:
    """Where the cameras look, as unit vectors in the world frame."""
    return np.stack([view.cam_from_world.rotation[2] for view in views])


def focus_of(views: Sequence[View]) -> tuple[Float[np.ndarray, "3"], float]:
    """The point nearest to all optical axes, and how much they turn (0 = parallel)."""
    axes = axes_of(views)
    centres = np.stack([view.centre_world for view in views])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    system = across.mean(0)
    turn = float(np.linalg.eigvalsh(system)[0])
    wanted = np.einsum("nij,nj->i", across, centres) / len(views)
    # lstsq, because parallel axes have no point that is nearest.
    focus: np.ndarray = np.linalg.lstsq(system, wanted, rcond=None)[0]
    return focus, turn
