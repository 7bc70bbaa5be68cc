"""The loop that trains every network here: resumable at any step, the same wherever it stops."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from recon3d.core.errors import Cancelled, EstimatorError, is_lack_of_memory, not_enough_memory
from recon3d.depth.training.schedule import Schedule
from recon3d.run.files import atomic_path
from recon3d.run.task import Task

_log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"


class Objective(Protocol):
    """What is learned: a network, its data and its loss."""

    model: nn.Module

    def batch(self, step: int) -> Any:
        """Tensors on the training device; called from another thread, ahead of time.

        Depends on the seed and the step only: a resumed run sees what an uninterrupted one would.
        A list holds parts whose gradients are averaged; on the CPU each has a thread of its own,
        which uses several cores far better than torch's own threads do.
        """
        ...

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """What to minimise, and numbers worth a curve, for a batch or one of its parts."""
        ...

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Errors on data that training never sees; the first is the one that must fall."""
        ...

    def pictures(self, model: nn.Module) -> Mapping[str, Tensor]:
        """What the network does now: (3, h, w) pictures, 0 to 1, and (n, 6) points.

        A point is x, y, z with y down, and red, green, blue, 0 to 1.
        """
        ...


@dataclass(eq=False)
class Progress:
    """Where a run stands."""

    step: int = 0
    seconds: float = 0.0
    best: float = math.inf
    validations_since_best: int = 0
    validation_seconds: float = 0.0


def train(
    objective: Objective, schedule: Schedule, folder: Path, device: torch.device, task: Task
) -> nn.Module:
    """Train until the schedule ends; returns the running mean of the weights.

    `folder` receives checkpoint.pt, best.pt (the best mean so far) and TensorBoard's files; where
    it already holds a checkpoint, training goes on from there.

    Raises:
        Cancelled: the user asked to stop; a checkpoint was written.
        EstimatorError: the checkpoint there cannot be read or is of another network, or the loss
            stopped being a number.
    """
    model = objective.model.to(device).train()
    mean_model = copy.deepcopy(model).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    scaler = torch.amp.GradScaler(enabled=device.type == "cuda")
    state = _State(model, mean_model, optimizer, scaler, Progress())
    path = folder / CHECKPOINT
    if path.exists():
        _restore(state, path, device)
        _log.info("going on at step %d of %d", state.progress.step, schedule.steps)
    progress = state.progress
    started = time.monotonic() - progress.seconds
    with closing(SummaryWriter(str(folder), purge_step=progress.step)) as board:
        try:
            if schedule.seconds and progress.step == 0:
                # How long validating takes is not known otherwise; and where it started is.
                progress.validation_seconds = _examine(objective, state, board, folder)
            ahead = 4 if device.type == "cuda" else 1
            for batch in _batches(objective, progress.step, schedule.steps, ahead):
                values = _learn(objective, batch, state, schedule, device)
                progress.step += 1
                before, progress.seconds = progress.seconds, time.monotonic() - started
                if progress.step % 20 == 0:
                    for name, value in values.items():
                        board.add_scalar(f"train/{name}", value, progress.step)
                note = f"loss {values['loss']:.4f}"
                done, total = progress.step, schedule.steps
                if schedule.seconds:
                    done, total = round(progress.seconds), schedule.seconds
                task.step(min(done, total), total, note)
                # Another step like this one, and the last validation, must still fit in.
                left = _budget(progress, schedule) - progress.seconds
                no_time = schedule.seconds > 0 and left < progress.seconds - before
                last = no_time or progress.step == schedule.steps
                if last or progress.step % schedule.validate_every == 0:
                    progress.validation_seconds = _examine(objective, state, board, folder)
                if last or progress.step % schedule.save_every == 0:
                    _save(state, path)
                if no_time:
                    _log.info("stopped at step %d: the time is over", progress.step)
                    break
                if 0 < schedule.patience <= progress.validations_since_best:
                    _log.info("stopped at step %d: no better for a while", progress.step)
                    break
        except (Cancelled, KeyboardInterrupt):
            _save(state, path)
            raise
    _save(state, path)
    return mean_model


@dataclass(eq=False)
class _State:
    model: nn.Module
    mean_model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    progress: Progress


def _batches(objective: Objective, first: int, end: int, ahead: int) -> Iterator[Any]:
    """Batches from `first` on, the next ones made while one is learned from."""
    with ThreadPoolExecutor(ahead) as pool:
        steps = iter(range(first, end))
        coming = deque(pool.submit(objective.batch, step) for step in islice(steps, ahead))
        try:
            while coming:
                batch = coming.popleft().result()
                coming.extend(pool.submit(objective.batch, step) for step in islice(steps, 1))
                yield batch
        finally:
            for future in coming:
                future.cancel()


def _learn(
    objective: Objective, batch: Any, state: _State, schedule: Schedule, device: torch.device
) -> dict[str, float]:
    step = state.progress.step
    rate = schedule.learning_rate * _rate_share(state.progress, schedule)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    parts = batch if isinstance(batch, list) else [batch]
    values = _gradients(objective, state, parts, device)
    if not math.isfinite(values["loss"]):
        raise EstimatorError(
            f"The loss is not a number at step {step}.",
            hint="Lower --learning-rate, and look for broken depth in the data.",
        )
    state.scaler.unscale_(state.optimizer)
    norm = nn.utils.clip_grad_norm_(state.model.parameters(), schedule.gradient_clip)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    # A mean over all steps at first, else the random start would linger in it.
    keep = min(schedule.ema, (1 + step) / (10 + step))
    with torch.no_grad():
        for mean, now in zip(
            state.mean_model.state_dict().values(), state.model.state_dict().values(), strict=True
        ):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - keep)
            else:
                mean.copy_(now)
    return {**values, "gradient_norm": float(norm), "learning_rate": rate}


def _gradients(
    objective: Objective, state: _State, parts: Sequence[Any], device: torch.device
) -> dict[str, float]:
    """Set the mean gradient of all parts; returns the means of their numbers."""
    # bfloat16 has float32's range: no loss scaling is needed where the GPU has it.
    half = torch.bfloat16 if device.type != "cuda" or _has_bfloat16() else torch.float16
    parameters = [p for p in state.model.parameters() if p.requires_grad]

    def learn(model: nn.Module, part: Any) -> tuple[tuple[Tensor | None, ...], dict[str, float]]:
        with torch.autocast(device.type, dtype=half, enabled=device.type == "cuda"):
            loss, values = objective.loss(model, part)
        scaled = state.scaler.scale(loss)
        gradients = torch.autograd.grad(scaled, parameters, allow_unused=True)
        return gradients, {"loss": loss.item(), **values}

    if device.type == "cpu" and len(parts) > 1:
        models = [state.model, *(_replica(state.model) for _ in parts[1:])]
        with ThreadPoolExecutor(
            len(parts), initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            results = list(pool.map(learn, models, parts))
        _average_buffers(models)
    else:
        results = [learn(state.model, part) for part in parts]
    for parameter, *shares in zip(
        parameters, *(gradients for gradients, _ in results), strict=True
    ):
        known = [share for share in shares if share is not None]
        parameter.grad = torch.stack(known).sum(0) / len(parts) if known else None
    names = results[0][1]
    return {name: sum(values[name] for _, values in results) / len(parts) for name in names}


def _replica(model: nn.Module) -> nn.Module:
    """The same weights, but own running statistics, so that threads do not race for them."""
    return copy.deepcopy(model, {id(p): p for p in model.parameters()})


def _average_buffers(models: Sequence[nn.Module]) -> None:
    for buffers in zip(*(model.buffers() for model in models), strict=True):
        if buffers[0].is_floating_point():
            buffers[0].copy_(torch.stack(buffers).mean(0))


def _rate_share(progress: Progress, schedule: Schedule) -> float:
    if progress.step < schedule.warmup_steps:
        return (progress.step + 1) / schedule.warmup_steps
    steps = schedule.steps - schedule.warmup_steps
    share = (progress.step - schedule.warmup_steps) / max(1, steps)
    if schedule.seconds:
        share = max(share, progress.seconds / max(1e-9, _budget(progress, schedule)))
    return 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def _budget(progress: Progress, schedule: Schedule) -> float:
    """Seconds for steps: validating at the end, twice with the final judgement, takes its share."""
    return schedule.seconds - 2.2 * progress.validation_seconds


def _has_bfloat16() -> bool:
    return torch.cuda.get_device_capability() >= (8, 0)


def _examine(objective: Objective, state: _State, board: SummaryWriter, folder: Path) -> float:
    """Validate and show; returns how many seconds that took."""
    progress, started = state.progress, time.monotonic()
    with torch.inference_mode():
        values = objective.validate(state.mean_model)
        pictures = objective.pictures(state.mean_model)
    for name, value in values.items():
        board.add_scalar(f"validation/{name}", value, progress.step)
    for name, picture in pictures.items():
        if picture.ndim == 3:
            board.add_image(name, picture, progress.step)
        else:
            # The viewer's y points up and its z towards the viewer.
            xyz = picture[None, :, :3] * picture.new_tensor([1, -1, -1])
            rgb = (picture[None, :, 3:] * 255).byte()
            board.add_mesh(name, xyz, rgb, global_step=progress.step)
    first = next(iter(values.values()))
    progress.validations_since_best += 1
    if first < progress.best:
        progress.best, progress.validations_since_best = first, 0
        with atomic_path(folder / "best.pt") as part:
            torch.save(state.mean_model.state_dict(), part)
    text = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
    _log.info("step %d, %.0f s: %s", progress.step, progress.seconds, text)
    return time.monotonic() - started


def _save(state: _State, path: Path) -> None:
    with atomic_path(path) as part:
        torch.save(
            {
                "model": state.model.state_dict(),
                "mean_model": state.mean_model.state_dict(),
                "optimizer": state.optimizer.state_dict(),
                "scaler": state.scaler.state_dict(),
                "progress": asdict(state.progress),
            },
            part,
        )


def _restore(state: _State, path: Path, device: torch.device) -> None:
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        state.model.load_state_dict(content["model"])
        state.mean_model.load_state_dict(content["mean_model"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.scaler.load_state_dict(content["scaler"])
        state.progress = Progress(**content["progress"])
    except Exception as error:  # torch raises whatever it finds in a broken file
        if is_lack_of_memory(error):
            raise not_enough_memory(f"load {path.name}") from error
        raise EstimatorError(
            f"Cannot go on from {path}: {error}",
            hint="It is damaged or of a network of another shape. Choose another --out folder.",
        ) from error
