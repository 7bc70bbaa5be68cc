"""Progress and cancel: what a stage says while it works, and how it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from recon3d.core.errors import Cancelled
from recon3d.run.device import Runtime

T = TypeVar("T")
R = TypeVar("R")

EventKind = Literal["stage_started", "progress", "stage_finished", "stage_cached", "warning"]


@dataclass(frozen=True)
class Event:
    """Something a person or program watching the run may want to know."""

    kind: EventKind
    stage: str
    done: int = 0
    total: int = 0
    note: str = ""
    seconds: float = 0.0
    """Since the stage started."""
    folder: str = ""
    """Where the result lies, of stages that are finished or cached; of one that has started, where
    its items appear until then."""


Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """The listener that does not care."""


class CancelToken:
    """Set from any thread or a signal handler; looked at by every step."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the run to stop at its next step."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether someone asked to stop."""
        return self._event.is_set()


class Task:
    """One stage at work: its progress is its cancel point, and it knows its machine."""

    def __init__(
        self,
        stage: str,
        listener: Listener,
        cancel: CancelToken,
        runtime: Runtime = Runtime(),  # noqa: B008 - frozen
    ) -> None:
        self.stage = stage
        self.runtime = runtime
        """The machine to work on."""
        self._listener = listener
        self._cancel = cancel
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the stage started."""
        return time.monotonic() - self._started

    @property
    def cancelled(self) -> bool:
        """For libraries that poll a flag; our own code calls check()."""
        return self._cancel.cancelled

    def check(self) -> None:
        """Raise if the user asked to stop.

        Raises:
            Cancelled: the user asked to stop.
        """
        if self._cancel.cancelled:
            raise Cancelled

    def step(self, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` items are finished, and check().

        Raises:
            Cancelled: the user asked to stop.
        """
        self._listener(Event("progress", self.stage, done, total, note, self.seconds))
        self.check()

    def part(self, index: int, count: int, width: int = 1) -> Task:
        """The task of one or more of several equal parts, whose progress is their share.

        index: The first of the parts, from 0.
        """

        def listen(event: Event) -> None:
            if event.kind == "progress" and event.total:
                done = round(100 * (index + width * event.done / event.total) / count)
                event = replace(event, done=done, total=100, seconds=self.seconds)
            self._listener(event)

        return Task(self.stage, listen, self._cancel, self.runtime)

    def warn(self, note: str) -> None:
        """Say that the result may be worse than it looks."""
        self._listener(Event("warning", self.stage, note=note, seconds=self.seconds))

    def each(self, items: Iterable[T], total: int, note: Callable[[T], str] = str) -> Iterator[T]:
        """Yield items, stepping before the first and after each."""
        self.step(0, total)
        for index, item in enumerate(items):
            yield item
            self.step(index + 1, total, note(item))


Work = Callable[[str, Path, Task], R]
"""Called with an item's name, the file to write whole, and the task to check. For other machines it
must survive pickling, so it is made of values and of files in the workspace: a function of a module
or an object of one of its classes, never a closure."""
