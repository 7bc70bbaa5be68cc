"""Rooms and tables."""

from __future__ import annotations

import numpy as np

from recon3d.depthnet.synthetic.scene import Builder, Scene, Stage, lamplight
from recon3d.depthnet.synthetic.shapes import Array, Shape, box, panel
from recon3d.depthnet.synthetic.things import chair, clutter, picture, plant, sofa, table_frame


def room(rng: np.random.Generator) -> Scene:
    """A furnished room, seen by somebody who walks about in it."""
    build = Builder(rng)
    width, depth, height = rng.uniform(2.2, 6.5), rng.uniform(2.5, 7.0), rng.uniform(2.2, 3.2)
    low, high = np.array([-width / 2, -depth / 2, 0]), np.array([width / 2, depth / 2, height])
    wall = build.new_material(2.0, plain_share=0.6, light=rng.uniform(0.55, 0.95))
    floor = build.new_material(1.0, plain_share=0.3)
    ceiling = build.new_material(2.0, plain_share=0.85, light=rng.uniform(0.75, 0.95))
    for _ in range(10):
        build.new_material(0.4, plain_share=0.4)
    build.add(box(width, depth, 0.1).at(0, 0, -0.1), floor, casts_shadow=False)
    build.add(box(width, depth, 0.1).at(0, 0, height), ceiling, casts_shadow=False)
    walls = [(width, depth / 2, 0.0), (depth, width / 2, np.pi / 2)]
    for length, away, yaw in [*walls, *((a, b, c + np.pi) for a, b, c in walls)]:
        _wall(build, length, height, away, yaw, wall)
    for _ in range(rng.integers(1, 5)):
        x, y = rng.uniform(-0.35, 0.35, 2) * [width, depth]
        _furniture(build, x, y)
    for _ in range(rng.integers(3, 12)):
        x, y = rng.uniform(-0.45, 0.45, 2) * [width, depth]
        size = rng.uniform(0.1, 0.5)
        build.add(_scaled(clutter(rng), size).at(x, y, 0, rng.uniform(0, 6)), build.any_material())
    lights, sky = lamplight(rng, low, high)
    margin = np.array([0.3, 0.3, 0])
    stage = Stage(
        (low + margin + [0, 0, 0.9], high - margin - [0, 0, height - 1.9]),
        (low + np.array([0, 0, 0.2]), high - [0, 0, height - 1.8]),
        "walk" if rng.random() < 0.75 else "orbit",
    )
    return build.finish("room", lights, sky, stage)


def table(rng: np.random.Generator) -> Scene:
    """Things on a table or desk, seen from arm's length."""
    build = Builder(rng)
    x, y, z = rng.uniform(0.7, 1.8), rng.uniform(0.6, 1.1), rng.uniform(0.6, 0.9)
    top = build.new_material(0.6, plain_share=0.45)
    floor = build.new_material(1.0, plain_share=0.4)
    for _ in range(10):
        build.new_material(0.12, plain_share=0.35)
    build.add(table_frame(rng, x, y, z), top)
    build.add(box(8, 8, 0.1).at(0, 0, -0.1), floor)
    wall = build.new_material(1.5, plain_share=0.6, light=rng.uniform(0.5, 0.95))
    build.add(panel(8, 3).at(0, y / 2 + rng.uniform(0.02, 1.5), 0), wall, casts_shadow=False)
    pile(build, np.array([-x / 2, -y / 2]), np.array([x / 2, y / 2]), z, int(rng.integers(5, 18)))
    low, high = np.array([-1.5, -1.5, 0]), np.array([1.5, 1.5, 2.2])
    lights, sky = lamplight(rng, low, high)
    stage = Stage(
        (np.array([-x / 2, -y / 2 - 0.6, z + 0.15]), np.array([x / 2, -y / 2 + 0.1, z + 0.8])),
        (np.array([-x / 3, -y / 4, z]), np.array([x / 3, y / 3, z + 0.1])),
        "orbit" if rng.random() < 0.6 else "walk",
    )
    return build.finish("table", lights, sky, stage)


def pile(build: Builder, low: Array, high: Array, z: float, count: int) -> None:
    """Scatter small things over a rectangle at height z, sometimes on each other."""
    rng = build.rng
    for _ in range(count):
        x, y = rng.uniform(low, high)
        size = 10 ** rng.uniform(-1.25, -0.55)
        thing = _scaled(clutter(rng), size)
        build.add(thing.at(x, y, z, rng.uniform(0, 6)), build.any_material())
        if rng.random() < 0.15:
            height = z + float(thing.corners[..., 2].max())
            build.add(_scaled(clutter(rng), size / 2).at(x, y, height), build.any_material())


def _scaled(shape: Shape, size: float) -> Shape:
    return shape.moved(np.eye(3) * size, (0, 0, 0))


def _wall(
    build: Builder, length: float, height: float, away: float, yaw: float, material: int
) -> None:
    """A wall that faces the room, with what hangs on it and stands before it."""
    rng = build.rng

    def put(shape: Shape, x: float, y: float, z: float, owner: int, casts: bool = True) -> None:
        build.add(shape.at(x, away + y, z).at(0, 0, 0, yaw), owner, casts_shadow=casts)

    put(panel(length, height), 0, 0, 0, material, False)
    if rng.random() < 0.7:
        put(box(length, 0.03, rng.uniform(0.05, 0.15)), 0, 0, 0, build.any_material())
    for _ in range(rng.integers(0, 4)):
        x, z = rng.uniform(-0.4, 0.4) * length, rng.uniform(0.9, max(1.0, height - 1.2))
        kind = rng.integers(3)
        if kind == 0:
            put(picture(rng), x, -0.02, z, build.any_material())
        elif kind == 1:
            put(
                box(rng.uniform(0.5, 1.2), 0.3, rng.uniform(0.4, 0.7)),
                x,
                -0.15,
                z,
                build.any_material(),
            )
        else:
            put(box(rng.uniform(0.5, 1.2), 0.22, 0.03), x, -0.11, z, build.any_material())
            for step in rng.uniform(-0.4, 0.4, rng.integers(1, 6)):
                size = rng.uniform(0.08, 0.25)
                put(_scaled(clutter(rng), size), x + step, -0.11, z + 0.03, build.any_material())
    if rng.random() < 0.5:
        wide, tall, deep = rng.uniform(0.6, 2.2), rng.uniform(0.5, 2.0), rng.uniform(0.3, 0.65)
        x = rng.uniform(-0.5, 0.5) * max(0.0, length - wide)
        body, front = build.any_material(), build.any_material()
        put(box(wide, deep, tall), x, -deep / 2, 0, body)
        doors = int(rng.integers(1, 5))
        for door in range(doors):
            middle = x + wide * ((door + 0.5) / doors - 0.5)
            put(box(wide / doors - 0.02, 0.02, tall - 0.06), middle, -deep - 0.01, 0.03, front)
            put(
                box(0.02, 0.03, 0.15), middle + wide / doors * 0.35, -deep - 0.035, tall * 0.6, body
            )


def _furniture(build: Builder, x: float, y: float) -> None:
    rng = build.rng
    yaw = rng.uniform(0, 2 * np.pi)
    kind = rng.integers(4)
    if kind == 0:
        wide, deep, tall = rng.uniform(0.6, 1.8), rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.8)
        build.add(table_frame(rng, wide, deep, tall).at(x, y, 0, yaw), build.any_material())
        reach = min(wide, deep) / 3
        pile(build, np.array([x, y]) - reach, np.array([x, y]) + reach, tall, 4)
    elif kind == 1:
        build.add(chair(rng).at(x, y, 0, yaw), build.any_material())
    elif kind == 2:
        build.add(sofa(rng).at(x, y, 0, yaw), build.any_material())
    else:
        build.add(_scaled(plant(rng), rng.uniform(0.5, 1.2)).at(x, y, 0), build.any_material())
