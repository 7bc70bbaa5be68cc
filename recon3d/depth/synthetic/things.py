"""Single things of random form: clutter, plants, stones, cables."""

from __future__ import annotations

import numpy as np

from recon3d.depth.synthetic.lofts import loft
from recon3d.depth.synthetic.shapes import (
    Array,
    Shape,
    box,
    bumpy,
    curve,
    extruded,
    grid_surface,
    join,
    random_rotation,
    revolved,
    superquadric,
    tube,
)
from recon3d.depth.synthetic.thin import thin_thing


def clutter(rng: np.random.Generator) -> list[Shape]:
    """Anything about 1 high, standing on z = 0; parts that may differ in material."""
    shape = _MAKERS[rng.choice(len(_MAKERS), p=_SHARES)](rng)
    if rng.random() < 0.15:
        # On its tip nothing stands for long: it sinks in a little.
        tipped = stood_up(shape.moved(random_rotation(rng), (0, 0, 0)))
        return [tipped.at(0, 0, -0.12 * float(tipped.corners[..., 2].max()))]
    if rng.random() < 0.1:
        return [shape, *_on_top(rng, shape)]
    return [shape]


def afloat(rng: np.random.Generator) -> list[Shape]:
    """Something about 1 large around the origin, turned in any way, for the air."""
    kind = rng.random()
    if kind < 0.4:
        parts = [loft(rng, 8)]
    elif kind < 0.5:
        parts = [thin_thing(rng).at(0, 0, -0.5)]
    else:
        parts = [part.at(0, 0, -0.5) for part in clutter(rng)]
    turn = random_rotation(rng)
    return [part.moved(turn, (0, 0, 0)) for part in parts]


def _on_top(rng: np.random.Generator, below: Shape) -> list[Shape]:
    top = float(below.corners[..., 2].max())
    size = rng.uniform(0.2, 0.6)
    return [part.scaled_evenly(size).at(0, 0, top, rng.uniform(0, 6)) for part in clutter(rng)]


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


def _mug(rng: np.random.Generator) -> Shape:
    r = rng.uniform(0.3, 0.45)
    wall = np.array([[0, 0], [r, 0], [r, 1], [r * 0.9, 1], [r * 0.9, 0.08], [0, 0.08]])
    angle = np.linspace(-np.pi / 2, np.pi / 2, 12)
    handle = np.column_stack([r + 0.28 * np.cos(angle), 0 * angle, 0.5 + 0.3 * np.sin(angle)])
    return join(revolved(wall, 20), tube(handle, 0.05, 6))


def _figure(rng: np.random.Generator) -> Shape:
    """Something carved: lumps upon lumps, with limbs."""
    body = superquadric((rng.uniform(0.4, 1), rng.uniform(0.5, 1)), 18, 28)
    parts = [bumpy(body.scaled(rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.6), 0.75), rng, 0.2, 4)]
    parts.append(lump(rng, 0.65, rng.uniform(0.2, 0.35)))
    for _ in range(rng.integers(0, 4)):
        knots = np.cumsum(rng.normal(size=(4, 3)) * 0.15, axis=0) + np.array([0, 0, 0.5])
        parts.append(tube(curve(knots, 12), np.linspace(0.09, 0.03, 12), 8))
    return stood_up(join(*parts))


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


def lump(rng: np.random.Generator, z: float, size: float) -> Shape:
    """A crown of leaves or a head of stone around height z."""
    ball = superquadric((1.0, 1.0), 12, 18).scaled_evenly(size)
    return bumpy(ball, rng, rng.uniform(0.2, 0.5), 3).at(0, 0, z)


def cable(rng: np.random.Generator, length: float) -> Shape:
    """A thin cord that lies on the floor in loops."""
    knots = np.cumsum(rng.normal(size=(7, 3)) * [1, 1, 0], axis=0) * length / 6
    return tube(curve(knots, 40) + np.array([0, 0, 0.008]), rng.uniform(0.004, 0.01), 5)


_MAKERS = (
    _box,
    _blob,
    _vase,
    _prism,
    _rock,
    _fruit,
    _bent_tube,
    _ring,
    _bottle,
    _books,
    _mug,
    _figure,
)
_SHARES = (0.18, 0.08, 0.1, 0.1, 0.1, 0.08, 0.08, 0.04, 0.08, 0.06, 0.04, 0.06)
