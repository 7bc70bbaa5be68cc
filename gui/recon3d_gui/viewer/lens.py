"""Lenses that fit any canvas, and how the graphics card is told of them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import PinholeCamera

_FIELD_OF_VIEW_DEG = 42.0


@dataclass(frozen=True)
class Lens:
    """A pinhole camera as shares of its own picture, which is fitted into a canvas.

    On a canvas of another shape one sees more than the picture, never less.
    """

    aspect: float
    """Width over height."""
    fx: float
    """Focal length as a share of the picture's width."""
    fy: float
    """Focal length as a share of the picture's height."""
    cx: float
    cy: float

    @staticmethod
    def of(camera: PinholeCamera) -> Lens:
        """The lens that shows a photo on exactly the pixels of its picture."""
        width_px, height_px = camera.width_px, camera.height_px
        return Lens(
            width_px / height_px,
            camera.fx_px / width_px,
            camera.fy_px / height_px,
            camera.cx_px / width_px,
            camera.cy_px / height_px,
        )

    def picture_px(self, width_px: int, height_px: int) -> tuple[float, float, float, float]:
        """Where the picture lies on a canvas: left, top, width, height."""
        width = min(float(width_px), height_px * self.aspect)
        height = width / self.aspect
        return (width_px - width) / 2, (height_px - height) / 2, width, height

    def on_canvas(self, width_px: int, height_px: int) -> PinholeCamera:
        """The camera whose picture is the whole canvas."""
        left, top, width, height = self.picture_px(width_px, height_px)
        return PinholeCamera(
            width_px,
            height_px,
            self.fx * width,
            self.fy * height,
            left + self.cx * width,
            top + self.cy * height,
        )

    def towards(self, other: Lens, share: float) -> Lens:
        """Between two lenses."""
        return Lens(
            *(
                (1 - share) * getattr(self, each.name) + share * getattr(other, each.name)
                for each in fields(Lens)
            )
        )


_FOCAL = 0.5 / float(np.tan(np.radians(_FIELD_OF_VIEW_DEG / 2)))
USUAL = Lens(1.0, _FOCAL, _FOCAL, 0.5, 0.5)
"""42 degrees across the shorter side: objects look as they do from where one would hold them."""


STRETCH = 40.0
"""How much farther away one stands where lines shall look parallel."""
PARALLEL = Lens(1.0, STRETCH * _FOCAL, STRETCH * _FOCAL, 0.5, 0.5)
"""Orthographic but for a degree: a lens so long that everything that draws and picks stays as it
is."""


def clip_from_cam(
    camera: PinholeCamera, near: float, far: float, *, rows_down: bool = True
) -> Float[np.ndarray, "4 4"]:
    """OpenGL's clip coordinates of points in the camera frame.

    rows_down: the first row of the picture in memory is its top, as pictures are kept everywhere
    but in OpenGL; triangles turn their other side to the rasteriser then.
    """
    width_px, height_px = camera.width_px, camera.height_px
    sign = 1.0 if rows_down else -1.0
    across = [2 * camera.fx_px / width_px, 0, 2 * camera.cx_px / width_px - 1, 0]
    along = [
        0,
        sign * 2 * camera.fy_px / height_px,
        sign * (2 * camera.cy_px / height_px - 1),
        0,
    ]
    depth = [0, 0, (far + near) / (far - near), -2 * far * near / (far - near)]
    return np.array([across, along, depth, [0, 0, 1, 0]], np.float64)
