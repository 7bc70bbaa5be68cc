"""The job process as the window sees it: orders go out, news come in, nothing ever waits."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

import psutil

from recon3d_gui.failure import Failure
from recon3d_gui.job.messages import News, Order
from recon3d_gui.job.worker import serve

_KEPT = "The work so far is kept."
_TAIL_BYTES = 4000


class JobProcess:
    """A process that can be given orders at once, though it takes a second to listen.

    Raises:
        OSError: the system starts no more processes.
    """

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._ours, theirs = spawn.Pipe()
        descriptor, name = tempfile.mkstemp(prefix="recon3d-job-", suffix=".log")
        os.close(descriptor)
        self._log = Path(name)
        self._printed = ""
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._news: SimpleQueue[News] = SimpleQueue()
        self._process = spawn.Process(target=serve, args=(theirs, self._log), name="recon3d job")
        self._process.start()
        theirs.close()
        self._over = threading.Event()
        for loop in (self._write, self._read):
            threading.Thread(target=loop, daemon=True).start()
        # Without it, an exiting interpreter would wait for the process.
        atexit.register(self.close)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid or 0

    def send(self, order: Order) -> None:
        """Give an order."""
        self._orders.put(order)

    def news(self) -> Iterator[News]:
        """What has come since the last call."""
        with suppress(Empty):
            while True:
                yield self._news.get_nowait()

    @property
    def ended(self) -> bool:
        """Whether the process is gone and all its news have come."""
        return self._over.is_set()

    def crash(self) -> Failure:
        """Why the process ended by itself, as far as anyone can know."""
        code = self._process.exitcode or 0
        printed = self._printed
        if code == -9 or "MemoryError" in printed:
            return Failure(
                "The computation was ended by the system, most likely for lack of memory.",
                f"Close other programs or choose the draft preset. {_KEPT}",
                f"exit code {code}\n{printed}".strip(),
            )
        reason = f"exit code {code}"
        if code < 0:
            with suppress(ValueError):
                reason = signal.Signals(-code).name
        return Failure(
            f"The computation ended unexpectedly ({reason}).",
            f"{_KEPT} If it happens again, please report it with the details.",
            f"{reason}\n{printed}".strip(),
        )

    def kill(self) -> None:
        """End the process and everything that it has started, whatever it does."""
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            for each in (*process.children(recursive=True), process):
                with suppress(psutil.Error):
                    each.kill()

    def close(self) -> None:
        """Kill it and wait for its end, for a second at most."""
        self.kill()
        self._over.wait(1.0)

    def _write(self) -> None:
        with suppress(OSError, ValueError):  # it is gone, which _read finds out as well
            while (order := self._orders.get()) is not None:
                self._ours.send(order)

    def _read(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._news.put(self._ours.recv())
        self._process.join()
        self._printed = _end_of(self._log)
        with suppress(OSError):
            self._log.unlink(missing_ok=True)
        self._orders.put(None)
        atexit.unregister(self.close)
        self._over.set()


def _end_of(log: Path) -> str:
    """Of what was printed, with a crash's stack."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
