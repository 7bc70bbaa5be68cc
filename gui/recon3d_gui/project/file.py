"""Projects in files: TOML beside the workspace, with paths that survive moving both together."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, get_args

import tomli_w

from recon3d.config import Preset, preset, updated
from recon3d.core.errors import ConfigError, InputError, OutputError
from recon3d.georef.control.markers import Markers
from recon3d.run.device import Device
from recon3d.run.documents import parse_toml
from recon3d.run.files import atomic_path
from recon3d_gui.project import markers, measurements
from recon3d_gui.project.project import Changes, Project, RunRecord, Value

SUFFIX = ".r3d"
FORMAT = 1

_MAX_BYTES = 8 << 20
_STAGE = re.compile(r"[a-z]+( [a-z]+)*")
_KEY = re.compile(r"[0-9a-f]{16}")
_FILES = ("intrinsics", "poses", "masks", "drawn_masks", "sensor_depth")
_KNOWN = {
    "format", "workspace", "sources", "named_below", "excluded", *_FILES, "preset", "device",
    "changes", "view", "runs", "measurements", "markers", "scale_bars", "markers_crs",
}  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True)
class Opened:
    """A project, and what of it could not be taken over, told in words."""

    project: Project
    notes: tuple[str, ...] = ()
    file: Path | None = None
    """Where it is saved; None: nowhere yet."""


def save_project(project: Project, file: Path) -> None:
    """Write a project file atomically.

    Raises:
        OutputError: the place cannot be written, or a name in it is no text.
    """
    try:
        content = tomli_w.dumps(_plain(project, file.absolute().parent)).encode()
    except UnicodeEncodeError as error:
        raise OutputError(
            f"{file.name} cannot be saved: a file's name has characters that no computer can "
            f"read ({error.object[:80]!r}).",
            hint="Rename that file, and add it again.",
        ) from error
    with atomic_path(file) as part:
        part.write_bytes(content)


def read_project(file: Path) -> Opened:
    """Read a project file; what this version does not understand is left out and noted.

    Raises:
        InputError: it is missing, unreadable, no project file, or of a newer version.
    """
    content = _read(file)
    if content.get("format") != FORMAT:
        raise InputError(
            f"{file.name} was written by a newer version of recon3d."
            if isinstance(content.get("format"), int)
            else f"{file.name} is not a project of recon3d.",
            hint="Update recon3d, or open another project.",
        )
    return _Reading(file, content).project()


def _read(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise InputError(f"{file.name} is too large for a project file.")
        return parse_toml(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{file} does not exist.", hint="It may have been moved, or its disk is not connected."
        ) from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(
            f"{file.name} is damaged, or not a project of recon3d.",
            hint="Open the folder ending in .recon3d instead: it holds all finished work.",
        ) from error


class _Reading:
    """One file, read field by field: a field of the wrong type costs that field only."""

    def __init__(self, file: Path, content: Mapping[str, Any]) -> None:
        self._file = file
        self._folder = file.absolute().parent
        self._content = content
        self._notes: list[str] = []

    def project(self) -> Opened:
        for name in sorted(self._content.keys() - _KNOWN):
            self._note(f"{name} is unknown to this version")
        workspace = self._one("workspace", self._path)
        chosen: Preset = self._one("preset", _choice(Preset)) or "balanced"
        project = Project(
            sources=self._all("sources", self._path),
            named_below=self._one("named_below", self._path),
            excluded=frozenset(self._all("excluded", _text)),
            **{name: self._one(name, self._path) for name in _FILES},
            preset=chosen,
            device=self._one("device", _choice(Device)) or "auto",
            changes=self._one("changes", lambda changes: self._changes(chosen, changes)) or {},
            workspace=workspace or self._file.absolute().with_suffix(".recon3d"),
            view=self._one("view", _view) or {},
            runs=self._all("runs", self._run),
            measurements=self._all("measurements", measurements.read)[: measurements.MOST],
            markers=self._markers(),
        )
        return Opened(project, tuple(self._notes), self._file)

    def _markers(self) -> Markers:
        points = self._all("markers", markers.read_point)
        names = [one.name for one in points]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._note(f"a second marker called {name}")
        bars, crs = self._all("scale_bars", markers.read_bar), self._one("markers_crs", _text)
        return markers.assembled(points, bars, crs or "")

    def _one(self, name: str, read: Callable[[Any], T]) -> T | None:
        if name not in self._content:
            return None
        try:
            return read(self._content[name])
        except (ValueError, TypeError, KeyError, AttributeError):
            self._note(f"{name} is damaged")
            return None

    def _all(self, name: str, read: Callable[[Any], T]) -> tuple[T, ...]:
        items = self._one(name, list)
        found: list[T] = []
        for item in items or ():
            try:
                found.append(read(item))
            except (ValueError, TypeError, KeyError, AttributeError):
                self._note(f"one of {name} is damaged")
        return tuple(found)

    def _note(self, what: str) -> None:
        self._notes.append(f"{self._file.name}: {what} and was left out.")

    def _path(self, value: Any) -> Path:
        text = _text(value)
        if not text or "\0" in text:
            raise ValueError(text)
        return Path(os.path.normpath(self._folder / text))

    def _changes(self, chosen: Preset, changes: Mapping[str, Mapping[str, Any]]) -> Changes:
        """Setting by setting: one that this version does not take must not cost the others."""
        base = preset(chosen)
        kept: dict[str, dict[str, Value]] = {}
        for stage, settings in changes.items():
            for name, value in settings.items():
                try:
                    config = updated(base, {stage: {name: value}})
                except ConfigError as error:
                    self._note(f"the setting {stage}.{name} ({str(error).rstrip('.')})")
                else:
                    kept.setdefault(stage, {})[name] = getattr(getattr(config, stage), name)
        return kept

    def _run(self, fields: Mapping[str, Any]) -> RunRecord:
        finished_at = fields["finished_at"]
        if not isinstance(finished_at, datetime) or finished_at.tzinfo is None:
            raise ValueError(finished_at)
        chosen: Preset = _choice(Preset)(fields["preset"])
        reached = {stage: _text(key) for stage, key in fields["reached"].items()}
        # They become paths.
        if not all(_STAGE.fullmatch(s) and _KEY.fullmatch(k) for s, k in reached.items()):
            raise ValueError(reached)
        return RunRecord(
            name=_text(fields["name"]),
            finished_at=finished_at,
            preset=chosen,
            changes=self._changes(chosen, fields["changes"]),
            reached=reached,
            markers=_text(fields.get("markers", "")),
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _choice(kind: Any) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value not in get_args(kind):
            raise ValueError(value)
        return value

    return read


def _view(fields: Mapping[str, Any]) -> dict[str, Value]:
    return {name: _value(value) for name, value in fields.items()}


def _value(value: Any) -> Value:
    if isinstance(value, list):
        return tuple(_finite(number) for number in value)
    if isinstance(value, float):
        return _finite(value)
    if not isinstance(value, bool | int | str):
        raise ValueError(value)
    return value


def _finite(value: Any) -> float:
    if not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _plain(project: Project, folder: Path) -> dict[str, Any]:
    files = {name: getattr(project, name) for name in _FILES}
    return {
        "format": FORMAT,
        "workspace": _below(project.workspace, folder),
        "sources": [_below(path, folder) for path in project.sources],
        **({"named_below": _below(base, folder)} if (base := project.named_below) else {}),
        "excluded": sorted(project.excluded),
        **{name: _below(path, folder) for name, path in files.items() if path},
        "preset": project.preset,
        "device": project.device,
        "changes": _without_none(project.changes),
        "view": dict(project.view),
        "measurements": [*map(measurements.plain, project.measurements)],
        "markers": markers.plain_points(project.markers),
        "scale_bars": markers.plain_bars(project.markers),
        **({"markers_crs": project.markers.crs} if project.markers.crs else {}),
        "runs": [
            {
                "name": run.name,
                "finished_at": run.finished_at,
                "preset": run.preset,
                "changes": _without_none(run.changes),
                "reached": dict(run.reached),
                "markers": run.markers,
            }
            for run in project.runs
        ],
    }


def _without_none(changes: Changes) -> dict[str, dict[str, Value]]:
    """TOML has no word for None, which is then what every preset says."""
    return {
        stage: {name: value for name, value in settings.items() if value is not None}
        for stage, settings in changes.items()
    }


def _below(path: Path, folder: Path) -> str:
    """Relative, unless the two have nothing in common but the disk."""
    path = path.absolute()
    try:
        near = Path(os.path.commonpath([path, folder])) != Path(folder.anchor)
    except ValueError:  # on Windows: two drives
        near = False
    return Path(os.path.relpath(path, folder)).as_posix() if near else path.as_posix()
