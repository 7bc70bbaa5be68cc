"""The sky, or a backdrop: where a photo shows nothing that stands anywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, UInt8

from recon3d.core.depth import SceneDepth
from recon3d.depth.contrast import visible
from recon3d.depth.region_planes import plain_regions

_LEAST_SHARE = 0.01
"""Of the photo: what is smaller may be a part of a thing."""
_MOST_CONFIRMED = 0.05
"""Share of the sky whose depth other photos confirm by chance, along its borders; a wall as plain
gets depth from what is around it."""
_CARRIED_SHARE = 0.025
"""Of the photo's longer side that windows of the coarsest search reach."""
_RIM_PX = 8
"""How far beyond an even region, which ends some pixels before an edge, its colour may go on ..."""
_SAME_COLOUR = 10.0
"""... within so many steps of Lab (8 bit) of its mean there."""


def background(
    rgb: UInt8[np.ndarray, "h0 w0 3"], depth: SceneDepth, mask: Bool[np.ndarray, "h1 w1"] | None
) -> Bool[np.ndarray, "h w"]:
    """Even parts of a photo as far as its border in which no depth was confirmed.

    Confirmed depth far inside of one stays a thing: an egg on a white table.

    Args:
        rgb: The photo, of any size.
        depth: Of it; the answer has its size.
        mask: What of the photo is kept, of any size; elsewhere nothing is background.
    """
    import cv2

    known = depth.depth_z > 0
    size = known.shape[::-1]
    rgb = visible(np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)))
    kept = np.ones(known.shape, bool)
    if mask is not None:
        kept = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    found, things = np.zeros(known.shape, bool), ~kept
    for region in plain_regions(rgb):
        region &= kept
        ends = (region[0], region[-1], region[:, 0], region[:, -1])
        if (
            any(end.any() for end in ends)
            and region.mean() > _LEAST_SHARE
            and known[region].mean() < _MOST_CONFIRMED
        ):
            found |= region
            things |= known & _deep_inside(region)
    return _to_the_edge(found, rgb) & ~things if found.any() else found


def without_background(
    rgb: UInt8[np.ndarray, "h0 w0 3"], depth: SceneDepth, mask: Bool[np.ndarray, "h1 w1"] | None
) -> SceneDepth:
    """A depth map without what windows that match an object's outline carried past it."""
    things = ~background(rgb, depth, mask)
    return replace(
        depth, depth_z=depth.depth_z * things, agreeing_views=depth.agreeing_views * things
    )


def _deep_inside(region: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Where no window that reaches beyond a region carries depth; the photo's border is no end."""
    import cv2

    padded = np.pad(region, 1, constant_values=True).astype(np.uint8)
    away_px = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    return np.asarray(away_px > _CARRIED_SHARE * max(region.shape))


def _to_the_edge(
    region: Bool[np.ndarray, "h w"], rgb: UInt8[np.ndarray, "h w 3"]
) -> Bool[np.ndarray, "h w"]:
    """A region and the pixels around it that have its colour."""
    import cv2

    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    window = (2 * _RIM_PX + 1,) * 2
    share = cv2.blur(region.astype(np.float32), window)
    # Means leave a trace of rounding where a window holds nothing of the region.
    is_near = share > 0.5 / window[0] ** 2
    mean = cv2.blur(lab * region[..., None], window) / np.where(is_near, share, 1)[..., None]
    return region | (is_near & (np.abs(lab - mean).max(axis=-1) < _SAME_COLOUR))
