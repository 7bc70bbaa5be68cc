"""What the multi-view network is trained for."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recon3d.depth.multiview.network import Estimate, Views

RIGHT = 0.02
"""Relative depth error up to which a pixel counts as right for its confidence."""


def losses(estimate: Estimate, views: Views, depth_z: Tensor) -> dict[str, Tensor]:
    """Parts of the loss, already weighted; their sum is minimised.

    depth_z: (b, h, w), 0 where unknown.
    """
    inverse = views.inverse_range[:, :, None, None]
    truth = (1 / depth_z.clamp_min(1e-6) - inverse[:, 0]) / (inverse[:, 1] - inverse[:, 0])
    # Beyond the range nothing can be right; just outside, the end is the best there is.
    known = (depth_z > 0) & (truth > -0.1) & (truth < 1.1)
    truth = truth.clamp(0, 1)
    half, half_known = truth[:, ::2, ::2], known[:, ::2, ::2]
    quarter, quarter_known = truth[:, 1::4, 1::4], known[:, 1::4, 1::4]
    scale = float(views.planes)
    parts = {
        "planes": _cross_entropy(estimate.logits, quarter, quarter_known),
        "coarse": 0.3 * _distance(estimate.coarse, quarter, quarter_known, scale),
        "fine": 0.6 * _distance(estimate.fine, half, half_known, scale),
        "full": _distance(estimate.full, truth, known, scale),
        "slope": 0.5 * _slope(estimate.full, truth, known, scale),
        "relative": 4.0 * _relative(estimate.full, views, depth_z, known),
    }
    with torch.no_grad():
        error = relative_error(estimate.full, views, depth_z)
        right = (error < RIGHT).float()
    trust = F.binary_cross_entropy_with_logits(estimate.trust, right, reduction="none")
    parts["trust"] = 0.3 * _mean(trust, depth_z > 0)
    return parts


def relative_error(place: Tensor, views: Views, depth_z: Tensor) -> Tensor:
    """|z - truth| / truth for each pixel; meaningless where depth_z is 0."""
    predicted = 1 / views.inverse_depth(place.clamp(0, 1))
    return (predicted - depth_z).abs() / depth_z.clamp_min(1e-6)


def _mean(values: Tensor, known: Tensor) -> Tensor:
    return (values * known).sum() / known.sum().clamp_min(1)


def _cross_entropy(logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Against the two planes next to the truth, shared by nearness."""
    planes = logits.shape[1]
    position = (truth * (planes - 1)).clamp(0, planes - 1 - 1e-3)
    below = position.floor()
    share = position - below
    log_chance = logits.log_softmax(1)
    index = below.long()[:, None]
    lower = log_chance.gather(1, index)[:, 0]
    upper = log_chance.gather(1, index + 1)[:, 0]
    return _mean(-(lower * (1 - share) + upper * share), known)


def _distance(place: Tensor, truth: Tensor, known: Tensor, scale: float) -> Tensor:
    """Root-like beyond a plane: pixels that are lost anyhow must not rule those within reach."""
    error = (place - truth).abs() * scale
    return _mean(torch.log1p(error), known)


def _slope(place: Tensor, truth: Tensor, known: Tensor, scale: float) -> Tensor:
    """Differences between neighbours: sharp edges, flat walls."""
    total = place.new_zeros(())
    for step in (1, 4):
        for dim in (-1, -2):
            length = place.shape[dim] - step
            difference = [
                values.narrow(dim, step, length) - values.narrow(dim, 0, length)
                for values in (place, truth)
            ]
            both = known.narrow(dim, step, length) & known.narrow(dim, 0, length)
            error = (difference[0] - difference[1]).abs() * scale
            total = total + _mean(torch.log1p(error), both)
    return total / 4


def _relative(place: Tensor, views: Views, depth_z: Tensor, known: Tensor) -> Tensor:
    """Far away a plane is a large share of the depth; this counts shares."""
    inverse = views.inverse_depth(place).clamp_min(1e-6)
    error = (inverse.log() + depth_z.clamp_min(1e-6).log()).abs()
    return _mean(error.clamp_max(1.0), known)
