"""The plane sweep itself: every depth at low resolution, then ever finer steps around the best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recon3d.core.camera import PinholeCamera, project
from recon3d.core.depth import DepthRequest, PredictedDepth
from recon3d.depthnet.aggregation import aggregate
from recon3d.depthnet.matching import Matcher
from recon3d.depthnet.warp import SourceView, grey_tensor, source_view


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """The numbers of the method; costs are in units of the matching cost, 0 to 1."""

    coarse_px: int = 400
    """Longest side at which all depths are tried."""
    planes: int = 96
    window_radius_px: int = 3
    noise_grey: float = 2.0
    """Standard deviation of camera noise after resampling."""
    small_penalty: float = 0.03
    large_penalty: float = 0.8
    edge_grey: float = 12.0
    half_steps: int = 4
    """Finer steps tried on either side of the current depth."""
    stay_penalty: float = 0.05
    """Cost of leaving the current depth by half_steps, so that flat walls stay put."""


def sweep(
    request: DepthRequest,
    settings: SweepSettings,
    device: torch.device,
    check_cancelled: Callable[[], None],
) -> PredictedDepth:
    """Depth of the reference in scene units, 0 where the mask says so."""
    full = request.reference.camera
    camera = full.fitted(settings.coarse_px)
    level = _Level(request, camera, settings, device)
    near, far = request.depth_range
    planes, step = level.inverse_depth_planes(near, far, settings.planes)
    inverse_depth, certainty = _search_all(level, planes, step, settings, check_cancelled)
    for _ in range(1):
        inverse_depth, cost = _search_near(level, inverse_depth, step / 2, settings, check_cancelled)
    while camera != full:
        camera = full.fitted(2 * max(camera.width_px, camera.height_px))
        level = _Level(request, camera, settings, device)
        inverse_depth = _enlarge(inverse_depth, camera, step)
        certainty = F.interpolate(certainty[None, None], (camera.height_px, camera.width_px), mode="bilinear")[0, 0]
        step = step / 2
        inverse_depth, cost = _search_near(level, inverse_depth, step, settings, check_cancelled)
    confidence = (1.0 - 2.0 * cost).clamp(0, 1) * certainty
    depth_z = 1.0 / inverse_depth.clamp(1 / far, 1 / near)
    if request.reference.mask is not None:
        depth_z = depth_z * torch.from_numpy(request.reference.mask).to(device)
    return PredictedDepth(depth_z.cpu().numpy(), "scene", confidence.cpu().numpy(), full)


class _Level:
    """One resolution of a request."""

    def __init__(
        self, request: DepthRequest, camera: PinholeCamera, settings: SweepSettings, device: torch.device
    ) -> None:
        self.camera = camera
        self.device = device
        self.grey = grey_tensor(request.reference.rgb, camera.width_px, camera.height_px, device)
        self.sources: list[SourceView] = [
            source_view(request.reference, camera, source, device) for source in request.sources
        ]
        self.matcher = Matcher(self.grey, self.sources, settings.window_radius_px, settings.noise_grey)

    def inverse_depth_planes(self, near: float, far: float, most: int) -> tuple[Tensor, float]:
        """Planes at most a pixel apart in the source that moves most, near to far."""
        shifts = []
        for source in self.sources:
            height, width = source.grey.shape[-2:]
            half_size = torch.tensor([width / 2, height / 2], device=self.device)
            near_px, far_px = (source.grid(torch.full((1, 1), 1 / z, device=self.device)) * half_size for z in (near, far))
            shifts.append((near_px - far_px).norm(dim=-1).median().item())
        count = int(np.clip(np.ceil(max(shifts)) + 1, 16, most))
        planes = torch.linspace(1 / near, 1 / far, count, device=self.device)
        return planes, float(planes[0] - planes[1])


def _search_all(level, planes, step, settings, check_cancelled):
    volume = torch.empty(len(planes), *level.grey.shape[-2:], device=level.device)
    for index, plane in enumerate(planes):
        check_cancelled()
        volume[index] = level.matcher.cost(plane.view(1, 1))
    total = aggregate(
        volume, level.grey[0, 0],
        small_penalty=settings.small_penalty, large_penalty=settings.large_penalty,
        edge_grey=settings.edge_grey, check_cancelled=check_cancelled,
    )  # fmt: skip
    best = total.argmin(0, keepdim=True)
    offset = _parabola(total, best)
    lowest = total.gather(0, best)[0]
    index = torch.arange(len(planes), device=level.device)[:, None, None]
    rival = torch.where((index - best).abs() > 2, total, torch.inf).amin(0)
    certainty = ((rival - lowest) / 0.1).clamp(0, 1)
    return planes[0] - (best[0] + offset) * step, certainty


def _parabola(cost: Tensor, best: Tensor) -> Tensor:
    """Sub-plane position of the minimum, -0.5 to 0.5; 0 at the ends."""
    last = cost.shape[0] - 1
    left = cost.gather(0, (best - 1).clamp_min(0))[0]
    centre = cost.gather(0, best)[0]
    right = cost.gather(0, (best + 1).clamp_max(last))[0]
    bend = (left + right - 2 * centre).clamp_min(1e-6)
    offset = (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
    return torch.where((best[0] > 0) & (best[0] < last), offset, 0.0)


def _search_near(level, inverse_depth, step, settings, check_cancelled):
    reach = settings.half_steps
    inverse_depth = _median3(inverse_depth)
    costs = []
    for k in range(-reach, reach + 1):
        check_cancelled()
        costs.append(level.matcher.cost(inverse_depth + k * step) + settings.stay_penalty * (k / reach) ** 2)
    cost = torch.stack(costs)
    best = cost.argmin(0, keepdim=True)
    moved = inverse_depth + (best[0] - reach + _parabola(cost, best)) * step
    return moved, cost.gather(0, best)[0]


def _median3(values: Tensor) -> Tensor:
    padded = F.pad(values[None, None], (1,) * 4, mode="replicate")
    return F.unfold(padded, 3).median(1).values.view(values.shape)


def _enlarge(values: Tensor, camera: PinholeCamera, step: float) -> Tensor:
    """Bilinear on surfaces, nearest across depth edges."""
    size = (camera.height_px, camera.width_px)
    smooth = F.interpolate(values[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    sharp = F.interpolate(values[None, None], size, mode="nearest-exact")[0, 0]
    return torch.where((smooth - sharp).abs() < 2 * step, smooth, sharp)
