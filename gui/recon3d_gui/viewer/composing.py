"""From what the window wishes to see to a shot: parts, lines, the photo behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from recon3d.core.scene import PosedPhotos, View
from recon3d.core.transform import Similarity, fit_similarity
from recon3d_gui.viewer.cameras import Bounds
from recon3d_gui.viewer.content import Content
from recon3d_gui.viewer.drawing import Backdrop, Model, Part, Shot, Stroke
from recon3d_gui.viewer.geometry import (
    Lines,
    box_lines,
    frusta,
    frustum_depth,
    ground_grid,
    picture_corners,
)
from recon3d_gui.viewer.protocol import Look, Palette, Side, Style

_MOST_PHOTO_PX = 2048
_POINT_PX = 2.0
_HIDDEN_BOX = 0.22
_SUGGESTED = 1.8
"""How much larger than a photo's a suggested camera is drawn."""


@dataclass(frozen=True, eq=False)
class ModelFrame:
    """What a model's frame tells of how it is looked at; made once for a model."""

    views: tuple[View, ...]
    """In the model frame."""
    bounds: Bounds
    whole: Bounds
    """Around everything, floaters and cameras included."""
    frustum_depth: float
    by_id: Mapping[str, View]
    suggested: tuple[View, ...] = ()
    """Where the next photos would help, in the model frame."""

    @staticmethod
    def of(content: Content) -> ModelFrame:
        """Of what is there so far."""
        moved = content.model_from_world
        views, suggested = (
            tuple(
                View(view.photo_id, view.camera, moved.move_camera(view.cam_from_world))
                for view in each
            )
            for each in (content.views, content.suggested)
        )
        bounds = content.bounds
        clouds = [
            cloud.points for cloud in (content.sparse, content.shown_cloud) if cloud is not None
        ]
        if content.surface is not None:
            clouds.append(content.surface.vertices)
        reach = [np.array([bounds.low, bounds.high])]
        reach += [np.array([view.centre_world for view in views]).reshape(-1, 3)]
        reach += [moved @ _extremes(points) for points in clouds if len(points)]
        every = np.concatenate(reach)
        low, high = every.min(0), every.max(0)
        return ModelFrame(
            views,
            bounds,
            Bounds((low[0], low[1], low[2]), (high[0], high[1], high[2])),
            frustum_depth(views, bounds),
            {view.photo_id: view for view in views},
            suggested,
        )


class Composer:
    """Keeps lines until what they are made of changes, so that they stay on the card."""

    def __init__(self) -> None:
        self.models: Mapping[Side, Model] = {}
        self.model_frame = ModelFrame.of(Content())
        self._grid: tuple[object, Stroke] | None = None
        self._cameras: tuple[object, Stroke] | None = None
        self._photo: tuple[object, UInt8[np.ndarray, "h w 3"]] | None = None

    def use(self, models: Mapping[Side, Model]) -> None:
        """Show these from now on."""
        main = models.get("a")
        self.models = dict(models)
        self.model_frame = ModelFrame.of(main.content if main else Content())

    def shot(self, look: Look, style: Style) -> Shot:
        """The finest picture of side a, or of both; without models of nothing."""
        main, model_frame = self.models.get("a"), self.model_frame
        up = (0.0, 0.0, 1.0)
        if main is not None:
            x, y, z = main.content.upright_from_model[2].tolist()
            up = (x, y, z)
        return Shot(
            look.camera,
            look.cam_from_model,
            near_far(look, model_frame),
            _parts(style, self.models),
            mode=style.mode,
            wireframe=style.wireframe,
            up_model=up,
            point_px=_POINT_PX * style.pixel_scale,
            strokes=self._strokes(style, main, model_frame),
            backdrop=self._backdrop(look, style, main, model_frame),
            palette=style.palette,
            focus_distance=look.focus_distance,
        )

    def _strokes(
        self, style: Style, model: Model | None, model_frame: ModelFrame
    ) -> tuple[Stroke, ...]:
        strokes, scale = [], style.pixel_scale
        if style.grid and model is not None:
            key = (model_frame, style.palette, scale)
            if self._grid is None or self._grid[0] != key:
                self._grid = (key, Stroke(_grid(model, model_frame, style.palette), scale))
            strokes.append(self._grid[1])
        if style.cameras and model_frame.views:
            wanted = (model_frame, style.palette, scale, style.selected, style.hovered)
            if self._cameras is None or self._cameras[0] != wanted:
                self._cameras = (wanted, Stroke(_cameras(style, model_frame), 1.2 * scale))
            strokes.append(self._cameras[1])
        if style.crop is not None:
            box = box_lines(style.crop, style.palette.accent)
            strokes.append(Stroke(box, 1.6 * scale, _HIDDEN_BOX))
        return tuple(strokes)

    def _backdrop(
        self, look: Look, style: Style, model: Model | None, model_frame: ModelFrame
    ) -> Backdrop | None:
        view = model_frame.by_id.get(style.selected or "")
        if style.backdrop <= 0 or view is None or model is None or model.content.posed is None:
            return None
        key = (model.content.posed, view.photo_id)
        if self._photo is None or self._photo[0] != key:
            self._photo = (key, _photo(model.content.posed, view.photo_id))
        eye = look.cam_from_model.inverse().translation
        away = float(np.linalg.norm(eye - view.centre_world))
        is_over = away < 0.2 * model_frame.frustum_depth
        # From its own camera the picture covers the same pixels at any distance.
        depth = 2 * near_far(look, model_frame)[0] if is_over else model_frame.frustum_depth
        corners = picture_corners(view, depth)[[0, 1, 3, 2]]
        return Backdrop(view.photo_id, self._photo[1], corners, style.backdrop, is_over)


def near_far(look: Look, model_frame: ModelFrame) -> tuple[float, float]:
    """Planes that hold everything, near enough to each other for 24 bits of depth."""
    middle_z = float((look.cam_from_model @ model_frame.whole.middle)[2])
    # The grid reaches further than the model.
    reach = max(model_frame.whole.radius, 4 * model_frame.bounds.radius, 1e-9)
    far = max(middle_z + reach, 1.5 * look.focus_distance) * 1.05
    return max(middle_z - reach, 0.004 * look.focus_distance, 1e-6 * far), far


def alignment(main: Content, other: Content) -> Similarity:
    """From the other's world into the main one's model frame, so that both lie on each other.

    The same cameras say how, or cameras of the same photos; else each lies in its own frame.
    """
    if main.scene_key and main.scene_key == other.scene_key:
        return main.model_from_world
    theirs = {view.photo_id: view.centre_world for view in other.views}
    shared = [(theirs[v.photo_id], v.centre_world) for v in main.views if v.photo_id in theirs]
    try:
        there, here = (np.array(each) for each in zip(*shared, strict=True))
        return main.model_from_world @ fit_similarity(there, here)
    except ValueError:
        return other.model_from_world


def _parts(style: Style, models: Mapping[Side, Model]) -> tuple[Part, ...]:
    main, other = models.get("a"), models.get("b")
    if main is None:
        return ()
    if other is None or style.split is None:
        return (Part(main, main.content.model_from_world),)
    moved = alignment(main.content, other.content)
    return (
        Part(main, main.content.model_from_world, 0.0, style.split),
        Part(other, moved, style.split, 1.0),
    )


def _grid(model: Model, model_frame: ModelFrame, palette: Palette) -> Lines:
    content = model.content
    return ground_grid(model_frame.bounds, content.upright_from_model, content.ground, palette.line)


def _cameras(style: Style, model_frame: ModelFrame) -> Lines:
    marked = {photo_id for photo_id in (style.selected, style.hovered) if photo_id}
    others = [view for view in model_frame.views if view.photo_id not in marked]
    lines = frusta(others, model_frame.frustum_depth, style.palette.line)
    for photo_id in marked:
        if photo_id in model_frame.by_id:
            view = [model_frame.by_id[photo_id]]
            lines += frusta(view, model_frame.frustum_depth, style.palette.accent, 1.0)
    if model_frame.suggested:
        depth = _SUGGESTED * model_frame.frustum_depth
        lines += frusta(model_frame.suggested, depth, style.palette.accent, 1.0)
    return lines


def _photo(posed: PosedPhotos, photo_id: str) -> UInt8[np.ndarray, "h w 3"]:
    import cv2

    rgb = posed.rgb[photo_id]
    factor = _MOST_PHOTO_PX / max(rgb.shape[:2])
    if factor >= 1:
        return np.ascontiguousarray(rgb)
    return np.asarray(cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def _extremes(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "8 3"]:
    finite = points if np.isfinite(points.sum()) else points[np.isfinite(points).all(1)]
    if not len(finite):
        return np.zeros((0, 3))
    ends = np.stack([finite.min(0), finite.max(0)]).astype(np.float64)
    return np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(-1, 3)
