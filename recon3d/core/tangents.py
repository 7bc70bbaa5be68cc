"""The axes that normal maps are given in."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int32

from recon3d.core.surface import Mesh, normals_of


def corner_tangents(
    mesh: Mesh, uv: Float32[np.ndarray, "f 3 2"]
) -> tuple[Float32[np.ndarray, "f 3 3"], Int32[np.ndarray, "f"]]:
    """Unit tangents of all corners, along u, and the sign of each face's bitangent.

    The bitangent, along v, is the sign times the cross product of normal and tangent. As MikkTSpace
    has it (Mikkelsen 2008), which Blender and glTF refer to: the faces' directions along u, made
    perpendicular to the vertex normal, averaged by angle over the faces that share vertex and uv.
    v grows upwards in the picture.
    """
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    normals = normals_of(mesh).astype(np.float64)[mesh.faces]
    sides, sides_uv = corners[:, 1:] - corners[:, :1], uv[:, 1:] - uv[:, :1]
    turn = sides_uv[:, 0, 0] * sides_uv[:, 1, 1] - sides_uv[:, 0, 1] * sides_uv[:, 1, 0]
    sign = np.where(turn < 0, -1, 1)
    along = sides_uv[:, 1, 1, None] * sides[:, 0] - sides_uv[:, 0, 1, None] * sides[:, 1]
    along *= sign[:, None]
    flat = along[:, None] - normals * np.einsum("fd,fcd->fc", along, normals)[..., None]
    weighted = _unit(flat) * _angles(corners, normals)[..., None]
    # Corners share a tangent that share vertex, uv and sign.
    keys = np.concatenate(
        [
            mesh.faces[..., None],
            np.ascontiguousarray(uv + np.float32(0)).view(np.int32),
            np.broadcast_to(sign[:, None, None], (*mesh.faces.shape, 1)),
        ],
        axis=2,
    ).reshape(-1, 4)
    order = np.lexsort(keys.T)
    starts = np.r_[True, (np.diff(keys[order], axis=0) != 0).any(1)]
    group = np.empty(len(order), np.int64)
    group[order] = np.cumsum(starts) - 1
    summed = np.stack(
        [np.bincount(group, weighted[..., axis].ravel()) for axis in range(3)], axis=1
    )[group].reshape(weighted.shape)
    # Where the layout has no area any direction along the surface will do.
    least = np.eye(3)[np.abs(normals).argmin(2)]
    lost = np.linalg.norm(summed, axis=2, keepdims=True) < 1e-12
    tangents = _unit(np.where(lost, np.cross(normals, least), summed))
    return tangents.astype(np.float32), sign.astype(np.int32)


def _angles(corners: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Of each corner, between its two sides as they look along the vertex normal."""
    ways = []
    for step in (1, 2):
        way = np.roll(corners, -step, axis=1) - corners
        ways.append(_unit(way - normals * np.einsum("fcd,fcd->fc", way, normals)[..., None]))
    angles: np.ndarray = np.arccos(np.einsum("fcd,fcd->fc", *ways).clip(-1, 1))
    return angles


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
