"""A row of equal buttons, one of which is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

if TYPE_CHECKING:
    from recon3d_gui.theme import Ui

_HEIGHT, _GAP = 30, 4
_WITH_ICON = 84
"""Narrower buttons have words alone."""


class Tabs:
    """Which of several panels is shown in one place; every tag begins with `tag`."""

    def __init__(
        self, ui: Ui, tag: str, names: Sequence[str], chosen: Callable[[str], None]
    ) -> None:
        self._ui, self._tag, self._names, self._chosen = ui, tag, names, chosen
        self._looks: dict[bool, int | str] = {}
        self._colours: list[tuple[int | str, str]] = []
        self.current = names[0]
        ui.on_theme(self._recolour)

    def build(self, parent: int | str) -> None:
        """Make the buttons."""
        self._looks = {on: self._look(on) for on in (False, True)}
        with dpg.group(parent=parent, horizontal=True, horizontal_spacing=self._ui.px(_GAP)):
            for name in self._names:
                dpg.add_button(
                    label=name, tag=f"{self._tag}.{name.lower()}", height=self._ui.px(_HEIGHT),
                    user_data=name, callback=self._press,
                )  # fmt: skip
        self.choose(self.current)

    def resize(self, width_px: int) -> None:
        """The width of the whole row."""
        count = len(self._names)
        width = (width_px - (count - 1) * self._ui.px(_GAP)) // count
        has_room = width >= self._ui.px(_WITH_ICON)
        for name in self._names:
            label = self._ui.label(name.lower(), name) if has_room else name
            dpg.configure_item(f"{self._tag}.{name.lower()}", width=width, label=label)

    def choose(self, name: str) -> None:
        """Choose one."""
        self.current = name
        for each in self._names:
            dpg.bind_item_theme(f"{self._tag}.{each.lower()}", self._looks[each == name])
        self._chosen(name)

    def _press(self, sender: int | str, app_data: object, name: str) -> None:
        self.choose(name)

    def _look(self, on: bool) -> int | str:
        with dpg.theme() as theme, dpg.theme_component(dpg.mvButton):
            self._colour(dpg.mvThemeCol_Button, "raised" if on else "surface")
            self._colour(dpg.mvThemeCol_ButtonHovered, "outline")
            self._colour(dpg.mvThemeCol_ButtonActive, "outline")
            self._colour(dpg.mvThemeCol_Text, "text" if on else "muted")
        return theme

    def _colour(self, target: int, name: str) -> None:
        self._colours.append((dpg.add_theme_color(target, self._ui.colour(name)), name))

    def _recolour(self) -> None:
        for item, name in self._colours:
            dpg.set_value(item, self._ui.colour(name))
