"""The photo list and the photo page in a window of their own, driven by real mouse and keys.

Run by test_gui_photo_input.py under a display: prints what happened as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dearpygui.dearpygui as dpg
from recon3d_gui.markers.editor import MarkerEditor
from recon3d_gui.masks.editor import MaskEditor
from recon3d_gui.panels.photo import PhotoPanel
from recon3d_gui.panels.photos import PhotosPanel
from recon3d_gui.photos.photo_list import PhotoList
from recon3d_gui.photos.thumbnail_cache import ThumbnailCache
from recon3d_gui.photos.thumbnails import Thumbnails
from recon3d_gui.project.preferences import USUAL_LEFT, PhotosView, Preferences
from recon3d_gui.project.project import Project
from recon3d_gui.theme import Ui

_LONG = 600
"""Seconds that all thumbnails may take on a busy machine."""
_COLOURS = {"surface": 30, "raised": 45, "outline": 60, "muted": 150, "text": 230}


class PlainUi:
    """Measures and colours without the program's theme."""

    theme, scale = "dark", 1.0
    explain, explain_anew, offer, tip_theme = Ui.explain, Ui.explain_anew, Ui.offer, 0

    def px(self, n: float) -> int:
        return round(n)

    def colour(self, name: str) -> tuple[int, int, int, int]:
        grey = _COLOURS.get(name, 200)
        return grey, grey, grey, 255

    def font(self, name: str, text: str = "") -> int:
        return 0

    def label(self, icon: str, words: str) -> str:
        return words

    def icon(self, name: str, otherwise: str = "•") -> str:
        return otherwise

    def on_theme(self, callback: Callable[[], None]) -> None:
        pass


class PlainStudio:
    """The part of the program that the two panels speak to."""

    def __init__(self, cache: Path) -> None:
        self.project = Project(workspace=cache / "work.recon3d")
        self.reached: dict[str, Path] = {}
        self.selected_photo: str | None = None
        self.page, self.elsewhere = "model", ""
        self.steps: list[str] = []
        self.preferences = Preferences()
        thumbnails = Thumbnails(ThumbnailCache(cache).look_at)
        self.photos = PhotoList(self._change, lambda *told: None, thumbnails)
        self.photos.tick(self.project, self.reached)

    def prefer(self, **changed: Any) -> None:
        self.preferences = replace(self.preferences, **changed)

    def _change(self, label: str, **fields: Any) -> None:
        self.steps.append(label)
        self.project = replace(self.project, **fields)


class Window:
    """Both panels side by side, and hands to use them with."""

    def __init__(self, photos: Path, cache: Path) -> None:
        dpg.create_context()
        dpg.configure_app(manual_callback_management=True)
        dpg.create_viewport(width=1280, height=720, x_pos=0, y_pos=0, decorated=False)
        dpg.setup_dearpygui()
        self.studio = PlainStudio(cache)
        self.list = PhotosPanel(self.studio, PlainUi())  # type: ignore[arg-type]
        editor = MaskEditor(self.studio)  # type: ignore[arg-type]
        markers = MarkerEditor(self.studio)  # type: ignore[arg-type]
        self.page = PhotoPanel(self.studio, PlainUi(), editor, markers)  # type: ignore[arg-type]
        fixed = {"no_title_bar": True, "no_move": True, "no_resize": True, "height": 720}
        for tag, panel, left, width in (
            ("left", self.list, 0, USUAL_LEFT),
            ("right", self.page, USUAL_LEFT, 1280 - USUAL_LEFT),
        ):
            dpg.add_window(tag=tag, pos=(left, 0), width=width, **fixed)
            panel.build(tag)
        self.page.resize(1264 - USUAL_LEFT, 704)
        dpg.show_viewport()
        self.frames(5)
        self.studio.photos.add([photos])
        self.until(lambda: self._has_thumbnails())

    def frames(self, count: int) -> list[float]:
        """Draw; returns the CPU seconds that each update took."""
        return [self._frame() for _ in range(count)]

    def until(self, what: Callable[[], Any]) -> None:
        ends = time.monotonic() + _LONG
        while not what():
            if time.monotonic() > ends:
                raise TimeoutError
            self._frame()

    def click(self, photo_id: str, *, eye: bool = False, key: str = "", times: int = 1) -> None:
        self.frames(3)
        tag = self.list.row_tag(photo_id)
        left, top = dpg.get_item_rect_min(tag)
        x = left + dpg.get_item_width(tag) - 20 if eye else left + 150
        if key:
            self.hands("keydown", key)
        self.hands("mousemove", x, top + 36)
        self.hands("click", "--repeat", times, "--delay", 60, 1)
        if key:
            self.hands("keyup", key)

    def hands(self, *words: object) -> None:
        subprocess.run(["xdotool", *map(str, words)], check=True)
        time.sleep(0.03)
        self.frames(5)

    def _frame(self) -> float:
        dpg.run_callbacks(dpg.get_callback_queue())
        started = time.thread_time()
        self.studio.photos.tick(self.studio.project, self.studio.reached)
        self.list.update()
        self.page.update()
        seconds = time.thread_time() - started
        dpg.render_dearpygui_frame()
        return seconds

    def _has_thumbnails(self) -> bool:
        rows = self.studio.photos.rows
        return bool(rows) and all(self.studio.photos.thumbnails.facts(r.picture) for r in rows)


def use(window: Window) -> dict[str, Any]:
    """Select, exclude and look at photos."""
    studio, happened = window.studio, {}
    window.click("2.png")
    window.click("4.png", key="shift")
    happened["selected"] = sorted(studio.photos.selection.ids)
    window.hands("key", "Delete")
    happened["excluded by key"] = sorted(studio.project.excluded)
    window.click("3.png", eye=True)
    happened["after the eye of one of them"] = sorted(studio.project.excluded)
    window.click("1.png", eye=True)
    happened["by eye"] = sorted(studio.project.excluded)
    happened["steps"] = studio.steps[1:]
    window.click("0.png")
    window.hands("key", "Down")
    happened["below"] = studio.selected_photo
    window.click("3.png", times=2)
    happened["page"] = [studio.page, studio.selected_photo]
    window.until(lambda: dpg.get_item_children("photo.canvas", 2))
    left, top = dpg.get_item_rect_min("photo.canvas")
    window.hands("mousemove", left + 300, top + 200)
    window.hands("click", "--repeat", 3, 4)
    happened["larger"] = dpg.get_item_children("photo.canvas", 2) != []
    window.hands("key", "Right")
    happened["next"] = studio.selected_photo
    return happened


def scroll(window: Window) -> dict[str, Any]:
    """From the top to the bottom and back, as list, as grid and as table."""
    return {view: _scroll(window, view) for view in ("list", "grid", "table")}


def _scroll(window: Window, view: PhotosView) -> dict[str, Any]:
    window.studio.prefer(photos_view=view)
    window.frames(10)
    most, seconds = 0, []
    end = int(dpg.get_y_scroll_max("photos.list"))
    for place in [*range(0, end, 400), *range(end, 0, -400)]:
        dpg.set_y_scroll("photos.list", place)
        seconds += window.frames(1)
        lines = dpg.get_item_children("photos.rows", 1)
        most = max(most, sum(len(dpg.get_item_children(line, 1)) for line in lines))
    window.frames(10)
    seconds.sort()
    return {
        "rows": len(window.studio.photos.rows),
        "end": end,
        "widgets": most,
        "median_ms": 1000 * seconds[len(seconds) // 2],
        "p99_ms": 1000 * seconds[int(0.99 * len(seconds))],
        "most_ms": 1000 * seconds[-1],
    }


if __name__ == "__main__":
    scenario, photos, cache = sys.argv[1:]
    outcome = {"use": use, "scroll": scroll}[scenario](Window(Path(photos), Path(cache)))
    sys.stdout.write(json.dumps(outcome) + "\n")
