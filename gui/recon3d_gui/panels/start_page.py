"""What stands where the model will be: what to do next, and projects to go on with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui import arrivals
from recon3d_gui.panels.looks import Looks
from recon3d_gui.panels.primary import PrimaryLook
from recon3d_gui.photos.latest import Latest
from recon3d_gui.project.recent import Recent, look_up_earlier

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_WIDTH, _BUTTON, _HEIGHT, _HEAD = 440, 120, 32, 176
_NAME, _DATE, _FORGET = 304, 96, 24
_MOST_UNSAVED, _MOST_RECENT = 3, 5
_ADVICE = "Walk around your subject and take 20 to 60 sharp photos that overlap by two thirds."
_NOTHING = ("", "", "")


class StartPage:
    """Shown until there is something to look at."""

    def __init__(self, studio: Studio, ui: Ui) -> None:
        self._studio, self._ui = studio, ui
        self._looks: Looks
        self._primary = PrimaryLook(ui, "model.primary")
        self._found: Latest[tuple[list[Recent], list[Recent]]] = Latest("earlier projects")
        self._asked: object = None
        self._words = _NOTHING
        self._lines = 0
        self._canvas = (1, 1)
        self._top_px = 0

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        px, self._looks = self._ui.px, Looks(self._ui)
        self._primary.build()
        # A window of its own: the canvas below it would take the mouse from anything else.
        with dpg.child_window(
            tag="model.empty", parent=parent, border=False, width=px(_WIDTH), no_scrollbar=True,
            no_scroll_with_mouse=True,
        ):  # fmt: skip
            dpg.add_text("", tag="model.empty_title")
            dpg.add_spacer(height=px(8))
            dpg.add_text("", tag="model.empty_text", wrap=px(_WIDTH))
            dpg.add_spacer(height=px(16))
            with dpg.group(horizontal=True, horizontal_spacing=px(8)):
                size = {"width": px(_BUTTON), "height": px(_HEIGHT)}
                dpg.add_button(tag="model.begin", callback=self._begin, **size)
                dpg.add_button(label="Add folder", tag="model.begin_folder",
                               callback=partial(arrivals.add_folder, self._studio),
                               **size)  # fmt: skip
                dpg.add_button(label="Open project", tag="model.begin_open",
                               callback=self._studio.ask_open, **size)  # fmt: skip
            with dpg.group(tag="model.begin_example_row"):
                dpg.add_spacer(height=px(8))
                with dpg.group(horizontal=True, horizontal_spacing=px(8)):
                    dpg.add_button(label="Try the example", tag="model.begin_example",
                                   callback=partial(arrivals.try_example, self._studio),
                                   **size)  # fmt: skip
                    dpg.add_button(label="24 photos of a ruin, a model in two minutes",
                                   tag="model.begin_example_text", height=px(_HEIGHT))  # fmt: skip
            dpg.add_group(tag="model.earlier")
        dpg.bind_item_font("model.empty_title", self._ui.font("title"))
        dpg.bind_item_theme("model.begin", self._primary.tag)
        dpg.bind_item_theme("model.begin_example_text", self._looks.value)
        with dpg.theme() as clear, dpg.theme_component(dpg.mvAll):
            dpg.add_theme_color(dpg.mvThemeCol_ChildBg, (0, 0, 0, 0))
        dpg.bind_item_theme("model.empty", clear)

    def place(self, canvas: tuple[int, int], top_px: int) -> None:
        """Keep it in the middle of the canvas, which begins at top_px."""
        self._canvas, self._top_px = canvas, top_px
        px = self._ui.px
        height = min(px(_HEAD) + self._lines * px(_HEIGHT), canvas[1] - px(16))
        left = max(px(24), (canvas[0] - px(_WIDTH)) // 2)
        dpg.configure_item("model.empty", height=height)
        dpg.set_item_pos("model.empty", [left, top_px + max(px(16), (canvas[1] - height) // 2)])

    def update(self) -> None:
        """Say what to do next, as long as there is nothing else to be seen."""
        now = self._studio.situation
        is_shown = not self._studio.shows_model
        if dpg.is_item_shown("model.empty") != is_shown:
            dpg.configure_item("model.empty", show=is_shown)
        if not is_shown:
            self._words = _NOTHING
            return
        button = (
            "Add photos" if now.offers_photos else now.start.label if now.start.is_enabled else ""
        )
        words = (now.title, now.text, button)
        is_start = not self._studio.project.sources and now.offers_photos
        if words != self._words:
            self._words = words
            # Projects may have been left, saved and forgotten since it was last shown.
            self._asked = None
            dpg.delete_item("model.earlier", children_only=True)
            dpg.set_value("model.empty_title", now.title)
            dpg.set_value("model.empty_text", now.text)
            dpg.bind_item_font("model.empty_text", self._ui.font("normal", now.text))
            dpg.configure_item("model.begin", label=button, show=bool(button))
            dpg.configure_item("model.begin_folder", show=now.offers_photos)
            for tag in ("model.begin_open", "model.begin_example_row", "model.earlier"):
                dpg.configure_item(tag, show=is_start)
        recent = self._studio.preferences.recent
        if is_start and self._asked != recent:
            self._asked = recent
            self._found.ask(lambda: look_up_earlier(recent))
        if (found := self._found.answer()) is not None:
            self._list(*found)

    def _begin(self) -> None:
        if self._studio.situation.offers_photos:
            arrivals.add_photos(self._studio)
        else:
            self._studio.start()

    def _list(self, unsaved: Sequence[Recent], recent: Sequence[Recent]) -> None:
        dpg.delete_item("model.earlier", children_only=True)
        left, there = unsaved[:_MOST_UNSAVED], recent[:_MOST_RECENT]
        self._section("Not saved yet", left, self._studio.recover, can_forget=True)
        self._section("Recent projects", there, self._studio.open, can_forget=False)
        titles = bool(left) + bool(there)
        self._lines = len(left) + len(there) + 2 * titles
        self.place(self._canvas, self._top_px)

    def _section(
        self,
        title: str,
        projects: Sequence[Recent],
        open_project: Callable[[Path], None],
        *,
        can_forget: bool,
    ) -> None:
        if not projects:
            return
        px, ui = self._ui.px, self._ui
        with dpg.group(parent="model.earlier"):
            dpg.add_spacer(height=px(24))
            told = dpg.add_text(title)
            dpg.bind_item_theme(told, self._looks.muted)
            dpg.bind_item_font(told, ui.font("small"))
            dpg.add_spacer(height=px(4))
        for index, each in enumerate(projects):
            with dpg.group(horizontal=True, horizontal_spacing=px(8), parent="model.earlier"):
                tag = f"model.{'unsaved' if can_forget else 'recent'}.{index}"
                dpg.add_button(
                    label=f"{each.name}##{each.path}", tag=tag, width=px(_NAME),
                    user_data=(open_project, each.path), callback=self._open,
                )  # fmt: skip
                when = f"{each.changed_at:%m-%d %H:%M}" if each.changed_at else ""
                date = dpg.add_button(label=f"{when}##{each.path}", width=px(_DATE))
                if can_forget:
                    forget = dpg.add_button(
                        label="×", tag=f"{tag}.forget", width=px(_FORGET), user_data=each.path,
                        callback=self._forget,
                    )  # fmt: skip
                    dpg.bind_item_theme(forget, self._looks.icon)
                    self._ui.explain(forget, "Take it off this list; photos and results stay")
            dpg.bind_item_font(tag, ui.font("normal", each.name))
            dpg.bind_item_theme(tag, self._looks.link)
            dpg.bind_item_theme(date, self._looks.value)
            if not can_forget:
                self._ui.explain(tag, str(each.path))

    def _open(
        self, sender: object, data: object, asked: tuple[Callable[[Path], None], Path]
    ) -> None:
        open_project, path = asked
        open_project(path)

    def _forget(self, sender: object, app_data: object, path: Path) -> None:
        self._studio.forget_unsaved(path)
        self._asked = None
