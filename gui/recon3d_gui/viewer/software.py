"""Draws shots by casting rays on the processor, coarsely, where there is no OpenGL."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from recon3d.core.camera import PinholeCamera, pixel_rays, project
from recon3d.core.surface import PointCloud
from recon3d.surface.colour import TextureColour, interpolated
from recon3d_gui.viewer.content import Surface
from recon3d_gui.viewer.drawing import Interrupted, Model, Part, Shot
from recon3d_gui.viewer.geometry import one_pixel
from recon3d_gui.viewer.lens import clip_from_cam

_DIVISOR, _MOVING_DIVISOR = 2, 4
_MOST_POINTS = 300_000
_CLAY = np.array([0.80, 0.785, 0.76], np.float32)
_BACK = np.array([0.36, 0.42, 0.54], np.float32)
_SURENESS = np.array([[0.78, 0.22, 0.25], [0.95, 0.77, 0.36], [0.20, 0.62, 0.56]], np.float32)
_ENOUGH_PHOTOS = 6.0


class SoftwareRenderer:
    """The same pictures as the graphics card's, at a quarter or half of their width."""

    name = "no OpenGL; drawn by ray casting"
    is_software = True

    def __init__(self) -> None:
        import open3d as o3d

        self._o3d: Any = o3d
        self._scenes: dict[int, tuple[Surface, Any]] = {}

    def hold(self, models: Collection[Model]) -> None:
        """Keep what these models need, and let go of all others."""
        wanted = {id(surface) for model in models for surface in model.levels}
        self._scenes = {key: found for key, found in self._scenes.items() if key in wanted}

    def draw(self, shot: Shot, out: Float32[np.ndarray, "h w 4"], interrupted: Interrupted) -> bool:
        """Fill the picture, rows from the top; False: interrupted, and `out` was not touched."""
        import cv2

        height_px, width_px = out.shape[:2]
        divisor = _MOVING_DIVISOR if shot.level > 0 else _DIVISOR
        small = shot.camera.resized(max(1, width_px // divisor), max(1, height_px // divisor))
        coarse = replace(shot, camera=small)
        picture, depth_z = _background(coarse)
        for part in shot.parts:
            if interrupted():
                return False
            self._draw_part(part, coarse, picture, depth_z)
        _draw_lines(coarse, picture, depth_z)
        _draw_backdrop(coarse, picture)
        out[:] = cv2.resize(picture, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
        return True

    def depth(self, shot: Shot, uv_px: tuple[float, float]) -> float | None:
        """Distance along the optical axis to what the models show at a point; None: nothing."""
        share = uv_px[0] / shot.camera.width_px
        part = next((part for part in shot.parts if part.left <= share <= part.right), None)
        if part is None:
            return None
        reach = 1 if part.model.layer(shot.mode) == "mesh" else 7
        camera = one_pixel(shot.camera, uv_px)
        around = replace(
            camera, width_px=reach, height_px=reach,
            cx_px=camera.cx_px + reach // 2, cy_px=camera.cy_px + reach // 2,
        )  # fmt: skip
        depth_z = np.full((reach, reach), np.inf, np.float32)
        whole = replace(part, left=0.0, right=1.0)
        picture = np.zeros((reach, reach, 4), np.float32)
        self._draw_part(whole, replace(shot, camera=around), picture, depth_z)
        nearest = float(depth_z.min())
        return nearest if np.isfinite(nearest) else None

    def close(self) -> None:
        """Let go of everything."""
        self._scenes.clear()

    def _draw_part(self, part: Part, shot: Shot, picture: np.ndarray, depth_z: np.ndarray) -> None:
        width_px = shot.camera.width_px
        columns = slice(round(part.left * width_px), round(part.right * width_px))
        if columns.stop <= columns.start:
            return
        camera = replace(
            shot.camera,
            width_px=columns.stop - columns.start,
            cx_px=shot.camera.cx_px - columns.start,
        )
        layer = part.model.layer(shot.mode)
        if layer == "mesh":
            self._cast(part, shot, camera, picture[:, columns], depth_z[:, columns])
        elif (cloud := part.model.cloud(layer)) is not None:
            _splat(cloud, part, shot, camera, picture[:, columns], depth_z[:, columns])

    def _cast(
        self,
        part: Part,
        shot: Shot,
        camera: PinholeCamera,
        picture: np.ndarray,
        depth_z: np.ndarray,
    ) -> None:
        moved = part.shown_from_world
        surface = part.model.levels[min(shot.level, len(part.model.levels) - 1)]
        world_from_model = moved.inverse()
        rotation = shot.cam_from_model.rotation @ moved.rotation
        centre = world_from_model @ shot.cam_from_model.inverse().translation
        # One unit along the axis is one unit of the model.
        directions = pixel_rays(camera).reshape(-1, 3) @ rotation / moved.scale
        rays = np.hstack([np.broadcast_to(centre, directions.shape), directions])
        answer = self._scene(surface).cast_rays(
            self._o3d.core.Tensor.from_numpy(rays.astype(np.float32))
        )
        distance = answer["t_hit"].numpy().reshape(depth_z.shape)
        hit = distance < depth_z
        depth_z[hit] = distance[hit]
        flat = hit.reshape(-1)
        face = answer["primitive_ids"].numpy()[flat].astype(np.int64)
        uv = answer["primitive_uvs"].numpy()[flat]
        weights = np.column_stack([1 - uv.sum(1), uv]).astype(np.float32)
        towards = directions[flat] / np.linalg.norm(directions[flat], axis=1, keepdims=True)
        is_back = np.einsum("ij,ij->i", answer["primitive_normals"].numpy()[flat], towards) > 0
        normals = interpolated(surface.normals, surface.faces[face], weights)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        facing = np.where(is_back[:, None], -normals, normals)
        light = (
            0.30
            + 0.22 * (0.5 + 0.5 * facing @ moved.rotation.T @ np.array(shot.up_model))
            + 0.52 * np.clip(-np.einsum("ij,ij->i", facing, towards), 0, 1)
        )[:, None]
        corners = surface.faces[face]
        if shot.mode == "normals":
            colour = 0.5 + 0.5 * normals @ moved.rotation.T
        elif shot.mode == "clay":
            colour = _CLAY * light
        elif shot.mode == "confidence":
            counts = interpolated(surface.rgba[:, 3:].astype(np.float32), corners, weights)
            colour = _sureness(counts[:, 0] / _ENOUGH_PHOTOS) * light
        elif shot.level == 0 and part.model.content.textured is not None:
            colour = TextureColour(part.model.content.textured).at(face, weights) / 255
        else:
            colour = interpolated(surface.rgba[:, :3].astype(np.float32), corners, weights) / 255
        back = (is_back & (shot.mode != "normals"))[:, None]
        picture[hit, :3] = np.where(back, 0.35 * colour + 0.65 * _BACK * light, colour)
        picture[hit, 3] = 1

    def _scene(self, surface: Surface) -> Any:
        if id(surface) not in self._scenes:
            scene = self._o3d.t.geometry.RaycastingScene()
            tensor = self._o3d.core.Tensor.from_numpy
            scene.add_triangles(
                tensor(np.ascontiguousarray(surface.vertices)),
                tensor(surface.faces.astype(np.uint32)),
            )
            self._scenes[id(surface)] = (surface, scene)
        return self._scenes[id(surface)][1]


def _background(shot: Shot) -> tuple[np.ndarray, np.ndarray]:
    height_px, width_px = shot.camera.height_px, shot.camera.width_px
    picture = np.zeros((height_px, width_px, 4), np.float32)
    if not shot.is_transparent:
        share = ((np.arange(height_px) + 0.5) / height_px)[:, None, None]
        top, bottom = np.array(shot.palette.top), np.array(shot.palette.bottom)
        picture[..., :3] = (1 - share) * top + share * bottom
        picture[..., 3] = 1
    return picture, np.full((height_px, width_px), np.inf, np.float32)


def _splat(
    cloud: PointCloud,
    part: Part,
    shot: Shot,
    camera: PinholeCamera,
    picture: np.ndarray,
    depth_z: np.ndarray,
) -> None:
    step = -(-len(cloud.points) // _MOST_POINTS) or 1
    points_model = part.shown_from_world @ cloud.points[::step].astype(np.float64)
    uv_px, z = project(shot.cam_from_model @ points_model, camera)
    height_px, width_px = depth_z.shape
    seen = (z > 0) & ((uv_px >= 0) & (uv_px < [width_px, height_px])).all(1)
    # From far to near, so that the nearest one is written last.
    order = np.flatnonzero(seen)[np.argsort(-z[seen], kind="stable")]
    column, row = uv_px[order].astype(np.int64).T
    nearer = z[order] < depth_z[row, column]
    column, row, order = column[nearer], row[nearer], order[nearer]
    depth_z[row, column] = z[order]
    picture[row, column, :3] = cloud.rgb[::step][order] / np.float32(255)
    picture[row, column, 3] = 1


def _draw_lines(shot: Shot, picture: np.ndarray, depth_z: np.ndarray) -> None:
    """A dot a pixel: they are hidden by what lies before them."""
    clip = clip_from_cam(shot.camera, *shot.near_far) @ shot.cam_from_model.matrix()
    height_px, width_px = depth_z.shape
    for stroke in shot.strokes:
        ends = np.concatenate([stroke.lines.ends, np.ones((*stroke.lines.ends.shape[:2], 1))], 2)
        start, end = np.moveaxis(ends @ clip.T, 1, 0)
        near = [start[:, 2] + start[:, 3], end[:, 2] + end[:, 3]]
        kept = (near[0] > 0) | (near[1] > 0)
        start, end, rgba = start[kept], end[kept], stroke.lines.rgba[kept]
        first, last = near[0][kept], near[1][kept]
        enter = np.where(first < 0, first / np.where(first < last, first - last, -1), 0)[:, None]
        leave = np.where(last < 0, first / np.where(last < first, first - last, 1), 1)[:, None]
        start, end = start + enter * (end - start), start + leave * (end - start)
        flat = [each[:, :2] / np.maximum(each[:, 3:], 1e-9) for each in (start, end)]
        length = np.abs(flat[1] - flat[0]).max(1) * max(width_px, height_px) / 2
        for index in np.flatnonzero(length < 8 * width_px):
            share = np.linspace(0, 1, int(length[index]) + 2)[:, None]
            place = start[index] + share * (end[index] - start[index])
            w = np.maximum(place[:, 3], 1e-9)
            column = ((place[:, 0] / w + 1) / 2 * width_px).astype(np.int64)
            row = ((place[:, 1] / w + 1) / 2 * height_px).astype(np.int64)
            inside = (column >= 0) & (column < width_px) & (row >= 0) & (row < height_px)
            column, row, w = column[inside], row[inside], w[inside]
            colour = rgba[index, 0] + share[inside] * (rgba[index, 1] - rgba[index, 0])
            cover = colour[:, 3:] * np.where(w < depth_z[row, column], 1.0, stroke.hidden)[:, None]
            picture[row, column, :3] += cover * (colour[:, :3] - picture[row, column, :3])
            picture[row, column, 3:] = np.maximum(picture[row, column, 3:], cover)


def _draw_backdrop(shot: Shot, picture: np.ndarray) -> None:
    """Only where one looks from its camera."""
    import cv2

    backdrop = shot.backdrop
    if backdrop is None or not backdrop.is_over or backdrop.opacity <= 0:
        return
    corners_px, _ = project(shot.cam_from_model @ backdrop.corners, shot.camera)
    height_px, width_px, _ = backdrop.rgb.shape
    own = np.array([[0, 0], [width_px, 0], [0, height_px], [width_px, height_px]], np.float32)
    # OpenCV puts the first pixel's centre at 0.
    warp = cv2.getPerspectiveTransform(own - 0.5, (corners_px - 0.5).astype(np.float32))
    size = (picture.shape[1], picture.shape[0])
    rgba = np.dstack([backdrop.rgb, np.full((height_px, width_px), 255, np.uint8)])
    shown = cv2.warpPerspective(rgba, warp, size, flags=cv2.INTER_AREA).astype(np.float32) / 255
    cover = shown[..., 3:] * backdrop.opacity
    picture[..., :3] += cover * (shown[..., :3] - picture[..., :3])


def _sureness(share: Float[np.ndarray, "n"]) -> np.ndarray:
    at = np.clip(share, 0, 1)
    return np.column_stack([np.interp(at, [0, 0.5, 1], _SURENESS[:, i]) for i in range(3)])
