"""The left tab that saves the model: in which format, how large, where, and on into Blender."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.job.formats import Format, available_formats
from recon3d_gui.job.saving import Saving
from recon3d_gui.panels.primary import PrimaryLook

if TYPE_CHECKING:
    from recon3d_gui.project.project import Value
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_BUTTON = 32
_LABEL = 104
_PICTURES = {"JPEG, small": "jpeg", "PNG, exact": "png", "WebP, smallest": "webp"}
_QUALITIES = {"Small": 75, "Good": 85, "Very good": 92, "Best": 97}
_LEVELS = {"One": 1, "Two": 2, "Three": 3, "Four": 4}
_EMPTY = (
    "There is nothing to save yet.\n\nAdd photos and press Start; the model is saved from here."
)
_EXPLAINED = {
    "export.texture": "JPEG is read everywhere. PNG keeps every level and is some five times as "
    "large. Older programs do not read WebP; USDZ gets JPEG instead.",
    "export.quality": "Of the texture's pictures. Below 85 fine grain turns to blocks.",
    "export.levels": "The model once more, coarser and coarser, for games and the web. "
    "They are made by the next run and saved as files beside the model.",
    "export.share": "One file to send by mail: whoever gets it turns the model, measures it and "
    "looks through its photos in any browser, offline.",
    "export.exactness": "The error that can be expected, in the model's unit: as quality of the "
    "vertices of a PLY, or as colours in a second GLB beside the first. Takes a moment.",
    "export.unlit": "The photos' own light stays as it is, whatever lights there are (GLB only).",
}


class ExportPanel:
    """Holds widgets only; what it shows is known by `Saving`."""

    def __init__(self, studio: Studio, ui: Ui, saving: Saving) -> None:
        self._studio = studio
        self._jobs = studio.jobs
        self._ui = ui
        self._saving = saving
        self._formats = {form.title: form for form in available_formats()}
        self._primary = PrimaryLook(ui, "export.primary")
        self._drawn: object = None
        ui.on_theme(self._forget)

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        px = self._ui.px
        with dpg.group(parent=parent, tag="export"):
            dpg.add_text(_EMPTY, tag="export.empty", wrap=0)
            with dpg.group(tag="export.form"):
                dpg.add_combo(
                    list(self._formats), tag="export.format", width=-1, callback=self._choose
                )
                dpg.add_text("", tag="export.purpose", wrap=0)
                dpg.add_spacer(height=px(4))
                self._build_options()
                dpg.add_spacer(height=px(4))
                dpg.add_text("", tag="export.size", wrap=0)
                dpg.add_button(label="Save...", tag="export.save", width=-1, height=px(_BUTTON),
                               callback=self._ask)  # fmt: skip
                dpg.add_button(label="Share...", tag="export.share", height=px(_BUTTON),
                               callback=self._share, width=-1)  # fmt: skip
                dpg.add_button(label="Open in Blender", tag="export.blender", height=px(_BUTTON),
                               callback=self._blender, width=-1)  # fmt: skip
                dpg.add_progress_bar(tag="export.progress", width=-1, height=px(_BUTTON))
                dpg.add_button(label="Cancel", tag="export.cancel", width=-1, height=px(_BUTTON),
                               callback=self._jobs.cancel)  # fmt: skip
                dpg.add_text("", tag="export.saved", wrap=0)
                dpg.add_button(label="Show in folder", tag="export.show", height=px(_BUTTON),
                               callback=self._show, width=-1)  # fmt: skip
        for tag, text in _EXPLAINED.items():
            self._ui.explain(tag, text)
        self._primary.build()
        dpg.bind_item_theme("export.save", self._primary.tag)
        dpg.bind_item_font("export.purpose", self._ui.font("small"))

    def update(self) -> None:
        """Show what is new."""
        key = (self._saving.revision, self._jobs.revision, self._studio.revision)
        if key == self._drawn:
            return
        self._drawn = key
        content, problem = self._saving.content, self._saving.problem
        dpg.configure_item("export.form", show=content is not None)
        dpg.set_value("export.empty", problem or _EMPTY)
        colour = self._ui.colour("bad" if problem else "muted")
        dpg.configure_item("export.empty", show=content is None, color=colour)
        if content:
            self._show_options()
            self._show_size()
            self._show_progress()
            self._show_saved()

    def _build_options(self) -> None:
        def row(tag: str, label: str) -> str:
            name = f"export.{tag}.row"
            with dpg.group(horizontal=True, xoffset=self._ui.px(_LABEL), tag=name):
                dpg.add_text(label)
            return name

        dpg.add_combo(list(_PICTURES), parent=row("texture", "Texture as"), tag="export.texture",
                      callback=self._set_texture, width=-1)  # fmt: skip
        dpg.add_combo(list(_QUALITIES), parent=row("quality", "Quality"), tag="export.quality",
                      callback=self._set_quality, width=-1)  # fmt: skip
        dpg.add_combo(list(_LEVELS), parent=row("levels", "Levels"), tag="export.levels",
                      callback=self._set_levels, width=-1)  # fmt: skip
        dpg.add_checkbox(label="Show colours without lights", tag="export.unlit",
                         callback=self._set_unlit)  # fmt: skip
        dpg.add_checkbox(label="How exact each place is", tag="export.exactness",
                         callback=self._set_exactness)  # fmt: skip
        dpg.add_checkbox(label="With small pictures of the photos", tag="export.photos",
                         callback=self._set_photos)  # fmt: skip

    def _show_options(self) -> None:
        form, content, config = self._saving.form, self._saving.content, self._studio.project.config
        assert content
        dpg.set_value("export.format", form.title)
        dpg.set_value("export.purpose", form.purpose)
        dpg.configure_item("export.purpose", color=self._ui.colour("muted"))
        textured = form.takes_texture and content.has_texture
        kind, quality = config.export.texture_format, config.export.texture_quality
        dpg.configure_item("export.texture.row", show=textured)
        dpg.set_value("export.texture", _word(_PICTURES, kind))
        dpg.configure_item("export.quality.row", show=textured and kind != "png")
        dpg.set_value("export.quality", _word(_QUALITIES, quality))
        dpg.configure_item("export.unlit", show=form in (Format.GLB, Format.BLENDER))
        dpg.set_value("export.unlit", config.export.unlit)
        dpg.configure_item("export.exactness", show=form in (Format.GLB, Format.PLY))
        dpg.set_value("export.exactness", config.export.quality)
        dpg.configure_item("export.photos", show=form is Format.PAGE)
        dpg.set_value("export.photos", config.export.page_photos)
        dpg.configure_item("export.levels.row", show=form.takes_levels)
        dpg.set_value("export.levels", _word(_LEVELS, config.levels.count))

    def _show_size(self) -> None:
        saving, content = self._saving, self._saving.content
        assert content
        parts = [saving.size]
        if saving.form.needs_mesh:
            parts.append(f"{content.faces:,} triangles")
            if saving.form.takes_texture and not content.has_texture:
                parts.append("no texture yet")
        else:
            parts.append(f"{content.photos} photos")
        words = ", ".join(parts)
        made, wanted = len(content.level_faces) + 1, self._studio.project.config.levels.count
        if saving.form.takes_levels and made != wanted:
            words += f".\nPress Start to make {wanted} level{'s' if wanted > 1 else ''}; "
            words += f"now there {'is' if made == 1 else 'are'} {made}."
        if self._jobs.run.busy:
            words = "A run is going on. Save the model when it is done."
        elif saving.form.needs_mesh and not content.faces:
            words = "The run ended before there was a surface."
        dpg.set_value("export.size", words[:1].upper() + words[1:])

    def _show_progress(self) -> None:
        job = self._jobs.saving
        dpg.configure_item("export.save", show=not job.busy, enabled=self._saving.ready)
        blender = self._saving.blender is not None and Format.BLENDER.title in self._formats
        has_faces = bool(self._saving.content and self._saving.content.faces)
        has_model = has_faces and not self._jobs.busy
        dpg.configure_item("export.share", show=not job.busy, enabled=has_model)
        dpg.configure_item("export.blender", show=blender and not job.busy, enabled=has_model)
        dpg.configure_item("export.progress", show=job.busy, overlay=job.note or "Saving")
        dpg.set_value("export.progress", job.done / job.total if job.total else 0.0)
        dpg.configure_item("export.cancel", show=job.busy, enabled=job.state != "cancelling")

    def _show_saved(self) -> None:
        saved = self._saving.saved
        dpg.configure_item("export.saved", show=saved is not None, color=self._ui.colour("muted"))
        text = f"Saved as {saved}" if saved else ""
        dpg.set_value("export.saved", text)
        dpg.bind_item_font("export.saved", self._ui.font("small", text))
        dpg.configure_item("export.show", show=saved is not None)

    def _choose(self, _: object, title: str) -> None:
        self._saving.choose(self._formats[title])

    def _share(self) -> None:
        self._saving.choose(Format.PAGE)
        self._ask()

    def _ask(self) -> None:
        saving = self._saving
        self._studio.ask.save(f"Save as {saving.form.title}", saving.suggested_name, saving.save)

    def _blender(self) -> None:
        saving = self._saving
        if saving.saved_for_blender:
            saving.open_blender()
            return
        saving.choose(Format.BLENDER)
        self._studio.ask.save("Save a folder for Blender", saving.suggested_name,
                              saving.save_and_open)  # fmt: skip

    def _show(self) -> None:
        if self._saving.saved:
            self._studio.show_in_folder(self._saving.saved)

    def _set_texture(self, _: object, word: str) -> None:
        self._set("Change texture format", "export", texture_format=_PICTURES[word])

    def _set_quality(self, _: object, word: str) -> None:
        self._set("Change texture quality", "export", texture_quality=_QUALITIES[word])

    def _set_unlit(self, _: object, unlit: bool) -> None:
        self._set("Change lighting", "export", unlit=unlit)

    def _set_exactness(self, _: object, wanted: bool) -> None:
        self._set("Change exactness", "export", quality=wanted)

    def _set_photos(self, _: object, wanted: bool) -> None:
        self._set("Change photos in the page", "export", page_photos=wanted)

    def _set_levels(self, _: object, word: str) -> None:
        self._set("Change levels of detail", "levels", count=_LEVELS[word])

    def _set(self, label: str, stage: str, **settings: Value) -> None:
        changes = self._studio.project.changes_with(stage, **settings)
        self._studio.change(label, changes=changes)

    def _forget(self) -> None:
        self._drawn = None


def _word(words: Mapping[str, object], value: object) -> str:
    return next((word for word, meant in words.items() if meant == value), str(value))
