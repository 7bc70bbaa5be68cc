"""What the tool in hand says and offers, over the model's upper edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dearpygui.dearpygui as dpg

from recon3d.core.errors import ReconError
from recon3d_gui.viewer.workbench import Workbench

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_FLIPS = {"Turn over": "-z", "X is up": "x", "-X": "-x", "Y is up": "y", "-Y": "-y"}


class ModelStrip:
    """One group of widgets for each tool, of which one is shown."""

    def __init__(self, studio: Studio, ui: Ui, bench: Workbench) -> None:
        self._studio, self._ui, self._bench = studio, ui, bench
        self._shown: tuple[object, ...] = ()

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        px = self._ui.px
        with (
            dpg.child_window(
                parent=parent,
                tag="model.strip",
                show=False,
                no_scrollbar=True,
                auto_resize_x=True,
                auto_resize_y=True,
            ),
            dpg.group(horizontal=True, horizontal_spacing=px(8), tag="model.strip_row"),
        ):
            with self._group("crop"):
                dpg.add_text("Drag the dots.", tag="model.crop.text")
                self._button("Apply", "model.crop.apply", self._on_apply_crop)
                self._button("Keep all", "model.crop.reset", self._on_reset_crop)
            with self._group("measure"):
                dpg.add_text("", tag="model.measure.text")
                dpg.add_input_text(
                    tag="model.measure.length",
                    hint="true length, e.g. 42 cm",
                    width=px(180),
                    on_enter=True,
                    callback=self._on_scale,
                )
                self._button("Set scale", "model.measure.scale", self._on_scale)
            with self._group("upright"):
                dpg.add_text("Click three points of the floor, or:")
                for label, axis in _FLIPS.items():
                    self._button(label, f"model.up.{axis}", self._on_up, axis)
                self._button("Automatic", "model.up.auto", self._on_reset_up)
            with self._group("photo"):
                dpg.add_text("", tag="model.photo.name")
                dpg.add_slider_float(
                    tag="model.photo.opacity",
                    min_value=0.0,
                    max_value=1.0,
                    clamped=True,
                    format="",
                    width=px(160),
                    callback=self._on_opacity,
                )
                self._button("Leave", "model.photo.leave", self._on_leave)
        with dpg.theme() as inset, dpg.theme_component(dpg.mvChildWindow):
            dpg.add_theme_style(dpg.mvStyleVar_WindowPadding, px(12), px(6))
            dpg.add_theme_style(dpg.mvStyleVar_ChildRounding, px(6))
        with dpg.theme_component(dpg.mvAll, parent=inset):
            # The window around it, whose parts are put in place by hand, has none.
            dpg.add_theme_style(dpg.mvStyleVar_FramePadding, px(8), px(4))
        dpg.bind_item_theme("model.strip", inset)

    def place(self, left_px: int, top_px: int) -> None:
        """Where its corner is on the page."""
        dpg.set_item_pos("model.strip", [left_px, top_px])

    def update(self) -> None:
        """Show what belongs to the tool."""
        bench, style = self._bench, self._bench.viewer.style
        kind: str = bench.tool if bench.tool != "look" else ""
        if not kind and style.backdrop > 0 and style.selected:
            kind = "photo"
        now = (kind, bench.length, len(bench.picks), style.selected, bench.can_edit)
        if now == self._shown:
            return
        self._shown = now
        dpg.configure_item("model.strip", show=bool(kind))
        for each in ("crop", "measure", "upright", "photo"):
            dpg.configure_item(f"model.strip.{each}", show=each == kind)
        if kind == "photo":
            dpg.set_value("model.photo.name", style.selected)
            dpg.bind_item_font("model.photo.name", self._ui.font("normal", style.selected or ""))
            dpg.set_value("model.photo.opacity", style.backdrop)
        elif kind == "measure":
            words = ("Click a point of the model.", "Click a second point.", bench.length)
            dpg.set_value("model.measure.text", words[min(len(bench.picks), 2)])
            has_length = bool(bench.length) and bench.can_edit
            for tag in ("model.measure.length", "model.measure.scale"):
                dpg.configure_item(tag, show=has_length)

    def _group(self, kind: str) -> Any:
        return dpg.group(
            horizontal=True,
            horizontal_spacing=self._ui.px(8),
            tag=f"model.strip.{kind}",
            show=False,
        )

    def _button(self, label: str, tag: str, callback: Any, value: str = "") -> None:
        dpg.add_button(label=label, tag=tag, callback=callback, user_data=value)

    def _on_apply_crop(self, sender: Any, app_data: Any, user_data: Any) -> None:
        self._bench.apply_crop()

    def _on_reset_crop(self, sender: Any, app_data: Any, user_data: Any) -> None:
        self._bench.reset_crop()

    def _on_scale(self, sender: Any, app_data: Any, user_data: Any) -> None:
        try:
            self._bench.set_scale(dpg.get_value("model.measure.length"))
        except ReconError as error:
            self._studio.toast(f"{error} {error.hint}".strip(), "warning")
        else:
            dpg.set_value("model.measure.length", "")

    def _on_up(self, sender: Any, app_data: Any, axis: str) -> None:
        self._bench.set_up(axis)

    def _on_reset_up(self, sender: Any, app_data: Any, user_data: Any) -> None:
        self._bench.reset_up()

    def _on_opacity(self, sender: Any, opacity: float, user_data: Any) -> None:
        # Not quite 0, which puts the photo away.
        self._bench.viewer.restyle(backdrop=max(0.004, opacity))

    def _on_leave(self, sender: Any, app_data: Any, user_data: Any) -> None:
        self._bench.leave_photo()
