"""How surely photos of a rig whose baselines are known tell the scale of what they show.

Scaling the world and not the rig is the same as scaling the rig the other way, so the factor of the
rig's baselines is one more unknown beside the frames' poses and the points; its variance is what
the noise of the sightings leaves of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from recon3d.core.rig import Baseline, RigPhoto
from recon3d.core.scene import CameraEstimate
from recon3d.core.transform import Rigid
from recon3d.sfm.least_squares import by_turn
from recon3d.sfm.placed_bundle import Placed

_UNKNOWN = 1.0


@runtime_checkable
class PlacedByRig(Placed, Protocol):
    """What counts here of a `Placement`."""

    @property
    def cameras(self) -> Mapping[str, CameraEstimate]:
        """By the keys in `camera_of`."""


def scale_sigma(
    placement: PlacedByRig, rigs: Mapping[str, RigPhoto], baseline: Baseline, noise_px: float
) -> float | None:
    """One standard deviation of the scale as a share, of all that may be wrong.

    That is the noise of the sightings, the baseline's own error bar, and that of how the rig's
    cameras are turned, by which everything is seen at another parallax.

    noise_px: one standard deviation of one coordinate of a sighting.

    None where no moment has photos of two cameras, so that nothing tells the scale.
    """
    ids = [*placement.cam_from_world]
    frames: dict[tuple[str, str], int] = {}
    frame = np.array(
        [
            frames.setdefault((rigs[i].rig, rigs[i].moment) if i in rigs else ("", i), len(frames))
            for i in ids
        ],
        np.int64,
    )
    shifts = np.array([rigs[i].cam_from_rig.translation if i in rigs else np.zeros(3) for i in ids])
    if not any(float(np.ptp(shifts[frame == each], axis=0).max()) > 0 for each in np.unique(frame)):
        return None
    places = [rigs[i].cam_from_rig if i in rigs else Rigid.identity() for i in ids]
    noise = noise_px * _scale_per_px(placement, ids, frame, places)
    point, photo = placement.observations.T
    centres = np.array([pose.inverse().translation for pose in placement.cam_from_world.values()])
    away = np.linalg.norm(placement.xyz_world[point] - centres[photo], axis=1)
    turned = np.radians(baseline.turn_std_deg) * float(np.median(away)) / baseline.metres
    return float(np.linalg.norm([noise, baseline.metres_std / baseline.metres, turned]))


def _scale_per_px(
    placement: PlacedByRig, ids: list[str], frame: Int[np.ndarray, "m"], places: list[Rigid]
) -> float:
    """Standard deviation of the factor of the baselines, by sightings that are one pixel off."""
    point, photo = placement.observations.T
    poses = [placement.cam_from_world[i] for i in ids]
    rotations = np.array([pose.rotation for pose in poses])
    points_cam = np.einsum("nij,nj->ni", rotations[photo], placement.xyz_world[point])
    points_cam += np.array([pose.translation for pose in poses])[photo]
    by_cam = _slopes(placement, ids, points_cam, photo)
    cam_from_rig = np.array([place.rotation for place in places])
    shifts = np.array([place.translation for place in places])
    points_rig = np.einsum("nji,nj->ni", cam_from_rig[photo], points_cam - shifts[photo])
    by_rig = by_cam @ cam_from_rig[photo]
    # A frame turns about its rig's origin, and shifts.
    by_frame = np.concatenate([by_turn(points_rig, by_rig), by_rig], axis=2)
    by_scale = np.einsum("nij,nj->ni", by_cam, shifts[photo])
    normal = _without_points(
        by_frame, by_scale, by_cam @ rotations[photo], frame[photo], point, int(frame.max()) + 1
    )
    free = _free(poses, places, frame, np.unique(frame[photo]))
    try:
        covariance = np.linalg.inv(normal[np.ix_(free, free)])
    except np.linalg.LinAlgError:
        return _UNKNOWN
    return float(np.sqrt(max(covariance[-1, -1], 0.0)))


def _without_points(
    by_frame: Float[np.ndarray, "n 2 6"],
    by_scale: Float[np.ndarray, "n 2"],
    by_point: Float[np.ndarray, "n 2 3"],
    frame: Int[np.ndarray, "n"],
    point: Int[np.ndarray, "n"],
    frames: int,
) -> Float[np.ndarray, "c c"]:
    """The normal equations of frames and, last, the factor; the points are eliminated."""
    slopes = sparse.hstack(
        [_by_blocks(by_frame, frame, frames), sparse.csr_matrix(by_scale.reshape(-1, 1))]
    ).tocsr()
    points = int(point.max()) + 1
    of_points = _by_blocks(by_point, point, points)
    own = np.zeros((points, 3, 3))
    np.add.at(own, point, by_point.transpose(0, 2, 1) @ by_point)
    # A trace of stiffness, for points that two photos see under no angle to speak of.
    own += 1e-9 * np.trace(own, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    own[~own.any(axis=(1, 2))] = np.eye(3)
    each = np.arange(points)
    inverse = sparse.bsr_matrix(
        (np.linalg.inv(own), each, np.arange(points + 1)), shape=(3 * points,) * 2
    )
    across = slopes.T @ of_points
    return np.asarray((slopes.T @ slopes - across @ inverse @ across.T).todense())


def _by_blocks(
    blocks: Float[np.ndarray, "n 2 k"], column: Int[np.ndarray, "n"], columns: int
) -> sparse.csr_matrix:
    """A block row for each sighting, with one block in it."""
    starts = np.arange(len(blocks) + 1)
    shape = (2 * len(blocks), blocks.shape[2] * columns)
    return sparse.bsr_matrix((blocks, column, starts), shape=shape).tocsr()


def _free(
    poses: list[Rigid],
    places: list[Rigid],
    frame: Int[np.ndarray, "m"],
    seeing: Int[np.ndarray, "f"],
) -> Int[np.ndarray, "k"]:
    """What may change: all but the first frame and, so that sizes mean something, a shift.

    seeing: the frames that see points; others stay.
    """
    rigs = {
        f: place.inverse() @ pose
        for f, place, pose in zip(frame.tolist(), places, poses, strict=True)
    }
    start = rigs[int(seeing[0])].inverse().translation
    ways = {f: rigs[f] @ start for f in seeing.tolist()}
    farthest = max(ways, key=lambda f: float(np.linalg.norm(ways[f])))
    frames = int(frame.max()) + 1
    moves = np.zeros((frames, 6), bool)
    moves[seeing[1:]] = True
    moves[farthest, 3 + int(np.argmax(np.abs(ways[farthest])))] = False
    return np.flatnonzero(np.append(moves.ravel(), True))


def _slopes(
    placement: PlacedByRig,
    ids: list[str],
    points_cam: Float[np.ndarray, "n 3"],
    photo: Int[np.ndarray, "n"],
) -> Float[np.ndarray, "n 2 3"]:
    """Pixels by the point in its camera's frame; distortion changes them by little."""
    cameras = [placement.cameras[placement.camera_of[i]].intrinsics.pinhole for i in ids]
    focal_px = np.array([[camera.fx_px, camera.fy_px] for camera in cameras])[photo]
    x, y, z = points_cam.T
    slopes = np.zeros((len(points_cam), 2, 3))
    slopes[:, 0, 0], slopes[:, 1, 1] = (focal_px / z[:, None]).T
    slopes[:, 0, 2], slopes[:, 1, 2] = -focal_px[:, 0] * x / z**2, -focal_px[:, 1] * y / z**2
    return slopes
