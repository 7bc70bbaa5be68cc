"""Panoramas that show all directions, and the rectilinear views that they are made of.

The frame of a panorama: z to its middle, x to the right, y down. Column u of W shows the longitude
2 pi (u / W - 1/2), counted to the right of the middle, and row v of H the latitude
pi (1/2 - v / H) above the horizon.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import PinholeCamera


def _turned(yaw_deg: float, pitch_deg: float) -> Float[np.ndarray, "3 3"]:
    """view_from_panorama of a view to the right of the middle, and above the horizon."""
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    right = [np.cos(yaw), 0.0, -np.sin(yaw)]
    ahead = [np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)]
    # Quarter turns, exactly.
    return np.round(np.stack([right, np.cross(ahead, right), ahead]), 12)


VIEWS: Mapping[str, Float[np.ndarray, "3 3"]] = MappingProxyType(
    {
        "front": _turned(0.0, 0.0),
        "right": _turned(90.0, 0.0),
        "back": _turned(180.0, 0.0),
        "left": _turned(-90.0, 0.0),
        "up": _turned(0.0, 90.0),
        "down": _turned(0.0, -90.0),
    }
)
"""view_from_panorama: the faces of a cube, each upright as somebody in its middle sees it."""


def view_camera(width_px: int, field_of_view_deg: float) -> PinholeCamera:
    """A square view whose middle has the resolution of a panorama that is so many pixels wide."""
    focal_px = width_px / (2 * np.pi)
    side_px = round(2 * focal_px * np.tan(np.radians(field_of_view_deg) / 2))
    return PinholeCamera.centred(side_px, side_px, focal_px)


def uv_of_directions(
    directions: Float[np.ndarray, "*n 3"], width_px: int
) -> Float[np.ndarray, "*n 2"]:
    """Where a panorama of that width shows directions of its frame; their length does not count."""
    x, y, z = np.moveaxis(directions, -1, 0)
    longitude = np.arctan2(x, z)
    latitude = np.arctan2(-y, np.hypot(x, z))
    return width_px * np.stack(
        [longitude / (2 * np.pi) + 0.5, 0.25 - latitude / (2 * np.pi)], axis=-1
    )


def directions_of_pixels(width_px: int) -> Float[np.ndarray, "h w 3"]:
    """Unit directions of a panorama's pixels, of which it has half as many rows as columns."""
    longitude = 2 * np.pi * ((np.arange(width_px) + 0.5) / width_px - 0.5)
    latitude = np.pi * (0.5 - (np.arange(width_px // 2) + 0.5) / (width_px // 2))
    across, up = np.meshgrid(longitude, latitude)
    return np.stack(
        [np.sin(across) * np.cos(up), -np.sin(up), np.cos(across) * np.cos(up)], axis=-1
    )
