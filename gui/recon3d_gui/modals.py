"""Dialogs over the window: Esc puts the topmost away, Enter does what its bright button does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.panels.primary import PrimaryLook
from recon3d_gui.panels.spacing import spaced_theme

if TYPE_CHECKING:
    from recon3d_gui.theme import Ui

_BUTTON = (120, 32)
_MARGIN = 16


@dataclass(frozen=True)
class _Modal:
    tag: str
    close: Callable[[], None]
    accept: Callable[[], None] | None


class Modals:
    """Knows which are open; while one is, no other key means anything."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._open: list[_Modal] = []
        self._primary = PrimaryLook(ui, "modal.primary")
        self._spaced: int | str = 0

    def build(self) -> None:
        """Make the looks."""
        self._primary.build()
        self._spaced = spaced_theme(self._ui.px(_MARGIN), self._ui.px(8))

    @property
    def is_open(self) -> bool:
        """Whether one is in front of the window."""
        return bool(self._open)

    @contextmanager
    def show(
        self,
        tag: str,
        title: str,
        size: tuple[int, int],
        close: Callable[[], None] | None = None,
        accept: Callable[[], None] | None = None,
    ) -> Iterator[None]:
        """Open one and fill it; nothing happens where it is open already.

        size: in lengths of the design; close: called when it is put away without an answer;
        accept: what Enter means, nothing where it belongs to a text of several lines.
        """
        width, height = map(self._ui.px, size)

        def leave() -> None:
            self.put_away(tag)
            if close:
                close()

        with dpg.window(
            tag=tag, label=title, modal=True, no_resize=True, no_move=True, no_collapse=True,
            no_saved_settings=True, width=width, height=height, on_close=leave,
            pos=_centred(width, height),
        ):  # fmt: skip
            yield
        dpg.bind_item_theme(tag, self._spaced)
        self._open.append(_Modal(tag, leave, accept))

    def buttons(
        self,
        accept: tuple[str, str, Callable[[], None]],
        other: tuple[str, str, Callable[[], None]],
    ) -> None:
        """The row at the end: label, tag and deed of the bright button and of the other one."""
        width, height = map(self._ui.px, _BUTTON)
        with dpg.group(horizontal=True, horizontal_spacing=self._ui.px(8)):
            for label, tag, deed in (accept, other):
                dpg.add_button(label=label, tag=tag, width=width, height=height, callback=deed)
        dpg.bind_item_theme(accept[1], self._primary.tag)

    def put_away(self, tag: str) -> None:
        """Take one away, if it is there."""
        self._open = [modal for modal in self._open if modal.tag != tag]
        if dpg.does_item_exist(tag):
            dpg.delete_item(tag)

    def key(self, key: int) -> None:
        """A key for the topmost."""
        modal = self._open[-1]
        if key == dpg.mvKey_Escape:
            modal.close()
        elif key in (dpg.mvKey_Return, dpg.mvKey_NumPadEnter) and modal.accept:
            modal.accept()


def close_menus() -> bool:
    """Put away whatever has unfolded below a button; whether there was anything."""
    shown = [
        window
        for window in dpg.get_windows()
        if dpg.get_item_configuration(window).get("popup") and dpg.is_item_shown(window)
    ]
    for window in shown:
        dpg.configure_item(window, show=False)
    return bool(shown)


def _centred(width_px: int, height_px: int) -> list[int]:
    return [
        max(0, (dpg.get_viewport_client_width() - width_px) // 2),
        max(0, (dpg.get_viewport_client_height() - height_px) // 2),
    ]
