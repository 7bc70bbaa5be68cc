"""ArUco and AprilTag markers in pictures, by OpenCV."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

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


def find_markers(rgb: UInt8[np.ndarray, "h w 3"], family: str) -> list[Marker]:
    """Every marker of a family in an undistorted picture; auto looks for the usual families."""
    import cv2

    # Newer versions of OpenCV write the codes in capitals only.
    known = {name.upper(): value for name, value in vars(cv2.aruco).items() if "DICT_" in name}
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    found = []
    for name in _USUAL if family == "auto" else (family,):
        dictionary = cv2.aruco.getPredefinedDictionary(known[f"DICT_{_OPENCV_NAMES[name]}".upper()])
        corners, numbers, _ = cv2.aruco.ArucoDetector(dictionary, parameters).detectMarkers(grey)
        for corners_px, number in zip(corners, () if numbers is None else numbers, strict=True):
            # OpenCV puts the centre of the first pixel at (0, 0).
            square = np.asarray(corners_px, np.float64).reshape(4, 2) + 0.5
            edges_px = np.linalg.norm(square - np.roll(square, 1, axis=0), axis=1)
            if edges_px.min() >= _LEAST_EDGE_PX:
                found.append(Marker(name, int(np.ravel(number)[0]), square))
    return found
