"""A mesh against the true one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from recon3d.bench.metrics import SurfaceScores, surface_scores
from recon3d.core.camera import pixel_rays, project
from recon3d.core.scene import View
from recon3d.core.surface import Mesh, face_areas
from recon3d.surface.rays import ray_scene

THRESHOLDS = (0.005, 0.01, 0.02)
"""Shares of the true mesh's diagonal that a surface is judged at."""
_SAMPLES = 200_000
_MIN_VIEWS = 2
"""Photos that must see a true point before a result can be blamed for missing it."""


@dataclass(frozen=True)
class SurfaceErrors:
    """A mesh against the true one, distances in the truth's unit."""

    diagonal: float
    """Of the true mesh's bounding box."""
    mean_accuracy: float
    """Mean distance from the result to the truth (DTU)."""
    mean_completeness: float
    """Mean distance from the visible truth to the result (DTU)."""
    scores: tuple[SurfaceScores, ...]
    """At THRESHOLDS of the diagonal."""


def surface_errors(mesh: Mesh, truth: Mesh, views: Sequence[View]) -> SurfaceErrors:
    """Compare surfaces that lie in one frame, sampled evenly by area.

    Accuracy asks every part of the result, against the whole truth. Completeness asks only the
    truth that at least two photos see: what no two photos saw cannot be measured from photos.

    Args:
        mesh: The result, in the frame and unit of the truth.
        truth: The true surface.
        views: The true cameras, with their true intrinsics.
    """
    rng = np.random.default_rng(0)
    seen = _sample(truth, rng)
    seen = seen[visible_count(seen, truth, views) >= _MIN_VIEWS]
    from_truth = _distances(truth, _sample(mesh, rng))
    from_result = _distances(mesh, seen)
    diagonal = float(np.linalg.norm(np.ptp(truth.vertices.astype(np.float64), axis=0)))
    return SurfaceErrors(
        diagonal,
        float(from_truth.mean()),
        float(from_result.mean()),
        tuple(surface_scores(from_truth, from_result, share * diagonal) for share in THRESHOLDS),
    )


def render_depth(mesh: Mesh, view: View) -> Float[np.ndarray, "h w"]:
    """depth_z of a mesh in a view; 0 where there is none."""
    scene, tensor = ray_scene(mesh.vertices, mesh.faces)
    # Rays with z = 1 in the camera: their length to the hit is depth_z.
    rays = pixel_rays(view.camera).reshape(-1, 3) @ view.cam_from_world.rotation
    centre = np.broadcast_to(view.centre_world, rays.shape)
    hits = scene.cast_rays(tensor(np.hstack([centre, rays]).astype(np.float32)))["t_hit"].numpy()
    depth_z: np.ndarray = np.where(np.isfinite(hits), hits, 0.0)
    return depth_z.reshape(view.camera.height_px, view.camera.width_px)


def visible_count(
    points: Float[np.ndarray, "n 3"], mesh: Mesh, views: Sequence[View]
) -> Float[np.ndarray, "n"]:
    """In how many views each point of a mesh's surface is in the picture and not hidden."""
    scene, tensor = ray_scene(mesh.vertices, mesh.faces)
    count = np.zeros(len(points))
    for view in views:
        uv_px, depth_z = project(view.cam_from_world @ points, view.camera)
        size = np.array([view.camera.width_px, view.camera.height_px])
        rows = np.flatnonzero((depth_z > 0) & ((uv_px >= 0) & (uv_px < size)).all(1))
        rays = np.concatenate(
            [np.tile(view.centre_world, (len(rows), 1)), points[rows] - view.centre_world], axis=1
        )
        # The ray reaches the point itself at t = 1; float32 hits jitter by about 1e-6.
        blocked: Bool[np.ndarray, "k"] = scene.test_occlusions(
            tensor(rays.astype(np.float32)), tfar=1 - 1e-4
        ).numpy()
        count[rows] += ~blocked
    return count


def _sample(mesh: Mesh, rng: np.random.Generator) -> Float[np.ndarray, "n 3"]:
    area = face_areas(mesh)
    face = rng.choice(len(area), _SAMPLES, p=area / area.sum())
    a, b = rng.uniform(size=(2, _SAMPLES))
    # Turk 1990: the root makes the density even over the triangle.
    weights = np.stack([1 - np.sqrt(a), np.sqrt(a) * (1 - b), np.sqrt(a) * b], axis=1)
    corners = mesh.vertices.astype(np.float64)[mesh.faces[face]]
    points: np.ndarray = np.einsum("nk,nkd->nd", weights, corners)
    return points


def _distances(mesh: Mesh, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """Exact distance of every point to a mesh's surface."""
    scene, tensor = ray_scene(mesh.vertices, mesh.faces)
    near = scene.compute_distance(tensor(points.astype(np.float32)))
    distances: np.ndarray = near.numpy().astype(np.float64)
    return distances
