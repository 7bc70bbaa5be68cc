"""Every placed photo gets a dense depth map from an estimator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DepthConfig:
    """How dense depth is predicted."""

    model: str = "auto"
    """Name of a depth estimator. auto: the depth camera's own maps where there are some,
    else planesweep."""

    resolution_px: int = 1600
    """Longest side of the depth maps in pixels. Halving it is about four times faster and
    loses fine detail."""

    source_views: int = 5
    """Other photos that each one is compared with. More help where things hide each other."""

    planes: int = 128
    """At most this many depths are tried per pixel in the first pass."""


@dataclass(frozen=True, kw_only=True)
class RefineConfig:
    """How depth maps are checked against each other."""

    min_views: int = 2
    """Other views that must confirm a pixel... """
