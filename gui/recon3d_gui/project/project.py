"""A project: the user's files, settings and finished runs. Never changed, only replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from recon3d.config import Config, Preset, preset, updated
from recon3d.georef.control.markers import Markers
from recon3d.results import Inputs
from recon3d.run.device import Device
from recon3d_gui.project.markers import NONE
from recon3d_gui.project.measurements import Measurement

Value: TypeAlias = bool | int | float | str | tuple[float, ...] | None
Changes: TypeAlias = Mapping[str, Mapping[str, Value]]
"""Settings that a person has set, {stage: {name: value}}; all others are the preset's."""

LASTING = frozenset({"workspace", "runs", "view"})
"""Fields that undo leaves alone: what has happened, and where one looks from."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A finished run, which can be looked at again as long as the workspace holds it."""

    name: str
    finished_at: datetime
    """With the offset of the place where it ran, so that it reads as the clock did."""
    preset: Preset
    changes: Changes
    reached: Mapping[str, str]
    """By stage: the key under which the workspace keeps its result."""
    markers: str = ""
    """`markers.stamp` of those that count in it."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """Everything that a project file keeps.

    Raises:
        ConfigError: `changes` has an unknown name or an impossible value.
    """

    sources: tuple[Path, ...] = ()
    """Files and folders as they were dropped, or one video."""
    named_below: Path | None = None
    """Folder below which photos are named, since the first were added; None: what all of them have
    in common."""
    excluded: frozenset[str] = frozenset()
    """Ids of photos that are left out."""
    intrinsics: Path | None = None
    poses: Path | None = None
    masks: Path | None = None
    drawn_masks: Path | None = None
    """Folder of the masks that were drawn in the window."""
    sensor_depth: Path | None = None
    preset: Preset = "balanced"
    changes: Changes = field(default_factory=dict)
    device: Device = "auto"
    workspace: Path
    runs: tuple[RunRecord, ...] = ()
    """Oldest first."""
    measurements: tuple[Measurement, ...] = ()
    """Distances that were measured in the model, oldest first."""
    markers: Markers = NONE
    """Set by hand in photos, with their coordinates and the lengths between them."""
    view: Mapping[str, Value] = field(default_factory=dict)
    """The camera of the 3D view, as the viewer describes it."""

    def __post_init__(self) -> None:
        """Refuse settings that no run would take."""
        _ = self.config

    @cached_property
    def config(self) -> Config:
        """What to compute: the preset with the changes."""
        return updated(preset(self.preset), self.changes)

    @property
    def inputs(self) -> Inputs:
        """The user's files, as a run takes them."""
        return Inputs(
            photos=self.sources,
            intrinsics=self.intrinsics,
            poses=self.poses,
            masks=self.masks,
            drawn_masks=self.drawn_masks,
            sensor_depth=self.sensor_depth,
            excluded=self.excluded,
            named_below=self.named_below,
            markers=self.markers or None,
        )

    def changes_with(self, stage: str, **settings: Value) -> Changes:
        """The changes, with some settings of one stage set; what the preset says anyway is dropped.

        Raises:
            ConfigError: an unknown name or an impossible value.
        """
        base = preset(self.preset)
        now = updated(base, {stage: {**self.changes.get(stage, {}), **settings}})
        wanted, usual = asdict(getattr(now, stage)), asdict(getattr(base, stage))
        kept = [name for name in self.changes.get(stage, {}) if name not in settings]
        kept += [name for name in settings if wanted[name] != usual[name]]
        others = {name: changed for name, changed in self.changes.items() if name != stage}
        return {**others, stage: {name: wanted[name] for name in kept}} if kept else others
