"""Furniture in metres, standing on z = 0, its back towards +y; parts may differ in material."""

from __future__ import annotations

import numpy as np

from recon3d.depth.synthetic.shapes import (
    Shape,
    box,
    curve,
    join,
    panel,
    revolved,
    superquadric,
    tube,
)
from recon3d.depth.synthetic.things import clutter


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


def chair(rng: np.random.Generator) -> list[Shape]:
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
    return [join(*parts)]


def sofa(rng: np.random.Generator) -> list[Shape]:
    """A sofa, back towards +y."""
    width, depth, seat = rng.uniform(0.9, 2.2), rng.uniform(0.7, 1.0), rng.uniform(0.35, 0.48)
    soft = (rng.uniform(0.1, 0.3), rng.uniform(0.1, 0.3))
    cushion = superquadric(soft)
    arm = rng.uniform(0.12, 0.25)
    parts = [cushion.scaled(width, depth, seat)]
    parts.append(cushion.scaled(width, 0.28, 0.85).at(0, depth / 2 - 0.12, 0))
    parts += [cushion.scaled(arm, depth, seat + 0.18).at(i * (width / 2), 0, 0) for i in (-1, 1)]
    return [join(*parts)]


def desk(rng: np.random.Generator) -> list[Shape]:
    """A table with screens, keyboard, papers and what else lies about."""
    wide, deep, tall = rng.uniform(1.0, 1.9), rng.uniform(0.6, 0.9), rng.uniform(0.68, 0.78)
    parts = [table_frame(rng, wide, deep, tall)]
    for _ in range(rng.integers(0, 3)):
        x, yaw = rng.uniform(-0.35, 0.35) * wide, rng.normal() * 0.3
        screen, stand = _monitor(rng)
        parts += [part.at(x, deep / 5, tall, yaw) for part in (screen, stand)]
    keyboard = box(rng.uniform(0.3, 0.5), 0.15, 0.025)
    parts.append(keyboard.at(rng.normal() * 0.15, -deep / 4, tall, rng.normal() * 0.1))
    for _ in range(rng.integers(0, 4)):
        x, y = rng.uniform(-0.4, 0.4, 2) * [wide, deep]
        parts.append(box(0.21, 0.3, rng.uniform(0.001, 0.02)).at(x, y, tall, rng.uniform(0, 6)))
    return parts + strewn(rng, wide, deep, tall, int(rng.integers(2, 9)))


def strewn(rng: np.random.Generator, wide: float, deep: float, z: float, count: int) -> list[Shape]:
    """Small things on a surface centred on the origin at height z."""
    parts = []
    for _ in range(count):
        x, y = rng.uniform(-0.45, 0.45, 2) * [wide, deep]
        size, yaw = 10 ** rng.uniform(-1.25, -0.5), rng.uniform(0, 6)
        parts += [part.scaled_evenly(size).at(x, y, z, yaw) for part in clutter(rng)]
    return parts


def cupboard(rng: np.random.Generator) -> list[Shape]:
    """A body with doors or drawers and their handles; low ones carry things."""
    wide, tall, deep = rng.uniform(0.5, 2.0), rng.uniform(0.5, 2.1), rng.uniform(0.3, 0.65)
    columns, rows = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    fronts, handles = [], []
    for column in range(columns):
        x = wide * ((column + 0.5) / columns - 0.5)
        for row in range(rows):
            high = tall / rows
            z = row * high
            fronts.append(box(wide / columns - 0.015, 0.02, high - 0.02).at(x, -deep / 2, z + 0.01))
            if rows > 1:
                handle = box(0.12, 0.03, 0.015).at(x, -deep / 2 - 0.02, z + high * 0.75)
            else:
                side = x + wide / columns * 0.38
                handle = box(0.015, 0.03, 0.14).at(side, -deep / 2 - 0.02, z + high * 0.55)
            handles.append(handle)
    parts = [box(wide, deep, tall), join(*fronts), join(*handles)]
    return parts + (strewn(rng, wide, deep, tall, int(rng.integers(0, 6))) if tall < 1.3 else [])


def shelf(rng: np.random.Generator) -> list[Shape]:
    """An open shelf with rows of books and things."""
    wide, tall, deep = rng.uniform(0.6, 1.8), rng.uniform(0.8, 2.1), rng.uniform(0.22, 0.4)
    rows = int(rng.integers(2, 6))
    boards = [box(wide, deep, 0.02).at(0, 0, tall * row / rows) for row in range(rows + 1)]
    boards += [box(0.02, deep, tall).at(side * wide / 2, 0, 0) for side in (-1, 1)]
    if rng.random() < 0.6:
        boards.append(panel(wide, tall).at(0, deep / 2, 0))
    parts = [join(*boards)]
    for row in range(rows):
        z, room = tall * row / rows + 0.02, tall / rows - 0.04
        if rng.random() < 0.6:
            parts += _row_of_books(rng, wide - 0.06, deep, z, room)
        else:
            small = strewn(rng, wide - 0.2, deep * 0.6, 0, int(rng.integers(1, 6)))
            parts += [part.scaled_evenly(min(1.0, room / 0.32)).at(0, 0, z) for part in small]
    return parts


def counter(rng: np.random.Generator) -> list[Shape]:
    """A kitchen along a wall: fronts, worktop, tap, hanging cupboards, things on top."""
    wide, deep = rng.uniform(1.5, 3.5), rng.uniform(0.55, 0.65)
    units = int(rng.integers(2, 7))
    fronts, knobs = [], []
    for unit in range(units):
        x = wide * ((unit + 0.5) / units - 0.5)
        fronts.append(box(wide / units - 0.01, 0.02, 0.72).at(x, -deep / 2, 0.1))
        knobs.append(box(wide / units * 0.5, 0.03, 0.015).at(x, -deep / 2 - 0.02, 0.76))
    parts = [box(wide, deep - 0.06, 0.86).at(0, 0.03, 0), join(*fronts), join(*knobs)]
    parts.append(box(wide + 0.04, deep + 0.03, 0.04).at(0, 0, 0.86))
    parts += strewn(rng, wide, deep, 0.9, int(rng.integers(3, 14)))
    knots = np.array([[0, 0, 0], [0, 0, 0.3], [0, -0.02, 0.36], [0, -0.2, 0.33], [0, -0.2, 0.28]])
    parts.append(tube(curve(knots, 16), 0.014, 8).at(wide * rng.uniform(-0.3, 0.3), 0.2, 0.9))
    if rng.random() < 0.7:
        units = int(rng.integers(1, 5))
        size = wide / (units + 1)
        for unit in range(units):
            x = wide * ((unit + 0.5) / units - 0.5)
            parts.append(box(size, 0.32, rng.uniform(0.5, 0.7)).at(x, deep / 2 - 0.16, 1.45))
    return parts


def bed(rng: np.random.Generator) -> list[Shape]:
    """A bed with pillows and a blanket that hangs over."""
    wide = rng.uniform(0.9, 1.8)
    soft = superquadric((0.25, 0.25))
    parts = [box(wide, 2.0, 0.25), soft.scaled(wide, 2.0, 0.25).at(0, 0, 0.2)]
    parts.append(soft.scaled(wide + 0.08, 1.4, 0.12).at(0, -0.3, 0.36))
    parts += [soft.scaled(0.6, 0.4, 0.18).at(x, 0.75, 0.42) for x in (-wide / 4, wide / 4)]
    return [*parts, box(wide, 0.05, rng.uniform(0.6, 1.1)).at(0, 1.02, 0)]


def floor_lamp(rng: np.random.Generator) -> list[Shape]:
    """A thin pole with a shade."""
    tall, r = rng.uniform(1.2, 1.8), rng.uniform(0.15, 0.25)
    profile = np.array([[r, 0.0], [r * rng.uniform(0.3, 0.9), 0.3]])
    foot = revolved(np.array([[0, 0], [0.15, 0], [0.15, 0.02], [0.012, 0.03], [0.012, tall]]), 12)
    return [foot, revolved(profile, 20).at(0, 0, tall - 0.2)]


def _monitor(rng: np.random.Generator) -> tuple[Shape, Shape]:
    wide = rng.uniform(0.4, 0.65)
    screen = box(wide, 0.03, wide * 0.6).at(0, 0, 0.12)
    stand = join(box(0.05, 0.03, 0.2).at(0, 0.03, 0), box(0.22, 0.16, 0.015))
    return screen, stand


def _row_of_books(
    rng: np.random.Generator, wide: float, deep: float, z: float, room: float
) -> list[Shape]:
    colours: list[list[Shape]] = [[] for _ in range(5)]
    x, end = -wide / 2, wide / 2 * rng.uniform(0.2, 1.0)
    while x < end:
        thick = rng.uniform(0.012, 0.05)
        size = box(thick * 0.96, deep * rng.uniform(0.55, 0.85), room * rng.uniform(0.55, 0.95))
        colours[rng.integers(5)].append(size.at(x + thick / 2, 0, z))
        x += thick
    return [join(*books) for books in colours if books]
