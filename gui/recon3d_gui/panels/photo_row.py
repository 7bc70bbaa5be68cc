"""One row of the photo list: thumbnail, name, what became of it, sharpness, and an eye."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from recon3d_gui.panels.photo_drawing import (
    EYE,
    Look,
    PhotoDrawing,
    faded,
    lines_of,
    status_of,
)

_THUMBNAIL = (80, 60)
_TEXT_X = 104
_STATUS_Y, _LINE = 28, 14
_SIGN = 18
_BAR = (104, 4)


class RowDrawing(PhotoDrawing):
    """For the list."""

    HEIGHT = 72

    def _draw(self, look: Look) -> None:
        px = self._ui.px
        top = px((self.HEIGHT - _THUMBNAIL[1]) / 2)
        self._picture(look, (px(8), top), (px(_THUMBNAIL[0]), px(_THUMBNAIL[1])))
        room = look.width_px - px(_TEXT_X + EYE + 16)
        name = (px(_TEXT_X), px(7))
        self._text(look.row.id, name, "normal", "text", room, faded(look))
        self._sign(look, (px(_TEXT_X), px(_STATUS_Y)))
        status = status_of(look)
        room -= px(_SIGN)
        font = self._ui.font("small", status)
        for index, line in enumerate(lines_of(status, room, font)):
            place = px(_TEXT_X + _SIGN), px(_STATUS_Y) + index * px(_LINE)
            self._text(line, place, "small", "muted", room, end=True)
        if look.sharpness is not None:
            self._bar(look.sharpness)
        self._eye(look, look.width_px - px(EYE / 2 + 6), px(self.HEIGHT / 2))

    def _bar(self, sharpness: float) -> None:
        px = self._ui.px
        left, top = px(_TEXT_X), px(60)
        colour = "bad" if sharpness < 0.1 else "warning" if sharpness < 0.2 else "muted"
        for share, name in ((1.0, "raised"), (max(sharpness, 0.02), colour)):
            dpg.draw_rectangle(
                (left, top),
                (left + px(_BAR[0]) * share, top + px(_BAR[1])),
                fill=self._ui.colour(name),
                color=(0, 0, 0, 0),
                rounding=px(2),
                parent=self.tag,
            )
