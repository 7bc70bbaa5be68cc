"""Semi-global aggregation of a cost volume (Hirschmueller 2008), eight directions, in torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def aggregate(
    cost: Tensor,
    grey: Tensor,
    *,
    small_penalty: float,
    large_penalty: float,
    edge_grey: float,
    check_cancelled: Callable[[], None],
) -> Tensor:
    """Sum of path costs (d, h, w) over eight directions, divided by eight.

    Args:
        cost: (d, h, w).
        grey: (h, w), 0 to 255; strong edges make depth jumps cheap.
        small_penalty: for a change of one plane between neighbours: slanted surfaces.
        large_penalty: for a larger change, where the photo is flat.
        edge_grey: grey step at which the large penalty has halved.
        check_cancelled: called every few rows.
    """
    total = torch.zeros_like(cost)
    for transposed in (False, True):
        volume = cost.transpose(1, 2).contiguous() if transposed else cost
        image = grey.T if transposed else grey
        # Diagonals ride along with the vertical passes.
        shifts = (0,) if transposed else (-1, 0, 1)
        result = torch.zeros_like(volume) if transposed else total
        for backward in (False, True):
            _sweep(
                volume, image, result, backward, shifts,
                small_penalty, large_penalty, edge_grey, check_cancelled,
            )  # fmt: skip
        if transposed:
            total += result.transpose(1, 2)
    return total / 8


def _sweep(
    volume: Tensor,
    grey: Tensor,
    result: Tensor,
    backward: bool,
    shifts: tuple[int, ...],
    small_penalty: float,
    large_penalty: float,
    edge_grey: float,
    check_cancelled: Callable[[], None],
) -> None:
    """Walk rows; paths (len(shifts), d, w) come from the row before, shifted sideways."""
    planes, height, width = volume.shape
    rows = range(height - 1, -1, -1) if backward else range(height)
    paths = torch.zeros(len(shifts), planes, width, device=volume.device)
    previous_row = -1
    for count, row in enumerate(rows):
        if count % 64 == 0:
            check_cancelled()
        if previous_row >= 0:
            moved = torch.stack([_shifted(path, shift) for path, shift in zip(paths, shifts, strict=True)])
            before = torch.stack([_shifted(grey[previous_row], shift) for shift in shifts])
            step = (grey[row] - before).abs()
            jump = (large_penalty / (1.0 + step / edge_grey)).clamp_min(small_penalty)[:, None]
            lowest = moved.amin(1, keepdim=True)
            best = torch.minimum(moved, lowest + jump)
            best[:, 1:] = torch.minimum(best[:, 1:], moved[:, :-1] + small_penalty)
            best[:, :-1] = torch.minimum(best[:, :-1], moved[:, 1:] + small_penalty)
            paths = best.sub_(lowest).add_(volume[:, row])
        else:
            paths = volume[:, row].expand(len(shifts), -1, -1).clone()
        result[:, row] += paths.sum(0)
        previous_row = row


def _shifted(values: Tensor, shift: int) -> Tensor:
    """Move the last axis by -1, 0 or 1; the value that comes in repeats the edge's."""
    if shift == 0:
        return values
    if shift > 0:
        return torch.cat([values[..., :1], values[..., :-1]], dim=-1)
    return torch.cat([values[..., 1:], values[..., -1:]], dim=-1)
