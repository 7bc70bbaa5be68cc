"""One window on a project: the second one looks only, and says where the first is."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from platformdirs import user_data_path

from recon3d.core.errors import OutputError
from recon3d.run.documents import parse_json
from recon3d.run.files import write_json
from recon3d.run.lock import hold

_RETRY_SECONDS = 2.0


class Claim:
    """Holds a project's places for as long as the program lives; the system frees them after it.

    The marks lie in the user's own folder: a project that is only looked at leaves nothing beside
    the photos. Another computer's window is kept out by the lock of the workspace once it runs.
    """

    def __init__(
        self, folder: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """folder: where the marks are."""
        self.elsewhere = ""
        """Where the project is open already, in words; empty where it is ours."""
        self._folder = folder or user_data_path("recon3d", appauthor=False) / "open"
        self._clock = clock
        self._places: Sequence[Path] = ()
        self._held: list[IO[str]] = []
        self._tried_at = 0.0

    def want(self, *places: Path) -> bool:
        """Claim these places instead of those before; call it often.

        Returns whether what was open elsewhere has become ours now.
        """
        now = self._clock()
        if places != self._places:
            self.release()
            self._places = places
            self._try(now)
            return False
        if self.elsewhere and now - self._tried_at >= _RETRY_SECONDS:
            self._try(now)
            return not self.elsewhere
        return False

    def release(self) -> None:
        """Let go of everything."""
        for stream in self._held:
            stream.close()
        self._held, self._places, self.elsewhere = [], (), ""

    def _try(self, now: float) -> None:
        self._tried_at, self.elsewhere = now, ""
        for place in self._places:
            mark = self._mark(place)
            try:
                stream = hold(mark)
            except OSError:
                continue  # a home folder that cannot be written must not lock anyone out
            if stream is None:
                self.elsewhere = _told(mark.with_suffix(".json"))
                break
            self._held.append(stream)
            with suppress(OutputError, OSError):
                since = datetime.now().astimezone().isoformat()
                write_json(mark.with_suffix(".json"), {"process": os.getpid(), "since": since})
        if self.elsewhere:
            for stream in self._held:
                stream.close()
            self._held = []

    def _mark(self, place: Path) -> Path:
        name = os.path.normcase(os.path.normpath(place.absolute()))
        return self._folder / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.lock"


def _told(file: Path) -> str:
    with suppress(OSError, ValueError, TypeError, KeyError):
        noted = parse_json(file.read_text(encoding="utf-8"))
        since = datetime.fromisoformat(noted["since"])
        return (
            f"Process {int(noted['process'])} has had it open since {since:%Y-%m-%d %H:%M}. "
            "Here you can look and export."
        )
    return "Another window has this project open. Here you can look and export."
