"""Semi-global aggregation of a cost volume (Hirschmueller 2008), eight directions, in torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor


@dataclass(frozen=True)
class Penalties:
    """What a change of depth between neighbouring pixels costs."""

    small: float = 0.03
    """For one plane: slanted surfaces."""
    large: float = 0.8
    """For more, where the photo is flat."""
    edge_grey: float = 12.0
    """Grey step at which the large penalty has halved: edges of depth are edges of the photo."""


def aggregate(
    cost: Tensor, grey: Tensor, penalties: Penalties, check: Callable[[], None]
) -> Tensor:
    """Mean path cost (d, h, w) over eight directions of a cost volume (d, h, w).

    grey: (h, w), 0 to 255 or around 0. check is called every few rows and may raise.
    """
    # Diagonals ride along with the vertical passes; horizontal ones are vertical ones, transposed.
    total = torch.zeros_like(cost)
    _sweep_both_ways(cost, grey, total, (-1, 0, 1), penalties, check)
    sideways = torch.zeros_like(cost).transpose(1, 2).contiguous()
    _sweep_both_ways(
        cost.transpose(1, 2).contiguous(), grey.T.contiguous(), sideways, (0,), penalties, check
    )
    return total.add_(sideways.transpose(1, 2)).div_(8)


def _sweep_both_ways(
    cost: Tensor,
    grey: Tensor,
    total: Tensor,
    shifts: tuple[int, ...],
    penalties: Penalties,
    check: Callable[[], None],
) -> None:
    """Add the path costs of walking down and up the rows; paths come from shifted columns."""
    height = cost.shape[1]
    for rows in (range(height), range(height - 1, -1, -1)):
        first = rows[0]
        paths = cost[:, first].expand(len(shifts), -1, -1)
        total[:, first] += paths.sum(0)
        for before, row in pairwise(rows):
            if row % 64 == 0:
                check()
            moved = torch.stack(
                [_shifted(path, shift) for path, shift in zip(paths, shifts, strict=True)]
            )
            behind = torch.stack([_shifted(grey[before], shift) for shift in shifts])
            edge = (grey[row] - behind).abs() / penalties.edge_grey
            jump = (penalties.large / (1.0 + edge)).clamp_min(penalties.small)[:, None]
            lowest = moved.amin(1, keepdim=True)
            best = torch.minimum(moved, lowest + jump)
            best[:, 1:] = torch.minimum(best[:, 1:], moved[:, :-1] + penalties.small)
            best[:, :-1] = torch.minimum(best[:, :-1], moved[:, 1:] + penalties.small)
            paths = best.sub_(lowest).add_(cost[:, row])
            total[:, row] += paths.sum(0)


def _shifted(values: Tensor, shift: int) -> Tensor:
    """Move the last axis by -1, 0 or 1; the value that comes in repeats the edge's."""
    if shift == 0:
        return values
    if shift > 0:
        return torch.cat([values[..., :1], values[..., :-1]], dim=-1)
    return torch.cat([values[..., 1:], values[..., -1:]], dim=-1)
