"""Where one looks from: what mouse and keys do to it, and how it follows the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import PinholeCamera, project
from recon3d.core.scene import View
from recon3d_gui.viewer.cameras import Bounds, Eye, Flight, Point, Side
from recon3d_gui.viewer.geometry import frustum_depth, picture_corners
from recon3d_gui.viewer.lens import PARALLEL, USUAL
from recon3d_gui.viewer.protocol import Loaded

_DEG_PER_PX = 0.35
_ZOOM_PER_NOTCH = 0.88
_HOVER_PX = 14.0
_SETTLE_S = 0.15
_ALIGNED = 0.9999
"""Cosine of the angle below which one looks along an axis."""


class Navigator:
    """The eye in the model frame of side a; free of any window. Times are seconds of one clock."""

    def __init__(self) -> None:
        self.eye = Eye()
        self.canvas_px = (1, 1)
        self._loaded: Loaded | None = None
        self._flight: Flight | None = None
        self._restored: Mapping[str, object] = {}
        self._has_changed = True
        self._moved_at_s = -1.0
        self._now_s = 0.0
        self._photo: tuple[str, Eye] | None = None

    @property
    def camera(self) -> PinholeCamera:
        """Of the whole canvas."""
        return self.eye.lens.on_canvas(*self.canvas_px)

    @property
    def is_moving(self) -> bool:
        """The look is still changing, so that a quick picture is better than a fine one."""
        return self._flight is not None or self._now_s - self._moved_at_s < _SETTLE_S

    @property
    def photo_id(self) -> str | None:
        """The photo whose camera one looks through, unless one has moved away from it."""
        if self._photo is None or self._flight is not None or self._photo[1] != self.eye:
            return None
        return self._photo[0]

    @property
    def views(self) -> tuple[View, ...]:
        """The cameras in the model frame."""
        return self._loaded.views if self._loaded else ()

    def resize(self, width_px: int, height_px: int) -> None:
        """The canvas has another size."""
        if (width_px, height_px) != self.canvas_px:
            self.canvas_px = (max(1, width_px), max(1, height_px))
            self._has_changed = True

    def orbit(self, right_px: float, down_px: float) -> None:
        """Drag the model around its focus."""
        self._set(self.eye.orbited(-right_px * _DEG_PER_PX, down_px * _DEG_PER_PX))

    def pan(self, right_px: float, down_px: float) -> None:
        """Drag it aside."""
        self._set(self.eye.panned(right_px, down_px, self.camera))

    def zoom(self, notches: float, uv_px: tuple[float, float]) -> None:
        """Turn the wheel (forwards is nearer) with the mouse at a point of the canvas."""
        self._set(self.eye.zoomed(_ZOOM_PER_NOTCH**notches, uv_px, self.camera))

    def turn_head(self, right_px: float, down_px: float) -> None:
        """Look around from where one is."""
        self._set(self.eye.looked(right_px * _DEG_PER_PX / 2, down_px * _DEG_PER_PX / 2))

    def fly(self, step: Float[np.ndarray, "3"], seconds: float) -> None:
        """Go right, down and forward; at speed 1 one crosses the focus' distance in two seconds."""
        self._set(self.eye.flown(np.asarray(step) * self.eye.reach / 2 * seconds))

    def frame_all(self) -> None:
        """See the whole model, from the same direction."""
        self._fly_to(self._aim.framed(self._bounds, self._aspect))

    def frame_photo(self, photo_id: str) -> None:
        """See a camera from a little way off."""
        view = self._view(photo_id)
        if view is not None:
            x, y, z = view.centre_world.tolist()
            near = 8 * frustum_depth(self.views, self._bounds)
            eye = replace(self.eye.through(USUAL), focus=(x, y, z), distance=near)
            self._fly_to(eye.through(self.eye.free_lens))

    def from_side(self, side: Side) -> None:
        """See the whole model from one of six sides."""
        self._fly_to(self._aim.from_side(side).framed(self._bounds, self._aspect))

    def from_direction(self, direction: Float[np.ndarray, "3"]) -> None:
        """See the whole model from a direction of its frame; from there already, the other way."""
        towards = -self._aim.cam_from_model.rotation[2]
        if float(towards @ direction) > _ALIGNED:
            direction = -direction
        self._fly_to(self._aim.from_direction(direction).framed(self._bounds, self._aspect))

    def toggle_parallel(self) -> None:
        """Between perspective and parallel lines; what is at the focus keeps its size."""
        self._set(self._aim.through(USUAL if self._aim.is_parallel else PARALLEL))

    def focus(self, point: Point) -> None:
        """Turn around another point from now on, and come nearer to it."""
        eye = self.eye.focused(point)
        depth = float((self.eye.cam_from_model @ np.array(point))[2])
        self._fly_to(replace(eye, distance=max(0.6 * depth, 1e-9)))

    def to_photo(self, photo_id: str) -> bool:
        """Look through a photo's camera; False: it was not placed."""
        view = self._view(photo_id)
        if view is None:
            return False
        middle = view.cam_from_world @ self._bounds.middle
        distance = max(float(middle[2]), 0.3 * self._bounds.radius, 1e-9)
        end = self.eye.at_photo(view, distance)
        self._photo = (photo_id, end)
        self._fly_to(end)
        return True

    def restore(self, numbers: Mapping[str, object]) -> None:
        """Look from where a project was left, when its model has come; empty: see all of it."""
        self._restored, self._loaded = numbers, None

    def adopt(self, loaded: Loaded) -> None:
        """Follow a model that has come or changed: frame a new one, else keep the view."""
        before, self._loaded = self._loaded, loaded
        upright = np.array(loaded.upright)
        self._has_changed = True
        if before is None or before.scene_key != loaded.scene_key:
            self._flight = self._photo = None
            eye = replace(Eye(), upright=loaded.upright)
            self.eye = eye.framed(loaded.bounds, self._aspect)
            self.eye = self.eye.restored(self._restored)
            self._restored = {}
            return
        moved = loaded.model_from_world @ before.model_from_world.inverse()
        has_moved = before.upright != loaded.upright or not (
            np.allclose(moved.rotation, np.eye(3), atol=1e-9)
            and np.allclose([moved.scale, *moved.translation], [1, 0, 0, 0], atol=1e-9)
        )
        if has_moved:
            self._flight = self._photo = None
            self.eye = self.eye.moved(moved, upright)

    def advance(self, now_s: float) -> bool:
        """Go on to a time; True: a new picture is needed."""
        self._now_s = now_s
        if self._flight is not None:
            # Whoever asked for it did not know the time.
            if self._flight.began_s < 0:
                self._flight = replace(self._flight, began_s=now_s)
            self.eye, has_arrived = self._flight.at(now_s)
            self._has_changed, self._moved_at_s = True, now_s
            if has_arrived:
                self._flight = None
        changed, self._has_changed = self._has_changed, False
        return changed

    def project(
        self, points: Float[np.ndarray, "n 3"]
    ) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n"]]:
        """Where points of the model lie on the canvas, and how deep; NaN behind the camera."""
        return project(self.eye.cam_from_model @ np.asarray(points, np.float64), self.camera)

    def ray(self, uv_px: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        """Origin and direction (z = 1 in the camera) of what lies under a point of the canvas."""
        camera, model_from_cam = self.camera, self.eye.cam_from_model.inverse()
        across = (uv_px[0] - camera.cx_px) / camera.fx_px
        along = (uv_px[1] - camera.cy_px) / camera.fy_px
        return model_from_cam.translation, model_from_cam.rotation @ np.array([across, along, 1.0])

    def camera_at(self, uv_px: tuple[float, float]) -> str | None:
        """The photo whose drawn camera lies under a point; of several the nearest."""
        if not self.views:
            return None
        depth = frustum_depth(self.views, self._bounds)
        tips = np.stack([view.centre_world for view in self.views])
        middles = np.stack([picture_corners(view, depth).mean(0) for view in self.views])
        best, found = np.inf, None
        for points in (tips, middles):
            uv, z = self.project(points)
            away = np.linalg.norm(uv - np.array(uv_px), axis=1)
            # The camera that one looks through is all around, and no target.
            is_hit = (away < _HOVER_PX) & (z > 1.5 * depth)
            for index in np.flatnonzero(is_hit):
                if z[index] < best:
                    best, found = float(z[index]), self.views[index].photo_id
        return found

    @property
    def _bounds(self) -> Bounds:
        return self._loaded.bounds if self._loaded else Bounds.around(np.zeros((0, 3)))

    @property
    def _aim(self) -> Eye:
        """Where one looks from as soon as the flight ends: what the next wish goes on from."""
        return self._flight.end if self._flight else self.eye

    @property
    def _aspect(self) -> float:
        return self.canvas_px[0] / self.canvas_px[1] if self.canvas_px[1] > 1 else 1.5

    def _view(self, photo_id: str) -> View | None:
        return next((view for view in self.views if view.photo_id == photo_id), None)

    def _set(self, eye: Eye) -> None:
        self._flight = None
        self.eye, self._has_changed, self._moved_at_s = eye, True, self._now_s

    def _fly_to(self, end: Eye) -> None:
        # Between lenses so different one would fly through the model.
        start = self.eye if self.eye.is_parallel == end.is_parallel else self.eye.through(USUAL)
        self._flight = Flight(start, end, -1.0)
