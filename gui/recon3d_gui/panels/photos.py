"""The left tab with the photos: which there are, what became of each, which are left out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dearpygui.dearpygui as dpg

from recon3d_gui import arrivals
from recon3d_gui.keyboard import add_key_handler, is_control_down, is_shift_down
from recon3d_gui.panels.looks import Looks
from recon3d_gui.panels.photo_row import HEIGHT, Look, RowDrawing
from recon3d_gui.photos.rows import FILTERS, ORDERS, PhotoRow, count_line
from recon3d_gui.photos.textures import Texture, Textures

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

# Rows drawn beyond the edges, so that a turn of the wheel finds them there.
_BEYOND = 3
_MOST_TEXTURES = 120
_HALF_PX = 158
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
        self._slots: list[RowDrawing] = []
        self._size = (0, 0)
        self._drawn: tuple[Any, ...] = ()
        self._textures_missing = False
        self._rows: tuple[PhotoRow, ...] = ()
        self._by_tag: dict[str, RowDrawing] = {}
        ui.on_theme(self._forget_drawn)

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        self._textures = Textures(_MOST_TEXTURES)
        half = self._ui.px(_HALF_PX)
        with dpg.group(parent=parent, tag="photos"):
            with dpg.group(horizontal=True):
                dpg.add_button(
                    label="Add photos",
                    tag="photos.add",
                    width=half,
                    callback=lambda: arrivals.add_photos(self._studio),
                )
                dpg.add_button(
                    label="Add folder",
                    tag="photos.add_folder",
                    width=half,
                    callback=lambda: arrivals.add_folder(self._studio),
                )
            with dpg.group(horizontal=True, tag="photos.sift"):
                dpg.add_combo(
                    list(_FILTER_WORDS),
                    default_value="All",
                    tag="photos.filter",
                    width=half,
                    callback=self._on_filter,
                )
                dpg.add_combo(
                    list(_ORDER_WORDS),
                    default_value="By name",
                    tag="photos.order",
                    width=half,
                    callback=self._on_order,
                )
            dpg.add_text("", tag="photos.count")
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
        dpg.bind_item_theme("photos.list", touching)
        self._build_menu()
        with dpg.item_handler_registry(tag="photos.row_handlers"):
            dpg.add_item_clicked_handler(callback=self._on_click)
            dpg.add_item_double_clicked_handler(callback=self._on_double_click)
        with dpg.handler_registry():
            add_key_handler(self._on_key)

    def _fill(self) -> None:
        needed = math.ceil(self._size[1] / self._ui.px(HEIGHT)) + 2 * _BEYOND
        while len(self._slots) < needed:
            slot = RowDrawing(self._ui, "photos.rows", f"photos.row.{len(self._slots)}")
            dpg.bind_item_handler_registry(slot.tag, "photos.row_handlers")
            self._slots.append(slot)
            self._by_tag[slot.tag] = slot
        self._forget_drawn()

    def update(self) -> None:
        """Show what has changed; new thumbnails within a budget of time per frame."""
        width_px, height_px = dpg.get_item_rect_size("photos.list")
        if (width_px, height_px) != self._size:
            self._size = (width_px, height_px)
            self._fill()
        shown = self._photos.shown
        first = self._first_row(len(shown))
        state = (self._photos.revision, self._studio.selected_photo, first, self._size)
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
        self._place_rows(first, visible, len(shown))

    def row_tag(self, photo_id: str) -> str | None:
        """The widget that shows a photo now; None while it is scrolled away."""
        return next((slot.tag for slot in self._slots if slot.photo_id == photo_id), None)

    def scroll_to(self, photo_id: str) -> None:
        """Bring a photo's row into view."""
        ids = [row.id for row in self._photos.shown]
        if photo_id not in ids:
            return
        row_height, room = self._ui.px(HEIGHT), dpg.get_item_height("photos.list") or 0
        top, scroll = ids.index(photo_id) * row_height, dpg.get_y_scroll("photos.list")
        if top < scroll:
            dpg.set_y_scroll("photos.list", top)
        elif top + row_height > scroll + room:
            dpg.set_y_scroll("photos.list", top + row_height - room)

    def _first_row(self, count: int) -> int:
        above = int(dpg.get_y_scroll("photos.list") // self._ui.px(HEIGHT)) - _BEYOND
        return max(0, min(above, count - len(self._slots)))

    def _nearest_first(self, visible: tuple[PhotoRow, ...]) -> list[Any]:
        """Files in the order in which the eye meets them: what is just out of view last."""
        pictures = [row.picture for row in visible if not self._textures.find(self._key(row))]
        return pictures[_BEYOND:] + pictures[:_BEYOND]

    def _place_rows(self, first: int, visible: tuple[PhotoRow, ...], count: int) -> None:
        row_height = self._ui.px(HEIGHT)
        dpg.configure_item("photos.above", height=first * row_height)
        dpg.configure_item("photos.below", height=(count - first - len(visible)) * row_height)
        ends = time.perf_counter() + _SECONDS_PER_FRAME
        self._textures_missing = False
        scrollbar = self._ui.px(16)
        for index, slot in enumerate(self._slots):
            if index < len(visible):
                slot.show(self._look(visible[index], self._size[0] - scrollbar, ends))
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
            texture=self._texture(row, ends),
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
        elif key in (dpg.mvKey_Up, dpg.mvKey_Down):
            self._photos.step(1 if key == dpg.mvKey_Down else -1, shift=is_shift_down())
            self._studio.selected_photo = self._photos.selection.current
            if self._studio.selected_photo:
                self.scroll_to(self._studio.selected_photo)
        elif key == dpg.mvKey_A and is_control_down():
            self._photos.select_all()
        elif key == dpg.mvKey_Return:
            self._show_large()

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
