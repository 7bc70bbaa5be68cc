"""Stacks of tileable pictures with their smaller versions, looked up without aliasing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Pyramid:
    """Pictures of one size, a power of 2, with all halvings down to 2 px."""

    texels: Tensor
    """(n, c): level after level, picture after picture, row after row."""
    count: int
    side_px: int

    def look_up(self, picture: Tensor, place: Tensor, footprint: Tensor) -> Tensor:
        """Trilinear values (n, c) of pictures (n,) at places (n, 2) that count in tiles.

        footprint (n,) is how much of a tile a sample covers.
        """
        turns = place - place.floor()
        level = (footprint * self.side_px).clamp_min(1e-6).log2()
        level = level.clamp(0, self.side_px.bit_length() - 2.001)
        below = level.long()
        fine, coarse = (self._bilinear(picture, turns, one) for one in (below, below + 1))
        return torch.lerp(fine, coarse, (level - below)[:, None])

    def mean(self) -> Tensor:
        """(pictures, c) average of each."""
        return self.texels[-4 * self.count :].view(self.count, 4, -1).mean(1)

    def _bilinear(self, picture: Tensor, turns: Tensor, level: Tensor) -> Tensor:
        side = torch.bitwise_right_shift(self.side_px, level)
        # The levels above hold side^2 / 4^k texels per picture: a geometric series.
        start = (self.side_px**2 - side**2) * 4 // 3 * self.count + picture * side**2
        place = turns * side[:, None] - 0.5
        low = place.floor()
        share = place - low
        x0, y0 = (low.long() % side[:, None]).unbind(-1)
        x1, y1 = (x0 + 1) % side, (y0 + 1) % side
        row0, row1 = start + y0 * side, start + y1 * side
        x, y = share[:, :1], share[:, 1:]
        top = torch.lerp(self.texels[row0 + x0], self.texels[row0 + x1], x)
        bottom = torch.lerp(self.texels[row1 + x0], self.texels[row1 + x1], x)
        return torch.lerp(top, bottom, y)


def build_pyramid(pictures: Tensor) -> Pyramid:
    """From pictures (m, c, s, s)."""
    levels = [pictures]
    while levels[-1].shape[-1] > 2:
        levels.append(F.avg_pool2d(levels[-1], 2))
    channels = pictures.shape[1]
    texels = torch.cat([level.permute(0, 2, 3, 1).reshape(-1, channels) for level in levels])
    return Pyramid(texels, pictures.shape[0], pictures.shape[-1])
