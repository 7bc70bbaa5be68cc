"""The plane sweep itself: every depth at low resolution, then ever finer steps around the best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import DepthRequest, PredictedDepth
from recon3d.depth.aggregation import Penalties, aggregate
from recon3d.depth.matching import Matcher
from recon3d.depth.matching_cpu import CpuMatcher
from recon3d.depth.warp import grey_tensor, source_view

Check = Callable[[], None]

_SURE = 2 / 3
"""Confidence from which on a pixel needs no smoothing."""

_LOOK_PX = 240
"""Longest side for a quick look at how far things are."""
_LEAST_CERTAIN = 0.01
"""Of the pixels of a quick look that it takes to be believed."""
_ROOM = 0.8, 1.25
"""For surfaces nearer and farther than any that it is certain of."""


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """The numbers of the method; costs and penalties are in units of the matching cost, 0 to 1."""

    coarse_share: float = 1 / 3
    """Of the photo's resolution at which all depths are tried: a window of a few pixels then
    covers enough of a weakly textured surface to recognise it."""
    coarse_px: tuple[int, int] = (400, 640)
    """Least and most for the longest side there."""
    planes: int = 128
    """At most this many depths are tried."""
    radius_px: int = 3
    """Of the matching window."""
    noise_grey: float = 2.0
    """Standard deviation of camera noise after resampling."""
    penalties: Penalties = field(default_factory=Penalties)
    certain_margin: float = 0.1
    """Cost by which the second best depth is worse when the best is certain."""
    half_steps: int = 4
    """Finer steps tried on either side of the current depth."""
    stay_penalty: float = 0.05
    """Cost of leaving the current depth by half_steps, so that flat walls stay put."""
    smooth_steps: float = 2.0
    """Differences that smoothing evens out where matching is unsure, in units of a fine step."""


def sweep(
    request: DepthRequest, settings: SweepSettings, device: torch.device, check: Check
) -> PredictedDepth:
    """Depth of the reference in scene units, 0 where the mask says so."""
    reference = request.reference
    near, far = request.depth_range
    longest_px = max(reference.camera.width_px, reference.camera.height_px)
    coarse_px = float(np.clip(settings.coarse_share * longest_px, *settings.coarse_px))
    camera = reference.camera.fitted(round(coarse_px))
    level = _Level(request, camera, settings, device)
    planes = level.inverse_depth_planes(near, far)
    inverse_depth, certainty = level.search_all(planes, check)
    step = float(planes[0] - planes[1]) / 2
    inverse_depth, cost = sharpen(request, inverse_depth, step, settings, check)
    camera = reference.camera
    confidence = (1.0 - 2.0 * cost).clamp(0, 1) * _resized(certainty, camera, "bilinear")
    depth_z = 1.0 / inverse_depth.clamp(1 / far, 1 / near)
    if reference.mask is not None:
        depth_z = depth_z * torch.from_numpy(reference.mask).to(device)
    return PredictedDepth(depth_z.cpu().numpy(), "scene", confidence.cpu().numpy(), camera)


@torch.inference_mode()
def look_around(request: DepthRequest) -> tuple[float, float]:
    """A narrower depth range than the request's, from what a quick search is certain of.

    On the CPU: it takes a fraction of a second.
    """
    camera = request.reference.camera.fitted(_LOOK_PX)
    level = _Level(request, camera, SweepSettings(), torch.device("cpu"))
    planes = level.inverse_depth_planes(*request.depth_range)
    inverse_depth, certainty = level.search_all(planes, lambda: None)
    certain = inverse_depth[certainty >= 1].numpy()
    if len(certain) < _LEAST_CERTAIN * inverse_depth.numel():
        return request.depth_range
    far, near = np.percentile(certain, [2, 98])
    return float(1 / near * _ROOM[0]), float(1 / far * _ROOM[1])


def sharpen(
    request: DepthRequest, inverse_depth: Tensor, step: float, settings: SweepSettings, check: Check
) -> tuple[Tensor, Tensor]:
    """Search around (h, w) inverse depths, first at their resolution, at last at the photo's.

    step: about half a pixel of motion in a source at the given resolution. Returns inverse depths
    and matching costs of the photo's size.
    """
    reference = request.reference
    camera = reference.camera.fitted(max(inverse_depth.shape))
    while True:
        level = _Level(request, camera, settings, inverse_depth.device)
        inverse_depth, cost = level.search_near(inverse_depth, step, check)
        if camera == reference.camera:
            return inverse_depth, cost
        camera = reference.camera.fitted(2 * max(camera.width_px, camera.height_px))
        inverse_depth = enlarged(inverse_depth, camera, 2 * step)
        step /= 2


class _Level:
    """A request at one resolution."""

    def __init__(
        self,
        request: DepthRequest,
        camera: PinholeCamera,
        settings: SweepSettings,
        device: torch.device,
    ) -> None:
        self._settings = settings
        self._device = device
        self._grey = grey_tensor(request.reference.rgb, camera.width_px, camera.height_px, device)
        self._sources = [
            source_view(request.reference, camera, source, device) for source in request.sources
        ]
        make = CpuMatcher if device.type == "cpu" else Matcher
        self._matcher = make(self._grey, self._sources, settings.radius_px, settings.noise_grey)

    def inverse_depth_planes(self, near: float, far: float) -> Tensor:
        """Inverse depths, near to far, a pixel apart in the source that moves most."""
        ends = torch.tensor([1 / near, 1 / far], device=self._device).view(2, 1, 1)
        shifts = []
        for source in self._sources:
            height, width = source.grey.shape[-2:]
            half_size = torch.tensor([width / 2, height / 2], device=self._device)
            near_px, far_px = (source.grid(end) * half_size for end in ends)
            shifts.append((near_px - far_px).norm(dim=-1).median().item())
        count = int(np.clip(np.ceil(max(shifts)) + 1, 16, max(16, self._settings.planes)))
        return torch.linspace(1 / near, 1 / far, count, device=self._device)

    def search_all(self, planes: Tensor, check: Check) -> tuple[Tensor, Tensor]:
        """Best inverse depth of all, and how certain the choice is, 0 to 1."""
        volume = torch.empty(len(planes), *self._grey.shape[-2:], device=self._device)
        for index, plane in enumerate(planes):
            check()
            volume[index] = self._matcher.cost(plane.view(1, 1))
        total = aggregate(volume, self._grey[0, 0], self._settings.penalties, check)
        best = total.argmin(0, keepdim=True)
        ordinal = torch.arange(len(planes), device=self._device)[:, None, None]
        rival = torch.where((ordinal - best).abs() > 2, total, torch.inf).amin(0)
        margin = rival - total.gather(0, best)[0]
        certainty = (margin / self._settings.certain_margin).clamp(0, 1)
        step = planes[0] - planes[1]
        return planes[0] - (best[0] + _vertex_of_parabola(total, best)) * step, certainty

    def search_near(
        self, inverse_depth: Tensor, step: float, check: Check
    ) -> tuple[Tensor, Tensor]:
        """Best inverse depth within a few steps, and its cost.

        Windows follow the current surface, because every pixel of a window is looked up at its
        own depth: slanted and curved surfaces match as well as those that face the camera.
        """
        reach = self._settings.half_steps
        start = _median3(inverse_depth)
        costs = []
        for offset in range(-reach, reach + 1):
            check()
            stay = self._settings.stay_penalty * (offset / reach) ** 2
            costs.append(self._matcher.cost(start + offset * step) + stay)
        cost = torch.stack(costs)
        best = cost.argmin(0, keepdim=True)
        found = start + (best[0] - reach + _vertex_of_parabola(cost, best)) * step
        lowest = cost.gather(0, best)[0]
        confidence = (1.0 - 2.0 * lowest).clamp_min(0.02)
        return _smooth(found, confidence, self._settings.smooth_steps * step), lowest


def _vertex_of_parabola(cost: Tensor, best: Tensor) -> Tensor:
    """Where between planes the minimum lies, -0.5 to 0.5; 0 at the ends."""
    last = cost.shape[0] - 1
    left = cost.gather(0, (best - 1).clamp_min(0))[0]
    centre = cost.gather(0, best)[0]
    right = cost.gather(0, (best + 1).clamp_max(last))[0]
    bend = (left + right - 2 * centre).clamp_min(1e-6)
    offset = (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
    return torch.where((best[0] > 0) & (best[0] < last), offset, 0.0)


def _smooth(values: Tensor, confidence: Tensor, tolerance: float) -> Tensor:
    """Average with neighbours that differ by little more than `tolerance`, sure ones first.

    A pixel keeps its own value in the measure of its confidence: carved stone stays sharp, a
    plain wall becomes even. Rings of growing distance (a trous) reach seven pixels at the price
    of 24 neighbours.
    """
    height, width = values.shape
    own_share = (confidence / _SURE).clamp_max(1.0)
    for ring in (1, 2, 4):
        around_values, around_confidence = (
            F.pad(plane[None, None], (ring,) * 4, mode="replicate")[0, 0]
            for plane in (values, confidence)
        )
        total, weights = values * confidence, confidence.clone()
        offsets = [(y, x) for y in (0, ring, 2 * ring) for x in (0, ring, 2 * ring)]
        for y, x in offsets:
            if (y, x) == (ring, ring):
                continue
            window = (slice(y, y + height), slice(x, x + width))
            other = around_values[window]
            weight = ((other - values) / tolerance).square_().add_(1.0).square_().reciprocal_()
            weight *= around_confidence[window]
            total.addcmul_(weight, other)
            weights += weight
        values = torch.lerp(total / weights, values, own_share)
    return values


def _median3(values: Tensor) -> Tensor:
    padded = F.pad(values[None, None], (1,) * 4, mode="replicate")
    return F.unfold(padded, 3).median(1).values.view(values.shape)


def enlarged(values: Tensor, camera: PinholeCamera, tolerance: float) -> Tensor:
    """Bilinear on surfaces, nearest where that would bridge a jump of more than tolerance."""
    smooth, sharp = _resized(values, camera, "bilinear"), _resized(values, camera, "nearest-exact")
    return torch.where((smooth - sharp).abs() < 2 * tolerance, smooth, sharp)


def _resized(values: Tensor, camera: PinholeCamera, mode: str) -> Tensor:
    size = (camera.height_px, camera.width_px)
    return F.interpolate(values[None, None], size, mode=mode)[0, 0]
