"""One depth map as a surface, cut where one thing ends in front of another."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32
from numpy.lib.stride_tricks import sliding_window_view

from recon3d.core.camera import PinholeCamera, pixel_rays

DepthMap = Float32[np.ndarray, "h w"]

_REACH_SHARE = 0.0025
"""A jump is looked for this far around a pixel, as a share of the photo's longer side: networks
draw an edge as a ramp over several pixels, none of which jumps by itself."""
_NEAREST_PERCENT, _FARTHEST_PERCENT = 98, 2
"""Of the inverse depths; the few beyond are mistakes."""


def without_horizon(depth_z: DepthMap, farthest: float) -> DepthMap:
    """Set what lies beyond `farthest` times the nearest distance to 0 (unknown).

    Networks give the sky a depth too: a large one.
    """
    known = depth_z > 0
    if not known.any():
        return depth_z
    nearest_z = np.percentile(depth_z[known], 100 - _NEAREST_PERCENT)
    return np.where(depth_z < farthest * nearest_z, depth_z, np.float32(0))


def depth_of_relative(values: DepthMap, farthest: float, reach: float) -> DepthMap:
    """Depth with a median of 1 from inverse depth of unknown scale and shift; 0 = unknown.

    The shift is a guess: the smallest one with which the farthest things are at most `reach` times
    as far away as the nearest ones.

    Args:
        values: 0 = unknown.
        farthest: What is this many times farther than the nearest, before the shift, is the sky
            and becomes unknown.
        reach: Above 1.
    """
    if not (values > 0).any():
        return values
    nearest = np.percentile(values[values > 0], _NEAREST_PERCENT)
    known = values > nearest / farthest
    lowest = np.percentile(values[known], _FARTHEST_PERCENT)
    shifted = values + max(0.0, (nearest - reach * lowest) / (reach - 1))
    depth_z = np.median(shifted[known]) / np.where(known, shifted, 1)
    return np.where(known, depth_z, 0).astype(np.float32)


def relief_faces(
    depth_z: DepthMap, camera: PinholeCamera, *, steepest_deg: float, jump: float
) -> Int32[np.ndarray, "f 3"]:
    """Two triangles between every four neighbouring pixels, counter-clockwise from the camera.

    Corners are numbers of pixels, row by row. A triangle is left out where a corner is unknown, or
    where the surface would be seen at a grazing angle *and* depth jumps nearby. Angle alone would
    tear noise and the steps of depth cameras apart, the jump alone floors far away. Of a cell's two
    diagonals the one along which depth changes less is drawn, so that cuts follow outlines.

    Args:
        depth_z: 0 = unknown.
        camera: Whose pixels these are.
        steepest_deg: Angle between the line of sight and the surface's normal up to which it is
            always believed.
        jump: Change of depth, as a share of the nearer one, up to which it is always believed.
    """
    inverse_z = np.divide(1, depth_z, out=np.full_like(depth_z, np.nan), where=depth_z > 0)
    jumps = _jumps(inverse_z, jump)
    # Over the pixels of a plane inverse depth is affine, and its gradient is the plane's normal.
    along_x = np.diff(inverse_z, axis=1) * np.float32(camera.fx_px)
    along_y = np.diff(inverse_z, axis=0) * np.float32(camera.fy_px)
    rays = pixel_rays(camera).astype(np.float32)
    pixel = np.arange(depth_z.size, dtype=np.int32).reshape(depth_z.shape)
    falls = _is_flatter(
        inverse_z[:-1, :-1] - inverse_z[1:, 1:], inverse_z[:-1, 1:] - inverse_z[1:, :-1]
    )

    faces = []
    sides = (slice(None, -1), slice(1, None))
    for down, right in ((0, 0), (1, 1), (1, 0), (0, 1)):
        apex = (sides[down], sides[right])
        slope = (along_x[sides[down]], along_y[:, sides[right]])
        cut = jumps[apex] & _is_steeper(slope, inverse_z[apex], rays[apex], steepest_deg)
        is_known = np.isfinite(slope[0]) & np.isfinite(slope[1])
        on_falling = down != right
        drawn = is_known & ~cut & (falls == on_falling)
        beside, below = pixel[sides[down], sides[1 - right]], pixel[sides[1 - down], sides[right]]
        others = (beside, below) if on_falling else (below, beside)
        faces.append(np.stack([corner[drawn] for corner in (pixel[apex], *others)], axis=-1))
    return np.concatenate(faces)


def as_seen(points_cam: Float[np.ndarray, "n 3"], middle_z: float) -> Float32[np.ndarray, "n 3"]:
    """Points as (x / z, y / z, middle_z / z), where lengths are what the camera sees of them.

    A projective map: planes stay planes. At middle_z a change of depth counts by its share of it.
    """
    x, y, depth_z = points_cam.T
    return np.stack([x / depth_z, y / depth_z, middle_z / depth_z], axis=1).astype(np.float32)


def from_seen(points_seen: Float[np.ndarray, "n 3"], middle_z: float) -> Float[np.ndarray, "n 3"]:
    """Undo `as_seen`; points_cam."""
    depth_z = middle_z / points_seen[:, 2:].astype(np.float64)
    return np.concatenate([points_seen[:, :2] * depth_z, depth_z], axis=1)


def _is_steeper(
    slope: tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]],
    inverse_z: Float[np.ndarray, "h w"],
    rays: Float[np.ndarray, "h w 3"],
    steepest_deg: float,
) -> Bool[np.ndarray, "h w"]:
    """Whether planes through pixels are seen at an angle beyond `steepest_deg`.

    With inverse depth n . ray the plane's normal is n = (slope, rest).
    """
    rest = inverse_z - slope[0] * rays[..., 0] - slope[1] * rays[..., 1]
    lengths = np.sqrt(slope[0] ** 2 + slope[1] ** 2 + rest**2) * np.linalg.norm(rays, axis=-1)
    return np.asarray(inverse_z < np.cos(np.radians(steepest_deg)) * lengths)


def _is_flatter(
    one: Float[np.ndarray, "h w"], other: Float[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Whether depth changes less along one diagonal; not where an end of it is unknown."""
    return np.asarray(np.nan_to_num(abs(one), nan=np.inf) < np.nan_to_num(abs(other), nan=np.inf))


def _jumps(inverse_z: Float[np.ndarray, "h w"], jump: float) -> Bool[np.ndarray, "h w"]:
    """Pixels in the reach of one that has depths in its reach which differ by more than `jump`.

    Twice, so that an edge along which the jump is now a little above and now a little below is cut
    in one stroke and not perforated.
    """
    reach_px = max(1, round(_REACH_SHARE * max(inverse_z.shape)))
    nearest = _extreme(inverse_z, np.fmax, reach_px)
    farthest = _extreme(inverse_z, np.fmin, reach_px)
    return _extreme(nearest > (1 + jump) * farthest, np.fmax, reach_px)


def _extreme(values: np.ndarray, larger: np.ufunc, reach_px: int) -> np.ndarray:
    """The most extreme value within a square around each pixel."""
    for axis in (0, 1):
        border = [(reach_px, reach_px) if side == axis else (0, 0) for side in (0, 1)]
        padded = np.pad(values, border, mode="edge")
        windows = sliding_window_view(padded, 2 * reach_px + 1, axis)
        values = larger.reduce(windows, axis=-1)
    return values
