"""Which way is up, told by how people hold cameras."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.scene import View
from recon3d.core.transform import Rigid

# Cameras tilted sideways by more than this (median) were not held level.
_MAX_ROLL_DEG = 15.0
# Cameras that look up or down more steeply than this say little about what is level.
_STEEP_DEG = 60.0
# A picture whose own up leans further than this from a direction says nothing for it.
_MAX_LEAN_DEG = 75.0
# Photos whose axes make the directions that are asked whether a round was taken about them.
_ASKED = 40
_FEWEST_IN_ROUND = 3
# Of axes that turn in about half a circle and more, as `_spread` has it.
_LEAST_SPREAD = 0.2
# Rounds must explain this share of the photos; else these were just held in many ways.
_ROUNDS_SHARE = 0.75
# What lies between two poses of a thing is more than unsteady hands.
_LEAST_TURN_DEG = 45.0
# A round counts in place of the first photo's if it has this many times as many photos.
_MANY_MORE = 1.25


def upright_from_world(
    views: Sequence[View],
    points_world: Float[np.ndarray, "n 3"],
    up_world: Float[np.ndarray, "3"] | None = None,
) -> Rigid:
    """Turn the world z-up, with y the way the cameras look on average and x to their right.

    The origin lies at the centre of the points in x and y and at their lowest z; percentiles,
    so that floaters do not count. Without points the camera centres stand in, without up_world
    what the cameras say.

    Raises:
        ValueError: there are no views.
    """
    rotations = np.stack([view.cam_from_world.rotation for view in views])
    up = up_in_world(rotations) if up_world is None else up_world
    forward = _horizontal_forward(rotations, up)
    rotation = np.stack([np.cross(forward, up), forward, up])
    anchor = points_world if len(points_world) else np.stack([view.centre_world for view in views])
    turned = anchor.astype(np.float64) @ rotation.T
    low, high = np.percentile(turned, [1, 99], axis=0)
    return Rigid(rotation, -np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]]))


def up_in_world(cam_from_world: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "3"]:
    """The unit direction up, from the cameras' rotations alone.

    People hold cameras level, so up is the direction most perpendicular to all the cameras'
    x axes; where those leave it open (all photos look one way) it is the one nearest to the
    pictures' own up. Where that fails, as with photos taken or stored on their side, the axis
    of each that is nearer to the horizon counts.

    Raises:
        ValueError: there are no cameras.
    """
    if len(cam_from_world) == 0:
        raise ValueError("cam_from_world: got no cameras, expected 1 or more")
    cam_from_world = cam_from_world[of_one_pose(cam_from_world)]
    right, down, forward = np.moveaxis(cam_from_world, 1, 0)
    hint = -down.mean(0)
    if np.linalg.norm(hint) < 0.35:
        # The pictures' tops point everywhere, as in photos straight down from the air.
        hint = -forward.mean(0)
    up = _most_perpendicular(right, hint)
    sideways = np.linalg.eigh(right.T @ right)[1][:, 2]
    for _ in range(5):
        is_level = np.abs(right @ sideways) <= np.abs(down @ sideways)
        level = np.where(is_level[:, None], right, down)
        sideways = _most_perpendicular(level, hint)
    # Walking around something sideways turns the pictures' other axis in a circle; looking up
    # and down at a wall does not.
    circles = _spread(level) > max(_LEAST_SPREAD, 1.5 * _spread(right))
    # Both axes of every picture are perpendicular to the way all of them look, which is not up.
    looks_along = float(np.median(np.abs(forward @ sideways))) > np.sin(np.radians(_STEEP_DEG))
    if (
        not looks_along
        and _tilt_deg(level, sideways) < _MAX_ROLL_DEG
        and (circles or _tilt_deg(right, up) > _MAX_ROLL_DEG)
    ):
        up = sideways
    # Sideways pictures do not say which side is up; people look down more than up.
    sign = hint if abs(up @ hint) > 0.1 else -forward.mean(0)
    return up if up @ sign >= 0 else -up


def of_one_pose(cam_from_world: Float[np.ndarray, "n 3 3"]) -> Bool[np.ndarray, "n"]:
    """The photos that were taken while the thing stood in one pose; nearly always all.

    Who turns a thing over between two rounds of photos takes each with level cameras, so each has
    an up of its own in the thing's frame. It shows where upright pictures that look level or down
    go around one axis, and the others around another. The round of most photos counts, or that
    of the first photo where the others have hardly more.
    """
    right, down, forward = np.moveaxis(cam_from_world, 1, 0)
    everything = np.ones(len(cam_from_world), bool)
    left = everything.copy()
    ups: list[np.ndarray] = []
    while left.sum() >= _FEWEST_IN_ROUND:
        up = _up_of_most(right[left], down[left])
        members = left & (_held_level(right, down, up[None])[0] > 0)
        is_round = (
            members.sum() >= _FEWEST_IN_ROUND
            and _spread(right[members]) > _LEAST_SPREAD
            and float((forward[members] @ up).mean()) < np.sin(np.radians(_MAX_ROLL_DEG))
            and all(up @ other < np.cos(np.radians(_LEAST_TURN_DEG)) for other in ups)
        )
        if not is_round:
            break
        ups.append(up)
        left &= ~members
    if len(ups) < 2 or left.mean() > 1 - _ROUNDS_SHARE:
        return everything
    fits = _held_level(right, down, np.stack(ups))
    # 0: of no round; a photo that two rounds would have belongs to the one that it is level in.
    number = np.where(fits.max(0) > 0, fits.argmax(0) + 1, 0)
    sizes = np.bincount(number, minlength=len(ups) + 1)
    sizes[0] = 0
    first = number[np.flatnonzero(number)[0]]
    most = int(sizes.argmax())
    chosen: Bool[np.ndarray, "n"] = number == (
        most if sizes[most] >= _MANY_MORE * sizes[first] else first
    )
    return chosen


def _up_of_most(
    right: Float[np.ndarray, "n 3"], down: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "3"]:
    """The direction about which most upright pictures were held level."""
    asked = right[:: -(-len(right) // _ASKED)]
    one, other = np.triu_indices(len(asked), 1)
    across = np.cross(asked[one], asked[other])
    length = np.linalg.norm(across, axis=1)
    # Of axes that are nearly parallel the common perpendicular is noise.
    across = across[length > 0.3] / length[length > 0.3, None]
    ups = np.concatenate([across, -across, -down[:1]])
    best: np.ndarray = ups[_held_level(right, down, ups).sum(1).argmax()]
    return best


def _held_level(
    right: Float[np.ndarray, "n 3"], down: Float[np.ndarray, "n 3"], ups: Float[np.ndarray, "m 3"]
) -> Float[np.ndarray, "m n"]:
    """1 where a picture is upright and level, 0 where it leans by _MAX_ROLL_DEG or is not."""
    level = 1 - np.abs(ups @ right.T) / np.sin(np.radians(_MAX_ROLL_DEG))
    upright = -ups @ down.T > np.cos(np.radians(_MAX_LEAN_DEG))
    held: Float[np.ndarray, "m n"] = np.where(upright, np.clip(level, 0, 1), 0.0)
    return held


def level_axes(
    cam_from_world: Float[np.ndarray, "n 3 3"], up_world: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "m 3"]:
    """The axis of each picture that was held level, its right or its down; fewer where unclear."""
    right, down, forward = np.moveaxis(cam_from_world, 1, 0)
    is_upright = np.abs(right @ up_world) <= np.abs(down @ up_world)
    axes = np.where(is_upright[:, None], right, down)
    is_steep = np.abs(forward @ up_world) > np.sin(np.radians(_STEEP_DEG))
    tilted: np.ndarray = np.abs(axes @ up_world) > np.sin(np.radians(2 * _MAX_ROLL_DEG))
    level: np.ndarray = axes[~is_steep & ~tilted]
    return level


def _most_perpendicular(
    axes: Float[np.ndarray, "n 3"], hint: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3"]:
    kept = axes
    for _ in range(3):
        # The hint decides where the axes do not; its weight is too small to tilt a full orbit.
        scatter = kept.T @ kept / len(kept) - 0.02 * np.outer(hint, hint)
        up: np.ndarray = np.linalg.eigh(scatter)[1][:, 0]
        tilt = np.abs(axes @ up)
        kept = axes[tilt <= max(3 * float(np.median(tilt)), 0.05)]
    return up


def _tilt_deg(axes: Float[np.ndarray, "n 3"], up: Float[np.ndarray, "3"]) -> float:
    return float(np.degrees(np.arcsin(np.clip(np.median(np.abs(axes @ up)), 0, 1))))


def _spread(axes: Float[np.ndarray, "n 3"]) -> float:
    """0 when all axes are parallel, 0.5 when they turn in a full circle."""
    return float(np.linalg.eigvalsh(axes.T @ axes / len(axes))[1])


def _horizontal_forward(
    cam_from_world: Float[np.ndarray, "n 3 3"], up: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3"]:
    """Where the cameras look, flattened; an orbit looks everywhere, then its first photo's way."""
    forward, down = cam_from_world[:, 2], cam_from_world[:, 1]
    for candidate in (forward.mean(0), forward[0], -down[0]):
        flat: np.ndarray = candidate - (candidate @ up) * up
        length = float(np.linalg.norm(flat))
        if length > 0.2:
            return flat / length
    return np.cross(up, cam_from_world[0, 0])
