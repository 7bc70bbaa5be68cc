"""Facades, terrain from the air, and single objects on the ground."""

from __future__ import annotations

import numpy as np

from recon3d.depthnet.synthetic.indoors import pile
from recon3d.depthnet.synthetic.scene import Builder, Scene, Stage, lamplight, sunlight
from recon3d.depthnet.synthetic.shapes import (
    Shape,
    box,
    from_corners,
    grid_surface,
    height_field,
    join,
    revolved,
    solid_noise,
)
from recon3d.depthnet.synthetic.things import clutter, plant


def facade(rng: np.random.Generator) -> Scene:
    """A wall with relief in front of a square, as one walks along it."""
    build = Builder(rng)
    wall = build.new_material(1.2, plain_share=0.2)
    trim = build.new_material(0.6, plain_share=0.3)
    glass = build.new_material(0.6, plain_share=0.6, light=rng.uniform(0.1, 0.4))
    ground = build.new_material(1.0, plain_share=0.2)
    for _ in range(4):
        build.new_material(0.3)
    columns, rows = int(rng.integers(3, 7)), int(rng.integers(1, 4))
    pitch, floor = rng.uniform(1.5, 3.5), rng.uniform(2.5, 4.0)
    width, height = columns * pitch, rows * floor + 1
    build.add(box(60, 60, 0.2).at(0, 0, -0.2), ground)
    build.add(box(width, 1, height).at(0, 0.5 + 0.35, 0), glass)
    open_x, open_z = pitch * rng.uniform(0.35, 0.7), floor * rng.uniform(0.4, 0.75)
    sill = (floor - open_z) * rng.uniform(0.1, 0.7)
    for column in range(columns + 1):
        x = (column - columns / 2) * pitch
        build.add(box(pitch - open_x, 0.35, height).at(x, 0.175, 0), wall)
        if rng.random() < 0.5:
            r = (pitch - open_x) * 0.3
            build.add(_column(rng, r, height).at(x, 0, 0), trim)
    for row in range(rows):
        z = row * floor
        build.add(box(width, 0.34, sill).at(0, 0.18, z), wall)
        top = z + sill + open_z
        build.add(box(width, 0.34, floor - sill - open_z).at(0, 0.18, top), wall)
        build.add(box(width, rng.uniform(0.36, 0.7), 0.12).at(0, 0.1, top + 0.1), trim)
        for column in range(columns):
            x = (column + 0.5 - columns / 2) * pitch
            build.add(box(open_x * 1.1, 0.3, 0.1).at(x, 0.05, z + sill), trim)
            if rng.random() < 0.5:
                build.add(box(0.06, 0.06, open_z).at(x, 0.32, z + sill), trim)
    build.add(box(width + 1, 0.9, 0.4).at(0, 0.2, height), trim)
    for step in range(rng.integers(0, 4)):
        deep = 0.35 * (step + 1)
        build.add(box(width * 0.8, deep * 2, 0.16).at(0, 0, 0.48 - 0.16 * (step + 1)), trim)
    for _ in range(rng.integers(0, 7)):
        x, y = rng.uniform([-width / 2, -4], [width / 2, -0.5])
        size = rng.uniform(0.3, 1.2)
        thing = clutter(rng).moved(np.eye(3) * size, (x, y, 0))
        build.add(thing, build.any_material())
    lights, sky = sunlight(rng, width)
    away = rng.uniform(3.0, 9.0)
    stage = Stage(
        (np.array([-width / 3, -away - 1, 1.2]), np.array([width / 3, -away, 2.2])),
        (np.array([-width / 3, 0, 1.0]), np.array([width / 3, 0.3, min(height, 4.0)])),
        "walk" if rng.random() < 0.7 else "orbit",
    )
    return build.finish("facade", lights, sky, stage)


def _column(rng: np.random.Generator, radius: float, height: float) -> Shape:
    z = np.array([0, 0.04, 0.05, 0.1, 0.12, 0.88, 0.9, 0.95, 1.0]) * height
    r = radius * np.array([1.4, 1.4, 1.2, 1.2, 1.0, 0.85, 1.1, 1.4, 1.4])
    return revolved(np.column_stack([r, z]), int(rng.choice([8, 20])))


def terrain(rng: np.random.Generator) -> Scene:
    """Hills with houses and trees, from a drone."""
    build = Builder(rng)
    ground = build.new_material(30.0, plain_share=0.1)
    for _ in range(8):
        build.new_material(4.0, plain_share=0.2)
    size, cells = 160.0, 80
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, cells)] * 2, indexing="ij"), -1)
    points = np.concatenate([grid, np.zeros((cells, cells, 1))], -1)
    heights = solid_noise(points, rng, 4, rng.uniform(0.7, 2.0)) * rng.uniform(2, 30)
    build.add(height_field(heights, size, size), ground)

    def height_at(x: float, y: float) -> float:
        i, j = (np.clip((np.array([x, y]) / size + 0.5) * (cells - 1), 0, cells - 1)).astype(int)
        return float(heights[i, j])

    for _ in range(rng.integers(8, 50)):
        x, y = rng.normal(size=2) * 25
        wide, deep, tall = rng.uniform(5, 12), rng.uniform(5, 12), rng.uniform(3, 8)
        yaw = rng.uniform(0, 2 * np.pi)
        z = height_at(x, y)
        build.add(box(wide, deep, tall + 2).at(x, y, z - 2, yaw), build.any_material())
        build.add(
            _roof(wide + 0.6, deep + 0.6, rng.uniform(1, 4)).at(x, y, z + tall, yaw),
            build.any_material(),
        )
    for _ in range(rng.integers(10, 60)):
        x, y = rng.normal(size=2) * 30
        thing = plant(rng) if rng.random() < 0.5 else clutter(rng)
        scale = np.eye(3) * rng.uniform(2, 7)
        build.add(thing.moved(scale, (x, y, height_at(x, y))), build.any_material())
    lights, sky = sunlight(rng, size)
    high = rng.uniform(25, 60)
    stage = Stage(
        (np.array([-30, -60, high]), np.array([30, -30, high + 10])),
        (np.array([-15, -10, 0.0]), np.array([15, 10, 3.0])),
        "drone" if rng.random() < 0.6 else "orbit",
    )
    return build.finish("terrain", lights, sky, stage)


def _roof(x: float, y: float, z: float) -> Shape:
    ridge = np.array([[-x / 2, -y / 2, 0], [-x / 2, 0, z], [-x / 2, y / 2, 0]])
    other = ridge * [-1, 1, 1]
    gables = from_corners(np.stack([ridge, other]))
    return join(grid_surface(np.stack([ridge, other], 1)), gables)


def lone_object(rng: np.random.Generator) -> Scene:
    """One thing on the floor, or a small heap, circled by the camera."""
    build = Builder(rng)
    floor = build.new_material(0.5, plain_share=0.3)
    for _ in range(5):
        build.new_material(0.3, plain_share=0.25)
    build.add(box(12, 12, 0.1).at(0, 0, -0.1), floor)
    for _ in range(rng.integers(1, 4)):
        scale = np.eye(3) * rng.uniform(0.4, 0.9)
        x, y = rng.normal(size=2) * 0.15
        build.add(clutter(rng).moved(scale, (x, y, 0)), build.any_material())
    pile(build, np.array([-1.0, -1.0]), np.array([1.0, 1.0]), 0.0, int(rng.integers(0, 8)))
    if rng.random() < 0.5:
        build.add(
            box(10, 0.1, 4).at(0, rng.uniform(1, 3), 0), build.any_material(), casts_shadow=False
        )
    low, high = np.array([-2.0, -2, 0]), np.array([2.0, 2, 2.5])
    lights, sky = lamplight(rng, low, high) if rng.random() < 0.6 else sunlight(rng, 4.0)
    stage = Stage(
        (np.array([-1.0, -1.8, 0.3]), np.array([1.0, -1.0, 1.6])),
        (np.array([-0.1, -0.1, 0.1]), np.array([0.1, 0.1, 0.5])),
        "orbit",
    )
    return build.finish("object", lights, sky, stage)
