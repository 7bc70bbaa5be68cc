"""A z-buffer rasteriser in vectorised torch, exact at pixel centres, without near-plane clipping.

Triangles are kept in homogeneous pixel coordinates (Olano and Greer, "Triangle scan conversion
using 2D homogeneous coordinates", 1997): for v_i = K x_i the weights b = [v_0 v_1 v_2]^-1 (x, y, 1)
are linear in the pixel, all positive inside the triangle and in front of the camera, and add up to
1 / depth_z. A wall that runs through the camera plane needs no cutting.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

_PIXELS_AT_ONCE = 1 << 22
"""Bounds memory: about 200 MB of temporaries."""

_EDGE_SLACK_PX = 1e-6
"""Neighbouring triangles share an edge; rounding must not open a crack between them."""


@dataclass(frozen=True, eq=False)
class ScreenTriangles:
    """The triangles that may be seen by one camera."""

    weights_from_px: Tensor
    """(k, 3, 3) float64: b = weights_from_px @ (x, y, 1)."""
    ids: Tensor
    """(k,) places in the list that was given."""
    rows_px: Tensor
    """(k, 2) float64, topmost and bottommost y."""
    size_px: tuple[int, int]
    """Width and height."""


@dataclass(frozen=True, eq=False)
class Hits:
    """What is seen at a list or grid of samples."""

    triangle: Tensor
    """int64, -1 where nothing is."""
    weights: Tensor
    """(..., 3) float32, perspective-correct weights of the triangle's corners."""
    depth_z: Tensor
    """float32, 0 where nothing is."""


def screen_triangles(
    corners_cam: Tensor, matrix: Tensor, width_px: int, height_px: int
) -> ScreenTriangles:
    """Prepare triangles (m, 3 corners, 3) of the camera frame, float64, for sampling."""
    corners = corners_cam @ matrix.T
    x, y, z = corners.unbind(-1)
    outside = (
        torch.stack([x < 0, x > width_px * z, y < 0, y > height_px * z, z <= 0]).all(-1).any(0)
    )
    a, b, c = corners.unbind(1)
    planes = torch.stack([torch.linalg.cross(p, q) for p, q in ((b, c), (c, a), (a, b))], 1)
    volume = (a * planes[:, 0]).sum(-1)
    ids = (~outside & (volume.abs() > 1e-12)).nonzero()[:, 0]
    y, z = y[ids], z[ids]
    inside_y = torch.where(z > 1e-9, y / z.clamp_min(1e-9), torch.inf)
    top = torch.where((z > 1e-9).all(-1), inside_y.amin(-1), 0.0)
    bottom = torch.where((z > 1e-9).all(-1), inside_y.amax(-1), float(height_px))
    weights = planes[ids] / volume[ids, None, None]
    return ScreenTriangles(weights, ids, torch.stack([top, bottom], 1), (width_px, height_px))


def nearest(triangles: ScreenTriangles, first_px: float = 0.5) -> Tensor:
    """The index into `triangles` of what is seen at each sample, (rows, columns), -1 for nothing.

    Samples lie at first_px, first_px + 1, ... in x and y: 0.5 gives the pixels' centres, 0 their
    corners, one more each way.
    """
    return (_closest(triangles, first_px) & 0xFFFFFFFF) - 1


def nearness(triangles: ScreenTriangles) -> Tensor:
    """1 / depth_z (h, w) float32 at the pixels' centres, 0 where nothing is."""
    return (_closest(triangles, 0.5) >> 32).int().view(torch.float32)


def hits_at(triangles: ScreenTriangles, index: Tensor, xy_px: Tensor) -> Hits:
    """Depth and corner weights for `nearest`'s indices at their sample positions (..., 2)."""
    seen = index >= 0
    if triangles.ids.numel() == 0:
        zero = torch.zeros(index.shape, device=index.device)
        return Hits(index, zero[..., None].expand(*index.shape, 3), zero)
    found = index.clamp_min(0)
    weights_from_px = triangles.weights_from_px[found]
    across, down, constant = weights_from_px.unbind(-1)
    weights = torch.addcmul(constant, across, xy_px[..., :1]).addcmul_(down, xy_px[..., 1:])
    a, b, c = weights.unbind(-1)
    depth_z = 1.0 / (a + b + c)
    return Hits(
        torch.where(seen, triangles.ids[found], -1),
        (weights * depth_z[..., None]).float(),
        torch.where(seen, depth_z, 0.0).float(),
    )


def sample_grid(rows: int, columns: int, first_px: float, device: torch.device) -> Tensor:
    """(rows, columns, 2) float64 positions of `nearest`'s samples."""
    y = torch.arange(rows, device=device, dtype=torch.float64) + first_px
    x = torch.arange(columns, device=device, dtype=torch.float64) + first_px
    return torch.stack([x.expand(rows, -1), y[:, None].expand(-1, columns)], -1)


def _closest(triangles: ScreenTriangles, first_px: float) -> Tensor:
    """Per sample the bits of the greatest 1 / depth_z, then those of the triangle's index + 1."""
    width_px, height_px = triangles.size_px
    columns, rows = (int(size + 1 - 2 * first_px) for size in (width_px, height_px))
    device = triangles.ids.device
    closest = torch.zeros(rows * columns, dtype=torch.int64, device=device)
    top = (triangles.rows_px[:, 0] - first_px).ceil().clamp(0, rows).long()
    bottom = (triangles.rows_px[:, 1] - first_px).floor().clamp(-1, rows - 1).long()
    index, row = _expand(top, (bottom - top + 1).clamp_min(0))
    across, down, constant = triangles.weights_from_px[index].unbind(-1)
    at_row = torch.addcmul(constant, down, (row + first_px)[:, None])
    crossing = -at_row / across
    left = torch.where(across > 0, crossing, -torch.inf).amax(-1)
    right = torch.where(across < 0, crossing, torch.inf).amin(-1)
    missed = ((across == 0) & (at_row < 0)).any(-1)
    start = (left - _EDGE_SLACK_PX - first_px).ceil().clamp(0, columns).long()
    end = (right + _EDGE_SLACK_PX - first_px).floor().clamp(-1, columns - 1).long()
    counts = torch.where(missed, 0, (end - start + 1).clamp_min(0))
    slope = across.sum(-1)
    first_near = torch.addcmul(at_row.sum(-1), slope, start + first_px)
    spans = torch.stack([start, row * columns + start, index])
    for part in _parts(counts):
        span, column = _expand(spans[0, part], counts[part])
        steps = column - spans[0, part][span]
        near = torch.addcmul(
            first_near[part].float()[span], slope[part].float()[span], steps.float()
        )
        bits = near.clamp_min_(1e-30).view(torch.int32).long()
        keys = (bits << 32) | (spans[2, part][span] + 1)
        closest.scatter_reduce_(0, spans[1, part][span] + steps, keys, "amax")
    return closest.view(rows, columns)


def _expand(start: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """For ranges start[i], ..., start[i] + count[i] - 1: which i, and the value, one after all."""
    index = torch.repeat_interleave(count)
    before = count.cumsum(0) - count
    value = torch.arange(index.numel(), device=count.device) + (start - before)[index]
    return index, value


def _parts(counts: Tensor) -> list[slice]:
    """Cut a list of spans so that no part holds many more than _PIXELS_AT_ONCE pixels."""
    ends = counts.cumsum(0)
    total = int(ends[-1]) if ends.numel() else 0
    cuts = torch.arange(0, total + _PIXELS_AT_ONCE, _PIXELS_AT_ONCE, device=counts.device)
    borders = torch.searchsorted(ends, cuts).clamp_max(counts.numel()).tolist()
    borders[-1] = counts.numel()
    return [slice(a, b) for a, b in pairwise(borders) if b > a]
