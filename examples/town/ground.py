"""The plan of the town: noise, hills, streets, and what each block between them is.

All functions are of places in metres, x east and y north, and of a seed; the town has no end.
Those that photos ask for every pixel are compiled by numba.
"""

from __future__ import annotations

import math

import numba
import numpy as np

# Not kept on disk: numba would not notice a change in another file that is called.
compiled = numba.njit(nogil=True, error_model="numpy")


BLOCK_U, BLOCK_V = 78.0, 62.0
"""Metres between the middles of neighbouring streets."""
ROAD, VERGE = 3.0, 4.6
"""Metres from the middle of a street to its curb, and to where the plots begin."""
HOUSES, DENSE, PARK, FIELD, WOOD = range(5)
GROUND, WALL, TILES, FLAT, LEAVES, PAINTED, GLASS, WOODEN, BRICK = range(9)

Colour = tuple[float, float, float]
"""Linear RGB."""


# One version for all: numba would compile it anew for each literal number.
@numba.njit("float64(int64, int64, int64)", nogil=True, error_model="numpy")
def chance(i: int, j: int, k: int) -> float:
    """A repeatable number in 0..1 for whole numbers."""
    mixed = (i * 374761393 + j * 668265263 + k * 1442695041 + 1013904223) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 15)) * 2246822519) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 13)) * 3266489917) & 0xFFFFFFFF
    return ((mixed ^ (mixed >> 16)) & 0xFFFFFF) / 16777216.0


@compiled
def noise(x: float, y: float, seed: int) -> float:
    """Smooth noise in -1..1 that varies over lengths of 1."""
    i, j = math.floor(x), math.floor(y)
    a, b = x - i, y - j
    a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
    low = chance(i, j, seed) * (1 - a) + chance(i + 1, j, seed) * a
    high = chance(i, j + 1, seed) * (1 - a) + chance(i + 1, j + 1, seed) * a
    return 2 * (low * (1 - b) + high * b) - 1


@numba.njit(
    "float64(float64, float64, float64, int64, int64, float64)", nogil=True, error_model="numpy"
)
def octaves(x: float, y: float, longest: float, count: int, seed: int, width: float) -> float:
    """Noises of half the length each, mostly in -1..1; those finer than `width` fade out.

    A pixel so wide shows their mean, which is 0; drawing them all the same would flicker.
    """
    total, gain = 0.0, 1.0
    for k in range(count):
        length = longest / (1 << k)
        share = min(1.0, length / width - 1)
        if share <= 0:
            break
        # Turned, so that the lattices of neighbouring octaves do not line up.
        along, across = (0.8 * x - 0.6 * y) / length, (0.6 * x + 0.8 * y) / length
        total += gain * share * noise(along + 3.7 * k, across - 5.3 * k, seed + k)
        gain *= 0.7
    return total


@compiled
def height(x: float, y: float, seed: int) -> float:
    """Of the ground above its mean, metres."""
    far = noise(x / 190, y / 190, seed + 11)
    near = noise(x / 83, y / 83, seed + 12)
    return 7 * far + 3 * near + 0.5 * noise(x / 21, y / 21, seed + 13)


@compiled
def streets(x: float, y: float, seed: int) -> tuple[float, float]:
    """Places in a plan whose streets are straight: they run where u or v is whole blocks."""
    u = x + 10 * noise(x / 170, y / 170, seed + 21) + 1.5 * noise(x / 47, y / 47, seed + 22)
    v = y + 10 * noise(x / 170, y / 170, seed + 23) + 1.5 * noise(x / 47, y / 47, seed + 24)
    return u, v


@compiled
def land_use(i: int, j: int, seed: int) -> int:
    """What the block between the streets i and i + 1, j and j + 1 is."""
    wide = noise(0.47 * i + 0.31, 0.47 * j + 0.77, seed + 31)
    if wide < -0.3:
        return FIELD
    drawn = chance(i, j, seed + 32)
    if drawn < 0.08:
        return WOOD
    if drawn < 0.16:
        return PARK
    return DENSE if wide > 0.3 else HOUSES


@compiled
def heights(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """`height` of arrays (n,)."""
    out = np.empty(len(x))
    for k in range(len(x)):
        out[k] = height(x[k], y[k], seed)
    return out


@compiled
def place(u: float, v: float, seed: int) -> tuple[float, float]:
    """Where a place of the plan is: `streets` backwards."""
    x, y = u, v
    # The streets bend by less than a third, so each step is three times closer.
    for _ in range(20):
        at_u, at_v = streets(x, y, seed)
        x, y = x + u - at_u, y + v - at_v
    return x, y


@compiled
def mix(a: Colour, b: Colour, share: float) -> Colour:
    s = min(max(share, 0.0), 1.0)
    return a[0] + (b[0] - a[0]) * s, a[1] + (b[1] - a[1]) * s, a[2] + (b[2] - a[2]) * s


@compiled
def dim(a: Colour, factor: float) -> Colour:
    return a[0] * factor, a[1] * factor, a[2] * factor


@compiled
def line(distance: float, half: float, width: float) -> float:
    """How much of a pixel a line covers, 0..1."""
    return min(max((half + width / 2 - abs(distance)) / width, 0.0), min(1.0, 2 * half / width))


@compiled
def away(value: float, pitch: float) -> float:
    """Distance to the nearest multiple of pitch."""
    return abs(value - pitch * math.floor(value / pitch + 0.5))
