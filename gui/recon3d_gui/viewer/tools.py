"""Measuring, scale, up and crop: from what is picked in the view to what the settings take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import project
from recon3d.core.errors import ConfigError, ReconError
from recon3d.core.scene import Unit
from recon3d.core.transform import Similarity
from recon3d.georef.known_scale import KnownFactor, PhotoPixel, parse_scale
from recon3d_gui.viewer.cameras import Bounds, Point
from recon3d_gui.viewer.navigator import Navigator
from recon3d_gui.viewer.protocol import Picked

_HANDLE_PX = 12.0
_THINNEST = 1e-3
"""Of a box, as a share of its longest side."""


class ToolError(ReconError):
    """What was picked does not say what it should."""


def length_text(length: float, unit: Unit) -> str:
    """Three digits in a handy unit: 42.1 cm, 3.07 m; without a known scale in units."""
    if unit == "scene":
        return f"{length:.3g} unit" if length == 1 else f"{length:.3g} units"
    for name, size in (("km", 1000.0), ("m", 1.0), ("cm", 0.01)):
        if length >= size:
            return f"{length / size:.3g} {name}"
    return f"{length / 0.001:.3g} mm"


def rough_length(length: float, unit: Unit) -> str:
    """Two digits, for where there is little room: 1.9 mm; without a known scale a bare number."""
    rounded = float(f"{length:.2g}")
    return f"{rounded:.2g}" if unit == "scene" else length_text(rounded, unit)


def distance(ends: Sequence[Picked]) -> float:
    """Between the first two, in units of the model."""
    first, second = (np.array(each.point, np.float64) for each in ends[:2])
    return float(np.linalg.norm(second - first))


def scale_setting(ends: Sequence[Picked], length: str, model_from_world: Similarity) -> str:
    """What `frame.scale` takes to make two picked points so far apart.

    Pixels of photos, where photos show both ends: they stay true when the cameras are placed anew.
    Else the metres of a unit of the cameras' own frame.

    length: "0.42", "42 cm", in metres if it says no unit.

    Raises:
        ToolError: the points coincide.
        ConfigError: the length cannot be read.
    """
    between = distance(ends)
    if not between > 0:
        raise ToolError("Both points are the same.", hint="Pick two points that lie apart.")
    metres = metres_of(length)
    if all(each.photos for each in ends[:2]):
        text = " ".join(" + ".join(map(_place, each.photos)) for each in ends[:2])
        text = f"{text} = {metres:.9g}"
        if _says(text, ends):
            return text
    return f"{metres / (between / model_from_world.scale):.9g}"


def metres_of(length: str) -> float:
    """Read a length.

    Raises:
        ConfigError: it is no length above 0.
    """
    if not length.strip() or set("=;:") & set(length):
        raise ConfigError(
            f'"{length}" is no length.', hint='Write a number of metres, or "42 cm", "3 ft".'
        )
    (known,) = parse_scale(length)
    # Without a "=" it can be nothing else.
    assert isinstance(known, KnownFactor)
    return known.metres_per_unit


def up_setting(direction_model: Float[np.ndarray, "3"], model_from_world: Similarity) -> str:
    """What `frame.up` takes to make a direction of the model point up."""
    up = model_from_world.rotation.T @ direction_model
    return ",".join(f"{each:.6f}" for each in up / np.linalg.norm(up))


def floor_normal(points: Sequence[Point], eye: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The direction up of a floor through three points, on the side that one looks from.

    Raises:
        ToolError: the points lie on a line.
    """
    first, second, third = (np.array(point) for point in points)
    sides = second - first, third - first
    normal = np.cross(*sides)
    longest = max(float(np.linalg.norm(side)) for side in (*sides, third - second))
    if np.linalg.norm(normal) < 0.02 * longest**2:
        raise ToolError(
            "The three points lie almost on a line.",
            hint="Pick three points of the floor that are far from each other.",
        )
    normal = normal / np.linalg.norm(normal)
    return normal if normal @ (eye - first) >= 0 else -normal


@dataclass(frozen=True)
class Handle:
    """A grip of the crop box: a face of one axis, or all of it."""

    axis: Literal[0, 1, 2]
    end: Literal["low", "high", "all"]


_GRIPS: tuple[Handle, ...] = (
    Handle(0, "low"),
    Handle(0, "high"),
    Handle(1, "low"),
    Handle(1, "high"),
    Handle(2, "low"),
    Handle(2, "high"),
    Handle(0, "all"),
)


@dataclass(frozen=True)
class CropBox:
    """A box in the model frame with handles to drag."""

    low: Point
    high: Point

    @staticmethod
    def around(bounds: Bounds) -> CropBox:
        """A little larger than what it holds."""
        margin = 0.02 * bounds.radius
        low, high = np.array(bounds.low) - margin, np.array(bounds.high) + margin
        return CropBox(_point(low), _point(high))

    @staticmethod
    def of_setting(numbers: Sequence[float]) -> CropBox:
        """From `mesh.crop`."""
        return CropBox(_point(np.array(numbers[:3])), _point(np.array(numbers[3:])))

    @property
    def setting(self) -> tuple[float, ...]:
        """For `mesh.crop`: four digits of the longest side, so that a person can read them."""
        digits = 4 - int(np.ceil(np.log10(self._longest)))
        return tuple(round(each, digits) for each in (*self.low, *self.high))

    @property
    def grips(self) -> tuple[tuple[Handle, Point], ...]:
        """Handles and where they are."""
        return tuple((handle, self._grip(handle)) for handle in _GRIPS)

    def grip_at(self, uv_px: tuple[float, float], navigator: Navigator) -> Handle | None:
        """The handle under a point of the canvas."""
        uv, _ = navigator.project(np.array([point for _, point in self.grips]))
        away = np.linalg.norm(uv - np.array(uv_px), axis=1)
        away[~np.isfinite(away)] = np.inf
        nearest = int(away.argmin())
        return self.grips[nearest][0] if away[nearest] < _HANDLE_PX else None

    def dragged(
        self,
        handle: Handle,
        start_px: tuple[float, float],
        end_px: tuple[float, float],
        navigator: Navigator,
    ) -> CropBox:
        """The box after a handle was dragged across the canvas."""
        grip = np.array(self._grip(handle))
        low, high = np.array(self.low), np.array(self.high)
        if handle.end == "all":
            step = _across(grip, start_px, end_px, navigator)
            return CropBox(_point(low + step), _point(high + step))
        axis = np.eye(3)[handle.axis]
        step_along = _along(grip, axis, end_px, navigator) - _along(grip, axis, start_px, navigator)
        thinnest = _THINNEST * self._longest
        if handle.end == "low":
            low[handle.axis] = min(low[handle.axis] + step_along, high[handle.axis] - thinnest)
        else:
            high[handle.axis] = max(high[handle.axis] + step_along, low[handle.axis] + thinnest)
        return replace(self, low=_point(low), high=_point(high))

    @property
    def _longest(self) -> float:
        return float(max(np.array(self.high) - np.array(self.low)))

    def _grip(self, handle: Handle) -> Point:
        middle = (np.array(self.low) + np.array(self.high)) / 2
        if handle.end != "all":
            middle[handle.axis] = (self.low if handle.end == "low" else self.high)[handle.axis]
        return _point(middle)


def _across(
    grip: np.ndarray, start_px: tuple[float, float], end_px: tuple[float, float], nav: Navigator
) -> Float[np.ndarray, "3"]:
    """In the plane of the picture, at the grip's depth."""
    depth_z = float((nav.eye.cam_from_model @ grip)[2])
    (_, start), (_, end) = nav.ray(start_px), nav.ray(end_px)
    step: np.ndarray = (end - start) * depth_z
    return step


def _along(grip: np.ndarray, axis: np.ndarray, uv_px: tuple[float, float], nav: Navigator) -> float:
    """How far along an axis through the grip the mouse is: there the axis is nearest on screen.

    On screen, not in space: seen almost end-on, the nearest point in space runs away.
    """
    step = 0.02 * nav.eye.distance
    ends, _ = project(
        nav.eye.cam_from_model @ np.stack([grip - step * axis, grip + step * axis]), nav.camera
    )
    towards = (ends[1] - ends[0]) / (2 * step)
    squared = float(towards @ towards)
    # An axis that points into the picture is not moved at all.
    least = (0.08 * nav.camera.fx_px / nav.eye.distance) ** 2
    if not np.isfinite(squared) or squared < least:
        return 0.0
    return float((np.array(uv_px) - ends.mean(0)) @ towards / squared)


def _place(pixel: PhotoPixel) -> str:
    return f"{pixel.photo}:{round(pixel.column, 2):.8g},{round(pixel.row, 2):.8g}"


def _says(text: str, ends: Sequence[Picked]) -> bool:
    """Whether it is read as it was meant: names of photos may hold anything."""
    try:
        (known,) = parse_scale(text)
    except (ReconError, ValueError):
        return False
    found = [getattr(known, "start", ()), getattr(known, "end", ())]
    named = [[pixel.photo for pixel in place] for place in found]
    return named == [[pixel.photo for pixel in each.photos] for each in ends[:2]]


def _point(values: np.ndarray) -> Point:
    x, y, z = (float(each) for each in values)
    return x, y, z
