"""A mesh that was written, edited elsewhere, comes back to where it belongs in the world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from recon3d.core.errors import InputError
from recon3d.core.surface import Mesh, PointCloud
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Similarity
from recon3d.export.meshes import PRINT_SUFFIXES, WIDE_SUFFIXES, Y_UP_SUFFIXES
from recon3d.export.transformed import (
    MILLIMETRES_PER_METRE,
    Y_UP_FROM_Z_UP,
    file_from_world,
    near_origin,
)
from recon3d.run.task import Task
from recon3d.surface.foreign_meshes import ForeignMesh
from recon3d.surface.rays import MeshRays

_NEAR = 0.02
"""Share of the surface's diagonal within which a face lies on it."""
_SAMPLES = 20_000
_CLEARLY_BETTER = 0.3
"""By how much more of the mesh must lie on the surface in another reading of its file."""
_TOO_LITTLE = 0.01
_LITTLE = 0.25


@dataclass(frozen=True, eq=False)
class _Reading:
    """One way to understand the numbers in a file."""

    words: str
    file_from_world: Similarity


@dataclass(frozen=True, eq=False)
class _Fit:
    """How a mesh lies on the surface, in shares of its area."""

    near: float
    turned_away: float
    """Of what is near: faces that look the other way."""


def world_from_file(
    path: Path, found: ForeignMesh, frame: TargetFrame, surface: tuple[Mesh, PointCloud], task: Task
) -> Similarity:
    """Where a mesh of a file belongs, which is about on the run's own surface.

    What recon3d writes lies where it was. Programs write their own axes or unit into some formats:
    where the mesh then lies on the surface clearly better than by our custom, that is taken, with
    a warning.

    Args:
        path: Its name tells our custom.
        found: The mesh, every vertex finite, at least one face with an area.
        frame: Of the run's exports.
        surface: The run's own, in the world, and its points.
        task: Told of what was assumed.

    Raises:
        InputError: it lies nowhere near the surface, or its faces look away.
    """
    mesh, cloud = surface
    near, _ = near_origin(frame.target_from_world, cloud.points)
    suffix = ".glb" if path.suffix.lower() == ".gltf" else path.suffix.lower()
    usual = _Reading("", file_from_world(suffix, frame, near))
    centres, normals, areas = _sampled(found)
    scene = _Surface(mesh)
    fit = scene.fit(usual.file_from_world.inverse(), centres, normals, areas)
    reading = usual
    for other in _readings(frame, near):
        there = scene.fit(other.file_from_world.inverse(), centres, normals, areas)
        if there.near > fit.near + (_CLEARLY_BETTER if reading is usual else 0):
            reading, fit = other, there
    if fit.near < _TOO_LITTLE:
        raise InputError(
            f"{path} does not lie on the model of this run: it reaches from "
            f"{_box(found.vertices[np.unique(found.faces)])}, where the model in such a file "
            f"reaches from {_box(usual.file_from_world @ mesh.vertices.astype(np.float64))}.",
            hint="Export the mesh where the model stood when recon3d wrote it: not moved, not "
            "scaled, and with the other program's usual axes.",
        )
    if fit.turned_away > 0.5:
        raise InputError(
            f"The faces of {path} look inwards, so no photo sees their front.",
            hint="Turn them round; in Blender: Mesh > Normals > Recalculate Outside.",
        )
    if reading is not usual:
        task.warn(
            f"{path.name} was read with {reading.words}, because that is how it lies on the model; "
            f"recon3d writes {suffix} files otherwise."
        )
    if fit.near < _LITTLE:
        task.warn(
            f"Only {fit.near:.0%} of {path.name} lies near the surface that the photos show. If "
            "it is not where it should be, export it without moving or scaling it."
        )
    return reading.file_from_world.inverse()


def _readings(frame: TargetFrame, near: Similarity) -> Iterator[_Reading]:
    """The axes, units and origins that files of any of our formats have, put together anew."""
    units = {"": Similarity(1.0, np.eye(3), np.zeros(3))}
    if frame.unit == "metre":
        units = {" in metres": units[""], " in millimetres": MILLIMETRES_PER_METRE}
    axes = {"z": units.get("", units.get(" in metres")), "y": Y_UP_FROM_Z_UP}
    places = {"": near}
    if near is not frame.target_from_world:
        wide, narrow = (
            " and ".join(sorted(names))
            for names in (WIDE_SUFFIXES, (Y_UP_SUFFIXES | PRINT_SUFFIXES) - WIDE_SUFFIXES)
        )
        places = {
            f", about the origin of {narrow} files": near,
            f", about the origin of {wide} files": frame.target_from_world,
        }
    for (axis, turn), (unit, scale), (place, moved) in product(
        axes.items(), units.items(), places.items()
    ):
        assert turn
        yield _Reading(f"{axis} up{unit}{place}", turn @ scale @ moved)


def _sampled(
    found: ForeignMesh,
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"], Float[np.ndarray, "n"]]:
    """The middles of some faces, their unit normals and areas; faces without an area are none."""
    corners = found.vertices[found.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    doubled = np.linalg.norm(normal, axis=1)
    face = np.flatnonzero(doubled > 0)
    # By area, as a mesh may be fine in one place and coarse in another.
    ends = np.cumsum(doubled[face])
    wanted = (np.arange(_SAMPLES) + 0.5) / _SAMPLES * ends[-1]
    face = np.unique(face[np.searchsorted(ends, wanted)])
    return corners[face].mean(1), normal[face] / doubled[face, None], doubled[face]


class _Surface:
    """The run's surface, asked how a mesh lies on it."""

    def __init__(self, mesh: Mesh) -> None:
        self._rays = MeshRays(mesh)
        self._corners = mesh.vertices.astype(np.float64)[mesh.faces]
        used = self._corners.reshape(-1, 3)
        self._tolerance = _NEAR * float(np.linalg.norm(used.max(0) - used.min(0)))

    def fit(
        self,
        world_from_file: Similarity,
        centres: Float[np.ndarray, "n 3"],
        normals: Float[np.ndarray, "n 3"],
        areas: Float[np.ndarray, "n"],
    ) -> _Fit:
        points: Float32[np.ndarray, "n 3"] = (world_from_file @ centres).astype(np.float32)
        face, weights = self._rays.nearest(points)
        corners = self._corners[face]
        away = np.einsum("nk,nkd->nd", weights, corners) - points
        near = np.linalg.norm(away, axis=1) < self._tolerance
        theirs = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        facing = np.einsum("nd,nd->n", normals @ world_from_file.rotation.T, theirs)
        share = float(areas[near].sum() / areas.sum())
        behind = float(areas[near & (facing < 0)].sum())
        return _Fit(share, behind / max(float(areas[near].sum()), 1e-30))


def _box(points: Float[np.ndarray, "n 3"]) -> str:
    low, high = ([f"{value:.4g}" for value in end] for end in (points.min(0), points.max(0)))
    return f"({', '.join(low)}) to ({', '.join(high)})"
