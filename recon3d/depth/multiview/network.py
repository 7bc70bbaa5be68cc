"""The multi-view network: photos, cameras and sparse points in, inverse depth and trust out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recon3d.depth.multiview.blocks import Conv2d, Encoder, Pointwise3d, VolumeUNet, enlarge
from recon3d.depth.multiview.matching import Ncc, correlation, inside, sample, source_grid

_CHANNELS = (16, 32, 48, 64, 64)
"""Of the photo's features at 1/2, 1/4, ... 1/32 of its size."""
_GROUPS = 4
_MATCH_CHANNELS = (8, 16)
"""Of the features that are compared, at 1/2 and 1/4."""
_COARSE = (16, 24, 32, 48)
_FINE = (12, 16, 24)
_SAMPLES = 12
"""Depths tried around the coarse result."""
SIZE_STEP = 32
"""Widths and heights must be multiples of this."""


@dataclass(frozen=True, eq=False)
class Views:
    """A batch of reference photos and their sources."""

    reference: Tensor
    """(b, 3, h, w), 0 to 1; h and w multiples of SIZE_STEP."""
    sources: Sequence[Tensor]
    """(b, 3, h', w') each, 0 to 1, likewise; sizes may differ between sources."""
    projections: Sequence[Tensor]
    """(b, 3, 4) for each source, see matching.py."""
    sparse: Tensor
    """(b, h / 4, w / 4): place in the range (see Estimate) of a sparse point, -1 without one."""
    inverse_range: Tensor
    """(b, 2): inverse depth of place 0 and of place 1."""
    planes: int = 64
    """Depths tried first."""

    def inverse_depth(self, place: Tensor) -> Tensor:
        """Places (b, ...) in the range as inverse depths."""
        ends = self.inverse_range.view(-1, 2, *(1,) * (place.dim() - 1))
        return ends[:, 0] + place * (ends[:, 1] - ends[:, 0])


@dataclass(frozen=True, eq=False)
class Estimate:
    """Depth as place in the inverse range: 0 = farthest, 1 = nearest.

    All (b, h, w), at a quarter, a half and the whole of the reference's size.
    """

    logits: Tensor
    """(b, planes, h / 4, w / 4) over all depths, far to near."""
    coarse: Tensor
    fine: Tensor
    full: Tensor
    trust: Tensor
    """Logit of the chance that `full` is right, at full size."""


class MultiViewNet(nn.Module):
    """Coarse-to-fine plane sweep with learned features, view weights and regularisation.

    After MVSNet (Yao et al. 2018), CasMVSNet (Gu et al. 2020), Vis-MVSNet (Zhang et al. 2020) and
    RAFT's upsampling (Teed and Deng 2020). Beside learned features every plane also shows the
    network the classical matching cost and the sparse points.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder(_CHANNELS, _MATCH_CHANNELS)
        self.view_weight = nn.Sequential(
            Pointwise3d(_GROUPS + 1, 8), nn.ReLU(inplace=True), Pointwise3d(8, 1)
        )
        self.coarse = VolumeUNet(_GROUPS + 4, _COARSE, _CHANNELS[1:])
        self.coarse_head = Pointwise3d(_COARSE[0], 1)
        self.fine = VolumeUNet(_GROUPS // 2 + 4, _FINE, _CHANNELS[: len(_FINE)])
        self.fine_head = Pointwise3d(_FINE[0], 1)
        self.picture = Conv2d(_CHANNELS[0] + _FINE[0] + 4, 32)
        self.weights_head = nn.Conv2d(32, 4 * 9, 1)
        self.trust_head = nn.Sequential(Conv2d(32, 16), nn.Conv2d(16, 1, 1))

    def forward(self, views: Views) -> Estimate:
        """Depth of the reference photos."""
        features, half, quarter = self.encoder(_standardised(views.reference))
        looks = [
            self._look(photo, projection)
            for photo, projection in zip(views.sources, views.projections, strict=True)
        ]
        ncc = Ncc(_half_grey(views.reference))

        volume, weights = self._all_planes(views, quarter, looks, ncc)
        logits = self.coarse_head(self.coarse(volume, features[1:]))[:, 0].float()
        coarse, spread = _peak(logits)

        centre, reach = _search_range(coarse, spread, views.planes)
        offsets = torch.linspace(-1, 1, _SAMPLES, device=centre.device).view(1, -1, 1, 1)
        places = centre[:, None] + reach[:, None] * offsets
        matches = self._around(views.inverse_depth(places), half, looks, ncc, weights)
        steps = reach[:, None] * (views.planes / 8)
        extra = torch.stack([x.expand_as(places) for x in (offsets, steps)], 1)
        shape = self.fine(torch.cat([matches, extra], 1), features[: len(_FINE)])
        chance = self.fine_head(shape)[:, 0].float().softmax(1)
        fine = centre + reach * (chance * offsets).sum(1)

        match = (matches[:, _GROUPS // 2] * chance).sum(1, keepdim=True)
        known = [chance.amax(1, keepdim=True), steps, match, enlarge(spread[:, None])]
        shape = (shape * chance[:, None]).sum(2)
        picture = self.picture(torch.cat([features[0], shape, *known], 1))
        full = _convex_upsampled(fine, self.weights_head(picture).float())
        trust = enlarge(self.trust_head(picture))[:, 0].float()
        return Estimate(logits, coarse, fine, full, trust)

    def _look(self, photo: Tensor, projection: Tensor) -> _Look:
        _, half, quarter = self.encoder(_standardised(photo))
        return _Look(half, quarter, _half_grey(photo), projection)

    def _all_planes(
        self, views: Views, reference: Tensor, looks: Sequence[_Look], ncc: Ncc
    ) -> tuple[Tensor, list[Tensor]]:
        """Matching volume over the whole range, and every source's weight (b, 1, h, w)."""
        batch, _, height, width = reference.shape
        place = torch.linspace(0, 1, views.planes, device=reference.device).view(1, -1, 1, 1)
        inverse = views.inverse_depth(place.expand(batch, -1, 1, 1))
        mean = _Mean(len(looks))
        best = second = torch.full((), -1.0, device=reference.device)
        weights = []
        for look in looks:
            grid = source_grid(look.projection, inverse, (height, width))
            scores = correlation(reference, sample(look.quarter, grid), _GROUPS)
            with torch.no_grad():
                finer = source_grid(look.projection, inverse, (2 * height, 2 * width))
                alike = F.avg_pool2d(ncc(sample(look.grey, finer)[:, 0]), 2)
                best, second = _two_best(best, second, alike)
            scores = torch.cat([scores, alike[:, None].to(scores.dtype)], 1)
            visible = inside(grid)
            # A source is as useful as its best plane: where it sees something else, none matches.
            useful = torch.where(visible > 0, self.view_weight(scores)[:, 0].float(), -6.0)
            weights.append(useful.amax(1, keepdim=True).sigmoid())
            mean.add(scores, weights[-1] * visible)
        alike = (best + second)[:, None] / 2 if len(looks) > 1 else best[:, None]
        distance = (place - views.sparse[:, None]) * (views.planes - 1)
        points = torch.exp(-0.5 * distance.square()) * (views.sparse[:, None] >= 0)
        return torch.cat([*mean.result(), alike, points[:, None]], 1), weights

    def _around(
        self,
        inverse_depth: Tensor,
        reference: Tensor,
        looks: Sequence[_Look],
        ncc: Ncc,
        weights: Sequence[Tensor],
    ) -> Tensor:
        """Matching volume at chosen depths (b, n, h, w), at half the photo's size."""
        *_, height, width = reference.shape
        mean = _Mean(len(looks))
        for look, weight in zip(looks, weights, strict=True):
            grid = source_grid(look.projection, inverse_depth, (height, width))
            scores = correlation(reference, sample(look.half, grid), _GROUPS // 2)
            with torch.no_grad():
                alike = ncc(sample(look.grey, grid)[:, 0])[:, None]
            scores = torch.cat([scores, alike.to(scores.dtype)], 1)
            larger = F.interpolate(weight, scale_factor=2, mode="nearest")
            mean.add(scores, larger * inside(grid))
        return torch.cat(mean.result(), 1)


@dataclass(frozen=True, eq=False)
class _Look:
    """A source, encoded."""

    half: Tensor
    quarter: Tensor
    grey: Tensor
    projection: Tensor


class _Mean:
    """Weighted mean over sources of (b, c, n, h, w) scores."""

    def __init__(self, sources: int) -> None:
        self._sources = sources
        self._total: Tensor | None = None
        self._weight: Tensor | None = None

    def add(self, scores: Tensor, weight: Tensor) -> None:
        weight = weight[:, None].to(scores.dtype)
        if self._total is None or self._weight is None:
            self._total, self._weight = scores * weight, weight
        else:
            self._total, self._weight = self._total + scores * weight, self._weight + weight

    def result(self) -> tuple[Tensor, Tensor]:
        """The mean, and the weights' share of the most there could be."""
        assert self._total is not None
        assert self._weight is not None
        return self._total / (self._weight + 1e-3), self._weight / self._sources


def _two_best(best: Tensor, second: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    return torch.maximum(best, values), torch.maximum(second, torch.minimum(best, values))


def _standardised(rgb: Tensor) -> Tensor:
    """Zero mean and unit deviation for each photo: exposures differ."""
    deviation, mean = torch.std_mean(rgb, (1, 2, 3), keepdim=True)
    return (rgb - mean) / (deviation + 0.02)


def _half_grey(rgb: Tensor) -> Tensor:
    luma = rgb.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return F.avg_pool2d((rgb * luma).sum(1, keepdim=True), 2) * 255


def _peak(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Place (b, h, w) of the likeliest depth, between planes, and how far the chances spread."""
    planes = logits.shape[1]
    chance = logits.softmax(1)
    place = torch.linspace(0, 1, planes, device=logits.device).view(1, -1, 1, 1)
    near = torch.arange(planes, device=logits.device).view(1, -1, 1, 1)
    window = chance * ((near - chance.argmax(1, keepdim=True)).abs() <= 2)
    peak = (window * place).sum(1) / window.sum(1)
    spread = (chance * (place - peak[:, None]).square()).sum(1).sqrt()
    return peak, spread


def _search_range(coarse: Tensor, spread: Tensor, planes: int) -> tuple[Tensor, Tensor]:
    """Centre and half width (b, 2 h, 2 w) of the range to search again.

    One plane at least; wider where the network wavers, and across edges as far as both sides.
    Where both are farther apart than any range reaches, each pixel searches around the depth of
    its own cell: a mean of the two sides would be in mid-air, out of reach of either.
    """
    coarse, spread = coarse.detach()[:, None], spread.detach()[:, None]
    jump = 0.75 * (F.max_pool2d(coarse, 3, 1, 1) + F.max_pool2d(-coarse, 3, 1, 1))
    step = 1 / (planes - 1)
    least, most = 1.25 * step, 8 * step
    smooth = enlarge(coarse), enlarge(torch.maximum(spread, jump).clamp(least, most))
    own = _repeated(coarse), _repeated(spread.clamp(least, most))
    apart = enlarge((jump > most).float()) > 0
    centre, reach = (torch.where(apart, a, b)[:, 0] for a, b in zip(own, smooth, strict=True))
    return centre, reach


def _repeated(x: Tensor) -> Tensor:
    """Twice the size, every value four times."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _convex_upsampled(values: Tensor, weights: Tensor) -> Tensor:
    """(b, h, w) -> (b, 2 h, 2 w); each new pixel is a mean of the nine around, with own weights."""
    batch, height, width = values.shape
    around = F.unfold(F.pad(values[:, None], (1,) * 4, mode="replicate"), 3)
    around = around.view(batch, 9, 1, 1, height, width)
    share = weights.view(batch, 9, 2, 2, height, width).softmax(1)
    fine = (around * share).sum(1)
    return fine.permute(0, 3, 1, 4, 2).reshape(batch, 2 * height, 2 * width)
