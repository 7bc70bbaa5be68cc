"""One photo of the grid: its picture, its name, and a sign of what became of it."""

from __future__ import annotations

from recon3d_gui.panels.photo_drawing import Look, PhotoDrawing, faded

WIDTH = 108
"""At least, in unscaled pixels; tiles share what a row has left."""
_MARGIN, _PICTURE, _NAME = 6, 78, 88
_SIGN = 18


class TileDrawing(PhotoDrawing):
    """For the grid."""

    HEIGHT = 112
    has_eye = False

    def _draw(self, look: Look) -> None:
        px = self._ui.px
        room = look.width_px - 2 * px(_MARGIN)
        self._picture(look, (px(_MARGIN), px(_MARGIN)), (room, px(_PICTURE)))
        self._sign(look, (px(_MARGIN), px(_NAME)))
        place = (px(_MARGIN + _SIGN), px(_NAME))
        self._text(look.row.id, place, "small", "text", room - px(_SIGN), faded(look))
