"""Colours of themes that follow the window's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

if TYPE_CHECKING:
    from recon3d_gui.contrast import Colour
    from recon3d_gui.theme import Ui


class Paint:
    """Gives theme components their colours, and other ones when a person changes the theme."""

    def __init__(self, ui: Ui) -> None:
        self._items: list[tuple[int | str, Callable[[], Colour]]] = []
        ui.on_theme(self._renew)

    def add(self, target: int, colour: Callable[[], Colour]) -> None:
        """A colour of the theme component that is being made."""
        self._items.append((dpg.add_theme_color(target, colour()), colour))

    def _renew(self) -> None:
        for item, colour in self._items:
            dpg.set_value(item, colour())
