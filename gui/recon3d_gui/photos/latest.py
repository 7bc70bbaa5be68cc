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

    Each question gets a thread of its own, so that a network drive that hangs holds up neither
    the next question nor the end of the program.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._asked = 0
        self._answered = 0
        self._answers: queue.SimpleQueue[tuple[int, Callable[[], T]]] = queue.SimpleQueue()

    @property
    def is_waiting(self) -> bool:
        """Whether the latest question is still open."""
        return self._answered < self._asked

    def ask(self, work: Callable[[], T]) -> None:
        """Have the work done; answers to earlier questions no longer count."""
        self._asked += 1
        number = self._asked

        def run() -> None:
            try:
                result = work()
            except BaseException as error:
                self._answers.put((number, partial(_throw, error)))
            else:
                self._answers.put((number, lambda: result))

        threading.Thread(target=run, name=self._name, daemon=True).start()

    def drop(self) -> None:
        """Let no answer count until the next question."""
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


def _throw(error: BaseException) -> NoReturn:
    raise error
