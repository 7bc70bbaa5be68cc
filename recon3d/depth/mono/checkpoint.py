"""What `recon3d train mono` leaves in its folder: recon3d.json and the weights beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from recon3d.core.errors import ConfigError, EstimatorError
from recon3d.core.scene import Unit
from recon3d.depth.checkpoint import (
    DESCRIPTION,
    Checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from recon3d.depth.mono.recipe import ModelConfig

if TYPE_CHECKING:
    import torch
    from torch import nn

    from recon3d.depth.mono.network import MonoNetwork

_KIND = "resnet"


@dataclass(frozen=True)
class MonoCheckpoint:
    """A network for single photos on disk; its weights are read when it is asked for."""

    files: Checkpoint
    model: ModelConfig
    unit: Unit
    """What its depth is in: "metre" if it learned from metres, "scene" if its scale is free."""

    def network(self, device: torch.device) -> nn.Module:
        """The network, ready to predict.

        Raises:
            EstimatorError: the weights are missing, or not those that were described.
        """
        from recon3d.depth.mono.network import MonoNetwork

        return self.files.load_into(MonoNetwork(self.model), device)


def read_mono_checkpoint(path: Path) -> MonoCheckpoint:
    """Read a description, or that of a folder.

    Raises:
        EstimatorError: it is missing or broken.
    """
    files = read_checkpoint(path, _KIND)
    try:
        unit = files.settings["unit"]
        if unit not in get_args(Unit):
            raise ValueError(f"unit is {unit}")
        return MonoCheckpoint(files, ModelConfig(**files.settings["model"]), unit)
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise EstimatorError(
            f"{path} describes no network for single photos: {error!r}.",
            hint="Copy the folder again, or train the network anew with `recon3d train mono`.",
        ) from error


def write_mono_checkpoint(
    folder: Path, network: MonoNetwork, unit: Unit, card: Mapping[str, object]
) -> None:
    """Write both files.

    Raises:
        OutputError: the place cannot be written.
    """
    settings = {"model": asdict(network.config), "unit": unit}
    write_checkpoint(folder / DESCRIPTION, _KIND, network, settings, card)
