"""Mending predicted depth maps: flying pixels, specks and noise.

Networks and interpolation bridge the jump between an object and what lies behind it by a ramp of
depths that nobody could touch; fused, they hang in the air.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32

from recon3d.core.camera import PinholeCamera

DepthMap = Float32[np.ndarray, "h w"]

_LOG_SPECK = 0.05
_UNSEEN = 1e6
"""Slope where it is not known: steeper than any, because an edge must be seen whole. Up to its
horizon a floor only ever becomes steeper."""


def without_flying_pixels(
    depth_z: DepthMap, camera: PinholeCamera, *, steepest_deg: float = 84.0, reach_px: int = 4
) -> DepthMap:
    """Set the ramps across depth edges to 0 (unknown); surfaces, even steep ones, stay.

    Along a plane seen at an angle a, log depth changes by at most tan(a) / focal a pixel, and ever
    more towards its horizon. A ramp instead is steepest in its middle. So pixels count as an edge
    where the slope is beyond `steepest_deg` and largest across the edge (non-maximum suppression,
    Canny 1986); with them goes what is at least half as steep around them.

    Args:
        depth_z: 0 = unknown.
        camera: Whose pixels these are.
        steepest_deg: Angle between the line of sight and a surface's normal that is still believed.
        reach_px: Half of the widest ramp that is cut.
    """
    import cv2

    slope, along_x, along_y = _slope(depth_z)
    limit = np.tan(np.radians(steepest_deg)) / max(camera.fx_px, camera.fy_px)
    edge = np.where((slope > limit) & _is_ridge(slope, along_x, along_y), slope, np.float32(0))
    nearby = cv2.dilate(edge, np.ones((2 * reach_px + 1,) * 2, np.uint8))
    return np.where((nearby > 0) & (slope > 0.5 * nearby), np.float32(0), depth_z)


def without_specks(depth_z: DepthMap) -> DepthMap:
    """Replace what differs by over 5 % from the 5x5 median around it; unknown pixels stay so."""
    import cv2

    filled = _filled(depth_z)
    median = cv2.medianBlur(filled, 5)
    speck = np.abs(np.log(filled / median)) > _LOG_SPECK
    return np.where(depth_z > 0, np.where(speck, median, filled), np.float32(0))


def smoothed(depth_z: DepthMap, *, tolerance: float = 0.02, radius_px: int = 3) -> DepthMap:
    """Average neighbours whose depth differs by about `tolerance` of it or less (bilateral).

    In log depth, so that the same share counts near and far.
    """
    import cv2

    log_z = np.log(_filled(depth_z))
    smooth = cv2.bilateralFilter(log_z, 2 * radius_px + 1, tolerance, radius_px)
    return np.where(depth_z > 0, np.exp(smooth), np.float32(0))


def _slope(depth_z: DepthMap) -> tuple[DepthMap, DepthMap, DepthMap]:
    """Change of log depth a pixel, and its direction (x, y); _UNSEEN beside unknown pixels."""
    with np.errstate(divide="ignore", invalid="ignore"):
        down, right = np.gradient(np.log(np.where(depth_z > 0, depth_z, np.float32(np.nan))))
    slope = np.hypot(right, down)
    length = np.where(slope > 0, slope, np.float32(1))
    unseen = np.isnan(slope)
    return (
        np.where(unseen, np.float32(_UNSEEN), slope),
        np.where(unseen, np.float32(0), right / length),
        np.where(unseen, np.float32(0), down / length),
    )


def _is_ridge(slope: DepthMap, along_x: DepthMap, along_y: DepthMap) -> Bool[np.ndarray, "h w"]:
    """Where the slope is no smaller than one pixel further on either side along its direction."""
    import cv2

    y, x = np.indices(slope.shape, dtype=np.float32)
    ahead, behind = (
        cv2.remap(
            slope, x + sign * along_x, y + sign * along_y, cv2.INTER_LINEAR, borderValue=_UNSEEN
        )
        for sign in (1, -1)
    )
    return np.asarray((slope >= ahead) & (slope >= behind) & (slope < _UNSEEN))


def _filled(depth_z: DepthMap) -> DepthMap:
    """Unknown pixels get the nearest known one's depth; 1 where nothing is known."""
    known = depth_z > 0
    if known.all():
        return depth_z
    if not known.any():
        return np.ones_like(depth_z)
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(depth_z[rows, columns])
