"""Short messages in the lower right corner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

if TYPE_CHECKING:
    from recon3d_gui.notices import Toast
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_WIDTH, _GAP, _MARGIN = 380, 8, 16
_COLOURS = {"info": "accent", "good": "good", "warning": "warning", "bad": "bad"}


class ToastLayer:
    """A small window for each message; gone ones are deleted."""

    def __init__(self, studio: Studio, ui: Ui) -> None:
        self._studio, self._ui = studio, ui
        self._shown: dict[int, tuple[Toast, int | str]] = {}
        ui.on_theme(self._forget)

    def place(self, right_px: int, bottom_px: int) -> None:
        """Keep the messages above a corner, the newest at the bottom."""
        for key, (toast, window) in list(self._shown.items()):
            if toast not in self._studio.notices.shown:
                dpg.delete_item(window)
                del self._shown[key]
        for toast in reversed(self._studio.notices.shown):
            if id(toast) not in self._shown:
                self._shown[id(toast)] = (toast, self._build(toast))
            window = self._shown[id(toast)][1]
            height = dpg.get_item_height(window) or 0
            bottom_px -= max(height, self._ui.px(40)) + self._ui.px(_GAP)
            left = right_px - self._ui.px(_WIDTH + _MARGIN)
            if list(dpg.get_item_pos(window)) != [left, bottom_px]:
                dpg.set_item_pos(window, [left, bottom_px])

    def _build(self, toast: Toast) -> int | str:
        px, text = self._ui.px, toast.text
        with dpg.window(
            no_title_bar=True, no_resize=True, no_move=True, no_focus_on_appearing=True,
            autosize=True, no_saved_settings=True, min_size=[px(_WIDTH), px(40)],
            max_size=[px(_WIDTH), px(400)],
        ) as window:  # fmt: skip
            told = dpg.add_text(
                text, wrap=px(_WIDTH - 32), color=self._ui.colour(_COLOURS[toast.kind])
            )
            dpg.bind_item_font(told, self._ui.font("normal", text))
            if toast.details:
                more = dpg.add_text(toast.details, wrap=px(_WIDTH - 32))
                dpg.bind_item_font(more, self._ui.font("small", toast.details))
            with dpg.group(horizontal=True):
                dpg.add_button(label="Close", user_data=toast, callback=self._close)
                if toast.kind in ("bad", "warning"):
                    dpg.add_button(label="Copy", user_data=toast, callback=self._copy)
        return window

    def _forget(self) -> None:
        """The colours have changed: make them anew."""
        for _, window in self._shown.values():
            dpg.delete_item(window)
        self._shown.clear()

    def _close(self, sender: int, app_data: object, toast: Toast) -> None:
        self._studio.notices.dismiss(toast)

    def _copy(self, sender: int, app_data: object, toast: Toast) -> None:
        dpg.set_clipboard_text(f"{toast.text}\n{toast.details}".strip())
