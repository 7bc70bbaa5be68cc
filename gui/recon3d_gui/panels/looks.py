"""Quiet looks for forms: buttons that read as text, texts of one colour."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.panels.paint import Paint

if TYPE_CHECKING:
    from recon3d_gui.theme import Ui

_CLEAR = (0, 0, 0, 0)


class Looks:
    """Themes for items of a form, in the colours of the window's theme, which may change."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._paint = Paint(ui)
        self.label = self._button("text", "", 0.0)
        """A button that reads as text: unlike text it stands level with the widget beside it."""
        self.value = self._button("muted", "", 0.0)
        """The same for what is less important."""
        self.link = self._button("text", "raised", 0.0)
        """A line of a list that opens something."""
        self.chosen = self._button("accent", "raised", 0.0)
        """The line that is open."""
        self.dot = self._button("accent", "", 0.5)
        self.icon = self._button("muted", "raised", 0.5)
        self.muted = self._text("muted")
        self.good = self._text("good")
        self.warning = self._text("warning")
        self.bad = self._text("bad")

    def heading(self, align: float) -> int | str:
        """The head of a table's column, its title at the left (0) or right (1)."""
        return self._button("muted", "raised", align, self._ui.px(8))

    def _button(self, colour: str, hovered: str, align: float, edge_px: int = 0) -> int | str:
        with dpg.theme() as theme, dpg.theme_component(dpg.mvButton):
            dpg.add_theme_color(dpg.mvThemeCol_Button, _CLEAR)
            for state in (dpg.mvThemeCol_ButtonHovered, dpg.mvThemeCol_ButtonActive):
                self._colour(state, hovered)
            self._colour(dpg.mvThemeCol_Text, colour)
            dpg.add_theme_style(dpg.mvStyleVar_ButtonTextAlign, align, 0.5)
            dpg.add_theme_style(dpg.mvStyleVar_FramePadding, edge_px, self._ui.px(4))
        return theme

    def _text(self, colour: str) -> int | str:
        with dpg.theme() as theme, dpg.theme_component(dpg.mvText):
            self._colour(dpg.mvThemeCol_Text, colour)
        return theme

    def _colour(self, target: int, name: str) -> None:
        self._paint.add(target, partial(self._ui.colour, name) if name else lambda: _CLEAR)
