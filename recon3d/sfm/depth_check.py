"""Whether measured depth fits given poses: what one photo measures, its neighbours must too.

No feature is needed: a depth map moved into another camera lands on that one's depth, if poses,
intrinsics and the unit of depth are right. A wrong unit lands there at another scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import PinholeCamera, in_picture, pixel_rays, project
from recon3d.core.errors import PosesError
from recon3d.core.scene import GivenCameras, ImageSet, Photo
from recon3d.core.transform import Rigid
from recon3d.sfm.pose_check import best_mistake

# Depth cameras err by 1 to 2 %, and edges by more.
_SAME_DEPTH = 0.03
_MOST_PHOTOS, _NEIGHBOURS, _POINTS = 16, 3, 400
# Beyond this angle few cameras see the same.
_SAME_VIEW_DEG = 45.0
_SCALES = np.exp(np.arange(-np.log(5000), np.log(5000), np.log(1.06)))
_AS_GIVEN = np.ones(1)
# Of the points of a photo, with its neighbours chosen by direction alone.
_CLEAR = 0.15
# What must be left of the best agreement for the unit to be believed.
_BELIEVED = 0.7
_UNITS = (1.0, 0.1, 0.01, 0.001, 0.0001, 0.0002, 0.00025, 0.0005, 1 / 256, 0.0254, 0.3048)


@dataclass(frozen=True, eq=False)
class _DepthPair:
    """Points that one photo measures, and another that may see them."""

    first: str
    second: str
    points_first: Float[np.ndarray, "n 3"]
    depth_second: Float[np.ndarray, "h w"]
    camera_second: PinholeCamera


def check_depth(photos: Sequence[Photo], image_set: ImageSet, given: GivenCameras) -> str:
    """Hold measured depth to the poses; returns a warning, or nothing.

    Raises:
        PosesError: the depth says that the poses are of another convention.
    """
    pairs = _pairs(photos, image_set, given)
    poses = given.cam_from_world
    scores = _agreement(poses, pairs, _SCALES)
    best, as_given = float(scores.max()), float(_agreement(poses, pairs, _AS_GIVEN)[0])
    if as_given >= _BELIEVED * max(best, _CLEAR):
        return ""
    better, mistake = best_mistake(
        photos, poses, lambda mended: float(_agreement(mended, pairs, _AS_GIVEN)[0])
    )
    if better >= _CLEAR and better > max(best, as_given) / _BELIEVED:
        raise PosesError(
            f"The poses do not fit the measured depth: {as_given:.0%} of it agrees between "
            f"photos, but {better:.0%} would if {mistake.message}.",
            hint=mistake.hint,
        )
    if best < _CLEAR:
        return ""
    scale = float(_SCALES[scores.argmax()])
    unit = _usual_unit(image_set.depth_unit * scale)
    return (
        f"The depth maps do not fit the poses: they would if depth were about {scale:.2g} times "
        f"what it is taken for ({best:.0%} of it agrees between photos then, now {as_given:.0%}). "
        f"If your poses are in metres, say --depth-unit {unit:.3g}."
    )


def _pairs(photos: Sequence[Photo], image_set: ImageSet, given: GivenCameras) -> list[_DepthPair]:
    measured = [photo for photo in photos if photo.id in image_set.sensor_depth]
    poses = [given.cam_from_world[photo.id] for photo in measured]
    ahead = np.array([pose.rotation[2] for pose in poses]).reshape(-1, 3)
    chosen = np.unique(np.linspace(0, len(measured) - 1, _MOST_PHOTOS).astype(int))
    rng = np.random.default_rng(0)
    pairs = []
    for first in chosen.tolist() if measured else []:
        alike = np.flatnonzero(ahead @ ahead[first] > np.cos(np.radians(_SAME_VIEW_DEG)))
        others = rng.permutation(alike[alike != first])[:_NEIGHBOURS]
        points = _points(measured[first], image_set, given, rng)
        for second in others.tolist():
            depth = image_set.sensor_depth[measured[second].id]
            camera = _camera(measured[second], given, depth)
            pairs.append(_DepthPair(measured[first].id, measured[second].id, points, depth, camera))
    return pairs


def _points(
    photo: Photo, image_set: ImageSet, given: GivenCameras, rng: np.random.Generator
) -> Float[np.ndarray, "n 3"]:
    depth = image_set.sensor_depth[photo.id]
    rows, columns = np.nonzero(depth > 0)
    some = rng.permutation(len(rows))[:_POINTS]
    rows, columns = rows[some], columns[some]
    rays = pixel_rays(_camera(photo, given, depth))[rows, columns]
    points: np.ndarray = rays * depth[rows, columns, None].astype(np.float64)
    return points


def _camera(photo: Photo, given: GivenCameras, depth: np.ndarray) -> PinholeCamera:
    """Of its depth map; the distortion is too small to matter here."""
    return given.intrinsics[photo.id].pinhole.resized(depth.shape[1], depth.shape[0])


def _agreement(
    cam_from_world: Mapping[str, Rigid], pairs: Sequence[_DepthPair], scales: np.ndarray
) -> Float[np.ndarray, "s"]:
    """Share of all points that lie on the other photo's depth, at each scale of both."""
    agreeing, total = np.zeros(len(scales)), 0
    for pair in pairs:
        second_from_first = cam_from_world[pair.second] @ cam_from_world[pair.first].inverse()
        points = second_from_first @ (scales[:, None, None] * pair.points_first)
        uv_px, depth_z = project(points, pair.camera_second)
        inside = in_picture(uv_px, pair.camera_second)
        columns, rows = np.where(inside[..., None], uv_px, 0).astype(int).T
        there = scales[:, None] * pair.depth_second[rows, columns].T
        agreeing += (inside & (np.abs(depth_z - there) < _SAME_DEPTH * there)).sum(axis=1)
        total += len(pair.points_first)
    return agreeing / max(total, 1)


def _usual_unit(unit_m: float) -> float:
    """The unit that somebody uses, where the measured one is near it."""
    near = min(_UNITS, key=lambda usual: abs(np.log(usual / unit_m)))
    return near if abs(np.log(near / unit_m)) < np.log(1.1) else unit_m
