"""Pinhole cameras; pixel centres lie at half-integers, the first one at (0.5, 0.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.errors import ShapeMismatchError

DistortionModel = Literal["none", "radial", "brown", "fisheye", "division"]


GUESSED_FOCAL = 1.2
"""Focal length as a share of the photo's longer side where nobody knows it: 45 degrees across."""


@dataclass(frozen=True)
class PinholeCamera:
    """A camera without distortion; looks along +z, x right, y down."""

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float

    def __post_init__(self) -> None:
        """Refuse sizes and focal lengths that no camera has."""
        if self.width_px < 1 or self.height_px < 1:
            raise ValueError(f"size: got {self.width_px}x{self.height_px}, expected 1x1 or more")
        values = (self.fx_px, self.fy_px, self.cx_px, self.cy_px)
        if not all(np.isfinite(values)) or self.fx_px <= 0 or self.fy_px <= 0:
            raise ValueError(f"fx, fy, cx, cy: got {values}, expected finite and focal > 0")

    @classmethod
    def centred(cls, width_px: int, height_px: int, focal_px: float) -> PinholeCamera:
        """Square pixels, and the principal point in the middle."""
        return cls(width_px, height_px, focal_px, focal_px, width_px / 2, height_px / 2)

    @property
    def matrix(self) -> Float[np.ndarray, "3 3"]:
        """K in the (0.5, 0.5) convention."""
        return np.array(
            [[self.fx_px, 0, self.cx_px], [0, self.fy_px, self.cy_px], [0, 0, 1]], np.float64
        )

    def resized(self, width_px: int, height_px: int) -> PinholeCamera:
        """The camera of the same photo resampled to another size."""
        sx, sy = width_px / self.width_px, height_px / self.height_px
        return PinholeCamera(
            width_px, height_px, self.fx_px * sx, self.fy_px * sy, self.cx_px * sx, self.cy_px * sy
        )

    def fitted(self, longest_px: int) -> PinholeCamera:
        """Resized so that the longer side is at most longest_px; never enlarged."""
        factor = min(1.0, longest_px / max(self.width_px, self.height_px))
        width_px = max(1, round(self.width_px * factor))
        return self.resized(width_px, max(1, round(self.height_px * factor)))


@dataclass(frozen=True)
class Distortion:
    """Lens distortion of a photo; exists only before undistortion.

    Coefficients by model, OpenCV's names and order:
        none     ()
        radial   (k1) or (k1, k2)
        brown    (k1, k2, p1, p2[, k3[, k4, k5, k6[, s1, s2, s3, s4]]]), the last four thin prism
        fisheye  (k1, k2, k3, k4), Kannala and Brandt 2006
        division (k), undistorted = distorted / (1 + k r^2), r of the distorted (Fitzgibbon 2001)
    """

    model: DistortionModel = "none"
    coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a number of coefficients that the model does not have."""
        sizes = {
            "none": {0}, "radial": {1, 2}, "brown": {4, 5, 8, 12}, "fisheye": {4}, "division": {1},
        }[self.model]  # fmt: skip
        if len(self.coefficients) not in sizes:
            raise ValueError(
                f"coefficients: got {len(self.coefficients)} for {self.model}, expected {sizes}"
            )
        if not all(np.isfinite(self.coefficients)):
            raise ValueError(f"coefficients: got {self.coefficients}, expected finite values")


@dataclass(frozen=True)
class Intrinsics:
    """A camera as it took the photo: pinhole plus distortion."""

    pinhole: PinholeCamera
    distortion: Distortion = Distortion()


def pixel_rays(camera: PinholeCamera) -> Float[np.ndarray, "h w 3"]:
    """The direction of every pixel in the camera frame with z = 1."""
    x = (np.arange(camera.width_px) + 0.5 - camera.cx_px) / camera.fx_px
    y = (np.arange(camera.height_px) + 0.5 - camera.cy_px) / camera.fy_px
    grid_x, grid_y = np.meshgrid(x, y)
    return np.stack([grid_x, grid_y, np.ones_like(grid_x)], axis=-1)


def backproject(
    depth_z: Float[np.ndarray, "h w"], camera: PinholeCamera
) -> Float[np.ndarray, "h w 3"]:
    """Lift every pixel to its 3D point in the camera frame.

    depth_z is the distance along the optical axis (not along the ray), in scene units; 0 marks
    an unknown pixel and gives NaN. Pixel centres lie at half-integers (DESIGN.md, "Pixels").

    Raises:
        ShapeMismatchError: depth_z and camera disagree on the image size.
    """
    if depth_z.shape != (camera.height_px, camera.width_px):
        raise ShapeMismatchError(
            f"depth_z: got {depth_z.shape}, expected {(camera.height_px, camera.width_px)}"
        )
    known = np.where(depth_z > 0, depth_z, np.nan).astype(np.float64)
    return pixel_rays(camera) * known[..., None]


def project(
    points_cam: Float[np.ndarray, "*n 3"], camera: PinholeCamera
) -> tuple[Float[np.ndarray, "*n 2"], Float[np.ndarray, "*n"]]:
    """Project points of the camera frame to (uv_px, depth_z); behind the camera gives NaN uv."""
    depth_z = points_cam[..., 2]
    safe = np.where(depth_z > 0, depth_z, np.nan)
    u = points_cam[..., 0] / safe * camera.fx_px + camera.cx_px
    v = points_cam[..., 1] / safe * camera.fy_px + camera.cy_px
    return np.stack([u, v], axis=-1), depth_z


def in_picture(uv_px: Float[np.ndarray, "*n 2"], camera: PinholeCamera) -> Bool[np.ndarray, "*n"]:
    """Which places lie on a pixel of the camera; those that are no numbers do not."""
    with np.errstate(invalid="ignore"):
        size = (camera.width_px, camera.height_px)
        inside: np.ndarray = np.all((uv_px >= 0) & (uv_px < size), axis=-1)
    return inside
