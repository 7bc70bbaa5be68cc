"""Core meshes <-> Open3D's legacy ones, the only kind whose simplification keeps colours."""

from __future__ import annotations

from typing import Any

import numpy as np

from recon3d.core.surface import Mesh


def to_open3d(mesh: Mesh) -> Any:
    """An open3d.geometry.TriangleMesh with vertices, faces and colours."""
    import open3d as o3d

    legacy = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(mesh.vertices.astype(np.float64)),
        o3d.utility.Vector3iVector(mesh.faces),
    )
    if mesh.rgb is not None:
        legacy.vertex_colors = o3d.utility.Vector3dVector(mesh.rgb / 255.0)
    return legacy


def from_open3d(legacy: Any) -> Mesh:
    """Vertices, faces and colours of an open3d.geometry.TriangleMesh; normals are left behind."""
    rgb = None
    if legacy.has_vertex_colors():
        rgb = np.rint(np.clip(np.asarray(legacy.vertex_colors), 0, 1) * 255).astype(np.uint8)
    return Mesh(
        np.asarray(legacy.vertices, np.float32), np.asarray(legacy.triangles, np.int32), rgb=rgb
    )
