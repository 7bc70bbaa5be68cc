"""The photos of a board: small pictures with the corners that were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.calibration.session import CalibrationSession
from recon3d_gui.calibration.words import doubtful_first, photo_line
from recon3d_gui.calibration.worker import THUMBNAIL_PX
from recon3d_gui.photos.textures import Texture, Textures

if TYPE_CHECKING:
    from recon3d_gui.theme import Ui

_MOST = 200
_GAP, _NAME_HEIGHT, _LINE_HEIGHT, _FONT = 16, 22, 44, 13
_SCROLLBAR = 24
_PER_FRAME = 4


@dataclass(frozen=True)
class _Card:
    group: int | str
    line: int | str
    picture: int | str


class PhotoCards:
    """A grid of cards in a scrolling child window; textures are made a few a frame."""

    def __init__(self, session: CalibrationSession, ui: Ui) -> None:
        self._session, self._ui = session, ui
        self._cards: dict[str, _Card] = {}
        self._pictured: set[str] = set()
        self._textures: Textures
        self._parent: int | str = 0
        self._columns = 1
        self._picture = 0, 0
        self._seen = -1
        ui.on_theme(self.redraw)

    def build(self, parent: int | str) -> None:
        """Remember where."""
        self._textures = Textures(_MOST)
        self._parent = parent

    def redraw(self) -> None:
        """Draw everything anew at the next update."""
        for card in self._cards.values():
            dpg.delete_item(card.group)
        self._cards, self._pictured = {}, set()
        self._seen = -1

    def resize(self, width_px: int) -> None:
        """As many columns as fit, filling the width."""
        room, gap = width_px - self._ui.px(_SCROLLBAR), self._ui.px(_GAP)
        self._columns = max(1, (room + gap) // (self._ui.px(THUMBNAIL_PX) * 3 // 4 + gap))
        width = (room + gap) // self._columns - gap
        if (width, width * 3 // 4) != self._picture:
            self._picture = width, width * 3 // 4
            self.redraw()

    def update(self) -> None:
        """Follow the session."""
        if self._session.revision == self._seen:
            return
        self._seen = self._session.revision
        outcome = self._session.outcome
        shown = doubtful_first(self._session.paths, outcome)[:_MOST]
        for photo_id in [each for each in self._cards if each not in shown]:
            dpg.delete_item(self._cards.pop(photo_id).group)
            self._textures.drop(photo_id)
            self._pictured.discard(photo_id)
        new = [photo_id for photo_id in shown if photo_id not in self._cards]
        for photo_id in new:
            self._cards[photo_id] = self._make(photo_id)
        self._place(shown)
        made = 0
        for photo_id in shown:
            card = self._cards[photo_id]
            text, colour = photo_line(photo_id, self._session.looks.get(photo_id), outcome)
            dpg.set_value(card.line, text)
            dpg.configure_item(card.line, color=self._ui.colour(colour))
            thumbnail = self._session.thumbnails.get(photo_id)
            if thumbnail is None or photo_id in self._pictured:
                continue
            if made == _PER_FRAME:
                # The rest in the next frame: the window stays smooth.
                self._seen = -1
                break
            made += 1
            self._pictured.add(photo_id)
            self._show(
                card, self._textures.find(photo_id) or self._textures.make(photo_id, thumbnail)
            )

    def _make(self, photo_id: str) -> _Card:
        px, (width, height) = self._ui.px, self._picture
        raised = self._ui.colour("raised")
        with dpg.group(parent=self._parent) as group:
            with dpg.drawlist(width, height + px(_NAME_HEIGHT)) as picture:
                dpg.draw_rectangle((0, 0), (width, height), fill=raised, color=raised)
                dpg.draw_text(
                    (0, height + px(6)),
                    _shortened(photo_id, width // px(_FONT // 2)),
                    size=px(_FONT),
                    color=self._ui.colour("text"),
                )
            line = dpg.add_text("", wrap=width)
        dpg.bind_item_font(line, self._ui.font("small"))
        dpg.bind_item_font(picture, self._ui.font("small", photo_id))
        return _Card(group, line, picture)

    def _show(self, card: _Card, texture: Texture) -> None:
        """The picture whole, in the middle of its place."""
        across, down = self._picture
        factor = min(across / texture.width_px, down / texture.height_px)
        half = texture.width_px * factor / 2, texture.height_px * factor / 2
        dpg.draw_image(
            texture.tag,
            (across / 2 - half[0], down / 2 - half[1]),
            (across / 2 + half[0], down / 2 + half[1]),
            parent=card.picture,
        )

    def _place(self, shown: Sequence[str]) -> None:
        across = self._picture[0] + self._ui.px(_GAP)
        down = self._picture[1] + self._ui.px(_NAME_HEIGHT + _LINE_HEIGHT)
        for index, photo_id in enumerate(shown):
            row, column = divmod(index, self._columns)
            dpg.set_item_pos(self._cards[photo_id].group, [column * across, row * down])


def _shortened(photo_id: str, most: int) -> str:
    """The end of a path says most."""
    return photo_id if len(photo_id) <= most else "…" + photo_id[1 - most :]
