"""Rooms, corridors and tables; metres."""

from __future__ import annotations

import numpy as np

from recon3d.depth.synthetic.furniture import (
    bed,
    chair,
    counter,
    cupboard,
    desk,
    floor_lamp,
    shelf,
    sofa,
    strewn,
    table_frame,
)
from recon3d.depth.synthetic.materials import Material
from recon3d.depth.synthetic.scene import Builder, Scene, Stage, lamplight
from recon3d.depth.synthetic.shapes import Array, Shape, box, panel
from recon3d.depth.synthetic.things import afloat, cable, clutter, plant


def room(rng: np.random.Generator) -> Scene:
    """A furnished room, seen by somebody who walks about in it."""
    width, depth = rng.uniform(2.4, 6.0), rng.uniform(2.6, 6.5)
    return _interior(rng, "room", width, depth, int(rng.integers(1, 5)))


def floating_room(rng: np.random.Generator) -> Scene:
    """A furnished room with things in the air, from which stereo learns most (Yan et al. 2025)."""
    width, depth = rng.uniform(3.0, 6.0), rng.uniform(3.0, 6.5)
    count = int(rng.integers(25, 80))
    return _interior(rng, "floating_room", width, depth, int(rng.integers(1, 4)), floating=count)


def corridor(rng: np.random.Generator) -> Scene:
    """Long and narrow, with doors and little else."""
    return _interior(rng, "corridor", rng.uniform(1.3, 2.4), rng.uniform(6, 14), 0)


def table(rng: np.random.Generator) -> Scene:
    """Things on a table or desk, seen from arm's length."""
    build = Builder(rng)
    x, y, z = rng.uniform(0.7, 1.8), rng.uniform(0.6, 1.1), rng.uniform(0.6, 0.9)
    top = build.new_material(0.6, plain_share=0.45)
    floor = build.new_material(1.0, plain_share=0.4)
    wall = build.new_material(1.5, plain_share=0.6, light=rng.uniform(0.5, 0.95))
    build.draw_materials(14, 0.12)
    build.add(table_frame(rng, x, y, z), top)
    build.add(box(12, 12, 0.1).at(0, 0, -0.1), floor)
    behind = y / 2 + rng.uniform(0.02, 1.5)
    build.add(panel(12, 3.5).at(0, behind, 0), wall, casts_shadow=False)
    build.place(strewn(rng, x, y, z, int(rng.integers(5, 22))), (0, 0, 0))
    if rng.random() < 0.4:
        build.place([cable(rng, 0.5)], (0, 0, z))
    for _ in range(rng.integers(0, 3)):
        build.place(chair(rng), (rng.uniform(-1, 1), rng.uniform(y, y + 1), 0))
    lighting = lamplight(rng, np.array([-2.0, -2, 0]), np.array([2.0, 2, 2.4]), walled=False)
    spots = rng.uniform([-x / 3, -y / 3, z], [x / 3, y / 3, z + 0.1], (6, 3))
    stage = Stage(
        (np.array([-x / 2 - 0.3, -y / 2 - 0.7, z + 0.1]), np.array([x / 2 + 0.3, 0, z + 0.9])),
        spots,
        (0.35, 1.2),
        "orbit" if rng.random() < 0.6 else "walk",
    )
    return build.finish("table", lighting, stage)


def _interior(
    rng: np.random.Generator,
    kind: str,
    width: float,
    depth: float,
    islands: int,
    *,
    floating: int = 0,
) -> Scene:
    build = Builder(rng)
    height = rng.uniform(2.2, 3.2)
    low, high = np.array([-width / 2, -depth / 2, 0]), np.array([width / 2, depth / 2, height])
    wall = build.new_material(2.0, plain_share=0.6, light=rng.uniform(0.5, 0.95))
    accent = build.new_material(1.0, plain_share=0.4) if rng.random() < 0.4 else wall
    floor = build.new_material(1.0, plain_share=0.3)
    ceiling = build.new_material(2.0, plain_share=0.85, light=rng.uniform(0.75, 0.95))
    window = _glowing(build)
    build.draw_materials(16, 0.4)
    build.add(box(width, depth, 0.1).at(0, 0, -0.1), floor, casts_shadow=False)
    build.add(box(width, depth, 0.1).at(0, 0, height), ceiling, casts_shadow=False)
    interest = [(low + high) / 2]
    for turn in range(4):
        length, away = (width, depth / 2) if turn % 2 == 0 else (depth, width / 2)
        side = _Side(build, length, height, away, turn * np.pi / 2)
        side.dress(wall if turn else accent, window, narrow=width < 2.4)
        interest += side.interest
    for _ in range(islands):
        x, y = rng.uniform(-0.3, 0.3, 2) * [width, depth]
        build.place(_furniture(rng), (x, y, 0), yaw=rng.uniform(0, 2 * np.pi))
        interest += [np.array([x, y, rng.uniform(0.3, 1.0)])] * 4
    for _ in range(rng.integers(0, 9) if islands else rng.integers(0, 3)):
        x, y = rng.uniform(-0.45, 0.45, 2) * [width, depth]
        size = 10 ** rng.uniform(-1.0, -0.3)
        build.place(clutter(rng), (x, y, 0), yaw=rng.uniform(0, 6), size=size)
        interest.append(np.array([x, y, size]))
    if rng.random() < 0.3:
        build.place([cable(rng, 2.0)], (0, 0, 0))
    for _ in range(floating):
        x, y, z = (rng.uniform(low, high) * [0.9, 0.9, 1.0]).tolist()
        build.place(afloat(rng), (x, y, z), size=10 ** rng.uniform(-1.0, -0.2))
    margin = np.array([0.2, 0.2, 0])
    stage = Stage(
        (low + margin + [0, 0, 0.8], high - margin - [0, 0, height - 1.8]),
        np.stack(interest),
        (0.7, float(rng.choice([1.6, 2.5, 5.0]))) if islands else (1.5, 8.0),
        "walk" if rng.random() < 0.7 else "orbit",
    )
    return build.finish(kind, lamplight(rng, low, high), stage)


def _furniture(rng: np.random.Generator) -> list[Shape]:
    kind = rng.integers(7)
    if kind == 0:
        wide, deep, tall = rng.uniform(0.6, 1.8), rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.8)
        return [table_frame(rng, wide, deep, tall), *strewn(rng, wide, deep, tall, 6)]
    if kind == 1:
        return [plant(rng).scaled_evenly(rng.uniform(0.5, 1.2))]
    return (chair, sofa, desk, bed, floor_lamp)[kind - 2](rng)


class _Side:
    """One of a room's walls, drawn as if it stood at +y and looked to -y."""

    def __init__(
        self, build: Builder, length: float, height: float, away: float, yaw: float
    ) -> None:
        self._build, self._length, self._height = build, length, height
        self._away, self._yaw = away, yaw
        self.interest: list[Array] = []

    def dress(self, wall: int, window: int, *, narrow: bool) -> None:
        """Put up the wall with what hangs on it and stands before it."""
        rng, build = self._build.rng, self._build
        self._add([panel(self._length, self._height)], 0, 0, 0, wall, casts_shadow=False)
        trim = build.any_material()
        if rng.random() < 0.7:
            self._add([box(self._length, 0.03, rng.uniform(0.05, 0.15))], 0, -0.015, 0, trim)
        x = -self._length / 2
        while x < self._length / 2:
            wide = rng.uniform(0.7, 1.6)
            self._section(x + wide / 2, wide, window, trim, narrow)
            x += wide
        if not narrow and rng.random() < 0.75:
            parts = (cupboard, shelf, counter, desk)[rng.integers(4)](rng)
            reach = max(float(np.ptp(part.corners[..., 0])) for part in parts)
            deep = max(float(part.corners[..., 1].max()) for part in parts)
            x = rng.uniform(-0.5, 0.5) * max(0.0, self._length - reach)
            self._add(parts, x, -deep - 0.02, 0, None)
            self._note(x, 0.9, -0.4, times=6)

    def _section(self, x: float, wide: float, window: int, trim: int, narrow: bool) -> None:
        rng = self._build.rng
        kind = rng.choice(6, p=[0.35, 0.12, 0.12, 0.21, 0.08, 0.12])
        z = rng.uniform(0.9, 1.5)
        if kind == 1:
            tall = rng.uniform(0.8, 1.3)
            self._add([panel(wide * 0.85, tall)], x, -0.01, 0.9, window)
            self._add(_frame(wide * 0.9, tall, rng.uniform(0.03, 0.08)), x, -0.03, 0.9, trim)
        elif kind == 2:
            self._add([box(0.85, 0.04, 2.0)], x, -0.02, 0, None)
            self._add(_frame(0.95, 2.05, 0.07), x, -0.03, 0, trim)
            self._add([box(0.12, 0.06, 0.02)], x + 0.33, -0.07, 1.0, None)
        elif kind == 3:
            for _ in range(rng.integers(1, 4)):
                size = rng.uniform(0.15, 0.8, 2)
                spot = x + rng.normal() * wide / 4, z + rng.normal() * 0.25
                thick = rng.choice([0.002, 0.03])
                self._add([box(size[0], thick, size[1])], spot[0], -0.02, spot[1], None)
            self._note(x, z + 0.2, 0)
        elif kind == 4:
            self._add([box(wide * 0.8, 0.1, 0.6)], x, -0.07, 0.1, trim)
        elif kind == 5 and not narrow:
            things = strewn(rng, wide * 0.7, 0.15, 0.03, int(rng.integers(1, 6)))
            self._add([box(wide * 0.8, 0.22, 0.03), *things], x, -0.11, z, None)
            self._note(x, z, -0.1, times=2)

    def _add(
        self,
        parts: list[Shape],
        x: float,
        y: float,
        z: float,
        owner: int | None,
        *,
        casts_shadow: bool = True,
    ) -> None:
        """Place parts on the wall; without an owner each gets any material."""
        placed = [part.at(x, self._away + y, z).at(0, 0, 0, self._yaw) for part in parts]
        if owner is None:
            self._build.place(placed, (0, 0, 0))
        else:
            for part in placed:
                self._build.add(part, owner, casts_shadow=casts_shadow)

    def _note(self, x: float, z: float, y: float, times: int = 1) -> None:
        c, s = np.cos(self._yaw), np.sin(self._yaw)
        away = self._away + y
        self.interest += [np.array([c * x - s * away, s * x + c * away, z])] * times


def _frame(wide: float, tall: float, thick: float) -> list[Shape]:
    sides = [box(thick, 0.05, tall).at(i * wide / 2, 0, 0) for i in (-1, 0, 1) if i or wide > 0.96]
    return [*sides, *(box(wide, 0.06, thick).at(0, 0, z) for z in (0.0, tall))]


def _glowing(build: Builder) -> int:
    """What windows show: bright, blurred, at the wall's depth."""
    rng = build.rng
    value = rng.uniform(0.6, 0.95)
    photo = rng.random() < 0.3
    build.materials.append(
        Material(
            "photo" if photo else "plain",
            ((value, value, value), (value * 0.8, value * 0.9, value)),
            0.3,
            2.5,
            3.0,
            3,
            glow=rng.uniform(0.3, 2.0),
        )
    )
    build.things = len(build.materials)
    return build.things - 1
