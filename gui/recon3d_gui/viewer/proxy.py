"""Coarser meshes for the moments in which something moves."""

from __future__ import annotations

import numpy as np

from recon3d_gui.viewer.content import Surface


def coarser(surface: Surface, most_faces: int) -> Surface:
    """The surface with vertices merged on a grid, so that few faces are left; for a moment's look.

    Colours and normals are those of one of the merged vertices.
    """
    faces = surface.faces
    if len(faces) <= most_faces:
        return surface
    corners = surface.vertices[faces[:: max(1, len(faces) // 100_000)]].astype(np.float64)
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = float(np.linalg.norm(sides, axis=1).mean() / 2 * len(faces))
    # A flat sheet on a grid has two faces a cell; a bumpy one cuts some twice as many cells.
    cell = float(np.sqrt(3.0 * area / most_faces))
    low = surface.vertices.min(0)
    if not cell > 0:
        return surface
    place = np.floor((surface.vertices - low) / cell).astype(np.int64)
    code = (place[:, 0] << 42) | (place[:, 1] << 21) | place[:, 2]
    _, first, cluster = np.unique(code, return_index=True, return_inverse=True)
    merged = cluster.reshape(-1).astype(np.int32)[faces]
    is_whole = (
        (merged[:, 0] != merged[:, 1])
        & (merged[:, 1] != merged[:, 2])
        & (merged[:, 2] != merged[:, 0])
    )
    return Surface(
        surface.vertices[first],
        merged[is_whole],
        surface.normals[first],
        surface.rgba[first],
    )
