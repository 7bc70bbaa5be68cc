"""Which objects have new files that nobody is copying any more."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 12
"""Times longer than otherwise that files must stay as they are where some look half copied: they
are empty, or called what programs call a file until it is whole. Not for ever, as some stay."""
_HALF_COPIED = frozenset({".part", ".partial", ".crdownload", ".download", ".tmp", ".filepart"})


@dataclass(frozen=True)
class _State:
    """The files of an object as one look found them."""

    files: frozenset[tuple[str, int, int]]
    """Path, bytes, and time of the last change in nanoseconds."""

    @property
    def looks_half_copied(self) -> bool:
        return any(
            not size or Path(name).suffix.lower() in _HALF_COPIED for name, size, _ in self.files
        )


class Watcher:
    """Remembers how the files of objects were when last looked at, and when they were run."""

    def __init__(self, settle_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """settle_seconds: files must stay as they are for so long."""
        self._settle_seconds, self._clock = settle_seconds, clock
        self._sources: Mapping[str, Path] = {}
        self._seen: dict[str, tuple[_State, float]] = {}
        self._run: dict[str, _State] = {}

    def look(self, sources: Mapping[str, Path]) -> tuple[list[str], list[str]]:
        """Look at the files of objects: names of those to run, and of those that still change.

        An object is to be run when it has files, they have been the same for long enough, and they
        are not those of its last run.
        """
        self._sources, now = sources, self._clock()
        due: list[str] = []
        changing: list[str] = []
        for name, source in sources.items():
            state = _state_of(source)
            before, since = self._seen.get(name, (None, now))
            if state != before:
                since = now
            self._seen[name] = state, since
            if not state.files or state == self._run.get(name):
                continue
            patience = PATIENCE if state.looks_half_copied else 1
            settled = now - since >= self._settle_seconds * patience
            (due if settled else changing).append(name)
        return due, changing

    def claim(self, name: str) -> bool:
        """Count an object as run with its files as they are, unless they changed since the look.

        Others may have run for hours in between. What changes during its own run shows at the next
        look.
        """
        state = _state_of(self._sources[name])
        if state != self._seen[name][0]:
            return False
        self._run[name] = state
        return True


def _state_of(source: Path) -> _State:
    """Hidden files count too: rsync and others copy under such names."""
    found = set()
    for path in _files(source):
        with suppress(OSError):  # renamed or deleted since it was listed
            status = path.stat()
            found.add((str(path), status.st_size, status.st_mtime_ns))
    return _State(frozenset(found))


def _files(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        yield source
        return
    walked = set()
    for parent, folders, names in os.walk(source, followlinks=True):
        # Links may go round in circles.
        real = os.path.realpath(parent)
        if real in walked:
            folders.clear()
            continue
        walked.add(real)
        folders[:] = [name for name in folders if not name.endswith(".recon3d")]
        yield from (Path(parent, name) for name in names)
