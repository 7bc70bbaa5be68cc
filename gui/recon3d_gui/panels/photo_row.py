"""One row of the photo list: thumbnail, name, what became of it, sharpness, and an eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.contrast import ink_on
from recon3d_gui.photos.facts import PhotoFacts
from recon3d_gui.photos.rows import PhotoRow
from recon3d_gui.photos.textures import Texture

if TYPE_CHECKING:
    from recon3d_gui.theme import Ui

HEIGHT = 72
"""Of a row, in unscaled pixels."""

_THUMBNAIL = (80, 60)
_TEXT_X = 104
_STATUS_Y, _LINE = 28, 14
_MOST_LINES = 2
_EYE = 28
_BAR = (104, 4)
_COLOURS = {"new": "muted", "used": "good", "left out": "bad", "excluded": "muted"}


@dataclass(frozen=True)
class Look:
    """Everything a row shows; equal looks need no drawing."""

    row: PhotoRow
    facts: PhotoFacts | None
    sharpness: float | None
    """0 to 1, half is usual; None: not known."""
    texture: Texture | None
    selected: bool
    current: bool
    width_px: int
    has_own_mask: bool = False
    """One that was drawn on it."""


class RowDrawing:
    """The widgets of one visible row, used again for another photo after scrolling."""

    def __init__(self, ui: Ui, parent: int | str, tag: str) -> None:
        self._ui = ui
        self._look: Look | None = None
        self._theme = ui.theme
        self.tag = tag
        # Only a group around it can have a tooltip.
        with dpg.group(parent=parent, show=False) as self._group:
            dpg.add_drawlist(1, ui.px(HEIGHT), tag=tag)
        ui.explain(self._group)

    @property
    def photo_id(self) -> str | None:
        """Whose row it is now; None while it is hidden."""
        return self._look.row.id if self._look else None

    def hide(self) -> None:
        """Show nothing."""
        if self._look:
            self._look = None
            # A drawing keeps its texture alive.
            dpg.delete_item(self.tag, children_only=True)
            dpg.configure_item(self._group, show=False)

    def is_over_eye(self, x_px: float) -> bool:
        """Whether a place in the row, from its left edge, is on the eye."""
        return self._look is not None and x_px > self._look.width_px - self._ui.px(_EYE + 12)

    def show(self, look: Look) -> None:
        """Draw a photo's row, unless it looks like that already."""
        if (look, self._ui.theme) == (self._look, self._theme):
            return
        self._look, self._theme = look, self._ui.theme
        px = self._ui.px
        dpg.delete_item(self.tag, children_only=True)
        dpg.configure_item(self.tag, width=look.width_px, height=px(HEIGHT))
        dpg.configure_item(self._group, show=True)
        self._ui.explain_anew(self._group, _tip(look))
        faded = 110 if look.row.state == "excluded" else 255
        self._background(look)
        self._thumbnail(look, faded)
        room = look.width_px - px(_TEXT_X + _EYE + 16)
        self._text(look.row.id, (px(_TEXT_X), px(7)), "normal", "text", room, faded)
        status, colour = _status(look)
        dpg.draw_circle(
            (px(_TEXT_X + 4), px(_STATUS_Y + 8)),
            px(4),
            color=(0, 0, 0, 0),
            fill=self._ui.colour(colour),
            parent=self.tag,
        )
        font = self._ui.font("small", status)
        for index, line in enumerate(lines_of(status, room - px(14), font)):
            place = px(_TEXT_X + 14), px(_STATUS_Y) + index * px(_LINE)
            self._text(line, place, "small", "muted", room - px(14), 255, end=True)
        if look.sharpness is not None:
            self._bar(look.sharpness)
        self._eye(look)

    def _background(self, look: Look) -> None:
        px, colour = self._ui.px, self._ui.colour
        if look.selected or look.current:
            dpg.draw_rectangle(
                (0, px(1)),
                (look.width_px - 1, px(HEIGHT - 1)),
                fill=_with_alpha(colour("accent"), 50) if look.selected else (0, 0, 0, 0),
                color=colour("accent") if look.current else (0, 0, 0, 0),
                rounding=px(6),
                parent=self.tag,
            )

    def _thumbnail(self, look: Look, faded: int) -> None:
        px = self._ui.px
        left, top = px(8), px((HEIGHT - _THUMBNAIL[1]) / 2)
        width, height = px(_THUMBNAIL[0]), px(_THUMBNAIL[1])
        if look.texture is None:
            dpg.draw_rectangle(
                (left, top),
                (left + width, top + height),
                fill=self._ui.colour("raised"),
                color=(0, 0, 0, 0),
                rounding=px(4),
                parent=self.tag,
            )
            return
        texture = look.texture
        factor = min(width / texture.width_px, height / texture.height_px)
        drawn = (texture.width_px * factor, texture.height_px * factor)
        low = (left + (width - drawn[0]) / 2, top + (height - drawn[1]) / 2)
        dpg.draw_image(
            texture.tag,
            low,
            (low[0] + drawn[0], low[1] + drawn[1]),
            color=(255, 255, 255, faded),
            parent=self.tag,
        )
        if look.has_own_mask:
            self._mask_sign((left, top + height))

    def _mask_sign(self, corner: tuple[float, float]) -> None:
        """In the lower left of the thumbnail."""
        px, font = self._ui.px, self._ui.font("small")
        width, height = _size("mask", font)
        dpg.draw_rectangle(
            (corner[0], corner[1] - height - px(2)),
            (corner[0] + width + px(8), corner[1]),
            fill=self._ui.colour("accent"),
            color=(0, 0, 0, 0),
            rounding=px(3),
            parent=self.tag,
        )
        item = dpg.draw_text(
            (corner[0] + px(4), corner[1] - height - px(1)),
            "mask",
            color=ink_on(self._ui.colour("accent")),
            size=height or px(12),
            parent=self.tag,
        )
        dpg.bind_item_font(item, font)

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

    def _eye(self, look: Look) -> None:
        """Open for a photo that a run uses, crossed out for one that it does not."""
        px = self._ui.px
        excluded = look.row.state == "excluded"
        x, y = look.width_px - px(_EYE / 2 + 6), px(HEIGHT / 2)
        colour = self._ui.colour("muted" if excluded else "text")
        half, lid = px(9), px(8)
        for sign in (-1, 1):
            dpg.draw_bezier_quadratic(
                (x - half, y),
                (x, y + 1.3 * sign * lid),
                (x + half, y),
                color=colour,
                thickness=px(1.5),
                parent=self.tag,
            )
        if excluded:
            dpg.draw_line(
                (x - px(7), y + px(7)),
                (x + px(7), y - px(7)),
                color=colour,
                thickness=px(1.5),
                parent=self.tag,
            )
        else:
            dpg.draw_circle((x, y), px(3), fill=colour, color=(0, 0, 0, 0), parent=self.tag)

    def _text(
        self,
        text: str,
        place: tuple[int, int],
        font: str,
        colour: str,
        room_px: float,
        alpha: int,
        *,
        end: bool = False,
    ) -> None:
        tag = self._ui.font(font, text)
        item = dpg.draw_text(
            place,
            elided(text, room_px, tag, end=end),
            color=_with_alpha(self._ui.colour(colour), alpha),
            size=_line_height(tag) or self._ui.px(14),
            parent=self.tag,
        )
        dpg.bind_item_font(item, tag)


def lines_of(text: str, room_px: float, font: int | str) -> list[str]:
    """A text on as many lines as a row has room for; the last one may not fit."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and len(lines) < _MOST_LINES and _width(longer, font) > room_px:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def elided(text: str, room_px: float, font: int | str, *, end: bool = False) -> str:
    """The text, shortened to fit: in its middle, as names differ at their ends, or at its end."""
    if _width(text, font) <= room_px:
        return text
    low, high = 0, len(text)
    while low < high:
        kept = (low + high + 1) // 2
        low, high = (
            (kept, high)
            if _width(_shortened(text, kept, end=end), font) <= room_px
            else (low, kept - 1)
        )
    return _shortened(text, low, end=end)


def _shortened(text: str, kept: int, *, end: bool) -> str:
    tail = 0 if end else kept // 2
    return f"{text[: kept - tail]}…{text[len(text) - tail :]}"


def _width(text: str, font: int | str) -> float:
    return _size(text, font)[0]


def _line_height(font: int | str) -> float:
    return _size("M", font)[1]


def _size(text: str, font: int | str) -> tuple[float, float]:
    """Zero before the first frame is drawn."""
    size = dpg.get_text_size(text, font=font)
    return (size[0], size[1]) if size else (0.0, 0.0)


def _status(look: Look) -> tuple[str, str]:
    """What became of the photo; before it is used, what took it."""
    state, facts = look.row.state, look.facts
    text: str = state
    if state == "used" and (held := look.row.placing) and held.points:
        text = f"used, {held.points:,} points, {held.error_px:.2f} px"
    if state == "left out":
        text = look.row.reason.removeprefix("it is ").removeprefix("it ")
    elif state == "new":
        text = (facts.lens or facts.size) if facts else ""
    return text, _COLOURS[state]


def _tip(look: Look) -> str:
    lines = [str(look.row.path), look.facts.line if look.facts else ""]
    if look.sharpness is not None:
        lines.append(f"Sharpness: {200 * look.sharpness:.0f} % of what is usual among these photos")
    if look.has_own_mask:
        lines.append("It has a mask that you drew.")
    return "\n".join(line for line in (*lines, look.row.sentence) if line)


def _with_alpha(colour: tuple[int, ...], alpha: int) -> tuple[int, int, int, int]:
    return colour[0], colour[1], colour[2], alpha
