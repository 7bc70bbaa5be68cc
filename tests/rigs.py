"""Rigs that were never built, before boards that were never printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from boards import SIZE, VALUES
from recon3d_calib.board import Board
from recon3d_calib.calibrate import Calibration, calibrate
from recon3d_calib.detection import Detection, Look

from recon3d.core.lens import LENSES, project
from recon3d.core.transform import Rigid, rotations_from_axis_angle
from recon3d.photos.moments import Moments, group_moments
from recon3d.run.task import CancelToken, Task, silent

NAMES = ("left", "right", "back", "far")
VALUES_OF_ALL = np.array(VALUES["radial1"])


def place(turn: tuple[float, float, float], shift: tuple[float, float, float]) -> Rigid:
    """cam_from_first, in squares."""
    return Rigid(rotations_from_axis_angle(np.array([turn]))[0], np.array(shift))


THREE = (
    Rigid.identity(),
    place((0.02, -0.1, 0.01), (-3.0, 0.1, 0.2)),
    place((-0.05, 0.25, 0.02), (3.0, 0.5, 0.4)),
)
# In a row, each looking further to the right: the last sees nothing of what the first sees.
CHAIN = tuple(
    place((0.01 * number, -0.3 * number, 0.0), (-1.5 * number, 0.2 * number, 0.3 * number))
    for number in range(4)
)


@dataclass(frozen=True, eq=False)
class Shots:
    """What the cameras of a rig saw."""

    board: Board
    looks: dict[str, list[Look]]

    @property
    def moments(self) -> Moments:
        """By the names of the photos."""
        return group_moments({n: [look.photo_id for look in s] for n, s in self.looks.items()})

    def calibrated(self) -> dict[str, Calibration]:
        """Each camera for itself."""
        return {
            name: calibrate(looks, self.board, task(), lens="radial1")
            for name, looks in self.looks.items()
        }


def task() -> Task:
    """One that nobody listens to."""
    return Task("rig", silent, CancelToken())


def shoot(
    places: Sequence[Rigid],
    moments: int,
    rng: np.random.Generator,
    noise_px: float = 0.1,
    board: Board | None = None,
) -> Shots:
    """Boards in the sight of two cameras or more; every third photo is counted from its end."""
    board = board or Board(columns=9, rows=6, square_mm=20)
    flat = np.pad(board.points - board.points.mean(axis=0), ((0, 0), (0, 1)))
    looks: dict[str, list[Look]] = {name: [] for name in NAMES[: len(places)]}
    taken = 0
    while taken < moments:
        # Each camera in turn has it about in the middle.
        cam_from_first = places[taken % len(places)]
        turn = rotations_from_axis_angle(rng.uniform(-0.6, 0.6, (1, 3)))[0]
        away = np.array([*rng.uniform(-6, 6, 2), rng.uniform(9, 16)])
        first = cam_from_first.inverse() @ (flat @ turn.T + away)
        seen = {
            name: uv
            for name, stand in zip(looks, places, strict=True)
            if (uv := seen_by(stand, first)) is not None
        }
        if len(seen) < 2:
            continue
        for number, (name, uv) in enumerate(seen.items()):
            points_px = uv + rng.normal(0, noise_px, uv.shape)
            if number and taken % 3 == 0:
                points_px = points_px[::-1]
            looks[name].append(look(f"{taken:03}.jpg", points_px, board))
        taken += 1
    return Shots(board, looks)


def seen_by(cam_from_first: Rigid, points_first: np.ndarray) -> np.ndarray | None:
    """The corners in pixels; None where some are out of sight."""
    uv = project(LENSES["radial1"], VALUES_OF_ALL, cam_from_first @ points_first)
    inside = np.isfinite(uv).all() and (uv > 5).all() and (uv < np.array(SIZE) - 5).all()
    return uv if inside else None


def look(photo_id: str, points_px: np.ndarray, board: Board) -> Look:
    """A photo in which the whole board was found."""
    numbers = np.arange(len(board.points))
    return Look(photo_id, Detection(photo_id, *SIZE, points_px, board.points, numbers))
