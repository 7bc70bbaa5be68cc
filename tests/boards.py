"""Boards that were never printed, before cameras that are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from recon3d_calib.adjust import rotations_of
from recon3d_calib.board import Board
from recon3d_calib.detection import Detection, Look
from recon3d_calib.lens import LENSES, LensName, project

SIZE = 1200, 900
VALUES: dict[LensName, list[float]] = {
    "pinhole": [1000, 1004, 610, 440],
    "radial1": [1000, 1004, 610, 440, -0.2],
    "radial2": [1000, 1004, 610, 440, -0.25, 0.1],
    "brown": [1000, 1004, 610, 440, -0.25, 0.1, 8e-4, -6e-4, -0.02],
    "rational": [1000, 1004, 610, 440, 0.4, 0.1, 5e-4, -3e-4, 0.01, 0.65, 0.15, 0.02],
    "thin-prism": [
        1000,
        1004,
        610,
        440,
        0.4,
        0.1,
        5e-4,
        -3e-4,
        0.01,
        0.65,
        0.15,
        0.02,
        4e-3,
        -2e-3,
        -3e-3,
        1e-3,
    ],
    "division": [1000, 1004, 610, 440, -0.25],
    "fisheye": [480, 483, 610, 440, -0.03, 0.012, -0.004, 0.0008],
}


def seen_boards(
    lens: LensName, photos: int, rng: np.random.Generator, noise_px: float
) -> tuple[Board, list[Look]]:
    """A chessboard in many places before a lens, every corner within the picture."""
    board = Board(columns=9, rows=6)
    values = np.array(VALUES[lens])
    flat = np.concatenate([board.points - board.points.mean(axis=0), np.zeros((54, 1))], axis=1)
    looks: list[Look] = []
    while len(looks) < photos:
        turn = rotations_of(rng.uniform(-0.7, 0.7, (1, 3)))[0]
        distance = rng.uniform(7, 16)
        reach = distance * (1.2 if lens == "fisheye" else 0.5)
        away = np.array([*rng.uniform(-reach, reach, 2), distance])
        points_px = project(LENSES[lens], values, flat @ turn.T + away)
        if not (np.isfinite(points_px).all() and _within(points_px)):
            continue
        noisy = points_px + rng.normal(0, noise_px, points_px.shape)
        detection = Detection(f"{len(looks):03}.jpg", *SIZE, noisy, board.points, np.arange(54))
        looks.append(Look(detection.photo_id, detection))
    return board, looks


def _within(points_px: np.ndarray) -> bool:
    return bool((points_px > 5).all() and (points_px < np.array(SIZE) - 5).all())


def render_boards(folder: Path) -> None:
    """Six photos of `chessboard_leaning` to different sides."""
    leans = [(0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5), (0.3, 0.4), (-0.4, 0.2)]
    for index, (lean_x, lean_y) in enumerate(leans):
        photo = chessboard_leaning((lean_y, lean_x, 0.05 * index))
        Image.fromarray(photo).save(folder / f"{index}.png")


def chessboard_leaning(
    turn: tuple[float, float, float], shift: tuple[float, float] = (0, 0)
) -> np.ndarray:
    """800x600 pixels of a chessboard of 6x4 corners; the focal length is 900.

    turn: axis times angle in radians. shift: right and down, in pixels about.
    """
    squares = np.indices((5, 7)).sum(axis=0) % 2 * 255
    page = np.pad(np.kron(squares, np.ones((60, 60))).astype(np.uint8), 60, constant_values=255)
    height, width = page.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    rotation, _ = cv2.Rodrigues(np.array(turn))
    flat = np.pad(corners - corners.mean(axis=0), ((0, 0), (0, 1)))
    away = flat @ rotation.T + [*shift, 900]
    shown = (away[:, :2] / away[:, 2:] * 900 + [400, 300]).astype(np.float32)
    warp = cv2.getPerspectiveTransform(corners, shown)
    return cv2.warpPerspective(page, warp, (800, 600), borderValue=200)
