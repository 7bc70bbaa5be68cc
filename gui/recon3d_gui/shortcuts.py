"""Keys, and the page that lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dearpygui.dearpygui as dpg

from recon3d_gui.keyboard import is_control_down, is_for_field, is_shift_down
from recon3d_gui.modals import Modals, close_menus
from recon3d_gui.theme import Ui

_SIZE, _COLUMN, _KEY = (1008, 580), 320, 158

LISTED: dict[str, dict[str, str]] = {
    "Project": {
        "Ctrl+N": "New project",
        "Ctrl+O": "Open a project",
        "Ctrl+S": "Save the project",
        "Ctrl+V": "Add copied files or paths",
        "Ctrl+Z / Ctrl+Y": "Undo / redo",
        "Ctrl+Enter": "Start or go on",
        "Ctrl+Plus / Minus": "Larger / smaller text",
        "Esc": "Close; back to the model",
        "F1": "This page",
    },
    "Photos": {
        "Delete": "Exclude or include",
        "Double click": "See it large",
        "Arrows": "Previous / next",
        "Enter": "See the chosen one large",
        "Shift / Ctrl + click": "Select several",
        "Ctrl+wheel": "Size of a mask's brush",
    },
    "3D view": {
        "Left button": "Turn",
        "Right or middle": "Move",
        "Wheel": "Zoom to the mouse",
        "Double click": "Turn around this point",
        "Right + W A S D Q E": "Fly; Shift is faster",
        "F": "See all of it",
        "Axes in the corner": "Click: look from there",
        "Number pad 1 / 3 / 7": "Front / right / top",
        "Ctrl + these": "Back / left / bottom",
        "Number pad 5": "Parallel or perspective",
        "Number pad .": "See the chosen camera",
        "Number pad 0": "Look through it",
        "1 to 8": "Points to exactness",
        "W / G / C": "Wireframe / grid / cameras",
        "B / M": "Crop / measure",
        "Esc": "Put the tool away",
    },
}


class Shortcuts:
    """Calls what a key stands for, and shows the list."""

    def __init__(
        self, ui: Ui, modals: Modals, actions: dict[tuple[str, int], Callable[[], None]]
    ) -> None:
        """actions: by modifier ("", "ctrl" or "ctrl+shift") and key."""
        self._ui, self._modals = ui, modals
        self._actions = actions

    def build(self) -> None:
        """Listen to the keyboard."""
        with dpg.handler_registry(tag="shortcuts"):
            dpg.add_key_press_handler(callback=self._pressed)

    def toggle(self) -> None:
        """Show or hide the list."""
        if dpg.does_item_exist("help"):
            self._modals.put_away("help")
            return
        close_menus()
        px = self._ui.px
        with (
            self._modals.show("help", "Keys and mouse", _SIZE),
            dpg.group(horizontal=True, horizontal_spacing=0),
        ):
            for section, keys in LISTED.items():
                with dpg.child_window(width=px(_COLUMN), border=False, no_scrollbar=True):
                    self._list(section, keys)

    def _list(self, section: str, keys: dict[str, str]) -> None:
        ui = self._ui
        title = dpg.add_text(section)
        dpg.bind_item_font(title, ui.font("title"))
        for key, meaning in keys.items():
            with dpg.group(horizontal=True, xoffset=ui.px(_KEY)):
                for text, colour in ((key, "muted"), (meaning, "text")):
                    told = dpg.add_text(text, color=ui.colour(colour))
                    dpg.bind_item_font(told, ui.font("small"))

    def _pressed(self, sender: int, key: int, user_data: Any) -> None:
        if self._modals.is_open:
            if key == dpg.mvKey_F1:
                self._modals.put_away("help")
            else:
                self._modals.key(key)
            return
        if is_for_field(key):
            return
        modifier = ""
        if is_control_down():
            modifier = "ctrl+shift" if is_shift_down() else "ctrl"
        if action := self._actions.get((modifier, key)):
            action()
