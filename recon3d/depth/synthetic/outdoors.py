"""Facades, rocks and ruins, terrain from the air, and single objects; metres."""

from __future__ import annotations

import numpy as np

from recon3d.depth.synthetic.furniture import chair, strewn
from recon3d.depth.synthetic.masonry import (
    arch,
    balustrade,
    basin,
    column,
    house,
    niche,
    relief,
    stairs,
)
from recon3d.depth.synthetic.scene import Builder, Scene, Stage, lamplight, sunlight
from recon3d.depth.synthetic.shapes import (
    Array,
    Shape,
    box,
    grid_surface,
    height_field,
    panel,
    solid_noise,
)
from recon3d.depth.synthetic.things import clutter, lump, plant


def facade(rng: np.random.Generator) -> Scene:
    """A wall with relief in front of a square, as one walks along it."""
    build = Builder(rng)
    wall = build.new_material(1.5, plain_share=0.15)
    trim = build.new_material(0.8, plain_share=0.25)
    glass = build.new_material(1.5, plain_share=0.5, light=rng.uniform(0.08, 0.4))
    ground = build.new_material(1.5, plain_share=0.2)
    build.draw_materials(5, 0.4)
    columns, rows = int(rng.integers(3, 7)), int(rng.integers(1, 4))
    pitch, floor = rng.uniform(1.3, 3.2), rng.uniform(2.4, 4.0)
    width, height = columns * pitch, rows * floor + 0.8
    build.add(box(80, 80, 0.2).at(0, 0, -0.2), ground)
    build.add(box(width, 1, height).at(0, 0.9, 0), glass)
    bay = _Bay(rng, pitch, floor)
    for number in range(columns + 1):
        x = (number - columns / 2) * pitch
        build.add(box(pitch - bay.wide, 0.4, height).at(x, 0.2, 0), wall)
        if bay.columned:
            build.add(column(rng, (pitch - bay.wide) * 0.3, height).at(x, 0, 0), trim)
    for row in range(rows):
        z = row * floor
        build.add(box(width, rng.uniform(0.4, 0.7), 0.14).at(0, 0.1, z + floor - 0.1), trim)
        for number in range(columns):
            x = (number + 0.5 - columns / 2) * pitch
            for shape, is_trim in bay.parts(rng):
                build.add(shape.at(x, 0, z), trim if is_trim else wall)
    build.add(box(width + 1, 0.9, 0.4).at(0, 0.2, height), trim)
    if rng.random() < 0.5:
        build.add(stairs(rng, width * rng.uniform(0.3, 1)).at(0, 0, 0), trim)
    if rng.random() < 0.4:
        build.add(basin(rng, rng.uniform(0.5, 1.5)).at(rng.normal(), -rng.uniform(1, 2.5), 0), trim)
    if rng.random() < 0.3:
        build.add(balustrade(rng, width * 0.8).at(0, -rng.uniform(0.8, 2), 0), trim)
    for _ in range(rng.integers(0, 6)):
        x, y = rng.uniform([-width / 2, -4], [width / 2, -0.5])
        build.place(clutter(rng), (x, y, 0), yaw=rng.uniform(0, 6), size=rng.uniform(0.3, 1.3))
    away = rng.uniform(2.0, 8.0)
    low, high = np.array([-width / 2.5, -0.3, 0.4]), np.array([width / 2.5, 0, min(height, 4.5)])
    stage = Stage(
        (np.array([-width / 2, -away - 1.5, 1.0]), np.array([width / 2, -away, 2.2])),
        rng.uniform(low, high, (12, 3)),
        (away * 0.9, away * 2.0),
        "walk" if rng.random() < 0.65 else "orbit",
    )
    return build.finish("facade", sunlight(rng, width), stage)


class _Bay:
    """What repeats along a facade: an opening and what adorns it, origin at the wall's front."""

    def __init__(self, rng: np.random.Generator, pitch: float, floor: float) -> None:
        self.pitch, self.floor = pitch, floor
        self.wide = pitch * rng.uniform(0.35, 0.75)
        self.tall = floor * rng.uniform(0.4, 0.75)
        self.sill = (floor - self.tall) * rng.uniform(0.1, 0.6)
        self.columned = rng.random() < 0.4
        self._arched, self._crossed, self._niched = rng.random(3) < [0.4, 0.5, 0.25]
        self._carved = rng.random() < 0.6
        self._depth = rng.uniform(0.03, 0.25)

    def parts(self, rng: np.random.Generator) -> list[tuple[Shape, bool]]:
        """Shapes of one bay, and whether they are of the trim's material."""
        wide, tall, sill = self.wide, self.tall, self.sill
        top = sill + tall
        parts = [
            (box(wide, 0.36, sill).at(0, 0.2, 0), False),
            (box(wide, 0.36, self.floor - top).at(0, 0.2, top), False),
            (box(wide * 1.1, 0.3, 0.1).at(0, 0.05, sill - 0.1), True),
        ]
        if self._niched and rng.random() < 0.6:
            parts.append((niche(wide, tall).at(0, 0.05, sill), True))
            figure = [part.scaled_evenly(tall * 0.5) for part in clutter(rng)]
            parts += [(part.at(0, 0.15, sill), True) for part in figure]
        elif self._crossed:
            parts.append((box(0.06, 0.06, tall).at(0, 0.3, sill), True))
            parts.append((box(wide, 0.06, 0.06).at(0, 0.3, sill + tall * 0.6), True))
        if self._arched:
            rows = int(rng.integers(1, 3))
            parts.append((arch(wide, 0.18, rows).at(0, 0.02, top - wide * 0.3), True))
        if self._carved and self.floor - top > 0.3:
            slab = relief(rng, wide * 0.95, (self.floor - top) * 0.8, self._depth)
            parts.append((slab.at(0, 0.0, top + 0.05), bool(rng.random() < 0.5)))
        return parts


def rocks(rng: np.random.Generator) -> Scene:
    """A carved or broken wall of stone close by, boulders before it."""
    build = Builder(rng)
    stone = build.new_material(2.0, plain_share=0.15)
    ground = build.new_material(1.0, plain_share=0.2)
    build.draw_materials(6, 0.6, plain_share=0.2)
    build.add(_ground(rng, 30, 0.4), ground)
    width, tall = rng.uniform(3, 7), rng.uniform(2, 4)
    pieces = int(rng.integers(1, 4))
    for number in range(pieces):
        x, yaw = (number + 0.5 - pieces / 2) * width / pieces, rng.normal() * 0.15
        slab = relief(rng, width / pieces * 1.1, tall, rng.uniform(0.1, 0.7))
        build.add(slab.at(x, rng.normal() * 0.1, -0.2, yaw), stone)
    build.add(panel(width + 6, tall + 2).at(0, 0.5, -0.5), stone)
    for _ in range(rng.integers(2, 12)):
        x, y = rng.uniform([-width / 2, -2.5], [width / 2, 0])
        build.add(lump(rng, -0.1, 10 ** rng.uniform(-0.9, 0.1)).at(x, y, 0), stone)
    for _ in range(rng.integers(0, 4)):
        x, y = rng.uniform([-width / 2, -2], [width / 2, 0])
        build.place([plant(rng)], (x, y, 0), size=rng.uniform(0.2, 1.0))
    away = rng.uniform(1.5, 4.0)
    spots = rng.uniform([-width / 3, -0.5, 0.2], [width / 3, 0, tall * 0.8], (8, 3))
    stage = Stage(
        (np.array([-width / 2, -away - 1, 0.6]), np.array([width / 2, -away, 2.0])),
        spots,
        (away * 0.7, away * 2),
        "walk" if rng.random() < 0.6 else "orbit",
    )
    return build.finish("rocks", sunlight(rng, width), stage)


def terrain(rng: np.random.Generator) -> Scene:
    """Hills with fields, houses and trees, from a drone."""
    build = Builder(rng)
    fields = [build.new_material(40.0, plain_share=0.2) for _ in range(3)]
    build.draw_materials(12, 5.0)
    size, cells = 240.0, 96
    axis = np.linspace(-1, 1, cells)
    points = np.stack(np.meshgrid(axis, axis, [0.0], indexing="ij"), -1)[:, :, 0]
    heights = solid_noise(points, rng, 4, rng.uniform(0.7, 2.0)) * rng.uniform(1, 30)
    ground = height_field(heights, size, size)
    middles = ground.corners.mean(1) / size
    which = (
        solid_noise(np.round(middles * 12) / 12, rng, 2, 6.0)
        if rng.random() < 0.6
        else 0 * middles[:, 0]
    )
    owner = np.digitize(which, [-0.12, 0.12])
    for number, material in enumerate(fields):
        build.add(ground.part(owner == number), material)

    def height_at(x: float, y: float) -> float:
        i, j = np.clip((np.array([x, y]) / size + 0.5) * (cells - 1), 0, cells - 1).astype(int)
        return float(heights[i, j])

    village = rng.uniform(20, 45)
    for _ in range(rng.integers(6, 45)):
        x, y = rng.normal(size=2) * village
        yaw = rng.choice([0.3, 1.87]) + rng.normal() * 0.15
        build.place(house(rng), (x, y, height_at(x, y)), yaw=yaw)
    for _ in range(rng.integers(10, 80)):
        x, y = rng.normal(size=2) * village * 1.3
        tall = rng.uniform(2, 9)
        trunk = box(0.06, 0.06, 0.5)
        tree = [plant(rng)] if rng.random() < 0.2 else [lump(rng, 0.3, 0.7), trunk]
        build.place(tree, (x, y, height_at(x, y) - 0.1), size=tall)
    high = rng.uniform(25, 70)
    reach = rng.uniform(0.3, 1.2) * high
    spots = [(x, y, height_at(x, y) + 2) for x, y in rng.uniform(-20, 20, (8, 2))]
    top = float(heights.max())
    stage = Stage(
        (np.array([-30, -30 - reach, top + high * 0.5]), np.array([30, 0.0, top + high])),
        np.array(spots),
        (high * 0.8, high * 3),
        "drone" if rng.random() < 0.6 else "orbit",
    )
    return build.finish("terrain", sunlight(rng, size / 2), stage)


def lone_object(rng: np.random.Generator) -> Scene:
    """One thing on the floor, or a small heap, circled by the camera."""
    build = Builder(rng)
    floor = build.new_material(0.6, plain_share=0.3)
    wall = build.new_material(1.5, plain_share=0.5)
    build.draw_materials(8, 0.3, plain_share=0.25)
    bumps = rng.uniform(0.02, 0.15) if rng.random() < 0.3 else 0.0
    build.add(_ground(rng, 30, bumps), floor)
    for _ in range(rng.integers(1, 4)):
        x, y = rng.normal(size=2) * 0.2
        thing = chair(rng) if rng.random() < 0.1 else clutter(rng)
        build.place(thing, (x, y, 0), yaw=rng.uniform(0, 6), size=rng.uniform(0.4, 0.9))
    build.place(strewn(rng, 2.0, 2.0, 0.0, int(rng.integers(0, 10))), (0, 0, 0))
    if rng.random() < 0.5:
        build.add(panel(30, 5).at(0, rng.uniform(1, 3), 0), wall, casts_shadow=False)
    lamps = lamplight(rng, np.array([-2.0, -2, 0]), np.array([2.0, 2, 2.5]), walled=False)
    stage = Stage(
        (np.array([-1.5, -2.0, 0.25]), np.array([1.5, -0.5, 1.8])),
        rng.uniform([-0.1, -0.1, 0.1], [0.1, 0.1, 0.5], (4, 3)),
        (0.9, 2.2),
        "orbit",
    )
    return build.finish("object", lamps if rng.random() < 0.6 else sunlight(rng, 4.0), stage)


def _ground(rng: np.random.Generator, size: float, bumps: float) -> Shape:
    """A floor that is flat, or uneven in the middle."""
    if bumps == 0:
        return box(size, size, 0.1).at(0, 0, -0.1)
    # Cells grow with the distance from the middle, where the camera looks.
    axis = np.linspace(-1, 1, 80) ** 3 * size / 2
    points: Array = np.stack(np.meshgrid(axis, axis, [0.0], indexing="ij"), -1)[:, :, 0]
    points[..., 2] = (solid_noise(points, rng, 4, 0.8) - 0.2) * bumps
    return grid_surface(points)
