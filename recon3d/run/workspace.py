"""The cache on disk: finished stages are folders with a manifest, unfinished ones end in .part."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Generic, TypeVar

from recon3d.core.errors import InputError, WorkspaceBusyError
from recon3d.run.cost import Cost, measured
from recon3d.run.files import explain_write_errors, write_json
from recon3d.run.task import CancelToken, Event, Listener, Task

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")

logger = logging.getLogger(__name__)

_MANIFEST = "manifest.json"
_LATEST = "latest.json"
_LOCK = ".lock"
_STAGE_FOLDER = re.compile(r"[0-9a-f]{16}(\.part)?")


@dataclass(frozen=True, eq=False)
class Made(Generic[T]):
    """A stage's result and where it lies."""

    stage: str
    key: str
    folder: Path
    value: T
    cost: Cost
    cached: bool


def stage_key(stage: str, version: int, config: DataclassInstance, upstream: Sequence[str]) -> str:
    """Name what a stage computes: same key, same result.

    upstream holds whatever else the result depends on: keys of earlier stages, digests of files
    and weights, versions of libraries.
    """
    text = json.dumps([stage, version, dataclasses.asdict(config), list(upstream)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Workspace:
    """Stages on disk, computed once. Use `open_workspace`, which locks it."""

    def __init__(self, root: Path, listener: Listener, cancel: CancelToken) -> None:
        self.root = root
        self._listener = listener
        self._cancel = cancel
        self._keys: dict[str, str] = {}

    def task(self, stage: str) -> Task:
        """A task for work that is not cached, such as export."""
        return Task(stage, self._listener, self._cancel)

    def stage(
        self,
        stage: str,
        *,
        version: int,
        config: DataclassInstance,
        upstream: Sequence[str],
        work: Callable[[Path, Task], None],
        read: Callable[[Path], T],
    ) -> Made[T]:
        """Compute a stage unless its folder is whole, and read it.

        work writes into the folder it is given, which may already hold whole items of an
        interrupted run; it skips those. read turns the finished folder into core types.
        """
        key = stage_key(stage, version, config, upstream)
        self._keys[stage] = key
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
            part.mkdir(parents=True, exist_ok=True)
            for torn in part.rglob(".*.part*"):  # what a killed run was writing
                torn.unlink()
        self._listener(Event("stage_started", stage))
        task = self.task(stage)
        task.check()
        with measured() as measure, explain_write_errors(part):
            work(part, task)
        cost = measure()
        write_json(part / _MANIFEST, {"stage": stage, "cost": dataclasses.asdict(cost)})
        with explain_write_errors(folder):
            # Only someone who deleted the manifest by hand has left a folder here.
            shutil.rmtree(folder, ignore_errors=True)
            part.replace(folder)
        self._listener(Event("stage_finished", stage, seconds=task.seconds))

    def remember_run(self) -> None:
        """Note which folders the latest finished run uses, for `recon3d clean`.

        Stages that it did not reach keep what an earlier run noted.
        """
        write_json(self.root / _LATEST, {**_latest_keys(self.root), **self._keys})


@contextmanager
def open_workspace(root: Path, listener: Listener, cancel: CancelToken) -> Iterator[Workspace]:
    """Lock a folder and hand out its stages.

    The lock belongs to the operating system, so a killed program leaves none behind. Where a file
    system has no locks (some network drives) the run goes on without.

    Raises:
        WorkspaceBusyError: another program works there.
        OutputError: the folder cannot be made or written.
    """
    with explain_write_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        stream = (root / _LOCK).open("a+")
    with stream:
        _lock(stream, root)
        yield Workspace(root, listener, cancel)


def _lock(stream: IO[str], root: Path) -> None:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            logger.warning("cannot lock %s (%s); do not run twice in it", root, error.strerror)
            return
        raise WorkspaceBusyError(
            f"Another recon3d is working in {root}.",
            hint="Wait until it is done, or choose another --workspace.",
        ) from error


def unused_folders(root: Path, *, everything: bool = False) -> list[Path]:
    """Stage folders that the latest finished run does not use, half-finished ones included.

    Nothing else is ever listed, whatever lies in root.

    Raises:
        InputError: root is not a workspace.
    """
    if not (root / _LOCK).is_file():
        raise InputError(
            f"{root} is not a workspace.",
            hint="Name the folder ending in .recon3d that a run made.",
        )
    latest = {} if everything else _latest_keys(root)
    return sorted(
        entry
        for entry in root.glob("*/*/")
        if _STAGE_FOLDER.fullmatch(entry.name) and latest.get(entry.parent.name) != entry.name
    )


def _latest_keys(root: Path) -> dict[str, str]:
    try:
        keys: dict[str, str] = json.loads((root / _LATEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return keys
