"""Models in the memory of the graphics card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from recon3d.core.surface import PointCloud
from recon3d_gui.viewer.content import Surface
from recon3d_gui.viewer.drawing import Interrupted, Skin
from recon3d_gui.viewer.geometry import Lines

if TYPE_CHECKING:
    import moderngl

_CHUNK = 400_000
"""Faces between two looks at whether someone waits."""


class _Releasable(Protocol):
    def release(self) -> None: ...


@dataclass(frozen=True)
class Programs:
    """The shaders that buffers are bound to."""

    mesh: moderngl.Program
    point: moderngl.Program
    line: moderngl.Program
    wire: moderngl.Program


class SurfaceBuffers:
    """A mesh with colours at its vertices."""

    def __init__(self, context: moderngl.Context, programs: Programs, surface: Surface) -> None:
        self.count = len(surface.faces)
        sample = surface.vertices[surface.faces[:: max(1, self.count // 2000), :2]]
        edges = np.linalg.norm(sample[:, 0] - sample[:, 1], axis=1)
        self.edge = float(np.median(edges)) if self.count else 0.0
        """A typical one's length in the world."""
        self._buffers = [
            context.buffer(np.ascontiguousarray(surface.vertices, np.float32)),
            context.buffer(_packed(surface.normals)),
            context.buffer(np.ascontiguousarray(surface.rgba)),
            context.buffer(np.ascontiguousarray(surface.faces, np.int32)),
        ]
        position, normal, colour, index = self._buffers
        self._shaded = context.vertex_array(
            programs.mesh,
            [(position, "3f", "position"), (normal, "3f1 x", "normal"), (colour, "4f1", "colour")],
            index,
        )
        self._wire = context.vertex_array(programs.wire, [(position, "3f", "position")], index)

    def draw(self, context: moderngl.Context, interrupted: Interrupted) -> bool:
        """False: interrupted."""
        return _in_chunks(context, self._shaded, 0, 3 * self.count, interrupted)

    def draw_wire(self, context: moderngl.Context, interrupted: Interrupted) -> bool:
        """The edges alone; False: interrupted."""
        context.wireframe = True
        try:
            return _in_chunks(context, self._wire, 0, 3 * self.count, interrupted)
        finally:
            context.wireframe = False

    def release(self) -> None:
        """Free the memory."""
        _release(self._shaded, self._wire, *self._buffers)


class SkinBuffers:
    """A mesh with pages of texture."""

    def __init__(self, context: moderngl.Context, programs: Programs, skin: Skin) -> None:
        self._buffers = [
            context.buffer(np.ascontiguousarray(skin.corners)),
            context.buffer(_packed(skin.normals)),
            context.buffer(np.ascontiguousarray(skin.uv)),
        ]
        position, normal, uv = self._buffers
        self._shaded = context.vertex_array(
            programs.mesh,
            [(position, "3f", "position"), (normal, "3f1 x", "normal"), (uv, "2f", "uv")],
        )
        self._ends = skin.page_ends.tolist()
        self._pages = [make_texture(context, page) for page in skin.pages]

    def draw(self, context: moderngl.Context, interrupted: Interrupted) -> bool:
        """False: interrupted."""
        for page, start, end in self._ranges():
            page.use(0)
            if not _in_chunks(context, self._shaded, start, end, interrupted):
                return False
        return True

    def _ranges(self) -> Iterator[tuple[moderngl.Texture, int, int]]:
        start = 0
        for page, end in zip(self._pages, self._ends, strict=True):
            if end > start:
                yield page, start, end
            start = end

    def release(self) -> None:
        """Free the memory."""
        _release(self._shaded, *self._buffers, *self._pages)


class PointBuffers:
    """A cloud."""

    def __init__(self, context: moderngl.Context, programs: Programs, cloud: PointCloud) -> None:
        self._count = len(cloud.points)
        # In no order, so that the first ones of them are a fair choice of all.
        order = np.random.default_rng(0).permutation(self._count)
        rgba = np.full((self._count, 4), 255, np.uint8)
        rgba[:, :3] = cloud.rgb[order]
        self._buffers = [
            context.buffer(np.ascontiguousarray(cloud.points[order], np.float32)),
            context.buffer(_packed(cloud.normals[order])),
            context.buffer(rgba),
        ]
        position, normal, colour = self._buffers
        self._array = context.vertex_array(
            programs.point,
            [(position, "3f", "position"), (normal, "3f1 x", "normal"), (colour, "4f1", "colour")],
        )

    def draw(self, share: float) -> None:
        """A share of the points, 0 to 1."""
        import moderngl

        self._array.render(moderngl.POINTS, vertices=max(1, int(self._count * share)))

    def release(self) -> None:
        """Free the memory."""
        _release(self._array, *self._buffers)


class LineBuffers:
    """Segments, each drawn as a rectangle, because wide lines are not in OpenGL 3.3's core."""

    def __init__(self, context: moderngl.Context, programs: Programs, lines: Lines) -> None:
        rows = np.concatenate(
            [lines.ends.reshape(len(lines.ends), 6), lines.rgba.reshape(len(lines.ends), 8)], axis=1
        )
        self._count = len(rows)
        self._buffer = context.buffer(np.ascontiguousarray(rows, np.float32))
        names = ("start", "end", "colour_start", "colour_end")
        self._array = context.vertex_array(
            programs.line, [(self._buffer, "3f 3f 4f 4f /i", *names)]
        )

    def draw(self) -> None:
        """All of them."""
        import moderngl

        self._array.render(moderngl.TRIANGLE_STRIP, vertices=4, instances=self._count)

    def release(self) -> None:
        """Free the memory."""
        self._array.release()
        self._buffer.release()


def _release(*parts: _Releasable) -> None:
    for part in parts:
        part.release()


def make_texture(context: moderngl.Context, page: np.ndarray) -> moderngl.Texture:
    """Smooth from near and far; sRGB, the first row is v = 0."""
    import moderngl

    height_px, width_px, _ = page.shape
    texture = context.texture((width_px, height_px), 3, np.ascontiguousarray(page), alignment=1)
    texture.build_mipmaps()
    texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
    texture.repeat_x = texture.repeat_y = False
    return texture


def _in_chunks(
    context: moderngl.Context,
    array: moderngl.VertexArray,
    start: int,
    end: int,
    interrupted: Interrupted,
) -> bool:
    import moderngl

    for first in range(start, end, 3 * _CHUNK):
        if first > start:
            context.finish()
            if interrupted():
                return False
        count = min(3 * _CHUNK, end - first)
        array.render(moderngl.TRIANGLES, vertices=count, first=first)
    return True


def _packed(normals: np.ndarray) -> np.ndarray:
    """Four bytes each, of which the last is not used."""
    packed = np.zeros((len(normals), 4), np.uint8)
    packed[:, :3] = np.clip(np.nan_to_num(normals) * 127.5 + 128, 0, 255)
    return packed
