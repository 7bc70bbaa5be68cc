"""Exact pictures of two textured walls that meet in a corner."""

from __future__ import annotations

import cv2
import numpy as np

from recon3d.core.camera import PinholeCamera
from recon3d.core.transform import Rigid

CAMERA = PinholeCamera(480, 360, 450.0, 450.0, 240.0, 180.0)


def look_at(centre: np.ndarray) -> Rigid:
    """A camera that looks at a point 5 in front of the origin."""
    forward = np.array([0.0, 0.0, 5.0]) - centre
    forward /= np.linalg.norm(forward)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return Rigid(rotation, -rotation @ centre)


def _with_marker(texture: np.ndarray, number: int) -> np.ndarray:
    """A printed marker on white paper, square on the wall, which is 2.83 wide and 3 high."""
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    code = cv2.aruco.generateImageMarker(dictionary, number, 120)
    sheet = cv2.copyMakeBorder(code, 25, 25, 25, 25, cv2.BORDER_CONSTANT, value=255)
    sheet = cv2.resize(sheet, (180, 170), interpolation=cv2.INTER_AREA)
    found = texture.copy()
    found[365:535, 360:540] = cv2.GaussianBlur(sheet, (0, 0), 2)
    return found


def corner(
    pose: Rigid, seed: int, camera: PinholeCamera = CAMERA, markers: tuple[int, ...] = ()
) -> np.ndarray:
    """Two walls that meet in a corner, exactly: each is a homography of its texture.

    markers: The number of the marker that hangs on each wall; none does without.
    """
    walls = (((-2.0, -1.5, 4.0), (2.0, 0.0, 2.0)), ((0.0, -1.5, 6.0), (2.0, 0.0, -2.0)))
    picture = np.full((360, 480), 90, np.uint8)
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    for number, (origin, across) in enumerate(walls):
        cells = np.random.default_rng([seed, number]).integers(0, 256, (30, 30)).astype(np.uint8)
        texture = cv2.resize(cells, (900, 900), interpolation=cv2.INTER_NEAREST)
        texture = cv2.GaussianBlur(texture, (0, 0), 2)
        if markers:
            texture = _with_marker(texture, markers[number])
        from_wall = np.column_stack([across, (0.0, 3.0, 0.0), origin]) / [[900, 900, 1]]
        from_wall = pose.rotation @ from_wall
        from_wall[:, 2] += pose.translation
        homography = half @ camera.matrix @ from_wall
        seen = cv2.warpPerspective(texture, homography, (480, 360), flags=cv2.INTER_AREA)
        solid = cv2.warpPerspective(np.full_like(texture, 255), homography, (480, 360))
        picture = np.where(solid > 127, seen, picture)
    return picture


def poses_of(name: str, count: int) -> dict[str, Rigid]:
    return {
        f"{name}{n}.jpg": look_at(np.array([x, 0.3 * (n % 2), 0.0]))
        for n, x in enumerate(np.linspace(-1.2, 1.2, count))
    }
