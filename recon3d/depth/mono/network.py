"""The network: an encoder of torchvision and a decoder that adds ever finer log depth."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from recon3d.depth.mono.recipe import EncoderName, ModelConfig

STRIDE = 32
"""The encoder's coarsest scale: pictures are padded to multiples of it."""

# Of ImageNet, with which torchvision's weights were trained.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

_NORM_MOMENTUM = 0.1


class MonoNetwork(nn.Module):
    """Log depth from one picture and the directions in which its pixels look.

    A U-Net (Ronneberger et al. 2015): at each scale the decoder joins what it knows with the
    encoder's features of that scale, and adds a correction to the log depth of the coarser one. It
    is told each pixel's ray (Facil et al., "CAM-Convs", 2019), because a floor lies below the
    horizon, wherever the picture was cut out.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: ModelConfig, imagenet: Mapping[str, Tensor] | None = None) -> None:
        """Start from scratch, or with the encoder that torchvision trained on ImageNet.

        Raises:
            RuntimeError: `imagenet` holds the weights of another encoder.
        """
        super().__init__()
        self.config = config
        self.stages, channels = _encoder(config.encoder, imagenet)
        widths = [config.decoder_width * factor for factor in (8, 8, 4, 2, 1)]
        self.middle = _convolution(channels[-1] + 2, widths[0])
        self.start = nn.Conv2d(widths[0], 1, 3, padding=1)
        self.steps = nn.ModuleList(
            _DecoderStep(below + skip + 2, width)
            for (below, width), skip in zip(pairwise(widths), reversed(channels[:-1]), strict=True)
        )
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer(
            "deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1), persistent=False
        )

    def forward(self, rgb: Tensor, rays: Tensor) -> Tensor:
        """(n, 1, h, w) log depth of pictures of any size.

        Args:
            rgb: (n, 3, h, w), 0 to 1.
            rays: (n, 2, h, w), x and y of each pixel's direction with z = 1.
        """
        height, width = rgb.shape[-2:]
        padding = (0, -width % STRIDE, 0, -height % STRIDE)
        rgb, rays = (F.pad(values, padding, mode="replicate") for values in (rgb, rays))
        features = (rgb - self.mean) / self.deviation
        skips = []
        for stage in self.stages:
            features = stage(features)
            skips.append(features)
        features = self.middle(_with_rays(skips.pop(), rays))
        log_depth = self.start(features).float()
        for step in self.steps:
            joined = _with_rays(torch.cat([_doubled(features), skips.pop()], dim=1), rays)
            features, correction = step(joined)
            # Half precision may hold the correction, but not the sum: its steps are 1 % of depth.
            log_depth = _doubled(log_depth) + correction.float()
        return _doubled(log_depth)[..., :height, :width]


class _DecoderStep(nn.Module):
    """Features of one scale, and the correction to log depth that they give."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        self.merge = nn.Sequential(_convolution(inside, width), _convolution(width, width))
        self.correction = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, joined: Tensor) -> tuple[Tensor, Tensor]:
        """From everything known at that scale."""
        features = self.merge(joined)
        return features, self.correction(features)


def _encoder(
    name: EncoderName, imagenet: Mapping[str, Tensor] | None
) -> tuple[nn.ModuleList, tuple[int, ...]]:
    """Stages at 1/2 to 1/32 of the picture, and their channels."""
    if name == "resnet18_half":
        return _half_resnet18()
    backbone: Any = torchvision.models.get_model(name, weights=None)
    if imagenet is not None:
        backbone.load_state_dict(imagenet)
    for layer in backbone.modules():
        if isinstance(layer, nn.BatchNorm2d):
            # MobileNet's own 0.01 is for millions of steps; here statistics would lag behind.
            layer.momentum = _NORM_MOMENTUM
    if name == "mobilenet_v3_large":
        layers = backbone.features
        cuts = (0, 2, 4, 7, 13, 16)
        stages = [layers[a:b] for a, b in pairwise(cuts)]
        return nn.ModuleList(stages), (16, 24, 40, 112, 160)
    stem = nn.Sequential(backbone.conv1, backbone.bn1, backbone.relu)
    first = nn.Sequential(backbone.maxpool, backbone.layer1)
    stages = [stem, first, backbone.layer2, backbone.layer3, backbone.layer4]
    wider = 4 if name == "resnet50" else 1
    return nn.ModuleList(stages), (64, *(wider * c for c in (64, 128, 256, 512)))


def _half_resnet18() -> tuple[nn.ModuleList, tuple[int, ...]]:
    """ResNet-18 with half the channels: a quarter of the weights and of the time."""
    stem = nn.Sequential(
        nn.Conv2d(3, 32, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(32), nn.ReLU(True)
    )
    stages = [stem, nn.Sequential(nn.MaxPool2d(3, 2, 1), BasicBlock(32, 32), BasicBlock(32, 32))]
    for before, after in pairwise((32, 64, 128, 256)):
        change = nn.Sequential(nn.Conv2d(before, after, 1, 2, bias=False), nn.BatchNorm2d(after))
        stages.append(nn.Sequential(BasicBlock(before, after, 2, change), BasicBlock(after, after)))
    return nn.ModuleList(stages), (32, 32, 64, 128, 256)


def _with_rays(features: Tensor, rays: Tensor) -> Tensor:
    return torch.cat([features, F.interpolate(rays, features.shape[-2:], mode="area")], dim=1)


def _convolution(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


def _doubled(values: Tensor) -> Tensor:
    return F.interpolate(values, scale_factor=2, mode="bilinear", align_corners=False)
