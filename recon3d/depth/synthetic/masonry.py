"""Built and carved stone: relief, columns, arches, stairs, basins, houses; faces look to -y."""

from __future__ import annotations

import numpy as np

from recon3d.depth.synthetic.shapes import (
    Array,
    Shape,
    box,
    from_corners,
    grid_surface,
    height_field,
    join,
    revolved,
    solid_noise,
    tube,
)

_UPRIGHT = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Turns a sheet that lies into one that stands and looks to -y."""


def relief(rng: np.random.Generator, wide: float, tall: float, depth: float) -> Shape:
    """A carved slab: rough, rusticated, fluted, or with rows of ornaments, standing on z = 0."""
    cells = 56
    x = np.linspace(-0.5, 0.5, cells)[:, None] * wide
    y = np.linspace(-0.5, 0.5, cells)[None] * tall
    kind = rng.integers(5)
    if kind == 0:
        heights = np.zeros((cells, cells))
    elif kind == 1:
        size = rng.uniform(0.25, 0.6) * min(wide, tall)
        u, v = (x / size) % 1 - 0.5, (y / size * 2) % 1 - 0.5
        heights = 1 - np.maximum(np.abs(u), np.abs(v)) ** 4 * 16
    elif kind == 2:
        heights = np.abs(np.sin(x / wide * np.pi * rng.integers(3, 9))) + 0 * y
    else:
        pitch = rng.uniform(0.3, 0.8) * min(wide, tall)
        u, v = (x / pitch + 0.5) % 1 - 0.5, (y / pitch + 0.5) % 1 - 0.5
        radius, angle = np.hypot(u, v), np.arctan2(v, u)
        petals = 1 + 0.5 * np.cos(angle * rng.integers(3, 9))
        heights = np.clip(1 - radius / 0.42 / petals, 0, 1) ** 0.5
        if kind == 4:
            heights = heights * (0.6 + 0.4 * np.cos(radius * 40))
    grid = np.stack(np.broadcast_arrays(x, y, 0.0), -1) / min(wide, tall)
    rough = solid_noise(grid, rng, 4, 3.0) * rng.uniform(0.02, 0.6)
    sheet = height_field((heights * 0.8 + rough) * depth, wide, tall)
    return sheet.moved(_UPRIGHT, (0, 0, tall / 2))


def column(rng: np.random.Generator, radius: float, height: float) -> Shape:
    """A column with base and capital, round or with few sides, sometimes fluted."""
    z = np.array([0, 0.04, 0.05, 0.1, 0.12, 0.5, 0.88, 0.9, 0.95, 1.0]) * height
    r = radius * np.array([1.4, 1.4, 1.2, 1.2, 1.0, 0.95, 0.85, 1.1, 1.4, 1.4])
    return revolved(np.column_stack([r, z]), int(rng.choice([8, 20, 24])))


def arch(wide: float, thick: float, rows: int = 1) -> Shape:
    """A half ring over an opening `wide` across, its feet at z = 0."""
    angle = np.linspace(0, np.pi, 17)
    rings = []
    for row in range(rows):
        radius = wide / 2 + thick * (row + 0.5)
        line = np.column_stack([np.cos(angle), 0 * angle, np.sin(angle)]) * radius
        rings.append(tube(line, thick * 0.7 / (row + 1), 4))
    return join(*rings)


def niche(wide: float, tall: float) -> Shape:
    """A hollow half cylinder with a half dome, open to -y."""
    angle = np.linspace(0, np.pi, 13)
    rise = np.linspace(0, np.pi / 2, 7)[1:]
    heights = np.concatenate([[0.0, tall - wide / 2], tall - wide / 2 * (1 - np.sin(rise))])
    radii = np.concatenate([[1.0, 1.0], np.cos(rise)]) * wide / 2
    ring = np.stack([np.cos(angle), np.sin(angle)], -1)
    xy = radii[:, None, None] * ring
    z = np.broadcast_to(heights[:, None, None], (*xy.shape[:2], 1))
    return grid_surface(np.concatenate([xy, z], -1))


def basin(rng: np.random.Generator, radius: float) -> Shape:
    """An open bowl on a foot."""
    foot, rim = rng.uniform(0.2, 0.6), rng.uniform(0.8, 0.93)
    tall = radius * rng.uniform(0.4, 1.3)
    r = radius * np.array([0, foot, foot * 0.6, foot * 0.6, 0.8, 1, 1, rim, rim * 0.7, 0])
    z = tall * np.array([0, 0, 0.1, 0.4, 0.6, 0.85, 1, 1, 0.7, 0.62])
    return revolved(np.column_stack([r, z]), int(rng.choice([6, 8, 28])))


def stairs(rng: np.random.Generator, wide: float) -> Shape:
    """Steps that rise towards +y and end at y = 0."""
    rise, going = rng.uniform(0.12, 0.2), rng.uniform(0.25, 0.4)
    count = int(rng.integers(2, 7))
    return join(
        *(box(wide, 2 * going * (count - i), rise).at(0, 0, i * rise) for i in range(count))
    )


def balustrade(rng: np.random.Generator, wide: float) -> Shape:
    """A row of little columns under a rail, along x."""
    count = max(2, int(wide / rng.uniform(0.2, 0.45)))
    radius = rng.uniform(0.04, 0.09)
    r = radius * np.array([1, 1, 0.5, 1.1, 0.6, 1, 1])
    post = revolved(np.column_stack([r, np.array([0, 0.1, 0.2, 0.4, 0.7, 0.75, 0.85])]), 8)
    spots = np.linspace(-wide / 2 + radius, wide / 2 - radius, count)
    rail = box(wide, radius * 3, 0.12).at(0, 0, 0.85)
    return join(rail, *(post.at(x, 0, 0) for x in spots))


def house(rng: np.random.Generator) -> list[Shape]:
    """Walls, roof, chimney, and rows of windows, sunk a little into the ground."""
    wide, deep, tall = rng.uniform(6, 14), rng.uniform(5, 9), rng.uniform(3, 8)
    ridge = rng.uniform(0.8, 4)
    parts = [box(wide, deep, tall + 3).at(0, 0, -3), _roof(wide, deep, ridge).at(0, 0, tall)]
    windows = []
    for x in np.arange(-wide / 2 + 1.2, wide / 2 - 0.8, rng.uniform(1.8, 3)):
        for z in np.arange(0.9, tall - 1.2, 2.7):
            windows += [box(0.9, 0.1, 1.2).at(x, side * deep / 2, z) for side in (-1, 1)]
    if windows:
        parts.append(join(*windows))
    if rng.random() < 0.7:
        parts.append(box(0.7, 0.7, ridge + 0.8).at(wide * rng.uniform(-0.3, 0.3), 0.6, tall))
    return parts


def _roof(x: float, y: float, z: float) -> Shape:
    """A saddle roof with eaves, its ridge along x."""
    out = 0.5
    outline: Array = np.array(
        [[-y / 2 - out, -out * 2 * z / y], [0, z], [y / 2 + out, -out * 2 * z / y]]
    )
    left, right = (
        np.column_stack([np.full(3, side), outline]) for side in (-x / 2 - out, x / 2 + out)
    )
    gables = np.stack(
        [[[side, -y / 2, 0], [side, 0, z], [side, y / 2, 0]] for side in (-x / 2, x / 2)]
    )
    return join(grid_surface(np.stack([left, right], 1)), from_corners(gables))
