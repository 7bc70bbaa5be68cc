"""Distorted pixels -> pixels of a pinhole camera."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, Float32, Shaped

from recon3d.core.camera import Intrinsics, PinholeCamera
from recon3d.io.colmap import colmap_from_intrinsics

_ROUNDS = 20


def undistorted_camera(intrinsics: Intrinsics, blank: float = 0.0) -> PinholeCamera:
    """The pinhole camera whose picture holds no blank pixel; its size may differ a little.

    blank: 1 keeps everything that the photo shows, with blank pixels around it; 0 keeps none.
    """
    from recon3d.io.colmap_library import pycolmap

    if not any(intrinsics.distortion.coefficients):
        return intrinsics.pinhole
    model, params = colmap_from_intrinsics(intrinsics)
    camera = pycolmap.undistort_camera(
        pycolmap.UndistortCameraOptions(blank_pixels=blank),
        pycolmap.Camera(
            model=model,
            width=intrinsics.pinhole.width_px,
            height=intrinsics.pinhole.height_px,
            params=params,
        ),
    )
    fx_px, fy_px, cx_px, cy_px = camera.params.tolist()
    return PinholeCamera(camera.width, camera.height, fx_px, fy_px, cx_px, cy_px)


def fit_nearest(values: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Values that must not be mixed, such as depth, at another (width, height)."""
    if values.shape[1::-1] == size_px:
        return values
    return np.asarray(cv2.resize(values, size_px, interpolation=cv2.INTER_NEAREST_EXACT))


def undistort_pixels(
    uv_px: Float[np.ndarray, "n 2"], intrinsics: Intrinsics, camera: PinholeCamera
) -> Float[np.ndarray, "n 2"]:
    """Where pixels of the photo as it was taken lie in the pinhole camera's picture."""
    if len(uv_px) == 0 or (
        camera == intrinsics.pinhole and not any(intrinsics.distortion.coefficients)
    ):
        return uv_px
    matrix, coefficients = _opencv_matrix(intrinsics.pinhole), _opencv_coefficients(intrinsics)
    lens = cv2.fisheye if intrinsics.distortion.model == "fisheye" else cv2
    stored = np.ascontiguousarray((uv_px - 0.5)[:, None], np.float64)
    rays = np.asarray(lens.undistortPoints(stored, matrix, coefficients))[:, 0]
    # OpenCV stops early enough to leave tenths of a pixel in wide lenses.
    for _ in range(_ROUNDS):
        rays = rays + (uv_px - _taken_px(rays, intrinsics)) / np.diag(matrix)[:2]
    return rays * [camera.fx_px, camera.fy_px] + [camera.cx_px, camera.cy_px]


def distort_pixels(
    uv_px: Float[np.ndarray, "n 2"], intrinsics: Intrinsics, camera: PinholeCamera
) -> Float[np.ndarray, "n 2"]:
    """Where pixels of the pinhole camera's picture lie in the photo as it was taken."""
    rays = (uv_px - [camera.cx_px, camera.cy_px]) / [camera.fx_px, camera.fy_px]
    return _taken_px(rays, intrinsics)


def _taken_px(rays: Float[np.ndarray, "n 2"], intrinsics: Intrinsics) -> Float[np.ndarray, "n 2"]:
    """Where the lens shows rays (x, y, 1) of the camera frame."""
    if len(rays) == 0:
        return rays
    matrix, coefficients = _opencv_matrix(intrinsics.pinhole), _opencv_coefficients(intrinsics)
    lens = cv2.fisheye if intrinsics.distortion.model == "fisheye" else cv2
    points = np.concatenate([rays, np.ones((len(rays), 1))], axis=1)[:, None]
    shown, _ = lens.projectPoints(points, np.zeros(3), np.zeros(3), matrix, coefficients)
    return np.asarray(shown)[:, 0] + 0.5


class Undistorter:
    """Resamples pictures, masks and depth of one camera, all through the same map."""

    def __init__(self, intrinsics: Intrinsics, camera: PinholeCamera) -> None:
        self._distorted_uv = _distorted_uv(intrinsics, camera)

    def smooth(self, pixels: Shaped[np.ndarray, "h w *c"]) -> Shaped[np.ndarray, "i j *c"]:
        """For colours: bicubic, which keeps the sharpness that depth is made from."""
        return self._remap(pixels, cv2.INTER_CUBIC)

    def nearest(self, pixels: Shaped[np.ndarray, "h w"]) -> Shaped[np.ndarray, "i j"]:
        """For masks and depth, whose values must not be mixed; outside becomes 0."""
        return self._remap(pixels, cv2.INTER_NEAREST)

    def _remap(self, pixels: np.ndarray, interpolation: int) -> np.ndarray:
        u, v = self._distorted_uv
        return np.asarray(cv2.remap(pixels, u, v, interpolation, borderMode=cv2.BORDER_CONSTANT))


def _distorted_uv(
    intrinsics: Intrinsics, camera: PinholeCamera
) -> tuple[Float32[np.ndarray, "i j"], Float32[np.ndarray, "i j"]]:
    """Where each pinhole pixel lies in the distorted picture, in OpenCV's convention."""
    source = _opencv_matrix(intrinsics.pinhole)
    target = _opencv_matrix(camera)
    size = (camera.width_px, camera.height_px)
    coefficients = _opencv_coefficients(intrinsics)
    if intrinsics.distortion.model == "fisheye":
        u, v = cv2.fisheye.initUndistortRectifyMap(
            source, coefficients, np.eye(3), target, size, cv2.CV_32FC1
        )
    else:
        u, v = cv2.initUndistortRectifyMap(
            source, coefficients, np.eye(3), target, size, cv2.CV_32FC1
        )
    return np.asarray(u), np.asarray(v)


def _opencv_coefficients(intrinsics: Intrinsics) -> np.ndarray:
    """As many as OpenCV's model takes; those that are not given are 0."""
    distortion = intrinsics.distortion
    padded = np.zeros(4 if distortion.model == "fisheye" else 8)
    padded[: len(distortion.coefficients)] = distortion.coefficients
    return padded


def _opencv_matrix(camera: PinholeCamera) -> np.ndarray:
    """OpenCV puts the centre of the first pixel at (0, 0), we at (0.5, 0.5)."""
    matrix = camera.matrix
    matrix[:2, 2] -= 0.5
    return matrix
