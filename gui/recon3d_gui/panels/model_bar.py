"""The row of buttons above the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import dearpygui.dearpygui as dpg

from recon3d.language import translate
from recon3d_gui.panels.flow import flowed
from recon3d_gui.panels.model_saving import SavingMenu
from recon3d_gui.panels.paint import Paint
from recon3d_gui.panels.primary import PrimaryLook
from recon3d_gui.viewer.cameras import Side
from recon3d_gui.viewer.protocol import Mode
from recon3d_gui.viewer.workbench import Tool, Workbench

if TYPE_CHECKING:
    from recon3d_gui.contrast import Colour
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_TIPS = {
    "Points": "The points that placing the photos has found (1)",
    "Cloud": "What all photos together have measured (2)",
    "Colour": "The model in its own colours (3)",
    "Clay": "The shape alone, lit from where you look (4)",
    "Normals": "Where the surface faces (5)",
    "Confidence": "How many photos agree on each place (6)",
    "Coverage": "Where photos are missing, and where to stand for the next ones (7)",
    "Exactness": "The error that can be expected of each place, by how many photos see it, from "
    "how far and how wide apart (8)",
}
_TOOLS: Mapping[str, tuple[Tool, str]] = {
    "Crop": ("crop", "Keep only a box of the model (B)"),
    "Measure": ("measure", "The distance of two points, and the model's true size (M)"),
    "Upright": ("upright", "Say which way is up"),
}
_ROW, _BUTTON, _EDGE, _GAP, _BREAK = 40, 28, 8, 2, 12
"""Height of a row and of its buttons; distances to the edge, to each other, and between groups."""
_FAINT = 140
"""Opacity of words that cannot be pressed now, as everywhere in the window."""
_SIDES: tuple[Side, ...] = ("front", "back", "left", "right", "top", "bottom")
_MENUS = {"show": "Show...", "view": "View...", "compare": "Compare...", "save": "Save..."}
_SHOWN = {"wireframe": "Wireframe (W)", "grid": "Ground grid (G)", "cameras": "Cameras (C)"}


class ModelBar:
    """What is on follows the workbench, whoever changed it."""

    def __init__(self, studio: Studio, ui: Ui, bench: Workbench, modes: Mapping[str, Mode]) -> None:
        self._studio, self._ui, self._bench, self._modes = studio, ui, bench, modes
        self._saving = SavingMenu(studio, ui, bench)
        self._shown: tuple[object, ...] = ()
        self._runs: tuple[object, ...] = ()
        self._groups: list[list[str]] = []
        self._width_px = 0
        self._flowed: tuple[object, ...] = ()
        self.height_px = ui.px(_ROW)
        """That it needs now: buttons go on in a second row where one has no room for them."""
        self._on = PrimaryLook(ui, "model.on")
        self._off: int | str = 0
        self._paint = Paint(ui)

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        px = self._ui.px
        self._on.build()
        with dpg.theme() as self._off:
            with dpg.theme_component(dpg.mvButton):
                dpg.add_theme_color(dpg.mvThemeCol_Button, (0, 0, 0, 0))
            with dpg.theme_component(dpg.mvButton, enabled_state=False):
                for state in ("Button", "ButtonHovered", "ButtonActive"):
                    dpg.add_theme_color(getattr(dpg, f"mvThemeCol_{state}"), (0, 0, 0, 0))
                self._paint.add(dpg.mvThemeCol_Text, self._faint)
        with dpg.child_window(
            parent=parent, tag="model.bar", border=False, no_scrollbar=True, height=px(_ROW),
            no_scroll_with_mouse=True,
        ), dpg.group(tag="model.bar_row"):  # fmt: skip
            self._groups.append([])
            for name, mode in self._modes.items():
                self._button(name, f"model.mode.{mode}", mode, self._on_mode, mode, _TIPS[name])
            self._groups.append([])
            for name, (tool, tip) in _TOOLS.items():
                self._button(name, f"model.tool.{tool}", tool, self._on_tool, tool, tip)
            self._groups.append([])
            for name, words in _MENUS.items():
                tag = f"model.{name}"
                self._button(words, tag, name, self._on_menu, f"{tag}_menu", "")
        with dpg.theme() as roomy:
            for is_enabled in (True, False):
                with dpg.theme_component(dpg.mvButton, enabled_state=is_enabled):
                    dpg.add_theme_style(dpg.mvStyleVar_FramePadding, px(7), px(4))
        dpg.bind_item_theme("model.bar_row", roomy)
        self._build_menus()

    def resize(self, width_px: int) -> None:
        """The width it has now."""
        self._width_px = width_px
        self._flow()

    def update(self) -> None:
        """Mark what is on."""
        self._flow()
        self._saving.update()
        style, bench = self._bench.viewer.style, self._bench
        runs = tuple(self._studio.project.runs)
        # Before there is a model the bright button is the one that leads to it.
        is_usable = self._studio.shows_model
        mode_on = style.mode if is_usable else None
        now = (
            mode_on, style.wireframe, style.grid, style.cameras, bench.tool, bench.compared,
            is_usable,
        )  # fmt: skip
        if now == self._shown and runs == self._runs:
            return
        for tag in chain(*self._groups):
            dpg.configure_item(tag, enabled=is_usable)
        for mode in self._modes.values():
            self._mark(f"model.mode.{mode}", is_on=mode == mode_on)
        for tool, _ in _TOOLS.values():
            self._mark(f"model.tool.{tool}", is_on=tool == bench.tool)
        for name in _SHOWN:
            dpg.set_value(f"model.show.{name}", getattr(style, name))
        self._mark("model.compare", is_on=bench.compared is not None)
        if runs != self._runs or not self._shown:
            self._list_runs()
        self._shown, self._runs = now, runs

    def _flow(self) -> None:
        """Put the buttons in rows; how wide they are is known once they have been drawn."""
        widths = [[dpg.get_item_rect_size(tag)[0] for tag in group] for group in self._groups]
        now = (self._width_px, *map(tuple, widths))
        if now == self._flowed:
            return
        self._flowed = now
        px = self._ui.px
        places, rows = flowed(widths, self._width_px - 2 * px(_EDGE), px(_GAP), px(_BREAK))
        for tag, (left, row) in zip(chain(*self._groups), chain(*places), strict=True):
            dpg.set_item_pos(tag, [px(_EDGE) + left, px((_ROW - _BUTTON) / 2) + row * px(_ROW - 4)])
        self.height_px = px(_ROW) + (rows - 1) * px(_ROW - 4)
        dpg.configure_item("model.bar", height=self.height_px)

    def _faint(self) -> Colour:
        red, green, blue, _ = self._ui.colour("muted")
        return red, green, blue, _FAINT

    def _build_menus(self) -> None:
        px = self._ui.px
        with self._menu("model.show_menu"):
            for name, label in _SHOWN.items():
                dpg.add_checkbox(
                    label=label, tag=f"model.show.{name}", callback=self._on_shown, user_data=name
                )
        with self._menu("model.view_menu"):
            dpg.add_selectable(
                label="All of it (F)", tag="model.view.all", width=px(140), callback=self._on_side
            )
            for side in _SIDES:
                dpg.add_selectable(
                    label=side.capitalize(),
                    tag=f"model.view.{side}",
                    width=px(140),
                    callback=self._on_side,
                    user_data=side,
                )
        with self._menu("model.compare_menu"):
            dpg.add_group(tag="model.runs")
        with self._menu("model.save_menu"):
            self._saving.build(self._close)

    def _menu(self, tag: str) -> Any:
        return dpg.window(
            tag=tag, popup=True, show=False, no_move=True, autosize=True, min_size=(10, 10)
        )

    def _button(
        self, words: str, tag: str, icon: str, callback: Callable[[Any, Any, Any], None],
        value: str, tip: str,
    ) -> None:  # fmt: skip
        label = self._ui.label(icon, words)
        dpg.add_button(label=label, tag=tag, callback=callback, user_data=value)
        self._groups[-1].append(tag)
        dpg.configure_item(tag, height=self._ui.px(_BUTTON))
        dpg.bind_item_theme(tag, self._off)
        if tip:
            self._ui.explain(tag, tip)

    def _list_runs(self) -> None:
        dpg.delete_item("model.runs", children_only=True)
        width = self._ui.px(220)
        runs = self._studio.project.runs
        if not runs:
            dpg.add_text(
                "Finished runs are listed here:\nrun once more with other settings.",
                parent="model.runs",
                color=self._ui.colour("muted"),
            )
            return
        for run in reversed(runs):
            dpg.add_selectable(
                label=f"{translate(run.name)}  {run.finished_at:%Y-%m-%d %H:%M}##{id(run)}",
                parent="model.runs",
                width=width,
                default_value=run == self._bench.compared,
                callback=self._on_compare,
                user_data=run,
            )
        dpg.add_selectable(
            label="Do not compare",
            tag="model.compare.off",
            parent="model.runs",
            width=width,
            callback=self._on_compare,
        )

    def _on_mode(self, sender: Any, app_data: Any, mode: Mode) -> None:
        self._bench.set_mode(mode)

    def _on_tool(self, sender: Any, app_data: Any, tool: Tool) -> None:
        self._bench.take(tool)

    def _on_shown(self, sender: Any, app_data: Any, name: Any) -> None:
        self._bench.toggle(name)

    def _on_side(self, sender: Any, app_data: Any, side: Side | None) -> None:
        self._close("model.view_menu")
        dpg.set_value(sender, False)
        if side is None:
            self._bench.navigator.frame_all()
        else:
            self._bench.navigator.from_side(side)

    def _on_compare(self, sender: Any, app_data: Any, run: Any) -> None:
        self._close("model.compare_menu")
        self._bench.compare(run)
        self._list_runs()

    def _on_menu(self, sender: Any, app_data: Any, menu: str) -> None:
        left, top = dpg.get_item_rect_min(sender)
        _, height = dpg.get_item_rect_size(sender)
        dpg.configure_item(menu, pos=(left, top + height + self._ui.px(4)), show=True)

    def _close(self, menu: str) -> None:
        dpg.configure_item(menu, show=False)

    def _mark(self, tag: str, *, is_on: bool) -> None:
        dpg.bind_item_theme(tag, self._on.tag if is_on else self._off)
