"""Suggestions as one photographer tells them to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from jaxtyping import Float

from recon3d.core.printable import printable
from recon3d.core.scene import View
from recon3d.core.transform import Rigid
from recon3d.view_planning.candidates import neighbours
from recon3d.view_planning.measure import Weakness
from recon3d.view_planning.suggest import Suggestion

_WHY: dict[Weakness, str] = {
    Weakness.UNSEEN: "no photo shows {}",
    Weakness.ONE_PHOTO: "{} is in one photo only",
    Weakness.TWO_PHOTOS: "{} is in two photos only",
    Weakness.INFERRED: "{} is guessed, not measured",
    Weakness.OBLIQUE: "{} was seen at a slant only",
    Weakness.NARROW: "{} was seen from one direction only",
    Weakness.FAR: "{} was seen from far away only",
}
_NEARER = 0.2
"""A change of the distance to what is looked at that is worth a word."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What places are told by: the photos and the model, upright."""

    views: Sequence[View]
    upright_from_world: Rigid
    """As `georef.upright` makes it: x right, y the way the photos look, z up."""
    low: Float[np.ndarray, "3"]
    high: Float[np.ndarray, "3"]
    """Corners of the upright box around the model."""
    metres_per_unit: float | None
    """Without it lengths are told in steps: from one photo to the next."""

    def tell(self, suggestion: Suggestion) -> str:
        """Where to stand and why, in a sentence."""
        why = _WHY[suggestion.weakness].format(self._place(suggestion.centre_world))
        first_name, second_name, moved = self._stand(suggestion)
        if not second_name:
            return (
                f"Beside {first_name}, {moved}: {why}." if moved else f"Beside {first_name}: {why}."
            )
        if moved:
            return f"Between {first_name} and {second_name}, {moved}: {why}."
        return f"Between {first_name} and {second_name}: {why}."

    def _stand(self, suggestion: Suggestion) -> tuple[str, str, str]:
        """One or two photos to stand at, and where from there."""
        centre_world, pivot_world = suggestion.view.centre_world, suggestion.pivot_world
        index, other = neighbours(centre_world, pivot_world, self.views)
        first = self.views[index]
        step = _step(np.stack([view.centre_world for view in self.views]))
        moved = self.upright_from_world.rotation @ (centre_world - first.centre_world)
        right, up = self._axes(first)[[0, 2]] @ moved
        away, before = (
            float(np.linalg.norm(place - pivot_world))
            for place in (centre_world, first.centre_world)
        )
        name, parts = _name(first), []
        if other is not None and abs(right) > 0.75 * step:
            parts.append(f"{self._length(abs(right), step)} away from {name}")
        if other is None and abs(right) > 0.3 * step:
            length = self._length(abs(right), step)
            parts.append(f"{length} to the {'right' if right > 0 else 'left'}")
        if abs(up) > 0.25 * step:
            if abs(up) < step:
                parts.append(f"a little {'higher' if up > 0 else 'lower'}")
            else:
                parts.append("higher up" if up > 0 else "lower down")
        if abs(before - away) > _NEARER * before:
            length = self._length(abs(before - away), step)
            parts.append(f"{length} {'nearer' if away < before else 'back'}")
        return name, "" if other is None else _name(self.views[other]), ", ".join(parts)

    def _axes(self, view: View) -> Float[np.ndarray, "3 3"]:
        """Right, forward and up of somebody who stands level behind a camera."""
        up = np.array([0.0, 0.0, 1.0])
        turned = self.upright_from_world.rotation @ view.cam_from_world.rotation.T
        # The optical axis, or of a photo straight down the picture's own up.
        along = next(a for a in (turned[:, 2], -turned[:, 1]) if np.hypot(a[0], a[1]) > 0.2)
        forward = np.array([along[0], along[1], 0.0]) / np.hypot(along[0], along[1])
        return np.stack([np.cross(forward, up), forward, up])

    def _length(self, length: float, step: float) -> str:
        if self.metres_per_unit is not None:
            return f"{length * self.metres_per_unit:.2g} m"
        if length < 0.75 * step:
            return "half a step"
        steps = round(length / step)
        return "one step" if steps == 1 else f"{steps} steps"

    def _place(self, point_world: Float[np.ndarray, "3"]) -> str:
        share = (self.upright_from_world @ point_world - self.low) / np.maximum(
            self.high - self.low, 1e-12
        )
        words = [
            _third(share[2], "at the bottom", "at the top"),
            _third(share[0], "on the left", "on the right"),
            _third(share[1], "at the front", "at the back"),
        ]
        return f"the part of the model {', '.join(filter(None, words)) or 'in the middle'}"


def _step(centres: Float[np.ndarray, "n 3"]) -> float:
    """How far a photo usually is from the one nearest to it."""
    if len(centres) < 2:
        return 1.0
    from scipy.spatial import cKDTree

    away, _ = cKDTree(centres).query(centres, k=2)
    return max(float(np.median(away[:, 1])), 1e-12)


def _third(share: float, first: str, last: str) -> str:
    return first if share < 1 / 3 else last if share > 2 / 3 else ""


def _name(view: View) -> str:
    return printable(PurePosixPath(view.photo_id).name)
