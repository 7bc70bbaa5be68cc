"""Masks of small photos at full size, their edges where the photo's own are."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

_RADIUS_PX = 3
"""Of the window in which mask and photo are compared, in pixels of the small photo."""
_EVEN = 0.03
"""Brightness differences that are no edges, of a photo from 0 to 1."""
_STRIP_ROWS = 512


def at_full_size(
    mask: Bool[np.ndarray, "h w"],
    small: UInt8[np.ndarray, "h w 3"],
    rgb: UInt8[np.ndarray, "H W 3"],
) -> Bool[np.ndarray, "H W"]:
    """Bring a mask to the size of its photo by a guided filter.

    The mask is taken for linear in the photo's brightness within every small window, and the line
    holds at full size too (He and Sun, "Fast guided filter", 2015).

    Args:
        mask: Of the small photo.
        small: The photo at the size of the mask.
        rgb: The photo.
    """
    if mask.shape == rgb.shape[:2]:
        return mask
    guide, wanted = _grey(small), mask.astype(np.float32)
    mean_guide, mean_wanted = _mean(guide), _mean(wanted)
    slope = _mean(guide * wanted) - mean_guide * mean_wanted
    slope /= _mean(guide * guide) - mean_guide**2 + _EVEN**2
    offset = mean_wanted - slope * mean_guide
    slope, offset = _mean(slope), _mean(offset)
    height_px, width_px = rgb.shape[:2]
    kept = np.empty((height_px, width_px), bool)
    # In strips: floats of a whole photo would take many times its own memory.
    for top in range(0, height_px, _STRIP_ROWS):
        strip = _grey(rgb[top : top + _STRIP_ROWS])
        lines = (_strip(each, top, len(strip), (height_px, width_px)) for each in (slope, offset))
        kept[top : top + len(strip)] = next(lines) * strip + next(lines) > 0.5
    return kept


def _grey(rgb: UInt8[np.ndarray, "h w 3"]) -> np.ndarray:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255


def _mean(values: np.ndarray) -> np.ndarray:
    side = 2 * _RADIUS_PX + 1
    return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT))


def _strip(values: np.ndarray, top: int, rows: int, size: tuple[int, int]) -> np.ndarray:
    """Some rows of a map enlarged to a size (rows, columns)."""
    down, across = values.shape[0] / size[0], values.shape[1] / size[1]
    # Pixel centres at half-integers; OpenCV has them at integers.
    small_from_strip = np.array(
        [[across, 0, across / 2 - 0.5], [0, down, down * (top + 0.5) - 0.5]], np.float64
    )
    return np.asarray(
        cv2.warpAffine(
            values,
            small_from_strip,
            (size[1], rows),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )
