"""Depth estimators by name, ours and those of other packages."""

from __future__ import annotations

from recon3d.core.depth import DepthEstimator
from recon3d.run.device import Runtime


def make_estimator(model: str, runtime: Runtime) -> DepthEstimator:
    """Make the estimator of one name, of the entry-point group `recon3d.depth_estimators`."""
    raise NotImplementedError
