"""One line of the photo table, and the columns that it has in common with the table's head."""

from __future__ import annotations

from collections.abc import Mapping

from recon3d.language import translate
from recon3d_gui.panels.photo_drawing import Look, PhotoDrawing, faded, status_of
from recon3d_gui.photos.rows import Order

COLUMNS: Mapping[Order, tuple[str, int]] = {
    "name": ("Name", 0),
    "points": ("Points", 62),
    "error": ("Error", 58),
    "sharpness": ("Sharp", 56),
    "verdict": ("Verdict", 30),
}
"""By what they are sorted: title, and least width in unscaled pixels."""
_NAME, _VERDICT = 80, 78
"""Widths of the name and of a verdict in words, where there is room for both."""
_SIGN, _GAP = 18, 8


def column_widths(width_px: int, scale: float) -> list[int]:
    """Of a table of this width: numbers have theirs, name and verdict share the rest.

    Without room for words a verdict is its sign alone.
    """
    name, *numbers, verdict = (round(width * scale) for _, width in COLUMNS.values())
    left = max(0, width_px - sum(numbers))
    if left >= round((_NAME + _VERDICT) * scale):
        verdict = max(round(_VERDICT * scale), round(0.4 * left))
    name = max(0, left - verdict)
    return [name, *numbers, verdict]


class LineDrawing(PhotoDrawing):
    """For the table."""

    HEIGHT = 26
    has_eye = False

    def _draw(self, look: Look) -> None:
        px, row = self._ui.px, look.row
        held = row.placing if row.placing and row.placing.points else None
        sharp = look.sharpness
        numbers = (
            f"{held.points:,}" if held else "",
            f"{held.error_px:.2f} px" if held else "",
            "" if sharp is None else f"{200 * sharp:.0f} %",
        )
        name, *middle, verdict = column_widths(look.width_px, self._ui.scale)
        top = px(5)
        room = name - 2 * px(_GAP)
        self._text(row.id, (px(_GAP), top), "small", "text", room, faded(look))
        left = name
        for number, width in zip(numbers, middle, strict=True):
            self._text(number, (left, top), "small", "text", width - px(_GAP), right=True)
            left += width
        self._sign(look, (left + px(_GAP), top))
        if verdict < px(_VERDICT):
            return
        words = translate(row.state) if row.state != "left out" else status_of(look)
        place = (left + px(_GAP + _SIGN), top)
        self._text(words, place, "small", "muted", verdict - px(_GAP + _SIGN), end=True)
