"""Solids of arbitrary form: star-like outlines swept along wandering stems.

After the rules of SimpleProc (arXiv 2604.04925), whose eight thousand rule-made scenes taught a
multi-view network more than as many curated ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recon3d.depth.synthetic.shapes import Array, Shape, curve, grid_surface, solid_noise

_TAPER = 0.35
"""Share of a stem that a cone's point takes."""


def loft(rng: np.random.Generator, detail: int = 24) -> Shape:
    """A lofted solid about 1 large around the origin; detail is its number of rings.

    Two in five are smooth, the others carry noise, waves or bricks whose height follows from their
    wavelength, on a surface fine enough to hold them.
    """
    emboss = _EMBOSSINGS[rng.choice(4, p=(0.2, 0.2, 0.2, 0.4))] if detail >= 16 else None
    if emboss:
        detail = 3 * detail
    around = np.linspace(0, 2 * np.pi, detail + detail // 3 + 1)
    points = _swept(_outline(rng, around), _stem(rng, detail), _girths(rng, detail))
    middle = (points.reshape(-1, 3).max(0) + points.reshape(-1, 3).min(0)) / 2
    points = (points - middle) / np.ptp(points.reshape(-1, 3), axis=0).max()
    if emboss:
        points = emboss(rng, points, around)
    # Lids: the first and the last ring again, drawn together in one point.
    ends = [np.broadcast_to(ring.mean(0), ring.shape) for ring in (points[0], points[-1])]
    return grid_surface(np.concatenate([ends[:1], points, ends[1:]]))


def _outline(rng: np.random.Generator, around: Array) -> Array:
    """A closed line (n, 2) that its middle sees all of: wavy, a star, or a polygon."""
    kind = rng.random()
    if kind < 0.6:
        harmonics = np.arange(2, 7)[:, None]
        size = rng.normal(size=(5, 1)) * 0.45 / harmonics
        radius = 1 + (size * np.cos(harmonics * around + rng.uniform(0, 6.3, (5, 1)))).sum(0)
    else:
        corners = int(rng.integers(3, 9))
        # Straight sides in polar form; a star's are pulled in between its points.
        turn = (around * corners / (2 * np.pi)) % 1 - 0.5
        radius = np.cos(np.pi / corners) / np.cos(2 * np.pi / corners * turn)
        if kind > 0.8:
            radius = radius * (1 - rng.uniform(0.2, 0.6) * (1 - 2 * np.abs(turn)))
    radius = np.clip(radius, 0.2, None)
    return np.stack([np.cos(around), np.sin(around) * rng.uniform(0.4, 1.0)], -1) * radius[:, None]


def _stem(rng: np.random.Generator, rings: int) -> Array:
    """A random walk (rings, 3) that goes more ahead than aside, rounded."""
    steps = rng.normal(size=(6, 3)) * rng.uniform(0.1, 0.7) + [0, 0, 1.0]
    return curve(np.cumsum(steps, axis=0), rings)


def _girths(rng: np.random.Generator, rings: int) -> Array:
    """Size of the outline along the stem; half of all end in a point."""
    knots = np.column_stack([rng.uniform(0.5, 1.6, 6), np.zeros(6)])
    girth = curve(knots, rings)[:, 0] * rng.uniform(0.4, 1.5)
    place = np.linspace(0, 1, rings)
    if rng.random() < 0.5:
        girth = girth * np.clip((1.02 - place) / _TAPER, 0, 1)
    return girth


def _swept(outline: Array, stem: Array, girth: Array) -> Array:
    """The grid (rings, n, 3) of an outline moved along a stem without twisting about it."""
    along = np.gradient(stem, axis=0)
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    side = np.cross(along[0], np.eye(3)[np.abs(along[0]).argmin()])
    rings = []
    for middle, ahead, size in zip(stem, along, girth, strict=True):
        side = side - ahead * (side @ ahead)
        side = side / np.linalg.norm(side)
        axes = np.stack([side, np.cross(ahead, side)])
        rings.append(middle + size * (outline @ axes))
    return np.stack(rings)


def _pushed(points: Array, height: Array) -> Array:
    """Points moved along the surface's normal; its seam stays closed."""
    down = np.gradient(points, axis=0)
    closed = np.concatenate([points[:, -2:-1], points, points[:, 1:2]], 1)
    across = (closed[:, 2:] - closed[:, :-2]) / 2
    normals = np.cross(down, across)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    return points + normals * height[..., None]


def _noisy(rng: np.random.Generator, points: Array, around: Array) -> Array:
    wavelength = rng.uniform(0.15, 0.5)
    height = solid_noise(points, rng, 2, 2 * np.pi / wavelength / 2)
    return _pushed(points, height * wavelength * rng.uniform(0.05, 0.25))


def _wavy(rng: np.random.Generator, points: Array, around: Array) -> Array:
    """Grooves around, along or in a screw."""
    place = np.linspace(0, 1, len(points))[:, None]
    down, turns = int(rng.integers(0, 9)), int(rng.integers(0, 7))
    down = max(down, 2) if turns < 2 else down
    height = np.sin(2 * np.pi * down * place + turns * around[None])
    return _pushed(points, height / max(down, turns) * rng.uniform(0.02, 0.1))


def _bricked(rng: np.random.Generator, points: Array, around: Array) -> Array:
    """Blocks that stand out of their joints by as much as the joints are wide, each a little."""
    rows, columns = int(rng.integers(4, 11)), int(rng.integers(4, 9))
    place = np.linspace(0, rows, len(points), endpoint=False)[:, None]
    row = np.floor(place)
    turn = around[None] / (2 * np.pi) * columns + 0.5 * (row % 2)
    joint = (place % 1 < 0.2) | (turn % 1 < 0.2)
    blocks = rng.uniform(0.5, 1.0, (rows, columns))
    stands = blocks[row.astype(int), np.floor(turn).astype(int) % columns]
    return _pushed(points, np.where(joint, 0.0, stands) * 0.2 / rows)


_EMBOSSINGS: tuple[Callable[[np.random.Generator, Array, Array], Array] | None, ...] = (
    _noisy,
    _wavy,
    _bricked,
    None,
)
