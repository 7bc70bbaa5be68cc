"""Reading one frame's files; whatever is wrong with them is told with the file's name."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from recon3d.core.camera import PinholeCamera
from recon3d.core.errors import InputError
from recon3d.depth.mono.frames import Frame
from recon3d.photos.depth_images import read_depth_m
from recon3d.photos.documents import read_array
from recon3d.photos.naming import PHOTO_SUFFIXES
from recon3d.photos.pictures import read_upright

_GUESSED_VIEW_DEG = 60


def photos_in(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by file name, sorted; none where there is no such folder."""
    if not folder.is_dir():
        return {}
    return {p.name: p for p in sorted(folder.iterdir()) if p.suffix.lower() in PHOTO_SUFFIXES}


def read_rgb(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """A photo.

    Raises:
        InputError: it is missing or broken.
    """
    try:
        return read_upright(path)
    except InputError as error:
        raise InputError(f"{path}: {error}", hint=error.hint) from error


def read_depth(path: Path, levels_per_metre: float = 1000) -> Float32[np.ndarray, "h w"]:
    """Metres from a 16-bit picture or from the floats of an .npy file; 0 = unknown.

    In an .npy file NaN, infinity and what is not above 0 are unknown too.

    Raises:
        InputError: the file is missing, broken, or holds no depth map.
    """
    if path.suffix.lower() == ".npy":
        return _read_npy(path)
    try:
        return read_depth_m(path, 1 / levels_per_metre)
    except InputError as error:
        raise InputError(f"{path}: {error}", hint=error.hint) from error


def frame_of(
    name: str,
    rgb: UInt8[np.ndarray, "h w 3"],
    depth_z: Float32[np.ndarray, "h w"],
    camera: PinholeCamera | None,
) -> Frame:
    """Bring photo and camera to the depth map's size.

    Args:
        name: For messages, and what the frame will be called.
        rgb: The photo, of any size with the depth map's aspect ratio.
        depth_z: 0 = unknown.
        camera: Of the photo or of the depth map; None = a guess.

    Raises:
        InputError: the shapes differ in aspect ratio, or no depth is known.
    """
    import cv2

    height, width = depth_z.shape
    rgb_height, rgb_width = rgb.shape[:2]
    # Registered depth may lack a few rows or columns of its photo, but never 3 %.
    if abs(rgb_width / rgb_height * height / width - 1) > 0.03:
        raise InputError(
            f"{name}: the photo is {rgb_width}x{rgb_height}, its depth map {width}x{height}.",
            hint="Depth must be registered to the photo, so that both show the same.",
        )
    if not (depth_z > 0).any():
        raise InputError(f"{name}: its depth map knows no depth at all.")
    if (rgb_width, rgb_height) != (width, height):
        smaller = width < rgb_width
        method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        rgb = np.asarray(cv2.resize(rgb, (width, height), interpolation=method))
    fitted = guessed_camera(width, height) if camera is None else camera.resized(width, height)
    return Frame(name, rgb, depth_z, fitted)


def guessed_camera(width_px: int, height_px: int) -> PinholeCamera:
    """A camera that sees 60 degrees along its longer side, as many phones nearly do."""
    focal_px = max(width_px, height_px) / 2 / math.tan(math.radians(_GUESSED_VIEW_DEG / 2))
    return PinholeCamera(width_px, height_px, focal_px, focal_px, width_px / 2, height_px / 2)


def read_matrix(path: Path) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy in our convention from a text of 3x3 or 4x4 numbers in OpenCV's.

    Raises:
        InputError: it is no such text.
    """
    try:
        matrix = np.loadtxt(path, dtype=np.float64, ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a camera matrix: {error}.") from error
    if matrix.shape not in ((3, 3), (4, 4)) or not np.isfinite(matrix).all() or matrix[0, 0] <= 0:
        raise InputError(f"{path} is not a camera matrix of 3x3 or 4x4 numbers.")
    # OpenCV puts the first pixel's centre at (0, 0).
    return (*matrix.diagonal()[:2].tolist(), matrix[0, 2] + 0.5, matrix[1, 2] + 0.5)


def _read_npy(path: Path) -> Float32[np.ndarray, "h w"]:
    try:
        depth = read_array(path)
    except ValueError as error:
        raise InputError(f"{path} is broken or no NumPy file: {error}.") from error
    depth = depth[..., 0] if depth.ndim == 3 and depth.shape[2] == 1 else depth
    if depth.ndim != 2 or depth.size == 0 or depth.dtype.kind not in "fiu":
        raise InputError(
            f"{path} holds {depth.dtype} values of shape {depth.shape}, which is no depth map.",
            hint="Expected: metres as numbers, height x width.",
        )
    depth = depth.astype(np.float32)
    return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0))
