"""A scene before it is rendered: surfaces, materials, lights, and where a camera may go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from recon3d.depthnet.synthetic.materials import Material, draw_material
from recon3d.depthnet.synthetic.shapes import Array, Shape, join

Motion = Literal["walk", "orbit", "drone"]


@dataclass(frozen=True)
class Light:
    """A lamp, or the sun where it stands far away; position in the world frame."""

    position: tuple[float, float, float]
    colour: tuple[float, float, float]
    """What a surface facing it at the distance `reach` receives, linear light."""
    reach: float
    """Light falls with the square of the distance in units of this."""


@dataclass(frozen=True)
class Stage:
    """Where a camera may stand and look at, corners of boxes in the world frame."""

    eyes: tuple[Array, Array]
    targets: tuple[Array, Array]
    motion: Motion


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that is drawn; z is up."""

    kind: str
    shape: Shape
    material: Array
    """(m,) index into materials of every triangle."""
    casts_shadow: Array
    """(m,) bool; a room's walls do not keep out the lamps that stand for its daylight."""
    materials: list[Material]
    lights: list[Light]
    sky: tuple[Array, Array]
    """Ambient light (linear) from above and from below; the sky's colour where nothing is."""
    stage: Stage


@dataclass
class Builder:
    """Collects what stands in a scene."""

    rng: np.random.Generator
    shapes: list[Shape] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    casting: list[bool] = field(default_factory=list)
    materials: list[Material] = field(default_factory=list)

    def add(self, shape: Shape, material: int, *, casts_shadow: bool = True) -> None:
        """Put a shape, given in the world frame, into the scene."""
        self.shapes.append(shape)
        self.owners.append(material)
        self.casting.append(casts_shadow)

    def new_material(
        self, size: float, *, plain_share: float = 0.3, light: float | None = None
    ) -> int:
        """Draw a material for things about `size` large; returns its number."""
        self.materials.append(draw_material(self.rng, size, plain_share=plain_share, light=light))
        return len(self.materials) - 1

    def any_material(self) -> int:
        """One of those drawn so far."""
        return int(self.rng.integers(len(self.materials)))

    def finish(
        self, kind: str, lights: list[Light], sky: tuple[Array, Array], stage: Stage
    ) -> Scene:
        """The scene of all that was added."""
        counts = [len(shape.corners) for shape in self.shapes]
        return Scene(
            kind,
            join(*self.shapes),
            np.repeat(self.owners, counts),
            np.repeat(self.casting, counts),
            self.materials,
            lights,
            sky,
            stage,
        )


def sunlight(rng: np.random.Generator, extent: float) -> tuple[list[Light], tuple[Array, Array]]:
    """A sun and a sky for a scene `extent` wide around the origin: clear, hazy or overcast."""
    elevation, azimuth = rng.uniform(0.35, 1.3), rng.uniform(0, 2 * np.pi)
    away = 30.0 * extent
    direction = np.array(
        [
            np.cos(elevation) * np.cos(azimuth),
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
        ]
    )
    strength = rng.choice([0.05, 0.4, 1.0, 1.6])
    x, y, z = (direction * away).tolist()
    warm = rng.uniform(0.0, 0.25)
    sun = Light((x, y, z), (strength, strength * (1 - warm / 2), strength * (1 - warm)), away)
    blue = rng.uniform(0.0, 0.3)
    above = np.array([1 - blue, 1 - blue / 2, 1.0]) * rng.uniform(0.35, 0.7)
    return [sun], (above, above * rng.uniform(0.25, 0.6) * [1.0, 0.95, 0.85])


def lamplight(
    rng: np.random.Generator, low: Array, high: Array
) -> tuple[list[Light], tuple[Array, Array]]:
    """One to three lamps or windows over a room between two corners, and light off the walls."""
    size = float(np.linalg.norm(high - low))
    lights = []
    for _ in range(rng.integers(1, 4)):
        place = low + (high - low) * [*rng.uniform(-0.1, 1.1, 2), rng.uniform(0.85, 1.6)]
        tint = rng.uniform(0.0, 0.35) * rng.choice([-0.5, 1.0])
        power = rng.uniform(0.2, 0.8)
        x, y, z = place.tolist()
        lights.append(
            Light((x, y, z), (power, power * (1 - tint / 2), power * (1 - tint)), size / 2)
        )
    above = rng.uniform(0.3, 0.6) * (1 + rng.uniform(-0.06, 0.06, 3))
    return lights, (above, above * rng.uniform(0.5, 0.9))
