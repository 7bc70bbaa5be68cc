"""The look of the one button on a page that is to be pressed next."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.contrast import ink_on, shaded
from recon3d_gui.panels.paint import Paint

if TYPE_CHECKING:
    from recon3d_gui.contrast import Colour
    from recon3d_gui.theme import Ui

_STATES = {
    dpg.mvThemeCol_Button: 0,
    dpg.mvThemeCol_ButtonHovered: 1,
    dpg.mvThemeCol_ButtonActive: 2,
}
"""Which of SHADES they have."""
SHADES = (1.0, 1.1, 0.92)
"""How bright it is at rest, under the mouse and pressed; its letters can be read on all of them."""


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
                for state, shade in _STATES.items():
                    paint.add(state, partial(self._accent, SHADES[shade]))
                paint.add(dpg.mvThemeCol_Text, lambda: ink_on(ui.colour("accent")))
            with dpg.theme_component(dpg.mvButton, enabled_state=False):
                for state in _STATES:
                    paint.add(state, partial(ui.colour, "raised"))
                paint.add(dpg.mvThemeCol_Text, partial(ui.colour, "muted"))

    def _accent(self, light: float) -> Colour:
        return shaded(self._ui.colour("accent"), light)
