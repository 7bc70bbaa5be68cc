"""The cache on disk: finished stages are folders with a manifest, unfinished ones end in .part."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import override

from recon3d.run.cost import Cost, measured
from recon3d.run.device import Runtime
from recon3d.run.digests import json_digest
from recon3d.run.files import explain_write_errors, remove_below, remove_tree
from recon3d.run.lock import locked
from recon3d.run.manifest import (
    MANIFEST,
    PART,
    DamagedManifestError,
    Manifest,
    claim,
    claimed_files,
    complete,
    files_in,
    is_claimed,
    read_manifest,
    torn_files,
)
from recon3d.run.memory import return_freed_memory
from recon3d.run.notes import in_words, note_run
from recon3d.run.stage import Digested, Stage, StageResult
from recon3d.run.task import CancelToken, Event, Listener, Task

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


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
    return json_digest(fields)[:16]


class Workspace:
    """Stages on disk, computed once. Use `open_workspace`, which locks it."""

    def __init__(
        self,
        root: Path,
        listener: Listener,
        cancel: CancelToken,
        runtime: Runtime = Runtime(),  # noqa: B008 - frozen
        check_place: Callable[[], None] = lambda: None,
    ) -> None:
        self.root = root
        self._check_place = check_place
        self._runtime = runtime
        self._listener = listener
        self._cancel = cancel
        self._keys: dict[str, list[str]] = {}

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
        self._keys.setdefault(stage.name, []).append(key)
        manifest = self._finished(stage.name, folder)
        cached = manifest is not None
        if manifest:
            self._listener(Event("stage_cached", stage.name, folder=str(folder)))
        else:
            values = [each.value if isinstance(each, StageResult) else each for each in inputs]
            manifest = self._compute(stage, folder, [*values, config])
        self.warn_again(stage.name, lambda: stage.warnings(folder))
        reader = partial(read or stage.read, folder)
        return StageResult(stage.name, key, folder, reader, manifest.cost, cached)

    def is_finished(
        self,
        stage: Stage[Any],
        config: DataclassInstance,
        *inputs: StageResult[Any] | Digested,
        depends_on: Iterable[str] = (),
    ) -> bool:
        """Whether `run` would find the result."""
        folder = self.root / stage.name / key_of(stage, config, inputs, depends_on)
        return self._finished(stage.name, folder) is not None

    def others(self, stage: Stage[T]) -> Iterator[StageResult[T]]:
        """Whatever runs of this workspace have made by a stage, in the order of the keys.

        Before a value is asked for, ask `is_whole`.
        """
        for path in sorted((self.root / stage.name).glob(f"*/{MANIFEST}")):
            folder = path.parent
            with suppress(OSError, DamagedManifestError):
                cost = read_manifest(folder).cost
                reader = partial(stage.read, folder)
                yield StageResult(stage.name, folder.name, folder, reader, cost, True)

    def is_whole(self, made: StageResult[Any]) -> bool:
        """Whether all files of another run's result are there as they were."""
        with suppress(OSError, DamagedManifestError):
            manifest = read_manifest(made.folder)
            return not manifest.lost_files(made.folder, self.task(made.stage).check)
        return False

    def take(self, made: StageResult[T], stage: Stage[T]) -> StageResult[T]:
        """Use a finished result as it is, whatever it was made from."""
        self._keys.setdefault(stage.name, []).append(made.key)
        self._listener(Event("stage_cached", stage.name, folder=str(made.folder)))
        self.warn_again(stage.name, lambda: stage.warnings(made.folder))
        return made

    def _finished(self, stage: str, folder: Path) -> Manifest | None:
        """The manifest of a whole folder; of one that is not, what is lost is told.

        Whatever else a folder held that is not whole becomes what an interrupted run has left, so
        that only the lost items are made again.
        """
        task = self.task(stage)
        try:
            manifest = read_manifest(folder)
        except FileNotFoundError:
            return None
        except DamagedManifestError as error:
            task.warn(f"{error}, so this is computed again")
            return None
        lost = manifest.lost_files(folder, task.check)
        if not lost:
            return manifest
        task.warn(f"in {folder}: {in_words(lost)}, so this is computed again")
        part = _part_of(folder)
        with explain_write_errors(folder):
            # In this order: whenever it is interrupted, the next run sees what is lost.
            for name in lost:
                remove_below(folder, name)
            claim(folder, stage, folder.name, manifest.files)
            remove_tree(part)
            folder.replace(part)
            (part / MANIFEST).unlink()
        return None

    def _compute(self, stage: Stage[T], folder: Path, arguments: Sequence[Any]) -> Manifest:
        self._check_place()
        part, key = _part_of(folder), folder.name
        before = claimed_files(part)
        with explain_write_errors(part):
            part.mkdir(parents=True, exist_ok=True)
            for half in [*part.rglob(".*.part*")]:  # what a killed run was writing
                remove_tree(half)
            if not is_claimed(part):
                claim(part, stage.name, key)
        self._listener(Event("stage_started", stage.name, folder=str(part)))
        task = self.task(stage.name)
        task.check()
        if torn := torn_files(part):
            # Items are checked by one of their files; nobody knows what else is lost.
            task.warn(f"in {part}: {in_words(torn)}, so this is computed from the start")
            self._start_anew(part, stage.name, key)
        return_freed_memory()  # of the stages before
        with measured() as measure, explain_write_errors(part):
            stage.run(*arguments, part, task)
            if not before <= files_in(part):
                # It took an item for finished that had lost one of its files.
                self._start_anew(part, stage.name, key)
                stage.run(*arguments, part, task)
        complete(part, stage.name, key, measure())
        self._check_place()
        with explain_write_errors(folder):
            # What is there has no manifest that can be relied on.
            remove_tree(folder)
            part.replace(folder)
        self._listener(
            Event("stage_finished", stage.name, seconds=task.seconds, folder=str(folder))
        )
        return read_manifest(folder)

    def _start_anew(self, part: Path, stage: str, key: str) -> None:
        with explain_write_errors(part):
            remove_tree(part)
            part.mkdir()
            claim(part, stage, key)

    def warn_again(self, stage: str, warnings: Callable[[], Iterable[str]]) -> None:
        """Warn of what makes a result worse than it looks.

        On every run: a result from the cache is no better than a new one.
        """
        for warning in warnings():
            self.task(stage).warn(warning)

    def remember_run(
        self, reached: Mapping[str, StageResult[Any]], files: Mapping[str, Path] | None = None
    ) -> None:
        """Note what a finished run has reached and was given; see `note_run`.

        Results that lie elsewhere belong to the run that made them.
        """
        here = {n: made for n, made in reached.items() if made.folder.is_relative_to(self.root)}
        note_run(self.root, self._keys, here, files or {})


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
        manifest = self._finished(stage.name, folder)
        if manifest:
            self.kept.append(stage.name)
            reader = partial(read or stage.read, folder)
            return StageResult(stage.name, key, folder, reader, manifest.cost, True)
        self.missing.append(stage.name)

        def refuse() -> T:
            raise NotComputedError(stage.name)

        return StageResult(stage.name, key, folder, refuse, Cost(0, 0, 0), False)

    @override
    def is_whole(self, made: StageResult[Any]) -> bool:
        """Whether its files have the sizes that they had."""
        return self._finished(made.stage, made.folder) is not None

    @override
    def take(self, made: StageResult[T], stage: Stage[T]) -> StageResult[T]:
        """A finished result, nothing of which is told."""
        self.kept.append(stage.name)
        return made

    @override
    def _finished(self, stage: str, folder: Path) -> Manifest | None:
        # Sizes only: a forecast is asked for at every change of a setting.
        with suppress(FileNotFoundError, DamagedManifestError):
            manifest = read_manifest(folder)
            if not manifest.lost_files(folder, self.task(stage).check, contents=False):
                return manifest
        return None

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

    Raises:
        WorkspaceBusyError: another program works there.
        OutputError: the folder cannot be made or written.
        ClusterError: the cluster that the runtime names cannot be joined, or a machine of it
            cannot take part.
    """
    with locked(root) as place, _cluster_for(root, runtime):
        yield Workspace(root, listener, cancel, runtime, place.check)


@contextmanager
def _cluster_for(root: Path, runtime: Runtime) -> Iterator[None]:
    if not runtime.cluster:
        yield
        return
    from recon3d.run.cluster import check_machines, joined

    with joined(runtime.cluster):
        check_machines(runtime.cluster, root)
        yield


def _part_of(folder: Path) -> Path:
    return folder.with_name(folder.name + PART)
