"""The edge between the left column and the page, which can be dragged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.project.preferences import LEFT_WIDTHS, USUAL_LEFT

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

WIDTH = 6
_LEAST_PAGE = 560
"""What the page beside the column keeps, unless the column is at its narrowest."""


class Splitter:
    """A strip that follows the mouse; how wide the column shall be is a preference."""

    def __init__(self, studio: Studio, ui: Ui) -> None:
        self._studio, self._ui = studio, ui
        self._held_at: float | None = None
        """Where on the strip it was taken, from its right edge."""
        self._drawn: tuple[object, ...] = ()
        self._size = (1, 1)
        ui.on_theme(self._forget)

    @property
    def is_held(self) -> bool:
        """Whether it is being dragged."""
        return self._held_at is not None

    def build(self, parent: int | str) -> None:
        """Make the strip."""
        # A drawing alone stays where it was made.
        with dpg.child_window(
            parent=parent, tag="left.edge_room", border=False, no_scrollbar=True,
            no_scroll_with_mouse=True,
        ):  # fmt: skip
            dpg.add_drawlist(1, 1, tag="left.edge")
        with dpg.item_handler_registry() as handlers:
            dpg.add_item_double_clicked_handler(callback=self._reset)
        dpg.bind_item_handler_registry("left.edge", handlers)

    def left_px(self, window_px: int) -> int:
        """The width of the column with its edge, in a window of this width."""
        least, most = LEFT_WIDTHS
        room = max(least, window_px / self._ui.scale - _LEAST_PAGE)
        return self._ui.px(min(max(self._studio.preferences.left_width, least), most, room))

    def place(self, left_px: int, top_px: int, height_px: int) -> None:
        """Put the strip at the right end of the column."""
        width = self._ui.px(WIDTH)
        self._size = (width, height_px)
        dpg.configure_item("left.edge", width=width, height=height_px)
        dpg.configure_item("left.edge_room", width=width, height=height_px)
        dpg.set_item_pos("left.edge_room", [left_px - width, top_px])
        self._drawn = ()

    def update(self) -> None:
        """Follow the mouse."""
        x = dpg.get_mouse_pos(local=False)[0]
        is_over, is_down = dpg.is_item_hovered("left.edge"), dpg.is_mouse_button_down(0)
        if self._held_at is None:
            if is_over and dpg.is_mouse_button_clicked(0):
                self._held_at = dpg.get_item_rect_max("left.edge")[0] - x
        else:
            least, most = LEFT_WIDTHS
            wanted = (x + self._held_at) / self._ui.scale
            self._studio.prefer(left_width=min(max(wanted, least), most))
            if not is_down:
                self._held_at = None
        self._draw("accent" if self.is_held else "muted" if is_over else "outline")

    def _draw(self, colour: str) -> None:
        if (colour, self._size) == self._drawn:
            return
        self._drawn = (colour, self._size)
        dpg.delete_item("left.edge", children_only=True)
        width, height = self._size
        px, ink = self._ui.px, self._ui.colour(colour)
        middle = width / 2
        dpg.draw_line((middle, 0), (middle, height), color=ink, parent="left.edge",
                      thickness=px(1 if colour == "outline" else 3))  # fmt: skip
        for step in (-1, 0, 1):  # a grip, by which one sees that it can be moved
            dpg.draw_circle((middle, height / 2 + step * px(8)), px(2), color=ink, fill=ink,
                            parent="left.edge")  # fmt: skip

    def _reset(self) -> None:
        self._held_at = None
        self._studio.prefer(left_width=USUAL_LEFT)

    def _forget(self) -> None:
        self._drawn = ()
