"""A file or folder of the project on the screen: what it is, and how to choose or drop it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import dearpygui.dearpygui as dpg

from recon3d.config import field_docs
from recon3d.results import Inputs
from recon3d_gui.project.project import Project

if TYPE_CHECKING:
    from recon3d_gui.panels.looks import Looks
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

Kind = Literal["file", "folder"]

_LABEL_PX = 128
_BUTTON_PX = 66
_CLEAR_PX = 26
_EDGE_PX = 6


class FileRow:
    """One of the fields of a project that hold a path or nothing."""

    def __init__(
        self, field: str, label: str, kinds: Sequence[Kind], studio: Studio, ui: Ui
    ) -> None:
        self._field = field
        self._label = label
        self._kinds = kinds
        self._studio = studio
        self._ui = ui
        self._tag = f"camera.{field}"

    def build(self, looks: Looks) -> None:
        """Make the widgets in the current container."""
        px = self._ui.px
        with dpg.group(horizontal=True, horizontal_spacing=px(4)):
            label = dpg.add_button(label=self._label, width=px(_LABEL_PX))
            for kind in self._kinds:
                dpg.add_button(
                    label=f"{kind.capitalize()}…",
                    tag=f"{self._tag}.{kind}",
                    width=px(_BUTTON_PX),
                    callback=partial(self._ask, kind),
                )
        with dpg.group(horizontal=True, horizontal_spacing=0, tag=f"{self._tag}.set", show=False):
            dpg.add_button(tag=self._tag, width=-px(_CLEAR_PX + _EDGE_PX))
            dpg.add_button(
                label="×", tag=f"{self._tag}.clear", width=px(_CLEAR_PX), callback=self._clear
            )
        for item, look in ((label, looks.label), (self._tag, looks.value)):
            dpg.bind_item_theme(item, look)
        dpg.bind_item_theme(f"{self._tag}.clear", looks.icon)
        self._ui.explain(label, " ".join(field_docs(Inputs)[self._field].split()))
        self._ui.explain(f"{self._tag}.clear", "Use it no longer")
        self._ui.explain(self._tag)

    def show(self, project: Project) -> None:
        """Show what the project says."""
        path: Path | None = getattr(project, self._field)
        dpg.configure_item(f"{self._tag}.set", show=path is not None)
        if path:
            dpg.configure_item(self._tag, label=path.name)
            dpg.bind_item_font(self._tag, self._ui.font("normal", path.name))
            self._ui.explain_anew(self._tag, str(path))

    def _ask(self, kind: Kind) -> None:
        ask = self._studio.ask.file if kind == "file" else self._studio.ask.folder
        ask(self._label, self._take)

    def _take(self, path: Path) -> None:
        self._studio.change(f"Choose {self._label.lower()}", **{self._field: path})

    def _clear(self) -> None:
        self._studio.change(f"Forget {self._label.lower()}", **{self._field: None})
