"""Items of a stage on the machines of a cluster; those of a machine that is lost are made again."""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from recon3d.core.errors import ClusterError, not_enough_memory
from recon3d.run.cluster import machines_alive, ray_library
from recon3d.run.device import Runtime
from recon3d.run.digests import file_digest
from recon3d.run.files import remove_tree
from recon3d.run.task import CancelToken, Event, Task, Work

R = TypeVar("R")

_log = logging.getLogger(__name__)

_PROCESS_BYTES = 1 << 30
"""Of a worker with its libraries, besides its item."""
_LOST_AT_MOST = 5
"""Times that an item is given to another machine."""
_WAIT_SECONDS = 0.2
_LOOK_SECONDS = 10.0
"""Between two looks whether any machine is left."""
_SEEN_SECONDS = 90.0
"""Until a file of another machine must be seen; NFS remembers for a minute what was not there."""
_ATTEMPT = ".attempt.part"


@dataclass(frozen=True)
class _Made(Generic[R]):
    value: R
    digest: str
    """Of the file."""
    warnings: tuple[str, ...]


def on_cluster(
    work: Work[R], paths: Mapping[str, Path], item_bytes: int, task: Task, *, on_gpu: bool
) -> Generator[tuple[str, R], None, None]:
    """As `run_items`, on the machines of the cluster that this process has joined.

    Raises:
        Cancelled: the user asked to stop.
        ClusterError: an item was lost again and again, or no machine is left.
        NotEnoughMemoryError: a machine had too little for one item.
    """
    ray = ray_library()
    resource = "GPU" if on_gpu else "CPU"
    made_there = ray.remote(_make).options(
        num_cpus=1,
        num_gpus=int(on_gpu),
        memory=_memory_to_ask_for(item_bytes + _PROCESS_BYTES),
        max_retries=_LOST_AT_MOST,
        scheduling_strategy="SPREAD",
    )
    try:
        shared = ray.put(work)
    except (TypeError, AttributeError) as error:  # whatever cannot be pickled
        raise ClusterError(
            f"The stage {task.stage} cannot be sent to other machines: {error}.",
            hint="Run without --cluster, or with another --depth.model.",
        ) from error
    runtime = task.runtime.for_one_item

    def send(item: str) -> Any:
        return made_there.remote(shared, item, str(paths[item]), task.stage, runtime)

    lost: Counter[str] = Counter()
    pending = {send(item): item for item in paths}
    look_at = time.monotonic() + _LOOK_SECONDS
    try:
        while pending:
            task.check()
            done, _ = ray.wait([*pending], timeout=_WAIT_SECONDS)
            for reference in done:
                item = pending.pop(reference)
                made: _Made[R] = _received(reference, item)
                if not _is_whole(paths[item], made.digest, task):
                    lost[item] += 1
                    if lost[item] > _LOST_AT_MOST:
                        raise _lost(item)
                    pending[send(item)] = item
                    continue
                for warning in made.warnings:
                    task.warn(warning)
                yield item, made.value
            if time.monotonic() > look_at:
                _require_machine(resource)
                look_at = time.monotonic() + _LOOK_SECONDS
    finally:
        for reference in pending:
            # By force: work in a library does not look at anything for seconds.
            ray.cancel(reference, force=True)
        _remove_attempts(paths)


def _make(work: Work[R], item: str, target: str, stage: str, runtime: Runtime) -> _Made[R]:
    """On a machine of the cluster: make one item in a folder of its own, then give it its name.

    A machine that was only thought to be lost may still write the same item.
    """
    path = Path(target)
    attempt = path.with_name(f".{uuid.uuid4().hex}{_ATTEMPT}")
    warnings: list[str] = []

    def listen(event: Event) -> None:
        if event.kind == "warning":
            warnings.append(event.note)

    try:
        attempt.mkdir()
        value = work(item, attempt / path.name, Task(stage, listen, CancelToken(), runtime))
        digest = file_digest(attempt / path.name)
        (attempt / path.name).replace(path)
    finally:
        shutil.rmtree(attempt, ignore_errors=True)
    return _Made(value, digest, tuple(warnings))


def _received(reference: Any, item: str) -> Any:
    import ray
    from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        # What it would have raised here.
        raise error.cause from error
    except OutOfMemoryError as error:
        raise not_enough_memory(f"work on {item} on a machine of the cluster") from error
    except RayError as error:
        raise _lost(item) from error


def _lost(item: str) -> ClusterError:
    return ClusterError(
        f"{item} was lost with the machine that worked on it, time after time.",
        hint="Look whether machines run out of memory (ray status). What is finished is kept; the "
        "same command goes on from there.",
    )


def _memory_to_ask_for(wanted_bytes: int) -> int:
    """No more than every machine has: an item that fits nowhere would wait for ever."""
    return min([wanted_bytes, *(m.memory_bytes for m in machines_alive() if m.cpus)])


def _require_machine(resource: str) -> None:
    if not any(m.gpus if resource == "GPU" else m.cpus for m in machines_alive()):
        raise ClusterError(
            f"No machine of the cluster that offers a {resource} is left.",
            hint="Start machines again (ray start). What is finished is kept; the same command "
            "goes on from there.",
        )


def _is_whole(path: Path, digest: str, task: Task) -> bool:
    """Whether a file that another machine has written is here, once it must be seen."""
    until = time.monotonic() + _SEEN_SECONDS
    while True:
        with suppress(OSError):
            if file_digest(path) == digest:
                return True
        if time.monotonic() > until:
            _log.warning("%s of another machine does not appear and is made again", path)
            return False
        task.check()
        time.sleep(_WAIT_SECONDS)


def _remove_attempts(paths: Mapping[str, Path]) -> None:
    for folder in {path.parent for path in paths.values()}:
        for attempt in folder.glob(f".*{_ATTEMPT}"):
            with suppress(OSError):
                remove_tree(attempt)
