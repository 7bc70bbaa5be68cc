"""The list of lengths beside the model, while the measuring tool is in hand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.viewer.workbench import Workbench

if TYPE_CHECKING:
    from recon3d_gui.panels.looks import Looks
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_WIDTH, _LENGTH, _CLEAR = 300, 96, 26
_ROW, _HEAD = 30, 50
_SHARE = 0.6
"""Of the model's height that the list takes at most."""


class ModelLengths:
    """A small window in the upper right corner of the model."""

    def __init__(self, studio: Studio, ui: Ui, bench: Workbench) -> None:
        self._studio, self._ui, self._bench = studio, ui, bench
        self._looks: Looks
        self._shown: tuple[object, ...] = ()
        self._top_px = 0

    def build(self, parent: int | str, looks: Looks) -> None:
        """Make the widgets."""
        px = self._ui.px
        self._looks = looks
        with dpg.child_window(
            parent=parent, tag="model.lengths", show=False, width=px(_WIDTH), height=px(_HEAD)
        ):
            with dpg.group(horizontal=True, horizontal_spacing=px(8)):
                dpg.add_button(label="Copy as CSV", tag="model.lengths.copy", callback=self._copy)
                dpg.add_text("", tag="model.lengths.count")
            dpg.add_group(tag="model.lengths.rows")
        dpg.bind_item_theme("model.lengths.count", looks.muted)
        self._ui.explain(
            "model.lengths.copy", "All lengths with their ends, to be pasted into a spreadsheet"
        )
        with dpg.theme() as inset, dpg.theme_component(dpg.mvChildWindow):
            dpg.add_theme_style(dpg.mvStyleVar_WindowPadding, px(10), px(8))
            dpg.add_theme_style(dpg.mvStyleVar_ChildRounding, px(6))
        with dpg.theme_component(dpg.mvAll, parent=inset):
            dpg.add_theme_style(dpg.mvStyleVar_FramePadding, px(6), px(4))
            dpg.add_theme_style(dpg.mvStyleVar_ItemSpacing, px(6), px(6))
        dpg.bind_item_theme("model.lengths", inset)
        self._shown = ()

    def place(self, top_px: int) -> None:
        """Where its upper edge is on the page."""
        self._top_px, self._shown = top_px, ()

    def update(self) -> None:
        """Follow the workbench."""
        bench = self._bench
        lengths = bench.lengths if bench.tool == "measure" else ()
        now = (lengths, bench.navigator.canvas_px, self._ui.theme)
        if now == self._shown:
            return
        is_same_list = bool(self._shown) and self._shown[0] is lengths
        self._shown = now
        dpg.configure_item("model.lengths", show=bool(lengths))
        if not lengths:
            dpg.delete_item("model.lengths.rows", children_only=True)
            return
        px, (width, height) = self._ui.px, bench.navigator.canvas_px
        wanted = px(_HEAD) + px(_ROW) * len(lengths)
        dpg.configure_item("model.lengths", height=min(wanted, int(_SHARE * height)))
        dpg.set_item_pos("model.lengths", [width - px(_WIDTH + 8), self._top_px])
        dpg.set_value("model.lengths.count", f"{len(lengths)}" if len(lengths) > 1 else "")
        if not is_same_list:
            self._list()

    def _list(self) -> None:
        px = self._ui.px
        dpg.delete_item("model.lengths.rows", children_only=True)
        for index, each in enumerate(self._bench.lengths):
            name = each.measurement.name
            with dpg.group(horizontal=True, parent="model.lengths.rows"):
                field = dpg.add_input_text(
                    default_value=name, width=-px(_LENGTH + _CLEAR + 12), on_enter=True,
                    tag=f"model.lengths.name.{index}", callback=partial(self._rename, index),
                )  # fmt: skip
                dpg.bind_item_font(field, self._ui.font("normal", name))
                length = dpg.add_button(
                    label=each.text, tag=f"model.lengths.show.{index}", width=px(_LENGTH),
                    callback=partial(self._bench.show_length, index),
                )  # fmt: skip
                clear = dpg.add_button(
                    label="×", tag=f"model.lengths.delete.{index}", width=px(_CLEAR),
                    callback=partial(self._bench.delete_length, index),
                )  # fmt: skip
            dpg.bind_item_theme(length, self._looks.link)
            dpg.bind_item_theme(clear, self._looks.icon)

    def _rename(self, index: int, sender: int | str, name: str) -> None:
        self._bench.rename_length(index, name)

    def _copy(self) -> None:
        dpg.set_clipboard_text(self._bench.length_table())
        count = len(self._bench.lengths)
        what = "1 length is" if count == 1 else f"{count} lengths are"
        self._studio.toast(f"{what} in the clipboard.", "good")
