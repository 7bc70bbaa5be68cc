"""Lines and coarser meshes that the view is drawn from; numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import View
from recon3d_gui.viewer.cameras import Bounds, Point
from recon3d_gui.viewer.protocol import Colour

_CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
_BOX_EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b) in (1, 2, 4)]
_GRID_LINES = 20


@dataclass(frozen=True, eq=False)
class Lines:
    """Segments in the model frame, with a colour and opacity at each end."""

    ends: Float32[np.ndarray, "n 2 3"]
    rgba: Float32[np.ndarray, "n 2 4"]

    @staticmethod
    def of(ends: Float[np.ndarray, "n 2 3"], colour: Colour, opacity: float = 1.0) -> Lines:
        """All of one colour."""
        rgba = np.broadcast_to(np.array([*colour, opacity], np.float32), (len(ends), 2, 4))
        return Lines(ends.astype(np.float32), np.ascontiguousarray(rgba))

    def __add__(self, other: Lines) -> Lines:
        return Lines(
            np.concatenate([self.ends, other.ends]), np.concatenate([self.rgba, other.rgba])
        )


def frustum_depth(views: Sequence[View], bounds: Bounds) -> float:
    """How far in front of a camera its picture is drawn: small beside its neighbours' distance."""
    if not views:
        return 0.1 * bounds.radius
    centres = np.stack([view.centre_world for view in views])
    largest = 0.12 * max(bounds.radius, 1e-9)
    if len(views) < 2:
        return largest
    sample = centres[:: max(1, len(centres) // 500)]
    away = np.linalg.norm(sample[:, None] - sample[None], axis=2)
    away[away == 0] = np.inf
    nearest = float(np.median(away.min(1)))
    return float(np.clip(0.4 * nearest, 0.02 * bounds.radius, largest))


def picture_corners(view: View, depth: float) -> Float[np.ndarray, "4 3"]:
    """Of the photo's picture plane in the model frame: upper left, then clockwise."""
    camera = view.camera
    uv_px = _CORNERS * [camera.width_px, camera.height_px]
    rays = (uv_px - [camera.cx_px, camera.cy_px]) / [camera.fx_px, camera.fy_px]
    corners_cam = np.column_stack([rays, np.ones(4)]) * depth
    corners: np.ndarray = view.cam_from_world.inverse() @ corners_cam
    return corners


def frusta(views: Sequence[View], depth: float, colour: Colour, opacity: float = 0.8) -> Lines:
    """A pyramid for each camera, with a mark at the top of its picture."""
    ends = [np.zeros((0, 2, 3))]
    for view in views:
        corners, centre = picture_corners(view, depth), view.centre_world
        following = np.roll(corners, -1, axis=0)
        middle = (corners[0] + corners[1]) / 2
        tip = middle - view.cam_from_world.rotation[1] * 0.25 * depth
        mark = 0.7 * middle + 0.3 * corners[:2]
        ends.append(
            np.concatenate(
                [
                    np.stack([np.broadcast_to(centre, (4, 3)), corners], axis=1),
                    np.stack([corners, following], axis=1),
                    np.stack([mark, np.broadcast_to(tip, (2, 3))], axis=1),
                ]
            )
        )
    return Lines.of(np.concatenate(ends), colour, opacity)


def box_lines(box: tuple[Point, Point], colour: Colour) -> Lines:
    """The twelve edges."""
    corners = box_corners(box)
    return Lines.of(np.array([[corners[a], corners[b]] for a, b in _BOX_EDGES]), colour)


def box_corners(box: tuple[Point, Point]) -> Float[np.ndarray, "8 3"]:
    """Bit 0 of the index chooses x, bit 1 y and bit 2 z."""
    both = np.array(box)
    return np.array([[both[(i >> axis) & 1, axis] for axis in range(3)] for i in range(8)])


def grid_step(radius: float) -> float:
    """A round distance between lines, such that a model spans some ten of them: 1, 2 or 5."""
    rough = max(radius, 1e-12) / 5
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next(step for step in (1, 2, 5, 10) if step * power >= rough * 0.999) * power)


def ground_grid(
    bounds: Bounds, upright: Float[np.ndarray, "3 3"], height: float, colour: Colour
) -> Lines:
    """Lines on the ground through round coordinates, fading outwards."""
    step = grid_step(bounds.radius)
    reach = _GRID_LINES / 2 * step
    middle = np.round((upright @ bounds.middle)[:2] / step) * step
    offsets = np.arange(-_GRID_LINES // 2, _GRID_LINES // 2 + 1) * step
    # In short pieces, because a line's opacity is given at its ends only.
    along = np.linspace(-reach, reach, 13)
    pieces = np.stack([along[:-1], along[1:]], axis=1)
    across = np.broadcast_to(offsets[:, None, None], (len(offsets), len(pieces), 2))
    pieces = np.broadcast_to(pieces, across.shape)
    flat = np.concatenate(
        [np.stack([across, pieces], axis=-1), np.stack([pieces, across], axis=-1)]
    ).reshape(-1, 2, 2)
    opacity = np.clip(1 - np.linalg.norm(flat, axis=2) / reach, 0, 1)
    at = flat + middle
    is_axis = (np.abs(at[:, 0] - at[:, 1]).min(1) == 0) & (
        (np.abs(at) < 1e-9 * reach).all(1).any(1)
    )
    ends = np.concatenate([at, np.full((*at.shape[:2], 1), height)], axis=2) @ upright
    rgba = np.empty((len(ends), 2, 4), np.float32)
    rgba[..., :3] = colour
    rgba[..., 3] = opacity * np.where(is_axis, 0.75, 0.38)[:, None]
    return Lines(ends.astype(np.float32), rgba)


def one_pixel(camera: PinholeCamera, uv_px: tuple[float, float]) -> PinholeCamera:
    """The camera that sees only what lies under one point of a picture."""
    return PinholeCamera(
        1,
        1,
        camera.fx_px,
        camera.fy_px,
        camera.cx_px - uv_px[0] + 0.5,
        camera.cy_px - uv_px[1] + 0.5,
    )
