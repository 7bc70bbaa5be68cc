"""Photos of one moment, by cameras that keep their places to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recon3d.core.transform import Rigid


@dataclass(frozen=True, eq=False)
class RigPhoto:
    """Where a photo belongs in a rig; what COLMAP calls a sensor of a frame."""

    rig: str
    """Its name; a set may have several."""
    sensor: str
    """Which of the rig's cameras took it."""
    moment: str
    """Photos of one rig and one moment were taken together."""
    cam_from_rig: Rigid
    """The same for all photos of one sensor, as they are upright."""


def looking_from_one_place(rigs: Mapping[str, RigPhoto]) -> dict[str, str]:
    """Photos of one moment by cameras whose centres coincide: a word that they have in common.

    By photo id; photos that have a place of their own are missing.
    """
    found: dict[str, str] = {}
    for (_, moment), members in by_moment(rigs).items():
        shifts = np.array([rigs[photo_id].cam_from_rig.translation for photo_id in members])
        if len(members) > 1 and not shifts.any():
            found |= dict.fromkeys(members, moment)
    return found


@dataclass(frozen=True)
class Baseline:
    """What tells the scale of photos that a rig took: the camera that is farthest from the first.

    Error bars are one standard deviation.
    """

    metres: float
    metres_std: float
    turn_std_deg: float
    """Of how it is turned against the first camera; seen at a distance it is worth depth."""


def by_moment(rigs: Mapping[str, RigPhoto]) -> dict[tuple[str, str], list[str]]:
    """The ids of the photos that were taken together, by rig and moment."""
    found: dict[tuple[str, str], list[str]] = {}
    for photo_id, place in rigs.items():
        found.setdefault((place.rig, place.moment), []).append(photo_id)
    return found
