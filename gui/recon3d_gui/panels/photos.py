"""The left tab with the photos: which there are, what became of each, which are left out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import dearpygui.dearpygui as dpg

from recon3d_gui import arrivals
from recon3d_gui.keyboard import add_key_handler, is_control_down, is_shift_down
from recon3d_gui.panels.looks import Looks
from recon3d_gui.panels.photo_drawing import Look, PhotoDrawing
from recon3d_gui.panels.photo_head import PhotoHead
from recon3d_gui.panels.photo_line import LineDrawing
from recon3d_gui.panels.photo_row import RowDrawing
from recon3d_gui.panels.photo_tile import WIDTH as TILE
from recon3d_gui.panels.photo_tile import TileDrawing
from recon3d_gui.panels.primary import PrimaryLook
from recon3d_gui.photos.rows import FILTERS, ORDERS, PhotoRow, count_line
from recon3d_gui.photos.textures import Texture, Textures
from recon3d_gui.project.preferences import PhotosView

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_DRAWINGS: Mapping[PhotosView, type[PhotoDrawing]] = {
    "list": RowDrawing, "grid": TileDrawing, "table": LineDrawing,
}  # fmt: skip
_VIEWS: Mapping[PhotosView, tuple[str, str]] = {
    "list": ("List", "A list that says what became of each photo"),
    "grid": ("Grid", "Many small pictures"),
    "table": ("Table", "A table that is sorted by a click on its head"),
}
"""Words where there are no icons, and what they mean."""
_SWITCH = 32
_SETTLING = 3
"""Frames until a list can be scrolled that has become longer."""
_SCROLLBAR, _GAP = 16, 8
# Rows drawn beyond the edges, so that a turn of the wheel finds them there.
_BEYOND = 3
_MOST_TEXTURES = 120
_SECONDS_PER_FRAME = 0.003
_FILTER_WORDS = dict(zip(("All", "Used", "Left out", "Excluded"), FILTERS, strict=True))
_ORDER_WORDS = dict(
    zip(
        ("By name", "Blurred first", "By time", "Left out first", "Fewest points first",
         "Largest error first"),
        ORDERS, strict=True,
    )
)  # fmt: skip
_EMPTY = (
    "Drop photos, a folder or a video here.\n\n"
    "Whatever you want to build should be sharp in at least three photos, each from another place."
)


class PhotosPanel:
    """A list that holds widgets for what is visible only, so thousands of photos stay smooth."""

    def __init__(self, studio: Studio, ui: Ui) -> None:
        self._studio = studio
        self._photos = studio.photos
        self._ui = ui
        self._textures: Textures
        self._view: PhotosView = studio.preferences.photos_view
        self._head = PhotoHead(studio, ui)
        self._slots: list[PhotoDrawing] = []
        self._columns = 1
        self._size = (0, 0)
        self._frames_to_reveal = 0
        self._drawn: tuple[Any, ...] = ()
        self._textures_missing = False
        self._rows: tuple[PhotoRow, ...] = ()
        self._by_tag: dict[str, PhotoDrawing] = {}
        self._on = PrimaryLook(ui, "photos.on")
        ui.on_theme(self._forget_drawn)

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        self._textures = Textures(_MOST_TEXTURES)
        with dpg.group(parent=parent, tag="photos"):
            with dpg.group(horizontal=True):
                dpg.add_button(
                    label=self._ui.label("photos", "Add photos"),
                    tag="photos.add",
                    callback=lambda: arrivals.add_photos(self._studio),
                )
                dpg.add_button(
                    label=self._ui.label("project", "Add folder"),
                    tag="photos.add_folder",
                    callback=lambda: arrivals.add_folder(self._studio),
                )
            with dpg.group(horizontal=True, tag="photos.sift"):
                dpg.add_combo(
                    list(_FILTER_WORDS),
                    default_value="All",
                    tag="photos.filter",
                    callback=self._on_filter,
                )
                dpg.add_combo(
                    list(_ORDER_WORDS),
                    default_value="By name",
                    tag="photos.order",
                    callback=self._on_order,
                )
            with dpg.child_window(
                tag="photos.told", border=False, no_scrollbar=True, no_scroll_with_mouse=True
            ):
                dpg.add_text("", tag="photos.count")
                for view, (words, tip) in _VIEWS.items():
                    dpg.add_button(
                        label=self._ui.icon(view, words),
                        tag=f"photos.view.{view}",
                        user_data=view,
                        callback=self._on_view,
                    )
                    self._ui.explain(f"photos.view.{view}", tip)
            self._head.build()
            with dpg.child_window(tag="photos.list", border=False):
                dpg.add_text(_EMPTY, tag="photos.empty", wrap=0)
                dpg.add_spacer(tag="photos.above")
                dpg.add_group(tag="photos.rows")
                dpg.add_spacer(tag="photos.below")
        muted = Looks(self._ui).muted
        for tag in ("photos.count", "photos.empty"):
            dpg.bind_item_theme(tag, muted)
        with dpg.theme() as touching, dpg.theme_component(dpg.mvAll):
            dpg.add_theme_style(dpg.mvStyleVar_ItemSpacing, 0, 0)
            dpg.add_theme_style(dpg.mvStyleVar_WindowPadding, 0, 0)
        for tag in ("photos.list", "photos.told"):
            dpg.bind_item_theme(tag, touching)
        self._on.build()
        self._build_menu()
        with dpg.item_handler_registry(tag="photos.row_handlers"):
            dpg.add_item_clicked_handler(callback=self._on_click)
            dpg.add_item_double_clicked_handler(callback=self._on_double_click)
        with dpg.handler_registry():
            add_key_handler(self._on_key)

    @property
    def _pitch_px(self) -> int:
        """From one row of photos to the next."""
        return self._ui.px(_DRAWINGS[self._view].HEIGHT)

    @property
    def _room_px(self) -> int:
        """Beside the scroll bar."""
        return max(1, self._size[0] - self._ui.px(_SCROLLBAR))

    def _lay_out(self) -> None:
        """Follow the width of the column, and how photos are to be shown."""
        px, width = self._ui.px, self._size[0]
        half = (width - px(_GAP)) // 2
        for tag in ("photos.add", "photos.add_folder"):
            dpg.configure_item(tag, width=half)
        is_table = self._view == "table"
        dpg.configure_item("photos.filter", width=width if is_table else half)
        dpg.configure_item("photos.order", width=half, show=not is_table)
        button = px(_SWITCH)
        dpg.configure_item("photos.told", width=width, height=px(28))
        dpg.set_item_pos("photos.count", [0, px(6)])
        for index, view in enumerate(reversed(list(_VIEWS))):
            tag = f"photos.view.{view}"
            dpg.configure_item(tag, width=button, height=px(26))
            dpg.set_item_pos(tag, [width - (index + 1) * (button + px(2)), px(1)])
            dpg.bind_item_theme(tag, self._on.tag if view == self._view else 0)
        self._head.resize(self._room_px, is_shown=is_table and bool(self._photos.rows))

    def _fill(self) -> None:
        columns = max(1, self._room_px // self._ui.px(TILE)) if self._view == "grid" else 1
        drawing = _DRAWINGS[self._view]
        if columns != self._columns or any(type(slot) is not drawing for slot in self._slots):
            dpg.delete_item("photos.rows", children_only=True)
            self._slots, self._by_tag, self._columns = [], {}, columns
        lines = math.ceil(self._size[1] / self._pitch_px) + 2 * _BEYOND
        while len(self._slots) < lines * columns:
            line = dpg.add_group(horizontal=True, horizontal_spacing=0, parent="photos.rows")
            for _ in range(columns):
                slot = drawing(self._ui, line, f"photos.row.{len(self._slots)}")
                dpg.bind_item_handler_registry(slot.tag, "photos.row_handlers")
                self._slots.append(slot)
                self._by_tag[slot.tag] = slot
        self._forget_drawn()

    def update(self) -> None:
        """Show what has changed; new thumbnails within a budget of time per frame."""
        width_px, height_px = dpg.get_item_rect_size("photos.list")
        view = self._studio.preferences.photos_view
        if (width_px, height_px, view) != (*self._size, self._view):
            self._size, self._view = (width_px, height_px), view
            self._lay_out()
            self._fill()
        if self._frames_to_reveal:
            self._frames_to_reveal -= 1
            if not self._frames_to_reveal and (current := self._photos.selection.current):
                self.scroll_to(current)
        shown = self._photos.shown
        first = self._first(len(shown))
        state = (self._photos.revision, self._studio.selected_photo, first, self._size, view)
        if state == self._drawn and not self._textures_missing:
            return
        if state[0] != (self._drawn[0] if self._drawn else -1):
            self._show_counts()
        self._drawn = state
        if self._photos.rows is not self._rows:
            self._rows = self._photos.rows
            self._textures.keep_only({self._key(row) for row in self._rows})
        visible = shown[first : first + len(self._slots)]
        self._photos.thumbnails.want(self._nearest_first(visible))
        self._place(first, visible, len(shown))

    def row_tag(self, photo_id: str) -> str | None:
        """The widget that shows a photo now; None while it is scrolled away."""
        return next((slot.tag for slot in self._slots if slot.photo_id == photo_id), None)

    def scroll_to(self, photo_id: str) -> None:
        """Bring a photo's row into view."""
        ids = [row.id for row in self._photos.shown]
        if photo_id not in ids:
            return
        pitch, room = self._pitch_px, dpg.get_item_rect_size("photos.list")[1]
        top = ids.index(photo_id) // self._columns * pitch
        scroll = dpg.get_y_scroll("photos.list")
        if top < scroll:
            dpg.set_y_scroll("photos.list", top)
        elif top + pitch > scroll + room:
            dpg.set_y_scroll("photos.list", top + pitch - room)

    def _lines(self, count: int) -> int:
        return math.ceil(count / self._columns)

    def _first(self, count: int) -> int:
        """The first photo that has a place; always the first of its line."""
        above = int(dpg.get_y_scroll("photos.list") // self._pitch_px) - _BEYOND
        most = self._lines(count) - len(self._slots) // self._columns
        return max(0, min(above, most)) * self._columns

    def _nearest_first(self, visible: tuple[PhotoRow, ...]) -> list[Any]:
        """Files in the order in which the eye meets them: what is just out of view last."""
        pictures = [row.picture for row in visible if not self._textures.find(self._key(row))]
        beyond = _BEYOND * self._columns
        return pictures[beyond:] + pictures[:beyond]

    def _place(self, first: int, visible: tuple[PhotoRow, ...], count: int) -> None:
        pitch, above = self._pitch_px, first // self._columns
        below = self._lines(count) - above - self._lines(len(visible))
        dpg.configure_item("photos.above", height=above * pitch)
        dpg.configure_item("photos.below", height=below * pitch)
        ends = time.perf_counter() + _SECONDS_PER_FRAME
        self._textures_missing = False
        width = self._room_px // self._columns
        for index, slot in enumerate(self._slots):
            if index < len(visible):
                slot.show(self._look(visible[index], width, ends))
            else:
                slot.hide()

    def _look(self, row: PhotoRow, width_px: int, ends: float) -> Look:
        facts = self._photos.thumbnails.facts(row.picture)
        sharpness = facts.sharpness if facts else 0.0
        usual = self._photos.usual_sharpness
        return Look(
            row=row,
            facts=facts,
            sharpness=min(1.0, 0.5 * sharpness / usual) if sharpness and usual else None,
            texture=None if self._view == "table" else self._texture(row, ends),
            selected=row.id in self._photos.selection.ids,
            current=row.id == self._studio.selected_photo,
            width_px=width_px,
            has_own_mask="drawn" in self._photos.masks(row.id),
        )

    def _texture(self, row: PhotoRow, ends: float) -> Texture | None:
        rgb = self._photos.thumbnails.picture(row.picture)
        texture = self._textures.find(self._key(row))
        if texture is None and rgb is not None:
            if time.perf_counter() < ends:
                return self._textures.make(self._key(row), rgb)
            self._textures_missing = True
        return texture

    def _key(self, row: PhotoRow) -> tuple[object, ...]:
        """Of its texture; a file that is another photo now has other facts."""
        return row.picture, self._photos.thumbnails.facts(row.picture)

    def _show_counts(self) -> None:
        rows = self._photos.rows
        looking = self._photos.is_listing
        dpg.set_value("photos.count", "Looking for photos…" if looking else count_line(rows))
        dpg.configure_item("photos.empty", show=not rows)
        dpg.set_value("photos.empty", self._photos.problem or _EMPTY)
        dpg.configure_item("photos.sift", show=bool(rows))
        for view in _VIEWS:
            self._ui.offer(f"photos.view.{view}", is_on=bool(rows))
        self._head.update(is_shown=self._view == "table" and bool(rows))

    def _forget_drawn(self) -> None:
        self._drawn = ()

    # What the user does

    def _build_menu(self) -> None:
        with dpg.window(tag="photos.menu", popup=True, show=False, no_title_bar=True):
            for name, words, action in (
                ("toggle", "Exclude", self._toggle),
                ("large", "Show large", self._show_large),
                ("in_3d", "Show in 3D", self._show_in_3d),
                ("remove", "Remove from project", self._remove),
            ):
                dpg.add_selectable(
                    label=words,
                    tag=f"photos.menu.{name}",
                    width=self._ui.px(160),
                    callback=self._choose,
                    user_data=action,
                )

    def _on_filter(self, sender: str, words: str) -> None:
        self._photos.filter = _FILTER_WORDS[words]
        dpg.set_y_scroll("photos.list", 0)

    def _on_order(self, sender: str, words: str) -> None:
        self._photos.order = _ORDER_WORDS[words]
        dpg.set_y_scroll("photos.list", 0)

    def _on_click(self, sender: int, clicked: tuple[int, int | str]) -> None:
        button, tag = clicked
        slot = self._by_tag.get(dpg.get_item_alias(tag) or str(tag))
        if not (slot and slot.photo_id):
            return
        x_px = dpg.get_mouse_pos(local=False)[0] - dpg.get_item_rect_min(slot.tag)[0]
        selected = slot.photo_id in self._photos.selection.ids
        if button == dpg.mvMouseButton_Right:
            if not selected:
                self._photos.select(slot.photo_id)
            self._open_menu()
        elif slot.is_over_eye(x_px):
            self._photos.toggle(self._photos.selection.ids if selected else [slot.photo_id])
        else:
            self._photos.select(
                slot.photo_id,
                shift=is_shift_down(),
                ctrl=is_control_down(),
            )
        self._studio.selected_photo = self._photos.selection.current

    def _on_double_click(self, sender: int, clicked: tuple[int, int | str]) -> None:
        self._show_large()

    def _on_key(self, key: int) -> None:
        if not dpg.is_item_focused("photos.list"):
            return
        if key == dpg.mvKey_Delete and self._photos.selection.ids:
            self._toggle()
        elif step := self._step_of(key):
            self._photos.step(step, shift=is_shift_down())
            self._studio.selected_photo = self._photos.selection.current
            if self._studio.selected_photo:
                self.scroll_to(self._studio.selected_photo)
        elif key == dpg.mvKey_A and is_control_down():
            self._photos.select_all()
        elif key == dpg.mvKey_Return:
            self._show_large()

    def _step_of(self, key: int) -> int:
        """How far an arrow goes through the photos; 0: nowhere."""
        down = self._columns
        steps = {dpg.mvKey_Up: -down, dpg.mvKey_Down: down}
        if self._view == "grid":
            steps |= {dpg.mvKey_Left: -1, dpg.mvKey_Right: 1}
        return steps.get(key, 0)

    def _on_view(self, sender: Any, app_data: Any, view: PhotosView) -> None:
        if self._view == "table" and view != "table" and self._photos.is_reversed:
            # Only the table says that its order is turned around.
            self._photos.order = self._photos.order
        self._studio.prefer(photos_view=view)
        dpg.set_y_scroll("photos.list", 0)
        self._frames_to_reveal = _SETTLING

    def _choose(self, sender: str, chosen: bool, action: Callable[[], None]) -> None:
        dpg.set_value(sender, False)
        dpg.configure_item("photos.menu", show=False)
        action()

    def _open_menu(self) -> None:
        ids = self._photos.selection.ids
        rows = [row for row in self._photos.rows if row.id in ids]
        excluded = all(row.state == "excluded" for row in rows)
        dpg.configure_item("photos.menu.toggle", label="Include" if excluded else "Exclude")
        dpg.configure_item("photos.menu", show=True, pos=dpg.get_mouse_pos(local=False))

    def _toggle(self) -> None:
        self._photos.toggle(self._photos.selection.ids)

    def _remove(self) -> None:
        self._photos.remove(self._photos.selection.ids)

    def _show_large(self) -> None:
        if self._studio.selected_photo:
            self._studio.page = "photo"

    def _show_in_3d(self) -> None:
        if name := self._studio.selected_view:
            self._studio.show_photo_in_model(name)
