"""Meshes whose every number is known."""

from __future__ import annotations

import numpy as np

from recon3d.core.surface import Mesh

GREY = 77


def sheet(side: int, z: np.ndarray | float = 0.0) -> Mesh:
    """A square of (side - 1)^2 cells with heights z, seen from +z, all grey."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    index = np.arange(side * side, dtype=np.int32).reshape(side, side)
    a, b, c, d = (
        part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:])
    )
    faces = np.concatenate([np.column_stack([a, b, c]), np.column_stack([b, d, c])])
    heights = np.broadcast_to(z, (side, side))
    vertices = np.column_stack([x.ravel(), y.ravel(), heights.ravel()]).astype(np.float32)
    return Mesh(vertices, faces, rgb=np.full((side * side, 3), GREY, np.uint8))


def sphere(subdivisions: int = 3) -> Mesh:
    """The unit sphere, grey."""
    import trimesh

    solid = trimesh.creation.icosphere(subdivisions=subdivisions)
    vertices = np.asarray(solid.vertices, np.float32)
    rgb = np.full(vertices.shape, GREY, np.uint8)
    return Mesh(vertices, np.asarray(solid.faces, np.int32), rgb=rgb)


def joined(*meshes: Mesh) -> Mesh:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate(
            [mesh.faces + np.int32(start) for mesh, start in zip(meshes, starts, strict=False)]
        ),
        rgb=np.concatenate([mesh.rgb for mesh in meshes if mesh.rgb is not None]),
    )


def is_closed(faces: np.ndarray) -> bool:
    """Every directed edge meets its opposite once: watertight and wound the same way all over."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()
    directed = {tuple(edge) for edge in edges}
    return len(directed) == len(edges) and all((b, a) in directed for a, b in directed)
