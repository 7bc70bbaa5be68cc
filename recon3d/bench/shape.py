"""What a person sees of a mesh without knowing the truth: what is missing, torn or rippled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from recon3d.core.camera import pixel_rays
from recon3d.core.scene import View
from recon3d.core.surface import Mesh
from recon3d.surface.rays import ray_scene
from recon3d.surface.topology import border_loops

_GRID_PX = 96
"""Rays along a photo's longer side."""
_FACES = 20_000
"""Faces whose ripple is measured, drawn from those that the rays meet."""
_WIDTH_EDGES = 5.0
"""Width of the neighbourhood that normals are smoothed over, in mean edge lengths."""


@dataclass(frozen=True)
class ShapeScores:
    """What needs no truth; every number but the first is better when small."""

    covered: float
    """Share of the placed photos' pixels whose ray meets the mesh; masked away ones left out."""
    holes: int
    """Border loops. The rim of an open surface is one too; chains that touch themselves are not
    counted."""
    largest_hole_percent: float
    """Length of the longest border loop, in percent of the diagonal of the mesh's box."""
    ripple_deg: float
    """Root mean square angle between the normals of the faces that the photos see and the
    normals smoothed around them; real edges and curvature count as well."""


def shape_scores(
    mesh: Mesh, views: Sequence[View], masks: Mapping[str, Bool[np.ndarray, "h w"]]
) -> ShapeScores:
    """Look at a mesh through its photos' cameras.

    Args:
        mesh: In the cameras' frame.
        views: The placed photos.
        masks: By photo, of any size with the photo's shape; False = left out.
    """
    face, wanted = _faces_met(mesh, views, masks)
    met = face[face >= 0]
    count, longest = border_lengths(mesh)
    chosen = np.random.default_rng(0).permutation(met)[:_FACES]
    return ShapeScores(
        len(met) / max(wanted, 1), count, longest * 100, ripple_deg(mesh, chosen)
    )  # fmt: skip


def border_lengths(mesh: Mesh) -> tuple[int, float]:
    """(number of border loops, length of the longest as a share of the box's diagonal)."""
    loops = border_loops(mesh.faces)
    if len(loops.starts) == 0:
        return 0, 0.0
    at = mesh.vertices.astype(np.float64)
    after = np.arange(len(loops.vertices)) + 1
    after[loops.starts + loops.sizes - 1] = loops.starts
    steps = np.linalg.norm(at[loops.vertices[after]] - at[loops.vertices], axis=1)
    longest = float(np.add.reduceat(steps, loops.starts).max())
    return len(loops.starts), longest / float(np.linalg.norm(np.ptp(at[mesh.faces], axis=(0, 1))))


def ripple_deg(mesh: Mesh, chosen: Int[np.ndarray, "n"]) -> float:
    """RMS angle of the chosen faces' normals against the area-weighted mean around them.

    Around means faces whose middle lies within 2.5 mean edge lengths and that face the same
    way: the back of a thin sheet must not cancel its front. 0 where nothing is chosen.
    """
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    doubled = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(doubled, axis=1)
    chosen = chosen[area[chosen] > 0]
    if len(chosen) == 0:
        return 0.0
    normals = doubled / np.maximum(area, 1e-300)[:, None]
    edges = np.linalg.norm(np.roll(corners[chosen], -1, axis=1) - corners[chosen], axis=2)
    middles = corners.mean(1)
    radius = _WIDTH_EDGES / 2 * float(edges.mean())
    tree = cKDTree(middles)
    squares = 0.0
    # In parts: a finely meshed place has many faces around each one.
    for part in np.array_split(chosen, max(1, len(chosen) // 2000)):
        around = tree.query_ball_point(middles[part], radius)
        sizes = np.array([len(found) for found in around])
        near = np.concatenate([np.asarray(found, np.int64) for found in around])
        own = np.repeat(part, sizes)
        same_side = np.einsum("nd,nd->n", normals[near], normals[own]) > 0
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        smooth = np.add.reduceat(doubled[near] * same_side[:, None], starts)
        squares += float((_angle_deg(smooth, normals[part]) ** 2).sum())
    return float(np.sqrt(squares / len(chosen)))


def _angle_deg(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    # The arc cosine would lose small angles.
    across = np.linalg.norm(np.cross(a, b), axis=1)
    angle: np.ndarray = np.degrees(np.arctan2(across, np.einsum("nd,nd->n", a, b)))
    return angle


def _faces_met(
    mesh: Mesh, views: Sequence[View], masks: Mapping[str, Bool[np.ndarray, "h w"]]
) -> tuple[Int[np.ndarray, "n"], int]:
    """The first face on every ray, -1 for none; and how many rays there are."""
    scene, tensor = ray_scene(mesh.vertices, mesh.faces)
    found = [np.zeros(0, np.int64)]
    for view in views:
        camera = view.camera.fitted(_GRID_PX)
        rays = pixel_rays(camera).reshape(-1, 3) @ view.cam_from_world.rotation
        mask = masks.get(view.photo_id)
        if mask is not None:
            rows = (np.arange(camera.height_px) + 0.5) * mask.shape[0] / camera.height_px
            columns = (np.arange(camera.width_px) + 0.5) * mask.shape[1] / camera.width_px
            rays = rays[mask[np.ix_(rows.astype(int), columns.astype(int))].ravel()]
        if len(mesh.faces) == 0 or len(rays) == 0:
            found.append(np.full(len(rays), -1))
            continue
        centre = np.broadcast_to(view.centre_world, rays.shape)
        hits = scene.cast_rays(tensor(np.hstack([centre, rays]).astype(np.float32)))
        face = hits["primitive_ids"].numpy().astype(np.int64)
        found.append(np.where(np.isfinite(hits["t_hit"].numpy()), face, -1))
    faces = np.concatenate(found)
    return faces, len(faces)
