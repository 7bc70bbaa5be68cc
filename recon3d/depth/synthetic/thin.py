"""Things that are a few pixels wide: rods, cables, railings, fences, twigs, frames."""

from __future__ import annotations

import numpy as np

from recon3d.depth.synthetic.shapes import Array, Shape, curve, grid_surface, join, tube


def thin_thing(rng: np.random.Generator) -> Shape:
    """Any of them, about 1 high, standing on z = 0."""
    return (rods, railing, fence, twig, ladder)[rng.integers(5)](rng)


def rods(rng: np.random.Generator) -> Shape:
    """Sticks that lean in all directions."""
    parts = []
    for _ in range(rng.integers(1, 8)):
        foot = np.array([*rng.uniform(-0.5, 0.5, 2), 0.0])
        lean = rng.normal(size=2) * rng.choice([0.02, 0.4])
        top = foot + np.array([*lean, rng.uniform(0.5, 1.2)])
        parts.append(_rod(foot, top, 10 ** rng.uniform(-2.4, -1.5)))
    return join(*parts)


def railing(rng: np.random.Generator) -> Shape:
    """A hand rail on posts, with thin bars or wires between them; along x, 1 to 4 wide."""
    wide = rng.uniform(1.0, 4.0)
    left, right = -wide / 2, wide / 2
    rail = rng.uniform(0.015, 0.03)
    parts = [_rod(np.array([left, 0, 1.0]), np.array([right, 0, 1.0]), rail)]
    bar = 10 ** rng.uniform(-2.4, -1.9)
    if rng.random() < 0.6:
        count = int(wide / rng.uniform(0.08, 0.25))
        parts += [_upright(x, 0.05, 1.0, bar) for x in np.linspace(left, right, count + 2)]
    else:
        for z in np.linspace(0.1, 0.9, int(rng.integers(2, 7))):
            parts.append(_rod(np.array([left, 0, z]), np.array([right, 0, z]), bar))
    parts += [_upright(x, 0, 1.0, rail) for x in np.linspace(left, right, int(rng.integers(2, 5)))]
    return join(*parts)


def fence(rng: np.random.Generator) -> Shape:
    """Wires that cross in squares or diamonds, within a frame."""
    wide, mesh = rng.uniform(0.8, 2.0), rng.uniform(0.06, 0.2)
    wire = mesh * rng.uniform(0.03, 0.1)
    low, high = np.array([-wide / 2, 0.0]), np.array([wide / 2, 1.0])
    parts = []
    for way in ([1.0, 0.0], [0.0, 1.0]) if rng.random() < 0.5 else ([1.0, 1.0], [1.0, -1.0]):
        direction = np.array(way) / np.linalg.norm(way)
        normal = np.array([-direction[1], direction[0]])
        reach = (np.abs(normal) * (high - low) / 2).sum()
        for offset in np.arange(-reach + mesh / 2, reach, mesh):
            foot = (low + high) / 2 + normal * offset
            a, b = _clipped(foot, direction, low, high)
            parts.append(_rod(np.array([a[0], 0, a[1]]), np.array([b[0], 0, b[1]]), wire))
    for x in (low[0], high[0]):
        parts.append(_upright(x, 0, 1.0, 3 * wire))
    return join(*parts)


def twig(rng: np.random.Generator) -> Shape:
    """A bare or leafy branch that forks four times."""
    parts: list[Shape] = []
    leaves = rng.random() < 0.6
    tips = [(np.zeros(3), np.array([0, 0, 1.0]), rng.uniform(0.01, 0.03))]
    for level in range(4):
        grown = []
        for foot, direction, radius in tips:
            for _ in range(2 if level else int(rng.integers(1, 3))):
                bent = direction + rng.normal(size=3) * 0.45
                bent = bent / np.linalg.norm(bent)
                tip = foot + bent * rng.uniform(0.2, 0.4) * 0.8**level
                parts.append(_rod(foot, tip, radius))
                grown.append((tip, bent, radius * 0.65))
                if leaves and level > 1:
                    parts += [_leaf(rng, foot + (tip - foot) * rng.random()) for _ in range(3)]
        tips = grown
    return join(*parts)


def ladder(rng: np.random.Generator) -> Shape:
    """Two poles with rungs, leaning, or four: a scaffold."""
    wide, bar = rng.uniform(0.2, 0.5), rng.uniform(0.006, 0.02)
    lean = rng.uniform(-0.4, 0.4)
    deep = (0.0,) if rng.random() < 0.6 else (0.0, rng.uniform(0.2, 0.6))
    parts = []
    for y in deep:
        for x in (-wide / 2, wide / 2):
            parts.append(_rod(np.array([x, y, 0]), np.array([x, y + lean, 1.2]), bar))
        for z in np.arange(0.1, 1.15, rng.uniform(0.1, 0.3)):
            at = np.array([0, y + lean * z / 1.2, z])
            side = np.array([wide / 2, 0, 0])
            parts.append(_rod(at - side, at + side, bar))
    for z in np.linspace(0.2, 1.1, 3) if len(deep) == 2 else ():
        for x in (-wide / 2, wide / 2):
            a = np.array([x, lean * z / 1.2, z])
            parts.append(_rod(a, a + np.array([0, deep[-1], 0]), bar))
    return join(*parts)


def hanging_cable(rng: np.random.Generator, start: Array, end: Array) -> Shape:
    """A cord between two points (3,) that sags by up to a third of their distance."""
    place = np.linspace(-1, 1, 24)[:, None]
    length = float(np.linalg.norm(end - start))
    path = start + (end - start) * (place + 1) / 2
    # A parabola is within a hundredth of a catenary where the sag is small.
    path = path - np.array([0, 0, 1.0]) * (1 - place**2) * length * rng.uniform(0.0, 0.33)
    return tube(path, length * 10 ** rng.uniform(-2.9, -2.2), 6)


def _rod(foot: Array, top: Array, radius: float) -> Shape:
    return tube(np.stack([foot, top]), radius, 6)


def _upright(x: float, low: float, high: float, radius: float) -> Shape:
    return _rod(np.array([x, 0, low]), np.array([x, 0, high]), radius)


def _clipped(foot: Array, direction: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Where a line leaves a rectangle that it starts in, both ways."""
    safe = np.where(np.abs(direction) < 1e-9, 1e-9, direction)
    ends = np.stack([(low - foot) / safe, (high - foot) / safe])
    return foot + direction * ends.min(0).max(), foot + direction * ends.max(0).min()


def _leaf(rng: np.random.Generator, place: Array) -> Shape:
    """A pointed blade of no thickness that bends a little."""
    way = rng.normal(size=3)
    way = way / np.linalg.norm(way) * rng.uniform(0.04, 0.12)
    side = np.cross(way, rng.normal(size=3)) * rng.uniform(0.3, 0.6)
    path = curve(np.stack([place, place + way, place + 1.6 * way - [0, 0, 0.02]]), 5)
    blade = side * np.sin(np.pi * np.linspace(0.05, 0.95, 5))[:, None]
    return grid_surface(np.stack([path - blade, path + blade], 1))
