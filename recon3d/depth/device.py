"""Which device torch computes on, and how photos share it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from threading import Event
from typing import TypeVar

import torch

from recon3d.core.errors import Cancelled, EstimatorError
from recon3d.run.device import Device, Runtime

T = TypeVar("T")
R = TypeVar("R")

_MOST_PHOTOS_AT_ONCE = 8


def torch_device(wanted: Device) -> torch.device:
    """The GPU where there is one or the user insists, else the CPU.

    Raises:
        EstimatorError: the GPU was asked for and torch sees none.
    """
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise EstimatorError(
            "No NVIDIA GPU that PyTorch can use was found.",
            hint="Run with --device cpu, or see `recon3d doctor` for what is missing.",
        )
    return torch.device("cuda")


@contextmanager
def full_precision() -> Iterator[None]:
    """Multiply float32 as float32 on a GPU too, so that the device changes nothing but rounding.

    By default cuDNN shortens factors to the ten bits of TF32, as few as half precision has.
    """
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def gpu_peak_bytes() -> int:
    """Most GPU memory that torch has held at once; 0 without a GPU."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


def map_photos(
    work: Callable[[T, Callable[[], None]], R],
    items: Iterable[T],
    device: torch.device,
    runtime: Runtime,
    item_bytes: Callable[[T], int],
    check_cancelled: Callable[[], None],
) -> Iterator[R]:
    """Apply work(item, check) to each item in order; on the CPU several at once, exact on a GPU.

    As many at once as there are threads, and room for what item_bytes says of the first.

    One photo per thread beats many threads per photo: torch's threads wait for each other by
    spinning, which costs ten times the work itself as soon as cores are busy elsewhere.
    """
    if device.type != "cpu":
        for item in items:
            with full_precision():
                done = work(item, check_cancelled)
            yield done
        return
    stopped = Event()

    def check() -> None:
        if stopped.is_set():
            raise Cancelled
        check_cancelled()

    todo = iter(items)
    begin = list(islice(todo, 1))
    if not begin:
        return
    workers = min(runtime.threads_within(item_bytes(begin[0])), _MOST_PHOTOS_AT_ONCE)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(1)
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for item in chain(begin, todo):
                pending.append(pool.submit(work, item, check))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            stopped.set()
            torch.set_num_threads(threads_before)
