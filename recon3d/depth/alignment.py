"""A predicted depth map is brought to the scene's scale, and its bend is taken out.

Scale and shift in inverse depth: Ranftl et al., "Towards robust monocular depth estimation", TPAMI
    2022 (networks trained on mixed data say inverse depth up to both); they start from pairs by
    the least median: Rousseeuw, "Least median of squares regression", 1984; then come least
    squares reweighted after Cauchy with the spread held down: Yohai's MM-estimator, 1987.
Correction field: networks also bend a scene slowly over the picture, each picture in its own way.
    A spline takes that out where anchors show it, and stays flat where there are none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recon3d.core.depth import DepthKind, PredictedDepth
from recon3d.core.errors import AlignmentError
from recon3d.depth.anchors import Anchors
from recon3d.depth.spline import field_at, field_basis, field_map, roughness

_CAUCHY = 2.385
"""95 % efficient where all errors are Gaussian."""
_ROUNDS = 10
_PAIRS = 256
_NODE_STEP = 0.1
"""Expected difference of the log correction between neighbouring nodes."""
_NODE_SIZE = 0.3
"""Expected size of the log correction at a node."""
FINEST = 0.01
"""No network is more exact than this share of the depth. A fit can pass through a few anchors
exactly, and what is left at them then says nothing."""
_DOUBT = 0.05
"""Left at the anchors, this share of the depth halves the confidence."""
_BEYOND = 10.0
"""Depth this many times farther than the farthest anchor is a guess, and counts as unknown."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """inverse depth = exp(field) * (scale * said + shift), per pixel.

    `said` is what the network says: inverse depth up to scale and shift, or 1 / depth.
    """

    kind: DepthKind
    scale: float
    shift: float
    field: Float[np.ndarray, "rows columns"] | None
    """Log correction at the nodes of a spline."""
    error: float
    """One robust standard deviation of what is left at the anchors, as a share of the depth."""
    farthest: float
    """Depth beyond which nothing is known, scene units."""

    def depth_at(
        self, values: Float[np.ndarray, "n"], uv: Float[np.ndarray, "n 2"]
    ) -> Float[np.ndarray, "n"]:
        """Depth_z, scene units, at places whose predicted values are known; 0 = unknown."""
        return self._depth(values, 0.0 if self.field is None else field_at(self.field, uv))

    def apply(self, prediction: PredictedDepth) -> PredictedDepth:
        """The prediction in scene units, and believed the less, the worse it fits the anchors."""
        camera = prediction.camera
        correction: float | Float[np.ndarray, "h w"] = 0.0
        if self.field is not None:
            field = field_map(self.field, camera.width_px, camera.height_px)
            correction = field.astype(np.float32)
        depth_z = self._depth(prediction.values, correction).astype(np.float32)
        belief = 1 / (1 + (self.error / _DOUBT) ** 2)
        confidence = np.where(depth_z > 0, belief * prediction.confidence, 0).astype(np.float32)
        return PredictedDepth(depth_z, "scene", confidence, camera)

    def _depth(
        self, values: Float[np.ndarray, "*n"], correction: float | Float[np.ndarray, "*n"]
    ) -> Float[np.ndarray, "*n"]:
        inverse = (self.scale * _said(values, self.kind) + self.shift) * np.exp(correction)
        known = (values > 0) & (inverse * self.farthest > 1)
        return np.divide(1.0, inverse, out=np.zeros_like(inverse), where=known)


def fit_alignment(
    kind: DepthKind,
    values: Float[np.ndarray, "n"],
    anchors: Anchors,
    nodes: tuple[int, int] | None,
    least: int,
) -> Alignment:
    """Fit a relative or metric prediction to anchors.

    Args:
        kind: What the values mean, as in PredictedDepth; metric ones get no shift.
        values: Predicted at the anchors, as `sample` gives them; 0 = unknown.
        anchors: Known depths.
        nodes: Rows and columns of the correction field; None for no field.
        least: Fewer anchors than this are refused.

    Raises:
        AlignmentError: too few anchors, or the prediction contradicts them.
    """
    usable = values > 0
    if usable.sum() < least:
        raise AlignmentError(
            f"only {usable.sum()} points of known depth lie on its map, {least} are needed"
        )
    anchors = anchors.where(usable)
    sigma = np.hypot(anchors.sigma, FINEST)
    said, target = _said(values[usable].astype(np.float64), kind), 1 / anchors.depth_z
    scale, shift = (
        fit_scale_and_shift(said, target, target * sigma)
        if kind == "relative"
        else (_fit_scale(said, target, sigma), 0.0)
    )
    if scale <= 0:
        raise AlignmentError("the network takes near for far")
    line = scale * said + shift
    ahead = line > 0
    left = np.log(target[ahead] / line[ahead])
    field = None
    if nodes is not None:
        basis = field_basis(anchors.uv[ahead], *nodes)
        field = _fit_field(basis, left, sigma[ahead], nodes)
        left = left - basis @ field.ravel()
    return Alignment(kind, scale, shift, field, _spread(left), _BEYOND * anchors.depth_z.max())


def fit_scale_and_shift(
    said: Float[np.ndarray, "n"], target: Float[np.ndarray, "n"], sigma: Float[np.ndarray, "n"]
) -> tuple[float, float]:
    """The scale and shift of target = scale * said + shift; up to 40 % of it may be nonsense.

    Args:
        said: Positive numbers.
        target: Positive numbers.
        sigma: One standard deviation of each target, above 0; what said itself is wrong by is
            estimated.

    Raises:
        AlignmentError: said is the same everywhere.
    """
    unit = np.median(said)
    design = np.stack([said / unit, np.ones_like(said)], axis=1)
    start = _least_median_line(design[:, 0], target)
    # Before a flat wall any shift fits; the prior then chooses one near none.
    prior = np.diag([0.0, 1 / (3 * np.median(target)) ** 2])
    slope, shift = _reweighted(design, target, sigma, prior, start)
    return float(slope / unit), float(shift)


def sample(
    values: Float[np.ndarray, "h w"], uv: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n"]:
    """Bilinear between pixel centres, edges repeat; 0 beside unknown (0) pixels."""
    height, width = values.shape
    x = (uv[:, 0] * width - 0.5).clip(0, width - 1)
    y = (uv[:, 1] * height - 0.5).clip(0, height - 1)
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right, below = np.minimum(column + 1, width - 1), np.minimum(row + 1, height - 1)
    x, y = x - column, y - row
    corners = values[[row, row, below, below], [column, right, column, right]]
    weights = np.stack([(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x])
    return np.where((corners > 0).all(0), (corners * weights).sum(0), 0.0)


def _said(values: Float[np.ndarray, "*n"], kind: DepthKind) -> Float[np.ndarray, "*n"]:
    """Inverse depth as the network means it; 0 = unknown."""
    if kind == "relative":
        return values
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)


def _fit_scale(
    said: Float[np.ndarray, "n"], target: Float[np.ndarray, "n"], sigma: Float[np.ndarray, "n"]
) -> float:
    """In log, because the errors of metric networks grow with the depth."""
    ratio, design = np.log(target / said), np.ones((len(said), 1))
    start = np.array([np.median(ratio)])
    return float(np.exp(_reweighted(design, ratio, sigma, np.zeros((1, 1)), start)[0]))


def _least_median_line(
    x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "2"]:
    """Slope and offset of the line through two of the points that leaves the least median error."""
    # Always the same pairs: the same photos must give the same depth.
    first, second = np.random.default_rng(0).integers(0, len(x), (2, _PAIRS))
    apart = x[first] != x[second]
    first, second = first[apart], second[apart]
    if len(first) == 0:
        raise AlignmentError("the network says the same depth everywhere")
    slope = (y[first] - y[second]) / (x[first] - x[second])
    offset = y[first] - slope * x[first]
    errors = np.median(np.abs(slope[:, None] * x + offset[:, None] - y), axis=1)
    return np.array([slope[errors.argmin()], offset[errors.argmin()]])


def _fit_field(
    basis: Float[np.ndarray, "n k"],
    left: Float[np.ndarray, "n"],
    sigma: Float[np.ndarray, "n"],
    nodes: tuple[int, int],
) -> Float[np.ndarray, "rows columns"]:
    """The most likely nodes, given how much they are expected to differ and to depart from 0."""
    prior = roughness(*nodes) / _NODE_STEP**2 + np.eye(basis.shape[1]) / _NODE_SIZE**2
    start = np.zeros(basis.shape[1])
    return _reweighted(basis, left, sigma, prior, start).reshape(nodes)


def _reweighted(
    design: Float[np.ndarray, "n k"],
    target: Float[np.ndarray, "n"],
    sigma: Float[np.ndarray, "n"],
    prior: Float[np.ndarray, "k k"],
    start: Float[np.ndarray, "k"],
) -> Float[np.ndarray, "k"]:
    """Least squares with Cauchy's weights; the network adds its own error to the anchors'."""
    found, spread = start, np.inf
    for _ in range(_ROUNDS):
        errors = target - design @ found
        # Never wider: with 40 % of outliers a spread that follows the fit pulls it after them.
        spread = min(spread, _spread(errors))
        weighted = design.T / (sigma**2 + spread**2 + (errors / _CAUCHY) ** 2)
        found = np.linalg.solve(weighted @ design + prior, weighted @ target)
    return found


def _spread(errors: Float[np.ndarray, "n"]) -> float:
    """One standard deviation of the inliers; above 0 where all is exact."""
    return max(1.4826 * float(np.median(np.abs(errors))), 1e-12)
