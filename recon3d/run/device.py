"""What the machine offers; never part of a cache key."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
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
    """Upper bound for working memory; 0 means 60 % of what is free at the start."""

    def __post_init__(self) -> None:
        """Refuse what no machine has."""
        require(self.workers >= 0, "workers", self.workers, "0 or more")
        require(self.memory_gib >= 0, "memory_gib", self.memory_gib, "0 or more")

    @property
    def threads(self) -> int:
        """The number of threads to start."""
        if self.workers > 0:
            return self.workers
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else os.cpu_count() or 1

    @property
    def memory_bytes(self) -> int:
        """Working memory that a stage may plan with."""
        if self.memory_gib > 0:
            return int(self.memory_gib * 2**30)
        return int(min(psutil.virtual_memory().available, _container_bytes_left()) * 0.6)


def _container_bytes_left() -> float:
    """What the container (cgroup v2) may still use; infinite outside of one."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        used = (group / "memory.current").read_text()
        return math.inf if limit == "max" else max(0, int(limit) - int(used))
    except (OSError, ValueError):
        return math.inf
