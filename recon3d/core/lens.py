"""Lens models: points in front of the camera -> pixels, with derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from jaxtyping import Float, Inexact

from recon3d.core.camera import Distortion, DistortionModel, Intrinsics, PinholeCamera

LensName = Literal[
    "pinhole", "radial1", "radial2", "brown", "rational", "thin-prism", "fisheye", "division"
]

# Derivatives by a complex step (Squire and Trapp 1998) are exact to the last digit.
_STEP = 1e-30
_TINY = 1e-24


@dataclass(frozen=True)
class Lens:
    """A family of lenses."""

    name: LensName
    distortion: DistortionModel
    coefficients: tuple[str, ...]
    words: str
    starts_from: LensName | None
    """The simpler lens whose solution this one's search starts from."""


LENSES: Mapping[LensName, Lens] = MappingProxyType(
    {
        lens.name: lens
        for lens in (
            Lens("pinhole", "none", (), "no distortion", None),
            Lens("radial1", "radial", ("k1",), "radial distortion, 1 number", "pinhole"),
            Lens("radial2", "radial", ("k1", "k2"), "radial distortion, 2 numbers", "radial1"),
            Lens(
                "brown",
                "brown",
                ("k1", "k2", "p1", "p2", "k3"),
                "radial and tangential distortion, 5 numbers",
                "radial2",
            ),
            Lens(
                "rational",
                "brown",
                ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
                "rational distortion, 8 numbers",
                "brown",
            ),
            Lens(
                "thin-prism",
                "brown",
                ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4"),
                "rational and thin-prism distortion, 12 numbers",
                "rational",
            ),
            Lens("division", "division", ("k",), "division model, 1 number", "pinhole"),
            Lens(
                "fisheye",
                "fisheye",
                ("k1", "k2", "k3", "k4"),
                "fisheye (Kannala and Brandt), 4 numbers",
                None,
            ),
        )
    }
)
FOCAL_AND_CENTRE = ("fx", "fy", "cx", "cy")


def intrinsics_of(
    lens: Lens, values: Float[np.ndarray, "p"], width_px: int, height_px: int
) -> Intrinsics:
    """The core type of fx, fy, cx, cy and the coefficients."""
    fx, fy, cx, cy, *coefficients = (float(value) for value in values)
    return Intrinsics(
        PinholeCamera(width_px, height_px, fx, fy, cx, cy),
        Distortion(lens.distortion, tuple(coefficients)),
    )


def project(
    lens: Lens, values: Float[np.ndarray, "p"], points_cam: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 2"]:
    """Pixels of points in the camera frame; NaN where the lens does not see them."""
    return _bend(lens, values[4:], points_cam) * values[:2] + values[2:4]


def project_with_slopes(
    lens: Lens, values: Float[np.ndarray, "p"], points_cam: Float[np.ndarray, "n 3"]
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2 p"], Float[np.ndarray, "n 2 3"]]:
    """Pixels, and their derivatives by the lens's values and by the points."""
    focal, k = values[:2], values[4:]
    bent = _bend(lens, k, points_cam)
    by_values = np.zeros((len(points_cam), 2, len(values)))
    by_values[:, 0, 0], by_values[:, 1, 1] = bent[:, 0], bent[:, 1]
    by_values[:, 0, 2] = by_values[:, 1, 3] = 1
    by_point = np.empty((len(points_cam), 2, 3))
    for i in range(3):
        step = np.zeros(3, complex)
        step[i] = 1j * _STEP
        by_point[:, :, i] = _bend(lens, k, points_cam + step).imag / _STEP * focal
    for i in range(len(k)):
        moved = k.astype(complex)
        moved[i] += 1j * _STEP
        by_values[:, :, 4 + i] = _bend(lens, moved, points_cam).imag / _STEP * focal
    return bent * focal + values[2:4], by_values, by_point


def folds_over(lens: Lens, intrinsics: Intrinsics) -> bool:
    """Whether the lens maps two directions to one pixel somewhere in the photo.

    Such a solution fits the corners and bends everything else: it must not be used.
    """
    camera = intrinsics.pinhole
    corners = np.array(
        [[x, y] for x in (0, camera.width_px) for y in (0, camera.height_px)], np.float64
    )
    reach = np.linalg.norm(
        (corners - [camera.cx_px, camera.cy_px]) / [camera.fx_px, camera.fy_px], axis=1
    ).max()
    # Pictures are undistorted to less than 90 degrees; beyond, a fisheye may do as it likes.
    angle = np.linspace(0, np.pi / 2 if lens.distortion == "fisheye" else np.arctan(8.0), 4000)
    rays = np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], axis=1)
    radius = _bend(lens, np.array(_without_tangential(intrinsics.distortion)), rays)[:, 0]
    with np.errstate(invalid="ignore"):
        falling = np.flatnonzero(~(np.diff(radius) > 0))
    return bool(len(falling) and radius[falling[0]] < reach)


def _without_tangential(distortion: Distortion) -> tuple[float, ...]:
    k = distortion.coefficients
    return (*k[:2], 0.0, 0.0, *k[4:8]) if distortion.model == "brown" else k


def _bend(
    lens: Lens, k: Inexact[np.ndarray, "c"], points_cam: Inexact[np.ndarray, "n 3"]
) -> Inexact[np.ndarray, "n 2"]:
    """Where rays pass the plane at distance 1, after the lens has bent them."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return _BENDS[lens.distortion](k, points_cam)


def _perspective(k: np.ndarray, points_cam: np.ndarray) -> np.ndarray:
    ahead = np.where(points_cam[:, 2].real > 0, points_cam[:, 2], np.nan)
    return points_cam[:, :2] / ahead[:, None]


def _radial(k: np.ndarray, points_cam: np.ndarray) -> np.ndarray:
    xy = _perspective(k, points_cam)
    r2 = (xy**2).sum(axis=1, keepdims=True)
    k1, k2 = np.concatenate([k, np.zeros(2 - len(k))])
    return xy * (1 + r2 * (k1 + r2 * k2))


def _brown(k: np.ndarray, points_cam: np.ndarray) -> np.ndarray:
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = np.concatenate([k, np.zeros(12 - len(k))])
    xy = _perspective(k, points_cam)
    x, y = xy[:, 0], xy[:, 1]
    r2 = x * x + y * y
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + r2 * (s1 + s2 * r2),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + r2 * (s3 + s4 * r2),
        ],
        axis=1,
    )


def _fisheye(k: np.ndarray, points_cam: np.ndarray) -> np.ndarray:
    x, y, z = points_cam.T
    # _TINY keeps the root smooth on the axis itself.
    r = np.sqrt(x * x + y * y + _TINY)
    # Half the angle: holds beyond 90 degrees too, and arctan2 knows no complex numbers.
    angle = 2 * np.arctan(r / (np.sqrt(r * r + z * z) + z))
    a2 = angle * angle
    bent = angle * (1 + a2 * (k[0] + a2 * (k[1] + a2 * (k[2] + a2 * k[3]))))
    return np.stack([x, y], axis=1) * (bent / r)[:, None]


def _division(k: np.ndarray, points_cam: np.ndarray) -> np.ndarray:
    xy = _perspective(k, points_cam)
    inside = 1 - 4 * k[0] * (xy**2).sum(axis=1, keepdims=True)
    return 2 * xy / (1 + np.sqrt(np.where(inside.real > 0, inside, np.nan)))


_BENDS: Mapping[DistortionModel, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "none": _perspective,
    "radial": _radial,
    "brown": _brown,
    "fisheye": _fisheye,
    "division": _division,
}
