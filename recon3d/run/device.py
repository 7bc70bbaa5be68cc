"""What the machine offers; never part of a cache key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import psutil

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
        return int(psutil.virtual_memory().available * 0.6)
