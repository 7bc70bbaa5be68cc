"""Saves pictures and films of what is shown, a step at a time, so that the view stays alive."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from recon3d.core.camera import PinholeCamera
from recon3d_gui.failure import failure_of
from recon3d_gui.viewer.composing import Composer
from recon3d_gui.viewer.drawing import Renderer
from recon3d_gui.viewer.protocol import (
    Look,
    Reply,
    Saved,
    SavePicture,
    SaveTurntable,
    Saving,
    Style,
)
from recon3d_gui.viewer.recording import film, save_picture, turntable

_MOST_PX = 33_000_000
"""8K."""


class Recorder:
    """One film at a time; what goes wrong is told, and the process lives on."""

    def __init__(
        self, composer: Composer, renderer: Renderer, tell: Callable[[Reply], None]
    ) -> None:
        self._composer, self._renderer, self._tell = composer, renderer, tell
        self._film: Generator[None, None, None] | None = None

    @property
    def is_filming(self) -> bool:
        """Whether `step` has something to do."""
        return self._film is not None

    def save(self, order: SavePicture, look: Look, style: Style) -> None:
        """Write a picture now."""
        self._guarded(lambda: self._save(order, look, style))

    def begin(self, order: SaveTurntable, look: Look, style: Style) -> None:
        """Start a film, instead of one that is being made."""
        self.stop()
        self._film = self._turntable(order, look, style)

    def step(self) -> None:
        """Draw one more picture of the film."""

        def draw() -> None:
            assert self._film
            if next(self._film, self) is self:
                self._film = None

        if not self._guarded(draw):
            self._film = None

    def stop(self) -> None:
        """Leave nothing of the film."""
        if self._film is not None:
            self._film.close()
            self._film = None

    def _save(self, order: SavePicture, look: Look, style: Style) -> None:
        camera = look.camera
        enlarge = min(order.enlarge, (_MOST_PX / camera.width_px / camera.height_px) ** 0.5)
        width_px, height_px = (int(enlarge * side) for side in (camera.width_px, camera.height_px))
        style = replace(style, crop=None, hovered=None)
        if order.transparent:
            style = replace(style, grid=False, cameras=False, backdrop=0.0)
        shot = self._composer.shot(look, style).resized(width_px, height_px)
        out = np.zeros((height_px, width_px, 4), np.float32)
        self._renderer.draw(replace(shot, is_transparent=order.transparent), out, _never)
        save_picture(order.target, out)
        self._tell(Saved(order.target))

    def _turntable(
        self, order: SaveTurntable, look: Look, style: Style
    ) -> Generator[None, None, None]:
        count = max(1, round(order.seconds * order.frames_per_second))
        style = replace(style, crop=None, hovered=None, cameras=False, backdrop=0.0)
        up = self._composer.shot(look, style).up_model
        poses = [*turntable(look.cam_from_model, look.focus_distance, up, count)]

        def draw(number: int, out: Float32[np.ndarray, "h w 4"]) -> None:
            camera = refitted(look.camera, out.shape[1], out.shape[0])
            turned = replace(look, cam_from_model=poses[number], camera=camera)
            self._renderer.draw(self._composer.shot(turned, style), out, _never)

        frames = film(order.target, draw, count, order.frames_per_second, order.size_px)
        with closing(frames):
            for done in frames:
                self._tell(Saving(done, count))
                yield
        self._tell(Saved(order.target))

    def _guarded(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # codecs and drivers fail in every way there is
            self._tell(failure_of(error, "It cannot be saved"))
        else:
            return True
        return False


def refitted(camera: PinholeCamera, width_px: int, height_px: int) -> PinholeCamera:
    """A camera of another picture's shape that sees at least as much."""
    factor = min(width_px / camera.width_px, height_px / camera.height_px)
    return PinholeCamera(
        width_px,
        height_px,
        camera.fx_px * factor,
        camera.fy_px * factor,
        width_px / 2 + (camera.cx_px - camera.width_px / 2) * factor,
        height_px / 2 + (camera.cy_px - camera.height_px / 2) * factor,
    )


def _never() -> bool:
    return False
