"""Draws shots with OpenGL 3.3 into memory."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from jaxtyping import Float, Float32

from recon3d.core.transform import Similarity
from recon3d_gui.viewer import shaders
from recon3d_gui.viewer.content import Surface
from recon3d_gui.viewer.drawing import Backdrop, Interrupted, Model, Part, Shot
from recon3d_gui.viewer.geometry import one_pixel
from recon3d_gui.viewer.gl_buffers import (
    LineBuffers,
    PointBuffers,
    Programs,
    SkinBuffers,
    SurfaceBuffers,
    make_texture,
)
from recon3d_gui.viewer.gl_context import is_software, make_context
from recon3d_gui.viewer.gl_targets import Targets
from recon3d_gui.viewer.lens import clip_from_cam

if TYPE_CHECKING:
    import moderngl

    Buffers = SurfaceBuffers | SkinBuffers | PointBuffers | LineBuffers

B = TypeVar("B", bound="Buffers")

_MODES = {"colour": 0, "clay": 1, "normals": 2, "confidence": 3}
_TEXTURE = 4
_ENOUGH_PHOTOS = 6.0
_POINT_REACH = 0.0022
"""Width of a cloud's points as a share of the model's radius."""
_MOVING_POINTS = 400_000
_PICK_PX = 7
_WIRE_OPACITY = 0.6


class GlRenderer:
    """Holds buffers by what they were made from; of the process' main thread."""

    def __init__(self) -> None:
        """Make a context.

        Raises:
            NoGraphicsError: there is no OpenGL 3.3 here.
        """
        self._context = context = make_context()
        self.name = str(context.info["GL_RENDERER"])
        self.is_software = is_software(self.name)

        def program(vertex: str, fragment: str) -> moderngl.Program:
            return context.program(vertex_shader=vertex, fragment_shader=fragment)

        self._programs = Programs(
            program(shaders.MESH_VERTEX, shaders.MESH_FRAGMENT),
            program(shaders.POINT_VERTEX, shaders.POINT_FRAGMENT),
            program(shaders.LINE_VERTEX, shaders.LINE_FRAGMENT),
            program(shaders.WIRE_VERTEX, shaders.WIRE_FRAGMENT),
        )
        screen = {
            "background": program(shaders.SCREEN_VERTEX, shaders.BACKGROUND_FRAGMENT),
            "edge": program(shaders.SCREEN_VERTEX, shaders.EDGE_FRAGMENT),
            "photo": program(shaders.PHOTO_VERTEX, shaders.PHOTO_FRAGMENT),
        }
        self._screen = {name: context.vertex_array(each, []) for name, each in screen.items()}
        self._targets = Targets(context)
        self._buffers: dict[int, tuple[object, Buffers]] = {}
        self._photo: tuple[str, moderngl.Texture] | None = None
        # The picture stays opaque where something half transparent is drawn over it.
        blending: Any = (
            context.SRC_ALPHA, context.ONE_MINUS_SRC_ALPHA, context.ONE, context.ONE_MINUS_SRC_ALPHA
        )  # fmt: skip
        context.blend_func = blending

    def hold(self, models: Collection[Model]) -> None:
        """Keep what these models need, and let go of all others, and of all lines."""
        wanted = {
            id(each)
            for model in models
            for each in (*model.levels, model.skin, model.content.shown_cloud, model.content.sparse)
        }
        for key in [*self._buffers]:
            if key not in wanted:
                self._buffers.pop(key)[1].release()

    def draw(self, shot: Shot, out: Float32[np.ndarray, "h w 4"], interrupted: Interrupted) -> bool:
        """Fill the picture, rows from the top; False: interrupted, and `out` was not touched."""
        size = (shot.camera.width_px, shot.camera.height_px)
        is_smooth = shot.is_smooth and not self._shows_points(shot)
        target = self._targets.use(size, samples=4 if is_smooth else 0)
        self._begin(shot)
        for part in shot.parts:
            if not self._draw_part(part, shot, size, interrupted):
                return False
        self._context.scissor = None
        self._draw_lines(shot, size)
        if shot.backdrop and shot.backdrop.opacity > 0:
            self._draw_backdrop(shot, shot.backdrop)
        self._targets.read(target, out)
        return True

    def depth(self, shot: Shot, uv_px: tuple[float, float]) -> float | None:
        """Distance along the optical axis to what the models show at a point; None: nothing."""
        share = uv_px[0] / shot.camera.width_px
        part = next((part for part in shot.parts if part.left <= share <= part.right), None)
        if part is None:
            return None
        points = part.model.layer(shot.mode) != "mesh"
        # Between points there are gaps; beside the edge of a mesh is beside it.
        reach = _PICK_PX if points else 1
        camera = one_pixel(shot.camera, uv_px)
        camera = type(camera)(
            reach, reach, camera.fx_px, camera.fy_px,
            camera.cx_px + reach // 2, camera.cy_px + reach // 2,
        )  # fmt: skip
        self._targets.use((reach, reach), samples=0)
        self._context.clear()
        self._context.enable(self._context.DEPTH_TEST)
        clip = clip_from_cam(camera, *shot.near_far)
        self._draw_model(part, shot, clip, 0, lambda: False, pixel_of=shot.camera.fx_px)
        stored = self._targets.depth()
        if not (stored < 1).any():
            return None
        away = np.abs(np.arange(reach) - reach // 2)
        rank = np.where(stored < 1, away[:, None] + away[None] + stored, np.inf)
        z = 2 * float(stored.flat[int(rank.argmin())]) - 1
        near, far = shot.near_far
        return 2 * near * far / (far + near - z * (far - near))

    def close(self) -> None:
        """Let go of everything."""
        self._context.release()

    def _begin(self, shot: Shot) -> None:
        context = self._context
        context.scissor = None
        context.disable(context.BLEND | context.DEPTH_TEST)
        context.clear()
        if not shot.is_transparent:
            array = self._screen["background"]
            array.program["top"] = shot.palette.top
            array.program["bottom"] = shot.palette.bottom
            array.render(context.TRIANGLES, vertices=3)
        context.enable(context.DEPTH_TEST)

    def _draw_part(
        self, part: Part, shot: Shot, size: tuple[int, int], interrupted: Interrupted
    ) -> bool:
        width_px, height_px = size
        left, right = round(part.left * width_px), round(part.right * width_px)
        if right <= left:
            return True
        self._context.scissor = (left, 0, right - left, height_px)
        clip = clip_from_cam(shot.camera, *shot.near_far)
        if not self._draw_model(part, shot, clip, shot.level, interrupted):
            return False
        layer = part.model.layer(shot.mode)
        if layer != "mesh":
            self._darken_edges(shot, size)
        elif shot.wireframe:
            self._context.enable(self._context.BLEND)
            wire = self._programs.wire
            _write(wire, "clip_from_world", clip @ _matrix(shot, part))
            buffers = self._surface(part.model.levels[min(shot.level, len(part.model.levels) - 1)])
            # Edges that are closer than pixels would paint the model black.
            edge_px = buffers.edge * part.shown_from_world.scale * shot.pixels_per_unit
            wire["ink"] = shot.palette.edge
            wire["opacity"] = min(_WIRE_OPACITY, max(0.05, _WIRE_OPACITY * edge_px / 12))
            drawn = buffers.draw_wire(self._context, interrupted)
            self._context.disable(self._context.BLEND)
            return drawn
        return True

    def _draw_model(
        self,
        part: Part,
        shot: Shot,
        clip: Float[np.ndarray, "4 4"],
        level: int,
        interrupted: Interrupted,
        pixel_of: float | None = None,
    ) -> bool:
        """pixel_of: the focal length in pixels, where the shot's camera is not the one used."""
        model, cam_from_world = part.model, _matrix(shot, part)
        layer = model.layer(shot.mode)
        if layer == "mesh":
            program = self._programs.mesh
            scale = part.shown_from_world.scale
            _write(program, "cam_from_world", cam_from_world)
            _write(program, "cam_rotation", cam_from_world[:3, :3] / scale)
            _write(program, "model_rotation", part.shown_from_world.rotation)
            up = shot.cam_from_model.rotation @ np.array(shot.up_model)
            program["up_cam"] = tuple(up.tolist())
            program["enough"] = _ENOUGH_PHOTOS
        else:
            program = self._programs.point
            _write(program, "model_rotation", part.shown_from_world.rotation)
        _write(program, "clip_from_world", clip @ cam_from_world)
        mode = _MODES.get(shot.mode, 0)
        if layer == "mesh":
            if mode == 0 and level == 0 and model.skin is not None:
                skin = model.skin
                program["mode"] = _TEXTURE
                buffers = self._held(skin, lambda: SkinBuffers(self._context, self._programs, skin))
                return buffers.draw(self._context, interrupted)
            program["mode"] = mode
            surface = model.levels[min(level, len(model.levels) - 1)]
            return self._surface(surface).draw(self._context, interrupted)
        cloud = model.cloud(layer)
        if cloud is None or not len(cloud.points):
            return True
        program["mode"] = mode if layer == "cloud" else 0
        program["least_px"] = shot.point_px
        width = _POINT_REACH * model.content.bounds.radius if layer == "cloud" else 0.0
        program["reach_px"] = width * (pixel_of or shot.camera.fx_px)
        self._context.enable(self._context.PROGRAM_POINT_SIZE)
        points = self._held(cloud, lambda: PointBuffers(self._context, self._programs, cloud))
        is_quick = level > 0
        points.draw(min(1.0, _MOVING_POINTS / len(cloud.points)) if is_quick else 1.0)
        return True

    def _shows_points(self, shot: Shot) -> bool:
        return any(part.model.layer(shot.mode) != "mesh" for part in shot.parts)

    def _darken_edges(self, shot: Shot, size: tuple[int, int]) -> None:
        """Depth of a cloud without normals to light it by."""
        context, array = self._context, self._screen["edge"]
        # The depth that is read must not be bound for writing.
        self._targets.use_colour_only()
        self._targets.depth_texture.use(0)
        array.program["near_far"] = shot.near_far
        array.program["step_uv"] = (1.4 / size[0], 1.4 / size[1])
        array.program["strength"] = 6.0
        context.disable(context.DEPTH_TEST)
        context.enable(context.BLEND)
        array.render(context.TRIANGLES, vertices=3)
        context.disable(context.BLEND)
        context.enable(context.DEPTH_TEST)
        self._targets.use_again()

    def _draw_lines(self, shot: Shot, size: tuple[int, int]) -> None:
        context, program = self._context, self._programs.line
        context.enable(context.BLEND)
        clip = clip_from_cam(shot.camera, *shot.near_far) @ shot.cam_from_model.matrix()
        _write(program, "clip_from_model", clip)
        program["size_px"] = size
        for stroke in shot.strokes:
            if not len(stroke.lines.ends):
                continue
            lines = stroke.lines
            buffers = self._held(lines, partial(LineBuffers, context, self._programs, lines))
            program["width_px"] = stroke.width_px
            context.fbo.depth_mask = False
            if stroke.hidden > 0:
                program["opacity"] = stroke.hidden
                context.depth_func = ">"
                buffers.draw()
                context.depth_func = "<"
            program["opacity"] = 1.0
            buffers.draw()
            context.fbo.depth_mask = True
        context.disable(context.BLEND)

    def _draw_backdrop(self, shot: Shot, backdrop: Backdrop) -> None:
        context = self._context
        if self._photo is None or self._photo[0] != backdrop.photo_id:
            if self._photo:
                self._photo[1].release()
            self._photo = (backdrop.photo_id, make_texture(context, backdrop.rgb))
        self._photo[1].use(0)
        array = self._screen["photo"]
        clip = clip_from_cam(shot.camera, *shot.near_far) @ shot.cam_from_model.matrix()
        _write(array.program, "clip_from_model", clip)
        array.program["corners"] = [tuple(corner) for corner in backdrop.corners.tolist()]
        array.program["opacity"] = backdrop.opacity
        context.enable(context.BLEND)
        if backdrop.is_over:
            context.disable(context.DEPTH_TEST)
        array.render(context.TRIANGLE_STRIP, vertices=4)
        context.enable(context.DEPTH_TEST)
        context.disable(context.BLEND)

    def _surface(self, surface: Surface) -> SurfaceBuffers:
        return self._held(surface, partial(SurfaceBuffers, self._context, self._programs, surface))

    def _held(self, source: object, make: Callable[[], B]) -> B:
        """The buffers made from an object, which is kept so that its id stays its own."""
        if id(source) not in self._buffers:
            self._buffers[id(source)] = (source, make())
        return cast("B", self._buffers[id(source)][1])


def _matrix(shot: Shot, part: Part) -> Float[np.ndarray, "4 4"]:
    """cam_from_world with the scale of the model frame."""
    return shot.cam_from_model.matrix() @ _homogeneous(part.shown_from_world)


def _homogeneous(moved: Similarity) -> Float[np.ndarray, "4 4"]:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = moved.scale * moved.rotation, moved.translation
    return matrix


def _write(program: moderngl.Program, name: str, matrix: np.ndarray) -> None:
    # OpenGL keeps matrices by columns.
    program[name] = tuple(matrix.T.reshape(-1).tolist())
