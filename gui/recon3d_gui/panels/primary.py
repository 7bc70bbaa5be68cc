"""The look of the one button on a page that is to be pressed next."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.panels.paint import Paint

if TYPE_CHECKING:
    from recon3d_gui.theme import Colour, Ui

_STATES = {
    dpg.mvThemeCol_Button: 1.0,
    dpg.mvThemeCol_ButtonHovered: 1.12,
    dpg.mvThemeCol_ButtonActive: 0.9,
}
"""How bright they are."""
_DARK, _LIGHT = (16, 18, 22, 255), (255, 255, 255, 255)
_BRIGHT = 150


class PrimaryLook:
    """A theme in the accent's colour, which changes with the window's theme."""

    def __init__(self, ui: Ui, tag: str) -> None:
        self._ui, self._paint = ui, Paint(ui)
        self.tag = tag

    def build(self) -> None:
        """Make it."""
        paint, ui = self._paint, self._ui
        with dpg.theme(tag=self.tag):
            with dpg.theme_component(dpg.mvButton):
                for state, light in _STATES.items():
                    paint.add(state, partial(self._accent, light))
                paint.add(dpg.mvThemeCol_Text, self._ink)
            with dpg.theme_component(dpg.mvButton, enabled_state=False):
                for state in _STATES:
                    paint.add(state, partial(ui.colour, "raised"))
                paint.add(dpg.mvThemeCol_Text, partial(ui.colour, "muted"))

    def _accent(self, light: float) -> Colour:
        red, green, blue = (min(255, round(light * each)) for each in self._ui.colour("accent")[:3])
        return red, green, blue, 255

    def _ink(self) -> Colour:
        red, green, blue, _ = self._ui.colour("accent")
        return _DARK if 0.3 * red + 0.59 * green + 0.11 * blue > _BRIGHT else _LIGHT
