"""`recon3d bench depth`: time and memory of depth estimators, by resolution, sources and device."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice, product
from pathlib import Path

from recon3d.api import reconstruct
from recon3d.bench.rows import table
from recon3d.bench.sets import SETS, set_folder
from recon3d.config import Config
from recon3d.depth.device import gpu_peak_bytes, torch_device
from recon3d.depth.estimate import depth_requests
from recon3d.depth.registry import make_estimator
from recon3d.results import Until
from recon3d.run.cost import measured
from recon3d.run.device import Runtime
from recon3d.run.files import atomic_path
from recon3d.run.task import CancelToken, Listener, Task, silent

_SET = "example"
_PHOTOS = 6
"""Timed in each case, after two that are not."""
_WARM_UP = 2


@dataclass(frozen=True)
class SpeedCase:
    """What is timed."""

    model: str
    resolution_px: int
    sources: int
    variant: str = ""
    """The estimator's setting `speed`; empty = as it comes."""


@dataclass(frozen=True)
class SpeedRow:
    """What a photo takes."""

    case: SpeedCase
    device: str
    seconds: float
    """On the clock: photos share the machine's cores."""
    cpu_seconds: float
    memory_mib: float
    """Most that the process held."""
    gpu_memory_mib: float


def bench_depth(
    out: Path,
    runtime: Runtime,
    listener: Listener = silent,
    *,
    cancel: CancelToken | None = None,
    cases: Sequence[SpeedCase] = (),
) -> list[SpeedRow]:
    """Time estimators on the example's photos, each case in a process of its own.

    Rows are written to `out`/depth_speed.json and .md.

    Raises:
        OutputError: out cannot be written.
        Cancelled: `cancel` was set.
    """
    token = cancel or CancelToken()
    workspace = out / "depth_speed.recon3d"
    inputs = SETS[_SET].inputs(set_folder(_SET, None))
    reconstruct(
        inputs, workspace, runtime=runtime, listener=listener, cancel=token, until=Until.POSE
    )
    rows: list[SpeedRow] = []
    spawn = multiprocessing.get_context("spawn")
    task = Task("bench depth", listener, token)
    chosen = list(cases) or default_cases(torch_device(runtime.device).type)
    for case in task.each(chosen, len(chosen), str):
        # One process a case: memory that an earlier one freed would hide what this one takes.
        with ProcessPoolExecutor(1, spawn) as pool:
            rows.append(pool.submit(_measure, case, workspace, runtime).result())
        with atomic_path(out / "depth_speed.json") as part:
            part.write_text(json.dumps([asdict(row) for row in rows], indent=1), encoding="utf-8")
        with atomic_path(out / "depth_speed.md") as part:
            part.write_text(speed_table(rows) + "\n", encoding="utf-8")
    return rows


def default_cases(device: str) -> list[SpeedCase]:
    """Resolutions and source counts of everyday use; on a GPU also ways to make it faster."""
    cases = [
        SpeedCase(model, resolution_px, sources)
        for resolution_px, sources, model in product(
            (640, 1280), (3, 5, 8), ("planesweep", "multiview")
        )
        if resolution_px == 640 or sources == 5
    ]
    variants = ("half", "compiled", "half compiled") if device == "cuda" else ()
    return cases + [SpeedCase("multiview", 640, 5, variant) for variant in variants]


def speed_table(rows: Sequence[SpeedRow]) -> str:
    """Rows as Markdown."""
    head = ["model", "longest side", "sources", "variant", "device", "ms a photo", "photos/s",
            "CPU ms a photo", "peak MiB", "GPU MiB"]  # fmt: skip
    body = [
        [
            row.case.model,
            str(row.case.resolution_px),
            str(row.case.sources),
            row.case.variant,
            row.device,
            f"{1000 * row.seconds:.0f}",
            f"{1 / row.seconds:.2f}",
            f"{1000 * row.cpu_seconds:.0f}",
            f"{row.memory_mib:.0f}",
            f"{row.gpu_memory_mib:.0f}",
        ]
        for row in rows
    ]
    return table(head, body)


def _measure(case: SpeedCase, workspace: Path, runtime: Runtime) -> SpeedRow:
    # All of it is in the cache.
    inputs = SETS[_SET].inputs(set_folder(_SET, None))
    posed = reconstruct(inputs, workspace, Config(), runtime=runtime, until=Until.POSE).posed
    assert posed is not None
    estimator = make_estimator(case.model, {"speed": case.variant}, runtime)
    # In memory, so that reading photos is not timed.
    requests = list(
        islice(depth_requests(posed.value, case.resolution_px, case.sources), _PHOTOS + _WARM_UP)
    )
    for _ in estimator.predict(requests[:_WARM_UP], lambda: None):
        pass
    with measured() as cost:
        for _ in estimator.predict(requests[_WARM_UP:], lambda: None):
            pass
        took = cost()
    return SpeedRow(
        case,
        torch_device(runtime.device).type,
        took.seconds / _PHOTOS,
        took.cpu_seconds / _PHOTOS,
        took.peak_memory_bytes / 2**20,
        gpu_peak_bytes() / 2**20,
    )
