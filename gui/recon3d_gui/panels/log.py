"""The drawer with the log of the latest run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.job.costs import clock
from recon3d_gui.job.state import LogLine
from recon3d_gui.panels.spacing import spaced_theme

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_MARGIN = 8
_HEADER = 52
_LINE = 20
_EVERYTHING, _WARNINGS = "Everything", "Warnings"
_COLOURS = {"warning": "warning", "error": "bad", "critical": "bad"}


class LogDrawer:
    """Makes widgets only for lines that can be seen, so thousands cost nothing."""

    def __init__(self, studio: Studio, ui: Ui) -> None:
        self._jobs = studio.jobs
        self._ui = ui
        self._lines: list[LogLine] = []
        self._slots = 0
        self._first = -1
        self._drawn: object = None
        ui.on_theme(self._forget)

    def build(self, parent: int | str, height_px: int) -> None:
        """Make the widgets, hidden."""
        px = self._ui.px
        rows_px = height_px - px(_HEADER)
        self._slots = rows_px // px(_LINE) + 2
        with dpg.child_window(parent=parent, tag="log", show=False, border=False, height=height_px,
                              always_use_window_padding=True):  # fmt: skip
            with dpg.group(horizontal=True):
                dpg.add_combo([_EVERYTHING, _WARNINGS], default_value=_EVERYTHING, width=px(128),
                              tag="log.kind", callback=self._forget)  # fmt: skip
                dpg.add_input_text(hint="Find in the log", width=px(240), tag="log.find",
                                   callback=self._forget)  # fmt: skip
                dpg.add_button(label="Copy", tag="log.copy", callback=self._copy)
                dpg.add_text("", tag="log.count")
            with dpg.child_window(tag="log.lines", border=False, height=rows_px):
                dpg.add_spacer(tag="log.extent")
                dpg.add_text("", tag="log.empty", pos=(0, px(4)))
                for number in range(self._slots):
                    dpg.add_text("", tag=f"log.line.{number}")
        dpg.bind_item_theme("log", spaced_theme(px(_MARGIN), px(8)))
        dpg.bind_item_theme("log.lines", spaced_theme(0, 0))

    def update(self) -> None:
        """Show what has come, and follow the end where one is looking at it."""
        key = (self._jobs.run.number, self._jobs.log[-1] if self._jobs.log else None)
        if key != self._drawn:
            end = dpg.get_y_scroll_max("log.lines")
            at_end = dpg.get_y_scroll("log.lines") >= end - self._ui.px(_LINE)
            self._drawn = key
            self._sift()
            if at_end:
                dpg.set_y_scroll("log.lines", -1.0)
        first = int(max(0.0, dpg.get_y_scroll("log.lines")) // self._ui.px(_LINE))
        if first != self._first:
            self._show(first)

    def _sift(self) -> None:
        wanted = str(dpg.get_value("log.find")).casefold()
        only_warnings = dpg.get_value("log.kind") == _WARNINGS
        self._lines = [
            line
            for line in self._jobs.log
            if wanted in line.text.casefold() and (line.level in _COLOURS or not only_warnings)
        ]
        count = len(self._lines)
        dpg.set_value("log.count", "1 line" if count == 1 else f"{count:,} lines")
        dpg.configure_item("log.count", color=self._ui.colour("muted"))
        empty = "Nothing here." if self._jobs.log else "The log of a run appears here."
        dpg.set_value("log.empty", empty)
        dpg.configure_item("log.empty", show=not count, color=self._ui.colour("muted"))
        self._first = -1

    def _show(self, first: int) -> None:
        self._first = first = max(0, min(first, len(self._lines) - self._slots))
        line_px = self._ui.px(_LINE)
        dpg.configure_item("log.extent", height=len(self._lines) * line_px)
        for number in range(self._slots):
            tag, index = f"log.line.{number}", first + number
            dpg.configure_item(tag, show=index < len(self._lines))
            if index < len(self._lines):
                line = self._lines[index]
                dpg.set_item_pos(tag, [0, index * line_px])
                dpg.set_value(tag, _shown(line))
                dpg.bind_item_font(tag, self._ui.font("mono", line.text))
                dpg.configure_item(tag, color=self._ui.colour(_COLOURS.get(line.level, "text")))

    def _copy(self) -> None:
        dpg.set_clipboard_text("\n".join(map(_shown, self._lines)))

    def _forget(self) -> None:
        self._drawn = None


def _shown(line: LogLine) -> str:
    level = f"{line.level}: " if line.level in _COLOURS else ""
    return f"{clock(line.at):>7}  {level}{line.text}"
