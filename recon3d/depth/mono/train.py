"""One training run: data and recipe in, a checkpoint folder out, resumable anywhere between."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from recon3d.core.errors import Cancelled, EstimatorError, InputError
from recon3d.depth.mono.checkpoint import write_mono_checkpoint
from recon3d.depth.mono.frames import FrameSet
from recon3d.depth.mono.imagenet import new_network
from recon3d.depth.mono.objective import MonoObjective
from recon3d.depth.mono.recipe import Recipe
from recon3d.depth.training.loop import CHECKPOINT, train
from recon3d.depth.training.schedule import Schedule
from recon3d.run.documents import parse_json
from recon3d.run.files import write_json
from recon3d.run.task import Task

_RUN = "run.json"
_HELD_OUT_SHARE, _HELD_OUT_MOST = 0.1, 500


def split_frames(
    frames: FrameSet, training: str = "", validation: str = ""
) -> tuple[FrameSet, FrameSet]:
    """What to train on, and what to judge by; no frame is in both.

    Args:
        frames: All of them.
        training: A part or a list (`FrameSet.part`); empty: the dataset's "train", else all.
        validation: The same; empty: the dataset's "val", else the last tenth. Neighbours in a video
            are nearly the same photo, so that frames drawn by lot would be known already.

    Raises:
        InputError: there is no such part, or fewer than two frames are left to train on.
    """
    training = training or ("train" if "train" in frames.splits else "")
    validation = validation or ("val" if "val" in frames.splits else "")
    learned = frames.part(training) if training else frames
    if validation:
        judged = frames.part(validation)
    else:
        count = min(_HELD_OUT_MOST, math.ceil(len(learned) * _HELD_OUT_SHARE))
        judged = learned.chosen(range(len(learned) - count, len(learned)))
    names = set(judged.names)
    left = [place for place, name in enumerate(learned.names) if name not in names]
    if len(left) < 2:
        raise InputError(
            f"Of {len(frames)} frames only {len(left)} are left to train on; 2 are the least.",
            hint="Add more photos with depth.",
        )
    return learned.chosen(left), judged


def train_mono(
    training: FrameSet,
    validation: FrameSet,
    recipe: Recipe,
    schedule: Schedule,
    folder: Path,
    device: torch.device,
    task: Task,
) -> dict[str, float]:
    """Train, or go on where `folder` stands; returns the best network's validation errors.

    `folder` becomes a checkpoint that estimators and `recon3d eval` read, also when training is
    stopped, once there was a validation.

    Raises:
        Cancelled: the user asked to stop.
        EstimatorError: the folder holds a run of another recipe or of other data.
        InputError: no frame can be read.
        OutputError: the folder cannot be written.
    """
    going_on = (folder / CHECKPOINT).exists()
    torch.manual_seed(recipe.seed)
    # What is not trained any more needs no start of its own: the loop restores all of it.
    network, start = new_network(recipe.model, "none" if going_on else recipe.pretrained)
    objective = MonoObjective(network, training, validation, recipe, device)
    run = {
        "layout": training.layout,
        "training_frames": len(training),
        "validation_frames": len(validation),
        "recipe": asdict(recipe),
    }
    card = {**run, "start": start, "schedule": asdict(schedule)}
    if going_on:
        card["start"] = _check_same(folder / _RUN, run)
    else:
        write_json(folder / _RUN, card)

    def export(errors: dict[str, float]) -> None:
        content = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
        progress = {name: round(content["progress"][name]) for name in ("step", "seconds")}
        write_mono_checkpoint(
            folder, network, training.unit, {**card, **progress, "errors": errors}
        )

    try:
        train(objective, schedule, folder, device, task)
    except (Cancelled, KeyboardInterrupt):
        if (folder / "best.pt").exists():
            network.load_state_dict(torch.load(folder / "best.pt", weights_only=True))
            export({})
        raise
    network.load_state_dict(torch.load(folder / "best.pt", weights_only=True))
    errors = objective.validate(network.eval())
    export(errors)
    return errors


def _check_same(path: Path, run: Mapping[str, Any]) -> str:
    """Refuse to go on with another recipe; returns what the run started from."""
    try:
        before = parse_json(path.read_text(encoding="utf-8"))
        start = str(before["start"])
    except (OSError, ValueError, KeyError) as error:
        raise EstimatorError(
            f"{path} is missing or broken, so it is not known what was trained there.",
            hint="Choose another --out folder.",
        ) from error
    for name, value in run.items():
        # Through JSON, which turns tuples into lists.
        if before.get(name) != json.loads(json.dumps(value)):
            raise EstimatorError(
                f"{path.parent} holds a run with another {name}: {before.get(name)}, not {value}.",
                hint="Choose another --out folder, or repeat the options of that run.",
            )
    return start
