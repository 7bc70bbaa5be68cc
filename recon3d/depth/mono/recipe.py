"""What is trained and how; free of torch, because the command line shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from recon3d.core.errors import require

EncoderName = Literal["resnet18_half", "resnet18", "resnet34", "resnet50", "mobilenet_v3_large"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The network's shape and what it looks at; a checkpoint fits one of these only."""

    encoder: EncoderName = "resnet18"
    """Larger ones see more and take longer. resnet18_half has half of resnet18's channels, and no
    ImageNet weights."""
    decoder_width: int = 32
    """Channels of the decoder at half resolution; coarser scales have 2, 4 and 8 times as many."""
    size_px: int = 256
    """The network looks at about size x size pixels. 512 sees finer detail and takes four times
    as long."""
    square: bool = False
    """Squeeze photos into a square, as the first networks did, instead of keeping their aspect."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        known = get_args(EncoderName)
        require(self.encoder in known, "encoder", self.encoder, f"one of {', '.join(known)}")
        require(self.decoder_width >= 4, "decoder_width", self.decoder_width, "4 or more")
        require(64 <= self.size_px <= 2048, "size_px", self.size_px, "from 64 to 2048")


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How photos are varied, so that the network does not learn them by heart.

    Every second one is mirrored in any case: estimators compare a photo with its mirror image.
    """

    zoom: float = 1.5
    """Cut out windows, at most this much smaller than the photo; their depth stays true because
    the focal length grows with them. 1 keeps the whole photo."""
    roll_deg: float = 5.0
    """Turn the camera about its axis by at most this angle; what comes into view is unknown."""
    camera_faults: bool = True
    """Vary exposure, colour and contrast, and add blur, noise and JPEG."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        require(1 <= self.zoom <= 4, "zoom", self.zoom, "from 1 to 4")
        require(0 <= self.roll_deg <= 45, "roll_deg", self.roll_deg, "from 0 to 45")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides the weights, apart from the data and the schedule."""

    model: ModelConfig = field(default_factory=ModelConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    loss: str = "silog+0.5*gradient"
    """Weighted sum of mse, l1, berhu, silog and gradient."""
    batch: int = 16
    """Photos a step; lower it when memory runs out."""
    pretrained: str = "auto"
    """Where the encoder starts: auto takes ImageNet weights if they can be had, none starts from
    scratch, or name a .pth file of torchvision."""
    seed: int = 0
    """Another one gives another order and other variations."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        require(
            self.batch >= 2, "batch", self.batch, "2 or more: its photos are normalised jointly"
        )
        require(self.seed >= 0, "seed", self.seed, "0 or more")
