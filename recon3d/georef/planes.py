"""Large planes of a surface: the ground it stands on, the walls that face the photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.surface import Mesh, face_areas

# As a share of the model's diagonal: beyond this a point is not of the plane.
_TOLERANCE = 0.007
# Noise of a surface's normals; a true plane's own scatter is far below.
_NORMAL_NOISE_DEG = 25.0
_MOST_BELOW = 0.1
_TRIALS = 2000
# What leans more than about this is no wall; a ball is plumb for a 20th of its surface.
_PLUMB_DEG = 2.5
_LEAST_PLUMB = 0.2
_STANDS_OUT = 1.3
_TRIAL_POINTS = 3000


@dataclass(frozen=True, eq=False)
class Samples:
    """Points spread evenly over a surface."""

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"] | None
    """Unit, outward; None for points without a surface."""

    @property
    def diagonal(self) -> float:
        """Of the box that holds nearly all of them."""
        return float(np.linalg.norm(np.subtract(*np.percentile(self.points, [97, 3], axis=0))))


@dataclass(frozen=True, eq=False)
class Plane:
    """All x with normal_world @ x = offset."""

    normal_world: Float[np.ndarray, "3"]
    """Unit, towards the side that is open where the surface knows it."""
    offset: float
    share: float
    """Of the surface that lies in it."""


@dataclass(frozen=True, eq=False)
class PlumbSurfaces:
    """What of a surface stands upright, all of it together."""

    up_world: Float[np.ndarray, "3"]
    """The direction that lies in it."""
    share: float
    """Of the surface."""
    facing: Float[np.ndarray, "3 3"]
    """Mean of normal times its transpose over the whole surface, counting what is plumb."""


def sample_surface(mesh: Mesh, count: int, rng: np.random.Generator) -> Samples:
    """Points drawn evenly by area; the vertices themselves where there are no faces."""
    areas = face_areas(mesh)
    if not areas.sum() > 0:
        step = max(1, len(mesh.vertices) // count)
        return Samples(mesh.vertices[::step].astype(np.float64), None)
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    corners = corners[rng.choice(len(areas), count, p=areas / areas.sum())]
    u, v = np.sort(rng.random((2, len(corners))), axis=0)
    points = (
        corners[:, 0] * u[:, None]
        + corners[:, 1] * (v - u)[:, None]
        + corners[:, 2] * (1 - v)[:, None]
    )
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return Samples(points, normals / np.linalg.norm(normals, axis=1, keepdims=True))


def find_ground(
    samples: Samples,
    up_world: Float[np.ndarray, "3"],
    gate_deg: float,
    rng: np.random.Generator,
) -> Plane | None:
    """The plane that holds the most of a surface, level to within gate_deg, under all the rest.

    The ground, no ceiling and no table top in a room: nearly everything else lies above it. By
    random sampling (Fischler and Bolles 1981), then least squares.
    """
    level = np.cos(np.radians(gate_deg))
    candidates = _facing_up(samples, up_world, gate_deg)
    tolerance = _TOLERANCE * samples.diagonal
    if candidates.sum() < 50 or tolerance <= 0:
        return None
    points = samples.points[candidates]
    tried = points[rng.permutation(len(points))[:_TRIAL_POINTS]]
    triple = tried[rng.integers(0, len(tried), (_TRIALS, 3))]
    normals = np.cross(triple[:, 1] - triple[:, 0], triple[:, 2] - triple[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    sound = lengths > 1e-12
    normals, start = normals[sound] / lengths[sound, None], triple[sound, 0]
    normals *= np.sign(normals @ up_world)[:, None]
    allowed = normals @ up_world >= level
    normals, start = normals[allowed], start[allowed]
    if not len(normals):
        return None
    offsets = np.einsum("ij,ij->i", normals, start)
    near = np.abs(tried @ normals.T - offsets) < tolerance
    some = samples.points[:: max(1, len(samples.points) // 500)]
    below = some @ normals.T < offsets - 2 * tolerance
    counts = np.where(below.mean(0) < _MOST_BELOW, near.sum(0), 0)
    best = int(np.argmax(counts))
    if counts[best] == 0:
        return None
    plane = _refined(samples, candidates, normals[best], float(offsets[best]), tolerance)
    return plane if plane and plane.normal_world @ up_world >= level else None


def find_plumb(
    samples: Samples, up_world: Float[np.ndarray, "3"], gate_deg: float
) -> PlumbSurfaces | None:
    """The direction within gate_deg of up_world to which the most of a surface is plumb.

    Walls and columns stand out of what is plumb by chance; None where nothing does.
    """
    if samples.normals is None:
        return None
    normals = samples.normals[: _TRIAL_POINTS * 2]
    tried = _cone(up_world, gate_deg)
    shares = _plumb(normals @ tried.T).mean(0)
    up = tried[int(np.argmax(shares))]
    for _ in range(10):
        weights = _plumb(normals @ up)
        across = np.eye(3) - np.outer(up, up)
        system = across @ (normals.T * weights) @ normals @ across
        up = up - np.linalg.pinv(system, rcond=1e-3, hermitian=True) @ (
            across @ normals.T @ (weights * (normals @ up))
        )
        up = up / np.linalg.norm(up)
    weights = _plumb(normals @ up)
    share = float(weights.mean())
    stands_out = share > max(_LEAST_PLUMB, _STANDS_OUT * float(np.median(shares)))
    if not stands_out or up @ up_world < np.cos(np.radians(gate_deg)):
        return None
    return PlumbSurfaces(up, share, (normals.T * weights) @ normals / len(normals))


def _plumb(sine: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """1 for plumb, falling off with the lean."""
    return np.asarray(np.exp(-0.5 * (np.degrees(sine) / _PLUMB_DEG) ** 2))


def _cone(axis: Float[np.ndarray, "3"], angle_deg: float) -> Float[np.ndarray, "n 3"]:
    """Directions spread evenly around an axis, about 1 degree apart, the axis first."""
    radii = np.radians(np.arange(0.0, angle_deg + 0.5))
    side = np.linalg.svd(axis[None])[2][1:]
    directions = [axis]
    for radius in radii[1:]:
        turn = np.linspace(
            0, 2 * np.pi, max(6, int(2 * np.pi * np.degrees(radius))), endpoint=False
        )
        around = np.cos(turn)[:, None] * side[0] + np.sin(turn)[:, None] * side[1]
        directions.extend(np.cos(radius) * axis + np.sin(radius) * around)
    return np.stack(directions)


def _refined(
    samples: Samples,
    candidates: Bool[np.ndarray, "n"],
    normal: Float[np.ndarray, "3"],
    offset: float,
    tolerance: float,
) -> Plane | None:
    inside = candidates
    for _ in range(5):
        inside = candidates & (np.abs(samples.points @ normal - offset) < tolerance)
        if inside.sum() < 20:
            return None
        middle = samples.points[inside].mean(0)
        axes = np.linalg.svd(samples.points[inside] - middle, full_matrices=False)[2]
        normal = axes[2] * np.sign(axes[2] @ normal)
        offset = float(normal @ middle)
    return Plane(normal, offset, float(inside.mean()))


def _facing_up(samples: Samples, up_world: np.ndarray, gate_deg: float) -> Bool[np.ndarray, "n"]:
    """Points whose own normal allows it; all of them where normals are not known."""
    if samples.normals is None:
        return np.ones(len(samples.points), bool)
    wide = np.cos(np.radians(gate_deg + _NORMAL_NOISE_DEG))
    return np.asarray(samples.normals @ up_world >= wide)
