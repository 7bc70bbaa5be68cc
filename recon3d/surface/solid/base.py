"""A flat base under a surface: the plane, and what joins the surface to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from recon3d.core.surface import Mesh
from recon3d.surface.topology import border_loops

_LEVEL = 0.3
"""Share of a rim's own area that must show from above: else it runs around a hole in a side."""
_HIGH = 0.5
"""In radii of a rim: what hovers higher, as a table's top does, does not reach down to the base."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A flat base; matter lies above it."""

    normal_world: Float64[np.ndarray, "3"]
    """Unit, up."""
    height: float
    """Of the plane along the normal, from the world's origin."""

    def above(self, points: Float64[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n"]:
        """Heights over the plane."""
        return np.asarray(points @ self.normal_world - self.height)

    def dropped(self, points: Float64[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 3"]:
        """The points of the plane straight below."""
        return np.asarray(points - self.above(points)[..., None] * self.normal_world)

    def mirrored(self, points: Float64[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 3"]:
        """The points on the other side, as far from it."""
        return np.asarray(points - 2 * self.above(points)[..., None] * self.normal_world)


def with_curtains(mesh: Mesh, base: Plane) -> Mesh:
    """The surface and, from its lower rims straight down to the base, walls that join them.

    Rims that run around a hole, or high above the base, get none.
    """
    loops = border_loops(mesh.faces)
    if len(loops.starts) == 0:
        return mesh
    at = mesh.vertices[loops.vertices].astype(np.float64)
    after = np.arange(len(at)) + 1
    after[loops.starts + loops.sizes - 1] = loops.starts
    of, size = loops.loop_of_vertex, loops.sizes[:, None]
    middle = np.add.reduceat(at, loops.starts) / size
    away = at - middle[of]
    turned = np.add.reduceat(np.cross(away, away[after]), loops.starts)
    # Around matter a rim runs counter-clockwise as seen from above, around a hole the other way.
    level = turned @ base.normal_world > _LEVEL * np.linalg.norm(turned, axis=1)
    radius = np.maximum.reduceat(np.linalg.norm(away, axis=1), loops.starts)
    joined = level & (base.above(middle) < _HIGH * radius)
    rows = np.flatnonzero(joined[of])
    count, below = len(mesh.vertices), len(rows)
    foot = np.zeros(len(at), np.int64)
    foot[rows] = count + np.arange(below)
    start, end = loops.vertices[rows], loops.vertices[after[rows]]
    start_foot, end_foot = foot[rows], foot[after[rows]]
    curtain = np.concatenate(
        [np.stack([end, start, start_foot], axis=1), np.stack([end, start_foot, end_foot], axis=1)]
    )
    return Mesh(
        np.concatenate([mesh.vertices, base.dropped(at[rows]).astype(np.float32)]),
        np.concatenate([mesh.faces, curtain.astype(np.int32)]),
    )
