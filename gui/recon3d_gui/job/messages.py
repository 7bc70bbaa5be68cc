"""What the window and the job process say to each other; all of it travels by pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from recon3d.config import Config
from recon3d.export.export import Outputs
from recon3d.export.textures import ExportConfig
from recon3d.georef.control.markers import Markers
from recon3d.results import Forecast, Inputs, Until
from recon3d.run.device import Device
from recon3d.run.task import Event
from recon3d_gui.failure import Failure


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """Compute a model, or tell what that would take."""

    inputs: Inputs
    workspace: Path
    config: Config
    device: Device = "auto"
    until: Until = Until.TEXTURE


@dataclass(frozen=True, kw_only=True)
class AdjustRequest:
    """Give a finished run another scale, up or crop, or other markers."""

    workspace: Path
    reached: Mapping[str, Path]
    """By stage: the folder of its result."""
    config: Config
    """The run's own but for these."""
    device: Device = "auto"
    cuts: bool = False
    """Mesh and texture change with it."""
    markers: Markers | None = None
    """None: those that the run had."""


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """Write files of a run that has finished."""

    workspace: Path
    reached: Mapping[str, Path]
    """By stage: the folder of its result."""
    outputs: Outputs
    config: ExportConfig = field(default_factory=ExportConfig)


@dataclass(frozen=True)
class Ask:
    """A job to be done, after those before it."""

    number: int
    request: RunRequest | AdjustRequest | ExportRequest


@dataclass(frozen=True)
class AskForecast:
    """A question; a newer one or a job takes its place."""

    number: int
    request: RunRequest


@dataclass(frozen=True)
class Cancel:
    """Stop the job of this number, whether or not it has begun."""

    number: int


Order: TypeAlias = Ask | AskForecast | Cancel


@dataclass(frozen=True)
class Amount:
    """How much there is to compute with; 0 where nobody knows."""

    photos: int = 0
    megapixels: float = 0.0
    """Of a typical photo."""


@dataclass(frozen=True)
class Summary:
    """What a run has come to."""

    given: int = 0
    placed: int = 0
    faces: int = 0
    inferred: float | None = None
    """The share of the surface that no photo measured; None where nobody knows."""
    report: Path | None = None
    written: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Begun:
    """The process works on a job now; told again when the amount is known better."""

    number: int
    amount: Amount


@dataclass(frozen=True)
class Told:
    """A step of a job."""

    number: int
    event: Event


@dataclass(frozen=True)
class Logged:
    """A line of the log."""

    number: int
    level: str
    text: str


@dataclass(frozen=True)
class Done:
    """The job's good end."""

    number: int
    summary: Summary


@dataclass(frozen=True)
class Stopped:
    """The job's end as the user asked."""

    number: int


@dataclass(frozen=True)
class Failed:
    """The job's bad end."""

    number: int
    failure: Failure


@dataclass(frozen=True)
class Foreseen:
    """The answer to a question."""

    number: int
    answer: Forecast | Failure
    amount: Amount


News: TypeAlias = Begun | Told | Logged | Done | Stopped | Failed | Foreseen
