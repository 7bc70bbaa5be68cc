"""How well two photos agree through a surface, and how that changes with its depth.

Zero-mean normalised cross-correlation in windows around every pixel of photo A, between A and
photo B carried over to A through the surface, and the exact derivative of its sum by every
carried-over grey (Pons, Keriven and Faugeras 2007; Vu, Labatut, Pons and Keriven 2012). Compiled by
numba; the tests compare with differences of the plain formula.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32

from recon3d.core.scene import View
from recon3d.run.compiled import compiled
from recon3d.surface.photometric.looks import Look

_RADIUS_PX = 3
_LEAST_FILLED = 30
"""Pixels of a window of 49 that must show surface common to both photos."""
_NOISE = 0.0015
"""Variance of greys from 0 to 1 at which a window counts half (Vu et al. 2012)."""
_LEAST_VARIANCE = 1e-5
_SAME_DEPTH = 0.01
"""Share of the depth by which what B sees may differ from the surface and still be the same."""
_LEAST_COSINE = 0.15
"""Between ray and normal: flatter than this a pixel says nothing of the surface."""


@dataclass(frozen=True, eq=False)
class CarriedOver:
    """Photo B as A would see it through the surface; pixels of A."""

    grey: Float32[np.ndarray, "h w"]
    slope: Float32[np.ndarray, "h w"]
    """Change of grey with A's depth_z."""
    squared_parallax: Float32[np.ndarray, "h w"]
    """Square of the pixels in B that a unit of A's depth_z is worth."""
    common: Bool[np.ndarray, "h w"]
    """Where both see the surface; the others hold zeros."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Sums over the windows; with them the derivative by the grey b at a pixel is linear in b."""

    alpha: Float32[np.ndarray, "h w"]
    beta: Float32[np.ndarray, "h w"]
    gamma: Float32[np.ndarray, "h w"]
    """The weighted sum of correlations changes by A's grey x sum of alpha - b x sum of beta + sum
    of gamma, sums going over the windows that hold the pixel."""
    stiffness: Float32[np.ndarray, "h w"]
    """The sum over the same windows is the second derivative by b (Gauss-Newton)."""
    disagreement: float
    """Weighted sum of 1 - correlation."""
    weight: float


@dataclass(frozen=True, eq=False)
class Push:
    """What photos say of every vertex's way along its normal, d, in scene units."""

    gradient: Float64[np.ndarray, "v"]
    """Of the photos' disagreement by d."""
    stiffness: Float64[np.ndarray, "v"]
    """About its second derivative."""
    squared_parallax: Float64[np.ndarray, "v"]
    """Sum over the vertex's pixels of the squared pixels in the other photo that a unit of d is
    worth."""
    pixels: Float64[np.ndarray, "v"]
    """In how many the vertex takes part, over all pairs."""

    @staticmethod
    def none(vertices: int) -> Push:
        """Of no photo."""
        return Push(*(np.zeros(vertices) for _ in range(4)))

    def add(self, other: Push) -> None:
        """Add in place what another pair of photos says."""
        for name, mine in vars(self).items():
            mine += getattr(other, name)


def carry_over(look_a: Look, look_b: Look, a: View, b: View) -> CarriedOver:
    """Photo B through the surface that A sees; what B does not see or A not safely is left out.

    Args:
        look_a: What A shows, with its camera at that size.
        look_b: The same of B.
        a: The view of A, whose place counts.
        b: The view of B.
    """
    b_from_a = b.cam_from_world @ a.cam_from_world.inverse()
    shape = look_a.depth_z.shape
    grey, slope, parallax = (np.zeros(shape, np.float32) for _ in range(3))
    common = np.zeros(shape, bool)
    _carry(
        look_a.depth_z, look_a.usable, look_a.pinhole, b_from_a.rotation, b_from_a.translation,
        look_b.pinhole, look_b.grey, look_b.depth_z, grey, slope, parallax, common,
    )  # fmt: skip
    return CarriedOver(grey, slope, parallax, common)


def correlate(
    grey_a: Float32[np.ndarray, "h w"],
    grey_b: Float32[np.ndarray, "h w"],
    common: Bool[np.ndarray, "h w"],
) -> Windows:
    """Correlate every window of two pictures of the same pixels, greys from 0 to 1."""
    alpha, beta, gamma, stiffness = (np.zeros(grey_a.shape, np.float32) for _ in range(4))
    maps = (alpha, beta, gamma, stiffness)
    disagreement, weight = _correlate(grey_a, grey_b, common, *maps)
    return Windows(*maps, disagreement, weight)


def derivative(
    grey_a: Float32[np.ndarray, "h w"],
    grey_b: Float32[np.ndarray, "h w"],
    windows: Windows,
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """By every grey of B: of the weighted sum of 1 - correlation, first and second derivative."""
    first, second = (np.zeros(grey_a.shape, np.float32) for _ in range(2))
    maps = (windows.alpha, windows.beta, windows.gamma, windows.stiffness)
    _derive(grey_a, grey_b, *maps, first, second)
    return first, second


def push(
    look: Look,
    carried: CarriedOver,
    first: Float32[np.ndarray, "h w"],
    second: Float32[np.ndarray, "h w"],
    rays_world: Float32[np.ndarray, "h w 3"],
    faces: Int32[np.ndarray, "f 3"],
    face_normals: Float64[np.ndarray, "f 3"],
    vertex_normals: Float64[np.ndarray, "v 3"],
) -> Push:
    """Hand what pixels say to the corners of the faces they show, by their share of the pixel."""
    found = Push.none(len(vertex_normals))
    _scatter(
        carried.slope, carried.squared_parallax, carried.common, first, second, look.face,
        look.weights, rays_world, faces, face_normals, vertex_normals,
        found.gradient, found.stiffness, found.squared_parallax, found.pixels,
    )  # fmt: skip
    return found


@compiled
def _cubic(f):
    """Catmull and Rom's weights of four neighbours for a place f after the second."""
    return (
        0.5 * f * (-1 + f * (2 - f)),
        0.5 * (2 + f * f * (-5 + 3 * f)),
        0.5 * f * (1 + f * (4 - 3 * f)),
        0.5 * f * f * (f - 1),
    )


@compiled
def _cubic_slope(f):
    return (
        0.5 * (-1 + f * (4 - 3 * f)),
        0.5 * f * (-10 + 9 * f),
        0.5 * (1 + f * (8 - 9 * f)),
        0.5 * f * (-2 + 3 * f),
    )


@compiled
def _carry(
    depth_z, usable, pinhole_a, rotation, shift, pinhole_b, grey_b, depth_b,
    grey, slope, parallax, common,
):  # fmt: skip
    fx, fy, cx, cy = pinhole_b
    rows, columns = grey_b.shape
    for y in range(depth_z.shape[0]):
        ray_y = (y + 0.5 - pinhole_a[3]) / pinhole_a[1]
        for x in range(depth_z.shape[1]):
            if not usable[y, x]:
                continue
            ray_x = (x + 0.5 - pinhole_a[2]) / pinhole_a[0]
            dx = rotation[0, 0] * ray_x + rotation[0, 1] * ray_y + rotation[0, 2]
            dy = rotation[1, 0] * ray_x + rotation[1, 1] * ray_y + rotation[1, 2]
            dz = rotation[2, 0] * ray_x + rotation[2, 1] * ray_y + rotation[2, 2]
            z = dz * depth_z[y, x] + shift[2]
            if z <= 1e-9:
                continue
            across = (dx * depth_z[y, x] + shift[0]) / z
            down = (dy * depth_z[y, x] + shift[1]) / z
            # Of array indices: the first pixel's centre is (0, 0).
            u, v = fx * across + cx - 0.5, fy * down + cy - 0.5
            if not (u >= 1 and v >= 1 and u < columns - 2 and v < rows - 2):
                continue
            seen_z = depth_b[int(v + 0.5), int(u + 0.5)]
            if not (seen_z > 0 and abs(seen_z - z) < _SAME_DEPTH * z):
                continue
            left, top = int(u), int(v)
            weights_u, weights_v = _cubic(u - left), _cubic(v - top)
            slopes_u, slopes_v = _cubic_slope(u - left), _cubic_slope(v - top)
            value, along_u, along_v = 0.0, 0.0, 0.0
            for j in range(4):
                line, line_slope = 0.0, 0.0
                for i in range(4):
                    g = grey_b[top - 1 + j, left - 1 + i]
                    line += weights_u[i] * g
                    line_slope += slopes_u[i] * g
                value += weights_v[j] * line
                along_u += weights_v[j] * line_slope
                along_v += slopes_v[j] * line
            u_per_z = fx * (dx - across * dz) / z
            v_per_z = fy * (dy - down * dz) / z
            grey[y, x] = value
            slope[y, x] = along_u * u_per_z + along_v * v_per_z
            parallax[y, x] = u_per_z**2 + v_per_z**2
            common[y, x] = True


@compiled
def _correlate(grey_a, grey_b, common, alpha, beta, gamma, stiffness):
    rows, columns = grey_a.shape
    r = _RADIUS_PX
    disagreement, total = 0.0, 0.0
    # Sums over each column of the row of windows: count, a, b, aa, bb, ab.
    sums = np.zeros((6, columns))
    window = np.zeros(6)
    for y in range(-r, rows):
        for x in range(columns):
            for row, sign in ((y + r, 1.0), (y - r - 1, -1.0)):
                if 0 <= row < rows and common[row, x]:
                    a, b = np.float64(grey_a[row, x]), np.float64(grey_b[row, x])
                    sums[0, x] += sign
                    sums[1, x] += sign * a
                    sums[2, x] += sign * b
                    sums[3, x] += sign * a * a
                    sums[4, x] += sign * b * b
                    sums[5, x] += sign * a * b
        if y < 0:
            continue
        window[:] = 0
        for x in range(-r, columns):
            for k in range(6):
                if x + r < columns:
                    window[k] += sums[k, x + r]
                if x - r - 1 >= 0:
                    window[k] -= sums[k, x - r - 1]
            if x < 0 or not common[y, x] or window[0] < _LEAST_FILLED - 0.5:
                continue
            n = window[0]
            mean_a, mean_b = window[1] / n, window[2] / n
            var_a = window[3] / n - mean_a * mean_a
            var_b = window[4] / n - mean_b * mean_b
            least = min(var_a, var_b)
            if least < _LEAST_VARIANCE:
                continue
            weight = least / (least + _NOISE)
            scale = 1 / np.sqrt(var_a * var_b)
            correlation = (window[5] / n - mean_a * mean_b) * scale
            disagreement += weight * (1 - correlation)
            total += weight
            stiffness[y, x] = weight / (var_b * n)
            if correlation > 0:  # else something else is seen: nothing to climb towards
                alpha[y, x] = weight * scale / n
                beta[y, x] = weight * correlation / (var_b * n)
                gamma[y, x] = beta[y, x] * mean_b - alpha[y, x] * mean_a
    return disagreement, total


@compiled
def _derive(grey_a, grey_b, alpha, beta, gamma, stiffness, first, second):
    rows, columns = grey_a.shape
    r = _RADIUS_PX
    sums = np.zeros((4, columns))
    window = np.zeros(4)
    for y in range(-r, rows):
        for x in range(columns):
            for row, sign in ((y + r, 1.0), (y - r - 1, -1.0)):
                if 0 <= row < rows:
                    sums[0, x] += sign * alpha[row, x]
                    sums[1, x] += sign * beta[row, x]
                    sums[2, x] += sign * gamma[row, x]
                    sums[3, x] += sign * stiffness[row, x]
        if y < 0:
            continue
        window[:] = 0
        for x in range(-r, columns):
            for k in range(4):
                if x + r < columns:
                    window[k] += sums[k, x + r]
                if x - r - 1 >= 0:
                    window[k] -= sums[k, x - r - 1]
            if x >= 0:
                first[y, x] = grey_b[y, x] * window[1] - grey_a[y, x] * window[0] - window[2]
                second[y, x] = max(window[3], 0.0)


@compiled
def _scatter(
    slope, parallax, common, first, second, face, weights, rays, faces, face_normals, normals,
    gradient, stiffness, squared_parallax, pixels,
):  # fmt: skip
    for y in range(slope.shape[0]):
        for x in range(slope.shape[1]):
            if not common[y, x]:
                continue
            f = face[y, x]
            rx, ry, rz = rays[y, x, 0], rays[y, x, 1], rays[y, x, 2]
            nx, ny, nz = face_normals[f, 0], face_normals[f, 1], face_normals[f, 2]
            facing = rx * nx + ry * ny + rz * nz
            if facing > -_LEAST_COSINE * np.sqrt(rx * rx + ry * ry + rz * rz):
                continue
            by_z = first[y, x] * slope[y, x]
            by_z_twice = second[y, x] * slope[y, x] * slope[y, x]
            for k in range(3):
                v = faces[f, k]
                share = weights[y, x, k - 1] if k else 1 - weights[y, x, 0] - weights[y, x, 1]
                share = max(share, 0.0)
                # Depth on the ray when the face moves along the vertex's normal.
                z_per_d = (normals[v, 0] * nx + normals[v, 1] * ny + normals[v, 2] * nz) / facing
                gradient[v] += share * z_per_d * by_z
                # Not share squared: what neighbours do together must not be overshot.
                stiffness[v] += share * z_per_d * z_per_d * by_z_twice
                squared_parallax[v] += share * z_per_d * z_per_d * parallax[y, x]
                pixels[v] += share
