"""The page that shows one photo large, with what a run found in it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.keyboard import add_key_handler
from recon3d_gui.panels.looks import Looks
from recon3d_gui.panels.marker_tools import HELP as MARKER_HELP
from recon3d_gui.panels.marker_tools import MarkerTools
from recon3d_gui.panels.mask_tools import HELP, MaskTools
from recon3d_gui.panels.photo_canvas import PhotoCanvas
from recon3d_gui.photos.large import LargePhoto
from recon3d_gui.photos.overlays import Legend, Overlay, available
from recon3d_gui.photos.rows import PhotoRow
from recon3d_gui.photos.textures import Texture, Textures
from recon3d_gui.photos.zoom import Zoom

if TYPE_CHECKING:
    from recon3d_gui.markers.editor import MarkerEditor
    from recon3d_gui.masks.editor import MaskEditor
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_HEADER, _FOOTER = 80, 88
_LEGEND = (160, 10)
_WORDS: dict[str, Overlay | None] = {
    "Photo": None,
    "Features": "features",
    "Depth": "depth",
    "Confidence": "confidence",
    "Agreement": "agreement",
    "Mask": "mask",
    "Undistorted": "undistorted",
}
_EMPTY = "Choose a photo in the list on the left to see it here."


class PhotoPanel:
    """Shows the selected photo; holds pictures in memory only while the page is open."""

    def __init__(self, studio: Studio, ui: Ui, editor: MaskEditor, markers: MarkerEditor) -> None:
        self._studio = studio
        self._ui = ui
        self._large = LargePhoto()
        self._canvas = PhotoCanvas(ui)
        self._editor = editor
        self._tools = MaskTools(studio, ui, self._canvas, editor)
        self._markers = markers
        self._marker_tools = MarkerTools(studio, ui, self._canvas, markers)
        self._room_px = (1, 1)
        self._thumbnails: Textures
        self._overlay: Overlay | None = None
        self._offered: list[str] = []
        self._row: PhotoRow | None = None
        self._is_open = False
        self._told: tuple[object, ...] = ()
        ui.on_theme(self._forget_drawn)

    @property
    def is_busy(self) -> bool:
        """Whether the page is about to change, so that the window should be drawn often."""
        is_loading = self._large.is_loading or self._editor.is_busy or self._markers.is_busy
        return self._is_open and (is_loading or self._canvas.is_unfinished)

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        self._thumbnails = Textures(2)
        with dpg.child_window(parent=parent, tag="photo", border=False, no_scrollbar=True):
            with dpg.group(horizontal=True):
                dpg.add_button(label="Back", tag="photo.back", callback=self._back)
                self._build_buttons()
            self._tools.build()
            dpg.add_radio_button(
                ["Photo"], horizontal=True, tag="photo.overlay", callback=self._on_overlay
            )
            with dpg.group(horizontal=True, tag="photo.middle"):
                self._canvas.build("photo.middle")
                self._marker_tools.build_list("photo.middle")
            dpg.add_drawlist(1, self._ui.px(20), tag="photo.legend")
            dpg.add_text("", tag="photo.verdict", wrap=0)
            dpg.add_text("", tag="photo.facts")
            dpg.bind_item_font("photo.facts", self._ui.font("small"))
            looks = Looks(self._ui)
            self._ui.explain("photo.back", "Back to the model (Esc)")
            self._ui.explain("photo.mask", "Say what of the photo is left out")
            self._ui.explain("photo.mark", "Set markers: control points, and ends of known lengths")
            dpg.bind_item_theme("photo.facts", looks.muted)
        with dpg.handler_registry():
            dpg.add_mouse_wheel_handler(callback=self._on_wheel)
            add_key_handler(self._on_key)

    def _build_buttons(self) -> None:
        with dpg.group(horizontal=True, tag="photo.buttons"):
            for way, tag, by in (
                (dpg.mvDir_Left, "photo.previous", -1),
                (dpg.mvDir_Right, "photo.next", 1),
            ):
                dpg.add_button(arrow=True, direction=way, tag=tag, callback=partial(self._step, by))
            dpg.add_button(label="Fit", tag="photo.fit", callback=self._fit)
            dpg.add_button(label="100 %", tag="photo.full_size", callback=self._full_size)
            dpg.add_button(
                label="Show in 3D", tag="photo.in_3d", callback=self._show_in_3d, enabled=False
            )
            dpg.add_button(label="Exclude", tag="photo.toggle", callback=self._toggle)
            dpg.add_button(label="Draw mask", tag="photo.mask", callback=self._switch_drawing)
            dpg.add_button(label="Markers", tag="photo.mark", callback=self._switch_markers)
            dpg.add_text("", tag="photo.name")

    def resize(self, width_px: int, height_px: int) -> None:
        """The space it has now."""
        self._room_px = (width_px, height_px)
        height = height_px - self._ui.px(_HEADER + _FOOTER)
        self._canvas.resize(width_px - self._marker_tools.resize(height), height)
        dpg.configure_item("photo.legend", width=width_px)

    def update(self) -> None:
        """Show the selected photo while the page is open."""
        if self._studio.page != "photo":
            self._close()
            return
        self._is_open = True
        self._large.tick()
        photos, reached = self._studio.photos, self._studio.reached
        row = photos.row(self._studio.selected_photo) if self._studio.selected_photo else None
        if row is None or self._row is None or row.id != self._row.id:
            self._canvas.zoom = Zoom()
        self._row = row
        if row is None or not self._can_draw:
            self._editor.switch(on=False)
        self._tools.show(row)
        self._marker_tools.show(row)
        shown, is_marking = self._large.shown, self._markers.is_on
        if shown and shown.photo and is_marking:
            self._marker_tools.follow_mouse(shown.photo, row)
        elif shown and shown.photo and not self._editor.is_on:
            self._canvas.follow_mouse(shown)
        mask = photos.mask(row.id) if row else None
        self._offer(available(reached, mask is not None))
        finer = self._canvas.shown_px(shown.photo) if shown and shown.photo else 0.0
        self._large.ask(
            row,
            None if is_marking else self._overlay,
            reached,
            mask,
            listings=photos.listings,
            finer_than_px=finer,
        )
        if not (self._editor.is_on and self._tools.draw()):
            placeholder = self._placeholder(row)
            marks = self._marker_tools.drawing(row)
            shown, revision = self._large.shown, self._large.revision
            self._canvas.draw(shown, placeholder, self._words(), revision, marks)
        self._tell(row)

    def _forget_drawn(self) -> None:
        """The colours have changed."""
        self._told = ()
        self._canvas.forget_drawn()

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._editor.ask(None)
            self._large.ask(None, None, {}, None)
            self._canvas.clear()
            self._thumbnails.clear()

    def _placeholder(self, row: PhotoRow | None) -> Texture | None:
        if row is None or (self._large.shown and self._large.shown.photo):
            return None
        rgb = self._studio.photos.thumbnails.picture(row.picture)
        if rgb is None:
            return None
        return self._thumbnails.find(row.picture) or self._thumbnails.make(row.picture, rgb)

    def _words(self) -> str:
        """Where there is no picture to show."""
        if self._row is None:
            return _EMPTY
        return self._large.shown.note if self._large.shown else "Loading…"

    def _offer(self, overlays: list[Overlay]) -> None:
        words = [word for word, overlay in _WORDS.items() if not overlay or overlay in overlays]
        if words != self._offered:
            self._offered = words
            if self._overlay not in overlays:
                self._overlay = None
            chosen = next(word for word, overlay in _WORDS.items() if overlay == self._overlay)
            dpg.configure_item("photo.overlay", items=words)
            dpg.set_value("photo.overlay", chosen)

    def _tell(self, row: PhotoRow | None) -> None:
        """The words around the photo."""
        shown = self._large.shown
        facts = self._studio.photos.thumbnails.facts(row.picture) if row else None
        is_marking = self._markers.is_on
        drawing = self._tools.words if self._editor.is_on else ""
        if is_marking:
            drawing = self._marker_tools.words
        told = (row, facts, self._large.revision, self._large.is_loading, drawing, is_marking)
        if told == self._told:
            return
        self._told = told
        self._write("photo.name", row.id if row else "")
        self._write("photo.verdict", drawing or (row.sentence if row else ""))
        note = shown.note if shown and shown.photo else ""
        loading = "Loading…" if self._large.is_loading else ""
        line = " · ".join(part for part in (facts.line if facts else "", note, loading) if part)
        dpg.set_value("photo.facts", MARKER_HELP if is_marking else HELP if drawing else line)
        dpg.configure_item("photo.buttons", show=row is not None)
        dpg.configure_item("photo.overlay", show=row is not None and not drawing)
        dpg.configure_item("photo.mask", label="Done" if self._editor.is_on else "Draw mask")
        dpg.configure_item("photo.mark", label="Done" if is_marking else "Markers")
        self._ui.offer("photo.mask", is_on=self._can_draw and not is_marking)
        self._ui.offer("photo.mark", is_on=not self._editor.is_on)
        dpg.configure_item("photo.in_3d", enabled=row is not None and row.state == "used")
        excluded = row is not None and row.state == "excluded"
        dpg.configure_item("photo.toggle", label="Include" if excluded else "Exclude")
        self._draw_legend(shown.legend if shown and not drawing else None)

    def _write(self, tag: str, text: str) -> None:
        dpg.set_value(tag, text)
        dpg.bind_item_font(tag, self._ui.font("normal", text))

    def _draw_legend(self, legend: Legend | None) -> None:
        dpg.delete_item("photo.legend", children_only=True)
        if legend is None:
            return
        px, font = self._ui.px, self._ui.font("small")
        size = dpg.get_text_size("M", font=font)[1]
        x = 0.0

        def write(text: str) -> None:
            nonlocal x
            dpg.draw_text(
                (x, px(2)),
                text,
                size=size,
                color=self._ui.colour("muted"),
                parent="photo.legend",
            )
            x += dpg.get_text_size(text, font=font)[0] + px(8)

        if legend.colours is not None:
            write(legend.low)
            width = px(_LEGEND[0])
            for step in range(width):
                colour = legend.colours[step * len(legend.colours) // width].tolist()
                dpg.draw_line(
                    (x + step, px(4)),
                    (x + step, px(4 + _LEGEND[1])),
                    color=(*colour, 255),
                    parent="photo.legend",
                )
            x += width + px(8)
            write(legend.high)
            x += px(8)
        write(legend.title)

    @property
    def _can_draw(self) -> bool:
        """Frames of a video take no masks; another window's project is only looked at."""
        is_photo = self._row is not None and self._row.path == self._row.picture
        return is_photo and not self._studio.elsewhere

    # What the user does

    def _back(self) -> None:
        self._studio.page = "model"

    def _step(self, by: int) -> None:
        self._studio.photos.step(by)
        self._studio.selected_photo = self._studio.photos.selection.current

    def _fit(self) -> None:
        self._canvas.zoom = Zoom()

    def _full_size(self) -> None:
        if self._large.shown and self._large.shown.photo:
            self._canvas.show_full_size(self._large.shown.photo)

    def _toggle(self) -> None:
        if self._row:
            self._studio.photos.toggle([self._row.id])

    def _switch_drawing(self) -> None:
        self._editor.switch(on=not self._editor.is_on)

    def _switch_markers(self) -> None:
        self._markers.switch(on=not self._markers.is_on)
        self.resize(*self._room_px)

    def undo(self) -> bool:
        """Take back the latest step of the mask that is drawn; False: there is none."""
        return self._is_open and self._editor.is_on and self._editor.undo()

    def redo(self) -> bool:
        """Do again what that took back; False: there is nothing."""
        return self._is_open and self._editor.is_on and self._editor.redo()

    def _show_in_3d(self) -> None:
        if self._row:
            self._studio.show_photo_in_model(self._row.run_name or self._row.id)

    def _on_overlay(self, sender: str, word: str) -> None:
        self._overlay = _WORDS[word]

    def _on_wheel(self, sender: int, steps: float) -> None:
        shown = self._large.shown
        if self._is_open and self._tools.on_wheel(steps):
            return
        if self._is_open and shown and shown.photo and dpg.is_item_hovered("photo.canvas"):
            self._canvas.zoom_by(steps, shown.photo)

    def _on_key(self, key: int) -> None:
        by = {dpg.mvKey_Left: -1, dpg.mvKey_Right: 1}.get(key)
        if by and self._is_open and any(map(dpg.is_item_focused, ("photo", "photos.list"))):
            self._step(by)
