"""Camera paths as people walk them; world z up, cameras x right, y down, z forward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon3d.depth.synthetic.scene import Stage
from recon3d.depth.synthetic.shapes import Array, yaw_matrix

_EYES_TRIED = 30


@dataclass(frozen=True, eq=False)
class PosedCamera:
    """One camera: intrinsics and pose, float64."""

    matrix: Array
    cam_from_world: Array


def draw_matrix(rng: np.random.Generator, width_px: int, height_px: int) -> Array:
    """Intrinsics of a random lens, 40 to 85 degrees across the longer side."""
    angle = np.deg2rad(rng.uniform(40, 85))
    focal_px = max(width_px, height_px) / 2 / np.tan(angle / 2)
    aspect = 1 + rng.normal() * 0.003
    cx_px = width_px * (0.5 + np.clip(rng.normal(), -2, 2) * 0.012)
    cy_px = height_px * (0.5 + np.clip(rng.normal(), -2, 2) * 0.012)
    return np.array([[focal_px, 0, cx_px], [0, focal_px * aspect, cy_px], [0, 0, 1]])


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """Where a path starts; its steps are only known once one sees how far things are."""

    eye: Array
    target: Array
    matrix: Array

    def shot(self) -> PosedCamera:
        """The camera there, level."""
        return PosedCamera(self.matrix, look_at(self.eye, self.target, 0.0))


def draw_viewpoint(
    rng: np.random.Generator, stage: Stage, width_px: int, height_px: int
) -> Viewpoint:
    """A place on the stage and something to look at."""
    target = stage.targets[rng.integers(len(stage.targets))]
    target = target + rng.normal(size=3) * 0.1 * stage.away[0]
    for _ in range(_EYES_TRIED):
        eye = rng.uniform(*stage.eyes)
        if stage.away[0] < np.linalg.norm(eye - target) < stage.away[1]:
            break
    return Viewpoint(eye, target, draw_matrix(rng, width_px, height_px))


def draw_path(
    rng: np.random.Generator, start: Viewpoint, stage: Stage, views: int, median_depth: float
) -> list[PosedCamera]:
    """Cameras around `start`, which comes first; the others alternate outwards on both sides.

    Neighbours see a point at the median depth under 3 to 25 degrees, one draw per path.
    """
    angle = np.deg2rad(3.0 * (25.0 / 3.0) ** rng.uniform())
    forward = start.target - start.eye
    forward = forward / np.linalg.norm(forward)
    pivot = start.eye + forward * median_depth
    heading = _heading(rng, forward, stage)
    keeps_looking = rng.uniform(0.3, 1.0)
    unsteady = rng.uniform(0.0, 0.04)
    tilted = 0.03 if rng.random() < 0.8 else 0.15
    shots = []
    for number in range(views):
        place = (number + 1) // 2 * (1 if number % 2 else -1)
        turn = place * angle * (1 + rng.uniform(-0.25, 0.25))
        if stage.motion == "orbit":
            eye = pivot + yaw_matrix(turn) @ (start.eye - pivot)
            eye[2] += rng.normal() * median_depth * angle * 0.3
            aim = pivot.copy()
        else:
            eye = start.eye + heading * np.tan(np.clip(turn, -1.2, 1.2)) * median_depth
            aim = pivot + (eye - start.eye) * (1 - keeps_looking)
        if number:
            eye = eye + rng.normal(size=3) * median_depth * angle * 0.12
            aim = aim + rng.normal(size=3) * median_depth * unsteady
        shots.append(PosedCamera(start.matrix, look_at(eye, aim, rng.normal() * tilted)))
    return shots


def look_at(eye: Array, target: Array, roll: float) -> Array:
    """cam_from_world (4, 4) of a camera at `eye`; roll in radians."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    if np.linalg.norm(right) < 1e-3:
        right = np.array([1.0, 0.0, 0.0])
    right = right / np.linalg.norm(right)
    rows = np.stack([right, np.cross(forward, right), forward])
    rotation = yaw_matrix(roll) @ rows
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = -rotation @ eye
    return pose


def _heading(rng: np.random.Generator, forward: Array, stage: Stage) -> Array:
    """Mostly sideways, sometimes forwards or up; drones keep their height."""
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right = right / max(np.linalg.norm(right), 1e-9)
    ahead = forward * [1, 1, 0]
    lift = 0.0 if stage.motion == "drone" else rng.normal() * 0.25
    heading = right * rng.choice([-1, 1]) + ahead * rng.normal() * 0.5 + [0, 0, lift]
    return heading / np.linalg.norm(heading)
