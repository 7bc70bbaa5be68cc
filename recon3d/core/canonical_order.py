"""One order for the vertices and faces of a surface, whatever order they were found in.

Programs that work in parallel hand out the same surface in another order every time. Sorted, it has
the same bytes again, and so has all that is made from it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float32, Int

from recon3d.core.surface import Mesh, PointCloud


def in_order(mesh: Mesh) -> Mesh:
    """Vertices by x, y, z, colour and normal; faces by their vertices, the smallest first.

    Vertices that are equal in everything become one, because nothing could tell which comes first;
    faces that are left with fewer than three vertices go. Windings stay.
    """
    normals = None if mesh.normals is None else _without_minus_zero(mesh.normals)
    vertices = _without_minus_zero(mesh.vertices)
    given = [part for part in (vertices, mesh.rgb, normals) if part is not None]
    rows = np.column_stack([part.astype(np.float32) for part in given])
    order = _order(rows)
    ordered = rows[order]
    new = np.ones(len(rows), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(1)
    number = np.empty(len(rows), np.int32)
    number[order] = np.cumsum(new, dtype=np.int32) - 1
    kept = order[new]
    faces = number[mesh.faces]
    whole = (faces != np.roll(faces, 1, axis=1)).all(1)
    faces = faces[whole]
    turn = (faces.argmin(1)[:, None] + np.arange(3)) % 3
    faces = np.take_along_axis(faces, turn, 1)
    inferred = None if mesh.inferred is None else mesh.inferred[whole]
    keys = faces if inferred is None else np.column_stack([faces, inferred])
    order = _order(keys)
    return replace(
        mesh,
        vertices=vertices[kept],
        faces=faces[order],
        normals=None if normals is None else normals[kept],
        rgb=None if mesh.rgb is None else mesh.rgb[kept],
        inferred=None if inferred is None else inferred[order],
    )


def cloud_in_order(cloud: PointCloud) -> PointCloud:
    """Points by x, y, z, colour and normal."""
    points, normals = _without_minus_zero(cloud.points), _without_minus_zero(cloud.normals)
    order = _order(np.column_stack([points, cloud.rgb.astype(np.float32), normals]))
    return PointCloud(points[order], cloud.rgb[order], normals[order])


def _order(rows: np.ndarray) -> Int[np.ndarray, "n"]:
    return np.lexsort(rows.T[::-1])


def _without_minus_zero(values: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 3"]:
    # It equals zero, so that the order would not tell them apart, but their bytes would.
    return values + np.float32(0)
