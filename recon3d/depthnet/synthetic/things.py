"""Single things of random form: clutter, furniture, plants, stones."""

from __future__ import annotations

import numpy as np

from recon3d.depthnet.synthetic.shapes import (
    Array,
    Shape,
    box,
    bumpy,
    curve,
    extruded,
    grid_surface,
    join,
    panel,
    random_rotation,
    revolved,
    superquadric,
    tube,
)


def clutter(rng: np.random.Generator) -> Shape:
    """Anything about 1 high, standing on z = 0."""
    makers = (_box, _blob, _vase, _prism, _rock, _fruit, _bent_tube, _ring, _bottle, _books)
    shape = makers[
        rng.choice(len(makers), p=[0.2, 0.1, 0.14, 0.12, 0.1, 0.08, 0.08, 0.04, 0.08, 0.06])
    ](rng)
    if rng.random() < 0.15:
        shape = stood_up(shape.moved(random_rotation(rng), (0, 0, 0)))
    return shape


def stood_up(shape: Shape) -> Shape:
    """Shifted so that it stands on z = 0 over the origin."""
    points = shape.corners.reshape(-1, 3)
    low, high = points.min(0), points.max(0)
    middle = (low + high) / 2
    return shape.moved(np.eye(3), (-middle[0], -middle[1], -low[2]))


def _box(rng: np.random.Generator) -> Shape:
    return box(rng.uniform(0.3, 1.2), rng.uniform(0.3, 1.2), rng.uniform(0.2, 1.2))


def _blob(rng: np.random.Generator) -> Shape:
    e, n = 10 ** rng.uniform(-1, 0.3, 2)
    return superquadric((e, n)).scaled(*rng.uniform(0.5, 1.2, 3))


def _vase(rng: np.random.Generator) -> Shape:
    knots = np.column_stack([rng.uniform(0.12, 0.5, 6), np.linspace(0, rng.uniform(0.6, 1.5), 6)])
    profile = curve(knots, 14) if rng.random() < 0.7 else knots
    wall = profile[::-1] * [0.88, 1.0] + [0.0, 0.02]
    closed = np.concatenate([[[0.0, 0.0]], profile, wall, [[0.0, wall[-1, 1] + 0.02]]])
    return revolved(closed, int(rng.choice([6, 8, 20, 28])))


def _bottle(rng: np.random.Generator) -> Shape:
    r, neck = rng.uniform(0.13, 0.22), rng.uniform(0.04, 0.08)
    shoulder = rng.uniform(0.5, 0.75)
    profile = np.array(
        [
            [0, 0],
            [r, 0],
            [r, shoulder],
            [r * 0.8, shoulder + 0.08],
            [neck, shoulder + 0.18],
            [neck, 1.0],
            [neck * 1.3, 1.0],
            [neck * 1.3, 1.06],
            [0, 1.06],
        ]
    )
    return revolved(profile, 20)


def _prism(rng: np.random.Generator) -> Shape:
    corners = int(rng.integers(3, 11))
    angle = (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) / corners * 2 * np.pi
    radius = rng.uniform(0.2, 0.6, corners)
    outline = np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None]
    return extruded(outline, rng.uniform(0.15, 1.2))


def _rock(rng: np.random.Generator) -> Shape:
    blob = superquadric((rng.uniform(0.4, 1.2), rng.uniform(0.4, 1.2)), 22, 36)
    return bumpy(blob.scaled(*rng.uniform(0.6, 1.2, 3)), rng, rng.uniform(0.1, 0.4), 4)


def _fruit(rng: np.random.Generator) -> Shape:
    ball = superquadric((1.0, 1.0), 16, 24).scaled(*rng.uniform(0.5, 0.8, 3))
    return bumpy(ball, rng, rng.uniform(0.02, 0.15), 2)


def _bent_tube(rng: np.random.Generator) -> Shape:
    knots = np.cumsum(rng.normal(size=(5, 3)) * 0.35, axis=0)
    path = curve(knots, 20)
    swell = 1 + 0.6 * np.sin(np.linspace(0, np.pi, 20)) * rng.integers(0, 2)
    return stood_up(tube(path, rng.uniform(0.02, 0.14) * swell))


def _ring(rng: np.random.Generator) -> Shape:
    angle = np.linspace(0, 2 * np.pi, 25)
    path = np.column_stack([np.cos(angle), np.sin(angle) * rng.uniform(0.6, 1), 0 * angle]) * 0.4
    return stood_up(tube(path, rng.uniform(0.04, 0.16)))


def _books(rng: np.random.Generator) -> Shape:
    parts, z = [], 0.0
    for _ in range(rng.integers(2, 6)):
        thick = rng.uniform(0.06, 0.2)
        parts.append(
            box(rng.uniform(0.5, 0.9), rng.uniform(0.5, 0.9), thick).at(0, 0, z, rng.normal() * 0.2)
        )
        z += thick
    return join(*parts)


def table_frame(rng: np.random.Generator, x: float, y: float, z: float) -> Shape:
    """A table with a top and thin legs, its top at height z."""
    top = rng.uniform(0.02, 0.06)
    leg = rng.uniform(0.03, 0.08)
    inset = leg / 2 + rng.uniform(0, 0.08)
    parts = [box(x, y, top).at(0, 0, z - top)]
    for i in (-1, 1):
        for j in (-1, 1):
            parts.append(box(leg, leg, z - top).at(i * (x / 2 - inset), j * (y / 2 - inset), 0))
    return join(*parts)


def chair(rng: np.random.Generator) -> Shape:
    """A chair, back towards +y."""
    seat, width = rng.uniform(0.42, 0.5), rng.uniform(0.4, 0.5)
    back = rng.uniform(0.75, 1.05)
    parts = [table_frame(rng, width, width, seat)]
    post = rng.uniform(0.02, 0.05)
    edge = width / 2 - post / 2
    parts += [box(post, post, back - seat).at(i * edge, edge, seat) for i in (-1, 1)]
    if rng.random() < 0.5:
        height = rng.uniform(0.1, back - seat)
        parts.append(box(width, 0.02, height).at(0, edge, back - height))
    else:
        bars = int(rng.integers(2, 7))
        for x in np.linspace(-edge, edge, bars + 2)[1:-1]:
            parts.append(box(0.02, 0.02, back - seat).at(x, edge, seat))
        parts.append(box(width, post, 0.06).at(0, edge, back - 0.06))
    return join(*parts)


def sofa(rng: np.random.Generator) -> Shape:
    """A sofa, back towards +y."""
    width, depth, seat = rng.uniform(0.9, 2.2), rng.uniform(0.7, 1.0), rng.uniform(0.35, 0.48)
    soft = (rng.uniform(0.1, 0.3), rng.uniform(0.1, 0.3))
    cushion = superquadric(soft)
    arm = rng.uniform(0.12, 0.25)
    parts = [cushion.scaled(width, depth, seat)]
    parts.append(cushion.scaled(width, 0.28, 0.85).at(0, depth / 2 - 0.12, 0))
    parts += [cushion.scaled(arm, depth, seat + 0.18).at(i * (width / 2), 0, 0) for i in (-1, 1)]
    return join(*parts)


def plant(rng: np.random.Generator) -> Shape:
    """Leaves and stems about 1 high; single quads that are seen from both sides."""
    parts = []
    for _ in range(rng.integers(8, 30)):
        lean, around = rng.uniform(0.1, 1.1), rng.uniform(0, 2 * np.pi)
        length = rng.uniform(0.3, 1.0)
        t = np.linspace(0, 1, 6)
        out = np.sin(lean) * t + 0.3 * lean * t**2
        up = np.cos(lean) * t - 0.35 * lean * t**2
        middle = np.column_stack([out * np.cos(around), out * np.sin(around), up]) * length
        side = np.array([-np.sin(around), np.cos(around), rng.normal() * 0.3])
        wide = np.sin(np.pi * np.clip(t, 0.02, 0.98)) * rng.uniform(0.03, 0.12)
        edge = side * wide[:, None]
        parts.append(_strip(middle - edge, middle + edge))
    return join(*parts)


def _strip(left: Array, right: Array) -> Shape:
    return grid_surface(np.stack([left, right], 1))


def picture(rng: np.random.Generator) -> Shape:
    """Something flat to hang on a wall that faces -y, up to 1 wide."""
    return panel(rng.uniform(0.3, 1.0), rng.uniform(0.3, 1.0))
