"""The look of the one button on a page that is to be pressed next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

if TYPE_CHECKING:
    from recon3d_gui.theme import Ui

_STATES = {
    "normal": ("Button", 1.0),
    "hovered": ("ButtonHovered", 1.12),
    "active": ("ButtonActive", 0.9),
}
_DARK, _LIGHT = (16, 18, 22, 255), (255, 255, 255, 255)
_BRIGHT = 150


class PrimaryLook:
    """A theme in the accent's colour, which changes with the window's theme."""

    def __init__(self, ui: Ui, tag: str) -> None:
        self._ui = ui
        self.tag = tag
        ui.on_theme(self._recolour)

    def build(self) -> None:
        """Make it."""
        with dpg.theme(tag=self.tag):
            with dpg.theme_component(dpg.mvButton):
                for state, (target, _) in _STATES.items():
                    dpg.add_theme_color(
                        getattr(dpg, f"mvThemeCol_{target}"), tag=f"{self.tag}.{state}"
                    )
                dpg.add_theme_color(dpg.mvThemeCol_Text, tag=f"{self.tag}.text")
            with dpg.theme_component(dpg.mvButton, enabled_state=False):
                for state, (target, _) in _STATES.items():
                    dpg.add_theme_color(
                        getattr(dpg, f"mvThemeCol_{target}"), tag=f"{self.tag}.off.{state}"
                    )
                dpg.add_theme_color(dpg.mvThemeCol_Text, tag=f"{self.tag}.off.text")
        self._recolour()

    def _recolour(self) -> None:
        if not dpg.does_item_exist(self.tag):
            return
        red, green, blue, alpha = self._ui.colour("accent")
        for state, (_, light) in _STATES.items():
            colour = [min(255, round(light * each)) for each in (red, green, blue)]
            dpg.set_value(f"{self.tag}.{state}", (*colour, alpha))
            dpg.set_value(f"{self.tag}.off.{state}", self._ui.colour("raised"))
        bright = 0.3 * red + 0.59 * green + 0.11 * blue > _BRIGHT
        dpg.set_value(f"{self.tag}.text", _DARK if bright else _LIGHT)
        dpg.set_value(f"{self.tag}.off.text", self._ui.colour("muted"))
