"""Rays of a photo -> the light that they bring, but for shadows."""

from __future__ import annotations

import math

import numpy as np

from town.facades import standing
from town.gardens import ground
from town.ground import GROUND, compiled


@compiled
def expose(
    rays: np.ndarray,
    along: np.ndarray,
    face: np.ndarray,
    weights: np.ndarray,
    town: tuple[np.ndarray, ...],
    sun: np.ndarray,
    seed: int,
    focal_px: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What rays (n, 6) bring from the faces that they meet: (by the sun, by the sky, from where).

    The first is as if nothing stood in the sun's way; the places (n, 3) lie just above the surface,
    so that a ray from there can ask. Directions have a length of 1 along the optical axis.
    """
    _, normals, uv, sky, material, owner = town
    count = len(rays)
    by_sun, by_sky = np.zeros((count, 3), np.float32), np.zeros((count, 3), np.float32)
    place = np.zeros((count, 3), np.float32)
    for k in range(count):
        f = face[k]
        b, c = weights[k, 0], weights[k, 1]
        a = 1 - b - c
        kind = material[f]
        t = np.float64(along[k])
        p = (rays[k, 0] + t * rays[k, 3], rays[k, 1] + t * rays[k, 4], rays[k, 2] + t * rays[k, 5])
        x = a * normals[f, 0, 0] + b * normals[f, 1, 0] + c * normals[f, 2, 0]
        y = a * normals[f, 0, 1] + b * normals[f, 1, 1] + c * normals[f, 2, 1]
        z = a * normals[f, 0, 2] + b * normals[f, 1, 2] + c * normals[f, 2, 2]
        size = math.sqrt(x * x + y * y + z * z)
        x, y, z = x / size, y / size, z / size
        facing = -(x * rays[k, 3] + y * rays[k, 4] + z * rays[k, 5])
        if facing < 0:
            x, y, z, facing = -x, -y, -z, -facing
        far = math.sqrt(rays[k, 3] ** 2 + rays[k, 4] ** 2 + rays[k, 5] ** 2)
        # A slanted surface is seen narrower one way only: the mean of both.
        width = t / focal_px / math.sqrt(max(facing / far, 0.15))
        u = a * uv[f, 0, 0] + b * uv[f, 1, 0] + c * uv[f, 2, 0]
        v = a * uv[f, 0, 1] + b * uv[f, 1, 1] + c * uv[f, 2, 1]
        if kind == GROUND:
            red, green, blue = ground(p[0], p[1], seed, width)
        else:
            red, green, blue = standing(kind, owner[f], p, u, v, width)
        open_sky = a * sky[f, 0] + b * sky[f, 1] + c * sky[f, 2]
        lit = max(x * sun[0] + y * sun[1] + z * sun[2], 0.0)
        up = open_sky * (0.5 + 0.5 * z)
        by_sun[k, 0], by_sun[k, 1], by_sun[k, 2] = (
            2.7 * lit * red,
            2.4 * lit * green,
            1.95 * lit * blue,
        )
        by_sky[k, 0] = red * (0.58 * up + 0.12)
        by_sky[k, 1] = green * (0.72 * up + 0.115)
        by_sky[k, 2] = blue * (0.95 * up + 0.1)
        place[k, 0] = p[0] + 0.01 * x
        place[k, 1] = p[1] + 0.01 * y
        place[k, 2] = p[2] + 0.01 * z
    return by_sun, by_sky, place
