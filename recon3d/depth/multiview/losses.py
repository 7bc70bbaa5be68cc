"""What the multi-view network is trained for."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recon3d.depth.multiview.edges import near_edges
from recon3d.depth.multiview.network import Estimate, Views

RIGHT = 0.02
"""Relative depth error up to which a pixel counts as right for its confidence."""


_AT_EDGES = 4.0
"""How much more a pixel counts that lies near a depth edge."""
_OPEN = 0.3
"""How much a pixel counts of what lies far beyond the range: the sky, blurred backgrounds."""


def losses(estimate: Estimate, views: Views, depth_z: Tensor) -> dict[str, Tensor]:
    """Parts of the loss, already weighted; their sum is minimised.

    Beyond the range, and where nothing is, the far end is the best answer and none deserves trust:
    whoever is not told so draws the surface on across its outline.

    depth_z: (b, h, w), 0 where nothing is.
    """
    inverse = views.inverse_range[:, :, None, None]
    inverse_z = torch.where(depth_z > 0, 1 / depth_z.clamp_min(1e-6), 0.0)
    truth = (inverse_z - inverse[:, 0]) / (inverse[:, 1] - inverse[:, 0])
    # Before the range nothing can be right; just outside, the end is the best there is.
    within = (truth > -0.1) & (truth < 1.1)
    weight = torch.where(within, 1.0, torch.where(truth < 0, _OPEN, 0.0))
    weight = weight * torch.where(near_edges(depth_z), _AT_EDGES, 1.0)
    truth = truth.clamp(0, 1)
    half, half_weight = truth[:, ::2, ::2], weight[:, ::2, ::2]
    quarter, quarter_weight = truth[:, 1::4, 1::4], weight[:, 1::4, 1::4]
    scale = float(views.planes)
    parts = {
        "planes": _cross_entropy(estimate.logits, quarter, quarter_weight),
        "coarse": 0.3 * _distance(estimate.coarse, quarter, quarter_weight, scale),
        "fine": 0.6 * _distance(estimate.fine, half, half_weight, scale),
        "full": _distance(estimate.full, truth, weight, scale),
        "slope": 0.5 * _slope(estimate.full, truth, weight, scale),
        "relative": 4.0 * _relative(estimate.full, views, depth_z, weight * within),
    }
    with torch.no_grad():
        right = is_right(estimate.full, views, depth_z).float()
    trust = F.binary_cross_entropy_with_logits(estimate.trust, right, reduction="none")
    parts["trust"] = 0.3 * _mean(trust, weight.clamp_min(_OPEN))
    return parts


def is_right(place: Tensor, views: Views, depth_z: Tensor) -> Tensor:
    """Which pixels are within RIGHT of the truth; none is where nothing is."""
    return (depth_z > 0) & (relative_error(place, views, depth_z) < RIGHT)


def relative_error(place: Tensor, views: Views, depth_z: Tensor) -> Tensor:
    """|z - truth| / truth for each pixel; meaningless where depth_z is 0."""
    predicted = 1 / views.inverse_depth(place.clamp(0, 1))
    return (predicted - depth_z).abs() / depth_z.clamp_min(1e-6)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp_min(1)


def _cross_entropy(logits: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Against the two planes next to the truth, shared by nearness."""
    planes = logits.shape[1]
    position = (truth * (planes - 1)).clamp(0, planes - 1 - 1e-3)
    below = position.floor()
    share = position - below
    log_chance = logits.log_softmax(1)
    index = below.long()[:, None]
    lower = log_chance.gather(1, index)[:, 0]
    upper = log_chance.gather(1, index + 1)[:, 0]
    return _mean(-(lower * (1 - share) + upper * share), weight)


def _distance(place: Tensor, truth: Tensor, weight: Tensor, scale: float) -> Tensor:
    """Root-like beyond a plane: pixels that are lost anyhow must not rule those within reach."""
    error = (place - truth).abs() * scale
    return _mean(torch.log1p(error), weight)


def _slope(place: Tensor, truth: Tensor, weight: Tensor, scale: float) -> Tensor:
    """Differences between neighbours: sharp edges, flat walls."""
    total = place.new_zeros(())
    for step in (1, 4):
        for dim in (-1, -2):
            length = place.shape[dim] - step
            difference = [
                values.narrow(dim, step, length) - values.narrow(dim, 0, length)
                for values in (place, truth)
            ]
            both = torch.minimum(weight.narrow(dim, step, length), weight.narrow(dim, 0, length))
            error = (difference[0] - difference[1]).abs() * scale
            total = total + _mean(torch.log1p(error), both)
    return total / 4


def _relative(place: Tensor, views: Views, depth_z: Tensor, weight: Tensor) -> Tensor:
    """Far away a plane is a large share of the depth; this counts shares."""
    inverse = views.inverse_depth(place).clamp_min(1e-6)
    error = (inverse.log() + depth_z.clamp_min(1e-6).log()).abs()
    return _mean(error.clamp_max(1.0), weight)
