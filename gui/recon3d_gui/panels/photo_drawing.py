"""What a photo looks like in the list, the grid and the table, however it is drawn there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d.language import translate
from recon3d_gui.contrast import ink_on
from recon3d_gui.fonts import is_wide
from recon3d_gui.photos.facts import PhotoFacts
from recon3d_gui.photos.rows import PhotoRow
from recon3d_gui.photos.textures import Texture

if TYPE_CHECKING:
    from recon3d_gui.theme import Ui

COLOURS = {"new": "muted", "used": "good", "left out": "bad", "excluded": "muted"}
"""Of the signs of what became of a photo."""
EYE = 28
"""Room that the eye takes at the right end, which leaves a photo out."""
_MOST_LINES = 2


@dataclass(frozen=True)
class Look:
    """Everything that is shown of a photo; equal looks need no drawing."""

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


class PhotoDrawing(ABC):
    """The widgets of one visible photo, used again for another photo after scrolling."""

    HEIGHT = 0
    """In unscaled pixels."""
    has_eye = True
    """Whether it has one at its right end."""

    def __init__(self, ui: Ui, parent: int | str, tag: str) -> None:
        self._ui = ui
        self._look: Look | None = None
        self._theme = ui.theme
        self.tag = tag
        # Only a group around it can have a tooltip.
        with dpg.group(parent=parent, show=False) as self._group:
            dpg.add_drawlist(1, ui.px(self.HEIGHT), tag=tag)
        ui.explain(self._group)

    @property
    def photo_id(self) -> str | None:
        """Whose drawing it is now; None while it is hidden."""
        return self._look.row.id if self._look else None

    def hide(self) -> None:
        """Show nothing."""
        if self._look:
            self._look = None
            # A drawing keeps its texture alive.
            dpg.delete_item(self.tag, children_only=True)
            dpg.configure_item(self._group, show=False)

    def is_over_eye(self, x_px: float) -> bool:
        """Whether a place, from the left edge, is on the eye."""
        if self._look is None or not self.has_eye:
            return False
        return x_px > self._look.width_px - self._ui.px(EYE + 12)

    def show(self, look: Look) -> None:
        """Draw a photo, unless it looks like that already."""
        if (look, self._ui.theme) == (self._look, self._theme):
            return
        self._look, self._theme = look, self._ui.theme
        dpg.delete_item(self.tag, children_only=True)
        dpg.configure_item(self.tag, width=look.width_px, height=self._ui.px(self.HEIGHT))
        dpg.configure_item(self._group, show=True)
        self._ui.explain_anew(self._group, tip_of(look))
        self._mark(look)
        self._draw(look)

    @abstractmethod
    def _draw(self, look: Look) -> None:
        """Into the drawing, which is empty."""

    def _mark(self, look: Look) -> None:
        """What is selected, and what is shown large."""
        px, colour = self._ui.px, self._ui.colour
        if look.selected or look.current:
            dpg.draw_rectangle(
                (0, px(1)),
                (look.width_px - 1, px(self.HEIGHT - 1)),
                fill=with_alpha(colour("accent"), 50) if look.selected else (0, 0, 0, 0),
                color=colour("accent") if look.current else (0, 0, 0, 0),
                rounding=px(6),
                parent=self.tag,
            )

    def _picture(
        self, look: Look, place_px: tuple[float, float], room_px: tuple[float, float]
    ) -> None:
        """The small picture in the middle of its room; a plate until it has come."""
        (left, top), (width, height), px = place_px, room_px, self._ui.px
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
            color=(255, 255, 255, faded(look)),
            parent=self.tag,
        )
        if look.has_own_mask:
            self._mask_sign((left, top + height))

    def _mask_sign(self, corner: tuple[float, float]) -> None:
        """In the lower left of the thumbnail."""
        px, font = self._ui.px, self._ui.font("small")
        width, height = text_size("mask", font)
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

    def _sign(self, look: Look, place_px: tuple[float, float]) -> None:
        """What became of the photo, by form and colour."""
        state = look.row.state
        font, text = self._ui.font("small"), self._ui.icon(state)
        item = dpg.draw_text(
            place_px, text, color=self._ui.colour(COLOURS[state]), parent=self.tag,
            size=text_size("M", font)[1] or self._ui.px(13),
        )  # fmt: skip
        dpg.bind_item_font(item, font)

    def _eye(self, look: Look, x: float, y: float) -> None:
        """Open for a photo that a run uses, crossed out for one that it does not."""
        px = self._ui.px
        excluded = look.row.state == "excluded"
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
        place: tuple[float, float],
        font: str,
        colour: str,
        room_px: float,
        alpha: int = 255,
        *,
        end: bool = False,
        right: bool = False,
    ) -> None:
        """Shortened to its room; at the right end of it where asked for."""
        tag = self._ui.font(font, text)
        fitting = elided(text, room_px, tag, end=end)
        if right:
            place = place[0] + room_px - text_size(fitting, tag)[0], place[1]
        item = dpg.draw_text(
            place,
            fitting,
            color=with_alpha(self._ui.colour(colour), alpha),
            size=text_size("M", tag)[1] or self._ui.px(14),
            parent=self.tag,
        )
        dpg.bind_item_font(item, tag)


def faded(look: Look) -> int:
    """The opacity of what is shown of a photo."""
    return 110 if look.row.state == "excluded" else 255


def lines_of(text: str, room_px: float, font: int | str) -> list[str]:
    """A text on as many lines as a row has room for; the last one may not fit."""
    # Chinese is broken anywhere.
    gap = "" if is_wide(text) else " "
    lines = [""]
    for word in text.split(" ") if gap else text:
        longer = f"{lines[-1]}{gap}{word}".lstrip()
        if lines[-1] and len(lines) < _MOST_LINES and text_size(longer, font)[0] > room_px:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def elided(text: str, room_px: float, font: int | str, *, end: bool = False) -> str:
    """The text, shortened to fit: in its middle, as names differ at their ends, or at its end."""
    if text_size(text, font)[0] <= room_px:
        return text
    low, high = 0, len(text)
    while low < high:
        kept = (low + high + 1) // 2
        low, high = (
            (kept, high)
            if text_size(_shortened(text, kept, end=end), font)[0] <= room_px
            else (low, kept - 1)
        )
    return _shortened(text, low, end=end)


def _shortened(text: str, kept: int, *, end: bool) -> str:
    tail = 0 if end else kept // 2
    return f"{text[: kept - tail]}…{text[len(text) - tail :]}"


def text_size(text: str, font: int | str) -> tuple[float, float]:
    """Zero before the first frame is drawn."""
    size = dpg.get_text_size(text, font=font)
    return (size[0], size[1]) if size else (0.0, 0.0)


def status_of(look: Look) -> str:
    """What became of the photo; before it is used, what took it."""
    state, facts = look.row.state, look.facts
    text: str = state
    if state == "used" and (held := look.row.placing) and held.points:
        text = f"used, {held.points:,} points, {held.error_px:.2f} px"
    if state == "left out":
        text = translate(look.row.reason).removeprefix("it is ").removeprefix("it ")
    elif state == "new":
        text = (facts.lens or facts.size) if facts else ""
    return translate(text)


def tip_of(look: Look) -> str:
    """All that is known of the photo, in lines."""
    lines = [str(look.row.path), look.facts.line if look.facts else ""]
    if look.sharpness is not None:
        lines.append(f"Sharpness: {200 * look.sharpness:.0f} % of what is usual among these photos")
    if look.has_own_mask:
        lines.append("It has a mask that you drew.")
    return "\n".join(line for line in (*lines, look.row.sentence) if line)


def with_alpha(colour: tuple[int, ...], alpha: int) -> tuple[int, int, int, int]:
    """A colour of another opacity."""
    return colour[0], colour[1], colour[2], alpha
