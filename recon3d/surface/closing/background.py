"""What of a photo shows things, and what only background."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

from recon3d.core.depth import SceneDepth
from recon3d.core.scene import PosedPhotos, View
from recon3d.depth.region_planes import plain_regions

_LEAST_SHARE = 0.01
"""Of the photo: what is smaller may be a part of a thing."""
_MOST_CONFIRMED = 0.05
"""Share of the sky whose depth other photos confirm by chance, along its borders; a wall as plain
gets depth from what is around it."""


def shown(
    view: View, posed: PosedPhotos, depth: Mapping[str, SceneDepth]
) -> Bool[np.ndarray, "h w"] | None:
    """Where a photo shows things, at any size; None = everywhere.

    Neither what its mask leaves out, nor the sky or a backdrop: an even part as far as the photo's
    border, in which no depth was confirmed. What a depth camera has not seen may be anything.
    """
    import cv2

    mask, found = posed.masks.get(view.photo_id), depth.get(view.photo_id)
    if found is None or posed.sensor_depth:
        return mask
    known = found.depth_z > 0
    size = known.shape[::-1]
    rgb = cv2.resize(posed.rgb[view.photo_id], size, interpolation=cv2.INTER_AREA)
    things = np.ones(known.shape, bool)
    if mask is not None:
        things = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    for region in plain_regions(np.asarray(rgb)):
        ends = (region[0], region[-1], region[:, 0], region[:, -1])
        if (
            any(end.any() for end in ends)
            and region.mean() > _LEAST_SHARE
            and known[region].mean() < _MOST_CONFIRMED
        ):
            things &= ~region
    return things
