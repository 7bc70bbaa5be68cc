"""One order for the vertices and faces of a surface, whatever order they were found in.

Programs that work in parallel hand out the same surface in another order every time. Sorted, it has
the same bytes again, and so has all that is made from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from recon3d.core.surface import Mesh, PointCloud


def in_order(mesh: Mesh) -> Mesh:
    """Vertices by x, y, z, colour and normal; faces by their vertices, the smallest first.

    Vertices that are equal in everything become one, because nothing could tell which comes first;
    faces that are left with fewer than three vertices go. Windings stay.
    """
    normals = None if mesh.normals is None else _without_minus_zero(mesh.normals)
    vertices = _without_minus_zero(mesh.vertices)
    columns = _columns(vertices, mesh.rgb, normals)
    order = np.lexsort(columns[::-1])
    new = np.zeros(len(order), bool)
    new[:1] = True
    for column in columns:
        ordered = column[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    number = np.empty(len(order), np.int32)
    number[order] = np.cumsum(new, dtype=np.int32) - 1
    kept = order[new]
    faces = number[mesh.faces]
    whole = (faces != np.roll(faces, 1, axis=1)).all(1)
    faces = faces[whole]
    turn = (faces.argmin(1)[:, None] + np.arange(3)) % 3
    faces = np.take_along_axis(faces, turn, 1)
    inferred = None if mesh.inferred is None else mesh.inferred[whole]
    order = np.lexsort(_columns(faces, inferred)[::-1])
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
    order = np.lexsort(_columns(points, cloud.rgb, normals)[::-1])
    return PointCloud(points[order], cloud.rgb[order], normals[order])


def joined_meshes(parts: Sequence[Mesh]) -> Mesh:
    """One mesh of parts that are in order; vertices that are the same in two of them become one."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=False)]
    found = Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate(faces).astype(np.int32),
        rgb=_all_or_none([part.rgb for part in parts]),
        inferred=_all_or_none([part.inferred for part in parts]),
    )
    return in_order(found)


def joined_clouds(parts: Sequence[PointCloud]) -> PointCloud:
    """The points of all parts, each of which is in order."""
    if len(parts) == 1:
        return parts[0]
    points, rgb, normals = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("points", "rgb", "normals")
    )
    return cloud_in_order(PointCloud(points, rgb, normals))


def _all_or_none(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    given = [array for array in arrays if array is not None]
    return np.concatenate(given) if len(given) == len(arrays) else None


def _columns(*arrays: np.ndarray | None) -> list[np.ndarray]:
    """Of all arrays side by side, the first one decides first; views, as large scenes fill much."""
    given = [array for array in arrays if array is not None]
    return [column for array in given for column in np.atleast_2d(array.T)]


def _without_minus_zero(values: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 3"]:
    # It equals zero, so that the order would not tell them apart, but their bytes would.
    return values + np.float32(0)
