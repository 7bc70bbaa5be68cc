"""Keys, and the page that lists them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import dearpygui.dearpygui as dpg

from recon3d_gui.theme import Ui

# ImGui's own numbers of the Command keys: DearPyGui's mvKey_LWin is another library's, and asking
# whether that is down reads whatever lies in memory there.
_COMMAND = (530, 534)
_CONTROL = _COMMAND if sys.platform == "darwin" else (dpg.mvKey_LControl, dpg.mvKey_RControl)
_SHIFT = (dpg.mvKey_LShift, dpg.mvKey_RShift)

LISTED: dict[str, dict[str, str]] = {
    "Project": {
        "Ctrl+N": "New project",
        "Ctrl+O": "Open a project",
        "Ctrl+S": "Save the project",
        "Ctrl+V": "Add what was copied: files, or paths as text",
        "Ctrl+Z / Ctrl+Y": "Undo / redo",
        "Ctrl+Enter": "Start or go on",
        "F1": "This page",
    },
    "Photos": {
        "Delete": "Exclude or include the selected photos",
        "Double click": "See the photo large",
        "Left / Right": "Previous / next photo",
        "Shift / Ctrl + click": "Select several",
    },
    "3D view": {
        "Left mouse button": "Turn",
        "Right or middle button": "Move",
        "Wheel": "Zoom to the mouse",
        "Double click": "Turn around this point",
        "Right button + W A S D Q E": "Fly; Shift is faster",
        "F": "See everything",
        "1 to 6": "Points, cloud, colour, clay, normals, trust",
        "W / G / C": "Wireframe / grid / cameras",
        "B / M": "Crop box / measure",
        "Esc": "Put the tool away",
    },
}


class Shortcuts:
    """Calls what a key with Ctrl stands for, and shows the list."""

    def __init__(self, ui: Ui, actions: dict[tuple[str, int], Callable[[], None]]) -> None:
        """actions: by modifier ("", "ctrl" or "ctrl+shift") and key."""
        self._ui = ui
        self._actions = actions

    def build(self) -> None:
        """Listen to the keyboard."""
        with dpg.handler_registry(tag="shortcuts"):
            dpg.add_key_press_handler(callback=self._pressed)

    def toggle(self) -> None:
        """Show or hide the list."""
        if dpg.does_item_exist("help"):
            dpg.delete_item("help")
            return
        px, ui = self._ui.px, self._ui
        width, height = dpg.get_viewport_client_width(), dpg.get_viewport_client_height()
        size = (px(920), px(470))
        with (
            dpg.window(
                tag="help", label="Keys and mouse", modal=True, no_resize=True, no_move=True,
                width=size[0], height=size[1], no_saved_settings=True, no_collapse=True,
                pos=((width - size[0]) // 2, max(0, (height - size[1]) // 2)),
                on_close=self._closed,
            ),
            dpg.group(horizontal=True, horizontal_spacing=px(24)),
        ):  # fmt: skip
            for section, keys in LISTED.items():
                with dpg.group(width=px(280)):
                    title = dpg.add_text(section)
                    dpg.bind_item_font(title, ui.font("title"))
                    for key, meaning in keys.items():
                        dpg.add_text(key, color=ui.colour("accent"))
                        told = dpg.add_text(meaning)
                        dpg.bind_item_font(told, ui.font("small"))

    def _closed(self, sender: int | str) -> None:
        dpg.delete_item("help")

    def _pressed(self, sender: int, key: int, user_data: Any) -> None:
        control = any(map(dpg.is_key_down, _CONTROL))
        shift = any(map(dpg.is_key_down, _SHIFT))
        modifier = ("ctrl+shift" if shift else "ctrl") if control else ""
        if action := self._actions.get((modifier, key)):
            action()
