"""The cache on disk: finished stages are folders with a manifest, unfinished ones end in .part."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Generic, TypeVar

import psutil

from recon3d.core.errors import WorkspaceBusyError
from recon3d.run.files import explain_write_errors, write_json
from recon3d.run.task import CancelToken, Event, Listener, Task

T = TypeVar("T")

_MANIFEST = "manifest.json"
_LATEST = "latest.json"


@dataclass(frozen=True)
class Cost:
    """What computing a stage took, when it was computed."""

    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int


@dataclass(frozen=True, eq=False)
class Made(Generic[T]):
    """A stage's result and where it lies."""

    stage: str
    key: str
    folder: Path
    value: T
    cost: Cost
    cached: bool


def stage_key(stage: str, version: int, config: object, upstream: Sequence[str]) -> str:
    """Name what a stage computes: same key, same result.

    upstream holds whatever else the result depends on: keys of earlier stages, digests of files
    and weights, versions of libraries.
    """
    settings = dataclasses.asdict(config) if dataclasses.is_dataclass(config) else config  # type: ignore[arg-type]
    text = json.dumps([stage, version, settings, list(upstream)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Workspace:
    """Stages on disk, computed once. Use `open_workspace`, which locks it."""

    def __init__(
        self, root: Path, listener: Listener, cancel: CancelToken, *, resume: bool = True
    ) -> None:
        self.root = root
        self._listener = listener
        self._cancel = cancel
        self._resume = resume
        self.keys: dict[str, str] = {}

    def task(self, stage: str) -> Task:
        """A task for work that is not cached, such as export."""
        return Task(stage, self._listener, self._cancel)

    def stage(
        self,
        stage: str,
        *,
        version: int,
        config: object,
        upstream: Sequence[str],
        work: Callable[[Path, Task], None],
        read: Callable[[Path], T],
    ) -> Made[T]:
        """Compute a stage unless its folder is whole, and read it.

        work writes into the folder it is given, which may already hold whole items of an
        interrupted run; it skips those. read turns the finished folder into core types.
        """
        key = stage_key(stage, version, config, upstream)
        self.keys[stage] = key
        folder = self.root / stage / key
        cached = (folder / _MANIFEST).exists()
        if cached:
            self._listener(Event("stage_cached", stage))
        else:
            self._compute(stage, key, folder, work)
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        return Made(stage, key, folder, read(folder), Cost(**manifest["cost"]), cached)

    def _compute(
        self, stage: str, key: str, folder: Path, work: Callable[[Path, Task], None]
    ) -> None:
        part = folder.with_name(f"{key}.part")
        with explain_write_errors(part):
            if not self._resume:
                shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True, exist_ok=True)
        self._listener(Event("stage_started", stage))
        task = self.task(stage)
        task.check()
        with _measured() as measure, explain_write_errors(part):
            work(part, task)
        cost = measure()
        write_json(part / _MANIFEST, {"stage": stage, "cost": dataclasses.asdict(cost)})
        with explain_write_errors(folder):
            part.replace(folder)
        self._listener(Event("stage_finished", stage, seconds=task.seconds))

    def remember_run(self) -> None:
        """Note which folders the latest finished run uses, for `recon3d clean`."""
        write_json(self.root / _LATEST, self.keys)


@contextmanager
def open_workspace(
    root: Path, listener: Listener, cancel: CancelToken, *, resume: bool = True
) -> Iterator[Workspace]:
    """Lock a folder and hand out its stages.

    The lock belongs to the operating system, so a killed program leaves none behind.

    Raises:
        WorkspaceBusyError: another program works there.
        OutputError: the folder cannot be made or written.
    """
    with explain_write_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        stream = (root / ".lock").open("a+")
    with stream:
        _lock(stream, root)
        yield Workspace(root, listener, cancel, resume=resume)


def _lock(stream: IO[str], root: Path) -> None:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise WorkspaceBusyError(
            f"Another recon3d is working in {root}.",
            hint="Wait until it is done, or choose another --workspace.",
        ) from error


def unused_folders(root: Path, *, everything: bool = False) -> list[Path]:
    """Stage folders that the latest finished run does not use, half-finished ones included."""
    latest: Mapping[str, str] = {}
    if not everything and (root / _LATEST).exists():
        latest = json.loads((root / _LATEST).read_text(encoding="utf-8"))
    folders = sorted(
        entry
        for stage in root.iterdir()
        if stage.is_dir()
        for entry in stage.iterdir()
        if entry.is_dir() and (entry.name.endswith(".part") or (entry / _MANIFEST).exists())
    )
    return [entry for entry in folders if latest.get(entry.parent.name) != entry.name]


@contextmanager
def _measured() -> Iterator[Callable[[], Cost]]:
    """Wall time, CPU time and peak resident memory of the block, children included."""
    process = psutil.Process()
    peak = process.memory_info().rss
    stop = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(0.1):
            peak = max(peak, process.memory_info().rss)

    def cpu() -> float:
        times = process.cpu_times()
        return float(sum(times[:4]))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    wall_start, cpu_start = time.monotonic(), cpu()

    def cost() -> Cost:
        return Cost(
            round(time.monotonic() - wall_start, 3),
            round(cpu() - cpu_start, 3),
            max(peak, process.memory_info().rss),
        )

    try:
        yield cost
    finally:
        stop.set()
        watcher.join()
