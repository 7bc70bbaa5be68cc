"""The head of the photo table: a click on a column sorts by it, another one turns it around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dearpygui.dearpygui as dpg

from recon3d_gui.panels.looks import Looks
from recon3d_gui.panels.photo_line import COLUMNS, column_widths
from recon3d_gui.photos.rows import Order

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_TIPS = {
    "name": "By name, as people count",
    "points": "How many points hold the photo: the matches that could be kept",
    "error": "How far these points are off, in the middle",
    "sharpness": "How sharp it is beside what is usual among these photos",
    "verdict": "What became of it, and why",
}
# Everywhere else the least is the worst, which comes first.
_LARGEST_FIRST = frozenset({"error"})


class PhotoHead:
    """A button for each column."""

    def __init__(self, studio: Studio, ui: Ui) -> None:
        self._photos, self._ui = studio.photos, ui
        self._shown: tuple[object, ...] = ()
        self._has_room = True
        """For a verdict in words."""

    def build(self) -> None:
        """Make the buttons in the current container."""
        looks = {0.0: Looks(self._ui).heading(0.0), 1.0: Looks(self._ui).heading(1.0)}
        with dpg.group(horizontal=True, horizontal_spacing=0, tag="photos.head", show=False):
            for order, (title, _) in COLUMNS.items():
                tag = f"photos.head.{order}"
                dpg.add_button(label=title, tag=tag, user_data=order, callback=self._sort)
                dpg.bind_item_font(tag, self._ui.font("small"))
                # Titles stand as what is below them: words at the left, numbers at the right.
                dpg.bind_item_theme(tag, looks[0.0 if order in ("name", "verdict") else 1.0])
                self._ui.explain(tag, _TIPS[order])

    def resize(self, width_px: int, *, is_shown: bool) -> None:
        """The width of the table."""
        widths = column_widths(width_px, self._ui.scale)
        for order, width in zip(COLUMNS, widths, strict=True):
            dpg.configure_item(f"photos.head.{order}", width=width)
        self._has_room = widths[-1] > widths[1]
        self._shown = ()
        self.update(is_shown=is_shown)

    def update(self, *, is_shown: bool) -> None:
        """Mark the column that the photos are sorted by."""
        now = (is_shown, self._photos.order, self._photos.is_reversed)
        if now == self._shown:
            return
        self._shown = now
        dpg.configure_item("photos.head", show=is_shown)
        for order, (title, _) in COLUMNS.items():
            label = title if order != "verdict" or self._has_room else ""
            if order == self._photos.order:
                is_falling = (order in _LARGEST_FIRST) != self._photos.is_reversed
                label = self._ui.label("descending" if is_falling else "ascending", label)
            dpg.configure_item(f"photos.head.{order}", label=label)

    def _sort(self, sender: Any, app_data: Any, order: Order) -> None:
        self._photos.sort_by(order)
        dpg.set_y_scroll("photos.list", 0)
