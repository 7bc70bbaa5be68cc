"""How far a result is from the truth, by the definitions of the field's benchmarks.

Cameras: after a similarity alignment, as in Strecha et al., "On benchmarking camera calibration
    and multi-view stereo for high resolution imagery", CVPR 2008.
Surfaces: accuracy and completeness as distances, Jensen et al., "Large scale multi-view
    stereopsis evaluation" (DTU), CVPR 2014; as shares within a threshold, Schöps et al., "A
    multi-view stereo benchmark" (ETH3D), CVPR 2017; their F-score, Knapitsch et al., "Tanks and
    Temples", SIGGRAPH 2017.
Agreement: the geometric consistency of Yao et al., "MVSNet", ECCV 2018, section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.camera import PinholeCamera, backproject, project
from recon3d.core.errors import ShapeMismatchError
from recon3d.core.transform import Rigid, Similarity, fit_similarity, rotation_angle_deg


@dataclass(frozen=True)
class CameraErrors:
    """How far cameras are from where they really stood."""

    mean_position: float
    """In the truth's unit."""
    median_position: float
    mean_rotation_deg: float
    median_rotation_deg: float
    common: int
    """Photos that both sides placed; the others cannot be measured."""


@dataclass(frozen=True)
class SurfaceScores:
    """How well a surface lies on the true one, at one threshold."""

    threshold: float
    accuracy: float
    """Share of the result within the threshold of the truth (precision)."""
    completeness: float
    """Share of the truth within the threshold of the result (recall)."""
    f_score: float
    """Harmonic mean of the two."""


def align_cameras(
    cam_from_world: Mapping[str, Rigid], cam_from_truth: Mapping[str, Rigid]
) -> Similarity:
    """truth_from_world that brings the centres of the photos on both sides together best.

    Raises:
        ValueError: fewer than three photos are on both sides, or their centres coincide.
    """
    common = sorted(cam_from_world.keys() & cam_from_truth.keys())
    return fit_similarity(_centres(cam_from_world, common), _centres(cam_from_truth, common))


def camera_errors(
    cam_from_world: Mapping[str, Rigid], cam_from_truth: Mapping[str, Rigid]
) -> CameraErrors:
    """Compare the cameras of the photos on both sides after `align_cameras`.

    Raises:
        ValueError: as `align_cameras`.
    """
    truth_from_world = align_cameras(cam_from_world, cam_from_truth)
    common = sorted(cam_from_world.keys() & cam_from_truth.keys())
    moved = {name: truth_from_world.move_camera(cam_from_world[name]) for name in common}
    position = np.linalg.norm(_centres(moved, common) - _centres(cam_from_truth, common), axis=1)
    angle_deg = rotation_angle_deg(
        np.array([moved[name].rotation.T @ cam_from_truth[name].rotation for name in common])
    )
    return CameraErrors(
        float(position.mean()),
        float(np.median(position)),
        float(angle_deg.mean()),
        float(np.median(angle_deg)),
        len(common),
    )


def surface_scores(
    from_truth: Float[np.ndarray, "n"], from_result: Float[np.ndarray, "m"], threshold: float
) -> SurfaceScores:
    """Accuracy, completeness and F-score.

    Args:
        from_truth: Distance of every sample of the result to the true surface.
        from_result: Distance of every sample of the truth to the result's surface; inf where
            the result is empty.
        threshold: In the unit of the distances; a sample exactly at it does not count.
    """
    accuracy = float((from_truth < threshold).mean()) if len(from_truth) else 0.0
    completeness = float((from_result < threshold).mean()) if len(from_result) else 0.0
    both = accuracy + completeness
    f_score = 2 * accuracy * completeness / both if both else 0.0
    return SurfaceScores(threshold, accuracy, completeness, f_score)


def confirmations(
    depth_z: Float[np.ndarray, "h w"],
    camera: PinholeCamera,
    cam_from_world: Rigid,
    others: Iterable[tuple[Float[np.ndarray, "oh ow"], PinholeCamera, Rigid]],
    *,
    max_error_px: float = 1.0,
    max_depth_error: float = 0.01,
) -> Float[np.ndarray, "h w"]:
    """How many other views confirm each pixel's depth; 0 for unknown pixels.

    A view confirms when its own depth, read where the pixel falls in it, leads back to within
    max_error_px of the pixel and max_depth_error of its depth.

    Args:
        depth_z: Of the reference view; 0 is unknown.
        camera: Of the reference view.
        cam_from_world: Of the reference view.
        others: depth_z, camera and cam_from_world of the other views.
        max_error_px: Pixels of the reference view.
        max_depth_error: Share of the reference's depth.

    Raises:
        ShapeMismatchError: a depth map and its camera disagree on the image size.
    """
    rows = np.nonzero(depth_z > 0)
    own_z = depth_z[rows].astype(np.float64)
    own_uv = np.stack([rows[1] + 0.5, rows[0] + 0.5], axis=1)
    points_world = cam_from_world.inverse() @ backproject(depth_z, camera)[rows]
    confirmed = np.zeros(len(own_z))
    for other_z, other_camera, other_from_world in others:
        uv_px, _ = project(other_from_world @ points_world, other_camera)
        seen_z = _sample(other_z, other_camera, uv_px)
        ray = np.concatenate(
            [(uv_px - _centre(other_camera)) / _focal(other_camera), np.ones((len(uv_px), 1))], 1
        )
        back = cam_from_world @ (other_from_world.inverse() @ (ray * seen_z[:, None]))
        back_uv, back_z = project(back, camera)
        near = np.linalg.norm(back_uv - own_uv, axis=1) < max_error_px
        confirmed += near & (np.abs(back_z - own_z) < max_depth_error * own_z)
    out = np.zeros(depth_z.shape)
    out[rows] = confirmed
    return out


def _centres(cameras: Mapping[str, Rigid], names: Sequence[str]) -> Float[np.ndarray, "n 3"]:
    return np.array([cameras[name].inverse().translation for name in names]).reshape(-1, 3)


def _sample(
    depth_z: Float[np.ndarray, "h w"], camera: PinholeCamera, uv_px: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n"]:
    """Depth between pixel centres; NaN outside the picture and beside unknown pixels."""
    height, width = depth_z.shape
    if (width, height) != (camera.width_px, camera.height_px):
        raise ShapeMismatchError(
            f"depth_z: got {depth_z.shape}, expected {(camera.height_px, camera.width_px)}"
        )
    x, y = uv_px.T - 0.5
    with np.errstate(invalid="ignore"):
        inside: Bool[np.ndarray, "n"] = (x >= 0) & (y >= 0) & (x < width - 1) & (y < height - 1)
    out = np.full(len(uv_px), np.nan)
    column, row = np.floor(x[inside]).astype(int), np.floor(y[inside]).astype(int)
    right, down = x[inside] - column, y[inside] - row
    known = np.where(depth_z > 0, depth_z, np.nan).astype(np.float64)
    upper = known[row, column] * (1 - right) + known[row, column + 1] * right
    lower = known[row + 1, column] * (1 - right) + known[row + 1, column + 1] * right
    out[inside] = upper * (1 - down) + lower * down
    return out


def _focal(camera: PinholeCamera) -> Float[np.ndarray, "2"]:
    return np.array([camera.fx_px, camera.fy_px])


def _centre(camera: PinholeCamera) -> Float[np.ndarray, "2"]:
    return np.array([camera.cx_px, camera.cy_px])
