"""The job process: one job after the other, questions between them, orders heard at any time."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

import psutil

from recon3d.core.errors import Cancelled
from recon3d.run.task import CancelToken, Event
from recon3d_gui.failure import failure_of
from recon3d_gui.job.messages import (
    Amount,
    Ask,
    AskForecast,
    Begun,
    Cancel,
    Done,
    Failed,
    Foreseen,
    Logged,
    News,
    Order,
    Stopped,
    Told,
)  # fmt: skip
from recon3d_gui.job.work import amount_of, foresee, perform

_SECONDS_BETWEEN_STEPS = 0.05
_NICENESS = 10


def serve(window: Connection, log: Path) -> None:
    """Work for the window at the other end until it goes away.

    log: file for what libraries print and for the stack of a crash.
    """
    # A terminal sends Ctrl-C to both processes; the window decides what becomes of the job.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _give_way()
    _print_into(log)
    desk = _Desk(window, log)
    threading.Thread(target=desk.listen, daemon=True).start()
    desk.work()


def _give_way() -> None:
    """Whatever a person does meanwhile comes first; alone, the work is as fast as ever."""
    process = psutil.Process()
    with suppress(psutil.Error, OSError):
        if sys.platform == "win32":
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            process.nice(max(_NICENESS, process.nice()))


def _print_into(log: Path) -> None:
    # C++ libraries know the numbers of the streams only.
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        with suppress(OSError, ValueError, AttributeError):  # a program without a terminal has none
            stream.flush()
        os.dup2(target, number)
    faulthandler.enable(target)


@dataclass(eq=False)
class _Current:
    order: Ask | AskForecast
    token: CancelToken = field(default_factory=CancelToken)


class _Desk:
    """Orders come in on one thread and are worked off on another."""

    def __init__(self, window: Connection, log: Path) -> None:
        self._window, self._log = window, log
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._jobs: deque[Ask] = deque()
        self._question: AskForecast | None = None
        self._current: _Current | None = None

    def listen(self) -> None:
        """Take orders until the window is gone; then nobody is left to stop the work."""
        while True:
            try:
                order: Order = self._window.recv()
            except (EOFError, OSError):
                _end_at_once(self._log)
            with self._changed:
                self._take(order)
                self._changed.notify()

    def work(self) -> None:
        """Do what there is to do, for ever."""
        while True:
            current = self._next()
            if isinstance(current.order, Ask):
                self._do(current.order, current.token)
            else:
                self._answer(current.order, current.token)

    def _take(self, order: Order) -> None:
        current = self._current
        match order:
            case Ask():
                self._jobs.append(order)
                if current and isinstance(current.order, AskForecast):
                    current.token.cancel()
            case AskForecast():
                self._question = order
                if current and isinstance(current.order, AskForecast):
                    current.token.cancel()
            case Cancel(number) if current and current.order.number == number:
                current.token.cancel()
            case Cancel(number):
                waiting = [job for job in self._jobs if job.number != number]
                if len(waiting) < len(self._jobs):
                    self._jobs = deque(waiting)
                    self._send(Stopped(number))

    def _next(self) -> _Current:
        with self._changed:
            self._current = None
            self._changed.wait_for(lambda: self._jobs or self._question)
            if self._jobs:
                self._current = _Current(self._jobs.popleft())
            else:
                assert self._question
                self._current = _Current(self._question)
                self._question = None
            return self._current

    def _do(self, job: Ask, token: CancelToken) -> None:
        number = job.number
        with _Logging(lambda level, text: self._send(Logged(number, level, text))):
            try:
                summary = perform(
                    job.request,
                    lambda amount: self._send(Begun(number, amount)),
                    _Throttle(lambda event: self._send(Told(number, event))),
                    token,
                )
            except Cancelled:
                self._send(Stopped(number))
            except Exception as error:
                self._send(Failed(number, failure_of(error, "Something unexpected went wrong")))
            else:
                self._send(Done(number, summary))

    def _answer(self, question: AskForecast, token: CancelToken) -> None:
        amount = Amount()
        try:
            amount = amount_of(question.request, token)
            answer = foresee(question.request, token)
            if answer.photos:
                amount = Amount(answer.photos, answer.megapixels)
            self._send(Foreseen(question.number, answer, amount))
        except Cancelled:
            pass
        except Exception as error:
            self._send(
                Foreseen(
                    question.number, failure_of(error, "Something unexpected went wrong"), amount
                )
            )

    def _send(self, news: News) -> None:
        with self._sending, suppress(OSError):  # a window that is gone: listen() ends everything
            self._window.send(news)


def _end_at_once(log: Path) -> NoReturn:
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()
    with suppress(OSError):
        log.unlink(missing_ok=True)  # a window that was killed has left it
    os._exit(1)


class _Throttle:
    """Lets every event pass but progress that comes faster than anyone can see."""

    def __init__(self, listener: Callable[[Event], None]) -> None:
        self._listener = listener
        self._last = ("", 0.0)

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        stage, told_at = self._last
        soon = event.stage == stage and now - told_at < _SECONDS_BETWEEN_STEPS
        if event.kind == "progress" and soon and 0 < event.done < event.total:
            return
        self._last = (event.stage, now)
        self._listener(event)


class _Logging(logging.Handler):
    """While it is entered, what recon3d logs is told, and other libraries keep quiet."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        super().__init__()
        self._tell = tell
        self._quiet = logging.NullHandler()

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.levelname.lower(), record.getMessage())

    def __enter__(self) -> None:
        ours, root = logging.getLogger("recon3d"), logging.getLogger()
        ours.setLevel(logging.INFO)
        ours.propagate = False
        ours.addHandler(self)
        root.addHandler(self._quiet)
        logging.captureWarnings(True)

    def __exit__(self, *exception: object) -> None:
        ours, root = logging.getLogger("recon3d"), logging.getLogger()
        logging.captureWarnings(False)
        root.removeHandler(self._quiet)
        ours.removeHandler(self)
        ours.propagate = True
