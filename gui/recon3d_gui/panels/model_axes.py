"""The axes in the corner of the model: a click on an end looks from there, a drag turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg
import numpy as np

from recon3d_gui.contrast import ink_on
from recon3d_gui.viewer.axes import BALL, RADIUS, AxisEnd, axis_ends, end_at, middle_of

if TYPE_CHECKING:
    from recon3d_gui.contrast import Colour
    from recon3d_gui.theme import Ui
    from recon3d_gui.viewer.workbench import Workbench

_COLOURS: tuple[Colour, Colour, Colour] = (
    (232, 90, 90, 255), (120, 200, 90, 255), (90, 150, 250, 255),
)  # fmt: skip


class ModelAxes:
    """What the overlay draws of them, and what the page does with the mouse on them."""

    def __init__(self, ui: Ui, bench: Workbench) -> None:
        self._ui, self._bench = ui, bench
        self.hovered: str | None = None
        """The end under the mouse; empty on the disc beside them; None elsewhere."""

    @property
    def _middle(self) -> tuple[float, float]:
        return middle_of(self._bench.navigator.canvas_px, self._ui.scale)

    @property
    def _ends(self) -> list[AxisEnd]:
        rotation = self._bench.navigator.eye.cam_from_model.rotation
        return axis_ends(rotation, self._middle, self._ui.scale)

    def hover(self, place: tuple[float, float] | None) -> bool:
        """The mouse is there on the canvas, or nowhere; whether that is on the axes."""
        self.hovered = None
        if place is None or self._bench.loaded is None:
            return False
        away = float(np.hypot(*np.subtract(place, self._middle)))
        if away > RADIUS * self._ui.scale:
            return False
        end = end_at(self._ends, place, self._ui.scale)
        self.hovered = end.name if end else ""
        return True

    def click(self, place: tuple[float, float]) -> None:
        """Look from the end that is there."""
        if end := end_at(self._ends, place, self._ui.scale):
            self._bench.navigator.from_direction(end.direction)

    def draw(self) -> None:
        """Into the current container, as the model lies."""
        px, middle, scale = self._ui.px, self._middle, self._ui.scale
        if self.hovered is not None:
            disc = (*self._ui.colour("muted")[:3], 50)
            dpg.draw_circle(middle, RADIUS * scale, color=(0, 0, 0, 0), fill=disc)
        for end in self._ends:
            colour, is_hovered = _COLOURS[end.axis], end.name == self.hovered
            # What points away is darker, so that one sees which way the axes go.
            faint = 255 if end.depth < 0.3 else 150
            ink = (*colour[:3], faint)
            if end.sign > 0:
                dpg.draw_line(middle, end.place_px, color=ink, thickness=px(2))
                fill = ink
            else:
                fill = ink if is_hovered else (*colour[:3], 60)
            edge = self._ui.colour("text") if is_hovered else ink
            dpg.draw_circle(end.place_px, BALL * scale, color=edge, fill=fill, thickness=px(1.5))
            if end.sign > 0 or is_hovered:
                self._name(end, ink_on(colour))

    def _name(self, end: AxisEnd, ink: Colour) -> None:
        font, text = self._ui.font("small"), end.name
        width, height = dpg.get_text_size(text, font=font) or (8, 13)
        x, y = end.place_px
        place = (x - width / 2, y - height / 2)
        item = dpg.draw_text(place, text, size=height, color=ink)
        dpg.bind_item_font(item, font)
