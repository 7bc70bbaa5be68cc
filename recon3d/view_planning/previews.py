"""Pictures of the coverage, and of what a suggested photo would show."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from recon3d.core.scene import View
from recon3d.surface.stills import BACKGROUND, Still, StillRenderer, Viewpoint

PREVIEW_PX = 480
_LIGHTEST = 206.0
"""Of clay that faces the camera."""


def preview(renderer: StillRenderer, view: View) -> UInt8[np.ndarray, "h w 3"]:
    """The model as a camera would see it."""
    return _render(renderer, view).colour


def coverage_preview(renderer: StillRenderer, view: View) -> UInt8[np.ndarray, "h w 3"]:
    """The model's coverage as a camera would see it."""
    return shaded(_render(renderer, view))


def _render(renderer: StillRenderer, view: View) -> Still:
    return renderer.render(Viewpoint(view.camera.fitted(PREVIEW_PX), view.cam_from_world))


def shaded(still: Still) -> UInt8[np.ndarray, "h w 3"]:
    """Colours in the light that the clay has: without it a mesh of few colours has no shape."""
    light = np.minimum(still.clay.max(axis=2, keepdims=True) / _LIGHTEST, 1)
    lit = np.rint(still.colour * light).astype(np.uint8)
    is_background = (still.clay == BACKGROUND).all(axis=2, keepdims=True)
    picture: np.ndarray = np.where(is_background, still.colour, lit)
    return picture
