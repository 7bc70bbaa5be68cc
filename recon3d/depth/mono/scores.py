"""The numbers by which networks that see one photo are compared, and their crops and scales.

Errors and accuracies: Eigen et al., "Depth map prediction from a single image using a multi-scale
    deep network", NeurIPS 2014; SILog as the KITTI benchmark defines it (Uhrig et al. 2017).
Crops: Eigen's for NYU Depth v2 and KITTI, and Garg et al., "Unsupervised CNN for single view depth
    estimation", ECCV 2016, for KITTI.
Scale: by the median, Zhou et al. 2017; scale and shift of the inverse depth, Ranftl et al. 2020.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

Crop = Literal["none", "eigen", "garg"]
Scaling = Literal["none", "median", "affine"]

NEAREST_M = 1e-3
"""The benchmarks count no truth and no prediction nearer than this."""

# Top, bottom, left, right as shares of the photo's height and width.
_NYU_EIGEN = (45 / 480, 471 / 480, 41 / 640, 601 / 640)
_KITTI_EIGEN = (0.3324324, 0.91351351, 0.0359477, 0.96405229)
_KITTI_GARG = (0.40810811, 0.99189189, 0.03594771, 0.96405229)


@dataclass(frozen=True)
class DepthScores:
    """Of one photo; every one is NaN where no pixel could be compared."""

    abs_rel: float
    """Mean of |depth - truth| / truth."""
    sq_rel: float
    """Mean of (depth - truth)^2 / truth, in the truth's unit."""
    rmse: float
    """In the truth's unit."""
    rmse_log: float
    """Of the natural logarithms."""
    log10: float
    """Mean of |log10 depth - log10 truth|."""
    silog: float
    """100 times the standard deviation of the log errors: what no scale can mend."""
    delta1: float
    """Share with max(depth / truth, truth / depth) < 1.25."""
    delta2: float
    """The same below 1.25^2."""
    delta3: float
    """The same below 1.25^3."""
    coverage: float
    """Share of the true pixels that have a depth at all; the other numbers leave the rest out."""


_UNMEASURED = DepthScores(*(float("nan"),) * 10)


def depth_scores(depth_z: Float[np.ndarray, "*n"], truth_z: Float[np.ndarray, "*n"]) -> DepthScores:
    """Compare depth in the truth's unit; 0 is unknown on both sides."""
    true = truth_z > 0
    both = true & (depth_z > 0)
    if not both.any():
        return replace(_UNMEASURED, coverage=0.0) if true.any() else _UNMEASURED
    depth, truth = depth_z[both].astype(np.float64), truth_z[both].astype(np.float64)
    error = depth - truth
    log_error = np.log(depth / truth)
    factor = np.exp(np.abs(log_error))
    return DepthScores(
        abs_rel=float(np.mean(np.abs(error) / truth)),
        sq_rel=float(np.mean(error**2 / truth)),
        rmse=float(np.sqrt(np.mean(error**2))),
        rmse_log=float(np.sqrt(np.mean(log_error**2))),
        log10=float(np.mean(np.abs(log_error)) / np.log(10)),
        silog=float(100 * np.std(log_error)),
        delta1=float(np.mean(factor < 1.25)),
        delta2=float(np.mean(factor < 1.25**2)),
        delta3=float(np.mean(factor < 1.25**3)),
        coverage=len(depth) / int(true.sum()),
    )


def benchmark_crop(
    height_px: int, width_px: int, crop: Crop, *, kitti: bool
) -> Bool[np.ndarray, "h w"]:
    """Which pixels a benchmark counts; `eigen` depends on whether the photo is one of KITTI's."""
    inside = np.zeros((height_px, width_px), bool)
    if crop == "none":
        return ~inside
    shares = _KITTI_GARG if crop == "garg" else _KITTI_EIGEN if kitti else _NYU_EIGEN
    top, bottom = (int(share * height_px) for share in shares[:2])
    left, right = (int(share * width_px) for share in shares[2:])
    inside[top:bottom, left:right] = True
    return inside


def scaled_to_truth(
    depth_z: Float[np.ndarray, "h w"], truth_z: Float[np.ndarray, "h w"], scaling: Scaling
) -> Float[np.ndarray, "h w"]:
    """Take from the truth what a relative prediction cannot know; 0 is and stays unknown.

    median brings the medians together; affine fits scale and shift of the inverse depth by least
    squares, and what it would put at infinity or behind the camera becomes unknown.
    """
    both = (depth_z > 0) & (truth_z > 0)
    if scaling == "none" or not both.any():
        return depth_z
    if scaling == "median":
        factor = np.median(truth_z[both]) / np.median(depth_z[both])
        return (depth_z * factor).astype(depth_z.dtype)
    inverse = np.divide(1.0, depth_z, out=np.zeros(depth_z.shape), where=depth_z > 0)
    design = np.stack([inverse[both], np.ones(int(both.sum()))], axis=1)
    (scale, shift), *_ = np.linalg.lstsq(design, 1.0 / truth_z[both].astype(np.float64), rcond=None)
    fitted = scale * inverse + shift
    ahead = (depth_z > 0) & (fitted > 0)
    aligned = np.divide(1.0, fitted, out=np.zeros(depth_z.shape), where=ahead)
    return aligned.astype(depth_z.dtype)
