"""What the machine offers; never part of a cache key."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psutil

from recon3d.core.errors import require

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """How to run, not what to compute: two runtimes give the same model."""

    device: Device = "auto"
    """auto takes the NVIDIA GPU where there is one; cpu and cuda insist."""
    workers: int = 0
    """Threads for decoding, matching and fusing; 0 means one per core."""
    memory_gib: float = 0.0
    """Memory that a run stays within, its libraries included; 0 means three quarters of what is
    free."""
    cluster: str = ""
    """HOST:PORT of a Ray cluster whose machines make the items of stages, or auto for the one of
    this machine; empty: all is done here."""

    def __post_init__(self) -> None:
        """Refuse what no machine has."""
        require(self.workers >= 0, "workers", self.workers, "0 or more")
        require(self.memory_gib >= 0, "memory_gib", self.memory_gib, "0 or more")
        if self.cluster and self.device == "auto":
            # A GPU rounds otherwise: which machine an item goes to must not show.
            object.__setattr__(self, "device", "cpu")

    @property
    def for_one_item(self) -> Runtime:
        """Of an item on a machine of the cluster, which works on others too; without one, this."""
        return replace(self, workers=1, memory_gib=0.0, cluster="") if self.cluster else self

    @property
    def threads(self) -> int:
        """The number of threads to start."""
        if self.workers > 0:
            return self.workers
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else os.cpu_count() or 1

    @property
    def memory_bytes(self) -> int:
        """The whole budget, with what the process holds already."""
        if self.memory_gib > 0:
            return int(self.memory_gib * 2**30)
        return _held_bytes() + _free_bytes() * 3 // 4

    @property
    def room_bytes(self) -> int:
        """What of the budget a step may still take; never more than is free."""
        return max(0, min(self.memory_bytes - _held_bytes(), _free_bytes()))

    def threads_within(self, item_bytes: int) -> int:
        """Threads to start where each takes so much memory: as many as have room, one at least."""
        return max(1, min(self.threads, self.room_bytes // max(1, item_bytes)))


def is_address_space_limited() -> bool:
    """Whether someone has set a limit (`ulimit -v`), which libraries seldom tell when they fail."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


@contextmanager
def limited_address_space(room_bytes: int) -> Iterator[None]:
    """Let libraries that read files of strangers fail, in place of the machine.

    What would take more than room_bytes raises MemoryError, where the system knows such a limit
    (Linux). It holds for the whole process while the block runs.
    """
    try:
        import resource
    except ImportError:
        yield
        return
    before, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = int(psutil.Process().memory_info().vms) + room_bytes
    if before != resource.RLIM_INFINITY:
        limit = min(limit, before)
    with suppress(ValueError, OSError):  # systems that have the name only
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (before, most))


def _held_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def _free_bytes() -> int:
    return int(min(psutil.virtual_memory().available, _container_bytes_left()))


def _container_bytes_left() -> float:
    """What the container (cgroup v2) may still use; infinite outside of one."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        used = (group / "memory.current").read_text()
        return math.inf if limit == "max" else max(0, int(limit) - int(used))
    except (OSError, ValueError):
        return math.inf
