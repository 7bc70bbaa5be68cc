"""Which photos show a point of the model, and at which of their pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import project
from recon3d.core.errors import InputError
from recon3d.core.scene import View
from recon3d.georef.known_scale import PhotoPixel
from recon3d_gui.viewer.cameras import Point
from recon3d_gui.viewer.content import Content
from recon3d_gui.viewer.drawing import Part, Renderer, Shot

_MOST_LOOKED_AT = 10
_SAME_SURFACE = 0.02
_WIDE_DEG = 25.0
"""Two directions further apart than this fix a point no better."""
_MARGIN = 0.02


def photos_of(
    point_model: Point, content: Content, shot: Shot, renderer: Renderer
) -> tuple[PhotoPixel, ...]:
    """Up to two of the user's photos that see the point and together fix it in space.

    shot: any of the model; only what it shows counts.
    """
    # OpenCV, for lenses; only now.
    from recon3d.georef.back_projection import photo_pixel

    if content.posed is None or content.image_set is None:
        return ()
    scene = content.posed.scene
    world_from_model = content.model_from_world.inverse()
    point = world_from_model @ np.array(point_model)
    seen = [
        (view, uv_px)
        for view, uv_px in _candidates(point, scene.views)
        if _is_visible(view, uv_px, point, content, shot, renderer)
    ]
    pixels = []
    for view, uv_px in _pair(point, seen):
        try:
            pixels.append(photo_pixel(scene, content.image_set, view, uv_px))
        except InputError:
            continue
    return tuple(pixels)


def _candidates(
    point: Float[np.ndarray, "3"], views: Sequence[View]
) -> list[tuple[View, Float[np.ndarray, "2"]]]:
    """Views whose picture holds the point, finest first."""
    found = []
    for view in views:
        uv_px, z = project(view.cam_from_world @ point, view.camera)
        size = np.array([view.camera.width_px, view.camera.height_px])
        if z > 0 and ((uv_px > _MARGIN * size) & (uv_px < (1 - _MARGIN) * size)).all():
            found.append((float(z) / view.camera.fx_px, view, uv_px))
    found.sort(key=lambda each: each[0])
    return [(view, uv_px) for _, view, uv_px in found[:_MOST_LOOKED_AT]]


def _is_visible(
    view: View,
    uv_px: Float[np.ndarray, "2"],
    point: Float[np.ndarray, "3"],
    content: Content,
    shot: Shot,
    renderer: Renderer,
) -> bool:
    own = content.model_from_world
    part = next((part for part in shot.parts if part.model.content is content), None)
    if part is None:
        return False
    look = own.move_camera(view.cam_from_world)
    z = float((look @ (own @ point))[2])
    from_there = Shot(
        view.camera, look, (0.01 * z, 2 * z), (Part(part.model, own),), mode=shot.mode
    )
    met = renderer.depth(from_there, (float(uv_px[0]), float(uv_px[1])))
    return met is not None and abs(met - z) < _SAME_SURFACE * z


def _pair(
    point: Float[np.ndarray, "3"], seen: Sequence[tuple[View, Float[np.ndarray, "2"]]]
) -> Sequence[tuple[View, Float[np.ndarray, "2"]]]:
    """The finest view, and the one beside it whose direction differs enough."""
    if len(seen) < 2:
        return seen
    rays = np.stack([view.centre_world - point for view, _ in seen])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    apart_deg = np.degrees(np.arccos(np.clip(rays[1:] @ rays[0], -1, 1)))
    return [seen[0], seen[1 + int(np.argmax(np.minimum(apart_deg, _WIDE_DEG)))]]
