"""Stages whose items are views: several at once, within the memory, each with a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from recon3d.core.errors import Cancelled
from recon3d.run.task import Task


def write_per_view(
    paths: Mapping[str, Path], write: Callable[[str, Path], None], view_bytes: int, task: Task
) -> None:
    """Call write(photo_id, path) for every file that is not there yet, stepping after each.

    view_bytes: what one call takes; as many run at once as have room. NumPy and OpenCV release
    the GIL for whole images, so threads do.
    """
    todo = [photo_id for photo_id, path in paths.items() if not path.exists()]

    def write_one(photo_id: str) -> str:
        task.check()
        write(photo_id, paths[photo_id])
        return photo_id

    done = len(paths) - len(todo)
    with ThreadPoolExecutor(task.runtime.threads_within(view_bytes)) as pool:
        task.step(done, len(paths))
        try:
            for photo_id in pool.map(write_one, todo):
                done += 1
                task.step(done, len(paths), photo_id)
        except Cancelled:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
