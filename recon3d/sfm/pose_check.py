"""Whether given poses fit the photos: their epipolar lines against the matches between photos.

Poses of another convention have proper rotations too and only their photos can tell. Where they
do not fit, the usual mistakes are tried in turn, and the one that does fit names itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.errors import PosesError
from recon3d.core.orientation import MIRRORED, turn_pose
from recon3d.core.scene import Photo
from recon3d.core.transform import Rigid

# Within 1 % of the photo's side, poses of a right convention fit 60 to 100 % of the matches, even
# those of hand-held depth cameras, and poses of a wrong one or of other photos up to 25 %; up to 60
# % where the cameras stand in a row. Only what fits so much better than them is believed.
_SURE, _RIGHT, _HOPELESS = 0.8, 0.5, 0.15
_BETTER = 0.25
_FEWEST_MATCHES = 100
_CHECK = (
    "Check that each pose is that of its photo, above all where a file names no photos and their "
    "order counts, and that the intrinsics are right; or leave --poses out."
)
_SEE = "docs/POSES.md says which direction and axes each format has."


@dataclass(frozen=True, eq=False)
class MatchedPair:
    """Matches between two photos, as directions (x, y, 1) in their cameras."""

    first: str
    second: str
    rays_first: Float[np.ndarray, "n 3"]
    rays_second: Float[np.ndarray, "n 3"]
    tolerance: float
    """In the plane z = 1: how far a match may lie from its epipolar line."""


@dataclass(frozen=True)
class Mistake:
    """What somebody may have done, and what undoes it."""

    message: str
    hint: str
    mended: Callable[[str, Rigid], Rigid]
    """By photo id."""


def check_poses(
    photos: Sequence[Photo], cam_from_world: Mapping[str, Rigid], pairs: Sequence[MatchedPair]
) -> str:
    """Hold given poses to the matches between photos; returns a warning, or nothing.

    Raises:
        PosesError: they cannot belong to these photos; names the mistake that explains it.
    """
    total = sum(len(pair.rays_first) for pair in pairs)
    if total < _FEWEST_MATCHES or (share := fitting_share(cam_from_world, pairs)) >= _SURE:
        return ""
    found = f"The poses do not fit the photos: only {share:.0%} of their matches agree with them"
    better, mistake = best_mistake(photos, cam_from_world, lambda p: fitting_share(p, pairs))
    if better >= max(_RIGHT, share + _BETTER):
        raise PosesError(
            f"{found}, but {better:.0%} would if {mistake.message}.", hint=mistake.hint
        )
    if share >= _RIGHT:
        return ""
    if share < _HOPELESS:
        raise PosesError(
            f"{found}, and no usual mistake of direction or axes explains it.",
            hint=_CHECK,
        )
    return f"Only {share:.0%} of the matches between photos agree with the poses. {_CHECK}"


def best_mistake(
    photos: Sequence[Photo],
    cam_from_world: Mapping[str, Rigid],
    share_of: Callable[[Mapping[str, Rigid]], float],
) -> tuple[float, Mistake]:
    """What people who hand in poses may have done, by how well the mended poses fit.

    share_of: what share of the evidence agrees with poses.
    """
    tried = [
        (share_of({key: one.mended(key, pose) for key, pose in cam_from_world.items()}), one)
        for one in (*_CONVENTIONS, *_turns(photos))
    ]
    return max(tried, key=lambda found: found[0])


def fitting_share(cam_from_world: Mapping[str, Rigid], pairs: Sequence[MatchedPair]) -> float:
    """Share of the matches that lie on their epipolar lines and in front of both cameras."""
    fits = [
        _fits(cam_from_world[pair.second] @ cam_from_world[pair.first].inverse(), pair)
        for pair in pairs
    ]
    return float(np.concatenate(fits).mean()) if fits else 1.0


def _fits(second_from_first: Rigid, pair: MatchedPair) -> Bool[np.ndarray, "n"]:
    rotation, shift = second_from_first.rotation, second_from_first.translation
    first, second = pair.rays_first @ rotation.T, pair.rays_second
    # Far away or without a step between the photos, rays are parallel and lines mean nothing.
    ahead = first[:, 2] > 0
    flat = first / np.where(ahead, first[:, 2], 1)[:, None]
    parallel: np.ndarray = ahead & (np.linalg.norm(flat - second, axis=1) < pair.tolerance)
    # Sampson's distance (Hartley and Zisserman, 11.4.3).
    lines_second = np.cross(shift, first)
    lines_first = np.cross(second, shift) @ rotation
    beside = (lines_second * second).sum(axis=1) ** 2
    slope = (lines_second[:, :2] ** 2).sum(axis=1) + (lines_first[:, :2] ** 2).sum(axis=1)
    on_line = beside < slope * pair.tolerance**2
    # z_second second = z_first first + shift, solved by products with the other ray.
    across = np.cross(first, second)
    z_first = (np.cross(second, shift) * across).sum(axis=1)
    z_second = (np.cross(first, shift) * across).sum(axis=1)
    return parallel | (on_line & (z_first > 0) & (z_second > 0))


def _axes(*rows: tuple[int, int, int]) -> Callable[[str, Rigid], Rigid]:
    turn = Rigid(np.array(rows, np.float64), np.zeros(3))
    return lambda _, pose: turn @ pose


def _from_left_handed(pose: Rigid) -> Rigid:
    flip = np.diag([1.0, -1.0, 1.0])
    return Rigid(flip @ pose.rotation @ flip, flip @ pose.translation)


def _about_its_place(pose: Rigid) -> Rigid:
    """With the transposed rotation, where the camera is."""
    return Rigid(pose.rotation.T, -pose.rotation.T @ pose.inverse().translation)


def _turns(photos: Sequence[Photo]) -> Sequence[Mistake]:
    """Where EXIF turns photos, the poses may be for the other way up."""
    turned = {p.id: p.exif.orientation for p in photos if p.exif.orientation not in MIRRORED}
    if set(turned.values()) <= {1}:
        return ()
    # What undoes a turn is the turn of the opposite orientation.
    undone = {6: 8, 8: 6}

    def turn(photo_id: str, pose: Rigid) -> Rigid:
        return turn_pose(pose, turned.get(photo_id, 1))

    def undo(photo_id: str, pose: Rigid) -> Rigid:
        orientation = turned.get(photo_id, 1)
        return turn_pose(pose, undone.get(orientation, orientation))

    return (
        Mistake(
            "they were for the pixels as they are stored, which EXIF turns",
            "Say --orientation stored.",
            turn,
        ),
        Mistake(
            "they were for the photos as viewers show them, turned by EXIF",
            "Say --orientation upright.",
            undo,
        ),
    )


_opengl = _axes((1, 0, 0), (0, -1, 0), (0, 0, -1))
_TRANSPOSED = (
    "their rotations were transposed: they are those of the inverse",
    f"Transpose the 3x3 part of every matrix. {_SEE}",
)
_CONVENTIONS = (
    Mistake(
        "they were inverted: camera-to-world is given as world-to-camera, or the other way round",
        f"Invert the matrices. {_SEE}",
        lambda _, pose: pose.inverse(),
    ),
    Mistake(
        "OpenGL's axes and OpenCV's were exchanged (y and z point the other way)",
        "Multiply the camera's y and z axes by -1, the second and third column of camera-to-world "
        f"matrices. {_SEE}",
        _opengl,
    ),
    Mistake(
        "they were inverted and OpenGL's axes and OpenCV's were exchanged (y and z point the "
        "other way)",
        f"Invert the matrices, and multiply the camera's y and z axes by -1. {_SEE}",
        lambda key, pose: _opengl(key, pose.inverse()),
    ),
    Mistake(*_TRANSPOSED, lambda _, pose: _about_its_place(pose)),
    Mistake(*_TRANSPOSED, lambda _, pose: Rigid(pose.rotation.T, pose.translation)),
    Mistake(
        "they were mirrored: they are left-handed, as Unity's are",
        f"Export them in a right-handed system. {_SEE}",
        lambda _, pose: _from_left_handed(pose),
    ),
    Mistake(
        "x were ahead, y left and z up, the axes of robots (ROS)",
        f"Give the poses of the camera's optical frame: x right, y down, z ahead. {_SEE}",
        _axes((0, -1, 0), (0, 0, -1), (1, 0, 0)),
    ),
    Mistake(
        "every camera were turned by half a turn about where it looks (PyTorch3D's axes)",
        f"Multiply the camera's x and y axes by -1. {_SEE}",
        _axes((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    ),
)
