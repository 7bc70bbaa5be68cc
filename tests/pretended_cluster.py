"""A cluster that is this process: all comes pickled, arrays read-only, and the last item first."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

from recon3d.run.cluster_items import _make
from recon3d.run.device import Runtime
from recon3d.run.task import Task, Work

R = TypeVar("R")

THERE = Runtime(cluster="auto")


def pretend_cluster(patch: pytest.MonkeyPatch) -> list[str]:
    """Let tasks of THERE work on it; what it has made is noted in the list."""
    made: list[str] = []

    def run_items(
        work: Work[R], paths: Mapping[str, Path], item_bytes: int, task: Task
    ) -> Generator[tuple[str, R], None, None]:
        buffers: list[pickle.PickleBuffer] = []
        sent = pickle.dumps(work, protocol=5, buffer_callback=buffers.append)
        for item, path in reversed(paths.items()):
            task.check()
            received = pickle.loads(sent, buffers=[bytes(each) for each in buffers])
            found = _make(received, item, str(path), task.stage, task.runtime.for_one_item)
            for warning in found.warnings:
                task.warn(warning)
            made.append(item)
            yield item, found.value

    patch.setattr("recon3d.run.items.run_items", run_items)
    return made
