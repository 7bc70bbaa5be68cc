"""A table with printed markers, photographed from around: cameras and pictures are exact."""

from __future__ import annotations

import cv2
import numpy as np

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import View
from recon3d.core.transform import Rigid

CAMERA = PinholeCamera(640, 480, 620.0, 620.0, 320.0, 240.0)
_OVERSAMPLED = 4


def around(count: int, radius: float, height: float, arc_deg: float = 200.0) -> list[View]:
    """Cameras on an arc, held level, that look at the origin of a z-up world."""
    views = []
    for number, angle in enumerate(np.radians(np.linspace(0, arc_deg, count))):
        centre = np.array([radius * np.sin(angle), -radius * np.cos(angle), height])
        forward = -centre / np.linalg.norm(centre)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        views.append(View(f"{number:02d}.jpg", CAMERA, Rigid(rotation, -rotation @ centre)))
    return views


def marker_corners(middle: np.ndarray, edge: float, turn_deg: float) -> np.ndarray:
    """The corners of a marker that lies on the table, in OpenCV's order."""
    cosine, sine = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    square = np.array([[-0.5, 0.5], [0.5, 0.5], [0.5, -0.5], [-0.5, -0.5]]) * edge
    xy = square @ np.array([[cosine, sine], [-sine, cosine]]) + middle
    return np.column_stack([xy, np.zeros(4)])


def photograph(
    view: View, markers: list[tuple[np.ndarray, int]], dictionary: int, rng: np.random.Generator
) -> np.ndarray:
    """A blurred and noisy picture of markers (corners, number) on a light table."""
    size = (CAMERA.width_px * _OVERSAMPLED, CAMERA.height_px * _OVERSAMPLED)
    picture = np.full(size[::-1], 205, np.uint8)
    for corners, number in markers:
        code = cv2.aruco.generateImageMarker(
            cv2.aruco.getPredefinedDictionary(dictionary), number, 200
        )
        sheet = cv2.copyMakeBorder(code, 50, 50, 50, 50, cv2.BORDER_CONSTANT, value=235)
        on_sheet = np.array([[50, 50], [250, 50], [250, 250], [50, 250]], np.float32) - 0.5
        points_cam = view.cam_from_world @ corners
        shown = points_cam[:, :2] / points_cam[:, 2:] * CAMERA.fx_px + [CAMERA.cx_px, CAMERA.cy_px]
        warp = cv2.getPerspectiveTransform(
            on_sheet, (shown * _OVERSAMPLED - 0.5).astype(np.float32)
        )
        seen = cv2.warpPerspective(np.full_like(sheet, 255), warp, size) > 127
        picture[seen] = cv2.warpPerspective(sheet, warp, size, flags=cv2.INTER_LINEAR)[seen]
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8 * _OVERSAMPLED)
    grey = cv2.resize(picture, None, fx=1 / _OVERSAMPLED, fy=1 / _OVERSAMPLED,
                      interpolation=cv2.INTER_AREA).astype(np.float64)  # fmt: skip
    noisy = np.clip(grey + rng.normal(0, 3, grey.shape), 0, 255).astype(np.uint8)
    return np.repeat(noisy[..., None], 3, axis=2)
