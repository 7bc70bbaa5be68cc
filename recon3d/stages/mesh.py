"""The raw surface becomes a clean mesh."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recon3d.core.errors import TooLittleDepthError, require
from recon3d.core.relief import as_seen, from_seen
from recon3d.core.smoothing import normal_noise_deg, smooth_keeping_edges
from recon3d.core.surface import Mesh, face_areas, vertex_normals
from recon3d.core.transform import Rigid
from recon3d.io.surface_files import load_mesh, save_mesh
from recon3d.run.task import Task
from recon3d.stages.pieces import keep_faces, piece_of_face

VERSION = 2

_MESH = "mesh.npz"
_NOISE_DEG_PER_PASS = 10.0


@dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """How the surface is cleaned."""

    faces: int = 300_000
    """Decimate to at most this many triangles; 0 keeps all."""

    min_component: float = 0.02
    """Drop pieces smaller than this share of the largest one's area."""

    smoothing: int = -1
    """Passes of feature-preserving smoothing; -1 chooses by the measured noise."""

    hole_size: float = 0.01
    """Close holes whose radius is below this share of the model's diagonal; 0 closes none."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        require(self.faces >= 0, "mesh.faces", self.faces, "0 or more")
        require(0 <= self.min_component <= 1, "mesh.min_component", self.min_component, "0 to 1")
        require(self.smoothing >= -1, "mesh.smoothing", self.smoothing, "-1 or more")
        require(0 <= self.hole_size < 1, "mesh.hole_size", self.hole_size, "0 up to 1")


def clean_mesh(raw: Mesh, config: MeshConfig, folder: Path, task: Task) -> None:
    """Write the cleaned mesh into `folder`.

    Raises:
        TooLittleDepthError: nothing is left.
    """
    chain = (
        ("without small pieces", lambda m: drop_small_components(m, config.min_component)),
        ("with holes closed", lambda m: fill_holes(m, config.hole_size)),
        ("decimated", lambda m: decimate(m, config.faces)),
        ("smoothed", lambda m: smooth(m, config.smoothing)),
    )
    _write_changed(raw, chain, folder, task)


def clean_relief(
    raw: Mesh, cam_from_world: Rigid, config: MeshConfig, folder: Path, task: Task
) -> None:
    """Write the relief of a single photo, cleaned, into `folder`.

    Its gaps are real and stay open, and its edges stay sharp: it is smoothed only if config says
    so. It is decimated as the camera sees it, because what depth is worth falls with distance; by
    lengths in space, bumps far away would outweigh every detail in front.

    Raises:
        TooLittleDepthError: nothing is left.
    """
    world_from_cam = cam_from_world.inverse()

    def decimate_seen(mesh: Mesh) -> Mesh:
        points_cam = cam_from_world @ mesh.vertices
        middle_z = float(np.median(points_cam[:, 2]))
        seen = replace(mesh, vertices=as_seen(points_cam, middle_z))
        fewer = decimate(seen, config.faces)
        if fewer is seen:
            return mesh
        points_cam = from_seen(fewer.vertices, middle_z)
        return replace(fewer, vertices=(world_from_cam @ points_cam).astype(np.float32))

    chain = (
        ("decimated", decimate_seen),
        ("smoothed", lambda m: smooth(m, max(0, config.smoothing))),
    )
    _write_changed(raw, chain, folder, task)


def read_mesh(folder: Path) -> Mesh:
    """Read what `clean_mesh` wrote."""
    return load_mesh(folder / _MESH)


def _write_changed(
    raw: Mesh, chain: Sequence[tuple[str, Callable[[Mesh], Mesh]]], folder: Path, task: Task
) -> None:
    mesh = raw
    for done, (result, change) in enumerate(chain, start=1):
        mesh = change(mesh)
        if len(mesh.faces) == 0:
            raise TooLittleDepthError("No face of the mesh is left after cleaning.")
        task.step(done, len(chain), f"{len(mesh.faces):,} faces {result}")
    save_mesh(folder / _MESH, replace(mesh, normals=vertex_normals(mesh)))


def drop_small_components(mesh: Mesh, min_share: float) -> Mesh:
    """Keep connected pieces whose area is at least min_share of the largest one's."""
    face_label = piece_of_face(mesh)
    area = np.bincount(face_label, face_areas(mesh))
    return keep_faces(mesh, area[face_label] >= min_share * area.max())


def smooth(mesh: Mesh, passes: int) -> Mesh:
    """Smooth without rounding edges; -1 takes a pass for every 10 degrees of noise, two at most."""
    if passes < 0:
        passes = min(2, int(normal_noise_deg(mesh) / _NOISE_DEG_PER_PASS))
    return smooth_keeping_edges(mesh, passes)


def decimate(mesh: Mesh, faces: int) -> Mesh:
    """Quadric edge collapse (Garland and Heckbert 1997) to at most `faces` triangles; 0 = all."""
    from recon3d.io.open3d_mesh import from_open3d, to_open3d

    if not 0 < faces < len(mesh.faces):
        return mesh
    return from_open3d(to_open3d(mesh).simplify_quadric_decimation(faces))


def fill_holes(mesh: Mesh, hole_size: float) -> Mesh:
    """Close holes whose radius is below hole_size times the model's diagonal; no new vertices."""
    import open3d as o3d

    from recon3d.io.open3d_mesh import to_open3d

    if hole_size == 0:
        return mesh
    diagonal = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    tensor = o3d.t.geometry.TriangleMesh.from_legacy(to_open3d(mesh))
    faces = tensor.fill_holes(hole_size=hole_size * diagonal).triangle.indices.numpy()
    added = faces[len(mesh.faces) :].astype(np.int32)
    # VTK winds what it adds the wrong way round as seen from its neighbours.
    return replace(mesh, faces=np.concatenate([mesh.faces, added[:, ::-1]]))
