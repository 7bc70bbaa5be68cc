"""A mesh cut into flat charts: every face gets a place in the plane of its chart.

Charts are regions of faces that look in about one direction, as a Markov random field over 26
directions finds them, projected along their mean normal. Libraries that flatten by stretch
(Open3D's UVAtlas, xatlas) give up on surfaces as photos give them, or take minutes:
docs/TEXTURE.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int32

from recon3d.core.surface import Mesh
from recon3d.surface.rays import ray_scene
from recon3d.surface.topology import face_neighbours
from recon3d.texture.graph import patches
from recon3d.texture.labelling import choose_labels, merge_small

_OFFERED = 6
"""Directions that each face may choose from."""
_CHANGE_COST = 0.6
_SMALL = 24
"""Faces; smaller charts join their neighbours where that does not turn them sideways."""
_MIN_COSINE = 0.08
"""Between a face and its chart; beyond it a face would shrink to a sliver."""
_REPAIRS = 4


@dataclass(frozen=True, eq=False)
class Charts:
    """Faces in the planes of their charts."""

    chart_of_face: Int32[np.ndarray, "f"]
    xy: Float32[np.ndarray, "f 3 2"]
    """Of the corners, in the mesh's unit; counter-clockwise, nowhere on top of each other within
    a chart."""
    count: int


def unwrap(mesh: Mesh, check: Callable[[], None]) -> Charts:
    """Cut and flatten a mesh; check is called often and may raise to stop."""
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=1)
    unit = normal / np.maximum(area, 1e-30)[:, None]
    neighbours = face_neighbours(mesh.faces)
    directions = _directions()
    offered, cost = _offer(unit, directions)
    # Long edges are dear to cut, short ones cheap: seams are counted by length.
    length = np.linalg.norm(corners - corners[:, [1, 2, 0]], axis=2)
    typical = max(float(np.median(length)), 1e-30)
    change = (_CHANGE_COST * np.minimum(length / typical, 3)).astype(np.float32)
    chosen = choose_labels(offered, cost, neighbours, change, check)

    def faces_that_way(face: np.ndarray, direction: np.ndarray) -> np.ndarray:
        cosine = np.einsum("ij,ij->i", unit[face], directions[direction])
        return np.asarray(cosine > _MIN_COSINE)

    chosen = merge_small(chosen, faces_that_way, neighbours, _SMALL)
    count, chart = patches(neighbours, chosen)
    for _ in range(_REPAIRS):
        check()
        xy, axis = _flattened(corners, normal, chart, count)
        bad = np.einsum("ij,ij->i", unit, axis[chart]) < _MIN_COSINE / 2
        bad[~bad] = _covered(xy, chart)[~bad]
        if not bad.any():
            break
        # What lies on top of something else becomes a chart of its own.
        count, chart = patches(neighbours, np.where(bad, count + chart, chart))
    else:
        alone = np.flatnonzero(bad)
        chart[alone] = count + np.arange(len(alone))
        count += len(alone)
        used, chart = np.unique(chart, return_inverse=True)
        count, chart = len(used), chart.astype(np.int32)
        xy, _ = _flattened(corners, normal, chart, count)
    return Charts(chart, xy.astype(np.float32), count)


def _directions() -> Float[np.ndarray, "26 3"]:
    """Unit vectors to the middles of a cube's sides, its edges and its corners; six are axes."""
    steps = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    steps = steps[np.abs(steps).sum(1) > 0].astype(np.float64)
    return steps / np.linalg.norm(steps, axis=1, keepdims=True)


def _offer(
    unit: Float[np.ndarray, "f 3"], directions: Float[np.ndarray, "d 3"]
) -> tuple[Int32[np.ndarray, "f k"], Float32[np.ndarray, "f k"]]:
    """The directions nearest to each face's own, and one minus the cosine between them."""
    offered = np.empty((len(unit), _OFFERED), np.int32)
    cost = np.empty((len(unit), _OFFERED), np.float32)
    # In pieces: all cosines at once would take more memory than all else here.
    for rows in np.array_split(np.arange(len(unit)), 1 + len(unit) // 200_000):
        facing = unit[rows] @ directions.T
        offered[rows] = np.argsort(-facing, axis=1)[:, :_OFFERED]
        cost[rows] = 1 - np.take_along_axis(facing, offered[rows], 1)
    return offered, cost


def _flattened(
    corners: Float[np.ndarray, "f 3 3"],
    normal: Float[np.ndarray, "f 3"],
    chart: Int32[np.ndarray, "f"],
    count: int,
) -> tuple[Float[np.ndarray, "f 3 2"], Float[np.ndarray, "c 3"]]:
    """Project each chart along its mean normal: (positions, those normals)."""
    summed = np.stack([np.bincount(chart, normal[:, i], count) for i in range(3)], 1)
    axis = summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-30)
    # Any direction across; the one least along the axis keeps the cross product long.
    least = np.eye(3)[np.abs(axis).argmin(1)]
    x = np.cross(least, axis)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)
    y = np.cross(axis, x)
    flat = np.stack([np.einsum("fci,fi->fc", corners, across[chart]) for across in (x, y)], axis=2)
    return flat, axis


def _covered(xy: Float[np.ndarray, "f 3 2"], chart: Int32[np.ndarray, "f"]) -> np.ndarray:
    """Faces whose middle lies in another face of their own chart.

    Charts are cast one after the other into a scene of their own along z.
    """
    low = np.full((int(chart.max()) + 1, 2), np.inf)
    high = -low
    for axis in range(2):
        np.minimum.at(low[:, axis], chart, xy[..., axis].min(1))
        np.maximum.at(high[:, axis], chart, xy[..., axis].max(1))
    # Side by side in a row of unit squares, one per chart: float32 keeps 5 digits in each.
    size = np.maximum((high - low).max(1), 1e-30)
    place = (xy - low[chart, None]) / size[chart, None, None]
    side = int(np.ceil(np.sqrt(len(size))))
    offset = 1.5 * np.stack([np.arange(len(size)) % side, np.arange(len(size)) // side], 1)
    place += offset[chart, None]
    flat = np.zeros((len(xy) * 3, 3), np.float32)
    flat[:, :2] = place.reshape(-1, 2)
    scene, tensor = ray_scene(flat, np.arange(len(flat)).reshape(-1, 3))
    rays = np.zeros((len(xy), 6), np.float32)
    rays[:, :2], rays[:, 2], rays[:, 5] = place.mean(1), 1, -1
    hits = scene.list_intersections(tensor(rays))
    crossings = np.diff(hits["ray_splits"].numpy())
    return np.asarray(crossings > 1)
