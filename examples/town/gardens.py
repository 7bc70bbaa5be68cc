"""What the ground looks like: streets, gardens, fields, parks; linear RGB albedo of every place.

`width` is how wide a pixel is there, metres: nothing finer is drawn.
"""

from __future__ import annotations

import math

from town.ground import (
    BLOCK_U,
    BLOCK_V,
    DENSE,
    FIELD,
    HOUSES,
    PARK,
    ROAD,
    VERGE,
    Colour,
    away,
    chance,
    compiled,
    dim,
    land_use,
    line,
    mix,
    noise,
    octaves,
    streets,
)


@compiled
def grass(x: float, y: float, seed: int, width: float) -> Colour:
    tufts = octaves(x, y, 1.7, 4, seed + 51, width)
    patch = octaves(x, y, 9.0, 3, seed + 55, width)
    green = mix((0.062, 0.09, 0.031), (0.185, 0.168, 0.085), 0.32 + 0.45 * patch + 0.2 * tufts)
    return dim(green, 1 + 0.28 * tufts)


@compiled
def flowers(x: float, y: float, pitch: float, seed: int, width: float) -> float:
    """How much of a bed is in bloom at a place: one plant in each square of `pitch`, 0..1."""
    i, j = math.floor(x / pitch), math.floor(y / pitch)
    a = x / pitch - i - 0.25 - 0.5 * chance(i, j, seed)
    b = y / pitch - j - 0.25 - 0.5 * chance(i, j, seed + 1)
    size = 0.1 + 0.35 * chance(i, j, seed + 2)
    return min(max((size - math.hypot(a, b)) * pitch / width + 0.5, 0.0), 1.0)


@compiled
def street(u: float, v: float, x: float, y: float, seed: int, width: float) -> Colour:
    """From the middle of a street to its pavements; u runs across, v along, from a crossing."""
    rough = octaves(x, y, 1.3, 4, seed + 61, width)
    cloud = octaves(x, y, 11.0, 3, seed + 65, width)
    grey = 0.095 * (1 + 0.3 * rough + 0.25 * cloud)
    # Mended places, as long as a trench.
    cell = math.floor(v / 5.5)
    if chance(cell, math.floor(u / 1.7), seed + 67) < 0.16:
        grey *= 0.72 if chance(cell, 3, seed + 68) < 0.6 else 1.3
    crack = octaves(x, y, 6.0, 4, seed + 69, width)
    grey *= 1 - 0.5 * line(crack / 0.6, 0.03, width)
    colour = (1.02 * grey, grey, 0.97 * grey)
    if abs(v) > 9:
        dashed = 1.0 if v - 6 * math.floor(v / 6) < 3 else 0.0
        colour = mix(colour, (0.5, 0.5, 0.47), 0.8 * dashed * line(u, 0.08, width))
    elif 5.5 < abs(v) < 8.5 and abs(u) < 2.8:
        stripe = line(away(u - 0.5, 1.0), 0.25, width)
        colour = mix(colour, (0.5, 0.5, 0.47), (0.7 + 0.2 * rough) * stripe)
    if abs(u) > ROAD:
        p, q = math.floor(u / 0.75), math.floor(v / 0.75)
        slab = 0.2 + 0.09 * chance(p, q, seed + 71)
        slab *= 1 + 0.2 * rough + 0.15 * cloud
        joint = max(line(away(u, 0.75), 0.02, width), line(away(v, 0.75), 0.02, width))
        colour = dim((slab, 0.97 * slab, 0.9 * slab), 1 - 0.5 * joint)
    return mix(colour, (0.36, 0.35, 0.33), 0.8 * line(abs(u) - ROAD, 0.14, width))


@compiled
def track(u: float, v: float, x: float, y: float, seed: int, width: float) -> Colour:
    """A lane between fields: two ruts in the grass."""
    rough = octaves(x, y, 1.3, 4, seed + 61, width)
    wobble = 0.3 * noise(v / 7, 0.5, seed + 62)
    ruts = math.exp(-(((abs(u + wobble) - 0.85) / 0.5) ** 2))
    earth = dim((0.26, 0.2, 0.13), 1 + 0.35 * rough)
    return mix(grass(x, y, seed, width), earth, 1.2 * ruts + 0.3 * rough)


@compiled
def field(
    u: float, v: float, x: float, y: float, seed: int, i: int, j: int, width: float
) -> Colour:
    """Crops in rows, as the tractor went."""
    along, across = (u, v) if chance(i, j, seed + 81) < 0.5 else (v, u)
    rough = octaves(x, y, 1.9, 4, seed + 82, width)
    cloud = octaves(x, y, 26.0, 4, seed + 86, width)
    crop = chance(i, j, seed + 80)
    if crop < 0.3:
        young, old = (0.33, 0.26, 0.12), (0.42, 0.35, 0.19)
    elif crop < 0.55:
        young, old = (0.15, 0.1, 0.065), (0.24, 0.17, 0.115)
    elif crop < 0.8:
        young, old = (0.07, 0.13, 0.03), (0.15, 0.19, 0.06)
    else:
        young, old = (0.36, 0.31, 0.04), (0.2, 0.24, 0.05)
    pitch = 1.1 + 0.9 * chance(i, j, seed + 83)
    bent = across + 0.25 * noise(along / 9, across / 9, seed + 84)
    rows = line(away(bent, pitch), 0.3 * pitch, width)
    gaps = octaves(along / 3, across, 0.9, 3, seed + 85, width)
    colour = dim(mix(young, old, 0.5 + 0.6 * cloud + 0.3 * rough), 1 + 0.32 * rough)
    colour = dim(colour, 1 - (0.34 + 0.2 * gaps) * rows)
    wheels = max(
        line(away(across - 0.9, 13.0), 0.22, width), line(away(across + 0.9, 13.0), 0.22, width)
    )
    return mix(colour, (0.2, 0.155, 0.1), 0.75 * wheels * (1 + 0.4 * rough))


@compiled
def park(u: float, v: float, x: float, y: float, seed: int, width: float) -> Colour:
    """A meadow with gravel paths and beds of flowers."""
    colour = grass(x, y, seed, width)
    path = noise(u / 24, v / 24, seed + 91) * 12
    sand = dim((0.4, 0.34, 0.24), 1 + 0.25 * octaves(x, y, 1.1, 4, seed + 92, width))
    colour = mix(colour, sand, line(path, 1.1, 0.4))
    p, q = math.floor(u / 13), math.floor(v / 13)
    if chance(p, q, seed + 93) < 0.4:
        du, dv = u - 13 * p - 6.5, v - 13 * q - 6.5
        inside = 2.4 - math.hypot(du, dv)
        if inside > 0 and abs(path) > 1.5:
            kind = chance(p, q, seed + 95)
            bloom = (0.45, 0.07, 0.08) if kind < 0.35 else (0.5, 0.38, 0.06)
            if kind > 0.7:
                bloom = (0.28, 0.13, 0.36)
            bed = mix((0.08, 0.085, 0.04), bloom, flowers(u, v, 0.45, seed + 94, width))
            colour = mix(colour, bed, 4 * inside)
    return colour


@compiled
def garden(
    a: float, b: float, x: float, y: float, seed: int, p: int, q: int, width: float
) -> Colour:
    """A plot, a along its street and b away from it: lawn, beds, drive, terrace, pool."""
    colour = grass(x, y, seed, width)
    lush = chance(p, q, seed + 101)
    rough = octaves(x, y, 1.2, 4, seed + 102, width)
    colour = mix(colour, (0.05, 0.12, 0.025), 0.5 * lush)
    if lush > 0.6:
        mown = away(a + b * (0.5 * lush), 2.2) < 0.55
        colour = dim(colour, 1.14 if mown else 0.9)
    # Beds along the fences.
    inside = min(a, 22.9 - a, 26.4 - b)
    ragged = inside + 0.5 * noise(a / 2, b / 2, seed + 103)
    if ragged < 1.1:
        bloom = (0.12 + 0.4 * chance(p, q, seed + 105), 0.12, 0.08 + 0.26 * lush)
        bed = mix((0.1, 0.075, 0.05), (0.06, 0.09, 0.03), flowers(x, y, 0.8, seed + 97, width))
        bed = mix(bed, bloom, 0.8 * flowers(x + 9, y, 0.7, seed + 104, width) * (rough > 0))
        colour = dim(bed, 1 + 0.4 * rough)
    # Vegetables behind the house.
    if chance(p, q, seed + 106) < 0.45 and 19.5 < b < 25 and 2 < a < 9:
        rows = line(away(a, 0.9), 0.22, width)
        earth = dim((0.13, 0.09, 0.06), 1 + 0.3 * rough)
        colour = mix(earth, (0.07, 0.15, 0.04), rows * (0.7 + 0.5 * rough))
    paving = chance(p, q, seed + 107)
    stone = (0.3, 0.27, 0.24) if paving < 0.5 else (0.28, 0.17, 0.12)
    tint = chance(math.floor(a / 0.5), math.floor(b / 0.5), seed + 108)
    joint = max(line(away(a, 0.5), 0.02, width), line(away(b, 0.5), 0.02, width))
    stone = dim(stone, (0.75 + 0.5 * tint + 0.15 * rough) * (1 - 0.45 * joint))
    drive = 18.4 if chance(p, q, seed + 109) < 0.5 else 1.6
    terrace = 18 < b < 18 + 2 + 2.5 * lush and 8.5 < a < 14 + 3 * paving
    walk = 10.6 < a < 12 and b < 7
    if (drive < a < drive + 3.1 and b < 13) or terrace or walk:
        colour = stone
    if chance(p, q, seed + 110) < 0.14:
        du, dv = (a - 15.5) / 3.4, (b - 22.4) / 1.9
        shore = (1 - (du * du) ** 2 - (dv * dv) ** 2) * 2
        if shore > -0.8:
            colour = mix((0.45, 0.42, 0.36), (0.05, 0.32, 0.38), 6 * shore)
            colour = dim(colour, 1 + 0.2 * rough)
    return colour


@compiled
def ground(x: float, y: float, seed: int, width: float) -> Colour:
    u, v = streets(x, y, seed)
    i, j = math.floor(u / BLOCK_U), math.floor(v / BLOCK_V)
    near_i, near_j = math.floor(u / BLOCK_U + 0.5), math.floor(v / BLOCK_V + 0.5)
    du, dv = u - near_i * BLOCK_U, v - near_j * BLOCK_V
    use = land_use(i, j, seed)
    if min(abs(du), abs(dv)) < VERGE:
        lane_u = land_use(near_i - 1, j, seed) >= FIELD and land_use(near_i, j, seed) >= FIELD
        lane_v = land_use(i, near_j - 1, seed) >= FIELD and land_use(i, near_j, seed) >= FIELD
        # Of two that cross, the nearer one; but a street is not cut by a lane.
        first = abs(du) < abs(dv)
        if max(abs(du), abs(dv)) < VERGE and lane_u != lane_v:
            first = lane_v
        across, along, lane = (du, dv, lane_u) if first else (dv, du, lane_v)
        if lane:
            return track(across, along, x, y, seed, width)
        return street(across, along, x, y, seed, width)
    if use == FIELD:
        return field(u, v, x, y, seed, i, j, width)
    if use == PARK:
        return park(u, v, x, y, seed, width)
    rough = octaves(x, y, 1.5, 4, seed + 112, width)
    if use == HOUSES:
        a, b = u - i * BLOCK_U - VERGE, v - j * BLOCK_V - VERGE
        column, row = int(a / 22.94), int(b / 26.41)
        if row == 1:
            b = 2 * 26.4 - b
        return garden(a - 22.93 * column, b, x, y, seed, 3 * i + column, 2 * j + row, width)
    if use == DENSE:
        # Yards: worn concrete with grass in it, and marks of parked cars along two sides.
        cloud = octaves(x, y, 8.0, 4, seed + 113, width)
        yard = dim((0.21, 0.2, 0.185), 1 + 0.3 * rough + 0.3 * cloud)
        a, b = u - i * BLOCK_U, v - j * BLOCK_V
        edge = min(b, BLOCK_V - b) - VERGE
        if edge < 5.2:
            yard = mix(yard, (0.5, 0.5, 0.48), 0.8 * line(away(a, 2.7), 0.06, width))
        return mix(yard, grass(x, y, seed, width), 4 * (cloud - 0.25))
    leaves = octaves(x, y, 0.7, 3, seed + 114, width)
    floor = mix((0.085, 0.062, 0.035), (0.06, 0.085, 0.025), 0.5 + 0.8 * rough)
    return dim(floor, 1 + 0.45 * leaves)
