"""One setting on the screen: label, widget, dot where it is changed, reset, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d.core.errors import ConfigError
from recon3d_gui.project.form import Setting
from recon3d_gui.project.project import Project, Value

if TYPE_CHECKING:
    from recon3d_gui.panels.looks import Looks
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_DOT_PX = 12
_LABEL_PX = 132
_BUTTON_PX = 26
_EDGE_PX = 6
_NOTHING = object()


class SettingRow:
    """Shows a setting of the project, and changes it when a person has entered something."""

    def __init__(self, setting: Setting, studio: Studio, ui: Ui, tag: str) -> None:
        self.setting = setting
        self.tag = f"{tag}.{setting.key}"
        self._studio = studio
        self._ui = ui
        self._shown: object = _NOTHING

    def build(self, looks: Looks, edited: int | str) -> None:
        """Make the widgets in the current container.

        edited: what `handle_texts` has made.
        """
        ui = self._ui
        with dpg.group(tag=f"{self.tag}.row"):
            with dpg.group(horizontal=True, horizontal_spacing=0):
                dpg.add_button(label="", width=ui.px(_DOT_PX), tag=f"{self.tag}.dot")
                dpg.add_button(
                    label=self.setting.words.label,
                    width=ui.px(_LABEL_PX),
                    tag=f"{self.tag}.label",
                )
                self._build_widget(edited)
                dpg.add_button(
                    label="↺",
                    width=ui.px(_BUTTON_PX),
                    tag=f"{self.tag}.reset",
                    callback=self._reset,
                    show=False,
                )
            dpg.add_text(tag=f"{self.tag}.error", indent=ui.px(_DOT_PX), wrap=0, show=False)
        for part in ("dot", "label"):
            dpg.bind_item_theme(f"{self.tag}.{part}", getattr(looks, part))
        dpg.bind_item_theme(f"{self.tag}.reset", looks.icon)
        dpg.bind_item_theme(f"{self.tag}.error", looks.bad)
        for item in (f"{self.tag}.label", self.tag):
            self._ui.explain(item, self.setting.tooltip)
        self._ui.explain(f"{self.tag}.reset", "Back to what the preset says")

    def _build_widget(self, edited: int | str) -> None:
        buttons = 2 if self.setting.words.suggestions else 1
        width = -self._ui.px(_EDGE_PX + buttons * _BUTTON_PX)
        if self.setting.kind == "switch":
            dpg.add_checkbox(tag=self.tag, callback=self._switched)
        elif self.setting.kind == "choice":
            options = list(self.setting.options.values())
            dpg.add_combo(options, tag=self.tag, width=width, callback=self._chosen)
        else:
            dpg.add_input_text(tag=self.tag, width=width, user_data=self, auto_select_all=True)
            dpg.bind_item_handler_registry(self.tag, edited)
        if self.setting.words.suggestions:
            arrow = dpg.add_button(arrow=True, direction=dpg.mvDir_Down, tag=f"{self.tag}.arrow")
            with dpg.popup(arrow, mousebutton=dpg.mvMouseButton_Left, tag=f"{self.tag}.menu"):
                for text in self.setting.words.suggestions:
                    dpg.add_selectable(label=text, user_data=text, callback=self._suggested)

    def find(self, query: str) -> bool:
        """Hide the row unless a search finds it; returns whether it does."""
        found = self.setting.matches(query)
        dpg.configure_item(f"{self.tag}.row", show=found)
        return found

    def show(self, project: Project) -> None:
        """Show what the project says."""
        changed = self.setting.is_changed(project)
        dpg.configure_item(f"{self.tag}.dot", label="•" if changed else "")
        self._ui.offer(f"{self.tag}.reset", is_on=changed)
        value = self.setting.value(project)
        if value != self._shown:
            self._shown = value
            is_switch = self.setting.kind == "switch"
            dpg.set_value(self.tag, value if is_switch else self.setting.text(value))
            self._tell("")

    def commit(self) -> None:
        """Take what was typed into the project, or say what is wrong with it."""
        try:
            self._take(self.setting.read(dpg.get_value(self.tag)))
        except ConfigError as error:
            self._refuse(error)

    def _switched(self, sender: object, on: bool) -> None:
        self._take(on)

    def _chosen(self, sender: object, text: str) -> None:
        self._take(self.setting.read(text))

    def _suggested(self, sender: int | str, on: bool, text: str) -> None:
        dpg.set_value(sender, False)
        self._take(text)

    def _reset(self) -> None:
        self._take(self.setting.usual(self._studio.project))

    def _take(self, value: Value) -> None:
        try:
            changes = self.setting.changes(self._studio.project, value)
        except ConfigError as error:
            self._refuse(error)
            return
        self._studio.change(f"Change “{self.setting.words.label}”", changes=changes)
        # Written anew even if the value is the same: "12000" becomes "12,000".
        self._shown = _NOTHING
        self.show(self._studio.project)

    def _refuse(self, error: ConfigError) -> None:
        self._shown = _NOTHING
        value = self.setting.text(self.setting.value(self._studio.project))
        parts = (str(error), error.hint, f"It stays {value}.")
        self._tell(" ".join(part for part in parts if part))

    def _tell(self, trouble: str) -> None:
        dpg.set_value(f"{self.tag}.error", trouble)
        dpg.configure_item(f"{self.tag}.error", show=bool(trouble))


def handle_texts() -> int | str:
    """A handler registry for `SettingRow.build`: takes texts at Enter, or when they are left."""
    with dpg.item_handler_registry() as edited:
        dpg.add_item_deactivated_after_edit_handler(callback=_commit)
    return edited


def _commit(sender: object, item: int | str) -> None:
    row: SettingRow = dpg.get_item_user_data(item)
    row.commit()
