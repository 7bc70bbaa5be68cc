"""The render process: listens, loads, and draws when something has changed."""

from __future__ import annotations

import signal
import time
from collections import deque
from dataclasses import replace
from multiprocessing.connection import Connection, wait

import numpy as np

from recon3d_gui.viewer.cameras import Point, as_rows
from recon3d_gui.viewer.clipping import clipped
from recon3d_gui.viewer.composing import Composer, ModelFrame
from recon3d_gui.viewer.content import Content
from recon3d_gui.viewer.drawing import Model, Renderer, Shot
from recon3d_gui.viewer.gl_context import NoGraphicsError
from recon3d_gui.viewer.loader import Confidence, Coverage, Covered, Loader, Planned, Read
from recon3d_gui.viewer.pace import Pace
from recon3d_gui.viewer.protocol import (
    Advised,
    CancelSaving,
    Canvas,
    Command,
    Frame,
    Grow,
    Loaded,
    Look,
    Mode,
    Pick,
    Picked,
    Quit,
    Ready,
    Reply,
    Saved,
    SavePicture,
    SaveTurntable,
    Show,
    Side,
    Style,
    Taken,
)
from recon3d_gui.viewer.recorder import Recorder
from recon3d_gui.viewer.shared import SharedPictures
from recon3d_gui.viewer.sighting import photos_of

_REST_S = 0.15
"""After the last change, the fine picture is drawn."""
_MOST_SMOOTH_FACES = 1_000_000
"""Without a graphics card; smoothing more takes seconds."""


def serve(commands: Connection, replies: Connection, allow_gl: bool) -> None:
    """Run until told to quit or until the window's end of the pipe is closed."""
    # Ctrl-C in a terminal reaches every process; the window decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        Session(commands, replies, make_renderer(allow_gl)).run()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def make_renderer(allow_gl: bool) -> Renderer:
    """OpenGL where it works, else rays."""
    if allow_gl:
        try:
            from recon3d_gui.viewer.gl_renderer import GlRenderer

            return GlRenderer()
        except NoGraphicsError:
            pass
    from recon3d_gui.viewer.software import SoftwareRenderer

    return SoftwareRenderer()


class Session:
    """All that the process knows; `run` is its loop."""

    def __init__(self, commands: Connection, replies: Connection, renderer: Renderer) -> None:
        self._commands, self._replies, self._renderer = commands, replies, renderer
        self._inbox: deque[Command] = deque()
        self._loader = Loader()
        self._composer = Composer()
        self._pace = Pace.start(is_software=renderer.is_software)
        self._pictures: SharedPictures | None = None
        self._models: dict[Side, Model] = {}
        self._covered: dict[tuple[Side, Planned], Covered] = {}
        self._wanted: dict[Side, bool] = {}
        self._recorder = Recorder(self._composer, renderer, self._tell)
        self._look: Look | None = None
        self._style = Style()
        self._changed_at = -1.0
        self._is_stale = self._is_coarse = False
        self._is_moving = self._is_unseen = False
        self._number = self._taken = self._styles = 0
        self._is_over = False
        self._tell(Ready(renderer.name, renderer.is_software))

    def run(self) -> None:
        """Until told to quit.

        Raises:
            EOFError: the window is gone.
        """
        while not self._is_over:
            wait([self._commands, self._loader.bell], timeout=self._patience_s())
            self._receive()
            while self._inbox:
                self._obey(self._inbox.popleft())
            self._take_loaded()
            self._draw_what_is_due()
            if self._recorder.is_filming:
                self._recorder.step()
        self._recorder.stop()
        if self._pictures:
            self._pictures.close()
        self._renderer.close()

    def _tell(self, reply: Reply) -> None:
        self._replies.send(reply)

    def _receive(self) -> None:
        while self._commands.poll():
            self._inbox.append(self._commands.recv())

    def _interrupted(self) -> bool:
        """Whether there is something newer to draw than what is being drawn."""
        self._receive()
        return any(isinstance(each, Look | Style | Pick | Quit | Canvas) for each in self._inbox)

    def _patience_s(self) -> float | None:
        if self._recorder.is_filming:
            return 0.0
        if self._look is None or self._pictures is None or not self._has_free_slot:
            return None
        if self._is_stale:
            return 0.0
        if self._is_coarse:
            return max(0.0, self._changed_at + _REST_S - time.monotonic())
        return None

    @property
    def _has_free_slot(self) -> bool:
        return self._number - self._taken < 2

    def _obey(self, command: Command) -> None:
        match command:
            case Look():
                self._change(is_moving=command.is_moving)
                self._look = command
            case Style():
                # A slider that is dragged changes the style many times a second.
                self._change(is_moving=time.monotonic() - self._changed_at < _REST_S)
                before, self._style = self._style, command
                self._styles += 1
                if (before.clip, planned(before.mode)) != (command.clip, planned(command.mode)):
                    self._renew()
                self._want_more()
            case Canvas():
                if self._pictures:
                    self._pictures.close()
                self._pictures = _attached(command)
                self._taken = self._number
                self._change(is_moving=False)
            case Show():
                self._loader.ask(command)
                self._wanted[command.side] = bool(command.reached or command.mesh_file)
                if not self._wanted[command.side]:
                    self._models.pop(command.side, None)
                    self._forget_covered(command.side)
                    self._renew()
            case Grow():
                self._loader.grow(command)
            case Taken():
                self._taken = max(self._taken, command.number)
            case Pick():
                self._tell(self._picked(command))
            case SavePicture():
                if self._look:
                    self._recorder.save(command, self._look, self._style)
            case SaveTurntable():
                if self._look:
                    self._recorder.begin(command, self._look, self._style)
            case CancelSaving():
                if self._recorder.is_filming:
                    self._recorder.stop()
                    self._tell(Saved(None))
            case Quit():
                self._is_over = True

    def _change(self, *, is_moving: bool) -> None:
        self._changed_at = time.monotonic()
        self._is_stale, self._is_moving = True, is_moving

    def _take_loaded(self) -> None:
        for result in self._loader.take():
            if isinstance(result, Read) and not self._wanted.get(result.side):
                continue
            if isinstance(result, Read):
                self._models[result.side] = result.model
                self._forget_covered(result.side)
                self._renew()
                model_frame = ModelFrame.of(result.model.content)
                self._tell(_told(result.side, result.model, model_frame))
                self._want_more()
            elif isinstance(result, Covered):
                wish = result.wish
                if self._models.get(wish.side) is wish.model:
                    self._covered[wish.side, wish.mode] = result
                    self._renew()
                    views = ModelFrame.of(result.model.content).suggested
                    sigma = result.usual_sigma
                    self._tell(Advised(wish.side, views, result.sentences, sigma))
            else:
                self._tell(result)

    def _forget_covered(self, side: Side) -> None:
        self._covered = {key: kept for key, kept in self._covered.items() if key[0] != side}

    def _renew(self) -> None:
        models, clip = dict(self._models), self._style.clip
        mode = planned(self._style.mode)
        models |= {key[0]: found.model for key, found in self._covered.items() if key[1] == mode}
        if clip is not None and "a" in models:
            models["a"] = clipped(models["a"], clip)
        self._composer.use(models)
        self._renderer.hold(models.values())
        self._pace.most_levels = max((len(m.levels) - 1 for m in models.values()), default=2)
        # Without a graphics card a coarse picture at once is better than a fine one in a second.
        self._is_unseen = self._renderer.is_software
        self._change(is_moving=False)

    def _want_more(self) -> None:
        """Ask for what the mode shows and takes a while."""
        if mode := planned(self._style.mode):
            for side, model in self._models.items():
                if (side, mode) not in self._covered and _can_be_covered(model.content):
                    self._loader.ask(Coverage(side, model, mode))
        if self._style.mode != "confidence":
            return
        for side, model in self._models.items():
            surface, depth = model.content.surface, model.content.depth_folder
            if surface is not None and depth is not None and not surface.rgba[:, 3].any():
                self._loader.ask(Confidence(side, model))

    def _draw_what_is_due(self) -> None:
        if self._look is None or self._pictures is None or not self._has_free_slot:
            return
        is_resting = time.monotonic() - self._changed_at >= _REST_S
        if self._is_stale and (self._is_moving or self._is_unseen):
            self._is_unseen = False
            self._publish(self._shot(self._look), is_final=False)
        elif self._is_stale or (self._is_coarse and is_resting):
            self._publish(self._fine(self._shot(self._look)), is_final=True)

    def _shot(self, look: Look) -> Shot:
        return self._composer.shot(look, self._style)

    def _fine(self, shot: Shot) -> Shot:
        faces = sum(len(part.model.levels[0].faces) for part in shot.parts if part.model.levels)
        is_slow = self._renderer.is_software and faces > _MOST_SMOOTH_FACES
        return replace(shot, level=0, is_smooth=not is_slow)

    def _publish(self, shot: Shot, *, is_final: bool) -> None:
        assert self._look
        assert self._pictures
        began = time.perf_counter()
        if not is_final:
            divisor = self._pace.divisor
            width_px = max(1, shot.camera.width_px // divisor)
            shot = shot.resized(width_px, max(1, shot.camera.height_px // divisor))
            is_quick = self._renderer.is_software or self._pace.level > 0
            shot = replace(shot, level=self._pace.level, is_smooth=not is_quick)
        slot = (self._number + 1) % 2
        width_px, height_px = shot.camera.width_px, shot.camera.height_px
        out = self._pictures.picture(slot, width_px, height_px)
        if not self._renderer.draw(shot, out, self._interrupted if is_final else _never):
            # What was being drawn is still due, unless what came in says more.
            return
        del out
        self._number += 1
        seconds = time.perf_counter() - began
        self._is_stale, self._is_coarse = False, not is_final
        if not is_final:
            self._pace.took(seconds)
        self._tell(
            Frame(
                self._number,
                self._pictures.names,
                slot,
                width_px,
                height_px,
                self._look.number,
                seconds,
                is_final,
                self._styles,
            )
        )

    def _picked(self, pick: Pick) -> Picked:
        shot = self._shot(pick.look)
        depth_z = self._renderer.depth(shot, pick.uv_px)
        if depth_z is None:
            return Picked(pick.number, None)
        camera = pick.look.camera
        ray = [
            (pick.uv_px[0] - camera.cx_px) / camera.fx_px,
            (pick.uv_px[1] - camera.cy_px) / camera.fy_px,
            1.0,
        ]
        x, y, z = (pick.look.cam_from_model.inverse() @ (np.array(ray) * depth_z)).tolist()
        main = self._models.get("a")
        point: Point = (x, y, z)
        if not pick.in_photos or main is None:
            return Picked(pick.number, point)
        return Picked(pick.number, point, photos_of(point, main.content, shot, self._renderer))


def _told(side: Side, model: Model, model_frame: ModelFrame) -> Loaded:
    content = model.content
    layers: dict[str, object] = {
        "points": content.sparse,
        "cloud": content.shown_cloud,
        "mesh": content.surface,
        "texture": content.textured,
        "confidence": content.surface and content.depth_folder,
    }
    clouds = [
        len(each.points) for each in (content.shown_cloud, content.sparse) if each is not None
    ]
    return Loaded(
        side,
        frozenset(name for name, found in layers.items() if found is not None),
        clouds[0] if clouds else 0,
        0 if content.surface is None else len(content.surface.faces),
        model_frame.bounds,
        content.model_from_world,
        as_rows(content.upright_from_model),
        content.ground,
        content.unit,
        content.has_frame,
        model_frame.views,
        content.scene_key,
    )


def planned(mode: Mode) -> Planned | None:
    """A mode that shows what photos tell of the surface; None: it is another."""
    return mode if mode in ("coverage", "exactness") else None


def _can_be_covered(content: Content) -> bool:
    """A mesh and at least two photos, whose pictures say which part of it they show."""
    return content.mesh_folder is not None and content.posed is not None and len(content.views) > 1


def _attached(canvas: Canvas) -> SharedPictures | None:
    try:
        return SharedPictures.attach(canvas.names)
    except FileNotFoundError:
        # The window has grown once more; the next canvas is on its way.
        return None


def _never() -> bool:
    return False
