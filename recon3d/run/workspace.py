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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Generic, TypeVar

from typing_extensions import override

from recon3d.core.errors import InputError, WorkspaceBusyError
from recon3d.run.cost import Cost, measured
from recon3d.run.device import Runtime
from recon3d.run.files import explain_write_errors, write_json
from recon3d.run.stage import Digested, Stage
from recon3d.run.task import CancelToken, Event, Listener, Task

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
U = TypeVar("U")

logger = logging.getLogger(__name__)

_MANIFEST = "manifest.json"
_LATEST = "latest.json"
_RUN = "run.json"
_FILES = "files.json"
_LOCK = ".lock"
_STAGE_FOLDER = re.compile(r"[0-9a-f]{16}(\.part)?")


@dataclass(frozen=True, eq=False)
class StageResult(Generic[T]):
    """A stage's result and where it lies."""

    stage: str
    key: str
    folder: Path
    read: Callable[[], T]
    cost: Cost
    cached: bool

    @cached_property
    def value(self) -> T:
        """The result, read when first asked for."""
        return self.read()

    def map(self, change: Callable[[T], U]) -> StageResult[U]:
        """The same result in another form, made when asked for."""
        return StageResult(
            self.stage, self.key, self.folder, lambda: change(self.value), self.cost, self.cached
        )


def key_of(
    stage: Stage[Any],
    config: DataclassInstance,
    inputs: Iterable[StageResult[Any] | Digested],
    depends_on: Iterable[str] = (),
) -> str:
    """Name what a stage computes: same key, same result."""
    names = [each.key if isinstance(each, StageResult) else each.digest for each in inputs]
    upstream = [*names, *depends_on, *stage.library_versions]
    fields = [stage.name, stage.version, dataclasses.asdict(config), upstream]
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


class Workspace:
    """Stages on disk, computed once. Use `open_workspace`, which locks it."""

    def __init__(
        self,
        root: Path,
        listener: Listener,
        cancel: CancelToken,
        runtime: Runtime = Runtime(),  # noqa: B008 - frozen
    ) -> None:
        self.root = root
        self._runtime = runtime
        self._listener = listener
        self._cancel = cancel
        self._keys: dict[str, str] = {}

    def task(self, stage: str) -> Task:
        """A task for work that is not cached, such as export."""
        return Task(stage, self._listener, self._cancel, self._runtime)

    def run(
        self,
        stage: Stage[T],
        config: DataclassInstance,
        *inputs: StageResult[Any] | Digested,
        depends_on: Iterable[str] = (),
        read: Callable[[Path], T] | None = None,
    ) -> StageResult[T]:
        """Compute a stage unless its folder is whole, and read it.

        The key follows from the stage, its libraries, its config and the inputs.

        Args:
            stage: What to run.
            config: Its settings.
            inputs: Results of earlier stages, handed on by value, and whatever has a digest.
            depends_on: What else decides the result.
            read: Reads the folder in place of the stage's own function.
        """
        key = key_of(stage, config, inputs, depends_on)
        folder = self.root / stage.name / key
        self._keys[stage.name] = key
        cached = (folder / _MANIFEST).exists()
        if cached:
            self._listener(Event("stage_cached", stage.name, folder=str(folder)))
        else:
            values = [each.value if isinstance(each, StageResult) else each for each in inputs]
            self._compute(stage, key, folder, [*values, config])
        self.warn_again(stage.name, lambda: stage.warnings(folder))
        reader = partial(read or stage.read, folder)
        return StageResult(stage.name, key, folder, reader, _read_cost(folder), cached)

    def _compute(self, stage: Stage[T], key: str, folder: Path, arguments: Sequence[Any]) -> None:
        part = folder.with_name(f"{key}.part")
        with explain_write_errors(part):
            part.mkdir(parents=True, exist_ok=True)
            for torn in part.rglob(".*.part*"):  # what a killed run was writing
                torn.unlink()
        self._listener(Event("stage_started", stage.name))
        task = self.task(stage.name)
        task.check()
        with measured() as measure, explain_write_errors(part):
            stage.run(*arguments, part, task)
        cost = measure()
        write_json(part / _MANIFEST, {"stage": stage.name, "cost": dataclasses.asdict(cost)})
        with explain_write_errors(folder):
            # Only someone who deleted the manifest by hand has left a folder here.
            shutil.rmtree(folder, ignore_errors=True)
            part.replace(folder)
        self._listener(
            Event("stage_finished", stage.name, seconds=task.seconds, folder=str(folder))
        )

    def warn_again(self, stage: str, warnings: Callable[[], Iterable[str]]) -> None:
        """Warn of what makes a result worse than it looks.

        On every run: a result from the cache is no better than a new one.
        """
        for warning in warnings():
            self.task(stage).warn(warning)

    def remember_run(
        self, reached: Mapping[str, StageResult[Any]], files: Mapping[str, Path] | None = None
    ) -> None:
        """Note which folders the latest finished run uses, for `recon3d clean` and `last_run`.

        For `clean`, stages that it did not reach keep what an earlier run noted; what `last_run`
        hands out is all of one run.

        files: by name: what the user gave besides photos, for `files_of_run`.
        """
        write_json(self.root / _LATEST, {**_latest_keys(self.root), **self._keys})
        run = {name: {"stage": made.stage, "key": made.key} for name, made in reached.items()}
        write_json(self.root / _RUN, run)
        given = {name: str(path.absolute()) for name, path in (files or {}).items()}
        write_json(self.root / _FILES, given)


class NotComputedError(Exception):
    """Someone needs the result of a stage that a dry run has only looked up."""


class DryRun(Workspace):
    """Stages that are only looked up: the same code then tells what it would compute.

    Nothing is locked or written, and nobody is told anything. Keys need no results, so stages go
    on being looked up until one is needed that does not exist.
    """

    def __init__(
        self, root: Path, listener: Listener, cancel: CancelToken, runtime: Runtime
    ) -> None:
        super().__init__(root, listener, cancel, runtime)
        self.kept: list[str] = []
        self.missing: list[str] = []

    @override
    def run(
        self,
        stage: Stage[T],
        config: DataclassInstance,
        *inputs: StageResult[Any] | Digested,
        depends_on: Iterable[str] = (),
        read: Callable[[Path], T] | None = None,
    ) -> StageResult[T]:
        """Look a stage up.

        Raises:
            NotComputedError: by the value of what is returned, where the workspace lacks it.
        """
        key = key_of(stage, config, inputs, depends_on)
        folder = self.root / stage.name / key
        if (folder / _MANIFEST).exists():
            self.kept.append(stage.name)
            reader = partial(read or stage.read, folder)
            return StageResult(stage.name, key, folder, reader, _read_cost(folder), True)
        self.missing.append(stage.name)

        def refuse() -> T:
            raise NotComputedError(stage.name)

        return StageResult(stage.name, key, folder, refuse, Cost(0, 0, 0), False)

    @override
    def warn_again(self, stage: str, warnings: Callable[[], Iterable[str]]) -> None:
        """Nothing has been made that could be worse than it looks."""


@contextmanager
def open_workspace(
    root: Path,
    listener: Listener,
    cancel: CancelToken,
    runtime: Runtime = Runtime(),  # noqa: B008 - frozen
) -> Iterator[Workspace]:
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
        yield Workspace(root, listener, cancel, runtime)


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
    _check_workspace(root)
    latest = {} if everything else _latest_keys(root)
    return sorted(
        entry
        for entry in root.glob("*/*/")
        if _STAGE_FOLDER.fullmatch(entry.name) and latest.get(entry.parent.name) != entry.name
    )


def last_run(root: Path, stages: Iterable[Stage[Any]]) -> dict[str, StageResult[Any]]:
    """What the latest finished run has reached, by the names that `remember_run` was given.

    Nothing is computed, locked or, until a value is asked for, read.

    stages: Those that it may have run.

    Raises:
        InputError: root is not a workspace, no run has finished in it, or it is not whole.
    """
    _check_workspace(root)
    hint = f"Run `recon3d mesh` with --workspace {root}; what is finished there is used again."
    try:
        run = json.loads((root / _RUN).read_text(encoding="utf-8"))
        readers = {stage.name: stage.read for stage in stages}
        made = {}
        for name, entry in run.items():
            stage, key = entry["stage"], entry["key"]
            if not _STAGE_FOLDER.fullmatch(key):
                raise ValueError(key)
            folder, read = root / stage / key, readers[stage]
            made[name] = StageResult(
                stage, key, folder, partial(read, folder), _read_cost(folder), True
            )
    except FileNotFoundError as error:
        missing = Path(error.filename)
        told = "no run has finished in it" if missing.name == _RUN else f"{missing} is missing"
        raise InputError(f"{root} cannot be opened: {told}.", hint=hint) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{root} cannot be opened: it is damaged, or of another version of recon3d.", hint=hint
        ) from error
    return made


def files_of_run(root: Path) -> dict[str, Path]:
    """The files that the latest finished run was given; none where that is not known."""
    try:
        noted = json.loads((root / _FILES).read_text(encoding="utf-8"))
        return {str(name): Path(path) for name, path in noted.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def finished_stage(stage: Stage[T], folder: Path) -> StageResult[T]:
    """A stage's result by its folder.

    Raises:
        InputError: the folder is gone or not whole.
    """
    try:
        reader = partial(stage.read, folder)
        return StageResult(stage.name, folder.name, folder, reader, _read_cost(folder), True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder} cannot be opened: it is gone or damaged.",
            hint="Run again; what is finished stays.",
        ) from error


def _check_workspace(root: Path) -> None:
    if not (root / _LOCK).is_file():
        raise InputError(
            f"{root} is not a workspace.",
            hint="Name the folder ending in .recon3d that a run made.",
        )


def _read_cost(folder: Path) -> Cost:
    manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    return Cost(**manifest["cost"])


def _latest_keys(root: Path) -> dict[str, str]:
    try:
        keys: dict[str, str] = json.loads((root / _LATEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return keys
