"""What the calibration page shows: photos of a board, and what came of them."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import numpy as np
from recon3d_calib.board import Board
from recon3d_calib.detection import Look

from recon3d.core.errors import InputError, ReconError
from recon3d.photos.finding import list_photos
from recon3d.photos.naming import PHOTO_SUFFIXES
from recon3d_gui.calibration.worker import (
    FoundBoard,
    Looked,
    News,
    Progress,
    Request,
    Solved,
    Stopped,
    Wanted,
    work,
)
from recon3d_gui.failure import Failure, failure_of

if TYPE_CHECKING:
    from recon3d_gui.calibration.outcome import Outcome

State = Literal["idle", "working", "stopping"]
_GRACE_SECONDS = 3.0
_CRASHED = Failure(
    "The calibration ended unexpectedly.", "Try it again; if it happens again, please report it."
)


class CalibrationSession:
    """Photos, board, progress and result; `poll` it each frame."""

    def __init__(self) -> None:
        self.revision = 0
        """Grows with every change."""
        self.state: State = "idle"
        self.progress = Progress(0, 0, "")
        self.looks: dict[str, Look] = {}
        self.thumbnails: dict[str, np.ndarray] = {}
        self.outcome: Outcome | None = None
        self.failure: Failure | None = None
        self.wanted = Wanted()
        self.found: Board | None = None
        """The board that the photos show."""
        self.printed: SimpleQueue[Path | Failure] = SimpleQueue()
        """Boards that were drawn, or why not."""
        self.reported: SimpleQueue[Path | Failure] = SimpleQueue()
        """Reports that were written, or why not."""
        self._sources: list[Path] = []
        self._paths: dict[str, Path] = {}
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._stop_at = 0.0
        self._reports: TemporaryDirectory[str] | None = None

    @property
    def paths(self) -> Mapping[str, Path]:
        """The photos by id."""
        return self._paths

    def add(self, sources: Sequence[Path]) -> int:
        """Take more photos or folders of them; returns how many are new.

        Raises:
            InputError: a path cannot be read, or there are no photos.
        """
        together = [*self._sources, *sources]
        photos = {
            photo_id: path
            for photo_id, path in list_photos(together).items()
            if path.suffix.lower() in PHOTO_SUFFIXES
        }
        known = set(self._paths.values())
        new = sum(path not in known for path in photos.values())
        if not photos:
            raise InputError(
                "There are no photos among these files.",
                hint="Add photos: JPEG, PNG, TIFF, WebP or HEIC.",
            )
        # With another folder the ids change; what was seen stays with its file.
        self._rename({path: photo_id for photo_id, path in photos.items()})
        self._sources, self._paths = together, photos
        self.outcome = None
        self.revision += 1
        return new

    def clear(self) -> None:
        """Forget all photos."""
        self.cancel()
        self._sources, self._paths = [], {}
        self._forget()

    def choose(self, wanted: Wanted) -> None:
        """Say what the photos show; what was seen is forgotten if it could be something else."""
        if wanted == self.wanted:
            return
        same_board = replace(wanted, zoomed=self.wanted.zoomed) == self.wanted
        self.wanted, self.outcome, self.failure = wanted, None, None
        self.revision += 1
        if not same_board:
            self._forget()

    def start(self) -> None:
        """Look at the photos that were not looked at yet, then calibrate.

        Raises:
            InputError: there are no photos.
        """
        if self.state != "idle":
            return
        if not self._paths:
            raise InputError("There are no photos yet.", hint="Add some first.")
        new = {i: path for i, path in self._paths.items() if i not in self.looks}
        known = tuple(self.looks.values())
        request = Request(self.wanted, tuple(self._sources), new, known, self.found)
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(
            target=work, args=(request, theirs), name="recon3d-calibration", daemon=True
        )
        self._process.start()
        theirs.close()
        self.state, self.failure, self.outcome = "working", None, None
        self.progress = Progress(0, 0, "starting")
        self.revision += 1

    def cancel(self) -> None:
        """Ask to stop; three seconds later it is stopped."""
        if self.state != "working" or self._pipe is None:
            return
        self.state, self._stop_at = "stopping", time.monotonic() + _GRACE_SECONDS
        try:
            self._pipe.send("stop")
        except OSError:
            self._end(_CRASHED)
        self.revision += 1

    def poll(self) -> None:
        """Hear what the process has to say; never waits."""
        if self._pipe is None or self._process is None:
            return
        try:
            while self._pipe is not None and self._pipe.poll():
                self._hear(self._pipe.recv())
        except (EOFError, OSError):
            self._end(Stopped() if self.state == "stopping" else _CRASHED)
        if self.state == "stopping" and time.monotonic() > self._stop_at:
            self._end(Stopped())

    def close(self) -> None:
        """End the process at once, and throw reports away."""
        if self._process is not None:
            self._process.kill()
            self._end(Stopped())
        if self._reports is not None:
            self._reports.cleanup()

    def save(self, target: Path) -> None:
        """Write the result as a camera file.

        Raises:
            OutputError: the place cannot be written.
        """
        if self.outcome is not None:
            self.outcome.save(target)

    def write_report(self) -> None:
        """Write the result's report, in a thread; `reported` says where it is, or why not."""
        if self.outcome is not None:
            self._reports = self._reports or TemporaryDirectory(prefix="recon3d-calibration-")
            target = Path(self._reports.name) / "report.html"
            write = partial(self.outcome.write_report, target)
            threading.Thread(target=_make, args=(write, target, self.reported), daemon=True).start()

    def print_board(self, target: Path) -> None:
        """Draw a board to print, in a thread; `printed` says what came of it."""
        write = partial(_print, target)
        threading.Thread(target=_make, args=(write, target, self.printed), daemon=True).start()

    def _hear(self, news: News) -> None:
        self.revision += 1
        match news:
            case Progress():
                self.progress = news
            case FoundBoard(board):
                self.found = board
            case Looked(look, thumbnail):
                self.looks[look.photo_id] = look
                if thumbnail is not None:
                    self.thumbnails[look.photo_id] = thumbnail
            case Solved(calibration):
                from recon3d_gui.calibration.outcome import outcome_of

                self.outcome = outcome_of(calibration, self._paths)
                self._end(Stopped())
            case Failure() | Stopped():
                self._end(news)

    def _end(self, news: Failure | Stopped) -> None:
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if pipe is not None:
            pipe.close()
        # One that has said its last word ends by itself; to wait for it would stop the window.
        if process is not None and self.state == "stopping":
            process.kill()
        self.state = "idle"
        self.failure = news if isinstance(news, Failure) else None
        self.revision += 1

    def _forget(self) -> None:
        self.looks, self.thumbnails = {}, {}
        self.outcome, self.failure, self.found = None, None, None
        self.revision += 1

    def _rename(self, names: Mapping[Path, str]) -> None:
        now = {old: names[path] for old, path in self._paths.items() if path in names}
        self.looks = {
            now[old]: replace(
                look,
                photo_id=now[old],
                detection=look.detection and replace(look.detection, photo_id=now[old]),
            )
            for old, look in self.looks.items()
            if old in now
        }
        self.thumbnails = {now[old]: small for old, small in self.thumbnails.items() if old in now}


def _make(write: Callable[[], None], target: Path, made: SimpleQueue[Path | Failure]) -> None:
    try:
        write()
    except ReconError as error:
        made.put(failure_of(error, "It cannot be saved"))
    else:
        made.put(target)


def _print(target: Path) -> None:
    from recon3d_calib.printing import print_board

    # Its markers make it the board that may be cut off, so that it reaches every corner.
    print_board(target, Board(kind="charuco", columns=11, rows=8, family="aruco_5x5_100"), "A4")
