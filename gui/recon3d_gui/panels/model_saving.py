"""The menu that saves a picture or a film of the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dearpygui.dearpygui as dpg

from recon3d_gui.viewer.protocol import SavePicture, SaveTurntable
from recon3d_gui.viewer.workbench import Workbench

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_SIZES = {"640 x 480": (640, 480), "960 x 720": (960, 720), "1920 x 1080": (1920, 1080)}
_WIDTH = 240


class SavingMenu:
    """Pictures and turntables; where to, is asked."""

    def __init__(self, studio: Studio, ui: Ui, bench: Workbench) -> None:
        self._studio, self._ui, self._bench = studio, ui, bench
        self._close: Callable[[str], None] = lambda menu: None
        self._share: float | None = None

    def build(self, close: Callable[[str], None]) -> None:
        """Make the widgets in the menu that is being built."""
        self._close = close
        width = self._ui.px(_WIDTH)
        dpg.add_text("Picture (PNG)")
        dpg.add_checkbox(label="Twice as large", tag="model.save.double")
        dpg.add_checkbox(label="Without background", tag="model.save.transparent")
        dpg.add_button(
            label="Save picture", tag="model.save.picture", width=width, callback=self._on_picture
        )
        dpg.add_spacer(height=self._ui.px(8))
        dpg.add_text("Turntable")
        dpg.add_combo(
            ["MP4 film", "GIF"], default_value="MP4 film", tag="model.save.kind", width=width
        )
        dpg.add_combo([*_SIZES], default_value="960 x 720", tag="model.save.size", width=width)
        dpg.add_slider_int(
            tag="model.save.seconds",
            default_value=6,
            min_value=2,
            max_value=30,
            clamped=True,
            format="%d seconds",
            width=width,
        )
        dpg.add_button(
            label="Save turntable", tag="model.save.film", width=width, callback=self._on_film
        )
        dpg.add_progress_bar(tag="model.save.progress", width=width, show=False)
        dpg.add_button(
            label="Cancel",
            tag="model.save.cancel",
            width=width,
            show=False,
            callback=self._on_cancel,
        )

    def update(self) -> None:
        """Show how far the film is."""
        share = self._bench.film_share
        if share == self._share:
            return
        self._share = share
        is_filming = share is not None
        dpg.configure_item("model.save.film", show=not is_filming)
        dpg.configure_item("model.save.progress", show=is_filming, overlay=f"{share or 0:.0%}")
        dpg.configure_item("model.save.cancel", show=is_filming)
        dpg.set_value("model.save.progress", share or 0.0)
        dpg.configure_item("model.save", label=f"Save {share:.0%}" if is_filming else "Save...")

    def _on_picture(self, sender: Any, app_data: Any, user_data: Any) -> None:
        self._close("model.save_menu")
        enlarge = 2 if dpg.get_value("model.save.double") else 1
        transparent = bool(dpg.get_value("model.save.transparent"))

        def save(path: Path) -> None:
            self._bench.viewer.save_picture(SavePicture(path, enlarge, transparent))

        self._ask("Save the picture", ".png", save)

    def _on_film(self, sender: Any, app_data: Any, user_data: Any) -> None:
        self._close("model.save_menu")
        is_gif = dpg.get_value("model.save.kind") == "GIF"
        seconds = float(dpg.get_value("model.save.seconds"))
        size_px = _SIZES[dpg.get_value("model.save.size")]

        def save(path: Path) -> None:
            self._bench.film_share = 0.0
            rate = 20 if is_gif else 30
            self._bench.viewer.save_turntable(SaveTurntable(path, seconds, rate, size_px))

        self._ask("Save the turntable", ".gif" if is_gif else ".mp4", save)

    def _on_cancel(self, sender: Any, app_data: Any, user_data: Any) -> None:
        self._bench.viewer.cancel_saving()

    def _ask(self, title: str, suffix: str, save: Callable[[Path], None]) -> None:
        def accept(path: Path) -> None:
            # Whoever types a name leaves the ending out.
            save(path if path.suffix.lower() == suffix else path.with_name(path.name + suffix))

        self._studio.ask.save(title, f"{self._studio.title}{suffix}", accept)
