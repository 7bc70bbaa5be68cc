"""Where there is matter behind a surface."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64

from recon3d.core.surface import Mesh, face_areas, vertex_normals
from recon3d.surface.rays import MeshRays
from recon3d.surface.solid.base import Plane, with_curtains
from recon3d.surface.solid.winding import Winding

_STRAIGHT_BEHIND = 0.3
"""Cosine to the normal from which a point lies behind the surface rather than beside its border."""


class Matter:
    """Matter is what the surface goes around, and a wall behind what goes around nothing.

    A point belongs to it where the winding number is half or more. Where that is not so behind a
    face, as behind the top of a table that was seen from above only, a wall keeps it from being
    lost. Over a flat base the surface and its mirror image go around a point together, so that
    matter reaches down to the base and meets it squarely.
    """

    def __init__(self, mesh: Mesh, wall: float, base: Plane | None, threads: int) -> None:
        """wall: thickness in scene units; base: matter ends so far below it that it can be cut."""
        self._mesh, self._wall, self._base, self._threads = mesh, wall, base, threads
        self._winding = Winding(mesh if base is None else with_curtains(mesh, base))
        self._rays, self._normals = MeshRays(mesh), vertex_normals(mesh)
        corners = mesh.vertices.astype(np.float64)[mesh.faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
        self._is_bare = self._wound(corners.mean(axis=1) - 0.5 * wall * normals) < 0.5

    @property
    def bare_share(self) -> float:
        """The share of the surface's area that goes around nothing and gets a wall."""
        area = face_areas(self._mesh)
        return float(area[self._is_bare].sum() / area.sum())

    def value(self, points: Float64[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n"]:
        """Above 0 in matter, else below; it changes evenly where nothing but a guess ends it."""
        value = self._wound(points) - 0.5
        rest = np.flatnonzero(value <= 0)
        if self._is_bare.any():
            value[rest] = np.maximum(value[rest], self._in_wall(points[rest].astype(np.float32)))
        if self._base is not None:
            value = np.minimum(value, self._base.above(points) / self._wall + 0.5)
        # 0 would be no side.
        return np.where(value == 0, -1e-6, value).astype(np.float32)

    def _wound(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
        """How often the surface, with its mirror image, goes around each point."""
        found = self._winding.of(points, self._threads)
        if self._base is not None:
            found += self._winding.of(self._base.mirrored(points), self._threads)
        return found

    def _in_wall(self, points: Float32[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
        """From 0.5 at the back of a bare face to 0 where its wall ends; less elsewhere."""
        if len(points) == 0:
            return np.zeros(0)
        face, weights = self._rays.nearest(points)
        corners = self._mesh.faces[face]
        there = np.einsum("nk,nkc->nc", weights, self._mesh.vertices[corners])
        # Between the vertices: at an edge the face alone does not know what is behind it.
        normal = np.einsum("nk,nkc->nc", weights, self._normals[corners])
        away = points - there
        distance = np.linalg.norm(away, axis=1).astype(np.float64)
        length = np.linalg.norm(normal, axis=1) * np.maximum(distance, 1e-30)
        behind = -np.einsum("ni,ni->n", away, normal) > _STRAIGHT_BEHIND * length
        in_reach = 0.5 * (1 - distance / self._wall)
        return np.where(behind & self._is_bare[face], in_reach, -0.5)
