"""The loop that trains every network here: resumable at any step, the same wherever it stops."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from recon3d.core.errors import Cancelled, EstimatorError, require
from recon3d.run.files import atomic_path
from recon3d.run.task import Task

_log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"


class Lesson(Protocol):
    """What is learned: a network, its data and its loss."""

    model: nn.Module

    def batch(self, step: int) -> Any:
        """Tensors on the training device; called from another thread, ahead of time.

        Depends on the seed and the step only: a resumed run sees what an uninterrupted one would.
        """
        ...

    def loss(self, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """What to minimise, and numbers worth a curve."""
        ...

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Errors on data that training never sees; the first is the one that must fall."""
        ...

    def pictures(self, model: nn.Module) -> Mapping[str, Tensor]:
        """(3, h, w) pictures, 0 to 1, of what the network does now."""
        ...


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast to learn."""

    steps: int = 20_000
    """Length of the whole run; the learning rate falls to zero along half a cosine over it."""
    learning_rate: float = 1e-3
    """Highest, reached after the warm-up."""
    warmup_steps: int = 100
    """The learning rate rises linearly over these."""
    weight_decay: float = 1e-2
    """Of AdamW; raising it keeps weights smaller."""
    gradient_clip: float = 1.0
    """Largest norm of a step's gradient; one odd batch then does no harm."""
    ema: float = 0.998
    """Share that the running mean of the weights keeps at each step; that mean is what is
    validated and shipped."""
    validate_every: int = 500
    """Steps between two validations."""
    save_every: int = 200
    """Steps between two checkpoints; Ctrl-C writes one at once."""
    patience: int = 0
    """Stop after so many validations without a better one; 0 = never."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        require(self.steps >= 1, "steps", self.steps, "1 or more")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        require(0 <= self.ema < 1, "ema", self.ema, "0 or more and below 1")
        require(self.validate_every >= 1, "validate_every", self.validate_every, "1 or more")
        require(self.save_every >= 1, "save_every", self.save_every, "1 or more")


@dataclass(eq=False)
class Progress:
    """Where a run stands."""

    step: int = 0
    seconds: float = 0.0
    best: float = math.inf
    validations_since_best: int = 0


def train(
    lesson: Lesson, schedule: Schedule, folder: Path, device: torch.device, task: Task
) -> nn.Module:
    """Train until the schedule ends; returns the running mean of the weights.

    `folder` receives checkpoint.pt, best.pt (the best mean so far) and TensorBoard's files; where
    it already holds a checkpoint, training goes on from there.

    Raises:
        Cancelled: the user asked to stop; a checkpoint was written.
        EstimatorError: the checkpoint there cannot be read or is of another network, or the loss
            stopped being a number.
    """
    model = lesson.model.to(device).train()
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
            for batch in _batches(lesson, progress.step, schedule.steps):
                values = _learn(lesson, batch, state, schedule, device)
                progress.step += 1
                progress.seconds = time.monotonic() - started
                if progress.step % 20 == 0:
                    for name, value in values.items():
                        board.add_scalar(f"train/{name}", value, progress.step)
                note = f"loss {values['loss']:.4f}"
                task.step(progress.step, schedule.steps, note)
                last = progress.step == schedule.steps
                if last or progress.step % schedule.validate_every == 0:
                    _examine(lesson, state, board, folder)
                if last or progress.step % schedule.save_every == 0:
                    _save(state, path)
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


def _batches(lesson: Lesson, first: int, end: int) -> Iterator[Any]:
    """Batches from `first` on, the next one made while this one is learned from."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(lesson.batch, first) if first < end else None
        for step in range(first, end):
            assert ahead is not None
            batch = ahead.result()
            ahead = pool.submit(lesson.batch, step + 1) if step + 1 < end else None
            yield batch


def _learn(
    lesson: Lesson, batch: Any, state: _State, schedule: Schedule, device: torch.device
) -> dict[str, float]:
    step = state.progress.step
    rate = schedule.learning_rate * _rate_share(step, schedule)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    state.optimizer.zero_grad(set_to_none=True)
    # bfloat16 has float32's range: no loss scaling is needed where the GPU has it.
    half = torch.bfloat16 if device.type != "cuda" or _has_bfloat16() else torch.float16
    with torch.autocast(device.type, dtype=half, enabled=device.type == "cuda"):
        loss, values = lesson.loss(batch)
    if not torch.isfinite(loss):
        raise EstimatorError(
            f"The loss is not a number at step {step}.",
            hint="Lower --learning-rate, and look for broken depth in the data.",
        )
    state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
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
    return {"loss": loss.item(), "gradient_norm": float(norm), "learning_rate": rate, **values}


def _rate_share(step: int, schedule: Schedule) -> float:
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    share = (step - schedule.warmup_steps) / max(1, schedule.steps - schedule.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def _has_bfloat16() -> bool:
    return torch.cuda.get_device_capability() >= (8, 0)


def _examine(lesson: Lesson, state: _State, board: SummaryWriter, folder: Path) -> None:
    progress = state.progress
    with torch.inference_mode():
        values = lesson.validate(state.mean_model)
        pictures = lesson.pictures(state.mean_model)
    for name, value in values.items():
        board.add_scalar(f"validation/{name}", value, progress.step)
    for name, picture in pictures.items():
        board.add_image(name, picture, progress.step)
    first = next(iter(values.values()))
    progress.validations_since_best += 1
    if first < progress.best:
        progress.best, progress.validations_since_best = first, 0
        with atomic_path(folder / "best.pt") as part:
            torch.save(state.mean_model.state_dict(), part)
    text = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
    _log.info("step %d, %.0f s: %s", progress.step, progress.seconds, text)


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
        raise EstimatorError(
            f"Cannot go on from {path}: {error}",
            hint="It is damaged or of a network of another shape. Choose another --out folder.",
        ) from error
