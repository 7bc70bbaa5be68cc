"""A scene before it is rendered: surfaces, materials, lights, and where a camera may go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from recon3d.depth.synthetic.materials import Material, draw_material
from recon3d.depth.synthetic.shapes import Array, Shape, join

Motion = Literal["walk", "orbit", "drone"]


@dataclass(frozen=True)
class Light:
    """A lamp, or the sun where it stands far away; position in the world frame."""

    position: tuple[float, float, float]
    colour: tuple[float, float, float]
    """What a surface facing it at the distance `reach` receives, linear light."""
    reach: float
    """Light falls with the square of the distance in units of this."""


@dataclass(frozen=True, eq=False)
class Lighting:
    """All light of a scene."""

    lights: list[Light]
    above: Array
    """Ambient light (3,) from above, which is the sky's colour too; linear."""
    below: Array
    """Ambient light (3,) off the ground."""
    walls: tuple[Array, Array] | None = None
    """Low and high corner of a closed room, whose edges get less light."""


@dataclass(frozen=True, eq=False)
class Stage:
    """Where a camera may stand and what is worth looking at, world frame."""

    eyes: tuple[Array, Array]
    """Low and high corner of a box."""
    targets: Array
    """(k, 3) places."""
    away: tuple[float, float]
    """Least and greatest distance between the two."""
    motion: Motion


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that is drawn; z is up."""

    kind: str
    shape: Shape
    material: Array
    """(m,) index into materials of every triangle."""
    tint: Array
    """(m, 3) factor on the material's linear colour."""
    casts_shadow: Array
    """(m,) bool; a room's walls do not keep out the lamps that stand for its daylight."""
    materials: list[Material]
    lighting: Lighting
    stage: Stage


@dataclass
class Builder:
    """Collects what stands in a scene."""

    rng: np.random.Generator
    things: int = 0
    """Materials from this number on are for any thing; earlier ones have their place."""
    shapes: list[Shape] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    tints: list[Array] = field(default_factory=list)
    casting: list[bool] = field(default_factory=list)
    materials: list[Material] = field(default_factory=list)

    def add(
        self, shape: Shape, material: int, *, casts_shadow: bool = True, tint: Array | None = None
    ) -> None:
        """Put a shape, given in the world frame, into the scene."""
        self.shapes.append(shape)
        self.owners.append(material)
        self.casting.append(casts_shadow)
        self.tints.append(np.ones(3) if tint is None else tint)

    def place(
        self,
        parts: Iterable[Shape],
        offset: tuple[float, float, float],
        *,
        yaw: float = 0.0,
        size: float = 1.0,
    ) -> float:
        """Put a thing of several parts somewhere, each part of any material; returns its top."""
        top = offset[2]
        for part in parts:
            placed = part.scaled_evenly(size).at(*offset, yaw=yaw)
            material = self.any_material()
            repeats = 10 ** self.rng.uniform(-0.5, 0.5)
            extent = float(np.ptp(placed.uv.reshape(-1, 2), axis=0).max())
            denser = repeats * self.materials[material].tile_size / max(extent, 1e-9)
            self.add(placed.retextured(denser), material, tint=self._draw_tint())
            top = max(top, float(placed.corners[..., 2].max()))
        return top

    def new_material(
        self, size: float, *, plain_share: float = 0.3, light: float | None = None
    ) -> int:
        """Draw a material that has its place, for surfaces about `size` large."""
        self.materials.append(
            draw_material(self.rng, size, plain_share=plain_share, photo_share=0.1, light=light)
        )
        self.things = len(self.materials)
        return len(self.materials) - 1

    def draw_materials(
        self, count: int, size: float, *, plain_share: float = 0.35, shiny: float = 0.4
    ) -> None:
        """Draw those that any thing about `size` large may have; after the ones with a place."""
        for _ in range(count):
            material = draw_material(self.rng, size, plain_share=plain_share, shiny=shiny)
            self.materials.append(material)

    def any_material(self) -> int:
        """One of draw_materials'."""
        return int(self.rng.integers(self.things, len(self.materials)))

    def finish(self, kind: str, lighting: Lighting, stage: Stage) -> Scene:
        """The scene of all that was added."""
        counts = [len(shape.corners) for shape in self.shapes]
        return Scene(
            kind,
            join(*self.shapes),
            np.repeat(self.owners, counts),
            np.repeat(np.stack(self.tints), counts, 0),
            np.repeat(self.casting, counts),
            self.materials,
            lighting,
            stage,
        )

    def _draw_tint(self) -> Array:
        grey, colour = self.rng.uniform(0.45, 1.25), self.rng.uniform(-0.2, 0.2, 3)
        return grey * (1 + colour)


def sunlight(rng: np.random.Generator, extent: float) -> Lighting:
    """A sun and a sky for a scene `extent` wide around the origin: clear, hazy or overcast."""
    elevation, azimuth = rng.uniform(0.35, 1.3), rng.uniform(0, 2 * np.pi)
    away = 30.0 * extent
    level = np.array([np.cos(azimuth), np.sin(azimuth)]) * np.cos(elevation)
    x, y, z = (np.array([*level, np.sin(elevation)]) * away).tolist()
    strength = rng.choice([0.05, 0.4, 1.0, 1.6])
    warm = rng.uniform(0.0, 0.25)
    sun = Light((x, y, z), (strength, strength * (1 - warm / 2), strength * (1 - warm)), away)
    blue = rng.uniform(0.0, 0.3)
    above = np.array([1 - blue, 1 - blue / 2, 1.0]) * rng.uniform(0.35, 0.7)
    return Lighting([sun], above, above * rng.uniform(0.25, 0.6) * [1.0, 0.95, 0.85])


def _widened(rng: np.random.Generator, light: Light, reach: float) -> list[Light]:
    """Two lights side by side, because a window casts soft shadows."""
    parts = []
    for offset in rng.normal(size=(2, 3)) * reach:
        x, y, z = (np.array(light.position) + offset).tolist()
        red, green, blue = (0.5 * channel for channel in light.colour)
        parts.append(Light((x, y, z), (red, green, blue), light.reach))
    return parts


def lamplight(
    rng: np.random.Generator, low: Array, high: Array, *, walled: bool = True
) -> Lighting:
    """One to three lamps or windows over a room between two corners, and light off the walls."""
    size = float(np.linalg.norm(high - low))
    lights = []
    for _ in range(rng.integers(1, 4)):
        place = low + (high - low) * [*rng.uniform(-0.1, 1.1, 2), rng.uniform(0.85, 1.6)]
        tint = rng.uniform(0.0, 0.35) * rng.choice([-0.5, 1.0])
        power = rng.uniform(0.15, 0.7)
        x, y, z = place.tolist()
        colour = (power, power * (1 - tint / 2), power * (1 - tint))
        lights.append(Light((x, y, z), colour, size / 2))
    if rng.random() < 0.5:
        lights = [part for light in lights for part in _widened(rng, light, 0.04 * size)]
    above = rng.uniform(0.3, 0.7) * (1 + rng.uniform(-0.06, 0.06, 3))
    return Lighting(lights, above, above * rng.uniform(0.5, 0.9), (low, high) if walled else None)
