"""Items of a stage, each with a file of its own: on threads here, or on machines of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from recon3d.run.files import atomic_path
from recon3d.run.task import Task, Work

R = TypeVar("R")

Arrays = tuple[np.ndarray, ...]
Compute = Callable[[str, Task], Arrays]
"""As `Work`, for what a stage does not keep: no file to write, but arrays to return."""


def write_items(work: Work[object], paths: Mapping[str, Path], item_bytes: int, task: Task) -> None:
    """Make every file that is not there yet, stepping after each.

    Args:
        work: Makes one.
        paths: By the items' names.
        item_bytes: What one call of work takes.
        task: Of the stage.
    """
    todo = {item: path for item, path in paths.items() if not path.exists()}
    done = len(paths) - len(todo)
    task.step(done, len(paths))
    with closing(run_items(work, todo, item_bytes, task)) as made:
        for item, _ in made:
            done += 1
            task.step(done, len(paths), item)


def run_items(
    work: Work[R], paths: Mapping[str, Path], item_bytes: int, task: Task, *, on_gpu: bool = False
) -> Generator[tuple[str, R], None, None]:
    """Make every file; yields the items' names as they are done, with what work returned.

    As many at once as have room. Whoever stops early closes the iterator, which stops the rest.

    on_gpu: Each item takes a GPU of its machine in a cluster.

    Raises:
        Cancelled: the user asked to stop.
        ClusterError: the cluster is lost.
    """
    if task.runtime.cluster:
        from recon3d.run.cluster_items import on_cluster

        return on_cluster(work, paths, item_bytes, task, on_gpu=on_gpu)
    return _on_threads(work, paths, item_bytes, task)


def compute_items(
    compute: Compute,
    items: Sequence[str],
    item_bytes: int,
    folder: Path,
    task: Task,
    step: Callable[[int], None],
) -> Generator[Arrays, None, None]:
    """What is computed for each item, in their order, of which a stage makes something else.

    One after the other, each when it is asked for; on a cluster all at once, and what machines have
    computed comes by files, which are gone afterwards. Whoever stops early closes the iterator.

    Args:
        compute: Does one.
        items: By different names.
        item_bytes: What one call of compute takes on a machine of a cluster.
        folder: Of the stage.
        task: Of the stage.
        step: Told how many are done; may raise to stop.

    Raises:
        Cancelled: the user asked to stop.
        ClusterError: the cluster is lost.
    """
    if not task.runtime.cluster or len(items) < 2:
        for number, item in enumerate(items):
            step(number)
            yield compute(item, task)
        return
    # Of a name that the next run removes where this one is killed.
    with TemporaryDirectory(".part", ".", folder, ignore_cleanup_errors=True) as place:
        paths = {item: Path(place, f"{number}.npz") for number, item in enumerate(items)}
        step(0)
        with closing(run_items(_Saved(compute), paths, item_bytes, task)) as made:
            for number, _ in enumerate(made):
                step(number + 1)
        for path in paths.values():
            with np.load(path, allow_pickle=False) as arrays:
                yield tuple(arrays.values())


@dataclass(frozen=True)
class _Saved:
    """What is computed, in a file."""

    compute: Compute

    def __call__(self, item: str, path: Path, task: Task) -> None:
        with atomic_path(path) as part, part.open("wb") as stream:
            np.savez(stream, *self.compute(item, task))


def _on_threads(
    work: Work[R], paths: Mapping[str, Path], item_bytes: int, task: Task
) -> Generator[tuple[str, R], None, None]:
    # NumPy and OpenCV release the GIL for whole images.
    def make(item: str) -> tuple[str, R]:
        task.check()
        return item, work(item, paths[item], task)

    with ThreadPoolExecutor(task.runtime.threads_within(item_bytes)) as pool:
        try:
            yield from pool.map(make, paths)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
