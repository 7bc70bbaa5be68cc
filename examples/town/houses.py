"""Houses, trees and cars of the town, each in a frame of its own: metres, z up from its floor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recon3d.depth.synthetic.shapes import (
    Array,
    Shape,
    box,
    bumpy,
    from_corners,
    join,
    revolved,
    superquadric,
    tube,
)
from town.ground import BRICK, FLAT, GLASS, LEAVES, PAINTED, TILES, WALL, WOODEN

Piece = tuple[Shape, int]
"""A surface and its material."""
SUNK = 2.0
"""Metres that walls reach into the ground, which is not level."""
STOREY = 2.9
_WINDOW = 2.6


def roof(planes: Sequence[Array], thick: float = 0.18) -> Shape:
    """A closed sheet of planes (k, 3) that go around as seen from above.

    Texture runs along the ridge and, from the top of each plane, down its slope.
    """
    corners, uv = [], []
    edges: dict[tuple[tuple[float, ...], tuple[float, ...]], tuple[Array, Array]] = {}
    for plane in planes:
        normal = np.cross(plane[1] - plane[0], plane[2] - plane[0])
        normal /= np.linalg.norm(normal)
        flat = np.hypot(*normal[:2])
        down = normal[:2] / flat if flat > 1e-6 else np.array([0.0, 1.0])
        high = plane[:, 2].max()
        slope = (high - plane[:, 2]) / flat if flat > 1e-6 else plane[:, :2] @ down
        laid = np.stack([plane[:, :2] @ [down[1], -down[0]], slope], 1)
        for k in range(1, len(plane) - 1):
            fan = [0, k, k + 1]
            corners += [plane[fan], (plane - [0, 0, thick])[fan[::-1]]]
            uv += [laid[fan], laid[fan[::-1]]]
        for a, b in zip(plane, np.roll(plane, -1, 0), strict=True):
            ends = tuple(a.round(6).tolist()), tuple(b.round(6).tolist())
            # An edge of two planes is a ridge or a bend; the others are the sheet's rim.
            if edges.pop(ends[::-1], None) is None:
                edges[ends] = (a, b)
    for a, b in edges.values():
        low_a, low_b = a - [0, 0, thick], b - [0, 0, thick]
        corners += [np.stack([a, low_a, low_b]), np.stack([a, low_b, b])]
        uv += [np.zeros((3, 2))] * 2
    made = from_corners(np.stack(corners))
    return Shape(made.corners, made.normals, np.stack(uv))


def swept(profile: Array, length: float) -> Shape:
    """A roof whose section is a profile (k, 2) of y and z from one eave to the other, along x."""
    near, far = (
        np.column_stack([np.full(len(profile), x), profile]) for x in (-length / 2, length / 2)
    )
    return roof(
        [np.stack([near[k], far[k], far[k + 1], near[k + 1]]) for k in range(len(profile) - 1)]
    )


def hipped(x: float, y: float, low: float, high: float) -> Shape:
    """Over a rectangle, sloping to all its sides, with its ridge along x; a tent where x is y."""
    ridge = max(0.0, (x - y) / 2)
    a, b, c, d = (
        np.array([i * x / 2, j * y / 2, low]) for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    )
    p, q = np.array([-ridge, 0, high]), np.array([ridge, 0, high])
    if ridge < 0.05:
        p = q = np.array([0.0, 0, high])
        return roof(
            [np.stack([a, b, p]), np.stack([b, c, p]), np.stack([c, d, p]), np.stack([d, a, p])]
        )
    return roof(
        [np.stack([a, b, q, p]), np.stack([b, c, q]), np.stack([c, d, p, q]), np.stack([d, a, p])]
    )


def body(x: float, y: float, profile: Array, sunk: float = SUNK) -> list[Piece]:
    """Walls under a profile (k, 2) of y and z, along x; what is level on top is a flat roof.

    Texture of walls counts windows sideways, so that no corner cuts one, and metres upwards.
    """
    section = np.concatenate(
        [
            [[y / 2, -sunk], [y / 2, profile[-1, 1]]],
            profile[-2:0:-1],
            [[-y / 2, profile[0, 1]], [-y / 2, -sunk]],
        ]
    )
    near, far = (np.column_stack([np.full(len(section), at), section]) for at in (-x / 2, x / 2))
    corners = []
    for k in range(len(section)):
        n = (k + 1) % len(section)
        corners += [[near[k], far[n], far[k]], [near[k], near[n], far[n]]]
    middle = [0.0, *section.mean(0)]
    for cap, side in ((near, -x / 2), (far, x / 2)):
        centre = np.array([side, *middle[1:]])
        for a, b in zip(cap, np.roll(cap, -1, 0), strict=True):
            corners.append([centre, a, b] if side > 0 else [centre, b, a])
    made = from_corners(np.array(corners))
    facing = np.abs(made.normals[:, 0])
    across, along, up = made.corners[..., 0], made.corners[..., 1], made.corners[..., 2]
    gable = facing[:, :1] > 0.5
    count_x, count_y = (max(1, round(size / _WINDOW)) for size in (x, y))
    u = np.where(gable, (along / y + 0.5) * count_y, (across / x + 0.5) * count_x)
    walls = Shape(made.corners, made.normals, np.stack([u, up], -1))
    level = facing[:, 2] > 0.5
    if not level.any():
        return [(walls, WALL)]
    return [(walls.part(~level), WALL), (made.part(level), FLAT)]


def gabled(x: float, y: float, eave: float, high: float, kind: int = 0) -> list[Piece]:
    """A house under a saddle roof (0), one with a bend (1), a single slope (2) or a barrel (3)."""
    half, out = y / 2, 0.45
    if kind == 1:
        bend = np.array([half * 0.55, eave + 0.68 * high])
        knots = [[-half, eave], [-bend[0], bend[1]], [0, eave + high], bend, [half, eave]]
    elif kind == 2:
        knots = [[-half, eave], [half, eave + high]]
    elif kind == 3:
        angle = np.linspace(0, np.pi, 11)
        knots = np.column_stack([-half * np.cos(angle), eave + high * np.sin(angle)]).tolist()
    else:
        knots = [[-half, eave], [0, eave + high], [half, eave]]
    profile = np.array(knots, float)
    first, last = profile[0] - profile[1], profile[-1] - profile[-2]
    over = profile.copy()
    over[0] += first / np.linalg.norm(first) * out
    over[-1] += last / np.linalg.norm(last) * out
    # A hair above the walls, whose tops would flicker through it.
    over[:, 1] += 0.2
    sheet = swept(over, x + 2 * out)
    return [*body(x, y, profile), (sheet, TILES)]


def flat_roofed(rng: np.random.Generator, x: float, y: float, storeys: int) -> list[Piece]:
    """A block of flats or a workshop, with a parapet and boxes on top."""
    top = storeys * STOREY
    pieces = body(x, y, np.array([[-y / 2, top], [y / 2, top]]))
    for wide, deep, at_x, at_y in (
        (x, 0.3, 0, y / 2 - 0.15), (x, 0.3, 0, 0.15 - y / 2),
        (0.3, y - 0.6, x / 2 - 0.15, 0), (0.3, y - 0.6, 0.15 - x / 2, 0),
    ):  # fmt: skip
        pieces.append((box(wide, deep, 0.55).at(at_x, at_y, top), PAINTED))
    for _ in range(int(rng.integers(1, 2 + int(x / 5)))):
        size = rng.uniform(0.7, 2.2, 3) * [1, 1, 0.7]
        spot = rng.uniform(-0.5, 0.5, 2) * np.maximum([x - 3.4, y - 3.4], 0.2)
        pieces.append((box(*size).at(*spot, top), PAINTED if rng.random() < 0.7 else FLAT))
    if storeys > 2:
        pieces.append((box(3.2, 2.6, 2.4).at(rng.uniform(-x / 4, x / 4), 0, top), FLAT))
    return pieces


def house(rng: np.random.Generator) -> list[Piece]:
    """A house with a garden, its front to -y: one of several roofs, wings, dormers, chimneys."""
    x, y = rng.uniform(8.5, 12.0), rng.uniform(7.2, 9.2)
    eave = STOREY * rng.choice([1, 1, 2]) + rng.uniform(0.1, 0.6)
    high = y / 2 * np.tan(np.radians(rng.uniform(28, 48)))
    kind = rng.choice(
        ["saddle", "bent", "hip", "tent", "flat", "slope"], p=[0.42, 0.12, 0.2, 0.1, 0.08, 0.08]
    )
    if kind == "flat":
        return flat_roofed(rng, x, y, 2)
    if kind in ("hip", "tent"):
        wide = y if kind == "tent" else x
        level = np.array([[-y / 2, eave], [y / 2, eave]])
        high *= 0.85
        pieces = [*body(wide, y, level), (hipped(wide + 1, y + 1, eave - 0.1, eave + high), TILES)]
    elif kind == "slope":
        pieces = gabled(x, y, eave, high * 0.6, 2)
    else:
        pieces = gabled(x, y, eave, high, int(kind == "bent"))
    if kind == "saddle" and rng.random() < 0.45:
        # A wing towards the garden or the street, whose ridge runs across.
        deep = y / 2 + rng.uniform(1.5, 3.0)
        wing = gabled(deep, rng.uniform(4.2, 5.2), eave, high * 0.72)
        side = rng.choice([-1, 1])
        at = (rng.uniform(0.15, 0.3) * x * rng.choice([-1, 1]), side * deep / 2)
        pieces += [(shape.at(*at, 0, np.pi / 2), material) for shape, material in wing]
    elif kind in ("saddle", "bent") and rng.random() < 0.7:
        for spot in np.linspace(-0.3, 0.3, int(rng.integers(1, 4))) * x:
            small = gabled(y * 0.36, 1.5, eave + 1.5, 0.7)
            pieces += [
                (shape.at(spot, -y * 0.2, 0, np.pi / 2), material) for shape, material in small
            ]
    for _ in range(int(rng.integers(1, 3))):
        spot = (
            rng.uniform(-0.38, 0.38) * x * (0.3 if kind == "tent" else 1),
            rng.uniform(0.3, 1.2),
        )
        size = rng.uniform(0.5, 0.8)
        pieces.append((box(size, size, high + 0.9).at(*spot, eave), BRICK))
    return pieces


def garage(rng: np.random.Generator) -> list[Piece]:
    if rng.random() < 0.5:
        return flat_roofed(rng, 3.1, 5.8, 1)
    return gabled(3.1, 5.8, 2.5, 0.9, int(rng.choice([0, 2])))


def shed(rng: np.random.Generator) -> list[Piece]:
    x, y, high = rng.uniform(2, 3.4), rng.uniform(1.8, 2.6), rng.uniform(1.9, 2.4)
    pieces = gabled(x, y, high, 0.6, int(rng.choice([0, 2])))
    return [(shape, WOODEN if material == WALL else material) for shape, material in pieces]


def town_house(rng: np.random.Generator, x: float) -> list[Piece]:
    """One of a row, its ridge along the street."""
    y, eave = rng.uniform(10.0, 11.5), STOREY * rng.integers(2, 5) + 0.4
    high = y / 2 * np.tan(np.radians(rng.uniform(30, 45)))
    pieces = gabled(x - 0.9, y, eave, high, int(rng.choice([0, 0, 1])))
    for spot in (-x / 4, x / 4):
        if rng.random() < 0.6:
            small = gabled(y * 0.34, 1.5, eave + 1.6, 0.7)
            pieces += [
                (shape.at(spot, -y * 0.2, 0, np.pi / 2), material) for shape, material in small
            ]
    pieces.append((box(0.6, 1.4, high + 1.2).at(x / 2 - 1.0, 0.4, eave), BRICK))
    return pieces


def hall(rng: np.random.Generator) -> list[Piece]:
    """A workshop or a shop under a barrel."""
    y = rng.uniform(12, 16)
    return gabled(rng.uniform(20, 28), y, rng.uniform(4, 5.5), y * 0.22, 3)


def church(rng: np.random.Generator) -> list[Piece]:
    pieces = gabled(24, 11, 8.0, 7.0)
    for shape, material in gabled(16, 8, 7.0, 5.0):
        pieces.append((shape.at(4, 0, 0, np.pi / 2), material))
    tall = rng.uniform(18, 22)
    level = np.array([[-3.0, tall], [3.0, tall]])
    tower = [*body(6, 6, level), (hipped(6.6, 6.6, tall, tall + rng.uniform(7, 10)), TILES)]
    return pieces + [(shape.at(-13.5, 0, 0), material) for shape, material in tower]


def car(rng: np.random.Generator) -> list[Piece]:
    long, high = rng.uniform(3.9, 4.7), rng.uniform(0.55, 0.75)
    cabin = box(long * 0.52, 1.55, 0.55).at(-0.15 * long * rng.uniform(0.5, 1), 0, 0.25 + high)
    lid = cabin.normals[:, 0, 2] > 0.5
    return [
        (box(long, 1.78, high).at(0, 0, 0.25), PAINTED),
        (cabin.part(~lid), GLASS),
        (cabin.part(lid), PAINTED),
        (box(long * 0.9, 1.6, 0.25), GLASS),
    ]


def leafy_tree(rng: np.random.Generator) -> list[Piece]:
    """About 1 high: a crown of a few lumps."""
    lumps = []
    for _ in range(int(rng.integers(2, 5))):
        ball = superquadric((1.0, 1.0), 8, 13).scaled_evenly(rng.uniform(0.4, 0.62))
        spot = rng.normal(size=2) * 0.13
        lumps.append(bumpy(ball, rng, rng.uniform(0.2, 0.32), 4).at(*spot, rng.uniform(0.24, 0.42)))
    crown = join(*lumps)
    crown = crown.moved(np.eye(3) / crown.corners[..., 2].max(), (0, 0, 0))
    return [(crown, LEAVES), (_trunk(0.5), WOODEN)]


def fir(rng: np.random.Generator) -> list[Piece]:
    """About 1 high."""
    z = np.linspace(0.08, 1, 11)
    wide = rng.uniform(0.16, 0.22) * (1.05 - z)
    jagged = np.column_stack([wide * (1 + 0.28 * (-1.0) ** np.arange(11)), z])
    cone = bumpy(revolved(np.concatenate([[[0, 0.08]], jagged, [[0, 1.02]]]), 13), rng, 0.06, 3)
    return [(cone.at(0, 0, 0.08), LEAVES), (_trunk(0.3), WOODEN)]


def hedge(rng: np.random.Generator, length: float) -> list[Piece]:
    block = box(length, rng.uniform(0.6, 1.0), rng.uniform(0.9, 1.7) + 0.6).at(0, 0, -0.6)
    return [(block, LEAVES)]


def _trunk(high: float) -> Shape:
    return tube(np.array([[0, 0, -0.12], [0, 0, high / 2], [0, 0, high]]), 0.025, 6)
