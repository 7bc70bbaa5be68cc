"""One training run of the multi-view network: scenes in, weights out, resumable in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from recon3d.core.errors import EstimatorError
from recon3d.depth.checkpoint import (
    DESCRIPTION,
    SHIPPED,
    Checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from recon3d.depth.multiview.estimator import KIND
from recon3d.depth.multiview.objective import MultiViewObjective
from recon3d.depth.multiview.recipe import MultiViewData
from recon3d.depth.training.loop import CHECKPOINT, train
from recon3d.depth.training.scene_bank import SceneBank
from recon3d.depth.training.schedule import Schedule
from recon3d.run.documents import parse_json
from recon3d.run.files import write_json
from recon3d.run.task import Task

_RUN = "run.json"


def train_multiview(
    bank: SceneBank,
    data: MultiViewData,
    schedule: Schedule,
    folder: Path,
    device: torch.device,
    task: Task,
    start: Checkpoint | None = None,
) -> tuple[Path, dict[str, float]]:
    """Train, from the weights of `start` or from nothing, or go on where `folder` stands.

    Returns the description of the trained network, which the estimator's setting `checkpoint`
    takes, and its errors on scenes that it has never seen.

    Raises:
        Cancelled: the user asked to stop; the same call goes on from there.
        EstimatorError: the folder holds a run on other data or of another start, or the weights to
            start from are missing or damaged.
        OutputError: the folder cannot be written.
    """
    run = {
        "data": asdict(data),
        "size_px": list(bank.size_px),
        "views": bank.views,
        "start": start.sha256 if start else None,
    }
    if (folder / CHECKPOINT).exists():
        _check_same(folder / _RUN, run)
    else:
        write_json(folder / _RUN, run)
    objective = MultiViewObjective(bank, data, device)
    if start:
        start.load_into(objective.model, torch.device("cpu")).requires_grad_(True)
    network = train(objective, schedule, folder, device, task)
    with torch.inference_mode():
        errors = objective.validate(network)
    content = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    card = {
        **run,
        "schedule": asdict(schedule),
        "step": content["progress"]["step"],
        "seconds": round(content["progress"]["seconds"]),
        "errors": errors,
    }
    path = folder / DESCRIPTION
    write_checkpoint(path, KIND, network, {}, card)
    return path, errors


def read_start(path: Path) -> Checkpoint:
    """The weights to start from: those in a folder, or "shipped".

    Raises:
        EstimatorError: there are none.
    """
    shipped = path == Path("shipped") and not path.exists()
    return read_checkpoint(SHIPPED / "multiview.json" if shipped else path, KIND)


def _check_same(path: Path, run: Mapping[str, Any]) -> None:
    try:
        before = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EstimatorError(
            f"{path} is missing or broken, so it is not known what was trained there.",
            hint="Choose another --out folder.",
        ) from error
    for name, value in run.items():
        if before.get(name) != value:
            raise EstimatorError(
                f"{path.parent} holds a run with another {name}: {before.get(name)}, not {value}.",
                hint="Choose another --out folder, or repeat the options of that run.",
            )
