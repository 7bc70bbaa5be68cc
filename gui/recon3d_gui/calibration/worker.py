"""The process that looks for boards and calibrates; the window only hears of it."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from jaxtyping import UInt8
from recon3d_calib.board import Board, BoardKind
from recon3d_calib.calibrate import Calibration
from recon3d_calib.detection import Look

from recon3d.core.errors import Cancelled, InputError
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Listener, Task
from recon3d_gui.failure import Failure, failure_of

if TYPE_CHECKING:
    from recon3d_calib.from_photos import SelfCalibrations

THUMBNAIL_PX = 192
CORNER = (40, 190, 120)


@dataclass(frozen=True)
class Wanted:
    """What the user says of the photos."""

    kind: BoardKind | None = None
    """What kind of board they show; None: find out."""
    size: str = ""
    """Columns x rows; empty: find out."""
    boardless: bool = False
    """They show no board, but something that stands still, from all sides."""
    zoomed: bool = False
    """Each photo of the board has a focal length of its own."""


@dataclass(frozen=True)
class Request:
    """Photos, and what is known of them."""

    wanted: Wanted
    sources: tuple[Path, ...]
    """The files and folders that the user gave."""
    paths: Mapping[str, Path]
    """Photos among them that were not looked at yet, by id."""
    known: tuple[Look, ...]
    """What was seen in the others."""
    board: Board | None
    """The board that was found before; None: find out which it is."""


@dataclass(frozen=True)
class Progress:
    """How far it is."""

    done: int
    total: int
    note: str
    is_sample: bool = False
    """It looks at a few of the photos only, which says nothing of how many there are."""


@dataclass(frozen=True)
class FoundBoard:
    """The board that the photos show."""

    board: Board


@dataclass(frozen=True, eq=False)
class Looked:
    """One photo was searched."""

    look: Look
    thumbnail: UInt8[np.ndarray, "h w 3"] | None
    """With the corners painted on; None where the photo cannot be read."""


@dataclass(frozen=True, eq=False)
class Solved:
    """The good end."""

    calibration: Calibration | SelfCalibrations


@dataclass(frozen=True)
class Stopped:
    """The end that the user asked for."""


News: TypeAlias = Progress | FoundBoard | Looked | Solved | Failure | Stopped


def work(request: Request, window: Connection) -> None:
    """Answer one request; anything that the window sends means stop."""
    # Ctrl-C in the terminal is the window's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("recon3d_calib").addHandler(logging.NullHandler())
    token = CancelToken()
    threading.Thread(target=_listen, args=(window, token), daemon=True).start()
    try:
        window.send(_answer(request, token, window))
    except Cancelled:
        window.send(Stopped())
    except BrokenPipeError:
        return
    except Exception as error:
        window.send(failure_of(error, "Something unexpected went wrong"))


def _answer(request: Request, token: CancelToken, window: Connection) -> Solved:
    task = Task("calibrate", telling(window), token)
    if request.wanted.boardless:
        return _answer_without_board(request, task, window)
    from recon3d_calib.calibrate import calibrate
    from recon3d_calib.search import settle_board
    from recon3d_calib.start import Sharing

    board = request.board
    if board is None:
        wanted = request.wanted
        sample = Task("calibrate", telling_of_sample(window), token)
        board = settle_board(request.paths, wanted.kind, wanted.size, sample)
        window.send(FoundBoard(board))
    looks = [*request.known]
    with ThreadPoolExecutor(Runtime().threads) as pool:
        try:
            found = pool.map(lambda item: _look(item[0], item[1], board), request.paths.items())
            for looked in task.each(found, len(request.paths), lambda each: each.look.photo_id):
                window.send(looked)
                looks.append(looked.look)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    looks.sort(key=lambda look: look.photo_id)
    return Solved(calibrate(looks, board, task, sharing=Sharing(zoom=request.wanted.zoomed)))


def telling(window: Connection) -> Listener:
    """How far it is with all photos."""
    return lambda event: window.send(Progress(event.done, event.total, event.note))


def telling_of_sample(window: Connection) -> Listener:
    """How far it is with the few photos that say which board it is."""
    note = "finding out which board it is"
    return lambda event: window.send(Progress(event.done, event.total, note, is_sample=True))


def _answer_without_board(request: Request, task: Task, window: Connection) -> Solved:
    from recon3d_calib.from_photos import calibrate_from_photos

    from recon3d.photos.pictures import read_preview

    for photo_id, path in request.paths.items():
        task.check()
        try:
            rgb = read_preview(path, THUMBNAIL_PX).rgb
        except InputError as error:
            window.send(Looked(Look(photo_id, reason=str(error)), None))
        else:
            window.send(Looked(Look(photo_id), rgb))
    return Solved(calibrate_from_photos(request.sources, task))


def _look(photo_id: str, path: Path, board: Board) -> Looked:
    from recon3d_calib.detection import look_at
    from recon3d_calib.report.pictures import paint_corners, shrunk_rgb

    from recon3d.photos.pictures import read_grey

    try:
        grey = read_grey(path)
    except InputError as error:
        return Looked(Look(photo_id, reason=str(error)), None)
    look = look_at(grey, board, photo_id)
    rgb, factor = shrunk_rgb(grey, THUMBNAIL_PX)
    if look.detection:
        paint_corners(rgb, look.detection.points_px * factor, CORNER)
    return Looked(look, rgb)


def _listen(window: Connection, token: CancelToken) -> None:
    try:
        window.recv()
    except (EOFError, OSError):
        # The window is gone; nobody could use the result.
        os._exit(1)
    token.cancel()
