"""The network: an encoder of torchvision and a decoder that adds ever finer log depth."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from recon3d.depthnet.mono.recipe import EncoderName, ModelConfig

STRIDE = 32
"""The encoder's coarsest scale: pictures are padded to multiples of it."""

# Of ImageNet, with which torchvision's weights were trained.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

_NORM_MOMENTUM = 0.1


class MonoNetwork(nn.Module):
    """Log depth from one picture.

    A U-Net (Ronneberger et al. 2015): at each scale the decoder joins what it knows with the
    encoder's features of that scale, and adds a correction to the log depth of the coarser one.
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
        widths = [config.decoder_width * factor for factor in (8, 4, 2, 1)]
        self.start = nn.Conv2d(channels[-1], 1, 3, padding=1)
        self.steps = nn.ModuleList(
            _DecoderStep(below, skip, width)
            for below, skip, width in zip(
                (channels[-1], *widths), reversed(channels[:-1]), widths, strict=False
            )
        )
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer(
            "deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1), persistent=False
        )

    def forward(self, rgb: Tensor) -> Tensor:
        """(n, 1, h, w) log depth of (n, 3, h, w) pictures with values 0 to 1, of any size."""
        height, width = rgb.shape[-2:]
        padded = F.pad(rgb, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        features = (padded - self.mean) / self.deviation
        skips = []
        for stage in self.stages:
            features = stage(features)
            skips.append(features)
        log_depth = self.start(skips.pop()).float()
        for step in self.steps:
            features, log_depth = step(features, log_depth, skips.pop())
        return _doubled(log_depth)[..., :height, :width]


class _DecoderStep(nn.Module):
    """From one scale to the next finer one."""

    def __init__(self, below: int, skip: int, width: int) -> None:
        super().__init__()
        self.merge = nn.Sequential(_convolution(below + skip, width), _convolution(width, width))
        self.correction = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, features: Tensor, log_depth: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
        """The finer features and log depth."""
        features = self.merge(torch.cat([_doubled(features), skip], dim=1))
        # Half precision may hold the correction, but not the sum: its steps are 1 % of the depth.
        return features, _doubled(log_depth) + self.correction(features).float()


def _encoder(
    name: EncoderName, imagenet: Mapping[str, Tensor] | None
) -> tuple[nn.ModuleList, tuple[int, ...]]:
    """Stages at 1/2 to 1/32 of the picture, and their channels."""
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


def _convolution(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


def _doubled(values: Tensor) -> Tensor:
    return F.interpolate(values, scale_factor=2, mode="bilinear", align_corners=False)
