"""`recon3d train`: teach a depth network; one subcommand for each kind of network."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import OmitArgPrefixes, subcommand
from tyro.extras import subcommand_type_from_defaults

from recon3d.cli.display import Display
from recon3d.cli.options import Command
from recon3d.cli.train_multiview import TrainMultiView
from recon3d.cli.training import Training, explain_missing_packages, show_errors
from recon3d.depth.mono.datasets import Layout
from recon3d.depth.mono.recipe import Recipe
from recon3d.language import translate
from recon3d.run.task import CancelToken, Task


@dataclass(frozen=True, kw_only=True)
class TrainMono(Training):
    """Teach a network the depth of single photos, from photos whose depth is known.

    recon3d train mono --data nyu/ --out out/mono. The same command goes on where it was stopped;
    `tensorboard --logdir out/mono` shows how it learns. docs/TRAINING_MONO.md explains the rest.
    """

    data: Path
    """Folder of a dataset (NYU Depth v2, KITTI, TUM, ScanNet, our synthetic scenes), or of rgb/,
    depth/ and K.json; or NYU's .mat file."""
    out: Path = Path("out/mono")
    """Folder for the checkpoint and TensorBoard's files."""
    layout: Layout = "auto"
    """Which dataset it is; auto looks."""
    split: str = ""
    """Part to train on, or a text file that names a frame a line. Default: the dataset's "train",
    else all."""
    validation: str = ""
    """Part or list to judge by. Default: the dataset's "val", else the last tenth."""
    epochs: int = 0
    """How often each photo is seen; replaces --steps."""
    recipe: OmitArgPrefixes[Recipe] = field(default_factory=Recipe)

    def run(self, display: Display, cancel: CancelToken) -> None:
        """Train."""
        from recon3d.depth.device import torch_device
        from recon3d.depth.mono.datasets import open_frames
        from recon3d.depth.mono.losses import parse_loss

        with explain_missing_packages():
            from recon3d.depth.mono.train import split_frames, train_mono
        parse_loss(self.recipe.loss)
        frames = open_frames(self.data, self.layout)
        training, validation = split_frames(frames, self.split, self.validation)
        display.log(
            "info",
            f"{frames.layout}: {len(training)} photos to learn from, {len(validation)} to judge by",
        )
        schedule = self.schedule
        if self.epochs > 0:
            steps = -(-self.epochs * len(training) // self.recipe.batch)
            schedule = replace(schedule, steps=steps)
        device = torch_device(self.device)
        task = Task("train", display, cancel)
        errors = train_mono(training, validation, self.recipe, schedule, self.out, device, task)
        show_errors(
            display, errors, judged_on="the photos held out", checkpoint=self.out, model=self.out
        )


def train_group() -> Any:
    """The subcommands of `recon3d train`, as a type that tyro understands."""
    networks: dict[str, Command] = {
        "multiview": TrainMultiView(),
        "mono": TrainMono(data=tyro.MISSING),
    }
    words = {name: translate(inspect.getdoc(command) or "") for name, command in networks.items()}
    kinds: Any = subcommand_type_from_defaults(networks, words)
    return Annotated[kinds, subcommand("train", description=translate("Teach a depth network."))]
