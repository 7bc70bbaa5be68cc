"""The sky, or a backdrop: where a photo shows nothing that stands anywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, UInt8

from recon3d.core.depth import SceneDepth
from recon3d.depth.region_planes import plain_regions

_LEAST_SHARE = 0.01
"""Of the photo: what is smaller may be a part of a thing."""
_MOST_CONFIRMED = 0.05
"""Share of the sky whose depth other photos confirm by chance, along its borders; a wall as plain
gets depth from what is around it."""
_RIM_PX = 8
"""How far beyond an even region, which ends some pixels before an edge, its colour may go on ..."""
_SAME_COLOUR = 10.0
"""... within so many steps of Lab (8 bit) of its mean there."""


def background(rgb: UInt8[np.ndarray, "h0 w0 3"], depth: SceneDepth) -> Bool[np.ndarray, "h w"]:
    """Even parts of a photo as far as its border in which no depth was confirmed.

    rgb: of the photo, of any size; the answer has that of the depth map.
    """
    import cv2

    known = depth.depth_z > 0
    rgb = np.asarray(cv2.resize(rgb, known.shape[::-1], interpolation=cv2.INTER_AREA))
    found = np.zeros(known.shape, bool)
    for region in plain_regions(rgb):
        ends = (region[0], region[-1], region[:, 0], region[:, -1])
        if (
            any(end.any() for end in ends)
            and region.mean() > _LEAST_SHARE
            and known[region].mean() < _MOST_CONFIRMED
        ):
            found |= region
    return _to_the_edge(found, rgb) if found.any() else found


def without_background(rgb: UInt8[np.ndarray, "h0 w0 3"], depth: SceneDepth) -> SceneDepth:
    """A depth map without what windows that match an object's outline carried past it."""
    things = ~background(rgb, depth)
    return replace(
        depth, depth_z=depth.depth_z * things, agreeing_views=depth.agreeing_views * things
    )


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
