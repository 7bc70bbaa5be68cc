"""Boards that were never printed, before cameras that are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from recon3d_calib.board import Board
from recon3d_calib.detection import Detection, Look

from recon3d.core.lens import LENSES, LensName, project
from recon3d.core.transform import rotations_from_axis_angle

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
    lens: LensName, photos: int, rng: np.random.Generator, noise_px: float, sag: float = 0.0
) -> tuple[Board, list[Look]]:
    """A chessboard in many places before a lens, every corner within the picture.

    sag: by how much the middle of its upper and lower edge lies behind their ends, in squares.
    """
    board = Board(columns=9, rows=6)
    values = np.array(VALUES[lens], float)
    flat = np.concatenate([board.points - board.points.mean(axis=0), np.zeros((54, 1))], axis=1)
    flat[:, 2] = sag * (flat[:, 0] / flat[:, 0].max()) ** 2
    looks: list[Look] = []
    while len(looks) < photos:
        turn = rotations_from_axis_angle(rng.uniform(-0.7, 0.7, (1, 3)))[0]
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


TAG_PX = 120


def kalibr_page(
    columns: int, rows: int, gap: float = 0.3, *, upwards: bool = True, squares: bool = True
) -> np.ndarray:
    """A page as kalibr_create_target_pdf draws it: a tag is 120 pixels, around all are two gaps.

    Kalibr's tags are OpenCV's turned by 180 degrees, with a border of two cells.
    """
    family = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
    gap_px = round(gap * TAG_PX)
    step = TAG_PX + gap_px
    page = np.full((rows * step + 3 * gap_px, columns * step + 3 * gap_px), 255, np.uint8)
    for number in range(columns * rows):
        row, column = divmod(number, columns)
        x, y = 2 * gap_px + column * step, 2 * gap_px + (rows - 1 - row if upwards else row) * step
        code = cv2.aruco.generateImageMarker(family, number, 10, borderBits=2)
        tag = np.kron(code[::-1, ::-1], np.ones((TAG_PX // 10,) * 2, np.uint8))
        page[y : y + TAG_PX, x : x + TAG_PX] = tag
        for beside, above in ((dx, dy) for dx in (-gap_px, TAG_PX) for dy in (-gap_px, TAG_PX)):
            if squares:
                page[y + above :, x + beside :][:gap_px, :gap_px] = 0
    return page


class Darkroom:
    """Takes photos of pages through a lens with one coefficient of radial distortion."""

    def __init__(self, focal_px: float, k1: float, size: tuple[int, int]) -> None:
        self._size = size
        # Twice as fine as the photo, whose pixels average over their area.
        x, y = (np.arange(2 * side, dtype=np.float64) / 2 + 0.25 for side in size)
        pixels = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 1, 2)
        centre = (size[0] / 2, size[1] / 2)
        matrix = np.array([[focal_px, 0, centre[0]], [0, focal_px, centre[1]], [0, 0, 1]])
        flat = cv2.undistortPoints(pixels, matrix, np.array([k1, 0, 0, 0]))[:, 0]
        self._rays = np.concatenate([flat, np.ones((len(flat), 1))], axis=1)

    def photo(
        self, page: np.ndarray, turn: tuple[float, float, float], away: tuple[float, float, float]
    ) -> np.ndarray:
        """A photo of a page around whose middle it is turned, in widths of the page away."""
        height, width = page.shape
        rotation, _ = cv2.Rodrigues(np.array(turn))
        onto = np.linalg.inv(np.stack([rotation[:, 0], rotation[:, 1], np.array(away)], axis=1))
        shown = self._rays @ onto.T
        places = shown[:, :2] / shown[:, 2:] * width + [width / 2 - 0.5, height / 2 - 0.5]
        across, down = 2 * self._size[0], 2 * self._size[1]
        grid = places.reshape(down, across, 2).astype(np.float32)
        fine = cv2.remap(page, grid, None, cv2.INTER_AREA, borderValue=255)
        return cv2.GaussianBlur(
            cv2.resize(fine, self._size, interpolation=cv2.INTER_AREA), (3, 3), 0.5
        )
