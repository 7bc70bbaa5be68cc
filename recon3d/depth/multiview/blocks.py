"""Building blocks of the multi-view network."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Conv2d(nn.Sequential):
    """3x3 convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Conv3d(nn.Sequential):
    """3x3x3 convolution, batch normalisation, ReLU; the stride is over pixels, never planes."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv3d(inputs, outputs, 3, (1, stride, stride), 1, bias=False),
            nn.BatchNorm3d(outputs),
            nn.ReLU(inplace=True),
        )

    def forward(self, volume: Tensor) -> Tensor:
        """(b, inputs, planes, h, w) -> (b, outputs, planes, h / stride, w / stride)."""
        # PyTorch sends small single volumes to a kernel that is ten times slower than oneDNN's.
        small = volume.shape[:4].numel() <= 20480
        if volume.device.type == "cpu" and volume.shape[0] == 1 and small:
            volume = volume.expand(2, -1, -1, -1, -1)
            return super().forward(volume)[:1]  # type: ignore[no-untyped-call]
        return super().forward(volume)  # type: ignore[no-untyped-call]


class Pointwise3d(nn.Conv2d):
    """1x1x1 convolution; as a flat one it is many times faster on CPUs."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, volume: Tensor) -> Tensor:
        """(b, inputs, planes, h, w) -> (b, outputs, planes, h, w)."""
        batch, _, planes, height, width = volume.shape
        flat = super().forward(volume.flatten(2, 3))
        return flat.view(batch, -1, planes, height, width)


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Conv2d(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(b, channels, h, w) -> the same."""
        return F.relu(x + self.second(self.first(x)))


class Encoder(nn.Module):
    """Features of one photo at a half, a quarter, ... of its size.

    Those of the two finest levels are also there for matching, with what coarser levels know
    brought down to them (Lin et al. 2017, feature pyramids).
    """

    def __init__(self, channels: tuple[int, ...], match_channels: tuple[int, int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        before = 3
        for count in channels:
            self.levels.append(nn.Sequential(Conv2d(before, count, 2), Residual(count)))
            before = count
        self.sideways = nn.ModuleList(nn.Conv2d(count, channels[1], 1) for count in channels[1:4])
        self.match_quarter = nn.Conv2d(channels[1], match_channels[1], 3, 1, 1)
        self.match_half = nn.Sequential(
            Conv2d(channels[0] + channels[1], channels[0]),
            nn.Conv2d(channels[0], match_channels[0], 3, 1, 1),
        )

    def forward(self, rgb: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """(b, 3, h, w) -> features from 1/2 on; for matching at 1/2; for matching at 1/4."""
        features = []
        x = rgb
        for level in self.levels:
            x = level(x)
            features.append(x)
        merged = self.sideways[-1](features[3])
        for sideways, finer in zip(self.sideways[1::-1], features[2:0:-1], strict=True):
            merged = sideways(finer) + enlarge(merged)
        half = self.match_half(torch.cat([features[0], enlarge(merged)], 1))
        return features, half, self.match_quarter(merged)


class VolumeUNet(nn.Module):
    """Regularises a matching volume over ever larger neighbourhoods of pixels, all planes kept.

    What the reference photo shows at each scale is added to every plane: it tells where walls
    go on and where objects end.
    """

    def __init__(self, inputs: int, channels: tuple[int, ...], context: tuple[int, ...]) -> None:
        super().__init__()
        self.contexts = nn.ModuleList(
            nn.Conv2d(there, here, 1) for there, here in zip(context, channels, strict=True)
        )
        self.enter = Conv3d(inputs, channels[0])
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        self.merge = nn.ModuleList()
        for finer, coarser in pairwise(channels):
            self.down.append(nn.Sequential(Conv3d(finer, coarser, 2), Conv3d(coarser, coarser)))
            self.up.append(Pointwise3d(coarser, finer))
            self.merge.append(Conv3d(finer, finer))

    def forward(self, volume: Tensor, context: list[Tensor]) -> Tensor:
        """(b, inputs, planes, h, w) and (b, c, h, w) context per level -> (b, c0, planes, h, w)."""
        # On CPUs this layout is twice as fast or more.
        volume = volume.contiguous(memory_format=torch.channels_last_3d)
        x = self.enter(volume) + self.contexts[0](context[0])[:, :, None]
        finer = [x]
        for down, project, photo in zip(self.down, self.contexts[1:], context[1:], strict=True):
            x = down(x) + project(photo)[:, :, None]
            finer.append(x)
        x = finer.pop()
        for up, merge in zip(reversed(self.up), reversed(self.merge), strict=True):
            skip = finer.pop()
            x = merge(skip + F.interpolate(up(x), skip.shape[2:], mode="nearest"))
        return x


def enlarge(x: Tensor) -> Tensor:
    """Twice the size, bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
