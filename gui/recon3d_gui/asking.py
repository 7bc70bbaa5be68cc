"""Questions that the window asks by itself: paths, where the system has no dialog, and leaving."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.paste import paths_in

if TYPE_CHECKING:
    from recon3d_gui.dialogs import Question
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_WIDTH = 560


class PathPrompt:
    """A field for paths."""

    def __init__(self, studio: Studio, ui: Ui) -> None:
        self._dialogs, self._ui = studio.dialogs, ui
        self._shown: Question | None = None

    def update(self) -> None:
        """Show it when a question is open."""
        question = self._dialogs.typed
        if question is not self._shown:
            self._shown = question
            if dpg.does_item_exist("paths"):
                dpg.delete_item("paths")
            if question:
                self._build(question)

    def _build(self, question: Question) -> None:
        px = self._ui.px
        many = question.kind == "files"
        with dpg.window(
            tag="paths", label=question.title, modal=True, no_resize=True, no_collapse=True,
            width=px(_WIDTH), pos=_centred(px(_WIDTH), px(240)), on_close=self._cancel,
        ):  # fmt: skip
            told = "Paths, one on each line:" if many else "Path:"
            dpg.add_text(told if question.kind != "save" else "Save as:")
            dpg.add_input_text(
                tag="paths.text", width=-1, multiline=many, height=px(120) if many else 0,
                default_value=str(question.start or "") if question.kind == "save" else "",
                on_enter=not many, callback=None if many else self._accept,
            )  # fmt: skip
            dpg.add_text("", tag="paths.problem", color=self._ui.colour("warning"), wrap=px(520))
            with dpg.group(horizontal=True):
                dpg.add_button(label="OK", tag="paths.ok", width=px(96), callback=self._accept)
                dpg.add_button(label="Cancel", width=px(96), callback=self._cancel)
        dpg.focus_item("paths.text")

    def _accept(self) -> None:
        text = dpg.get_value("paths.text")
        if self._shown and self._shown.kind == "save":
            paths = [Path(text.strip()).expanduser()] if text.strip() else []
            told = "Type where to save it."
        else:
            paths, told = paths_in(text), "There is nothing at this path."
        if paths:
            self._dialogs.answer_typed(paths)
        else:
            dpg.set_value("paths.problem", told)

    def _cancel(self) -> None:
        self._dialogs.answer_typed([])


def ask_to_close(ui: Ui, leave: Callable[[], None]) -> None:
    """Ask whether to leave although a run is at work."""
    if dpg.does_item_exist("leave"):
        return
    px = ui.px

    def stay() -> None:
        dpg.delete_item("leave")

    with dpg.window(
        tag="leave", label="A run is at work", modal=True, no_resize=True, no_collapse=True,
        width=px(_WIDTH), pos=_centred(px(_WIDTH), px(140)), on_close=stay,
    ):  # fmt: skip
        dpg.add_text(
            "If you close now the run stops. What is finished is kept, and it goes on from there "
            "the next time.",
            wrap=px(_WIDTH - 32),
        )
        with dpg.group(horizontal=True):
            dpg.add_button(label="Go on working", tag="leave.stay", callback=stay)
            dpg.add_button(label="Stop and close", tag="leave.close", callback=leave)


def _centred(width_px: int, height_px: int) -> list[int]:
    return [
        max(0, (dpg.get_viewport_client_width() - width_px) // 2),
        max(0, (dpg.get_viewport_client_height() - height_px) // 2),
    ]
