"""A mesh against the true one, or against one that stands for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from recon3d.bench.metrics import SurfaceScores, surface_scores
from recon3d.core.camera import in_picture, pixel_rays, project
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
    """Of the bounding box of what the result is compared with."""
    mean_accuracy: float
    """Mean distance from the result to the truth (DTU)."""
    mean_completeness: float
    """Mean distance from the visible truth to the result (DTU)."""
    scores: tuple[SurfaceScores, ...]
    """At THRESHOLDS of the diagonal, or at lengths in metres; see `in_metres`."""
    against: str = "the true mesh"
    """What the result is compared with."""
    in_metres: bool = False
    """Thresholds were chosen in metres, not as shares of the diagonal."""

    def label(self, threshold: float) -> str:
        """The threshold as it was chosen: "5 cm" or "0.5 %"."""
        if self.in_metres:
            return f"{threshold * 100:g} cm"
        return f"{threshold / self.diagonal:.1%}"


PointTest = Callable[[Float[np.ndarray, "n 3"]], Bool[np.ndarray, "n"]]
"""Which points take part."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What a mesh is compared with, in its own frame, and which points are asked."""

    mesh: Mesh
    views: Sequence[View]
    """The cameras in the reference's frame, with their true intrinsics."""
    against: str = "the true mesh"
    thresholds_m: Sequence[float] = ()
    """Empty: THRESHOLDS, in shares of the diagonal."""
    judged: PointTest | None = None
    """Points of the result that can be right or wrong; None: all."""
    asked: PointTest | None = None
    """Points of the reference that take part besides being seen by two photos; None: all."""


def surface_errors(mesh: Mesh, reference: Reference) -> SurfaceErrors:
    """Compare surfaces that lie in one frame, sampled evenly by area.

    Accuracy (precision) asks every part of the result that `judged` lets in, against the whole
    reference. Completeness (recall) asks only the reference that at least two photos see: what
    no two photos saw cannot be measured from photos.
    """
    rng = np.random.default_rng(0)
    truth = reference.mesh
    seen = _sample(truth, rng, reference.asked)
    seen = seen[visible_count(seen, truth, reference.views) >= _MIN_VIEWS]
    from_truth = _distances(truth, _sample(mesh, rng, reference.judged))
    from_result = _distances(mesh, seen)
    diagonal = float(np.linalg.norm(np.ptp(truth.vertices.astype(np.float64), axis=0)))
    thresholds = reference.thresholds_m or [share * diagonal for share in THRESHOLDS]
    return SurfaceErrors(
        diagonal,
        _mean(from_truth),
        _mean(from_result),
        tuple(surface_scores(from_truth, from_result, length) for length in thresholds),
        reference.against,
        bool(reference.thresholds_m),
    )


def _mean(distances: Float[np.ndarray, "n"]) -> float:
    return float(distances.mean()) if len(distances) else float("nan")


def depth_renderer(mesh: Mesh) -> Callable[[View], Float[np.ndarray, "h w"]]:
    """What gives depth_z of a mesh in any view; 0 where there is none."""
    scene, tensor = ray_scene(mesh.vertices, mesh.faces)

    def render(view: View) -> Float[np.ndarray, "h w"]:
        # Rays with z = 1 in the camera: their length to the hit is depth_z.
        rays = pixel_rays(view.camera).reshape(-1, 3) @ view.cam_from_world.rotation
        centre = np.broadcast_to(view.centre_world, rays.shape)
        hits = scene.cast_rays(tensor(np.hstack([centre, rays]).astype(np.float32)))
        times = hits["t_hit"].numpy()
        depth_z: np.ndarray = np.where(np.isfinite(times), times, 0.0)
        return depth_z.reshape(view.camera.height_px, view.camera.width_px)

    return render


def visible_count(
    points: Float[np.ndarray, "n 3"], mesh: Mesh, views: Sequence[View]
) -> Float[np.ndarray, "n"]:
    """In how many views each point of a mesh's surface is in the picture and not hidden."""
    scene, tensor = ray_scene(mesh.vertices, mesh.faces)
    count = np.zeros(len(points))
    for view in views:
        uv_px, depth_z = project(view.cam_from_world @ points, view.camera)
        rows = np.flatnonzero((depth_z > 0) & in_picture(uv_px, view.camera))
        rays = np.concatenate(
            [np.tile(view.centre_world, (len(rows), 1)), points[rows] - view.centre_world], axis=1
        )
        # The ray reaches the point itself at t = 1; float32 hits jitter by about 1e-6.
        blocked: Bool[np.ndarray, "k"] = scene.test_occlusions(
            tensor(rays.astype(np.float32)), tfar=1 - 1e-4
        ).numpy()
        count[rows] += ~blocked
    return count


def _sample(
    mesh: Mesh, rng: np.random.Generator, wanted: PointTest | None
) -> Float[np.ndarray, "n 3"]:
    """Even by area. Where only some points are wanted, faces far from all of them get no samples.

    Else the palace at the horizon would take them all.
    """
    area = face_areas(mesh)
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    if wanted:
        near = wanted(corners.reshape(-1, 3)).reshape(-1, 3).any(1) | wanted(corners.mean(1))
        area = area * near
    if area.sum() == 0:
        return np.zeros((0, 3))
    face = rng.choice(len(area), _SAMPLES, p=area / area.sum())
    a, b = rng.uniform(size=(2, _SAMPLES))
    # Turk 1990: the root makes the density even over the triangle.
    weights = np.stack([1 - np.sqrt(a), np.sqrt(a) * (1 - b), np.sqrt(a) * b], axis=1)
    points: np.ndarray = np.einsum("nk,nkd->nd", weights, corners[face])
    return points[wanted(points)] if wanted else points


def _distances(mesh: Mesh, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """Exact distance of every point to a mesh's surface; infinite where that is empty."""
    if len(mesh.faces) == 0:
        return np.full(len(points), np.inf)
    scene, tensor = ray_scene(mesh.vertices, mesh.faces)
    near = scene.compute_distance(tensor(points.astype(np.float32)))
    distances: np.ndarray = near.numpy().astype(np.float64)
    return distances
