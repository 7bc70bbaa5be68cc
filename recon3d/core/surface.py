"""Triangle meshes and point clouds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, UInt8

from recon3d.core.scene import SparsePoints

# float32 then has a step of a hundred-thousandth of the model, less than any photo resolves.
_FAR = 100.0


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles, counter-clockwise seen from outside."""

    vertices: Float[np.ndarray, "v 3"]
    """float32 about the world's origin; float64 on the way to a file that is far from its own."""
    faces: Int32[np.ndarray, "f 3"]
    normals: Float32[np.ndarray, "v 3"] | None = None
    rgb: UInt8[np.ndarray, "v 3"] | None = None
    inferred: Bool[np.ndarray, "f"] | None = None
    """True for faces that were guessed, as those that close a hole: no depth was confirmed there.
    None: nobody knows."""
    sigma: Float32[np.ndarray, "v"] | None = None
    """One standard deviation of a vertex along its normal that can be expected, in the mesh's unit;
    infinite where nobody knows. None: it was not asked for."""


@dataclass(frozen=True, eq=False)
class TexturedMesh:
    """A mesh whose colours lie in square pictures, its pages."""

    mesh: Mesh
    uv: Float32[np.ndarray, "f 3 2"]
    """Of each face's corners on its page, 0 to 1, the origin at the lower left (OBJ's, Blender's
    and USD's convention; glTF has it at the upper left)."""
    page_of_face: Int32[np.ndarray, "f"]
    pages: Sequence[UInt8[np.ndarray, "h w 3"]]
    """sRGB; each read from its file when asked, because together they may not fit in memory."""
    seen: Bool[np.ndarray, "f"]
    """False where no photo saw the face and its colour was made up from its neighbours'."""
    normal_pages: Sequence[UInt8[np.ndarray, "h w 3"]] = ()
    """Normal maps in the axes of `core.tangents`, 0 to 255 for -1 to 1: one for each page, or
    none."""
    occlusion_pages: Sequence[UInt8[np.ndarray, "h w 3"]] = ()
    """The share of light from all around, grey, 255 = all of it: one for each page, or none."""


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Coloured points with normals."""

    points: Float[np.ndarray, "n 3"]
    """As a mesh's vertices."""
    rgb: UInt8[np.ndarray, "n 3"]
    normals: Float32[np.ndarray, "n 3"]


def sparse_surface(points: SparsePoints) -> tuple[Mesh, PointCloud]:
    """Sparse points as a mesh without triangles and a cloud without directions (zero normals)."""
    xyz = as_vertices(points.xyz_world)
    mesh = Mesh(xyz, np.zeros((0, 3), np.int32), rgb=points.rgb)
    return mesh, PointCloud(xyz, points.rgb, np.zeros_like(xyz, np.float32))


def as_vertices(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """As float32, unless they lie so far from the origin that its seven digits lose their shape."""
    return points if is_far(points) else points.astype(np.float32)


def is_far(points: Float[np.ndarray, "n 3"]) -> bool:
    """Whether points lie many times further from the origin than from each other."""
    if len(points) < 2:
        return False
    return float(np.abs(points).max()) > _FAR * float(np.ptp(points, axis=0).max()) > 0


def face_areas(mesh: Mesh) -> Float[np.ndarray, "f"]:
    """Areas in squared scene units."""
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    return np.linalg.norm(_doubled_normals(corners), axis=1) / 2


def inferred_share(mesh: Mesh) -> float | None:
    """The share of the area that was guessed, 0 to 1; None where nobody knows."""
    areas = face_areas(mesh)
    whole = float(areas.sum())
    if mesh.inferred is None or whole == 0:
        return None
    return float(areas[mesh.inferred].sum()) / whole


def vertex_normals(mesh: Mesh) -> Float32[np.ndarray, "v 3"]:
    """Area-weighted unit normals; zero for a vertex without a face."""
    normals = _doubled_normals(mesh.vertices.astype(np.float64)[mesh.faces])
    summed = np.zeros((len(mesh.vertices), 3))
    for axis in range(3):
        for corner in range(3):
            summed[:, axis] += np.bincount(
                mesh.faces[:, corner], normals[:, axis], minlength=len(summed)
            )
    length = np.linalg.norm(summed, axis=1, keepdims=True)
    return (summed / np.where(length > 0, length, 1)).astype(np.float32)


def median_edge(mesh: Mesh) -> float:
    """Length of a typical edge; of a raw surface about a voxel."""
    ends = mesh.vertices[mesh.faces[:, :2]]
    return float(np.median(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)))


def normals_of(mesh: Mesh) -> Float32[np.ndarray, "v 3"]:
    """The mesh's own normals, or computed ones where it has none."""
    return vertex_normals(mesh) if mesh.normals is None else mesh.normals


def _doubled_normals(corners: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f 3"]:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
