"""What of a model lies inside a box: a crop is seen at once, before it is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from recon3d.core.surface import PointCloud
from recon3d_gui.viewer.content import Content, Surface
from recon3d_gui.viewer.drawing import Model, Skin
from recon3d_gui.viewer.protocol import Box

Inside = Callable[[Float[np.ndarray, "n 3"]], Bool[np.ndarray, "n"]]


def clipped(model: Model, box: Box) -> Model:
    """The faces and points of a model whose middle is in a box of its model frame."""
    low, high = np.array(box[0]), np.array(box[1])
    target = model.content.model_from_world

    def is_inside(points_world: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        points = target @ points_world
        return np.asarray(((points >= low) & (points <= high)).all(1))

    parts = (_surface(level, is_inside) for level in model.levels)
    levels = tuple(part for part in parts if len(part.faces))  # cards take no empty ones
    skin = _skin(model.skin, is_inside) if model.skin and levels else None
    return Model(_content(model.content, levels, is_inside), levels, skin)


def _content(content: Content, levels: tuple[Surface, ...], is_inside: Inside) -> Content:
    return replace(
        content,
        surface=levels[0] if levels else None,
        cloud=_cloud(content.cloud, is_inside),
        growing=_cloud(content.growing, is_inside),
        sparse=_cloud(content.sparse, is_inside),
    )


def _surface(surface: Surface, is_inside: Inside) -> Surface:
    middles = surface.vertices[surface.faces].mean(1)
    return replace(surface, faces=surface.faces[is_inside(middles)])


def _cloud(cloud: PointCloud | None, is_inside: Inside) -> PointCloud | None:
    if cloud is None:
        return None
    kept = is_inside(cloud.points)
    return PointCloud(cloud.points[kept], cloud.rgb[kept], cloud.normals[kept])


def _skin(skin: Skin, is_inside: Inside) -> Skin:
    kept = is_inside(skin.corners.reshape(-1, 3, 3).mean(1))
    corner = np.repeat(kept, 3)
    before = np.concatenate([[0], np.cumsum(corner)])
    return Skin(
        skin.corners[corner], skin.normals[corner], skin.uv[corner],
        before[skin.page_ends].astype(np.int32), skin.pages,
    )  # fmt: skip
