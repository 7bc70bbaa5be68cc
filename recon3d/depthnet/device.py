"""Which device torch computes on."""

from __future__ import annotations

import torch

from recon3d.core.errors import EstimatorError
from recon3d.run.device import Device


def torch_device(wanted: Device) -> torch.device:
    """The GPU where there is one or the user insists, else the CPU.

    Raises:
        EstimatorError: the GPU was asked for and torch sees none.
    """
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise EstimatorError(
            "No NVIDIA GPU that PyTorch can use was found.",
            hint="Run with --device cpu, or see `recon3d doctor` for what is missing.",
        )
    return torch.device("cuda")
