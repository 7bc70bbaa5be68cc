"""What further photos should show: weak places of the surface, and what lies beyond its borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, Int8

from recon3d.core.scene import View
from recon3d.core.surface import Mesh, vertex_normals
from recon3d.run.task import Task
from recon3d.surface.topology import edge_uses, half_edges
from recon3d.view_planning.measure import ENOUGH_PHOTOS, Coverage, Sight, Weakness, squareness

_MOST_TARGETS = 4000
_REACH = 0.05
"""How far beyond a border something is taken to be missing, in diagonals of the model."""
_RINGS = 3
_TOGETHER_DEG = 25.0
_DIRECTIONS = 160
"""Around which photos may lie together: 16 degrees apart."""
_IN_THE_OPEN = 0.6
"""Of the way from its border is the least distance of a void patch to the surface: else it lies in
a slit, or the surface goes on there."""


@dataclass(frozen=True, eq=False)
class Targets:
    """Places that further photos should show, in no order."""

    points: Float[np.ndarray, "t 3"]
    normals: Float32[np.ndarray, "t 3"]
    area: Float[np.ndarray, "t"]
    sights: Float[np.ndarray, "t"]
    """Photos that count already; `ENOUGH_PHOTOS` leave nothing to wish for."""
    weakness: Int8[np.ndarray, "t"]
    wanted_gsd: float
    """Coarser photos count less."""

    @property
    def need(self) -> float:
        """Area times the share of photos that are missing there."""
        return float(self.area @ missing(self.sights))


def missing(sights: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """What is missing to enough photos, 1 to 0."""
    return 1 - np.minimum(sights / ENOUGH_PHOTOS, 1)


def weak_places(
    mesh: Mesh,
    coverage: Coverage,
    views: Sequence[View],
    sight: Sight,
    task: Task,
) -> Targets:
    """Weak vertices, thinned out evenly by area, and patches where the surface breaks off."""
    weakness, sights = coverage.weakness, coverage.sights.astype(np.float64)
    # What the photos from there did not measure is as if one had seen it.
    unhelped = np.isin(weakness, (Weakness.INFERRED, Weakness.NARROW))
    sights[unhelped] = np.minimum(sights[unhelped], 1)
    far = weakness == Weakness.FAR
    sights[far] = np.minimum(sights[far], ENOUGH_PHOTOS - 1)
    weak = np.flatnonzero((weakness != Weakness.NONE) & (coverage.area > 0))
    rows, area = _thinned(weak, coverage.area[weak])
    void = void_patches(mesh, sight)
    void_rows, void_area = _thinned(np.arange(len(void.area)), void.area)
    points, normals = void.points[void_rows], void.normals[void_rows]
    looks, together = _looked_at(points, normals, views, sight, task)
    kinds = np.array([*Weakness][: Weakness.INFERRED + 1], np.int8)
    return Targets(
        np.concatenate([mesh.vertices[rows].astype(np.float64), points]),
        np.concatenate([vertex_normals(mesh)[rows], normals]),
        np.concatenate([area, void_area]),
        np.concatenate([sights[rows], together]),
        np.concatenate([weakness[rows], kinds[np.minimum(looks, Weakness.INFERRED)]]),
        coverage.usual_gsd,
    )


def _looked_at(
    points: Float[np.ndarray, "n 3"],
    normals: Float32[np.ndarray, "n 3"],
    views: Sequence[View],
    sight: Sight,
    task: Task,
) -> tuple[Int[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """How many photos look at each point, and how many from about one direction, if squarely.

    Photos from all around do not make a place measured, but a few together do; where those have
    seen nothing, nothing is.
    """
    directions = _directions()
    looks = np.zeros(len(points), np.int64)
    together = np.zeros((len(points), len(directions)), np.float32)
    for view in views:
        task.check()
        seen, toward, _ = sight.look(view, points, normals)
        looks[seen] += 1
        alike = toward @ directions.T > np.cos(np.radians(_TOGETHER_DEG))
        square = squareness(np.einsum("ij,ij->i", normals[seen], toward))
        together[seen] += alike * square[:, None].astype(np.float32)
    return looks, together.max(axis=1, initial=0).astype(np.float64)


def _directions() -> Float32[np.ndarray, "d 3"]:
    """Evenly over the sphere (Fibonacci lattice)."""
    number = np.arange(_DIRECTIONS) + 0.5
    z = 1 - 2 * number / _DIRECTIONS
    turn = np.pi * (1 + np.sqrt(5)) * number
    flat = np.sqrt(1 - z**2)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), z], axis=1).astype(np.float32)


def _thinned(
    rows: Int[np.ndarray, "n"], area: Float[np.ndarray, "n"]
) -> tuple[Int[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """At most so many, each standing for as much area."""
    if len(rows) <= _MOST_TARGETS:
        return rows, area
    whole = np.cumsum(area)
    share = whole[-1] / _MOST_TARGETS
    places = np.searchsorted(whole, (np.arange(_MOST_TARGETS) + 0.5) * share)
    chosen, times = np.unique(places, return_counts=True)
    return rows[chosen], times * share


@dataclass(frozen=True, eq=False)
class VoidPatches:
    """Pieces of surface that are not there, but would go on from a border as the border lies."""

    points: Float[np.ndarray, "n 3"]
    normals: Float32[np.ndarray, "n 3"]
    area: Float[np.ndarray, "n"]


def void_patches(mesh: Mesh, sight: Sight) -> VoidPatches:
    """Continue the surface a little beyond each edge of its borders (Pito 1999).

    A surface that is missing altogether has no vertices that could be weak; where it must begin
    is all that is known of it.
    """
    borders = edge_uses(mesh.faces).borders
    at = mesh.vertices.astype(np.float64)
    start, end = at[half_edges(mesh.faces)[borders]].swapaxes(0, 1)
    across = at[mesh.faces[borders // 3, (borders + 2) % 3]]
    along = end - start
    length = np.linalg.norm(along, axis=1)
    good = length > 0
    start, across, along, length = start[good], across[good], along[good], length[good]
    unit = along / length[:, None]
    inward = across - start
    inward -= unit * np.einsum("ij,ij->i", inward, unit)[:, None]
    out = -inward / np.maximum(np.linalg.norm(inward, axis=1), 1e-30)[:, None]
    normal = np.cross(out, unit)
    width = (
        _REACH * float(np.linalg.norm(np.ptp(np.percentile(at, [1, 99], axis=0), axis=0))) / _RINGS
    )
    reach = width * (np.arange(_RINGS) + 0.5)
    points = (start + along / 2 + reach[:, None, None] * out).reshape(-1, 3)
    away = sight.rays.distance(points.astype(np.float32))
    kept = away > _IN_THE_OPEN * np.repeat(reach, len(start))
    return VoidPatches(
        points[kept],
        np.tile(normal, (_RINGS, 1))[kept].astype(np.float32),
        np.tile(length * width, _RINGS)[kept],
    )
