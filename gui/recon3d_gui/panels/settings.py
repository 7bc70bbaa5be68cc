"""The left tab "Settings": presets, where to compute, and the form of all settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d.config import Preset
from recon3d.language import LANGUAGES
from recon3d.run.device import Device
from recon3d_gui.job.words import outlook_words
from recon3d_gui.panels.looks import Looks
from recon3d_gui.panels.setting_row import SettingRow, handle_texts
from recon3d_gui.photos.latest import Latest
from recon3d_gui.project.form import Section, changed_settings, sections, told_switch, without
from recon3d_gui.project.machine import find_gpu
from recon3d_gui.project.words import PRESETS

if TYPE_CHECKING:
    from recon3d_gui.job.outlook import Outlook
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_PRESETS: dict[str, Preset] = {name.capitalize(): name for name in PRESETS}
_DEVICES: dict[str, Device] = {"Automatic": "auto", "Processor": "cpu", "NVIDIA GPU": "cuda"}
_LABEL_PX = 144
_RESET_PX = 26
_EDGE_PX = 6
_SCROLLBAR_PX = 12
_INDENT_PX = 12
_OF_THE_SYSTEM = "As the system"
# The panel "Export" shows them where they are needed.
_ELSEWHERE = frozenset({"Export"})


class SettingsPanel:
    """Every setting with its meaning; what is entered is one step of undo each."""

    def __init__(self, studio: Studio, ui: Ui) -> None:
        self._studio = studio
        self._ui = ui
        self._sections = [part for part in sections() if part.title not in _ELSEWHERE]
        self._rows = {
            each.key: SettingRow(each, studio, ui, "settings")
            for part in self._sections
            for each in part.settings
        }
        self._gpu: Latest[str] = Latest("find the GPU")
        self._seen = -1
        self._outlook: Outlook | None = None

    def build(self, parent: int | str) -> None:
        """Make the widgets, once."""
        looks = Looks(self._ui)
        with dpg.group(parent=parent, tag="settings"):
            self._build_head(looks)
            self._build_form(looks)
        dpg.set_value("settings.device.about", "Looking for a GPU…")
        self._gpu.ask(find_gpu)

    def _build_head(self, looks: Looks) -> None:
        # As wide as the rows below, which stand beside a scroll bar.
        room_px = self._ui.px(_RESET_PX + _EDGE_PX + _SCROLLBAR_PX)
        self._build_choice(
            "Preset", "settings.preset", list(_PRESETS), self._switch, looks, room_px=room_px
        )
        with dpg.group(horizontal=True, horizontal_spacing=0):
            dpg.add_input_text(
                tag="settings.search",
                hint="Search settings",
                width=-room_px,
                callback=self._search,
            )
            dpg.add_button(
                label="↺", tag="settings.reset", width=self._ui.px(_RESET_PX), callback=self._reset
            )
        dpg.bind_item_theme("settings.reset", looks.icon)
        self._ui.explain("settings.reset", "Reset all settings to what the preset says")
        dpg.add_text(tag="settings.outlook", wrap=0, show=False)
        dpg.bind_item_theme("settings.outlook", looks.muted)

    def _build_choice(
        self,
        label: str,
        tag: str,
        choices: list[str],
        callback: object,
        looks: Looks,
        *,
        room_px: int,
    ) -> None:
        """room_px: to the right of the list, where the rows of the form have their buttons."""
        with dpg.group(horizontal=True, horizontal_spacing=0):
            name = dpg.add_button(label=label, width=self._ui.px(_LABEL_PX))
            dpg.add_combo(choices, tag=tag, width=-room_px, callback=callback)
        about = dpg.add_text(tag=f"{tag}.about", wrap=0)
        dpg.bind_item_theme(name, looks.label)
        dpg.bind_item_theme(about, looks.muted)

    def _build_form(self, looks: Looks) -> None:
        edited = handle_texts()
        with dpg.child_window(tag="settings.form", border=False):
            for part in self._sections:
                self._build_section(part, looks, edited)
            with dpg.collapsing_header(
                label="Computer", tag="settings.Computer", default_open=True
            ):
                self._build_choice(
                    "Compute on",
                    "settings.device",
                    list(_DEVICES),
                    self._take_device,
                    looks,
                    room_px=self._ui.px(_RESET_PX + _EDGE_PX),
                )
                self._build_choice(
                    "Language",
                    "settings.language",
                    [_OF_THE_SYSTEM, *LANGUAGES.values()],
                    self._take_language,
                    looks,
                    room_px=self._ui.px(_RESET_PX + _EDGE_PX),
                )
                names = self._ui.font("normal", "".join(LANGUAGES.values()))
                dpg.bind_item_font("settings.language", names)
            dpg.add_text("No setting is called like that.", tag="settings.none", show=False)
        dpg.bind_item_theme("settings.none", looks.muted)
        with dpg.theme() as level, dpg.theme_component(dpg.mvAll):
            # Expert rows stand below the others, not to the right of them.
            dpg.add_theme_style(dpg.mvStyleVar_IndentSpacing, 0)
        dpg.bind_item_theme("settings.form", level)

    def _build_section(self, part: Section, looks: Looks, edited: int | str) -> None:
        tag = f"settings.{part.title}"
        with dpg.collapsing_header(label=part.title, tag=tag, default_open=True):
            for each in part.everyday:
                self._rows[each.key].build(looks, edited)
            if part.expert:
                with dpg.tree_node(label=f"Expert ({len(part.expert)})", tag=f"{tag}.expert"):
                    for each in part.expert:
                        self._rows[each.key].build(looks, edited)
            dpg.add_button(
                label=f"Reset “{part.title}”",
                tag=f"{tag}.reset",
                user_data=part,
                callback=self._reset_section,
                indent=self._ui.px(_INDENT_PX),
            )
        dpg.bind_item_theme(f"{tag}.reset", looks.value)

    def update(self) -> None:
        """Show what has changed since the last frame."""
        if (gpu := self._gpu.answer()) is not None:
            found = f"Found: {gpu}." if gpu else "No NVIDIA GPU found: the processor does it all."
            dpg.set_value("settings.device.about", found)
        if (outlook := self._studio.jobs.outlook) is not self._outlook:
            self._outlook = outlook
            dpg.set_value("settings.outlook", outlook_words(outlook) if outlook else "")
            dpg.configure_item("settings.outlook", show=outlook is not None)
        if self._studio.revision != self._seen:
            self._seen = self._studio.revision
            self._show()

    def _show(self) -> None:
        project = self._studio.project
        dpg.set_value("settings.preset", project.preset.capitalize())
        dpg.set_value("settings.preset.about", PRESETS[project.preset])
        device = next(shown for shown, name in _DEVICES.items() if name == project.device)
        dpg.set_value("settings.device", device)
        chosen = self._studio.preferences.language
        dpg.set_value("settings.language", LANGUAGES[chosen] if chosen else _OF_THE_SYSTEM)
        for row in self._rows.values():
            row.show(project)
        changed = changed_settings(project)
        self._ui.offer("settings.reset", is_on=bool(changed))
        for part in self._sections:
            several = sum(each in part.settings for each in changed) > 1
            dpg.configure_item(f"settings.{part.title}.reset", show=several)

    def _switch(self, sender: object, shown: str) -> None:
        chosen = _PRESETS[shown]
        stays = told_switch(self._studio.project, chosen)
        self._studio.change(f"Preset {shown}", preset=chosen)
        if stays:
            self._studio.toast(stays)

    def _take_language(self, sender: object, shown: str) -> None:
        codes = {name: code for code, name in LANGUAGES.items()}
        self._studio.prefer(language=codes.get(shown))
        dpg.set_value("settings.language.about", "From the next start of the program on.")

    def _take_device(self, sender: object, shown: str) -> None:
        self._studio.change(f"Compute on {shown}", device=_DEVICES[shown])

    def _reset(self) -> None:
        project = self._studio.project
        self._studio.change("Reset settings", changes=without(project, changed_settings(project)))

    def _reset_section(self, sender: object, app_data: object, part: Section) -> None:
        changes = without(self._studio.project, part.settings)
        self._studio.change(f"Reset “{part.title}”", changes=changes)

    def _search(self, sender: object, query: str) -> None:
        anything = False
        for part in self._sections:
            found = [each for each in part.settings if self._rows[each.key].find(query)]
            tag = f"settings.{part.title}"
            dpg.configure_item(tag, show=bool(found))
            anything |= bool(found)
            if part.expert:
                dpg.configure_item(f"{tag}.expert", show=any(e in part.expert for e in found))
                dpg.set_value(f"{tag}.expert", bool(query.strip()))
        dpg.configure_item("settings.Computer", show=not query.strip())
        dpg.configure_item("settings.none", show=not anything)
