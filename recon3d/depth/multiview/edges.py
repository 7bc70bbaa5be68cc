"""Where a depth map jumps: the pixels that a mesh's silhouettes are made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_JUMP = 1.05
"""Ratio of neighbouring depths from which on there are two surfaces."""
_REACH_PX = 6
"""A surface that bleeds over its outline does so by this much."""


def depth_edges(depth_z: Tensor) -> Tensor:
    """(b, h, w) bool: pixels whose 3x3 neighbourhood holds two surfaces, or one and the sky.

    depth_z: (b, h, w) rendered depth, 0 = nothing there, however far one looks.
    """
    inverse = torch.where(depth_z > 0, 1 / depth_z.clamp_min(1e-9), 0.0)
    nearest = F.max_pool2d(inverse, 3, 1, 1)
    farthest = -F.max_pool2d(-inverse, 3, 1, 1)
    return nearest > _JUMP * farthest


def near_edges(depth_z: Tensor) -> Tensor:
    """(b, h, w) bool: pixels within 6 px of a depth edge, on both of its sides."""
    edges = depth_edges(depth_z).float()
    return F.max_pool2d(edges, 2 * _REACH_PX + 1, 1, _REACH_PX) > 0
