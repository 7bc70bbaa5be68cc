"""The drawing of the photo page: a photo and its overlay in tiles, parted by a line to drag."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.masks.painted import PaintedPhoto
from recon3d_gui.panels.marker_drawing import MarkerDrawing
from recon3d_gui.photos.large import Shown
from recon3d_gui.photos.textures import Texture, Textures
from recon3d_gui.photos.tiles import Box, PlacedTile, Pyramid
from recon3d_gui.photos.zoom import Zoom

if TYPE_CHECKING:
    from recon3d_gui.theme import Ui

# 200 tiles of 256 x 256 pixels fill a 4K screen twice over the visible; they take 210 MB at most.
_MOST_TILES = 200
_SECONDS_PER_FRAME = 0.005
_WHEEL = 1.25
_NEAR_LINE = 8


@dataclass(frozen=True)
class Mark:
    """Where a mask is drawn: the brush's circle, or the lasso so far. In pixels of the photo."""

    places: tuple[tuple[float, float], ...]
    radius_px: float
    """0: a lasso."""
    hides: bool


class PhotoCanvas:
    """Draws only what has changed, new tiles within a budget of time, coarse ones at once."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._textures: Textures
        self._room = (1.0, 1.0)
        self._drawn: tuple[object, ...] = ()
        self.is_unfinished = False
        """Whether some tiles wait for the next frames."""
        self._dragging = ""
        self._pointer = (0.0, 0.0)
        self.zoom = Zoom()
        self.wipe = 0.5
        """Share of what is seen of the photo; right of it lies the overlay."""

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        self._textures = Textures(_MOST_TILES)
        with dpg.group(parent=parent):
            dpg.add_drawlist(1, 1, tag="photo.canvas")

    def resize(self, width_px: int, height_px: int) -> None:
        """The space it has now."""
        self._room = (max(1.0, width_px), max(1.0, height_px))
        dpg.configure_item("photo.canvas", width=int(self._room[0]), height=int(self._room[1]))

    def clear(self) -> None:
        """Give the memory back."""
        self._textures.clear()
        self._drawn = ()
        dpg.delete_item("photo.canvas", children_only=True)

    def forget_drawn(self) -> None:
        """Draw anew at the next chance."""
        self._drawn = ()

    def shown_px(self, photo: Pyramid) -> float:
        """How many screen pixels long the photo is."""
        left, top, right, bottom = self.zoom.picture(self._room, _size(photo))
        return max(right - left, bottom - top)

    def shown_width_px(self, photo: Pyramid) -> float:
        """How many screen pixels wide the photo is."""
        left, _, right, _ = self.zoom.picture(self._room, _size(photo))
        return right - left

    def zoom_by(self, steps: float, photo: Pyramid) -> None:
        """As the wheel does, where the pointer is."""
        self.zoom = self.zoom.zoomed(_WHEEL**steps, self._pointer_here(), self._room, _size(photo))

    def show_full_size(self, photo: Pyramid) -> None:
        """A screen pixel for each pixel of the photo."""
        self.zoom = self.zoom.at_full_size(self._room, _size(photo))

    def place_in(self, photo: Pyramid) -> tuple[float, float]:
        """Where the pointer is, in pixels of the photo."""
        left, top, right, bottom = self.zoom.picture(self._room, _size(photo))
        x, y = self._pointer_here()
        return (
            (x - left) / (right - left) * photo.width_px,
            (y - top) / (bottom - top) * photo.height_px,
        )

    def pan(self, photo: Pyramid, button: int = dpg.mvMouseButton_Middle) -> None:
        """Drag the photo with a mouse button."""
        before, self._pointer = self._pointer, self._pointer_here()
        is_down = dpg.is_mouse_button_down(button)
        if is_down and self._dragging:
            by = (self._pointer[0] - before[0], self._pointer[1] - before[1])
            self.zoom = self.zoom.moved(by, self._room, _size(photo))
        self._dragging = "photo" if is_down else ""

    def follow_mouse(self, shown: Shown) -> None:
        """Drag the line or the photo."""
        is_down = dpg.is_mouse_button_down(dpg.mvMouseButton_Left)
        if not shown.photo or not (is_down or self._dragging):
            self._dragging = ""
            return
        before, self._pointer = self._pointer, self._pointer_here()
        if not self._dragging:
            if not dpg.is_item_hovered("photo.canvas"):
                self._dragging = "something else"
            elif shown.overlay and self._is_near_line(shown.photo):
                self._dragging = "line"
            else:
                self._dragging = "photo"
            return
        by = (self._pointer[0] - before[0], self._pointer[1] - before[1])
        if self._dragging == "photo" and any(by):
            self.zoom = self.zoom.moved(by, self._room, _size(shown.photo))
        elif self._dragging == "line":
            left, right = self._seen(self.zoom.picture(self._room, _size(shown.photo)))
            self.wipe = min(max((self._pointer[0] - left) / (right - left), 0.0), 1.0)
        if not is_down:  # only now: between slow frames it may have come far
            self._dragging = ""

    def draw(
        self,
        shown: Shown | None,
        placeholder: Texture | None,
        words: str,
        revision: int,
        markers: MarkerDrawing | None = None,
    ) -> None:
        """Show the photo; until it is there, its thumbnail; without either, words.

        markers: what lies over the photo.
        """
        look = (revision, self.zoom, self.wipe, self._room, placeholder, words, markers)
        if look == self._drawn and not self.is_unfinished:
            return
        self._drawn = look
        dpg.delete_item("photo.canvas", children_only=True)
        self.is_unfinished = False
        if shown and shown.photo:
            self._draw_layers(shown, shown.photo, revision)
            if markers:
                picture = self.zoom.picture(self._room, _size(shown.photo))
                markers.draw(self._ui, picture, "photo.canvas")
        elif placeholder:
            self._draw_placeholder(placeholder)
        else:
            self._write(words)

    def draw_painted(self, painted: PaintedPhoto, mark: Mark | None) -> None:
        """Show a photo with the mask that is drawn on it, and the tool."""
        look = (painted, painted.revision, self.zoom, self._room, mark)
        if look == self._drawn and not self.is_unfinished:
            return
        self._drawn = look
        dpg.delete_item("photo.canvas", children_only=True)
        self.is_unfinished = False
        for tile in painted.take_stale():
            self._textures.drop((id(painted), tile))
        photo = painted.pyramid
        picture = self.zoom.picture(self._room, _size(photo))
        ends = time.perf_counter() + _SECONDS_PER_FRAME
        self._draw_pyramid(photo, picture, (0.0, 0.0, *self._room), ends, (id(painted),))
        if mark is not None:
            self._draw_mark(mark, photo, picture)

    def _draw_mark(self, mark: Mark, photo: Pyramid, picture: Box) -> None:
        factor = (picture[2] - picture[0]) / photo.width_px
        line = [(picture[0] + x * factor, picture[1] + y * factor) for x, y in mark.places]
        inner = self._ui.colour("bad" if mark.hides else "good")
        for colour, thickness in (((0, 0, 0, 160), self._ui.px(3)), (inner, self._ui.px(1.5))):
            if mark.radius_px:
                radius = mark.radius_px * factor
                dpg.draw_circle(
                    line[-1], radius, color=colour, thickness=thickness, parent="photo.canvas"
                )
            else:
                dpg.draw_polyline(line, color=colour, thickness=thickness, parent="photo.canvas")

    def _draw_layers(self, shown: Shown, photo: Pyramid, revision: int) -> None:
        picture = self.zoom.picture(self._room, _size(photo))
        room: Box = (0.0, 0.0, *self._room)
        line = self._line(picture)
        ends = time.perf_counter() + _SECONDS_PER_FRAME
        if not shown.overlay:
            self._draw_pyramid(photo, picture, room, ends, (revision, "photo"))
            return
        left, right = (0.0, 0.0, line, room[3]), (line, 0.0, room[2], room[3])
        self._draw_pyramid(photo, picture, left, ends, (revision, "photo"))
        self._draw_pyramid(shown.overlay, picture, right, ends, (revision, "overlay"))
        self._draw_line(line, picture)

    def _draw_pyramid(
        self, pyramid: Pyramid, picture: Box, clip: Box, ends: float, key: tuple[object, ...]
    ) -> None:
        coarsest = len(pyramid.levels) - 1
        level = pyramid.level_for(picture[2] - picture[0])
        placed = list(pyramid.place(level, picture, clip))
        missing = [part for part in placed if not self._textures.find((*key, part.tile))]
        if missing and level != coarsest:
            self._draw_tiles(pyramid, pyramid.place(coarsest, picture, clip), key, float("inf"))
        self._draw_tiles(pyramid, placed, key, ends)

    def _draw_tiles(
        self,
        pyramid: Pyramid,
        parts: Iterable[PlacedTile],
        key: tuple[object, ...],
        ends: float,
    ) -> None:
        for part in parts:
            texture = self._textures.find((*key, part.tile))
            if texture is None:
                if time.perf_counter() > ends:
                    self.is_unfinished = True
                    continue
                texture = self._textures.make((*key, part.tile), pyramid.cut(part.tile))
            dpg.draw_image(
                texture.tag,
                part.screen[:2],
                part.screen[2:],
                uv_min=part.uv[:2],
                uv_max=part.uv[2:],
                parent="photo.canvas",
            )

    def _draw_line(self, x: float, picture: Box) -> None:
        top, bottom = max(0.0, picture[1]), min(self._room[1], picture[3])
        middle, px = (top + bottom) / 2, self._ui.px
        white, shade = (255, 255, 255, 230), (0, 0, 0, 120)
        for colour, thickness in ((shade, px(4)), (white, px(2))):
            dpg.draw_line(
                (x, top), (x, bottom), color=colour, thickness=thickness, parent="photo.canvas"
            )
        dpg.draw_circle((x, middle), px(11), fill=white, color=shade, parent="photo.canvas")
        for side in (-1, 1):
            tip, base = x + side * px(7), x + side * px(3)
            dpg.draw_triangle(
                (tip, middle),
                (base, middle - px(4)),
                (base, middle + px(4)),
                fill=(40, 44, 52, 255),
                color=(0, 0, 0, 0),
                parent="photo.canvas",
            )

    def _draw_placeholder(self, texture: Texture) -> None:
        size = (float(texture.width_px), float(texture.height_px))
        left, top, right, bottom = Zoom().picture(self._room, size)
        dpg.draw_image(texture.tag, (left, top), (right, bottom), parent="photo.canvas")

    def _write(self, words: str) -> None:
        font = self._ui.font("normal")
        # Nothing before the first frame is drawn, which has no text sizes.
        size = dpg.get_text_size(words, font=font) or (0.0, 0.0)
        self.is_unfinished = not size[0]
        dpg.draw_text(
            ((self._room[0] - size[0]) / 2, (self._room[1] - size[1]) / 2),
            words,
            size=dpg.get_text_size("M", font=font)[1] if size[0] else 0,
            color=self._ui.colour("muted"),
            parent="photo.canvas",
        )

    def _is_near_line(self, photo: Pyramid) -> bool:
        line = self._line(self.zoom.picture(self._room, _size(photo)))
        return abs(self._pointer[0] - line) <= self._ui.px(_NEAR_LINE)

    def _line(self, picture: Box) -> float:
        left, right = self._seen(picture)
        return left + self.wipe * (right - left)

    def _seen(self, picture: Box) -> tuple[float, float]:
        return max(0.0, picture[0]), min(self._room[0], picture[2])

    def _pointer_here(self) -> tuple[float, float]:
        x, y = dpg.get_mouse_pos(local=False)
        left, top = dpg.get_item_rect_min("photo.canvas")
        return x - left, y - top


def _size(photo: Pyramid) -> tuple[float, float]:
    return float(photo.width_px), float(photo.height_px)
