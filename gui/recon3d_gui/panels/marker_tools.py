"""Setting markers on the photo page: what the mouse does, and the list beside the photo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.markers.editor import MarkerEditor
from recon3d_gui.panels.marker_drawing import MarkerDrawing
from recon3d_gui.panels.marker_list import MarkerList
from recon3d_gui.panels.photo_canvas import PhotoCanvas
from recon3d_gui.photos.tiles import Pyramid

if TYPE_CHECKING:
    from recon3d_gui.photos.rows import PhotoRow
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

HELP = (
    "Click: set a marker. Drag a mark: move it. Right click: remove it here. Click a hollow mark: "
    "accept it. Wheel: zoom. Drag elsewhere: move the photo."
)
"""What the mouse does."""
_REACH, _STILL = 14, 4


class MarkerTools:
    """Follows the mouse over the canvas while markers are set."""

    def __init__(self, studio: Studio, ui: Ui, canvas: PhotoCanvas, editor: MarkerEditor) -> None:
        self._studio, self._ui, self._canvas, self._editor = studio, ui, canvas, editor
        self._list = MarkerList(studio, ui, editor)
        self._pressed: tuple[float, float] | None = None
        self._has_moved = False

    def build_list(self, parent: int | str) -> None:
        """Make the list beside the photo."""
        self._list.build(parent)

    def resize(self, height_px: int) -> int:
        """The height it has now; the width that it takes from the photo."""
        return self._list.resize(height_px) if self._editor.is_on else 0

    def show(self, row: PhotoRow | None) -> None:
        """Follow the editor; each frame while the page is open."""
        self._editor.tick(row)
        self._list.update()

    def drawing(self, row: PhotoRow | None) -> MarkerDrawing | None:
        """What lies over the photo."""
        size = self._size(row)
        return MarkerDrawing(self._editor.shown(), size) if self._editor.is_on and size else None

    def follow_mouse(self, photo: Pyramid, row: PhotoRow | None) -> None:
        """Set, move and remove marks; dragged anywhere else, the photo moves."""
        size = self._size(row)
        if size is None:
            return
        editor, canvas = self._editor, self._canvas
        x, y = canvas.place_in(photo)
        at = (x / photo.width_px * size[0], y / photo.height_px * size[1])
        reach = self._ui.px(_REACH) * size[0] / max(1.0, canvas.shown_width_px(photo))
        is_here, mouse = dpg.is_item_hovered("photo.canvas"), dpg.get_mouse_pos(local=False)
        if dpg.is_mouse_button_clicked(dpg.mvMouseButton_Right) and is_here:
            editor.remove_here(at, reach)
        if dpg.is_mouse_button_clicked(dpg.mvMouseButton_Left) and is_here:
            self._pressed, self._has_moved = (mouse[0], mouse[1]), False
            editor.grab(at, reach)
        if self._pressed is None:
            canvas.pan(photo)
            return
        far = max(abs(m - p) for m, p in zip(mouse, self._pressed, strict=False))
        self._has_moved = self._has_moved or far > self._ui.px(_STILL)
        if editor.is_dragging:
            if self._has_moved:
                editor.drag(at, size)
        elif self._has_moved:
            canvas.pan(photo, dpg.mvMouseButton_Left)
        if not dpg.is_mouse_button_down(dpg.mvMouseButton_Left):
            if editor.is_dragging:
                editor.release()
            elif not self._has_moved and not self._took(at, reach):
                editor.click(at, size)
            self._pressed = None

    @property
    def words(self) -> str:
        """What stands below the photo: what is wrong with the selected marker, or what comes."""
        editor = self._editor
        found = editor.measuring.found
        if editor.selected is None:
            return "The next click sets a new marker."
        known = found.markers.get(editor.selected)
        if known and known.problem:
            return known.problem
        if known and known.rms_px is not None:
            return f"{editor.selected} is {known.rms_px:.2f} px off on average in its photos."
        if "pose" not in self._studio.reached:
            return "Errors and places in other photos are shown once the photos are placed."
        return f"{editor.selected} is selected."

    def _took(self, at: tuple[float, float], reach: float) -> bool:
        """A mark that may not be changed was clicked; grabbing it has selected it."""
        return not self._editor.may_change and self._editor.grab(at, reach)

    def _size(self, row: PhotoRow | None) -> tuple[int, int] | None:
        """Of the upright photo in all its pixels, once its file was looked at."""
        facts = self._studio.photos.thumbnails.facts(row.picture) if row else None
        return (facts.width_px, facts.height_px) if facts and facts.width_px else None
