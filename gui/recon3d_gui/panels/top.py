"""The bar at the top: the project, undo and redo, theme and help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.panels.looks import Looks
from recon3d_gui.panels.spacing import spaced_theme
from recon3d_gui.photos.latest import Latest
from recon3d_gui.project.preferences import Theme
from recon3d_gui.project.recent import Recent, look_up

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_HEIGHT = 40
_RIGHT = 148


class TopBar:
    """Title and the few things that are not of one page."""

    def __init__(self, studio: Studio, ui: Ui, show_help: Callable[[], None]) -> None:
        self._studio, self._ui, self._show_help = studio, ui, show_help
        self._recent: Latest[list[Recent]] = Latest("recent projects")
        self._asked: tuple[Path, ...] | None = None
        self._shown: tuple[object, ...] = ()

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        px, looks = self._ui.px, Looks(self._ui)
        with (
            dpg.child_window(
                parent=parent, tag="top", border=False, no_scrollbar=True,
                always_use_window_padding=True,
            ),
            dpg.group(horizontal=True),
        ):  # fmt: skip
            dpg.add_button(label="Project", tag="top.project")
            with dpg.popup("top.project", mousebutton=dpg.mvMouseButton_Left, tag="top.menu"):
                dpg.add_menu_item(label="New", shortcut="Ctrl+N", callback=self._studio.new)
                dpg.add_menu_item(label="Open", shortcut="Ctrl+O", callback=self._studio.ask_open)
                dpg.add_menu_item(label="Save", shortcut="Ctrl+S", callback=self._studio.save)
                dpg.add_menu_item(label="Save as", callback=self._studio.save_as)
                dpg.add_separator()
                dpg.add_group(tag="top.recent")
            dpg.add_button(label="Undo", tag="top.undo", callback=self._studio.undo)
            dpg.add_button(label="Redo", tag="top.redo", callback=self._studio.redo)
            dpg.add_button(label="", tag="top.title")
            dpg.bind_item_theme("top.title", looks.label)
            dpg.add_button(label="Theme", tag="top.theme", callback=self._switch_theme)
            dpg.add_button(label="Keys", tag="top.help", callback=self._show_help)
        for item, text in (
            ("top.undo", "Take the latest change back (Ctrl+Z)"),
            ("top.redo", "Do it again (Ctrl+Y)"),
            ("top.theme", "Dark or light"),
            ("top.help", "Keys and mouse (F1)"),
        ):
            looks.explain(item, text)
        dpg.bind_item_theme("top", spaced_theme(px(8), px(6)))

    def resize(self, width_px: int, height_px: int) -> None:
        """The space it has now."""
        px = self._ui.px
        dpg.configure_item("top", width=width_px, height=px(_HEIGHT))
        dpg.set_item_pos("top.theme", [width_px - px(_RIGHT), px(6)])
        dpg.set_item_pos("top.help", [width_px - px(_RIGHT) + px(72), px(6)])

    def update(self) -> None:
        """Show the project's name, and what could be undone."""
        studio, recent = self._studio, self._studio.preferences.recent
        if recent != self._asked:
            self._asked = recent
            self._recent.ask(lambda: look_up(recent))
        if (found := self._recent.answer()) is not None:
            self._list_recent(found)
        history = studio.history
        shown = (studio.title, history.undo_label, history.redo_label)
        if shown == self._shown:
            return
        self._shown = shown
        saved = "" if studio.file else " (not saved yet)"
        dpg.configure_item("top.title", label=f"{studio.title}{saved}##title")
        dpg.bind_item_font("top.title", self._ui.font("normal", studio.title))
        dpg.configure_item("top.undo", enabled=history.undo_label is not None)
        dpg.configure_item("top.redo", enabled=history.redo_label is not None)

    def _list_recent(self, found: list[Recent]) -> None:
        dpg.delete_item("top.recent", children_only=True)
        for recent in found:
            item = dpg.add_menu_item(
                label=recent.name, parent="top.recent", enabled=not recent.missing,
                user_data=recent.path, callback=self._open_recent,
            )  # fmt: skip
            dpg.bind_item_font(item, self._ui.font("normal", recent.name))
            with dpg.tooltip(item):
                dpg.add_text(str(recent.path) + (" (not there now)" if recent.missing else ""))

    def _open_recent(self, sender: int, app_data: object, path: Path) -> None:
        self._studio.open(path)

    def _switch_theme(self) -> None:
        theme: Theme = "light" if self._ui.theme == "dark" else "dark"
        self._ui.use_theme(theme)
        self._studio.prefer(theme=theme)
