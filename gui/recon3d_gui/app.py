"""The desktop program: every panel in its place, and the loop that draws them."""

from __future__ import annotations

import inspect
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import dearpygui.dearpygui as dpg

from recon3d_gui import arrivals
from recon3d_gui.asking import PathPrompt, ask_to_close
from recon3d_gui.drop import DropTarget
from recon3d_gui.fonts import Fonts
from recon3d_gui.job.saving import Saving
from recon3d_gui.keyboard import KEY_PLUS
from recon3d_gui.markers.editor import MarkerEditor
from recon3d_gui.masks.editor import MaskEditor
from recon3d_gui.modals import Modals, close_menus
from recon3d_gui.panels.calibration import CalibrationPanel
from recon3d_gui.panels.camera import CameraPanel
from recon3d_gui.panels.export import ExportPanel
from recon3d_gui.panels.model import ModelPanel
from recon3d_gui.panels.model_picture import ModelPicture
from recon3d_gui.panels.photo import PhotoPanel
from recon3d_gui.panels.photos import PhotosPanel
from recon3d_gui.panels.run import RunPanel
from recon3d_gui.panels.settings import SettingsPanel
from recon3d_gui.panels.spacing import spaced_theme
from recon3d_gui.panels.splitter import WIDTH as EDGE
from recon3d_gui.panels.splitter import Splitter
from recon3d_gui.panels.tabs import Tabs
from recon3d_gui.panels.top import TopBar
from recon3d_gui.paste import paths_in
from recon3d_gui.probe import Probe
from recon3d_gui.project.preferences import Theme, read_preferences, stepped_scale
from recon3d_gui.shortcuts import Shortcuts
from recon3d_gui.speaking import speak_in_window
from recon3d_gui.studio import Page as PageName
from recon3d_gui.studio import Studio
from recon3d_gui.theme import Ui
from recon3d_gui.toasts import ToastLayer
from recon3d_gui.viewer.workbench import Workbench
from recon3d_gui.window import TITLE, Window

TOP, TABS = 40, 46
_MOVING_SECONDS = 1 / 60
# Without a graphics card a frame costs 30 ms of a core, which a run can use better.
_WORKING_SECONDS = 1 / 5
_IDLE_SECONDS = 1.0
"""Between frames when nothing happens; whatever does ends the wait."""
_LOOK_SECONDS = 0.1
"""How often one looks whether something has happened."""
_LIVELY_SECONDS = 0.9
"""After an event, frames follow each other as fast as the screen takes them; longer than a tip
waits, which comes with a frame."""

_log = logging.getLogger(__name__)


class Panel(Protocol):
    """A part of the window."""

    def build(self, parent: int | str) -> None:
        """Make the widgets, once."""

    def update(self) -> None:
        """Show what has changed; each frame that it is visible."""


class Page(Panel, Protocol):
    """One that must know its size."""

    def resize(self, width_px: int, height_px: int) -> None:
        """The space it has now."""


class App:
    """The window with everything in it."""

    def __init__(self, probe: Probe | None = None) -> None:
        preferences = read_preferences()
        trouble = speak_in_window(preferences.language)
        self._window = Window(preferences)
        self.studio = Studio(preferences)
        self._bench, self._saving = Workbench(self.studio), Saving(self.studio)
        self._masks, self._markers = MaskEditor(self.studio), MarkerEditor(self.studio)
        self._picture = ModelPicture(self.studio.viewer, "model.picture")
        if trouble:
            self.studio.toast(trouble, "warning")
        self._drops = DropTarget(TITLE)
        if not self._drops.works:
            text = "Files cannot be dropped here. Use Add photos, or copy and paste them."
            self.studio.toast(text)
        self._probe = probe
        self._layout: tuple[int, ...] = ()
        self._lively_until = 0.0
        self._mouse: tuple[float, ...] = ()
        self._leaving = False
        self._wanted_scale: float | None = None
        self._furnish(self._window.scale, preferences.theme)

    def _furnish(self, scale: float, theme: Theme) -> None:
        """Make every panel at a scale."""
        studio = self.studio
        self._ui = ui = Ui(scale, theme, Fonts(scale))
        self._modals = Modals(ui)
        self._shortcuts = Shortcuts(ui, self._modals, self._keys())
        self._top = TopBar(studio, ui, self._shortcuts.toggle)
        self._run = RunPanel(studio, ui, lambda: self._tab_row.choose("Export"))
        self._tabs: dict[str, Panel] = {
            "Photos": PhotosPanel(studio, ui),
            "Camera": CameraPanel(studio, ui),
            "Settings": SettingsPanel(studio, ui),
            "Export": ExportPanel(studio, ui, self._saving),
        }
        self._tab_row = Tabs(ui, "left", tuple(self._tabs), self._show_tab)
        self._splitter = Splitter(studio, ui)
        self._calibration = CalibrationPanel(studio, ui)
        self._model = ModelPanel(studio, ui, self._bench, self._picture)
        self._photo = PhotoPanel(studio, ui, self._masks, self._markers)
        self._pages: dict[PageName, Page] = {
            "model": self._model,
            "photo": self._photo,
            "calibration": self._calibration,
        }
        self._toasts = ToastLayer(studio, ui)
        self._prompt = PathPrompt(studio, ui, self._modals)
        self._build()

    def _refurnish(self, scale: float) -> None:
        """Take every widget away and make it anew at another scale; nothing else changes."""
        tab, theme = self._tab_row.current, self._ui.theme
        for item in dpg.get_all_items():
            # Fonts may still be in use in this frame, and a raw texture leaks when it is deleted.
            kept = ("mvFontRegistry", "mvTextureRegistry")
            is_root = dpg.does_item_exist(item) and not dpg.get_item_parent(item)
            if is_root and not dpg.get_item_type(item).endswith(kept):
                dpg.delete_item(item)
        self._layout = ()
        self._furnish(scale, theme)
        self._tab_row.choose(tab)
        self.studio.prefer(scale=scale)
        # Places and sizes settle within a few frames.
        self._lively_until = time.monotonic() + _LIVELY_SECONDS

    def run(self) -> None:
        """Draw until the window is closed."""
        while dpg.is_dearpygui_running() and not self._leaving:
            began = time.perf_counter()
            self._frame()
            self._rest(began)

    def close(self) -> None:
        """End all processes and save."""
        self.studio.prefer(window_px=self._window.size_px)
        self._window.close()
        self._masks.close()
        self.studio.close()

    def _frame(self) -> None:
        for job in dpg.get_callback_queue() or ():
            self._guarded(_call, job)
        self._guarded(self._step)
        dpg.render_dearpygui_frame()

    def _step(self) -> None:
        studio = self.studio
        if self._wanted_scale:
            scale, self._wanted_scale = self._wanted_scale, None
            self._refurnish(scale)
        studio.watch(self._window.is_focused)
        if dropped := self._drops.take():
            self._take_drop(dropped)
        if self._window.close_asked:
            self._window.close_asked = False
            self._ask_close()
        studio.tick()
        self._saving.tick()
        self._splitter.update()
        self._arrange()
        self._top.update()
        self._run.update()
        self._tabs[self._tab_row.current].update()
        for page, panel in self._pages.items():
            # The 3D page goes on loading while another one is in front of it.
            if page in (studio.page, "model"):
                panel.update()
        self._prompt.update()
        width, height = self._window.size_px
        self._toasts.place(width, height - self._run.height_px - self._ui.px(8))
        if self._probe:
            self._probe.answer(studio, self._model.bench.picks)

    def _rest(self, began: float) -> None:
        """Until the next frame is due: soon where something moves, else when something happens."""
        due, shown = began + self._pause, self.studio.stamp
        while (left := due - time.perf_counter()) > 0:
            if self._window.wait(min(left, _LOOK_SECONDS)):
                self._lively_until = time.monotonic() + _LIVELY_SECONDS
                due = min(due, began + _MOVING_SECONDS)
            elif left > _LOOK_SECONDS:
                self._guarded(self.studio.tick)
                if self.studio.stamp != shown or (self._probe and self._probe.is_asked):
                    return

    def _guarded(self, work: Callable[..., None], *given: object) -> None:
        """Nothing that goes wrong in one place may take the window down."""
        try:
            work(*given)
        except Exception as error:
            _log.exception("unexpected")
            text = f"Something went wrong in the window: {type(error).__name__}: {error}"
            self.studio.toast(text, "bad", traceback.format_exc(limit=-2))
            if self._probe:
                self._probe.failures.append(traceback.format_exc())

    @property
    def _pause(self) -> float:
        """Until the next frame."""
        now = time.monotonic()
        mouse = (*dpg.get_mouse_pos(local=False), *map(dpg.is_mouse_button_down, (0, 1, 2)))
        if mouse != self._mouse:
            self._mouse, self._lively_until = mouse, now + _LIVELY_SECONDS
        if self._model.is_busy or self._photo.is_busy or now < self._lively_until:
            return _MOVING_SECONDS
        return _WORKING_SECONDS if self.studio.is_busy else _IDLE_SECONDS

    # --- the layout ---------------------------------------------------------------------------

    def _build(self) -> None:
        px = self._ui.px
        with dpg.window(tag="shell", no_scrollbar=True, no_scroll_with_mouse=True):
            self._top.build("shell")
            with dpg.child_window(
                tag="left", border=False, no_scrollbar=True, pos=(0, px(TOP)),
                always_use_window_padding=True,
            ):  # fmt: skip
                for name, panel in self._tabs.items():
                    dpg.add_child_window(
                        tag=f"left.{name}.room", border=False, no_scrollbar=True,
                        pos=(px(8), px(TABS)),
                    )  # fmt: skip
                    panel.build(f"left.{name}.room")
                self._tab_row.build("left")
            self._splitter.build("shell")
            for page, panel in self._pages.items():
                dpg.add_child_window(
                    tag=f"page.{page}", border=False, no_scrollbar=True,
                    show=page == self.studio.page, no_scroll_with_mouse=True,
                    always_use_window_padding=page != "model",
                )  # fmt: skip
                panel.build(f"page.{page}")
            with dpg.child_window(
                tag="bottom", border=False, no_scrollbar=True, no_scroll_with_mouse=True
            ):
                self._run.build("bottom")
        dpg.set_primary_window("shell", True)
        dpg.bind_item_theme("shell", spaced_theme(0, 0))
        spaced = spaced_theme(px(8), px(8))
        for item in ("left", "page.photo", "page.calibration"):
            dpg.bind_item_theme(item, spaced)
        self._shortcuts.build()
        self._modals.build()

    def _show_tab(self, name: str) -> None:
        for each in self._tabs:
            dpg.configure_item(f"left.{each}.room", show=each == name)

    def _arrange(self) -> None:
        """Give every part its room, when anything about that has changed."""
        width, height = self._window.size_px
        bottom, page = self._run.height_px, self.studio.page
        left = self._splitter.left_px(width)
        layout = (width, height, bottom, left, tuple(self._pages).index(page))
        if layout == self._layout or width < 1 or height < 1:
            return
        self._layout = layout
        px = self._ui.px
        middle = max(px(80), height - px(TOP) - bottom)
        self._top.resize(width, px(TOP))
        dpg.configure_item("left", width=left - px(EDGE), height=middle)
        room = left - px(EDGE) - px(12)
        self._tab_row.resize(room)
        for name in self._tabs:
            dpg.configure_item(f"left.{name}.room", width=room, height=middle - px(TABS))
        self._splitter.place(left, px(TOP), middle)
        for name, panel in self._pages.items():
            dpg.configure_item(f"page.{name}", width=width - left, height=middle, show=name == page)
            dpg.set_item_pos(f"page.{name}", [left, px(TOP)])
            margin = 0 if name == "model" else px(16)
            panel.resize(width - left - margin, middle - margin)
        dpg.set_item_pos("bottom", [0, px(TOP) + middle])
        dpg.configure_item("bottom", width=width, height=bottom)
        self._run.resize(width, bottom)

    # --- what a person asks for -----------------------------------------------------------------

    def _keys(self) -> dict[tuple[str, int], Callable[[], None]]:
        studio = self.studio
        return {
            ("ctrl", dpg.mvKey_N): studio.new,
            ("ctrl", dpg.mvKey_O): studio.ask_open,
            ("ctrl", dpg.mvKey_S): studio.save,
            ("ctrl", dpg.mvKey_Z): self._undo,
            ("ctrl", dpg.mvKey_Y): self._redo,
            ("ctrl+shift", dpg.mvKey_Z): self._redo,
            ("ctrl", dpg.mvKey_V): self._paste,
            ("ctrl", dpg.mvKey_Return): studio.start,
            ("ctrl", KEY_PLUS): lambda: self._zoom(1),
            ("ctrl+shift", KEY_PLUS): lambda: self._zoom(1),
            ("ctrl", dpg.mvKey_Add): lambda: self._zoom(1),
            ("ctrl", dpg.mvKey_Minus): lambda: self._zoom(-1),
            ("ctrl", dpg.mvKey_Subtract): lambda: self._zoom(-1),
            ("ctrl", dpg.mvKey_0): lambda: self._zoom(0),
            ("", dpg.mvKey_F1): lambda: self._shortcuts.toggle(),
            ("", dpg.mvKey_Escape): self._back,
        }

    def _undo(self) -> None:
        """What is drawn on a photo has a way back of its own."""
        if not self._photo.undo():
            self.studio.undo()

    def _redo(self) -> None:
        if not self._photo.redo():
            self.studio.redo()

    def _zoom(self, steps: int) -> None:
        """Larger (1) or smaller (-1) text and widgets, or what the screen asks for (0)."""
        room = self._window.size_px
        now = self._ui.scale if steps else self._window.screen_scale
        scale = stepped_scale(now, steps, room)
        if scale != self._ui.scale:
            self._wanted_scale = scale
        elif steps:
            self.studio.toast("The window has no room for anything larger." if steps > 0 else
                              "It does not get smaller.")  # fmt: skip

    def _take_drop(self, paths: Sequence[Path]) -> None:
        """A question that is open takes it for its answer, or must be answered first."""
        if self._prompt.takes_drops:
            self._prompt.accept(paths)
        elif self._modals.is_open or self.studio.dialogs.is_asking:
            self.studio.toast("Answer or close the open question first, then drop them again.")
        else:
            self._take(paths)

    def _take(self, paths: Sequence[Path]) -> None:
        if self.studio.page == "calibration":
            self._calibration.accept(paths)
        else:
            arrivals.drop(self.studio, paths)

    def _paste(self) -> None:
        if paths := paths_in(self._window.clipboard):
            self._take(paths)

    def _back(self) -> None:
        if not close_menus():
            self.studio.page = "model"

    def _ask_close(self) -> None:
        if self.studio.jobs.busy:
            ask_to_close(self._ui, self._modals, self._leave)
        else:
            self._leave()

    def _leave(self) -> None:
        self._leaving = True


def main(project: Path | None = None) -> int:
    """Open the window, on a project where one is given; the exit code.

    The variable RECON3D_GUI_PROBE names a socket where a test listens.
    """
    address = os.environ.get("RECON3D_GUI_PROBE")
    app = App(Probe(address) if address else None)
    try:
        if project:
            arrivals.drop(app.studio, [project])
        app.run()
    finally:
        app.close()
    return 0


def _call(job: Any) -> None:
    function, *given = job
    if function is not None:
        count = len(inspect.signature(function).parameters)
        function(*given[:count])


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
