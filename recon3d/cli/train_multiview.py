"""`recon3d train multiview`: make the weights that ship with recon3d, or better ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tyro.conf import OmitArgPrefixes

from recon3d.cli.display import Display
from recon3d.cli.options import Command, OptionalPath
from recon3d.cli.supervisor import REUSE_MEMORY
from recon3d.core.errors import ReconError
from recon3d.depthnet.multiview.recipe import MultiViewData
from recon3d.depthnet.schedule import Schedule
from recon3d.run.device import Device
from recon3d.run.task import CancelToken, Task


@dataclass(frozen=True, kw_only=True)
class TrainMultiView(Command):
    """Teach the multi-view network depth, from scenes that recon3d renders itself.

    recon3d train multiview --out out/multiview. Nothing needs to be downloaded. The same command
    goes on where it was stopped; `tensorboard --logdir out/multiview` shows how it learns.
    docs/TRAINING.md says how the shipped weights were made.
    """

    supervised: ClassVar[bool] = True
    grace_seconds: ClassVar[float] = 60.0
    environment: ClassVar[Mapping[str, str]] = REUSE_MEMORY

    out: Path = Path("out/multiview")
    """Folder for checkpoints, TensorBoard's files and, at the end, the weights."""
    bank: OptionalPath = None
    """Folder for rendered scenes, about 4 MB each. Default: scenes/ in --out."""
    textures: OptionalPath = None
    """Folder of the freely licensed photo sets whose surfaces are stuck onto things. Default: what
    RECON3D_DATA names, else only procedural textures."""
    data: OmitArgPrefixes[MultiViewData] = field(default_factory=MultiViewData)
    schedule: OmitArgPrefixes[Schedule] = field(default_factory=Schedule)
    device: Device = "auto"
    """auto takes the NVIDIA GPU where there is one; cpu and cuda insist."""

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Train."""
        from recon3d.depthnet.device import torch_device

        try:
            from recon3d.depthnet.multiview.train import train_multiview
            from recon3d.depthnet.scene_bank import SceneBank
        except ModuleNotFoundError as error:
            raise ReconError(
                f"Training needs one more package: {error.name}.",
                hint="Run: pip install 'recon3d[train]'",
            ) from error
        photos = os.environ.get("RECON3D_DATA")
        textures = self.textures or (Path(photos) if photos else None)
        bank = SceneBank(self.bank or self.out / "scenes", textures=textures)
        device = torch_device(self.device)
        task = Task("train", display, cancel)
        path, errors = train_multiview(bank, self.data, self.schedule, self.out, device, task)
        words = ", ".join(f"{name} {value:.4f}" for name, value in errors.items())
        display.result(
            {"checkpoint": str(path), "errors": errors},
            f"Checkpoint: {path}\nOn scenes never trained on: {words}\n"
            f"Use it:     recon3d mesh PHOTOS --depth.model {path.parent}",
        )
