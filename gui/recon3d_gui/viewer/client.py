"""The window's end of the 3D view: says what to draw, never waits, and starts it again."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from recon3d.core.camera import PinholeCamera
from recon3d.core.transform import Rigid
from recon3d_gui.failure import Failure
from recon3d_gui.viewer.navigator import Navigator
from recon3d_gui.viewer.outbox import Outbox
from recon3d_gui.viewer.protocol import (
    Advised,
    CancelSaving,
    Canvas,
    Command,
    Frame,
    Gone,
    Grow,
    Loaded,
    Loading,
    Look,
    Pick,
    Quit,
    Ready,
    Reply,
    SavePicture,
    SaveTurntable,
    Show,
    Side,
    Style,
    Taken,
)
from recon3d_gui.viewer.shared import SharedPictures

MOST_PX = 2560 * 1440
"""Larger canvases get a picture that is stretched: a window copies every pixel of it."""
_GRACE_S = 1.0
_HEALTHY_S = 30.0
"""A process that dies earlier, twice, is not started in the same way again."""


class ViewerClient:
    """All of the main thread. Nothing happens before `start`; listeners are told in `poll`."""

    def __init__(self, *, allow_gl: bool = True) -> None:
        self._allow_gl = allow_gl
        self._process: BaseProcess | None = None
        self._outbox: Outbox | None = None
        self._replies: Connection | None = None
        self._pictures: SharedPictures | None = None
        self._began_s = 0.0
        self._was_ready = False
        self._early_deaths = 0
        self._listeners: list[Callable[[Reply], None]] = []
        self._shows: dict[Side, Show] = {}
        self._grow = Grow()
        self._look: Look | None = None
        self._look_number = self._pick_number = 0
        self._frame: Frame | None = None
        self._finest_look = self._finest_style = 0
        self._styles = 0
        """Told to the process that runs now."""
        self._awaits_model = False
        """A model was read that no fine picture shows yet."""
        self.style = Style()
        """Change it with `restyle`."""
        self.loaded: dict[Side, Loaded] = {}
        """What each side shows."""
        self.advice: dict[Side, Advised] = {}
        """Where photos would help it, once its coverage was looked at."""
        self.note = ""
        """What is being read or computed."""
        self.is_reading = False
        """Something is on its way that is to be shown on the left side, or on all of the view."""
        self.ready: Ready | None = None
        self.is_gone = False
        """The process could not be started again."""
        self.navigator = Navigator()
        """Where one looks from; `tick` sends it."""

    @property
    def is_running(self) -> bool:
        """It has been started and has not been closed."""
        return self._process is not None

    @property
    def is_busy(self) -> bool:
        """A picture is on its way, or something is read: the window should not go to sleep."""
        waits = self._look is not None and (
            self._finest_look < self._look.number
            or self._finest_style < self._styles
            or self._awaits_model
        )
        return self.is_running and (waits or bool(self.note) or self.navigator.is_moving)

    def start(self) -> None:
        """Start the process; its first picture comes when a canvas and a look are set."""
        # Only now: it knows all stages, which the window's first picture need not wait for.
        from recon3d_gui.viewer.session import serve

        context = multiprocessing.get_context("spawn")
        command_source, command_sink = context.Pipe(duplex=False)
        reply_source, reply_sink = context.Pipe(duplex=False)
        process = context.Process(
            target=serve,
            args=(command_source, reply_sink, self._allow_gl),
            name="recon3d viewer",
            daemon=True,
        )
        process.start()
        # Only the process may hold these ends, or its death would not close the pipes.
        command_source.close()
        reply_sink.close()
        self._process, self._replies = process, reply_source
        self._outbox = Outbox(command_sink)
        self._began_s, self._was_ready = time.monotonic(), False
        if self._pictures:
            self._send(Canvas(self._pictures.names))
        self._styles = self._finest_style = 0
        self._send_style()
        for show in self._shows.values():
            self._send(show)
        self._send(self._grow)
        if self._look:
            self._send(self._look)

    def listen(self, listener: Callable[[Reply], None]) -> None:
        """Have a function told every reply but pictures."""
        self._listeners.append(listener)

    def show(self, reached: Mapping[str, Path], side: Side = "a") -> None:
        """Show finished stages, by name; what has not changed is not read again. Empty: nothing."""
        self._show(Show(side, dict(reached)))

    def grow(self, grow: Grow) -> None:
        """Show how far a run has come with the depth of its photos, until there is a cloud."""
        if grow != self._grow:
            self._grow = grow
            self._send(grow)

    def open_mesh(self, path: Path, side: Side = "a") -> None:
        """Show a mesh file of another program."""
        self._show(Show(side, mesh_file=path))

    def restyle(self, **changes: Any) -> None:
        """Change fields of the style."""
        style = replace(self.style, **changes)
        if style != self.style:
            self.style = style
            self._send_style()

    def resize(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Set the canvas; returns the size that pictures of it have at most."""
        factor = min(1.0, (MOST_PX / max(1, width_px * height_px)) ** 0.5)
        size = (max(1, int(width_px * factor)), max(1, int(height_px * factor)))
        needed = size[0] * size[1]
        if self._pictures is None or self._pictures.capacity_px < needed:
            if self._pictures:
                self._pictures.close()
            self._frame = None
            # With room to grow: a window's edge is dragged in many small steps.
            self._pictures = SharedPictures.make(min(int(1.4 * needed) + 1, MOST_PX + 4096))
            self._send(Canvas(self._pictures.names))
        return size

    def look(
        self, camera: PinholeCamera, cam_from_model: Rigid, distance: float, *, is_moving: bool
    ) -> Look:
        """Look from somewhere.

        camera: of the picture, of the size that `resize` gave or smaller.
        distance: to the focus, in units of the model.
        """
        self._look_number += 1
        self._look = Look(self._look_number, camera, cam_from_model, distance, is_moving)
        self._send(self._look)
        return self._look

    def tick(self, now_s: float) -> None:
        """Draw from where the navigator has come to, if it has moved."""
        if self.navigator.advance(now_s) and self._pictures is not None:
            width_px, height_px = self.resize(*self.navigator.canvas_px)
            eye = self.navigator.eye
            camera = self.navigator.camera.resized(width_px, height_px)
            moving = self.navigator.is_moving
            self.look(camera, eye.cam_from_model, eye.distance, is_moving=moving)

    def pick(self, uv_px: tuple[float, float], *, in_photos: bool = False) -> int:
        """Ask what lies under a point of the canvas; returns the number of the answer (Picked).

        in_photos: also find the photos that show it.
        """
        self._pick_number += 1
        if self._look is not None:
            factor = self._look.camera.width_px / self.navigator.canvas_px[0]
            place = (uv_px[0] * factor, uv_px[1] * factor)
            self._send(Pick(self._pick_number, self._look, place, in_photos))
        return self._pick_number

    def save_picture(self, order: SavePicture) -> None:
        """Write what is seen; ends in Saved or Failure."""
        self._send(order)

    def save_turntable(self, order: SaveTurntable) -> None:
        """Write a film; ends in Saved or Failure, after many Saving."""
        self._send(order)

    def cancel_saving(self) -> None:
        """Stop the film."""
        self._send(CancelSaving())

    def poll(self) -> None:
        """Take what the process has said, tell the listeners, start it again if it has died."""
        if self._replies is None or self.is_gone:
            return
        try:
            while self._replies is not None and self._replies.poll():
                self._take(self._replies.recv())
        except (EOFError, OSError):
            self._revive()

    def take_frame(self, target: Float32[np.ndarray, "h w 4"]) -> Frame | None:
        """Copy the newest picture into the upper left of an array, if there is a new one.

        A picture that does not fit is passed over: one that does is on its way after `resize`.
        """
        frame, pictures = self._frame, self._pictures
        if frame is None or pictures is None:
            return None
        self._frame = None
        fits = frame.height_px <= target.shape[0] and frame.width_px <= target.shape[1]
        if fits:
            picture = pictures.picture(frame.slot, frame.width_px, frame.height_px)
            target[: frame.height_px, : frame.width_px] = picture
        self._send(Taken(frame.number))
        return frame if fits else None

    def close(self) -> None:
        """End the process; waits a second at most."""
        self._send(Quit())
        if self._outbox:
            self._outbox.close()
        self._end_process()
        if self._pictures:
            self._pictures.close()
            self._pictures = None

    def _show(self, show: Show) -> None:
        self._shows[show.side] = show
        has_content = bool(show.reached or show.mesh_file)
        if not has_content:
            self.loaded.pop(show.side, None)
            self.advice.pop(show.side, None)
        if show.side == "a":
            self.is_reading = has_content
        self._send(show)

    def _send_style(self) -> None:
        if self._outbox:
            self._styles += 1
        self._send(self.style)

    def _send(self, command: Command) -> None:
        if self._outbox:
            self._outbox.put(command)

    def _take(self, reply: Reply) -> None:
        match reply:
            case Frame():
                if self._pictures and self._pictures.names == reply.canvas:
                    self._frame = reply
                    if reply.is_final:
                        self._finest_look, self._finest_style = reply.look, reply.styles
                        self._awaits_model = False
                return
            case Ready():
                self.ready, self._was_ready = reply, True
            case Loaded():
                # An answer to a wish that was taken back.
                if self._shows.get(reply.side) in (None, Show(reply.side)):
                    return
                self.loaded[reply.side] = reply
                self.advice.pop(reply.side, None)
                self._awaits_model = True
                if reply.side == "a":
                    self.navigator.adopt(reply)
            case Advised():
                self.advice[reply.side] = reply
            case Loading():
                self.note = reply.note
                # Also the end of what could not be read.
                self.is_reading = self.is_reading and bool(reply.note)
        self._tell(reply)

    def _tell(self, reply: Reply) -> None:
        for listener in self._listeners:
            listener(reply)

    def _revive(self) -> None:
        self._early_deaths += 1
        if time.monotonic() - self._began_s > _HEALTHY_S:
            self._early_deaths = 0
        self._end_process()
        self._frame, self.note = None, ""
        if self._was_ready and self._early_deaths < 2:
            self._tell(Failure("The 3D view stopped and was started again."))
        elif self._allow_gl:
            # Drivers crash too; without them it is slow but sure.
            self._allow_gl = False
            self._tell(
                Failure(
                    "The 3D view stopped and was started again without the graphics card.",
                    hint="Update the graphics driver if it is slow.",
                )
            )
        else:
            self.is_gone, self.is_reading = True, False
            self._tell(
                Gone(
                    "The 3D view stopped and does not start again.",
                    hint="Everything else works on. Save your project and restart the program.",
                )
            )
            return
        self.start()

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.join(_GRACE_S)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
        if self._replies:
            with suppress(OSError):
                self._replies.close()
            self._replies = None
