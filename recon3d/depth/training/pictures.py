"""Small pictures for TensorBoard."""

from __future__ import annotations

import torch
from torch import Tensor


def colour_map(values: Tensor) -> Tensor:
    """(h, w) values, 0 to 1, as (3, h, w) turbo colours; NaN becomes black."""
    from matplotlib import colormaps

    known = torch.isfinite(values)
    table = torch.tensor(colormaps["turbo"](range(256))[:, :3], device=values.device)
    index = (values.nan_to_num().clamp(0, 1) * 255).round().long()
    return (table[index] * known[..., None]).permute(2, 0, 1).float()


def side_by_side(*pictures: Tensor) -> Tensor:
    """Join (3, h, w) pictures of one height."""
    return torch.cat([picture.cpu() for picture in pictures], 2).clamp(0, 1)
