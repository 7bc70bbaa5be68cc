"""Questions that the window asks by itself: paths, where the system has no dialog, and leaving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.paste import paths_in

if TYPE_CHECKING:
    from recon3d_gui.dialogs import Question
    from recon3d_gui.modals import Modals
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_WIDTH, _TEXT = 560, 528
_LINES = 96
_ASKED = {
    "files": "Paste the paths here, one on each line. You can also drop files on the window.",
    "file": "Paste its path here. You can also drop it on the window.",
    "folder": "Paste its path here. You can also drop it on the window.",
    "save": "Where to, and under which name?",
}
_ACCEPT = {"files": "Add", "file": "Open", "folder": "Open", "save": "Save"}


class PathPrompt:
    """A field for paths."""

    def __init__(self, studio: Studio, ui: Ui, modals: Modals) -> None:
        self._dialogs, self._ui, self._modals = studio.dialogs, ui, modals
        self._shown: Question | None = None

    def update(self) -> None:
        """Show it when a question is open."""
        question = self._dialogs.typed
        if question is not self._shown:
            self._shown = question
            self._modals.put_away("paths")
            if question:
                self._build(question)

    @property
    def takes_drops(self) -> bool:
        """Whether it asks for something that can be dropped."""
        return self._shown is not None and self._shown.kind != "save"

    def accept(self, paths: Sequence[Path]) -> None:
        """What was dropped is the answer; one path where it asks for one."""
        assert self._shown
        self._dialogs.answer_typed(list(paths if self._shown.kind == "files" else paths[:1]))

    def _build(self, question: Question) -> None:
        px = self._ui.px
        many = question.kind == "files"
        with self._modals.show(
            "paths", question.title, (_WIDTH, 184 + (_LINES - 24 if many else 0)),
            self._cancel, None if many else self._accept,
        ):  # fmt: skip
            dpg.add_text(_ASKED[question.kind], tag="paths.asked", wrap=px(_TEXT))
            dpg.add_input_text(
                tag="paths.text", width=-1, multiline=many, height=px(_LINES) if many else 0,
                default_value=str(question.start or "") if question.kind == "save" else "",
            )  # fmt: skip
            start = dpg.get_value("paths.text")
            dpg.bind_item_font("paths.text", self._ui.font("normal", start))
            dpg.add_text("", tag="paths.problem", color=self._ui.colour("warning"), wrap=px(_TEXT))
            self._modals.buttons(
                (_ACCEPT[question.kind], "paths.ok", self._accept),
                ("Cancel", "paths.cancel", self._cancel),
            )
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


def ask_to_close(ui: Ui, modals: Modals, leave: Callable[[], None]) -> None:
    """Ask whether to leave although a run is at work."""
    if dpg.does_item_exist("leave"):
        return

    def stay() -> None:
        modals.put_away("leave")

    with modals.show("leave", "A run is at work", (_WIDTH, 140), accept=stay):
        dpg.add_text(
            "If you close now the run stops. What is finished is kept, and it goes on from there "
            "the next time.",
            wrap=ui.px(_TEXT),
        )
        dpg.add_spacer(height=ui.px(8))
        modals.buttons(
            ("Go on working", "leave.stay", stay), ("Stop and close", "leave.close", leave)
        )
