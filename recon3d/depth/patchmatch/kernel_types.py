"""What the search works on, as the kernel takes it: arrays and plain numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64

WORST = np.float32(2.0)
"""Cost of what is inverted, or off the photo; of what is alike it is 0."""


class Photos(NamedTuple):
    """A reference and its sources at one resolution."""

    reference: Float32[np.ndarray, "h w"]
    """Grey, 0 to 255."""
    sources: Float32[np.ndarray, "s p"]
    """One row of pixels after the other, each of `stride`."""
    stride: int
    sizes: Int64[np.ndarray, "s 2"]
    """Height and width that each source fills of its part."""
    source_from_px: Float32[np.ndarray, "s 3 4"]
    """From (x, y, 1, w) of the reference to homogeneous pixels of the sources."""
    px_from_source: Float32[np.ndarray, "s 3 4"]
    """And back."""
    inverse_z: Float32[np.ndarray, "s sh sw"]
    """Inverse depth of the sources, 0 = unknown; one by one pixel where it does not count."""


class Priors(NamedTuple):
    """Planes that a pixel would have if its photo said nothing."""

    planes: Float32[np.ndarray, "p h w 3"]
    strength: Float32[np.ndarray, "p h w"]
    """What being far from the plane costs; 0 = there is none."""
    slope_matters: Bool[np.ndarray, "p"]


class State(NamedTuple):
    """The planes of a photo's pixels, written as they get better."""

    planes: Float32[np.ndarray, "h w 3"]
    cost: Float32[np.ndarray, "h w"]
    """Of all terms."""
    unlike: Float32[np.ndarray, "h w"]
    """1 - NCC of the window, over the sources that count."""
    counts: Bool[np.ndarray, "h w s"]
    """Which sources do."""


class Numbers(NamedTuple):
    """The numbers of the method at one resolution."""

    focal_px: np.float32
    least: np.float32
    """Inverse depth of what is farthest ..."""
    most: np.float32
    """... and nearest."""
    noise: np.float32
    """Variance of camera noise in grey levels squared."""
    edge: np.float32
    """Twice the squared difference of grey at which a sample is no longer of the same surface."""
    texture: np.float32
    """Variance of a window, grey levels squared, at which priors count half."""
    spread: np.float32
    """Distance from a prior that counts as far, as a share of the depth ..."""
    tilt: np.float32
    """... and as the tangent of an angle."""
    disagree: np.float32
    """Cost of a pixel's distance between a point and where its source's depth brings it back."""
