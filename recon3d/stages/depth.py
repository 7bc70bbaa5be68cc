"""Every placed photo gets a dense depth map from an estimator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recon3d.core.depth import DepthEstimator, PredictedDepth
from recon3d.core.scene import PosedPhotos
from recon3d.run.task import Task

VERSION = 1


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


def estimate_depth(
    posed: PosedPhotos, estimator: DepthEstimator, config: DepthConfig, folder: Path, task: Task
) -> None:
    """Predict a depth map for every view into `folder`, one file each."""
    raise NotImplementedError


def read_predictions(folder: Path) -> Mapping[str, PredictedDepth]:
    """Read what `estimate_depth` wrote, one file when asked."""
    raise NotImplementedError
