"""How often a surface goes around a point: 1 inside, 0 outside, in between where it is open.

The generalised winding number (Jacobson et al. 2013) is the solid angle under which the surface
is seen, over 4 pi, with its sides counted. It needs neither a closed surface nor one that keeps
clear of itself, and its half is the smoothest way to close a hole: across a flat rim it is flat.
Far clusters of triangles count as one dipole (Barill et al. 2018).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from jaxtyping import Float, Float64, Int64, UInt64

from recon3d.core.surface import Mesh
from recon3d.run.compiled import compiled

_LEAF_FACES = 12
_FAR = 2.5
"""A cluster is far at so many of its radii; farther is more exact and slower."""
_POINTS_AT_ONCE = 1 << 14


class Winding:
    """Holds a surface ready to be asked about points."""

    def __init__(self, mesh: Mesh) -> None:
        """Needs at least one face."""
        corners = mesh.vertices.astype(np.float64)[mesh.faces]
        self._corners = np.ascontiguousarray(corners[np.argsort(_morton(corners.mean(axis=1)))])
        leaves = 1 << max(0, (len(corners) - 1) // _LEAF_FACES).bit_length()
        self._starts = (np.arange(leaves + 1) * len(corners) // leaves).astype(np.int64)
        self._middles, self._normals, self._radii = _clusters(self._corners, self._starts)

    def of(self, points: Float[np.ndarray, "n 3"], threads: int = 1) -> Float64[np.ndarray, "n"]:
        """The winding number of each point, to about a hundredth."""
        points = np.ascontiguousarray(points, np.float64)
        found = np.empty(len(points))
        walk = partial(
            _walk, self._corners, self._starts, self._middles, self._normals, self._radii, _FAR
        )
        slices = [
            slice(start, start + _POINTS_AT_ONCE)
            for start in range(0, len(points), _POINTS_AT_ONCE)
        ]
        with ThreadPoolExecutor(max(1, threads)) as pool:
            list(pool.map(lambda rows: walk(points[rows], found[rows]), slices))
        return found


def winding_numbers(mesh: Mesh, points: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
    """The same, every triangle for itself: slow, and the measure of the fast way."""
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    return np.array([_solid_angles(corners - point).sum() for point in points]) / (4 * np.pi)


def _solid_angles(corners: Float64[np.ndarray, "f 3 3"]) -> Float64[np.ndarray, "f"]:
    """Of triangles as the origin sees them (van Oosterom and Strackee 1983)."""
    a, b, c = np.moveaxis(corners, 1, 0)
    la, lb, lc = (np.linalg.norm(side, axis=1) for side in (a, b, c))
    above = np.einsum("ni,ni->n", a, np.cross(b, c))
    ab, bc, ca = (np.einsum("ni,ni->n", *pair) for pair in ((a, b), (b, c), (c, a)))
    angles: np.ndarray = 2 * np.arctan2(above, la * lb * lc + ab * lc + bc * la + ca * lb)
    return angles


def _morton(points: Float64[np.ndarray, "n 3"]) -> UInt64[np.ndarray, "n"]:
    """Numbers that put neighbours in space side by side."""
    low = points.min(axis=0)
    size = max(float((points.max(axis=0) - low).max()), 1e-300)
    cells = ((points - low) / size * ((1 << 21) - 1)).astype(np.uint64)
    for shift, mask in (
        (32, 0x1F00000000FFFF), (16, 0x1F0000FF0000FF), (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3), (2, 0x1249249249249249),
    ):  # fmt: skip
        cells = (cells | (cells << np.uint64(shift))) & np.uint64(mask)
    code: np.ndarray = cells[:, 0] | (cells[:, 1] << np.uint64(1)) | (cells[:, 2] << np.uint64(2))
    return code


def _clusters(
    corners: Float64[np.ndarray, "f 3 3"], starts: Int64[np.ndarray, "l"]
) -> tuple[Float64[np.ndarray, "m 3"], Float64[np.ndarray, "m 3"], Float64[np.ndarray, "m"]]:
    """Of a binary tree, children of node i at 2 i + 1 and 2 i + 2: middle, area vector, radius."""
    vectors = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    # A triangle without area still has a place.
    areas = np.linalg.norm(vectors, axis=1) + 1e-300
    weighted = areas[:, None] * corners.mean(axis=1)
    first = starts[:-1]
    normals, sums, area = (np.add.reduceat(part, first) for part in (vectors, weighted, areas))
    middles = sums / area[:, None]
    of_face = np.repeat(np.arange(len(first)), np.diff(starts))
    away = np.linalg.norm(corners - middles[of_face][:, None], axis=2).max(axis=1)
    radii = np.maximum.reduceat(away, first)
    levels = [(middles, normals, radii)]
    while len(area) > 1:
        below, below_radii = middles, radii
        normals, sums = (part[0::2] + part[1::2] for part in (normals, sums))
        area = area[0::2] + area[1::2]
        middles = sums / area[:, None]
        reach = np.linalg.norm(below - np.repeat(middles, 2, axis=0), axis=1) + below_radii
        radii = np.maximum(reach[0::2], reach[1::2])
        levels.append((middles, normals, radii))
    middles, normals, radii = (np.concatenate(part) for part in zip(*levels[::-1], strict=True))
    return middles, normals, radii


@compiled
def _walk(corners, starts, middles, normals, radii, far, points, found):
    leaves = len(starts) - 1
    stack = np.empty(128, np.int64)
    for n in range(len(points)):
        px, py, pz = points[n, 0], points[n, 1], points[n, 2]
        total, size = 0.0, 1
        stack[0] = 0
        while size:
            size -= 1
            node = stack[size]
            x, y, z = middles[node, 0] - px, middles[node, 1] - py, middles[node, 2] - pz
            square = x * x + y * y + z * z
            reach = far * radii[node]
            if square > reach * reach:
                total += (x * normals[node, 0] + y * normals[node, 1] + z * normals[node, 2]) / (
                    square * np.sqrt(square)
                )
            elif node < leaves - 1:
                stack[size] = 2 * node + 1
                stack[size + 1] = 2 * node + 2
                size += 2
            else:
                leaf = node - (leaves - 1)
                for f in range(starts[leaf], starts[leaf + 1]):
                    ax, ay, az = (
                        corners[f, 0, 0] - px,
                        corners[f, 0, 1] - py,
                        corners[f, 0, 2] - pz,
                    )
                    bx, by, bz = (
                        corners[f, 1, 0] - px,
                        corners[f, 1, 1] - py,
                        corners[f, 1, 2] - pz,
                    )
                    cx, cy, cz = (
                        corners[f, 2, 0] - px,
                        corners[f, 2, 1] - py,
                        corners[f, 2, 2] - pz,
                    )
                    la = np.sqrt(ax * ax + ay * ay + az * az)
                    lb = np.sqrt(bx * bx + by * by + bz * bz)
                    lc = np.sqrt(cx * cx + cy * cy + cz * cz)
                    above = (
                        ax * (by * cz - bz * cy)
                        + ay * (bz * cx - bx * cz)
                        + az * (bx * cy - by * cx)
                    )
                    below = (
                        la * lb * lc
                        + (ax * bx + ay * by + az * bz) * lc
                        + (bx * cx + by * cy + bz * cz) * la
                        + (cx * ax + cy * ay + cz * az) * lb
                    )
                    total += 2 * np.arctan2(above, below)
        found[n] = total / (4 * np.pi)
