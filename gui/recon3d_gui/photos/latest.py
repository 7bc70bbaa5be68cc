"""Questions answered by a thread, of which only the latest counts."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Ask and take answers on one thread; the work itself runs on another.

    most: questions worked on at a time; of those that must wait only the latest is kept. Two, so
        that a network drive that hangs does not hold up the next question; one, where work takes
        much memory. The end of the program waits for none.
    """

    def __init__(self, name: str, most: int = 2) -> None:
        self._name = name
        self._most = most
        self._asked = 0
        self._answered = 0
        self._lock = threading.Lock()
        self._working = 0
        self._waiting: tuple[int, Callable[[], T]] | None = None
        self._answers: queue.SimpleQueue[tuple[int, Callable[[], T]]] = queue.SimpleQueue()

    @property
    def is_waiting(self) -> bool:
        """Whether the latest question is still open."""
        return self._answered < self._asked

    def ask(self, work: Callable[[], T]) -> None:
        """Have the work done; answers to earlier questions no longer count."""
        self._asked += 1
        with self._lock:
            self._waiting = (self._asked, work)
            if self._working == self._most:
                return
            self._working += 1
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def drop(self) -> None:
        """Let no answer count until the next question."""
        with self._lock:
            self._waiting = None
        self._asked += 1
        self._answered = self._asked

    def answer(self) -> T | None:
        """The latest question's answer, once; None before it is there.

        Raises:
            BaseException: whatever the work raised.
        """
        while True:
            try:
                number, take = self._answers.get_nowait()
            except queue.Empty:
                return None
            if number == self._asked and self.is_waiting:
                self._answered = number
                return take()

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._waiting is None:
                    self._working -= 1
                    return
                (number, work), self._waiting = self._waiting, None
            self._answers.put((number, _done(work)))


def _done(work: Callable[[], T]) -> Callable[[], T]:
    """Do the work; the result or the error comes out on the thread that asked."""
    try:
        result = work()
    except BaseException as error:
        return partial(_throw, error)
    return lambda: result


def _throw(error: BaseException) -> NoReturn:
    raise error
