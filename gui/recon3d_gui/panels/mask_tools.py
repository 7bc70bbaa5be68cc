"""The tools that draw a mask on the photo page, and what the mouse does with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.masks.editor import SIZES, Begin, MaskEditor, Tool
from recon3d_gui.panels.photo_canvas import Mark, PhotoCanvas

if TYPE_CHECKING:
    from recon3d_gui.photos.rows import PhotoRow
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_TOOLS: dict[str, Tool] = {"Brush": "brush", "Lasso": "lasso"}
_HIDES = {"Hide": True, "Keep": False}
_BEGINNINGS: dict[str, Begin] = {
    "Hide nothing": "nothing", "The given mask": "given", "The mask that a run found": "found",
}  # fmt: skip
_SLIDER, _COMBO = 110, 130
_NOTCH = 1.15
_BUTTONS = (dpg.mvMouseButton_Left, dpg.mvMouseButton_Right)
HELP = (
    "Left button: draw. Right: the reverse. Wheel: zoom. Ctrl+wheel: size of the brush. "
    "Middle: move the photo. Ctrl+Z: undo."
)
"""What the mouse does."""


class MaskTools:
    """A row of widgets in place of the layers; `draw` gives the canvas what to show."""

    def __init__(self, studio: Studio, ui: Ui, canvas: PhotoCanvas, editor: MaskEditor) -> None:
        self._studio, self._ui, self._canvas = studio, ui, canvas
        self.editor = editor
        self._button: int | None = None
        self._shown: tuple[object, ...] = ()

    def build(self) -> None:
        """Make the widgets."""
        px, editor = self._ui.px, self.editor
        with dpg.group(horizontal=True, tag="photo.mask_tools", show=editor.is_on):
            dpg.add_radio_button(
                [*_TOOLS], horizontal=True, tag="photo.mask_tool", callback=self._on_tool
            )
            dpg.add_spacer(width=px(8))
            dpg.add_radio_button(
                [*_HIDES], horizontal=True, tag="photo.mask_hides", callback=self._on_hides
            )
            dpg.add_spacer(width=px(8))
            dpg.add_slider_float(
                tag="photo.mask_size", width=px(_SLIDER), min_value=SIZES[0], max_value=SIZES[1],
                format="%.1f %%", callback=self._on_size, clamped=True,
                default_value=editor.size_percent,
            )  # fmt: skip
            dpg.add_button(label="Undo", tag="photo.mask_undo", callback=lambda: editor.undo())
            dpg.add_button(label="Redo", tag="photo.mask_redo", callback=lambda: editor.redo())
            dpg.add_combo(
                [], tag="photo.mask_begin", width=px(_COMBO), callback=self._on_begin,
                default_value="Start over", no_arrow_button=True,
            )  # fmt: skip
            dpg.add_button(label="Remove mask", tag="photo.mask_forget", callback=editor.forget_own)
        self._ui.explain("photo.mask_size", "Width of the brush, of the photo's longer side")
        self._ui.explain(
            "photo.mask_forget", "Remove what you drew: the given or found mask counts again"
        )
        self._ui.explain("photo.mask_begin", "What the mask is to be instead")
        self._shown = ()

    def show(self, row: PhotoRow | None) -> None:
        """Follow the editor; each frame."""
        editor = self.editor
        editor.ask(row)
        editor.tick()
        drawing = editor.drawing
        shown = (
            editor.is_on, editor.tool, editor.hides, editor.size_percent, editor.has_own,
            tuple(editor.beginnings), bool(drawing and drawing.can_undo),
            bool(drawing and drawing.can_redo),
        )  # fmt: skip
        if shown == self._shown:
            return
        self._shown = shown
        dpg.configure_item("photo.mask_tools", show=editor.is_on)
        dpg.set_value("photo.mask_tool", _word(_TOOLS, editor.tool))
        dpg.set_value("photo.mask_hides", _word(_HIDES, editor.hides))
        dpg.set_value("photo.mask_size", editor.size_percent)
        dpg.configure_item("photo.mask_undo", enabled=bool(drawing and drawing.can_undo))
        dpg.configure_item("photo.mask_redo", enabled=bool(drawing and drawing.can_redo))
        dpg.configure_item("photo.mask_forget", enabled=editor.has_own)
        dpg.configure_item(
            "photo.mask_begin", items=[_word(_BEGINNINGS, each) for each in editor.beginnings]
        )

    def draw(self) -> bool:
        """Show the photo that is drawn on; False: there is none yet."""
        editor, canvas = self.editor, self._canvas
        if editor.painted is None:
            return False
        self._follow_mouse()
        photo = editor.painted.pyramid
        is_here = dpg.is_item_hovered("photo.canvas")
        mark = None
        if editor.lasso and editor.tool == "lasso":
            mark = Mark((*editor.lasso, canvas.place_in(photo)), 0.0, self._hides_now)
        elif editor.tool == "brush" and is_here:
            mark = Mark((canvas.place_in(photo),), editor.radius_px, self._hides_now)
        canvas.draw_painted(editor.painted, mark)
        return True

    def on_wheel(self, steps: float) -> bool:
        """Change the brush with Ctrl; False: the wheel means something else."""
        if not self.editor.is_on or not _is_ctrl_down():
            return False
        self.editor.resize(_NOTCH**steps)
        return True

    @property
    def words(self) -> str:
        """What stands below the photo."""
        if self.editor.drawing is None:
            return "Loading…"
        share = f"keeps {100 * self.editor.kept:.0f} % of the photo"
        if self.editor.has_own:
            return f"Your own mask {share}, and counts in the next run."
        return f"You have drawn no mask on this photo yet. What counts now {share}."

    @property
    def _hides_now(self) -> bool:
        is_opposite = dpg.is_mouse_button_down(dpg.mvMouseButton_Right)
        return self.editor.hides != is_opposite

    def _follow_mouse(self) -> None:
        editor, canvas = self.editor, self._canvas
        assert editor.painted
        photo = editor.painted.pyramid
        place = canvas.place_in(photo)
        if self._button is not None:
            editor.move(place)
            if not dpg.is_mouse_button_down(self._button):
                self._button = None
                editor.release()
            return
        canvas.pan(photo)
        for button in _BUTTONS:
            if dpg.is_mouse_button_clicked(button) and dpg.is_item_hovered("photo.canvas"):
                self._button = button
                editor.press(place, opposite=button == dpg.mvMouseButton_Right)

    def _on_tool(self, sender: str, word: str) -> None:
        self.editor.tool = _TOOLS[word]

    def _on_hides(self, sender: str, word: str) -> None:
        self.editor.hides = _HIDES[word]

    def _on_size(self, sender: str, percent: float) -> None:
        self.editor.size_percent = percent

    def _on_begin(self, sender: str, word: str) -> None:
        dpg.set_value("photo.mask_begin", "Start over")
        self.editor.start_over(_BEGINNINGS[word])


def _word(words: Mapping[str, object], value: object) -> str:
    return next(word for word, each in words.items() if each == value)


def _is_ctrl_down() -> bool:
    return any(map(dpg.is_key_down, (dpg.mvKey_LControl, dpg.mvKey_RControl)))
