"""Where one looks from and how it moves; the mathematics of the mouse, without a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import View
from recon3d.core.transform import Rigid, Similarity
from recon3d_gui.viewer.lens import PARALLEL, STRETCH, USUAL, Lens

Point = tuple[float, float, float]
Side = Literal["front", "back", "right", "left", "top", "bottom"]

_SIDES_DEG: Mapping[Side, tuple[float, float]] = {
    "front": (0, 0),
    "right": (90, 0),
    "back": (180, 0),
    "left": (270, 0),
    "top": (0, 90),
    "bottom": (0, -90),
}
_STEEPEST_DEG = 89.9
# Turning by this much takes away about two thirds of a photo's roll.
_LEVELLING_DEG = 12.0
_MARGIN = 1.04


@dataclass(frozen=True)
class Eye:
    """A camera in the model frame that turns around a focus, upright unless it rolls.

    Azimuth 0 looks along +y of the upright frame (Blender's front view) and grows as the camera
    goes around to the model's right (+x); elevation is above the ground.
    """

    focus: Point = (0.0, 0.0, 0.0)
    azimuth_deg: float = 30.0
    elevation_deg: float = 25.0
    roll_deg: float = 0.0
    distance: float = 5.0
    """From the focus, in units of the model."""
    lens: Lens = USUAL
    upright: tuple[Point, Point, Point] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    """Rows of the rotation upright_from_model: what is up, where the model frame is not."""

    @property
    def cam_from_model(self) -> Rigid:
        """The transform of points into the camera frame."""
        rotation = _turned(self.azimuth_deg, self.elevation_deg, self.roll_deg)
        rotation = rotation @ np.array(self.upright)
        centre = np.array(self.focus) - rotation[2] * self.distance
        return Rigid(rotation, -rotation @ centre)

    @property
    def centre(self) -> Float[np.ndarray, "3"]:
        """Where the camera is."""
        return self.cam_from_model.inverse().translation

    def orbited(self, right_deg: float, down_deg: float) -> Eye:
        """Turn around the focus; a roll that came with a photo fades as one turns."""
        elevation = np.clip(self.elevation_deg + down_deg, -_STEEPEST_DEG, _STEEPEST_DEG)
        return replace(
            self,
            azimuth_deg=_wrapped(self.azimuth_deg + right_deg),
            elevation_deg=float(elevation),
            roll_deg=self.roll_deg * float(np.exp(-np.hypot(right_deg, down_deg) / _LEVELLING_DEG)),
        )

    def panned(self, right_px: float, down_px: float, camera: PinholeCamera) -> Eye:
        """Slide so that what lies at the focus follows the mouse."""
        axes = self.cam_from_model.rotation
        slide = axes[0] * (right_px / camera.fx_px) + axes[1] * (down_px / camera.fy_px)
        return replace(self, focus=_point(np.array(self.focus) - slide * self.distance))

    def zoomed(self, factor: float, uv_px: tuple[float, float], camera: PinholeCamera) -> Eye:
        """Come nearer (factor below 1); what lies under the mouse at the focus' depth stays."""
        axes = self.cam_from_model.rotation
        ray = [(uv_px[0] - camera.cx_px) / camera.fx_px, (uv_px[1] - camera.cy_px) / camera.fy_px]
        aside = (axes[0] * ray[0] + axes[1] * ray[1]) * self.distance
        focus = np.array(self.focus) + (1 - factor) * aside
        return replace(self, focus=_point(focus), distance=self.distance * factor)

    def flown(self, step: Float[np.ndarray, "3"]) -> Eye:
        """Move along the camera's own axes: right, down, forward, in units of the model."""
        moved = np.array(self.focus) + step @ self.cam_from_model.rotation
        return replace(self, focus=_point(moved))

    def looked(self, right_deg: float, down_deg: float) -> Eye:
        """Turn the head: the camera stays where it is."""
        turned = self.orbited(right_deg, down_deg)
        ahead = turned.cam_from_model.rotation[2] * self.distance
        return replace(turned, focus=_point(self.centre + ahead))

    def focused(self, point: Point) -> Eye:
        """Turn around another point, seen from the same direction and distance."""
        return replace(self, focus=point)

    def from_side(self, side: Side) -> Eye:
        """Look at the focus from one of the six sides, upright."""
        return self._towards(*_SIDES_DEG[side])

    def from_direction(self, direction: Float[np.ndarray, "3"]) -> Eye:
        """Look at the focus from a direction of the model frame, such as that of an axis."""
        x, y, z = np.array(self.upright) @ direction / np.linalg.norm(direction)
        elevation = float(np.degrees(np.arcsin(np.clip(z, -1, 1))))
        # Along what is up the model's front stays below.
        azimuth = 0.0 if np.hypot(x, y) < 1e-6 else float(np.degrees(np.arctan2(x, -y)))
        return self._towards(_wrapped(azimuth), elevation)

    def _towards(self, azimuth_deg: float, elevation_deg: float) -> Eye:
        elevation = float(np.clip(elevation_deg, -_STEEPEST_DEG, _STEEPEST_DEG))
        turned = replace(self, azimuth_deg=azimuth_deg, elevation_deg=elevation, roll_deg=0.0)
        return turned.through(self.free_lens)

    @property
    def is_parallel(self) -> bool:
        """Whether lines that are parallel look so."""
        return self.lens == PARALLEL

    @property
    def free_lens(self) -> Lens:
        """The one that is used when no photo says which."""
        return PARALLEL if self.is_parallel else USUAL

    @property
    def reach(self) -> float:
        """How far one would be from the focus with the usual lens."""
        return self.distance / STRETCH if self.is_parallel else self.distance

    def through(self, lens: Lens) -> Eye:
        """Look through another lens; what is at the focus keeps its size, but for a photo's."""
        stretch = STRETCH if lens == PARALLEL else 1.0
        return replace(self, lens=lens, distance=self.reach * stretch)

    def framed(self, bounds: Bounds, aspect: float = 1.0) -> Eye:
        """See all of a box from the same direction, as near as a canvas' width over height allows.

        aspect: of the canvas.
        """
        camera = self.free_lens.on_canvas(max(1, round(1000 * aspect)), 1000)
        half = np.array([camera.width_px / 2 / camera.fx_px, camera.height_px / 2 / camera.fy_px])
        corners = np.array([bounds.low, bounds.high])
        every = np.stack(np.meshgrid(*corners.T, indexing="ij"), axis=-1).reshape(-1, 3)
        seen = (every - bounds.middle) @ self.cam_from_model.rotation.T
        distance = float((np.abs(seen[:, :2]) / half - seen[:, 2:]).max()) * _MARGIN
        return replace(
            self,
            focus=_point(bounds.middle),
            distance=max(distance, 1e-9),
            roll_deg=0.0,
            lens=self.free_lens,
        )

    def at_photo(self, view: View, distance: float) -> Eye:
        """Look exactly as a photo does, around the point at a distance along its axis.

        view: its camera in the model frame.
        """
        pose = view.cam_from_world
        azimuth, elevation, roll = _angles(pose.rotation @ np.array(self.upright).T)
        focus = view.centre_world + pose.rotation[2] * distance
        lens = Lens.of(view.camera)
        return replace(
            self,
            focus=_point(focus),
            azimuth_deg=azimuth,
            elevation_deg=elevation,
            roll_deg=roll,
            distance=distance,
            lens=lens,
        )

    def moved(self, new_from_old: Similarity, upright: Float[np.ndarray, "3 3"]) -> Eye:
        """The same look where the model frame has changed; the world stays as it is on screen.

        upright: of the new model frame.
        """
        rotation = self.cam_from_model.rotation @ new_from_old.rotation.T
        azimuth, elevation, roll = _angles(rotation @ upright.T)
        return replace(
            self,
            focus=_point(new_from_old @ np.array(self.focus)),
            azimuth_deg=azimuth,
            elevation_deg=elevation,
            roll_deg=roll,
            distance=self.distance * new_from_old.scale,
            upright=as_rows(upright),
        )

    def described(self) -> dict[str, float | tuple[float, ...]]:
        """Plain numbers for a project file; the lens of a photo is not kept."""
        return {
            "focus": self.focus,
            "azimuth_deg": self.azimuth_deg,
            "elevation_deg": self.elevation_deg,
            "distance": self.reach,
        }

    def restored(self, numbers: Mapping[str, Any]) -> Eye:
        """What `described` gave; numbers that no camera has, or that are missing, are passed over.

        The file that they come from may have been written by hand.
        """
        try:
            focus = tuple(float(each) for each in numbers["focus"])
            azimuth, elevation, distance = (
                float(numbers[name]) for name in ("azimuth_deg", "elevation_deg", "distance")
            )
        except (KeyError, TypeError, ValueError):
            return self
        if (
            len(focus) != 3
            or not np.isfinite([*focus, azimuth, elevation, distance]).all()
            or distance <= 0
        ):
            return self
        eye = replace(self, focus=focus, roll_deg=0.0, distance=distance, lens=USUAL)
        return replace(eye, azimuth_deg=0.0, elevation_deg=0.0).orbited(azimuth, elevation)


@dataclass(frozen=True)
class Bounds:
    """A box around what is worth seeing, without floaters; in the model frame."""

    low: Point
    high: Point

    @staticmethod
    def around(points: Float[np.ndarray, "n 3"]) -> Bounds:
        """Of all but the outermost half percent of finite points; a unit box without any."""
        finite = points[np.isfinite(points).all(1)]
        if not len(finite):
            return Bounds((-1.0, -1.0, 0.0), (1.0, 1.0, 1.0))
        sample = finite[:: max(1, len(finite) // 50_000)].astype(np.float64)
        low, high = np.percentile(sample, [0.5, 99.5], axis=0)
        return Bounds(_point(low), _point(high))

    @property
    def middle(self) -> Float[np.ndarray, "3"]:
        """Of the box."""
        return (np.array(self.low) + np.array(self.high)) / 2

    @property
    def radius(self) -> float:
        """Of the ball around the box."""
        return float(np.linalg.norm(np.array(self.high) - np.array(self.low)) / 2)


@dataclass(frozen=True)
class Flight:
    """A smooth way from one look to another."""

    start: Eye
    end: Eye
    began_s: float
    seconds: float = 0.25

    def at(self, now_s: float) -> tuple[Eye, bool]:
        """The look at a time, and whether it has arrived; then it is exactly the end."""
        share = (now_s - self.began_s) / self.seconds
        if share >= 1:
            return self.end, True
        eased = max(share, 0.0)
        return _between(self.start, self.end, eased * eased * (3 - 2 * eased)), False


def _between(start: Eye, end: Eye, share: float) -> Eye:
    def turned(first: float, last: float) -> float:
        return first + _wrapped(last - first) * share

    focus = (1 - share) * np.array(start.focus) + share * np.array(end.focus)
    return replace(
        end,
        focus=_point(focus),
        azimuth_deg=turned(start.azimuth_deg, end.azimuth_deg),
        elevation_deg=turned(start.elevation_deg, end.elevation_deg),
        roll_deg=turned(start.roll_deg, end.roll_deg),
        distance=float(start.distance ** (1 - share) * end.distance**share),
        lens=start.lens.towards(end.lens, share),
    )


def _turned(azimuth_deg: float, elevation_deg: float, roll_deg: float) -> np.ndarray:
    """cam_from_upright: rows are the camera's right, down and forward."""
    azimuth, elevation, roll = np.radians([azimuth_deg, elevation_deg, roll_deg])
    level = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    forward = np.array(
        [
            -np.sin(azimuth) * np.cos(elevation),
            np.cos(azimuth) * np.cos(elevation),
            -np.sin(elevation),
        ]
    )
    steep = np.cross(forward, level)
    right = np.cos(roll) * level + np.sin(roll) * steep
    return np.stack([right, np.cross(forward, right), forward])


def _angles(cam_from_upright: np.ndarray) -> tuple[float, float, float]:
    """Azimuth, elevation and roll in degrees; the inverse of `_turned`."""
    right, _, forward = cam_from_upright
    elevation = -np.arcsin(np.clip(forward[2], -1, 1))
    # Straight down, only the picture's right side says where it turns.
    is_steep = np.hypot(forward[0], forward[1]) < 1e-9
    azimuth = np.arctan2(right[1], right[0]) if is_steep else np.arctan2(-forward[0], forward[1])
    level = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    roll = np.arctan2(right @ np.cross(forward, level), right @ level)
    return float(np.degrees(azimuth)), float(np.degrees(elevation)), float(np.degrees(roll))


def as_rows(rotation: np.ndarray) -> tuple[Point, Point, Point]:
    """A rotation that can be compared and hashed."""
    first, second, third = (_point(row) for row in rotation)
    return first, second, third


def _point(values: np.ndarray) -> Point:
    x, y, z = (float(each) for each in values)
    return x, y, z


def _wrapped(angle_deg: float) -> float:
    """Into -180 to 180."""
    return float((angle_deg + 180) % 360 - 180)
