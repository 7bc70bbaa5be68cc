"""The latest run and export, and what the window is told of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeAlias, TypeVar

from recon3d_gui.failure import Failure
from recon3d_gui.job.messages import AdjustRequest, ExportRequest, RunRequest, Summary
from recon3d_gui.job.outlook import Outlook

State = Literal["idle", "starting", "running", "cancelling", "done", "failed", "cancelled"]
Computed: TypeAlias = RunRequest | AdjustRequest
"""What makes or changes a model."""
R = TypeVar("R", Computed, ExportRequest)

_BUSY = frozenset({"starting", "running", "cancelling"})


@dataclass(frozen=True)
class LogLine:
    """One line of the log; level: "debug", "info", "warning", "error" or "critical"."""

    at: float
    """Seconds since the start of the run."""
    level: str
    text: str


@dataclass
class Job(Generic[R]):
    """The latest run, or the latest export."""

    request: R | None = None
    number: int = 0
    state: State = "idle"
    failure: Failure | None = None
    summary: Summary | None = None
    done: int = 0
    total: int = 0
    note: str = ""

    @property
    def busy(self) -> bool:
        """Whether it has begun and not ended."""
        return self.state in _BUSY


@dataclass(frozen=True)
class StageReached:
    """A stage of the run has its result in a folder."""

    stage: str
    folder: Path


@dataclass(frozen=True)
class StageBegun:
    """A stage of the run is at work, item by item, in a folder."""

    stage: str
    folder: Path


@dataclass(frozen=True)
class RunEnded:
    """The run is done, failed or cancelled."""

    state: State
    request: Computed
    summary: Summary | None
    failure: Failure | None
    reached: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class ExportEnded:
    """The export is done, failed or cancelled."""

    state: State
    request: ExportRequest
    summary: Summary | None
    failure: Failure | None


@dataclass(frozen=True)
class OutlookChanged:
    """A forecast has come."""

    outlook: Outlook


Notification: TypeAlias = StageBegun | StageReached | RunEnded | ExportEnded | OutlookChanged
