"""Items of a stage, each with a file of its own: on threads here, or on machines of a cluster."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from recon3d.run.task import Task, Work

R = TypeVar("R")


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
