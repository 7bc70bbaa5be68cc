"""A rectangle of the town as triangles, and in the light of day."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import open3d as o3d
import trimesh
from numpy.typing import NDArray

from recon3d.depth.synthetic.shapes import grid_surface
from town.blocks import Standing, blocks
from town.ground import GROUND, LEAVES, WALL, heights
from town.light import expose

SUN = np.array([-0.55, -0.38, 0.74]) / np.linalg.norm([-0.55, -0.38, 0.74])
_STEP = 2.0
"""Metres between the ground's vertices."""
_SKY_RAYS = 24
_SKY_REACH = 15.0

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Stretch:
    """Triangles (m) with what `expose` asks of them."""

    corners: Array
    normals: Array
    uv: Array
    sky: Array
    """(m, 3) share of the sky that each corner sees."""
    material: NDArray[np.int64]
    owner: NDArray[np.int64]

    @staticmethod
    def between(low: NDArray[np.float64], high: NDArray[np.float64], seed: int) -> Stretch:
        """Ground from corner to corner of a rectangle, and all blocks that reach into it."""
        parts = [_ground(low, high, seed)]
        for block in blocks(low, high, seed):
            parts += [_built(standing) for standing in block.standing]
        return Stretch(
            *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Stretch))
        )

    def mesh(self) -> trimesh.Trimesh:
        """The surface alone; places that several triangles share are one vertex."""
        places, faces = np.unique(self.corners.reshape(-1, 3), axis=0, return_inverse=True)
        faces = faces.reshape(-1, 3)
        whole = (faces != np.roll(faces, 1, 1)).all(1)
        return trimesh.Trimesh(places, faces[whole], process=False)


def _ground(low: NDArray[np.float64], high: NDArray[np.float64], seed: int) -> Stretch:
    # On multiples of the step, so that neighbouring stretches have the same triangles.
    axes = [
        np.arange(np.floor(a / _STEP), np.ceil(b / _STEP) + 1) * _STEP
        for a, b in zip(low, high, strict=True)
    ]
    x, y = np.meshgrid(*axes, indexing="ij")
    z = heights(x.ravel(), y.ravel(), seed).reshape(x.shape)
    shape = grid_surface(np.stack([x, y, z], -1))
    return _built(Standing(shape, GROUND, 0, 0.0))


def _built(standing: Standing) -> Stretch:
    shape, count = standing.shape, len(standing.shape.corners)
    z = shape.corners[..., 2]
    sky = np.ones_like(z)
    if standing.material == WALL:
        sky = np.clip(0.5 + 0.06 * (z - standing.foot), 0.5, 0.9)
    elif standing.material == LEAVES:
        sky = 0.3 + 0.7 * (z - z.min()) / np.ptp(z)
    return Stretch(
        *(array.astype(np.float32) for array in (shape.corners, shape.normals, shape.uv, sky)),
        np.full(count, standing.material),
        np.full(count, standing.owner),
    )


class Daylight:
    """A stretch in the sun, ready to be photographed."""

    def __init__(self, stretch: Stretch, seed: int) -> None:
        self.seed = seed
        self.rays = o3d.t.geometry.RaycastingScene()
        count = len(stretch.corners)
        corners = np.arange(3 * count, dtype=np.uint32).reshape(-1, 3)
        self.rays.add_triangles(
            o3d.core.Tensor(stretch.corners.reshape(-1, 3)), o3d.core.Tensor(corners)
        )
        self.town = tuple(getattr(stretch, f.name) for f in fields(Stretch))
        ground = stretch.material == GROUND
        stretch.sky[ground] = self._open_sky(stretch.corners[ground], stretch.normals[ground])

    def _open_sky(self, corners: Array, normals: Array) -> Array:
        """Share of the sky that nothing nearby hides from places on the ground."""
        places, index = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
        rng = np.random.default_rng(3)
        total = np.zeros(len(places), np.float32)
        for _ in range(_SKY_RAYS):
            ball = rng.normal(size=3)
            # Cosine-weighted about the vertical.
            toward = ball / np.linalg.norm(ball) + [0, 0, 1.001]
            total += ~self._blocked(
                places + np.float32([0, 0, 0.1]), toward / np.linalg.norm(toward), _SKY_REACH
            )
        return (total / _SKY_RAYS)[index.ravel()].reshape(-1, 3)

    def _blocked(
        self, start: Array, toward: NDArray[np.float64], reach: float
    ) -> NDArray[np.bool_]:
        rays = np.concatenate([start, np.broadcast_to(toward, start.shape)], 1).astype(np.float32)
        return self.rays.test_occlusions(o3d.core.Tensor(rays), tfar=reach).numpy()

    def light(self, rays: Array, focal_px: float) -> Array:
        """Linear RGB (n, 3) of rays (n, 6) whose directions have depth_z 1; all meet something."""
        hit = self.rays.cast_rays(o3d.core.Tensor(rays))
        along, face, weights = (
            hit[key].numpy() for key in ("t_hit", "primitive_ids", "primitive_uvs")
        )
        if not np.isfinite(along).all():
            raise ValueError("a ray leaves the stretch: it must reach farther than the photos see")
        by_sun, by_sky, place = expose(
            rays, along, face, weights, self.town, SUN, self.seed, focal_px
        )
        rows = np.flatnonzero(by_sun[:, 1] > 0)
        by_sky[rows] += by_sun[rows] * ~self._blocked(place[rows], SUN, np.inf)[:, None]
        return by_sky
