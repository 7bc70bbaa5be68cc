"""Scenes full of depth edges: solids and things in the air, thin things, gaps of all sizes; metres.

What a network gets wrong first is where one thing ends before another; here that is most of the
picture, before walls that touch, walls far away, blurred backgrounds and the sky.
"""

from __future__ import annotations

import numpy as np

from recon3d.depth.synthetic.furniture import chair
from recon3d.depth.synthetic.lofts import loft
from recon3d.depth.synthetic.materials import blurred_material
from recon3d.depth.synthetic.scene import Builder, Scene, Stage, lamplight, sunlight
from recon3d.depth.synthetic.shapes import Array, Shape, box, panel, random_rotation
from recon3d.depth.synthetic.thin import hanging_cable, thin_thing
from recon3d.depth.synthetic.things import afloat, clutter, plant, stood_up

_SHINY = 0.9
"""Of the strongest highlights, where the rules ask for metal."""


def solids(rng: np.random.Generator) -> Scene:
    """Large lofted solids with many small things on them and in the air around (SimpleProc)."""
    build = Builder(rng)
    floor = build.new_material(1.5, plain_share=0.5)
    wall = build.new_material(2.0, plain_share=0.6, light=rng.uniform(0.3, 0.95))
    build.draw_materials(24, 0.8, plain_share=0.25, shiny=_SHINY)
    large = []
    for _ in range(rng.integers(5, 11)):
        shape = loft(rng).moved(random_rotation(rng), (0, 0, 0)).scaled_evenly(rng.uniform(0.8, 2))
        place = rng.uniform([-2.2, -1.8, 0.1], [2.2, 1.8, 1.8])
        build.place([shape], (place[0], place[1], place[2]))
        large.append(build.shapes[-1])
    for _ in range(rng.integers(40, 120)):
        size = rng.uniform(0.08, 0.4)
        in_air = rng.uniform([-2.5, -2.2, 0.0], [2.5, 2.2, 2.2])
        x, y, z = (in_air if rng.random() < 0.5 else _spot_on(rng, large)).tolist()
        build.place(afloat(rng), (x, y, z), size=size)
    _close_off(build, floor, wall, 10 ** rng.uniform(0.4, 1.2))
    if rng.random() < 0.5:
        side = rng.choice([-1, 1]) * rng.uniform(2.5, 6)
        build.add(panel(40, 20).at(0, 0, -0.1, np.pi / 2).at(side, 0, 0), wall, casts_shadow=False)
    lights = lamplight(rng, np.array([-3.0, -3, 0]), np.array([3.0, 3, 4.0]), walled=False)
    stage = Stage(
        (np.array([-3.0, -5.0, 0.3]), np.array([3.0, -2.4, 3.0])),
        rng.uniform([-1.2, -1.0, 0.3], [1.2, 1.0, 1.6], (8, 3)),
        (2.0, 5.0),
        "orbit" if rng.random() < 0.7 else "walk",
    )
    return build.finish("solids", lights, stage)


def thin(rng: np.random.Generator) -> Scene:
    """Rods, railings, fences, twigs and cables before a wall that is anywhere behind them."""
    build = Builder(rng)
    gap = 10 ** rng.uniform(-1.0, 1.3)
    floor = build.new_material(1.0, plain_share=0.4)
    backdrop = _backdrop(build, 6.0)
    build.draw_materials(10, 0.3, plain_share=0.6, shiny=_SHINY)
    for _ in range(rng.integers(2, 7)):
        x, y = rng.uniform([-1.2, -0.6], [1.2, 0.4])
        yaw = rng.normal() * 0.5 if rng.random() < 0.7 else rng.uniform(0, 6.3)
        size = rng.uniform(0.7, 1.6)
        build.place([thin_thing(rng)], (x, y, 0), yaw=yaw, size=size)
    for _ in range(rng.integers(0, 5)):
        ends = rng.uniform([-2, -0.5, 0.5], [2, 0.5, 2.2], (2, 3))
        build.place([hanging_cable(rng, *ends)], (0, 0, 0))
    for _ in range(rng.integers(0, 5)):
        x, y = rng.uniform([-1.2, -0.3], [1.2, 0.4 + gap])
        build.place(clutter(rng), (x, y, 0), yaw=rng.uniform(0, 6), size=rng.uniform(0.1, 0.6))
    _close_off(build, floor, backdrop, 0.5 + gap)
    lights = lamplight(rng, np.array([-3.0, -3, 0]), np.array([3.0, 1 + gap, 3.0]), walled=False)
    stage = Stage(
        (np.array([-1.5, -3.0, 0.5]), np.array([1.5, -1.2, 1.8])),
        rng.uniform([-0.7, -0.4, 0.2], [0.7, 0.4, 1.1], (6, 3)),
        (1.0, 3.2),
        "orbit" if rng.random() < 0.5 else "walk",
    )
    return build.finish("thin", lights if gap < 4 else sunlight(rng, 6.0), stage)


def before_far(rng: np.random.Generator) -> Scene:
    """Sharp things before a background that is far, blurred or nearly plain, or the sky."""
    build = Builder(rng)
    gap = 10 ** rng.uniform(-0.3, 1.9)
    floor = build.new_material(0.8, plain_share=0.3)
    backdrop = _backdrop(build, 3.0 + gap)
    build.draw_materials(10, 0.4, plain_share=0.2, shiny=_SHINY)
    for _ in range(rng.integers(2, 7)):
        x, y = rng.normal(size=2) * [0.6, 0.35]
        kind = rng.random()
        if kind < 0.15:
            thing = chair(rng)
        elif kind < 0.35:
            thing = [plant(rng)]
        elif kind < 0.65:
            thing = [stood_up(loft(rng).moved(random_rotation(rng), (0, 0, 0)))]
        else:
            thing = clutter(rng)
        build.place(thing, (x, y, 0), yaw=rng.uniform(0, 6.3), size=rng.uniform(0.6, 1.4))
    for _ in range(rng.integers(0, 12)):
        spot = rng.normal(size=3) * [0.7, 0.4, 0.3] + [0, 0, 0.8]
        size = rng.uniform(0.05, 0.3)
        build.place(afloat(rng), (spot[0], spot[1], abs(spot[2])), size=size)
    # A third of them stand before nothing at all: the horizon and the sky.
    _close_off(build, floor, backdrop if rng.random() < 0.65 else None, 0.8 + gap)
    lights = lamplight(rng, np.array([-2.0, -2, 0]), np.array([2.0, 2, 2.5]), walled=False)
    stage = Stage(
        (np.array([-1.8, -2.6, 0.2]), np.array([1.8, -0.9, 1.0])),
        rng.uniform([-0.3, -0.2, 0.3], [0.3, 0.2, 1.0], (5, 3)),
        (1.0, 2.8),
        "orbit",
    )
    return build.finish("before_far", lights if rng.random() < 0.4 else sunlight(rng, 4.0), stage)


def _spot_on(rng: np.random.Generator, shapes: list[Shape]) -> Array:
    """A place on one of the surfaces, any triangle as likely as another."""
    corners = shapes[rng.integers(len(shapes))].corners
    return corners[rng.integers(len(corners))].mean(0)


def _backdrop(build: Builder, size: float) -> int:
    """A material for what lies behind: out of focus, plain, or as any other wall."""
    kind = build.rng.random()
    if kind < 0.55:
        build.materials.append(blurred_material(build.rng, size))
        build.things = len(build.materials)
        return build.things - 1
    return build.new_material(0.3 * size, plain_share=0.6 if kind < 0.85 else 0.0)


def _close_off(build: Builder, floor: int, backdrop: int | None, away: float) -> None:
    """A floor, and a wall `away` behind the origin that fills what the camera sees."""
    size = 40 + 8 * away
    deep = 40.0 if backdrop is None else 12.0 + away
    build.add(box(size, 2 * deep, 0.1).at(0, 0, -0.1), floor, casts_shadow=False)
    if backdrop is not None:
        wall = panel(size, size / 2).at(0, away, -0.1)
        build.add(wall, backdrop, casts_shadow=False)
