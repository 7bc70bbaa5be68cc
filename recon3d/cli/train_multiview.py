"""`recon3d train multiview`: make the weights that ship with recon3d, or better ones."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from tyro.conf import OmitArgPrefixes

from recon3d.cli.display import Display
from recon3d.cli.options import OptionalPath
from recon3d.cli.training import Training, explain_missing_packages, show_errors
from recon3d.depth.multiview.recipe import MultiViewData
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task


@dataclass(frozen=True, kw_only=True)
class TrainMultiView(Training):
    """Teach the multi-view network depth, from scenes that recon3d renders itself.

    recon3d train multiview --out out/multiview. Nothing needs to be downloaded. The same command
    goes on where it was stopped; `tensorboard --logdir out/multiview` shows how it learns.
    docs/TRAINING.md says how the shipped weights were made.
    """

    out: Path = Path("out/multiview")
    """Folder for checkpoints, TensorBoard's files and, at the end, the weights."""
    bank: OptionalPath = None
    """Folder for rendered scenes, about 4 MB each. Default: scenes/ in --out."""
    textures: OptionalPath = None
    """Folder of the freely licensed photo sets whose surfaces are stuck onto things. Default: what
    RECON3D_DATA names, else only procedural textures."""
    data: OmitArgPrefixes[MultiViewData] = field(default_factory=MultiViewData)

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Render what is missing, then train."""
        from recon3d.depth.device import torch_device

        with explain_missing_packages():
            from recon3d.depth.multiview.train import train_multiview
            from recon3d.depth.training.scene_bank import SceneBank
        photos = os.environ.get("RECON3D_DATA")
        textures = self.textures or (Path(photos) if photos else None)
        bank = SceneBank(self.bank or self.out / "scenes", textures=textures)
        device = torch_device(self.device)
        scenes = Task("scenes", display, cancel)
        bank.fill(self.data.numbers, device, Runtime().threads, scenes)
        task = Task("train", display, cancel)
        path, errors = train_multiview(bank, self.data, self.schedule, self.out, device, task)
        show_errors(
            display,
            errors,
            judged_on="scenes never trained on",
            checkpoint=path,
            model=path.parent,
        )
