"""The 3D page: the picture of the render process, with the mouse and keys that move it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import dearpygui.dearpygui as dpg
import numpy as np

from recon3d_gui.keyboard import add_key_handler, is_control_down, is_shift_down
from recon3d_gui.panels.looks import Looks
from recon3d_gui.panels.model_axes import ModelAxes
from recon3d_gui.panels.model_bar import ModelBar
from recon3d_gui.panels.model_lengths import ModelLengths
from recon3d_gui.panels.model_overlay import ModelOverlay
from recon3d_gui.panels.model_picture import ModelPicture
from recon3d_gui.panels.model_strip import ModelStrip
from recon3d_gui.panels.start_page import StartPage
from recon3d_gui.viewer.cameras import Side
from recon3d_gui.viewer.gesture import Gesture
from recon3d_gui.viewer.protocol import Mode, Palette
from recon3d_gui.viewer.workbench import Workbench

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_GAP = 8
_CLICK_PX = 4
_SPLIT_PX = 8
Held = Literal["view", "axes", "box", "split"]
"""What a pressed button drags."""
_FLY = {
    dpg.mvKey_W: (0, 0, 1),
    dpg.mvKey_S: (0, 0, -1),
    dpg.mvKey_A: (-1, 0, 0),
    dpg.mvKey_D: (1, 0, 0),
    dpg.mvKey_E: (0, -1, 0),
    dpg.mvKey_Q: (0, 1, 0),
}
_SIDE_KEYS: Mapping[int, tuple[Side, Side]] = {
    dpg.mvKey_NumPad1: ("front", "back"),
    dpg.mvKey_NumPad3: ("right", "left"),
    dpg.mvKey_NumPad7: ("top", "bottom"),
}
"""By key of the number pad: from where one looks, and with Control."""
_LOOKS = (*_SIDE_KEYS, dpg.mvKey_NumPad5, dpg.mvKey_Decimal, dpg.mvKey_NumPad0)
MODES: dict[str, Mode] = {
    "Points": "points",
    "Cloud": "cloud",
    "Colour": "colour",
    "Clay": "clay",
    "Normals": "normals",
    "Confidence": "confidence",
    "Coverage": "coverage",
    "Exactness": "exactness",
}


class ModelPanel:
    """The page "model"."""

    def __init__(self, studio: Studio, ui: Ui, bench: Workbench, picture: ModelPicture) -> None:
        self._studio, self._ui, self.bench = studio, ui, bench
        self._bar = ModelBar(studio, ui, self.bench, MODES)
        self._strip = ModelStrip(studio, ui, self.bench)
        self._axes = ModelAxes(ui, self.bench)
        self._overlay = ModelOverlay(studio, ui, self.bench, self._axes)
        self._lengths = ModelLengths(studio, ui, self.bench)
        self._start = StartPage(studio, ui)
        self._picture = picture
        self._size = (0, 0)
        self._laid_out: tuple[int, ...] = ()
        self._gesture: Gesture | None = None
        self._button = dpg.mvMouseButton_Left
        self._held: Held = "view"
        self._ticked_at_s = time.monotonic()
        ui.on_theme(self._recolour)

    @property
    def is_busy(self) -> bool:
        """Whether the page is about to change, so that the window should be drawn at once."""
        return self._studio.viewer.is_busy or self._picture.is_busy

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        with dpg.theme() as flush, dpg.theme_component(dpg.mvAll):
            dpg.add_theme_style(dpg.mvStyleVar_WindowPadding, 0, 0)
            dpg.add_theme_style(dpg.mvStyleVar_ItemSpacing, 0, 0)
        with dpg.child_window(
            parent=parent,
            tag="model.page",
            border=False,
            no_scrollbar=True,
            no_scroll_with_mouse=True,
        ):
            self._bar.build("model.page")
            with dpg.drawlist(1, 1, tag="model.canvas"):
                dpg.add_draw_layer(tag="model.picture")
                dpg.add_draw_layer(tag="model.overlay")
            self._strip.build("model.page")
            self._lengths.build("model.page", Looks(self._ui))
            self._start.build("model.page")
        dpg.bind_item_theme("model.page", flush)
        with dpg.handler_registry(tag="model.handlers"):
            dpg.add_mouse_wheel_handler(callback=self._on_wheel)
            dpg.add_mouse_double_click_handler(
                dpg.mvMouseButton_Left, callback=self._on_double_click
            )
            add_key_handler(self._on_key)
        self._recolour()

    def resize(self, width_px: int, height_px: int) -> None:
        """The space it has now."""
        if width_px < 1 or height_px < 1:
            return
        self._size = (width_px, height_px)
        self._bar.resize(width_px)
        self._lay_out()

    def _lay_out(self) -> None:
        """The bar takes as many rows as it needs, the picture has the rest."""
        width_px, height_px = self._size
        bar_px, gap_px = self._bar.height_px, self._ui.px(_GAP)
        if (width_px, height_px, bar_px) == self._laid_out or width_px < 1:
            return
        self._laid_out = (width_px, height_px, bar_px)
        canvas = (width_px, max(1, height_px - bar_px))
        dpg.configure_item("model.canvas", width=canvas[0], height=canvas[1])
        self.bench.navigator.resize(*canvas)
        self._picture.resize(*canvas)
        self._strip.place(gap_px, bar_px + gap_px)
        self._lengths.place(bar_px + gap_px)
        self._start.place(canvas, bar_px)

    def update(self) -> None:
        """Follow mouse and studio, and show the newest picture."""
        now_s = time.monotonic()
        if self._studio.page == "model":
            self._follow_mouse(min(now_s - self._ticked_at_s, 0.1))
        self._ticked_at_s = now_s
        self.bench.tick(now_s)
        if self._studio.page != "model":
            return
        self._picture.update()
        self._bar.update()
        self._lay_out()
        self._strip.update()
        self._lengths.update()
        self._overlay.update()
        self._start.update()

    # --- mouse and keys ------------------------------------------------------------------------

    @property
    def _mouse(self) -> tuple[float, float]:
        """On the canvas."""
        x, y = dpg.get_mouse_pos(local=False)
        left, top = dpg.get_item_rect_min("model.canvas")
        return x - left, y - top

    @property
    def _is_over(self) -> bool:
        return self._studio.page == "model" and dpg.is_item_hovered("model.canvas")

    def _follow_mouse(self, seconds: float) -> None:
        place, is_over = self._mouse, self._is_over
        for button in (dpg.mvMouseButton_Left, dpg.mvMouseButton_Right, dpg.mvMouseButton_Middle):
            is_down = dpg.is_mouse_button_down(button)
            if button == self._button and self._gesture:
                # Also when it is let go: between slow frames it may have come far.
                self._drag(self._gesture, place)
                if not is_down:
                    self._let_go(place)
            elif dpg.is_mouse_button_clicked(button) and self._gesture is None and is_over:
                self._gesture, self._button = Gesture.at(place), button
                self._held = self._take_hold(button, place)
        if self._gesture is None:
            is_on_axes = self._axes.hover(place if is_over else None)
            self.bench.hover(place if is_over and not is_on_axes else None)
        elif self._button == dpg.mvMouseButton_Right:
            self._fly(self._gesture, seconds)

    def _take_hold(self, button: int, place: tuple[float, float]) -> Held:
        if button != dpg.mvMouseButton_Left:
            return "view"
        if self._axes.hover(place):
            return "axes"
        if self.bench.press(place):
            return "box"
        share = self.bench.viewer.style.split
        if share is not None:
            away = abs(place[0] - share * self.bench.navigator.canvas_px[0])
            if away < self._ui.px(_SPLIT_PX):
                return "split"
        return "view"

    def _drag(self, gesture: Gesture, place: tuple[float, float]) -> None:
        is_turning = self._held in ("view", "axes")
        step = gesture.step_to(place, self._ui.px(_CLICK_PX) if is_turning else 0.0)
        if step is None:
            return
        if self._held == "box":
            self.bench.drag(place)
        elif self._held == "split":
            self.bench.split(place[0] / self.bench.navigator.canvas_px[0])
        elif self._button == dpg.mvMouseButton_Left:
            self.bench.navigator.orbit(*step)
        elif any(dpg.is_key_down(key) for key in _FLY):
            self.bench.navigator.turn_head(*step)
        else:
            self.bench.navigator.pan(*step)

    def _let_go(self, place: tuple[float, float]) -> None:
        gesture, self._gesture = self._gesture, None
        self.bench.release()
        is_click = gesture is not None and not gesture.is_drag
        if self._button != dpg.mvMouseButton_Left or not is_click:
            return
        if self._held == "axes":
            self._axes.click(place)
        elif self._held == "view":
            self.bench.click(place)

    def _fly(self, gesture: Gesture, seconds: float) -> None:
        steps = [way for key, way in _FLY.items() if dpg.is_key_down(key)]
        if steps:
            faster = 4.0 if is_shift_down() else 1.0
            gesture.is_drag = True
            self.bench.navigator.fly(faster * np.sum(steps, axis=0), seconds)

    def _on_wheel(self, sender: Any, notches: float, user_data: Any) -> None:
        if self._is_over:
            self.bench.navigator.zoom(notches, self._mouse)

    def _on_double_click(self, sender: Any, app_data: Any, user_data: Any) -> None:
        if self._is_over and not self._axes.hover(self._mouse):
            self.bench.double_click(self._mouse)

    def _on_key(self, key: int) -> None:
        # With the right button down keys fly.
        if not self._is_over or self._gesture:
            return
        if key in _LOOKS:
            self._look_from(key)
        if is_control_down():
            return
        modes = dict(zip(range(dpg.mvKey_1, dpg.mvKey_1 + len(MODES)), MODES.values(), strict=True))
        if key in modes:
            self.bench.set_mode(modes[key])
        elif key == dpg.mvKey_F:
            self.bench.navigator.frame_all()
        elif key == dpg.mvKey_W:
            self.bench.toggle("wireframe")
        elif key == dpg.mvKey_G:
            self.bench.toggle("grid")
        elif key == dpg.mvKey_C:
            self.bench.toggle("cameras")
        elif key == dpg.mvKey_B:
            self.bench.take("crop")
        elif key == dpg.mvKey_M:
            self.bench.take("measure")
        elif key == dpg.mvKey_Escape:
            self.bench.put_away()
            self.bench.leave_photo()

    def _look_from(self, key: int) -> None:
        """The number pad, as in Blender."""
        navigator, selected = self.bench.navigator, self._studio.selected_view
        if key in _SIDE_KEYS:
            navigator.from_side(_SIDE_KEYS[key][is_control_down()])
        elif key == dpg.mvKey_NumPad5:
            navigator.toggle_parallel()
        elif key == dpg.mvKey_Decimal:
            if selected:
                navigator.frame_photo(selected)
            else:
                navigator.frame_all()
        elif selected:
            self._studio.show_photo_in_model(selected)
        else:
            self._studio.toast("Choose a photo first, to look through its camera.")

    def _recolour(self) -> None:
        def share(name: str) -> tuple[float, float, float]:
            red, green, blue = (each / 255 for each in self._ui.colour(name)[:3])
            return red, green, blue

        surface = np.array(share("surface"))
        is_dark = surface.mean() < 0.5
        top = surface + 0.10 * (np.array(share("raised")) - surface) + (0.03 if is_dark else 0.02)
        bottom = surface * (0.72 if is_dark else 0.90)
        line = np.array(share("muted"))
        palette = Palette(
            top=tuple(np.clip(top, 0, 1).tolist()),
            bottom=tuple(np.clip(bottom, 0, 1).tolist()),
            line=tuple(line.tolist()),
            accent=share("accent"),
        )
        self.bench.viewer.restyle(palette=palette, pixel_scale=max(1.0, self._ui.scale))
