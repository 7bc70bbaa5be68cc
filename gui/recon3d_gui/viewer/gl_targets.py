"""Pictures in the memory of the graphics card that shots are drawn into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

if TYPE_CHECKING:
    import moderngl


class Targets:
    """A plain picture with its depth, and one with several samples a pixel, of any size in turn."""

    def __init__(self, context: moderngl.Context) -> None:
        self._context = context
        self._size = (0, 0)
        self._plain: moderngl.Framebuffer | None = None
        self._depth: moderngl.Texture | None = None
        self._colour_only: moderngl.Framebuffer | None = None
        self._smooth: moderngl.Framebuffer | None = None

    @property
    def depth_texture(self) -> moderngl.Texture:
        """Of the plain picture."""
        assert self._depth
        return self._depth

    def use(self, size: tuple[int, int], samples: int) -> moderngl.Framebuffer:
        """Draw into a picture of this size from now on; samples: 0 = one a pixel."""
        context = self._context
        if size != self._size or self._plain is None:
            self._release()
            self._size = size
            colour, depth = context.texture(size, 4), context.depth_texture(size)
            depth.compare_func = ""
            depth.filter = (context.NEAREST, context.NEAREST)
            self._plain, self._depth = context.framebuffer([colour], depth), depth
            self._colour_only = context.framebuffer([colour])
        target = self._plain
        samples = min(samples, context.max_samples)
        if samples > 1:
            if self._smooth is None:
                self._smooth = context.framebuffer(
                    [context.renderbuffer(size, 4, samples=samples)],
                    context.depth_renderbuffer(size, samples=samples),
                )
            target = self._smooth
        target.use()
        return target

    def use_colour_only(self) -> None:
        """Draw into the plain picture without its depth."""
        assert self._colour_only
        self._colour_only.use()

    def use_again(self) -> None:
        """Draw into the plain picture with its depth."""
        assert self._plain
        self._plain.use()

    def read(self, target: moderngl.Framebuffer, out: Float32[np.ndarray, "h w 4"]) -> None:
        """Copy what was drawn, first row first."""
        assert self._plain
        if target is not self._plain:
            self._context.copy_framebuffer(self._plain, target)
        self._plain.read_into(out.reshape(-1), components=4, dtype="f4")

    def depth(self) -> Float32[np.ndarray, "h w"]:
        """Of the plain picture: 0 at the near plane, 1 at the far one."""
        width_px, height_px = self._size
        stored = np.frombuffer(self.depth_texture.read(alignment=1), np.float32)
        return stored.reshape(height_px, width_px)

    def _release(self) -> None:
        for each in (self._plain, self._smooth):
            if each is not None:
                for part in (*each.color_attachments, each.depth_attachment):
                    part.release()
                each.release()
        if self._colour_only is not None:
            self._colour_only.release()
        self._plain = self._depth = self._smooth = self._colour_only = None
