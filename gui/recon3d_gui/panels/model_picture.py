"""The picture of the render process on the 3D page: copied into a texture, and drawn from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg
import numpy as np

from recon3d_gui.viewer.client import MOST_PX

if TYPE_CHECKING:
    from recon3d_gui.viewer.client import ViewerClient

_Size = tuple[int, int]
_IMAGE = "model.image"


class ModelPicture:
    """Fills a canvas with the newest picture, whatever size it has.

    A texture shows in one frame what it held in the frame before: DearPyGui hands it on that late.
    So the part of it that is drawn follows one frame after the pixels.
    """

    def __init__(self, viewer: ViewerClient, layer: str) -> None:
        """layer: the part of the drawing that it goes to."""
        self._viewer, self._layer = viewer, layer
        self._pixels: np.ndarray = np.zeros((1, 1, 4), np.float32)
        self._texture: int | str = 0
        self._canvas_px: _Size = (1, 1)
        self._coming_px: _Size | None = None

    @property
    def is_busy(self) -> bool:
        """Whether what was copied is seen only after the next frame."""
        return self._coming_px is not None

    def resize(self, width_px: int, height_px: int) -> None:
        """Set the canvas."""
        self._canvas_px = width_px, height_px
        self._grow_texture(*self._viewer.resize(width_px, height_px))

    def update(self) -> None:
        """Once a frame."""
        if self._coming_px is not None:
            self._draw(*self._coming_px)
        frame = self._viewer.take_frame(self._pixels)
        self._coming_px = (frame.width_px, frame.height_px) if frame else None

    def _grow_texture(self, width_px: int, height_px: int) -> None:
        """A raw texture can neither be resized nor deleted without a leak, so it seldom grows."""
        rows, columns, _ = self._pixels.shape
        if width_px <= columns and height_px <= rows:
            return
        # A quarter more, so that dragging the window's edge makes two or three, not hundreds.
        rows = max(rows, min(int(1.25 * height_px), MOST_PX // max(1, width_px)), height_px)
        columns = max(columns, min(int(1.25 * width_px), MOST_PX // max(1, height_px)), width_px)
        self._pixels = np.zeros((rows, columns, 4), np.float32)
        with dpg.texture_registry():
            self._texture = dpg.add_raw_texture(
                columns, rows, self._pixels, format=dpg.mvFormat_Float_rgba
            )
        self._coming_px = None
        if dpg.does_item_exist(_IMAGE):
            dpg.delete_item(_IMAGE)

    def _draw(self, width_px: int, height_px: int) -> None:
        rows, columns, _ = self._pixels.shape
        uv_min, uv_max = [0.0, 0.0], [width_px / columns, height_px / rows]
        if (width_px, height_px) != self._canvas_px:
            # Stretched: half a pixel inwards, for the rest of the texture holds other pictures.
            uv_min = [0.5 / columns, 0.5 / rows]
            uv_max = [(width_px - 0.5) / columns, (height_px - 0.5) / rows]
        if not dpg.does_item_exist(_IMAGE):
            dpg.draw_image(self._texture, (0, 0), (1, 1), parent=self._layer, tag=_IMAGE)
        dpg.configure_item(_IMAGE, pmax=self._canvas_px, uv_min=uv_min, uv_max=uv_max)
