"""What work takes: time on the clock, processor time and memory."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Cost:
    """What a piece of work took."""

    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int


@contextmanager
def measured() -> Iterator[Callable[[], Cost]]:
    """Wall time, CPU time (ended children included) and peak resident memory of the block."""
    process = psutil.Process()
    peak = process.memory_info().rss
    high_water = _high_water_bytes()
    stop = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(0.1):
            peak = max(peak, process.memory_info().rss)

    def cpu() -> float:
        return float(sum(process.cpu_times()[:4]))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    wall_start, cpu_start = time.monotonic(), cpu()

    def cost() -> Cost:
        # Sampling misses peaks inside calls that hold Python's lock; the system's own high-water
        # mark does not, but only says something where this block has raised it.
        raised = _high_water_bytes()
        highest = max(peak, process.memory_info().rss, raised if raised > high_water else 0)
        seconds = time.monotonic() - wall_start
        return Cost(round(seconds, 3), round(cpu() - cpu_start, 3), highest)

    try:
        yield cost
    finally:
        stop.set()
        watcher.join()


def _high_water_bytes() -> int:
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
