"""A carved stone scene as one signed distance field, with its materials; metres, z up.

One field for everything means one closed surface without hidden inner walls, so the mesh that is
photographed is exactly the mesh that reconstructions are measured against.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

STONE, MARBLE, PAVING, WOOD, CLAY = range(5)
BASE_RADIUS = 1.55
LOW, HIGH = np.array([-1.62, -1.62, -0.3]), np.array([1.62, 1.62, 1.68])

Array = np.ndarray

_LATTICE = np.random.default_rng(11).uniform(-1, 1, (64, 64, 64)).astype(np.float32)
_VOLUME = torch.from_numpy(np.pad(_LATTICE, ((0, 1),) * 3, mode="wrap"))[None, None]
_TURN = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0].astype(np.float32)


def noise(points: Array, wavelength: float, seed: int) -> Array:
    """Smooth noise in -1..1, periodic after 64 wavelengths."""
    lattice = points @ _TURN / np.float32(wavelength) + np.float32(7.31 * seed + 0.17)
    cell = np.floor(lattice)
    step = lattice - cell
    lattice = cell - 64 * np.floor(cell / 64) + step * step * (3 - 2 * step)
    grid = torch.from_numpy((lattice / 32 - 1).astype(np.float32))[None, None, None]
    return torch.nn.functional.grid_sample(_VOLUME, grid, align_corners=True).numpy().ravel()


def octaves(points: Array, longest: float, count: int, seed: int, gain: float = 0.55) -> Array:
    """A sum of noises, each half as long as the one before."""
    return sum(gain**k * noise(points, longest / 2**k, seed + k) for k in range(count))


def fraction(value: Array) -> Array:
    """The part after the point; ten times faster than np.mod."""
    return value - np.floor(value)


def chance(*cells: Array) -> Array:
    """A repeatable number in 0..1 for whole-numbered cells."""
    mixed = sum(c * k for c, k in zip(cells, (12.9898, 78.233, 37.719), strict=False))
    return fraction(np.sin(mixed) * 43758.547)


def masonry(u: Array, v: Array) -> tuple[Array, Array, Array, Array]:
    """Ashlar blocks: (distance to the nearest joint, a number 0..1, u and v of the middle)."""
    high, long = 0.17, 0.34
    row = np.floor(v / high)
    shift = 0.5 * (row - 2 * np.floor(row / 2)) + 0.24 * chance(row, row)
    along = u / long + shift
    column = np.floor(along)
    across = np.minimum(v / high - row, 1 - (v / high - row)) * high
    sideways = np.minimum(along - column, 1 - (along - column)) * long
    joint = np.minimum(across, sideways)
    return joint, chance(row, column), (column + 0.5 - shift) * long, (row + 0.5) * high


def flagstones(x: Array, y: Array) -> tuple[Array, Array]:
    """Irregular paving (Voronoi): (distance to the nearest joint, a number 0..1 per stone)."""
    size = 0.24
    cx, cy = np.floor(x / size), np.floor(y / size)
    first = np.full(x.shape, 9.0)
    second = first.copy()
    label = np.zeros(x.shape)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            gx, gy = cx + dx, cy + dy
            px = (gx + 0.15 + 0.7 * chance(gx, gy)) * size
            py = (gy + 0.15 + 0.7 * chance(gy, gx + 3.7)) * size
            far = np.hypot(x - px, y - py)
            nearer = far < first
            second = np.where(nearer, first, np.minimum(second, far))
            label = np.where(nearer, chance(gx + 0.5, gy), label)
            first = np.where(nearer, far, first)
    return (second - first) / 2, label


def groove(joint: Array, half_width: float, depth: float) -> Array:
    """How deep a rounded joint cuts in."""
    return depth * np.exp(-((joint / half_width) ** 2))


def box(p: Array, centre: tuple, half: tuple, turn_deg: float = 0.0, edge: float = 0.012) -> Array:
    """A box with rounded edges, turned about z."""
    q = np.abs(turned(p, centre, turn_deg)) - (np.array(half) - edge)
    return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0) - edge


def turned(p: Array, centre: tuple, turn_deg: float) -> Array:
    """Points in the frame of something that stands at centre, turned about z."""
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    x, y, z = (p - np.array(centre, np.float32)).T
    return np.stack([c * x + s * y, c * y - s * x, z], axis=1)


def ellipsoid(p: Array, centre: tuple, radii: tuple) -> Array:
    """An ellipsoid, exact near its surface."""
    q = p - np.array(centre, np.float32)
    k0 = np.linalg.norm(q / np.array(radii), axis=1)
    k1 = np.linalg.norm(q / np.array(radii) ** 2, axis=1)
    return k0 * (k0 - 1) / np.maximum(k1, 1e-6)


def blend(a: Array, b: Array, radius: float) -> Array:
    """Union with a fillet of about radius."""
    h = np.clip(0.5 + 0.5 * (b - a) / radius, 0, 1)
    return b + (a - b) * h - radius * h * (1 - h)


def column(p: Array, x: float, y: float, top: float, slant: float) -> Array:
    """A fluted column, broken off along a slanted plane; a whole one has a capital."""
    q = p - np.array([x, y, 0], np.float32)
    around, angle = np.hypot(q[:, 0], q[:, 1]), np.arctan2(q[:, 1], q[:, 0])
    z = q[:, 2]
    flutes = 0.011 * np.abs(np.sin(angle * 8)) ** 0.7
    shaft = np.maximum(
        around - (0.145 - 0.022 * z / 1.4) - flutes + 0.011, z - top - slant * q[:, 0]
    )
    foot = np.maximum(np.hypot(around - 0.13, (z - 0.07)) - 0.05, -z)
    solid = np.minimum(blend(shaft, foot, 0.02), box(q, (0, 0, 0.02), (0.2, 0.2, 0.045)))
    if slant == 0:
        bell = np.maximum(
            around - 0.125 - 0.9 * np.maximum(z - top + 0.12, 0) ** 1.4,
            np.abs(z - top + 0.06) - 0.07,
        )
        solid = np.minimum(
            blend(solid, bell, 0.015), box(q, (0, 0, top + 0.04), (0.21, 0.21, 0.04))
        )
    return solid + 0.006 * octaves(p, 0.09, 3, 31)


def wall(p: Array) -> Array:
    """A curved ruined wall with an arched window; whole blocks have fallen off its ends and top."""
    radius, u = np.hypot(p[:, 0], p[:, 1]), np.arctan2(p[:, 1], p[:, 0]) * 1.2
    joint, block, middle_u, middle_v = masonry(u, p[:, 2])
    rough = 0.009 * octaves(p, 0.13, 4, 3)
    thick = np.abs(radius - 1.2) - 0.12 - 0.02 * (block - 0.5) + groove(joint, 0.014, 0.022)
    top = 1.52 - 0.75 * np.abs(np.sin(middle_u * 1.9 + 0.35)) ** 3
    stands = (middle_v < top) & (np.abs(middle_u - 1.84) < 1.25)
    # Joints between standing blocks stay filled by 4 mm; beside a fallen one they are the surface.
    gap = np.maximum(joint, np.abs(radius - 1.2) - 0.12) + 0.004
    solid = np.where(stands, np.maximum(thick + rough, -joint - 0.004), np.maximum(gap, 0.004))
    over = np.hypot(u - 2.36, np.maximum(p[:, 2] - 0.85, 0))
    window = np.maximum(over - 0.15, 0.51 - p[:, 2])
    return np.maximum(solid, 0.6 * rough - window)


def bust(p: Array) -> Array:
    """A carved head on shoulders, looking towards -y."""
    q = turned(p, (0, 0.12, 0.62), -12) / 1.22
    at = lambda c, r: ellipsoid(q, c, r)  # noqa: E731 - a page of parts reads best in columns
    folds = 0.012 * np.sin(q[:, 0] * 46 + 9 * np.sin(q[:, 2] * 11) + q[:, 1] * 18)
    robe = blend(
        at((0, 0.0, 0.12), (0.27, 0.14, 0.15)), at((0, -0.03, 0.02), (0.2, 0.13, 0.2)), 0.05
    )
    robe = np.maximum(robe + folds, -q[:, 2])
    neck = np.maximum(np.hypot(q[:, 0], q[:, 1] - 0.01) - 0.066, np.abs(q[:, 2] - 0.29) - 0.1)
    body = blend(robe, neck, 0.05)
    head = blend(
        at((0, 0.01, 0.46), (0.1, 0.125, 0.13)), at((0, -0.035, 0.39), (0.072, 0.085, 0.085)), 0.04
    )
    head = blend(head, at((0, -0.112, 0.337), (0.03, 0.022, 0.024)), 0.025)
    for side in (-1, 1):
        head = -blend(-head, at((side * 0.041, -0.122, 0.452), (0.03, 0.022, 0.02)), 0.014)
        head = blend(head, at((side * 0.041, -0.103, 0.45), (0.021, 0.014, 0.012)), 0.004)
        head = blend(head, at((side * 0.042, -0.115, 0.481), (0.034, 0.014, 0.009)), 0.014)
        head = blend(head, at((side * 0.105, 0.01, 0.43), (0.014, 0.028, 0.042)), 0.012)
    head = blend(head, at((0, -0.128, 0.445), (0.0135, 0.02, 0.05)), 0.012)
    head = blend(head, at((0, -0.14, 0.412), (0.021, 0.022, 0.014)), 0.012)
    head = blend(head, at((0, -0.121, 0.377), (0.031, 0.012, 0.007)), 0.007)
    head = blend(head, at((0, -0.118, 0.362), (0.025, 0.013, 0.008)), 0.007)
    curls = 0.014 * (1 - 2 * np.abs(noise(q, 0.042, 61))) + 0.005 * noise(q, 0.018, 62)
    hair = at((0, 0.03, 0.485), (0.122, 0.132, 0.125)) - curls
    front = (
        q[:, 1] + 0.085 + 0.9 * np.maximum(q[:, 2] - 0.53, 0) - 1.2 * np.maximum(0.45 - q[:, 2], 0)
    )
    hair = np.maximum(hair, -(front + 0.02 * noise(q, 0.05, 64)))
    return 1.22 * (np.minimum(blend(body, head, 0.035), hair) + 0.0012 * octaves(q, 0.03, 2, 66))


def amphora(p: Array) -> Array:
    """A clay jar with two handles."""
    q = turned(p, (0.78, -0.52, 0.0), 25)
    around, z = np.hypot(q[:, 0], q[:, 1]), q[:, 2]
    knots = (
        [-1, 0, 0.04, 0.2, 0.34, 0.42, 0.5, 0.53, 2],
        [0.1, 0.1, 0.11, 0.19, 0.165, 0.085, 0.07, 0.1, 0.1],
    )
    fine = np.linspace(-1, 2, 1200)
    profile = np.convolve(
        np.pad(np.interp(fine, *knots), 8, "edge"), np.hanning(17) / np.hanning(17).sum(), "valid"
    )
    jar = np.maximum((around - np.interp(z, fine, profile)) * 0.75, np.abs(z - 0.265) - 0.275)
    jar = np.maximum(jar, -np.maximum(around - 0.06, 0.4 - z))
    ring = np.hypot(np.hypot(np.abs(q[:, 0]) - 0.12, z - 0.42) - 0.07, q[:, 1]) - 0.018
    return blend(jar, np.maximum(ring, 0.07 - np.abs(q[:, 0])), 0.012)


def crate(p: Array, centre: tuple, half: float, turn_deg: float) -> Array:
    """A wooden box of planks with battens around its edges."""
    q = turned(p, centre, turn_deg)
    size = np.abs(q)
    planks = fraction(q[:, 2] / (half / 2.5) + 0.5) - 0.5
    seams = groove(np.abs(planks) * half / 2.5, 0.006, 0.014)
    core = box(p, centre, (half - 0.02,) * 3, turn_deg) + seams
    middle = np.sort(size, axis=1)[:, 1]
    battens = np.maximum(box(p, centre, (half,) * 3, turn_deg), half - 0.05 - middle)
    return np.minimum(core, battens) + 0.0015 * noise(p, 0.02, 71)


def boulder(p: Array, centre: tuple, radius: float, seed: int) -> Array:
    """A fallen stone."""
    q = turned(p, centre, 40.0 * seed)
    rock = ellipsoid(q, (0, 0, 0), (radius, 0.75 * radius, 0.6 * radius))
    return 0.8 * (rock + radius * 0.2 * octaves(p, radius * 1.3, 4, 80 + seed))


def base(p: Array) -> Array:
    """The round paved floor that everything stands on."""
    radius, z = np.hypot(p[:, 0], p[:, 1]), p[:, 2]
    joint, stone = flagstones(p[:, 0], p[:, 1])
    rise = 0.022 * (stone - 0.5) - groove(joint, 0.013, 0.02) + 0.008 * octaves(p, 0.16, 4, 9)
    rim = radius - BASE_RADIUS + 0.02 * noise(p, 0.2, 14)
    return np.maximum(np.maximum(z - rise, -0.18 - z), rim)


def plinth(p: Array) -> Array:
    """Two steps and a pedestal with mouldings and a sunken panel on each side."""
    q = turned(p, (0, 0.12, 0), -12)
    steps = np.minimum(
        box(q, (0, 0, 0.05), (0.46, 0.46, 0.06)), box(q, (0, 0, 0.15), (0.37, 0.37, 0.05))
    )
    body = box(q, (0, 0, 0.4), (0.25, 0.25, 0.2))
    side = np.maximum(np.abs(q[:, 0]), np.abs(q[:, 1]))
    across = np.minimum(np.abs(q[:, 0]), np.abs(q[:, 1]))
    panel = np.maximum(np.maximum(across - 0.17, np.abs(q[:, 2] - 0.4) - 0.12), 0.228 - side)
    flower = across + np.abs(q[:, 2] - 0.4)
    petals = (
        np.hypot(across, q[:, 2] - 0.4)
        - 0.085
        - 0.03 * np.cos(6 * np.arctan2(q[:, 2] - 0.4, across))
    )
    body = np.minimum(np.maximum(body, -panel), np.maximum(petals, side - 0.244 + 0.12 * flower))
    crown = np.minimum(
        box(q, (0, 0, 0.59), (0.3, 0.3, 0.03)), box(q, (0, 0, 0.22), (0.29, 0.29, 0.035))
    )
    return np.minimum(np.minimum(steps, body), crown) + 0.005 * octaves(p, 0.1, 4, 21)


def drum(p: Array) -> Array:
    """A fallen column drum."""
    q = turned(p, (-0.72, -0.72, 0.15), 32)
    around, angle = np.hypot(q[:, 1], q[:, 2]), np.arctan2(q[:, 2], q[:, 1])
    flutes = 0.011 * np.abs(np.sin(angle * 8)) ** 0.7
    return np.maximum(
        around - 0.15 - flutes + 0.011, np.abs(q[:, 0] + 0.1 * q[:, 2]) - 0.25
    ) + 0.007 * octaves(p, 0.1, 3, 35)


def stones(p: Array) -> Array:
    """Rubble below the wall."""
    places = (
        (-0.35, -1.0, 0.1),
        (-0.16, -1.14, 0.06),
        (0.1, -1.2, 0.08),
        (-1.2, -0.15, 0.14),
        (1.22, -0.02, 0.12),
        (1.08, 0.22, 0.08),
        (-1.05, -0.4, 0.07),
    )
    rocks = [boulder(p, (x, y, 0.4 * r), r, seed) for seed, (x, y, r) in enumerate(places)]
    return np.minimum.reduce(rocks)


# (material, bounds as low x y z and high x y z, field): outside its bounds a part is just "far".
PARTS: tuple[tuple[int, tuple[float, ...], Callable[[Array], Array]], ...] = (
    (PAVING, (-2, -2, -1, 2, 2, 0.05), base),
    (STONE, (-1.5, -0.2, -1, 1.5, 1.5, 1.7), wall),
    (STONE, (-0.6, -0.5, -1, 0.6, 0.8, 0.63), plinth),
    (MARBLE, (-0.4, -0.2, 0.6, 0.4, 0.5, 1.5), bust),
    (MARBLE, (-1.1, 0, -1, -0.55, 0.55, 1.5), lambda p: column(p, -0.82, 0.28, 1.36, 0.0)),
    (MARBLE, (0.6, 0, -1, 1.1, 0.55, 1.0), lambda p: column(p, 0.84, 0.3, 0.82, 0.45)),
    (MARBLE, (-1.1, -1.05, -1, -0.3, -0.35, 0.35), drum),
    (CLAY, (0.5, -0.8, -1, 1.05, -0.25, 0.6), amphora),
    (WOOD, (0.1, -1.1, -1, 0.6, -0.6, 0.32), lambda p: crate(p, (0.36, -0.83, 0.15), 0.15, 24)),
    (WOOD, (0.2, -1.0, 0.27, 0.6, -0.6, 0.55), lambda p: crate(p, (0.4, -0.8, 0.395), 0.1, -13)),
    (STONE, (-1.4, -1.35, -1, 1.4, 0.4, 0.25), stones),
)


def distance(points: Array) -> tuple[Array, Array]:
    """(signed distance, material) of every point; 0.2 m away and more is all the same."""
    p = points.astype(np.float32)
    nearest = np.full(len(p), 0.2, np.float32)
    material = np.zeros(len(p), np.int64)
    for kind, bounds, field in PARTS:
        rows = np.flatnonzero(
            ((p > np.float32(bounds[:3]) - 0.06) & (p < np.float32(bounds[3:]) + 0.06)).all(1)
        )
        if len(rows):
            value = field(p[rows])
            closer = rows[value < nearest[rows]]
            nearest[closer] = value[value < nearest[rows]]
            material[closer] = kind
    return nearest, material


def mix(a: Array, b: tuple | Array, share: Array) -> Array:
    """Colours a and b, share of b."""
    return a + (np.asarray(b, np.float32) - a) * np.clip(share, 0, 1)[:, None]


def paint(p: Array, material: Array, normal: Array, openness: Array) -> Array:
    """Linear RGB albedo of surface points; openness is 1 where the whole sky is seen."""
    grain = octaves(p, 0.05, 4, 41, 0.75)
    fine = octaves(p, 0.008, 2, 47, 0.8)
    cloud = octaves(p, 0.5, 4, 51)
    colour = np.empty_like(p)
    for kind, painter in enumerate((_stone, _marble, _paving, _wood, _clay)):
        rows = material == kind
        if rows.any():
            colour[rows] = painter(p[rows], grain[rows], cloud[rows])
    colour *= np.clip(1 + 0.28 * grain + 0.4 * fine, 0.25, 1.75)[:, None]
    rough = np.isin(material, (STONE, PAVING, MARBLE))
    lichen = np.clip(6 * (octaves(p, 0.07, 3, 55, 0.7) + 0.45 * normal[:, 2] - 0.95), 0, 1) * rough
    colour = mix(colour, (0.52, 0.42, 0.13), 0.75 * lichen)
    moss = np.clip(2.2 * (0.62 - openness) + 0.7 * octaves(p, 0.12, 3, 58), 0, 1) * rough
    colour = mix(colour, np.array([[0.09, 0.12, 0.04]]) * (1 + 0.5 * fine[:, None]), 0.75 * moss)
    return np.clip(colour, 0.01, 0.95)


def relief(p: Array) -> Array:
    """Roughness too fine for the mesh, metres; it only turns the light."""
    return 0.0012 * octaves(p, 0.03, 3, 41, 0.6)


def _stone(p: Array, grain: Array, cloud: Array) -> Array:
    radius = np.hypot(p[:, 0], p[:, 1])
    joint, block, _, _ = masonry(np.arctan2(p[:, 1], p[:, 0]) * 1.2, p[:, 2])
    in_wall = radius > 1.0
    tint = np.where(in_wall, block, 0.5)
    colour = mix(
        np.tile(np.float32([0.44, 0.35, 0.24]), (len(p), 1)), (0.34, 0.31, 0.28), 0.5 + 0.7 * cloud
    )
    colour = mix(colour, (0.5, 0.28, 0.17), 0.9 * (tint - 0.62) * 2)
    colour *= (0.75 + 0.5 * fraction(tint * 7.3))[:, None]
    colour = mix(colour, (0.2, 0.17, 0.13), in_wall * np.exp(-((joint / 0.012) ** 2)))
    pits = np.clip(5 * (noise(p, 0.02, 45) - 0.45), 0, 1)
    return mix(colour, (0.1, 0.085, 0.07), 0.8 * pits)


def _marble(p: Array, grain: Array, cloud: Array) -> Array:
    veins = np.exp(-((octaves(p, 0.22, 4, 91) / 0.06) ** 2))
    colour = mix(
        np.tile(np.float32([0.6, 0.55, 0.46]), (len(p), 1)), (0.5, 0.44, 0.35), 0.35 + 0.8 * cloud
    )
    colour = mix(colour, (0.27, 0.26, 0.25), 0.65 * veins)
    streaks = octaves(p * np.float32([1, 1, 0.15]), 0.05, 3, 95)
    return mix(colour, (0.2, 0.17, 0.13), np.clip(streaks - 0.25, 0, 0.7))


def _paving(p: Array, grain: Array, cloud: Array) -> Array:
    joint, stone = flagstones(p[:, 0], p[:, 1])
    colour = mix(
        np.tile(np.float32([0.33, 0.31, 0.29]), (len(p), 1)),
        (0.45, 0.33, 0.24),
        1.3 * (stone - 0.3),
    )
    colour *= (0.65 + 0.6 * fraction(stone * 5.7) + 0.2 * cloud)[:, None]
    specks = np.clip(6 * (noise(p, 0.012, 48) - 0.4), 0, 1)
    colour = mix(colour, (0.68, 0.65, 0.6), 0.7 * specks)
    return mix(colour, (0.17, 0.135, 0.09), np.exp(-((joint / 0.013) ** 2)))


def _wood(p: Array, grain: Array, cloud: Array) -> Array:
    plank = np.floor(p[:, 2] / 0.05)
    fibres = octaves(p * np.float32([0.16, 0.16, 1.6]) + plank[:, None] * 0.37, 0.02, 4, 101, 0.7)
    colour = mix(
        np.tile(np.float32([0.42, 0.25, 0.11]), (len(p), 1)),
        (0.2, 0.105, 0.045),
        0.5 + 0.8 * fibres,
    )
    return mix(colour, (0.4, 0.33, 0.25), 0.2 + 0.6 * cloud)


def _clay(p: Array, grain: Array, cloud: Array) -> Array:
    q = turned(p, (0.78, -0.52, 0.0), 25)
    angle, z = np.arctan2(q[:, 1], q[:, 0]), q[:, 2]
    colour = mix(
        np.tile(np.float32([0.5, 0.2, 0.09]), (len(p), 1)), (0.58, 0.31, 0.16), 0.5 + 0.8 * cloud
    )
    teeth = np.abs(fraction(angle * 10 / np.pi) - 0.5) * 2
    zigzag = np.abs(z - 0.25 - 0.05 * (teeth - 0.5)) < 0.013
    bands = (np.abs(z - 0.175) < 0.008) | (np.abs(z - 0.325) < 0.008) | (z < 0.05) | (z > 0.45)
    worn = octaves(p, 0.04, 4, 111, 0.7) < 0.55
    return mix(colour, (0.04, 0.03, 0.028), 0.92 * ((zigzag | bands) & worn))
