"""The holes of a mesh are closed where no camera looked through.

After Labatut, Pons and Keriven (2007, 2009): the mesh's own vertices and what is left of the
confirmed depth are joined to Delaunay tetrahedra, every camera that sees a point votes for free
space on the way to it and for matter behind it, and a minimal cut parts the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from recon3d.core.depth import SceneDepth
from recon3d.core.errors import TooLittleDepthError
from recon3d.core.scene import PosedPhotos, View
from recon3d.core.surface import Mesh, median_edge
from recon3d.depth.background import background
from recon3d.run.task import Task
from recon3d.surface.closing.block_cuts import cut_in_blocks
from recon3d.surface.closing.choosing import ENCLOSED, closing_faces
from recon3d.surface.closing.sightings import (
    NO_SIGHTINGS,
    Sightings,
    loose_points,
    seen_vertices,
    strongest,
)
from recon3d.surface.closing.tetrahedra import jittered

# Lengths in shares of the scene's median depth, weights in rays.
_SPACING = 0.01
"""Between points that fill in where the mesh has none."""
_SIGMA = 0.009
_BRIDGE = 0.01
"""What a border's length weighs against the area of faces that no camera sees."""
_OUTSIDE = 3.0
"""How far out the corners of a box around all points and cameras lie, in their largest extent."""
_MARGIN = 1.5 * ENCLOSED
"""Around a block, in longest edges of faces that have no surface around them."""
_SMOOTHING_ROUNDS = 5

_SAME_VERTEX = 0.05
"""In median edges of the mesh."""


def close_surface(
    posed: PosedPhotos,
    depth: Mapping[str, SceneDepth],
    mesh: Mesh,
    reach: float,
    folder: Path,
    task: Task,
    *,
    loose: bool = True,
) -> Mesh:
    """The same surface with its holes closed; faces that close them are marked as `inferred`.

    Args:
        posed: The photos and where they were taken.
        depth: What other photos confirmed of each.
        mesh: Manifold; its vertices stay where they are, but for those that nearly coincide.
        reach: Longest edge of a closing face, in shares of the median depth.
        folder: Of the stage.
        task: To report to.
        loose: Whether confirmed depth where the mesh has nothing joins in.

    Raises:
        TooLittleDepthError: nothing was confirmed that could say what is free.
        Cancelled: the task was stopped.
    """
    views = [view for view in posed.scene.views if view.photo_id in depth]
    typical_z = _median_depth(depth)
    longest = reach * typical_z
    merged, of_vertex = _merged(mesh)
    task.check()
    seen = seen_vertices(merged, posed, depth, task)
    extra, extra_rays = np.zeros((0, 3)), NO_SIGHTINGS
    if loose:
        extra, extra_rays = loose_points(mesh, posed, depth, _SPACING * typical_z, task)
    rays = strongest(
        Sightings(
            np.concatenate([seen.point, extra_rays.point + len(merged)]),
            np.concatenate([seen.view, extra_rays.view]),
            np.concatenate([seen.weight, extra_rays.weight]),
        )
    )
    points = np.concatenate([merged, extra])
    task.check()
    cameras = np.array([view.centre_world for view in views])
    outside = _far_around(np.concatenate([points, cameras]))
    # All of them at once: blocks must agree on what they share.
    corners = jittered(np.concatenate([points, outside, cameras]))
    noise = _SIGMA * typical_z
    faces = cut_in_blocks(points, corners, rays, _MARGIN * longest, noise, folder, task)
    faces = faces[(faces < len(points)).all(axis=1)]
    vertices = _smoothed(corners, faces, len(merged))
    vertices[: len(merged)] = merged
    own = of_vertex[mesh.faces].astype(np.int32)
    own = own[(own != np.roll(own, 1, axis=1)).all(axis=1)]
    shows, bridge = partial(shown, posed=posed, depth=depth), _BRIDGE * typical_z
    closing = closing_faces(
        vertices, own, faces, posed.scene.views, shows, longest, bridge, noise, task
    )
    return _joined(vertices, own, closing, mesh)


def shown(
    view: View, posed: PosedPhotos, depth: Mapping[str, SceneDepth]
) -> Bool[np.ndarray, "h w"] | None:
    """Where a photo shows things, at any size; None = everywhere.

    Neither what its mask leaves out, nor its background. What a depth camera has not seen may be
    anything.
    """
    import cv2

    mask, found = posed.masks.get(view.photo_id), depth.get(view.photo_id)
    if found is None or posed.sensor_depth:
        return mask
    things = ~background(posed.rgb[view.photo_id], found, mask)
    if mask is not None:
        size = things.shape[::-1]
        things &= cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return things


def _median_depth(depth: Mapping[str, SceneDepth]) -> float:
    samples = [found.depth_z[::8, ::8] for found in depth.values()]
    known = np.concatenate([sample[sample > 0] for sample in samples])
    if not len(known):
        raise TooLittleDepthError("No depth was confirmed.", hint="Take more photos.")
    return float(np.median(known))


def _far_around(points: Float64[np.ndarray, "p 3"]) -> Float64[np.ndarray, "8 3"]:
    """A box's corners: behind the outermost wall there must be cells, or its holes stay open."""
    low, high = points.min(axis=0), points.max(axis=0)
    signs = np.stack(np.meshgrid(*((-1.0, 1.0),) * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return (low + high) / 2 + _OUTSIDE * (high - low).max() * signs


def _merged(mesh: Mesh) -> tuple[Float64[np.ndarray, "p 3"], Int64[np.ndarray, "v"]]:
    """Vertices that nearly coincide become one: they would make cells without volume."""
    cell = np.floor(mesh.vertices / (_SAME_VERTEX * median_edge(mesh))).astype(np.int64)
    _, of_vertex, counts = np.unique(cell, axis=0, return_inverse=True, return_counts=True)
    of_vertex = of_vertex.ravel()
    sums = [np.bincount(of_vertex, mesh.vertices[:, i]) for i in range(3)]
    return np.stack(sums, axis=1) / counts[:, None], of_vertex


def _smoothed(
    points: Float64[np.ndarray, "p 3"], faces: Int32[np.ndarray, "f 3"], first: int
) -> Float64[np.ndarray, "p 3"]:
    """Points from `first` on move to the middle of their neighbours; the others are measured."""
    from scipy.sparse import coo_array

    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both = np.concatenate([ends, ends[:, ::-1]])
    graph = coo_array((np.ones(len(both)), both.T), shape=(len(points),) * 2).tocsr()
    degree = np.asarray(graph.sum(axis=1)).ravel()
    joined = np.flatnonzero(degree)
    joined = joined[joined >= first]
    moved = points.copy()
    for _ in range(_SMOOTHING_ROUNDS):
        mean = (graph @ moved)[joined] / degree[joined, None]
        moved[joined] = (moved[joined] + mean) / 2
    return moved


def _joined(
    vertices: Float64[np.ndarray, "p 3"],
    own: Int32[np.ndarray, "f 3"],
    closing: Int32[np.ndarray, "g 3"],
    mesh: Mesh,
) -> Mesh:
    """With the colours of the mesh, and marked where it had no surface or marked one itself."""
    from scipy.spatial import cKDTree

    faces = np.concatenate([own, closing])
    used, numbers = np.unique(faces, return_inverse=True)
    places = vertices[used].astype(np.float32)
    _, nearest = cKDTree(mesh.vertices).query(places)
    faces = numbers.reshape(faces.shape).astype(np.int32)
    inferred = np.arange(len(faces)) >= len(own)
    if mesh.inferred is not None:
        marked = np.zeros(len(mesh.vertices), bool)
        marked[mesh.faces[mesh.inferred]] = True
        marked[mesh.faces[~mesh.inferred]] = False
        inferred |= marked[nearest][faces].any(axis=1)
    return Mesh(
        places, faces, rgb=None if mesh.rgb is None else mesh.rgb[nearest], inferred=inferred
    )
