"""Which part of space a model is wanted of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.scene import PosedScene
from recon3d.core.transform import Similarity
from recon3d.segmentation.orbit import axes_of, focus_of

_REACH = 3.0
"""Kept around what the cameras circle, in their own distances from it."""
_MIN_VIEWS = 5
_MIN_TURN = 0.05
"""Variance of the viewing directions sideways, at the least: they spread by some 13 degrees."""
_MAX_MISS = 0.35
"""Median distance at which the cameras' axes pass the focus, in their distances from it."""
_MIN_IN_FRONT = 0.9
_MIN_POINTS = 0.5
"""Share of the sightings of sparse points that must lie inside."""


@dataclass(frozen=True, eq=False)
class Box:
    """A box that may stand in the world at any angle: between low and high of its own frame.

    The frame is that of an export, whose coordinates a person reads off; or any other, turned as
    someone who drags a box by its handles likes it.
    """

    frame_from_world: Similarity
    low: Float[np.ndarray, "3"]
    high: Float[np.ndarray, "3"]

    def holds(self, points_world: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        """Which points lie inside or on the box."""
        inside = self.frame_from_world @ points_world.astype(np.float64)
        within = (inside >= self.low) & (inside <= self.high)
        return np.asarray(within.all(1))


@dataclass(frozen=True, eq=False)
class Ball:
    """Everything within a radius."""

    centre_world: Float[np.ndarray, "3"]
    radius: float

    def holds(self, points_world: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        """Which points lie inside or on the ball."""
        away = np.linalg.norm(points_world - self.centre_world, axis=1)
        held: np.ndarray = away <= self.radius
        return held


def region_of_interest(scene: PosedScene) -> Ball | None:
    """What the cameras circle, with three times their distance around it; None: no such place.

    Only where the cameras' axes meet in front of them and most look from different directions is
    there something that they circle. Photos along a facade, from the air straight down, or of a
    room from its middle have no such place, and all they saw is wanted.
    """
    views = scene.views
    if len(views) < _MIN_VIEWS:
        return None
    focus, turn = focus_of(views)
    if turn < _MIN_TURN:
        return None
    to_focus = focus - np.stack([view.centre_world for view in views])
    distance = np.linalg.norm(to_focus, axis=1)
    along = (to_focus * axes_of(views)).sum(1)
    miss = np.sqrt(np.maximum(distance**2 - along**2, 0))
    if (along > 0).mean() < _MIN_IN_FRONT or np.median(miss / distance) > _MAX_MISS:
        return None
    ball = Ball(focus, _REACH * float(np.median(distance)))
    sighted = scene.points.xyz_world[scene.points.observations[:, 0]]
    return ball if len(sighted) and ball.holds(sighted).mean() >= _MIN_POINTS else None
