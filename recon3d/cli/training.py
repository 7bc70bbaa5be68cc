"""What the subcommands of `recon3d train` share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tyro.conf import OmitArgPrefixes

from recon3d.cli.display import Display
from recon3d.cli.options import Command
from recon3d.cli.supervisor import REUSE_MEMORY
from recon3d.core.errors import ReconError
from recon3d.depth.training.schedule import Schedule
from recon3d.run.device import Device


@dataclass(frozen=True, kw_only=True)
class Training(Command):
    """Runs for hours, and writes a checkpoint when it is stopped."""

    supervised: ClassVar[bool] = True
    grace_seconds: ClassVar[float] = 60.0
    environment: ClassVar[Mapping[str, str]] = REUSE_MEMORY

    schedule: OmitArgPrefixes[Schedule] = field(default_factory=Schedule)
    device: Device = "auto"
    """auto takes the NVIDIA GPU where there is one; cpu and cuda insist."""


@contextmanager
def explain_missing_packages() -> Iterator[None]:
    """Around imports of what only training needs.

    Raises:
        ReconError: a package is not installed; says how to get it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ReconError(
            f"Training needs one more package: {error.name}.",
            hint="Run: pip install '.[train]'",
        ) from error


def show_errors(
    display: Display, errors: Mapping[str, float], *, judged_on: str, checkpoint: Path, model: Path
) -> None:
    """End a training with what it has reached; model is what --depth-model takes."""
    words = ", ".join(f"{name} {value:.4f}" for name, value in errors.items())
    display.result(
        {"checkpoint": str(checkpoint), "errors": dict(errors)},
        f"Checkpoint: {checkpoint}\nOn {judged_on}: {words}\n"
        f"Use it:     recon3d mesh PHOTOS --depth-model {model}",
    )
