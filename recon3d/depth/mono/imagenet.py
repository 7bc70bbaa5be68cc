"""ImageNet weights of torchvision: from a file, from an earlier download, or from the network."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from recon3d.core.errors import EstimatorError, is_lack_of_memory, not_enough_memory
from recon3d.depth.mono.network import MonoNetwork
from recon3d.depth.mono.recipe import EncoderName, ModelConfig

_log = logging.getLogger(__name__)

# The letters after the dash begin the file's SHA-256.
_FILES: dict[EncoderName, str] = {
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "mobilenet_v3_large": "mobilenet_v3_large-8738ca79.pth",
}


def new_network(config: ModelConfig, source: str) -> tuple[MonoNetwork, str]:
    """An untrained network, and in words where its encoder starts from.

    Args:
        config: Its shape.
        source: ImageNet weights of the encoder. "auto": torch's folder of downloads, else a
            download, else from scratch with a warning; "none": from scratch; or a file of
            torchvision.

    Raises:
        EstimatorError: the file is missing, damaged or of another network.
    """
    if source == "none" or config.encoder not in _FILES:
        return MonoNetwork(config), "from scratch"
    name = _FILES[config.encoder]
    path = _downloaded(name) if source == "auto" else Path(source)
    if path is None:
        _log.warning(
            "No ImageNet weights for %s could be had: it starts from scratch and needs more data "
            "and time. With https://download.pytorch.org/models/%s, pass --pretrained FILE.",
            config.encoder,
            name,
        )
        return MonoNetwork(config), "from scratch: ImageNet weights could not be had"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return MonoNetwork(config, state), f"ImageNet weights of torchvision, {path.name}"
    except Exception as error:  # torch raises whatever it finds in a broken file
        if is_lack_of_memory(error):
            raise not_enough_memory(f"load {path.name}") from error
        raise EstimatorError(
            f"{path} does not hold the ImageNet weights of {config.encoder}: {error}",
            hint=f"Get https://download.pytorch.org/models/{name}, or pass --pretrained none.",
        ) from error


def _downloaded(name: str) -> Path | None:
    target = Path(torch.hub.get_dir()) / "checkpoints" / name
    if target.exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(
            f"https://download.pytorch.org/models/{name}",
            str(target),
            hash_prefix=target.stem.rpartition("-")[2],
            progress=False,
        )
    except (OSError, RuntimeError) as error:
        _log.info("%s was not downloaded: %s", name, error)
        return None
    return target
