"""The bar at the top: the project, undo and redo, theme and help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d.language import translate
from recon3d_gui.panels.looks import Looks
from recon3d_gui.panels.spacing import spaced_theme
from recon3d_gui.photos.latest import Latest
from recon3d_gui.project.preferences import Theme
from recon3d_gui.project.recent import Recent, look_up

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_HEIGHT, _EDGE, _TOP = 40, 8, 6
_RIGHT = {"top.calibrate": 112, "top.theme": 88, "top.help": 80}
"""Buttons at the right end and their widths."""
_MENU = 240


class TopBar:
    """Title and the few things that are not of one page."""

    def __init__(self, studio: Studio, ui: Ui, show_help: Callable[[], None]) -> None:
        self._studio, self._ui, self._show_help = studio, ui, show_help
        self._recent: Latest[list[Recent]] = Latest("recent projects")
        self._asked: tuple[Path, ...] | None = None
        self._shown: tuple[object, ...] = ()

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        px, label, looks = self._ui.px, self._ui.label, Looks(self._ui)
        with (
            dpg.child_window(
                parent=parent, tag="top", border=False, no_scrollbar=True,
                always_use_window_padding=True,
            ),
            dpg.group(horizontal=True),
        ):  # fmt: skip
            dpg.add_button(
                label=label("project", "Project"), tag="top.project", callback=self._open_menu
            )
            dpg.add_button(label=label("undo", "Undo"), tag="top.undo", callback=self._studio.undo)
            dpg.add_button(label=label("redo", "Redo"), tag="top.redo", callback=self._studio.redo)
            dpg.add_button(label="", tag="top.title")
            dpg.bind_item_theme("top.title", looks.label)
            with dpg.group(horizontal=True, horizontal_spacing=px(_EDGE), tag="top.right"):
                dpg.add_button(
                    label=label("calibrate", "Calibrate"),
                    tag="top.calibrate",
                    callback=self._calibrate,
                )
                dpg.add_button(
                    label=label("theme", "Theme"), tag="top.theme", callback=self._switch_theme
                )
                dpg.add_button(
                    label=label("keys", "Keys"), tag="top.help", callback=self._show_help
                )
            for tag, width in _RIGHT.items():
                dpg.set_item_width(tag, px(width))
        self._build_menu()
        for item, text in (
            ("top.undo", "Take the latest change back (Ctrl+Z)"),
            ("top.redo", "Do it again (Ctrl+Y)"),
            ("top.calibrate", "Measure a camera with photos of a printed board"),
            ("top.theme", "Dark or light"),
            ("top.help", "Keys and mouse (F1)"),
        ):
            self._ui.explain(item, text)
        dpg.bind_item_theme("top", spaced_theme(px(8), px(6)))

    def resize(self, width_px: int, height_px: int) -> None:
        """The space it has now."""
        px = self._ui.px
        dpg.configure_item("top", width=width_px, height=px(_HEIGHT))
        buttons_px = sum(px(_EDGE + width) for width in _RIGHT.values())
        dpg.set_item_pos("top.right", [width_px - buttons_px, px(_TOP)])

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
        saved = "" if studio.file else translate(" (not saved yet)")
        dpg.configure_item("top.title", label=f"{studio.title}{saved}##title")
        dpg.bind_item_font("top.title", self._ui.font("normal", studio.title))
        dpg.configure_item("top.undo", enabled=history.undo_label is not None)
        dpg.configure_item("top.redo", enabled=history.redo_label is not None)

    def _build_menu(self) -> None:
        studio, width = self._studio, self._ui.px(_MENU)
        with dpg.window(
            tag="top.menu", popup=True, show=False, no_move=True, autosize=True,
            min_size=(width, 10), max_size=(width, 10_000),
        ):  # fmt: skip
            dpg.add_menu_item(label="New", shortcut="Ctrl+N", callback=studio.new)
            dpg.add_menu_item(label="Open...", shortcut="Ctrl+O", callback=studio.ask_open)
            dpg.add_menu_item(label="Save", shortcut="Ctrl+S", callback=studio.save)
            dpg.add_menu_item(label="Save as...", callback=studio.save_as)
            dpg.add_separator(tag="top.line", show=False)
            dpg.add_group(tag="top.recent")

    def _open_menu(self, sender: int | str) -> None:
        left, top = dpg.get_item_rect_min(sender)
        below = top + dpg.get_item_rect_size(sender)[1] + self._ui.px(4)
        dpg.configure_item("top.menu", pos=(left, below), show=True)

    def _list_recent(self, found: list[Recent]) -> None:
        dpg.delete_item("top.recent", children_only=True)
        dpg.configure_item("top.line", show=bool(found))
        for recent in found:
            item = dpg.add_menu_item(
                label=recent.name, parent="top.recent", enabled=not recent.missing,
                user_data=recent.path, callback=self._open_recent,
            )  # fmt: skip
            dpg.bind_item_font(item, self._ui.font("normal", recent.name))
            missing = translate(" (not there now)") if recent.missing else ""
            self._ui.explain(item, f"{recent.path}{missing}")

    def _open_recent(self, sender: int, app_data: object, path: Path) -> None:
        self._studio.open(path)

    def _calibrate(self) -> None:
        self._studio.page = "calibration"

    def _switch_theme(self) -> None:
        theme: Theme = "light" if self._ui.theme == "dark" else "dark"
        self._ui.use_theme(theme)
        self._studio.prefer(theme=theme)
