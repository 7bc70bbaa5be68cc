"""Distorted pixels -> pixels of a pinhole camera."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Float, Float32, Shaped

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera, pixel_rays
from recon3d.core.scene import Photo, PosedScene, View
from recon3d.photos.colmap_cameras import colmap_from_intrinsics

_ROUNDS = 20


def undistorted_camera(intrinsics: Intrinsics, blank: float = 0.0) -> PinholeCamera:
    """The pinhole camera whose picture holds no blank pixel; its size may differ a little.

    blank: 1 keeps everything that the photo shows, with blank pixels around it; 0 keeps none.
    """
    from recon3d.sfm.pycolmap_library import pycolmap

    lens = intrinsics.distortion
    if not any(lens.coefficients):
        return intrinsics.pinhole
    if any(lens.coefficients[8:]):
        plain = replace(intrinsics, distortion=Distortion("brown", lens.coefficients[:8]))
        whole = undistorted_camera(plain, blank)
        return whole if blank else _without_rim(whole, intrinsics)
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


def _without_rim(camera: PinholeCamera, intrinsics: Intrinsics) -> PinholeCamera:
    """Cut off the lines at the border that thin-prism terms leave blank."""
    taken = intrinsics.pinhole
    most = np.array([taken.width_px, taken.height_px])
    while min(camera.width_px, camera.height_px) > 2:
        x, y = np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5
        rim = [np.stack([x, np.full_like(x, edge)], 1) for edge in (y[0], y[-1])]
        rim += [np.stack([np.full_like(y, edge), y], 1) for edge in (x[0], x[-1])]
        shown = distort_pixels(np.concatenate(rim), intrinsics, camera)
        if (shown >= 0).all() and (shown <= most).all():
            break
        camera = replace(
            camera,
            width_px=camera.width_px - 2,
            height_px=camera.height_px - 2,
            cx_px=camera.cx_px - 1,
            cy_px=camera.cy_px - 1,
        )
    return camera


def intrinsics_of(scene: PosedScene, photo: Photo, view: View) -> Intrinsics:
    """Of the photo as it was taken; a group may hold several lenses that the user gave."""
    for key, estimate in scene.cameras.items():
        if key.partition(" #")[0] != photo.camera_group.partition(" #")[0]:
            continue
        if undistorted_camera(estimate.intrinsics) == view.camera:
            return estimate.intrinsics
    return Intrinsics(view.camera.resized(photo.width_px, photo.height_px))


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
    if intrinsics.distortion.model == "division":
        rays = _straightened(_flat(uv_px, intrinsics.pinhole), *intrinsics.distortion.coefficients)
        return _shown(rays, camera)
    matrix, coefficients = _opencv_matrix(intrinsics.pinhole), _opencv_coefficients(intrinsics)
    lens = cv2.fisheye if intrinsics.distortion.model == "fisheye" else cv2
    stored = np.ascontiguousarray((uv_px - 0.5)[:, None], np.float64)
    rays = np.asarray(lens.undistortPoints(stored, matrix, coefficients))[:, 0]
    # OpenCV stops early enough to leave tenths of a pixel in wide lenses.
    for _ in range(_ROUNDS):
        rays = rays + (uv_px - _taken_px(rays, intrinsics)) / np.diag(matrix)[:2]
    return _shown(rays, camera)


def distort_pixels(
    uv_px: Float[np.ndarray, "n 2"], intrinsics: Intrinsics, camera: PinholeCamera
) -> Float[np.ndarray, "n 2"]:
    """Where pixels of the pinhole camera's picture lie in the photo as it was taken."""
    return _taken_px(_flat(uv_px, camera), intrinsics)


def _taken_px(rays: Float[np.ndarray, "n 2"], intrinsics: Intrinsics) -> Float[np.ndarray, "n 2"]:
    """Where the lens shows rays (x, y, 1) of the camera frame."""
    if len(rays) == 0:
        return rays
    if intrinsics.distortion.model == "division":
        return _shown(_bent(rays, *intrinsics.distortion.coefficients), intrinsics.pinhole)
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
    if intrinsics.distortion.model == "division":
        rays = pixel_rays(camera)[..., :2].reshape(-1, 2)
        uv = (_taken_px(rays, intrinsics) - 0.5).astype(np.float32)
        across, down = uv.T.reshape(2, camera.height_px, camera.width_px)
        return np.ascontiguousarray(across), np.ascontiguousarray(down)
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


def _bent(rays: Float[np.ndarray, "n 2"], k: float) -> Float[np.ndarray, "n 2"]:
    """Rays as a division lens shows them; NaN where it does not see them."""
    with np.errstate(invalid="ignore"):
        root = np.sqrt(1 - 4 * k * (rays**2).sum(axis=1, keepdims=True))
    return 2 * rays / (1 + root)


def _straightened(bent: Float[np.ndarray, "n 2"], k: float) -> Float[np.ndarray, "n 2"]:
    return bent / (1 + k * (bent**2).sum(axis=1, keepdims=True))


def _flat(uv_px: Float[np.ndarray, "n 2"], camera: PinholeCamera) -> Float[np.ndarray, "n 2"]:
    return (uv_px - [camera.cx_px, camera.cy_px]) / [camera.fx_px, camera.fy_px]


def _shown(rays: Float[np.ndarray, "n 2"], camera: PinholeCamera) -> Float[np.ndarray, "n 2"]:
    return rays * [camera.fx_px, camera.fy_px] + [camera.cx_px, camera.cy_px]


def _opencv_coefficients(intrinsics: Intrinsics) -> np.ndarray:
    """As many as OpenCV's model takes; those that are not given are 0."""
    distortion = intrinsics.distortion
    padded = np.zeros(4 if distortion.model == "fisheye" else 12)
    padded[: len(distortion.coefficients)] = distortion.coefficients
    return padded


def _opencv_matrix(camera: PinholeCamera) -> np.ndarray:
    """OpenCV puts the centre of the first pixel at (0, 0), we at (0.5, 0.5)."""
    matrix = camera.matrix
    matrix[:2, 2] -= 0.5
    return matrix
