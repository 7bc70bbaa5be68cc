"""Markers over a photo: rings with a cross where they are set, hollow ones where they should be."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.markers.editor import Shown
from recon3d_gui.photos.tiles import Box

if TYPE_CHECKING:
    from recon3d_gui.theme import Ui

_RING, _ARM, _GAP = 11, 17, 4
_DASH = 7
_SHADE = (0, 0, 0, 170)


@dataclass(frozen=True)
class MarkerDrawing:
    """What is to be drawn; another one whenever it looks different."""

    shown: tuple[Shown, ...]
    size: tuple[int, int]
    """Of the upright photo, in which their places are."""

    def draw(self, ui: Ui, picture: Box, parent: str) -> None:
        """Draw them; picture: where the whole photo lies on the drawing."""
        left, top, right, bottom = picture
        across, down = (right - left) / self.size[0], (bottom - top) / self.size[1]
        for each in self.shown:
            places = [(left + x * across, top + y * down) for x, y in each.places]
            colour = ui.colour(
                "bad" if each.is_wrong else "accent" if each.is_selected else "warning"
            )
            if len(places) > 1:
                _dashes(ui, places, colour, parent)
            else:
                _ring(ui, each, places[0], colour, parent)


def _ring(
    ui: Ui, each: Shown, at: tuple[float, float], colour: tuple[int, ...], parent: str
) -> None:
    px, (x, y) = ui.px, at
    for tint, thickness in ((_SHADE, px(4)), (colour, px(2))):
        dpg.draw_circle(at, px(_RING), color=tint, thickness=thickness, parent=parent)
        if each.is_set:
            # The cross leaves its middle free, so that one sees what is marked.
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                dpg.draw_line(
                    (x + dx * px(_GAP), y + dy * px(_GAP)),
                    (x + dx * px(_ARM), y + dy * px(_ARM)),
                    color=tint, thickness=thickness, parent=parent,
                )  # fmt: skip
    text = each.name if each.is_set else f"{each.name}?"
    size = dpg.get_text_size("M", font=ui.font("normal"))
    height = size[1] if size else px(14)
    for dx, tint in ((1, _SHADE), (0, colour)):
        place = (x + px(_ARM) + dx, y - px(_ARM) - height / 2 + dx)
        drawn = dpg.draw_text(place, text, size=height, color=tint, parent=parent)
        dpg.bind_item_font(drawn, ui.font("normal", each.name))


def _dashes(ui: Ui, line: list[tuple[float, float]], colour: tuple[int, ...], parent: str) -> None:
    """A dashed line along the given points."""
    dash, begins = ui.px(_DASH), True
    for start, end in pairwise(line):
        length = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5
        steps = min(200, max(1, round(length / dash)))
        for step in range(steps):
            if begins:
                a, b = (
                    tuple(s + (e - s) * share / steps for s, e in zip(start, end, strict=True))
                    for share in (step, step + 1)
                )
                for tint, thickness in ((_SHADE, ui.px(3)), (colour, ui.px(1.5))):
                    dpg.draw_line(a, b, color=tint, thickness=thickness, parent=parent)
            begins = not begins
