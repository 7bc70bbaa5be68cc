"""Thumbnails made by a few threads: what is on the screen first, the rest when there is time."""

from __future__ import annotations

import os
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from recon3d_gui.photos.facts import PhotoFacts, Thumbnail

MOST_PICTURES = 400
"""Thumbnails kept in memory: 400 of 160 x 120 pixels are 23 MB."""


class Thumbnails:
    """Small pictures and facts of files by path; all methods are for the main thread.

    look_at: makes one thumbnail, in a thread; it must not raise.
    """

    def __init__(
        self, look_at: Callable[[Path], Thumbnail], prepare: Callable[[], None] = lambda: None
    ) -> None:
        self.arrived = 0
        """How many were collected so far."""
        self._look_at = look_at
        self._prepare = prepare
        self._pictures: OrderedDict[Path, UInt8[np.ndarray, "h w 3"]] = OrderedDict()
        self._facts: dict[Path, PhotoFacts] = {}
        self._changed = threading.Condition()
        self._wanted: deque[Path] = deque()
        self._later: deque[Path] = deque()
        self._in_work: set[Path] = set()
        self._on_screen: frozenset[Path] = frozenset()
        self._done: queue.SimpleQueue[tuple[Path, Thumbnail]] = queue.SimpleQueue()
        self._resting = False
        self._closed = False
        self._threads: list[threading.Thread] = []

    @property
    def is_busy(self) -> bool:
        """Whether more is on its way."""
        with self._changed:
            return bool(self._wanted or self._in_work or (self._later and not self._resting))

    def want(self, files: Iterable[Path]) -> None:
        """What is on the screen now, most wanted first; earlier wishes are dropped."""
        wanted = [file for file in files if not self._is_broken(file)]
        self._on_screen = frozenset(wanted)
        with self._changed:
            self._wanted = deque(file for file in wanted if file not in self._pictures)
            if self._wanted:
                self._work()

    def survey(self, files: Iterable[Path]) -> None:
        """Learn the facts of all these files whenever nothing on the screen is missing."""
        with self._changed:
            self._later = deque(file for file in files if file not in self._facts)
            if self._later:
                self._work()

    def rest(self, resting: bool) -> None:
        """Whether the survey shall wait, because the machine has better things to do."""
        if resting != self._resting:
            with self._changed:
                self._resting = resting
                self._changed.notify_all()

    def collect(self) -> list[Path]:
        """Take over what the threads have finished; returns whose facts were not known before."""
        learned: list[Path] = []
        while True:
            try:
                file, thumbnail = self._done.get_nowait()
            except queue.Empty:
                return learned
            with self._changed:
                self._in_work.discard(file)
            self.arrived += 1
            if self._facts.get(file) != thumbnail.facts:
                learned.append(file)
                self._facts[file] = thumbnail.facts
            # What only the survey saw must not push out what is about to be shown.
            if thumbnail.rgb is not None and (
                file in self._on_screen or len(self._pictures) < MOST_PICTURES
            ):
                self._pictures[file] = thumbnail.rgb
                if len(self._pictures) > MOST_PICTURES:
                    self._pictures.popitem(last=False)

    def picture(self, file: Path) -> UInt8[np.ndarray, "h w 3"] | None:
        """The small picture, if it is in memory."""
        if file in self._pictures:
            self._pictures.move_to_end(file)
        return self._pictures.get(file)

    def facts(self, file: Path) -> PhotoFacts | None:
        """What is known of a file; None before anyone looked."""
        return self._facts.get(file)

    def forget(self) -> None:
        """Look at everything anew: files may have changed."""
        self._pictures.clear()
        self._facts.clear()

    def close(self) -> None:
        """Stop the threads; each finishes the photo in hand."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _is_broken(self, file: Path) -> bool:
        return file in self._facts and bool(self._facts[file].reason)

    def _work(self) -> None:
        if not self._threads:
            # Two at most: decoding shares the cores with a run, and each holds a whole photo.
            for number in range(min(2, os.cpu_count() or 1)):
                thread = threading.Thread(
                    target=self._run, args=(number == 0,), name=f"thumbnails-{number}", daemon=True
                )
                thread.start()
                self._threads.append(thread)
        self._changed.notify_all()

    def _run(self, first: bool) -> None:
        if first:
            self._prepare()
        while True:
            with self._changed:
                while not self._closed and (file := self._next()) is None:
                    self._changed.wait()
                if self._closed:
                    return
                assert file
                self._in_work.add(file)
            self._done.put((file, self._look_at(file)))

    def _next(self) -> Path | None:
        for waiting in (self._wanted, *([] if self._resting else [self._later])):
            while waiting:
                if (file := waiting.popleft()) not in self._in_work:
                    return file
        return None
