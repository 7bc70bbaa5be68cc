"""ArUco and AprilTag markers in pictures, by OpenCV."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from recon3d.core.errors import ConfigError

_GRIDS = ("4x4", "5x5", "6x6", "7x7")
_SIZES = (50, 100, 250, 1000)
_OPENCV_NAMES = {
    **{f"aruco_{grid}_{size}": f"{grid.upper()}_{size}" for grid in _GRIDS for size in _SIZES},
    "aruco_original": "ARUCO_ORIGINAL",
    "aruco_mip_36h12": "ARUCO_MIP_36h12",
    **{f"apriltag_{code}": f"APRILTAG_{code}" for code in ("16h5", "25h9", "36h10", "36h11")},
}
_USUAL = (
    "aruco_4x4_50", "aruco_5x5_100", "aruco_6x6_250", "aruco_7x7_1000", "aruco_original",
    "aruco_mip_36h12", "apriltag_36h11", "apriltag_25h9", "apriltag_16h5",
)  # fmt: skip
# Shorter edges have corners that are not worth the name.
_LEAST_EDGE_PX = 12.0
_ROUNDS = 3
_MOST_MOVED_PX = 4.0
# Grey levels between the square and the paper.
_LEAST_STEP = 20.0


@dataclass(frozen=True, eq=False)
class Marker:
    """One marker in one picture."""

    family: str
    number: int
    corners_px: Float[np.ndarray, "4 2"]
    """Outer corners of the black square, clockwise from the one that the pattern calls first."""


def check_family(name: str, setting: str) -> None:
    """Refuse a family that OpenCV does not know.

    Raises:
        ConfigError: names the nearest one.
    """
    if name != "auto" and name not in _OPENCV_NAMES:
        near = difflib.get_close_matches(name, _OPENCV_NAMES, n=1, cutoff=0.0)[0]
        raise ConfigError(
            f'{setting} is "{name}", but there are no such markers.',
            hint=f"Did you mean {near}? auto tries the usual families.",
        )


def marker_dictionary(family: str) -> Any:
    """OpenCV's patterns of a family that `check_family` knows."""
    import cv2

    # Newer versions of OpenCV write the codes in capitals only.
    known = {name.upper(): value for name, value in vars(cv2.aruco).items() if "DICT_" in name}
    return cv2.aruco.getPredefinedDictionary(known[f"DICT_{_OPENCV_NAMES[family]}".upper()])


def find_markers(rgb: UInt8[np.ndarray, "h w 3"], family: str) -> list[Marker]:
    """Every marker of a family in an undistorted picture; auto looks for the usual families."""
    import cv2

    parameters = cv2.aruco.DetectorParameters()
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    found = []
    for name in _USUAL if family == "auto" else (family,):
        detector = cv2.aruco.ArucoDetector(marker_dictionary(name), parameters)
        corners, numbers, _ = detector.detectMarkers(grey)
        for corners_px, number in zip(corners, () if numbers is None else numbers, strict=True):
            square = np.asarray(corners_px, np.float64).reshape(4, 2)
            sharp = sharpened_square(grey, square)
            if sharp is not None:
                # OpenCV puts the centre of the first pixel at (0, 0).
                found.append(Marker(name, int(np.ravel(number)[0]), sharp + 0.5))
    return found


def sharpened_square(
    grey: UInt8[np.ndarray, "h w"], square: Float[np.ndarray, "4 2"]
) -> Float[np.ndarray, "4 2"] | None:
    """Corners as the meeting of the lines along the square's edges; None where they are not seen.

    square: clockwise; here and in what is returned, the centre of the first pixel is (0, 0).
    OpenCV's own refinement looks at the corners, which blur rounds off: it measured squares 1 to
    3 % too small, where this is within 0.1 %.
    """
    lines = []
    for _ in range(_ROUNDS):
        lines = [_edge_line(grey, square[i], square[(i + 1) % 4]) for i in range(4)]
        found = [line for line in lines if line is not None]
        if len(found) < 4:
            return None
        # Corner i lies on the edge that ends there and on the one that starts there.
        pairs = zip(np.roll(found, 1, axis=0), np.array(found), strict=True)
        corners = [np.linalg.solve(np.stack([a[:2], b[:2]]), [a[2], b[2]]) for a, b in pairs]
        moved = np.linalg.norm(np.stack(corners) - square, axis=1)
        square = np.stack(corners)
        if moved.max() > _MOST_MOVED_PX:
            return None
    return square


def _edge_line(
    grey: UInt8[np.ndarray, "h w"], start: Float[np.ndarray, "2"], end: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "3"] | None:
    """(normal x, normal y, offset) of the brightest step beside the line from start to end."""
    import cv2

    length = float(np.linalg.norm(end - start))
    if length < _LEAST_EDGE_PX:
        return None
    along = (end - start) / length
    normal = np.array([along[1], -along[0]])
    # Beside the border, whose width is at least a ninth of the edge, other edges follow.
    reach = float(np.clip(length / 10, 1.5, 4.0))
    steps = np.arange(-reach, reach + 0.01, 0.25)
    shares = np.linspace(0.12, 0.88, int(np.clip(length, 12, 60)))
    where = (start + shares[:, None] * (end - start))[:, None] + steps[:, None] * normal
    uv = where.astype(np.float32)
    profile = cv2.remap(grey.astype(np.float32), uv[..., 0], uv[..., 1], cv2.INTER_LINEAR,
                        borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    slope = np.maximum(np.diff(profile, axis=1), 0)
    middles = (steps[1:] + steps[:-1]) / 2
    slope = np.maximum(slope - 0.2 * slope.max(axis=1, keepdims=True), 0)
    weight = slope.sum(axis=1)
    if np.median(weight) < _LEAST_STEP:
        return None
    offset = slope @ middles / np.maximum(weight, 1e-9)
    line = np.polynomial.Polynomial.fit(shares, offset, 1, w=_robust(offset) * np.sqrt(weight))
    points = (
        start + np.outer([0.0, 1.0], end - start) + np.outer(line(np.array([0.0, 1.0])), normal)
    )
    direction = points[1] - points[0]
    across = np.array([direction[1], -direction[0]]) / np.linalg.norm(direction)
    return np.array([*across, across @ points[0]])


def _robust(offset: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    away = np.abs(offset - np.median(offset))
    return np.asarray(1 / (1 + (away / (2 * np.median(away) + 0.05)) ** 2))
