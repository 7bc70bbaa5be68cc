"""Delaunay tetrahedra of a point cloud, and the rays that cameras send through them.

Compiled by numba, because a ray crosses hundreds of cells; the tests walk the same rays in plain
numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from recon3d.run.compiled import compiled

_MOST_STEPS = 100_000
_JITTER = 1e-6
"""Of the cloud's half size: points in one plane or on one sphere make cells without volume."""


@dataclass(frozen=True, eq=False)
class Tetrahedra:
    """Cells between points; the facet k of a cell lies opposite its corner k."""

    points: Float64[np.ndarray, "p 3"]
    cells: Int32[np.ndarray, "t 4"]
    neighbours: Int32[np.ndarray, "t 4"]
    """The cell behind each facet; -1 at the hull."""
    cells_of_point_starts: Int64[np.ndarray, "p_plus_1"]
    cells_of_point: Int32[np.ndarray, "m"]
    """The cells around each point, one point after the other."""


def jittered(points: Float64[np.ndarray, "p 3"]) -> Float64[np.ndarray, "p 3"]:
    """Points as `tetrahedra` wants them; the same points move the same way."""
    half = np.abs(points - points.mean(axis=0)).max()
    return points + np.random.default_rng(0).normal(0, _JITTER, points.shape) * half


def tetrahedra(points: Float64[np.ndarray, "p 3"]) -> Tetrahedra:
    """Delaunay's cells (Qhull; Barber et al. 1996); the same points give the same cells.

    Raises:
        ValueError: fewer than five points.
    """
    from scipy.spatial import Delaunay

    if len(points) < 5:
        raise ValueError(f"points: got {len(points)}, expected five or more")
    middle = points.mean(axis=0)
    half = max(float(np.abs(points - middle).max()), 1e-12)
    found = Delaunay((points - middle) / half)
    cells = np.ascontiguousarray(found.simplices, np.int32)
    neighbours = np.ascontiguousarray(found.neighbors, np.int32)
    corners = cells.ravel()
    order = np.argsort(corners, kind="stable")
    starts = np.searchsorted(corners[order], np.arange(len(points) + 1)).astype(np.int64)
    return Tetrahedra(points, cells, neighbours, starts, (order // 4).astype(np.int32))


@dataclass(frozen=True, eq=False)
class Votes:
    """What rays say of cells: capacities of the graph whose cut is the surface."""

    facets: Float64[np.ndarray, "t 4"]
    """Price of a surface through facet k of a cell, free space on the cell's side."""
    free: Float64[np.ndarray, "t"]
    """That a cell is free space: a camera stands in it."""
    solid: Float64[np.ndarray, "t"]
    """That a cell is matter: it lies just behind a point that a camera sees."""


def vote(
    mesh: Tetrahedra,
    point: Int32[np.ndarray, "r"],
    camera: Int32[np.ndarray, "r"],
    weight: Float64[np.ndarray, "r"],
    sigma: Float64[np.ndarray, "p"],
) -> Votes:
    """Walk the ray of every point to its camera, and as far as sigma behind the point.

    A surface across a ray costs weight (1 - exp(-d^2 / 2 sigma^2)), d being the distance to the
    point: near it, noise must not decide (Labatut et al. 2007).

    Args:
        mesh: Cells of points and cameras together.
        point: Of each ray: number of the point.
        camera: Number, among the points, of the camera that sees it.
        weight: How sure that is.
        sigma: Of every point: noise along the ray.
    """
    count = len(mesh.cells)
    facets, free, solid = np.zeros((count, 4)), np.zeros(count), np.zeros(count)
    _walk_all(
        mesh.points, mesh.cells, mesh.neighbours, mesh.cells_of_point_starts, mesh.cells_of_point,
        point, camera, weight, sigma, facets, free, solid,
    )  # fmt: skip
    return Votes(facets, free, solid)


@compiled
def _normal(points, cells, cell, k):
    """Outward normal, not unit, of the facet opposite corner k, and one of its corners."""
    a, b, c = cells[cell, (k + 1) & 3], cells[cell, (k + 2) & 3], cells[cell, (k + 3) & 3]
    ux, uy, uz = (
        points[b, 0] - points[a, 0],
        points[b, 1] - points[a, 1],
        points[b, 2] - points[a, 2],
    )
    vx, vy, vz = (
        points[c, 0] - points[a, 0],
        points[c, 1] - points[a, 1],
        points[c, 2] - points[a, 2],
    )
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    o = cells[cell, k]
    side = (
        x * (points[o, 0] - points[a, 0])
        + y * (points[o, 1] - points[a, 1])
        + z * (points[o, 2] - points[a, 2])
    )
    if side > 0:
        return -x, -y, -z, a
    return x, y, z, a


@compiled
def _start(points, cells, starts, around, p, dx, dy, dz):
    """The cell around point p into which a direction leads, and the corner that p is in it."""
    best, best_cell, best_corner = -1e300, -1, -1
    for i in range(starts[p], starts[p + 1]):
        cell, corner = around[i], 0
        for k in range(4):
            if cells[cell, k] == p:
                corner = k
        least = 1e300
        for k in range(4):
            if k != corner:
                x, y, z, _ = _normal(points, cells, cell, k)
                inward = -(x * dx + y * dy + z * dz) / (np.sqrt(x * x + y * y + z * z) + 1e-300)
                least = min(least, inward)
        if least > best:
            best, best_cell, best_corner = least, cell, corner
    return best_cell, best_corner


@compiled
def _exit(points, cells, cell, entered, ox, oy, oz, dx, dy, dz):
    """The facet by which a ray leaves a cell, and how far along the ray."""
    facet, nearest = -1, 1e300
    for k in range(4):
        if k != entered:
            x, y, z, a = _normal(points, cells, cell, k)
            along = x * dx + y * dy + z * dz
            if along > 0:
                far = (
                    x * (points[a, 0] - ox) + y * (points[a, 1] - oy) + z * (points[a, 2] - oz)
                ) / along
                if far < nearest:
                    facet, nearest = k, far
    return facet, max(nearest, 0.0)


@compiled
def _first_exit(points, cells, cell, corner, ox, oy, oz, dx, dy, dz):
    """As `_exit`, from a corner: only the facet opposite it can be left by."""
    x, y, z, a = _normal(points, cells, cell, corner)
    along = x * dx + y * dy + z * dz
    if along <= 0:
        return corner, 0.0
    far = (x * (points[a, 0] - ox) + y * (points[a, 1] - oy) + z * (points[a, 2] - oz)) / along
    return corner, max(far, 0.0)


@compiled
def _facet_back(neighbours, cell, other):
    back = 0
    for k in range(4):
        if neighbours[other, k] == cell:
            back = k
    return back


@compiled
def _walk_all(
    points, cells, neighbours, starts, around, point, camera, weight, sigma, facets, free, solid
):
    for r in range(len(point)):
        p, c, w = point[r], camera[r], weight[r]
        ox, oy, oz = points[p]
        dx, dy, dz = points[c, 0] - ox, points[c, 1] - oy, points[c, 2] - oz
        length = np.sqrt(dx * dx + dy * dy + dz * dz)
        if length == 0:
            continue
        dx, dy, dz = dx / length, dy / length, dz / length
        scale = 1 / (2 * sigma[p] * sigma[p])
        cell, facet = _start(points, cells, starts, around, p, dx, dy, dz)
        entered = -1
        for _ in range(_MOST_STEPS):
            there = False
            for k in range(4):
                if cells[cell, k] == c:
                    there = True
            if there:
                break
            if entered < 0:
                facet, far = _first_exit(points, cells, cell, facet, ox, oy, oz, dx, dy, dz)
            else:
                facet, far = _exit(points, cells, cell, entered, ox, oy, oz, dx, dy, dz)
            if facet < 0 or far > length or neighbours[cell, facet] < 0:
                break
            other = neighbours[cell, facet]
            entered = _facet_back(neighbours, cell, other)
            # Free space is where the ray goes on to: nearer to the camera.
            facets[other, entered] += w * (1 - np.exp(-far * far * scale))
            cell = other
        free[cell] += w
        # Behind the point.
        cell, facet = _start(points, cells, starts, around, p, -dx, -dy, -dz)
        entered = -1
        for _ in range(_MOST_STEPS):
            if entered < 0:
                facet, far = _first_exit(points, cells, cell, facet, ox, oy, oz, -dx, -dy, -dz)
            else:
                facet, far = _exit(points, cells, cell, entered, ox, oy, oz, -dx, -dy, -dz)
            if facet < 0 or far > sigma[p] or neighbours[cell, facet] < 0:
                break
            other = neighbours[cell, facet]
            facets[cell, facet] += w * (1 - np.exp(-far * far * scale))
            entered = _facet_back(neighbours, cell, other)
            cell = other
        solid[cell] += w


@compiled
def _circumspheres(points, cells):
    count = len(cells)
    centres, radii = np.empty((count, 3)), np.empty(count)
    m, b = np.empty((3, 3)), np.empty(3)
    for t in range(count):
        a = cells[t, 0]
        for k in range(3):
            q = cells[t, k + 1]
            b[k] = 0.0
            for i in range(3):
                m[k, i] = points[q, i] - points[a, i]
                b[k] += 0.5 * m[k, i] * m[k, i]
        c0 = m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1]
        c1 = m[1, 2] * m[2, 0] - m[1, 0] * m[2, 2]
        c2 = m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0]
        det = m[0, 0] * c0 + m[0, 1] * c1 + m[0, 2] * c2
        if abs(det) < 1e-300:
            det = 1e-300
        x = (
            b[0] * c0
            + m[0, 1] * (m[1, 2] * b[2] - b[1] * m[2, 2])
            + m[0, 2] * (b[1] * m[2, 1] - m[1, 1] * b[2])
        ) / det
        y = (
            m[0, 0] * (b[1] * m[2, 2] - m[1, 2] * b[2])
            + b[0] * c1
            + m[0, 2] * (m[1, 0] * b[2] - b[1] * m[2, 0])
        ) / det
        z = (
            m[0, 0] * (m[1, 1] * b[2] - b[1] * m[2, 1])
            + m[0, 1] * (b[1] * m[2, 0] - m[1, 0] * b[2])
            + b[0] * c2
        ) / det
        centres[t, 0], centres[t, 1], centres[t, 2] = (
            points[a, 0] + x, points[a, 1] + y, points[a, 2] + z,
        )  # fmt: skip
        radii[t] = np.sqrt(x * x + y * y + z * z) + 1e-12
    return centres, radii


@compiled
def _badness(points, cells, neighbours, centres, radii):
    found = np.zeros(cells.shape, np.float32)
    for t in range(len(cells)):
        for k in range(4):
            x, y, z, a = _normal(points, cells, t, k)
            length = np.sqrt(x * x + y * y + z * z) + 1e-300
            least = 1.0
            for side in range(2):
                q = t if side == 0 else neighbours[t, k]
                if q < 0:
                    continue
                sign = 1.0 if side == 0 else -1.0
                d = (
                    -sign
                    * (
                        x * (centres[q, 0] - points[a, 0])
                        + y * (centres[q, 1] - points[a, 1])
                        + z * (centres[q, 2] - points[a, 2])
                    )
                    / length
                )
                least = min(least, max(-1.0, min(1.0, d / radii[q])))
            found[t, k] = 1 - least
    return found


def facet_badness(mesh: Tetrahedra) -> Float32[np.ndarray, "t 4"]:
    """How little a facet looks like part of a sampled surface: 0 to 2 (Labatut et al. 2009).

    One minus the lesser cosine between the facet and the circumspheres of its two cells.
    """
    centres, radii = _circumspheres(mesh.points, mesh.cells)
    found: np.ndarray = _badness(mesh.points, mesh.cells, mesh.neighbours, centres, radii)
    return found


def surface_of(mesh: Tetrahedra, is_free: Bool[np.ndarray, "t"]) -> Int32[np.ndarray, "f 3"]:
    """The facets between free and solid cells, seen from the free side counter-clockwise."""
    cell, k = np.nonzero((mesh.neighbours >= 0) & is_free[:, None])
    outer = ~is_free[mesh.neighbours[cell, k]]
    cell, k = cell[outer], k[outer]
    faces = np.stack([mesh.cells[cell, (k + i) & 3] for i in (1, 2, 3)], axis=1)
    a, b, c = (mesh.points[faces[:, i]] for i in range(3))
    inward = mesh.points[mesh.cells[cell, k]] - a
    away = np.einsum("ni,ni->n", np.cross(b - a, c - a), inward) < 0
    faces[away] = faces[away][:, ::-1]
    return np.ascontiguousarray(faces, np.int32)
