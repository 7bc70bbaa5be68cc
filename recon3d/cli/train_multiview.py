"""`recon3d train multiview`: make the weights that ship with recon3d, or better ones."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from tyro.conf import OmitArgPrefixes

from recon3d.cli.display import Display
from recon3d.cli.options import OptionalPath
from recon3d.cli.training import Training, explain_missing_packages, show_errors
from recon3d.depth.multiview.recipe import FEWEST_SCENES, MultiViewData
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task

_RENDERING = 3
"""The share of --seconds that may go into rendering: a third."""


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
    """Folder for rendered scenes, about 13 MB each at 640 px. Default: scenes/ in --out."""
    textures: OptionalPath = None
    """Folder of the freely licensed photo sets whose surfaces are stuck onto things. Default: what
    RECON3D_DATA names, else only procedural textures."""
    start: OptionalPath = None
    """Weights to start from: a folder that this command has filled, or "shipped". Default: random
    ones. Whatever it was, the same command goes on where --out stands."""
    data: OmitArgPrefixes[MultiViewData] = field(default_factory=MultiViewData)

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Render what is missing, then train."""
        from recon3d.depth.device import torch_device

        with explain_missing_packages():
            from recon3d.depth.multiview.train import read_start, train_multiview
            from recon3d.depth.training.scene_bank import SceneBank
        photos = os.environ.get("RECON3D_DATA")
        textures = self.textures or (Path(photos) if photos else None)
        bank = SceneBank(self.bank or self.out / "scenes", self.data.scene_size_px,
                         textures=textures)  # fmt: skip
        device = torch_device(self.device)
        start = read_start(self.start) if self.start else None
        schedule, data, began = self.schedule, self.data, time.monotonic()
        held_out = data.held_out
        budget = schedule.seconds / _RENDERING if schedule.seconds else math.inf
        there = bank.fill(
            [*held_out, *range(data.scenes)],
            Runtime().threads,
            Task("scenes", display, cancel),
            seconds=budget,
            least=len(held_out) + FEWEST_SCENES,
        )
        if schedule.seconds:
            data = replace(data, scenes=there - len(held_out))
            left = schedule.seconds - (time.monotonic() - began)
            schedule = replace(schedule, seconds=max(1, round(left)))
        task = Task("train", display, cancel)
        path, errors = train_multiview(bank, data, schedule, self.out, device, task, start)
        show_errors(
            display,
            errors,
            judged_on="scenes never trained on",
            checkpoint=path,
            model=path.parent,
        )
