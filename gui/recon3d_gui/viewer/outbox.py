"""A thread that sends, so that the window never waits for the render process."""

from __future__ import annotations

import threading
from multiprocessing.connection import Connection

from recon3d_gui.viewer.protocol import Canvas, Command, Grow, Look, Show, Style

_STATES = (Canvas, Look, Style, Show, Grow)


class Outbox:
    """Orders go out in turn; of states only the newest goes, in the place of its last change."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._waiting: list[Command] = []
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._send, name="viewer outbox", daemon=True)
        self._thread.start()

    def put(self, command: Command) -> None:
        """Send it soon; never waits. What cannot be sent any more is dropped."""
        with self._changed:
            if isinstance(command, _STATES):
                self._waiting = [each for each in self._waiting if not _replaces(command, each)]
            self._waiting.append(command)
            self._changed.notify()

    def close(self) -> None:
        """Send what is waiting, then close the pipe."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _send(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if not self._waiting:
                    break
                command = self._waiting.pop(0)
            try:
                self._pipe.send(command)
            except (OSError, ValueError):
                # The other end is gone; `poll` of the client finds out and says so.
                break
        self._pipe.close()


def _replaces(new: Command, old: Command) -> bool:
    if type(new) is not type(old):
        return False
    return not isinstance(new, Show) or (isinstance(old, Show) and old.side == new.side)
