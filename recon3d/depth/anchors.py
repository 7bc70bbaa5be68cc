"""Pixels of a view whose depth is known from elsewhere, and how well it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.camera import project
from recon3d.core.scene import PosedScene, View

_LEAST_SIGMA, _LARGEST_SIGMA = 1e-4, 1.0


@dataclass(frozen=True, eq=False)
class Anchors:
    """Known depths in one view.

    uv: where, from (0, 0) at the picture's upper left corner to (1, 1) at its lower right one, so
        that they fit every resolution of the picture.
    depth_z: scene units, above 0.
    sigma: one standard deviation of depth_z, as a share of it.
    """

    uv: Float[np.ndarray, "n 2"]
    depth_z: Float[np.ndarray, "n"]
    sigma: Float[np.ndarray, "n"]

    def __len__(self) -> int:
        """The number of pixels."""
        return len(self.depth_z)

    def where(self, kept: Bool[np.ndarray, "n"]) -> Anchors:
        """Only those that are kept."""
        return Anchors(self.uv[kept], self.depth_z[kept], self.sigma[kept])

    @staticmethod
    def joined(parts: Sequence[Anchors]) -> Anchors:
        """All of several."""
        return Anchors(
            np.concatenate([part.uv for part in parts]),
            np.concatenate([part.depth_z for part in parts]),
            np.concatenate([part.sigma for part in parts]),
        )


def point_sigmas(scene: PosedScene) -> Float[np.ndarray, "n"]:
    """One standard deviation of each sparse point's depth, as a share of it.

    A point seen along unit rays r_k by cameras of focal length f with an error of e pixels has
    the relative error (e / f) / sqrt(sum |r_k - mean r|^2): the variance of a line fit through
    bearings (Hartley and Zisserman 2004, section 12.6, to first order). For two rays at an angle a
    it is sqrt(2) e / (f a). No point counts as better measured than the median one: with few
    sightings a small residual is luck.
    """
    points, views = scene.points.observations.T
    count = len(scene.points.xyz_world)
    if count == 0:
        return np.zeros(0)
    centres = np.array([view.centre_world for view in scene.views])
    focal_px = np.array([view.camera.fx_px for view in scene.views])
    rays = centres[views] - scene.points.xyz_world[points]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True).clip(1e-12)
    seen = np.bincount(points, minlength=count).clip(1)
    ray_sum = np.stack([np.bincount(points, axis, count) for axis in rays.T], axis=1)
    spread = np.sqrt((seen - (ray_sum**2).sum(1) / seen).clip(1e-12))
    error_px = np.maximum(scene.points.error_px, np.median(scene.points.error_px))
    mean_focal_px = np.bincount(points, focal_px[views], count).clip(1) / seen
    return (error_px / mean_focal_px / spread).clip(_LEAST_SIGMA, _LARGEST_SIGMA)


def point_anchors(scene: PosedScene, sigmas: Float[np.ndarray, "n"], view_index: int) -> Anchors:
    """The sparse points that a view sees; sigmas as `point_sigmas` gives them."""
    seen = scene.points.seen_by(view_index)
    return seen_from(scene.views[view_index], scene.points.xyz_world[seen], sigmas[seen])


def seen_from(
    view: View, points_world: Float[np.ndarray, "n 3"], sigma: Float[np.ndarray, "n"]
) -> Anchors:
    """Points where a view would see them, were nothing in between; others are left out."""
    uv_px, depth_z = project(view.cam_from_world @ points_world, view.camera)
    uv = uv_px / (view.camera.width_px, view.camera.height_px)
    with np.errstate(invalid="ignore"):
        inside = (depth_z > 0) & ((uv >= 0) & (uv < 1)).all(1)
    return Anchors(uv, depth_z, sigma).where(inside)
