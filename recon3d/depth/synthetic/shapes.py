"""Surfaces of single things in numpy, z up, standing on z = 0 where they can stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CREASE = np.cos(np.deg2rad(42.0))
"""Faces that meet at less are shaded as one smooth surface."""


@dataclass(frozen=True, eq=False)
class Shape:
    """A soup of triangles: corners (m, 3, 3), their normals (m, 3, 3), texture position (m, 3, 2).

    Texture positions have the unit of the corners, so that a brick is as long on every wall.
    """

    corners: Array
    normals: Array
    uv: Array

    def moved(self, matrix: Array, offset: Array | tuple[float, float, float]) -> Shape:
        """Turned (and stretched) by a 3x3 matrix about the origin, then shifted."""
        normals = self.normals @ np.linalg.inv(matrix)
        stretch = abs(np.linalg.det(matrix)) ** (1 / 3)
        return Shape(
            self.corners @ matrix.T + np.asarray(offset), _unit(normals), self.uv * stretch
        )

    def at(self, x: float, y: float, z: float, yaw: float = 0.0) -> Shape:
        """Turned about z by yaw (radians), then shifted."""
        return self.moved(yaw_matrix(yaw), (x, y, z))

    def scaled_evenly(self, size: float) -> Shape:
        """Larger or smaller, texture included."""
        return Shape(self.corners * size, self.normals, self.uv * size)

    def density(self) -> Array:
        """(m,) length in texture per length in space."""
        u, v = np.moveaxis(self.uv[:, 1:] - self.uv[:, :1], 1, 0)
        a, b = np.moveaxis(self.corners[:, 1:] - self.corners[:, :1], 1, 0)
        area = np.linalg.norm(np.cross(a, b), axis=-1)
        return np.sqrt(np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) / np.maximum(area, 1e-12))

    def retextured(self, factor: float) -> Shape:
        """With a texture denser by that factor."""
        return Shape(self.corners, self.normals, self.uv * factor)

    def part(self, chosen: NDArray[np.bool_]) -> Shape:
        """Some of the triangles."""
        return Shape(self.corners[chosen], self.normals[chosen], self.uv[chosen])

    def scaled(self, x: float, y: float, z: float) -> Shape:
        """Stretched; texture is laid on again so that it does not stretch with it."""
        return from_corners(self.corners * [x, y, z], _unit(self.normals / np.array([x, y, z])))


def yaw_matrix(angle: float) -> Array:
    """Rotation about z, radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], float)


def random_rotation(rng: np.random.Generator) -> Array:
    """Any rotation, all equally likely."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.linalg.det(q)


def join(*shapes: Shape) -> Shape:
    """Several shapes as one."""
    return Shape(
        np.concatenate([shape.corners for shape in shapes]),
        np.concatenate([shape.normals for shape in shapes]),
        np.concatenate([shape.uv for shape in shapes]),
    )


def from_corners(corners: Array, normals: Array | None = None) -> Shape:
    """Lay texture on along the axis that each face looks along; flat shading by default."""
    faces = _unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    axis = np.abs(faces).argmax(-1)
    columns = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    uv = np.take_along_axis(corners, columns[:, None, :].repeat(3, 1), -1)
    if normals is None:
        normals = np.repeat(faces[:, None], 3, 1)
    return Shape(corners, normals, uv)


def grid_surface(points: Array) -> Shape:
    """A surface through a grid of points (r, c, 3); sharp where it bends strongly."""
    quads = [points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]]
    a, b, c, d = (quad.reshape(-1, 3) for quad in quads)
    corners = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    vertex = _grid_normals(points)
    quads = [vertex[:-1, :-1], vertex[1:, :-1], vertex[1:, 1:], vertex[:-1, 1:]]
    a, b, c, d = (quad.reshape(-1, 3) for quad in quads)
    smooth = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    keep = np.linalg.norm(faces, axis=-1) > 1e-12
    faces = np.repeat(_unit(faces)[:, None], 3, 1)
    normals = np.where((smooth * faces).sum(-1, keepdims=True) > _CREASE, smooth, faces)
    return from_corners(corners[keep], normals[keep])


def box(x: float, y: float, z: float) -> Shape:
    """A box of that size, standing centred on the origin."""
    signs = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (0.0, 1.0)])
    corner = signs * [x, y, z]
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return from_corners(corner[np.array(triangles)])


def panel(x: float, z: float) -> Shape:
    """An upright rectangle in the xz plane, centred over the origin."""
    corner = np.array([[-x / 2, 0, 0], [x / 2, 0, 0], [x / 2, 0, z], [-x / 2, 0, z]])
    return from_corners(corner[np.array([[0, 1, 2], [0, 2, 3]])])


def revolved(profile: Array, sides: int = 24) -> Shape:
    """A profile (n, 2) of radius and height turned about z."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.stack([np.cos(angle), np.sin(angle)], -1)
    xy = profile[:, None, :1] * ring[None]
    z = np.broadcast_to(profile[:, None, 1:], (*xy.shape[:2], 1))
    return grid_surface(np.concatenate([xy, z], -1).swapaxes(0, 1))


def superquadric(exponents: tuple[float, float], rows: int = 14, columns: int = 24) -> Shape:
    """A unit-size blob between box (0.1), ball (1) and diamond (2), standing on z = 0."""
    v = np.linspace(-np.pi / 2, np.pi / 2, rows + 1)[:, None]
    u = np.linspace(-np.pi, np.pi, columns + 1)[None]

    def power(value: Array, exponent: float) -> Array:
        return np.sign(value) * np.abs(value) ** exponent

    e, n = exponents
    x = power(np.cos(v), e) * power(np.cos(u), n)
    y = power(np.cos(v), e) * power(np.sin(u), n)
    z = power(np.sin(v), e) * np.ones_like(u)
    return grid_surface(np.stack([x, y, z + 1], -1).swapaxes(0, 1) / 2)


def bumpy(shape: Shape, rng: np.random.Generator, depth: float, octaves: int = 3) -> Shape:
    """Push a closed surface in and out by smooth noise; depth is relative to its size."""
    size = np.ptp(shape.corners.reshape(-1, 3), axis=0).mean()
    amount = solid_noise(shape.corners / size, rng, octaves) * depth * size
    corners = shape.corners + _pushes(shape) * amount[..., None]
    corners[..., 2] -= corners[..., 2].min()
    return from_corners(corners, _averaged_normals(corners))


def solid_noise(
    points: Array, rng: np.random.Generator, octaves: int, frequency: float = 3.0
) -> Array:
    """Smooth noise around 0 with a spread of about 0.5, by sums of waves in all directions."""
    total = np.zeros(points.shape[:-1])
    for octave in range(octaves):
        waves = rng.normal(size=(6, 3)) * frequency * 2.0**octave
        phase = rng.uniform(0, 2 * np.pi, 6)
        total += np.sin(points @ waves.T + phase).mean(-1) * 0.6**octave
    return total


def tube(path: Array, radius: float | Array, sides: int = 8) -> Shape:
    """A round bar along a path (n, 3)."""
    along = _unit(np.gradient(path, axis=0))
    helper = np.eye(3)[np.abs(along.mean(0)).argmin()]
    side = _unit(np.cross(along, helper))
    up = np.cross(along, side)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    radii = np.broadcast_to(radius, len(path))[:, None, None]
    ring = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * up[:, None]
    return grid_surface((path[:, None] + radii * ring).swapaxes(0, 1))


def curve(knots: Array, points: int) -> Array:
    """A smooth path near a few knots (Chaikin's corner cutting), resampled."""
    for _ in range(3):
        inner = np.concatenate(
            [0.75 * knots[:-1] + 0.25 * knots[1:], 0.25 * knots[:-1] + 0.75 * knots[1:]], 1
        ).reshape(-1, knots.shape[1])
        knots = np.concatenate([knots[:1], inner, knots[-1:]])
    place = np.linspace(0, len(knots) - 1, points)
    return np.stack([np.interp(place, np.arange(len(knots)), k) for k in knots.T], -1)


def extruded(outline: Array, height: float) -> Shape:
    """A prism over an outline (n, 2) that its centre of mass sees all of (concave is welcome)."""
    ring = np.concatenate([outline, outline[:1]])
    low, high = (np.column_stack([ring, np.full(len(ring), z)]) for z in (0.0, height))
    middle = np.broadcast_to(outline.mean(0), (len(outline), 2))
    lids = []
    for rim in (low, high):
        centre = np.column_stack([middle, rim[:-1, 2]])
        lids.append(np.stack([centre, rim[:-1], rim[1:]], 1))
    return join(grid_surface(np.stack([low, high], 1)), from_corners(np.concatenate(lids)))


def height_field(heights: Array, x: float, y: float) -> Shape:
    """A sheet over [-x/2, x/2] times [-y/2, y/2] with heights (r, c), r along x."""
    rows, columns = heights.shape
    grid_x, grid_y = np.meshgrid(
        np.linspace(-x / 2, x / 2, rows), np.linspace(-y / 2, y / 2, columns), indexing="ij"
    )
    return grid_surface(np.stack([grid_x, grid_y, heights], -1))


def _grid_normals(points: Array) -> Array:
    """Normals from central differences; closed seams look at both sides."""
    tangents = []
    for axis in (0, 1):
        lines = np.moveaxis(points, axis, 0)
        steps = np.gradient(lines, axis=0)
        if np.allclose(lines[0], lines[-1]) and len(lines) > 2:
            steps[0] = steps[-1] = (lines[1] - lines[-2]) / 2
        tangents.append(np.moveaxis(steps, 0, axis))
    return _unit(np.cross(tangents[0], tangents[1]))


def _pushes(shape: Shape) -> Array:
    """Directions that equal corners of neighbouring triangles share: away from the middle."""
    middle = shape.corners.reshape(-1, 3).mean(0)
    return _unit(shape.corners - middle)


def _averaged_normals(corners: Array) -> Array:
    """Smooth normals of a soup: corners at one place share the mean of their faces' normals."""
    faces: Array = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    keys = np.round(corners.reshape(-1, 3) / np.ptp(corners) * 1e5).astype(np.int64)
    _, place = np.unique(keys @ np.array([1, 1 << 20, 1 << 40]), return_inverse=True)
    shared = np.repeat(faces, 3, 0)
    sums: Array = np.stack([np.bincount(place, shared[:, k]) for k in range(3)], -1)
    return _unit(sums[place]).reshape(-1, 3, 3)


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
