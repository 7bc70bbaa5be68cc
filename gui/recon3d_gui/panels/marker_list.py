"""The list of markers beside the photo: errors, coordinates, and lengths between them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d.georef.control.markers import Marker, ScaleBar
from recon3d_gui.markers.editor import MarkerEditor
from recon3d_gui.panels.looks import Looks

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_WIDTH = 344
_NAME, _NUMBER, _CLEAR = 110, 58, 24
_MANY = 200
"""So many rows are made; more are found by their file."""
_ENH = ("E", "N", "H")


class MarkerList:
    """Made anew whenever what it shows has changed; quiet otherwise."""

    def __init__(self, studio: Studio, ui: Ui, editor: MarkerEditor) -> None:
        self._studio, self._ui, self._editor = studio, ui, editor
        self._looks: Looks
        self._shown: tuple[object, ...] = ()
        self._ends: tuple[str, ...] = ()

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        px, editor = self._ui.px, self._editor
        self._looks = Looks(self._ui)
        with dpg.child_window(
            parent=parent, tag="photo.markers", width=px(_WIDTH), show=False, border=False
        ):
            with dpg.group(horizontal=True):
                self._button("New", "new", lambda: editor.select(None))
                self._button("Import…", "import", editor.ask_import)
                self._button("Export…", "export", editor.ask_export)
            dpg.add_text("", tag="photo.markers.problem", wrap=px(_WIDTH - 20), show=False)
            dpg.add_group(tag="photo.markers.rows")
            with dpg.group(tag="photo.markers.form", show=False):
                dpg.add_separator()
                self._build_form()
            dpg.add_group(tag="photo.markers.marks")
            dpg.add_separator()
            dpg.add_text("Known lengths")
            dpg.add_group(tag="photo.markers.bars")
            self._build_new_bar()
        dpg.bind_item_theme("photo.markers.problem", self._looks.warning)
        tips = {
            "new": "The next click sets a new marker",
            "import": "Tables of coordinates (name,E,N,H,accuracy), marks (name,photo,x,y) or "
            "lengths (from,to,length_m,accuracy_m)",
            "export": "The same tables, as the command line reads them",
        }
        for name, text in tips.items():
            self._ui.explain(f"photo.markers.{name}", text)
        with dpg.theme() as close, dpg.theme_component(dpg.mvAll):
            dpg.add_theme_style(dpg.mvStyleVar_ItemSpacing, px(6), px(4))
            dpg.add_theme_style(dpg.mvStyleVar_FramePadding, px(6), px(3))
        dpg.bind_item_theme("photo.markers", close)
        self._shown, self._ends = (), ()

    def _build_form(self) -> None:
        px = self._ui.px
        with dpg.group(horizontal=True):
            dpg.add_input_text(
                tag="photo.markers.name", width=px(_WIDTH - 116), on_enter=True,
                callback=self._rename,
            )  # fmt: skip
            self._button("Remove", "remove", self._remove)
        with dpg.group(horizontal=True, horizontal_spacing=px(4)):
            for axis in _ENH:
                dpg.add_input_text(
                    tag=f"photo.markers.{axis}", hint=axis, width=px(78), on_enter=True,
                    callback=self._survey,
                )  # fmt: skip
            dpg.add_input_text(
                tag="photo.markers.accuracy", hint="± m", width=px(62), on_enter=True,
                callback=self._survey,
            )  # fmt: skip
        with dpg.group(horizontal=True):
            dpg.add_checkbox(label="Check only", tag="photo.markers.check", callback=self._survey)
            self._button("Apply", "apply", self._survey)
        dpg.add_text("", tag="photo.markers.place", wrap=px(_WIDTH - 20))
        dpg.bind_item_font("photo.markers.place", self._ui.font("small"))
        dpg.bind_item_theme("photo.markers.place", self._looks.muted)
        for axis, word in zip(_ENH, ("East", "North", "Height"), strict=True):
            self._ui.explain(f"photo.markers.{axis}", f"{word} in metres, where it is surveyed")
        self._ui.explain(
            "photo.markers.accuracy", "How far off each coordinate may be, one standard deviation"
        )
        self._ui.explain(
            "photo.markers.check", "Its coordinates are compared with the model, and never used"
        )

    def _build_new_bar(self) -> None:
        px = self._ui.px
        with dpg.group(horizontal=True, horizontal_spacing=px(4)):
            for end, hint in (("from", "From"), ("to", "To")):
                dpg.add_combo(
                    [], tag=f"photo.markers.{end}", width=px(92), default_value=hint,
                    no_arrow_button=True,
                )  # fmt: skip
            dpg.add_input_text(
                tag="photo.markers.length", hint="m", width=px(52), on_enter=True,
                callback=self._add_bar,
            )  # fmt: skip
            dpg.add_input_text(
                tag="photo.markers.sigma", hint="± m", width=px(46), on_enter=True,
                callback=self._add_bar,
            )  # fmt: skip
            self._button("+", "add", self._add_bar)
        self._ui.explain("photo.markers.length", "Metres between the two markers")
        self._ui.explain(
            "photo.markers.sigma", "How far off that may be, one standard deviation; else 0.001"
        )
        self._ui.explain("photo.markers.add", "Use this length for the scale of the model")

    def resize(self, height_px: int) -> int:
        """The height it has now; its width with the gap to the photo."""
        dpg.configure_item("photo.markers", height=height_px)
        return self._ui.px(_WIDTH + 8)

    def update(self) -> None:
        """Follow the editor; next to nothing when nothing has changed."""
        editor = self._editor
        now = (
            editor.is_on, editor.markers, editor.selected, editor.measuring.revision,
            editor.may_change, editor.row and editor.row.id, self._ui.theme,
        )  # fmt: skip
        if now == self._shown:
            return
        was, self._shown = self._shown, now
        dpg.configure_item("photo.markers", show=editor.is_on)
        if not editor.is_on:
            return
        problem = editor.measuring.found.problem
        dpg.set_value("photo.markers.problem", problem)
        dpg.configure_item("photo.markers.problem", show=bool(problem))
        self._list_markers()
        is_same = bool(was) and was[1:3] == now[1:3]
        self._show_form(is_same=is_same)
        self._list_bars()

    def _list_markers(self) -> None:
        px, editor = self._ui.px, self._editor
        found = editor.measuring.found
        rows = "photo.markers.rows"
        dpg.delete_item(rows, children_only=True)
        if not editor.markers.points:
            hint = "Click a place in the photo that others show too, such as a corner."
            text = dpg.add_text(hint, parent=rows, wrap=px(_WIDTH - 20))
            dpg.bind_item_theme(text, self._looks.muted)
            return
        with dpg.table(
            parent=rows, header_row=True, policy=dpg.mvTable_SizingFixedFit, tag=f"{rows}.table"
        ):
            titles = (("Marker", _NAME), ("Photos", 46), ("px", 44), ("off, mm", _NUMBER))
            for title, width in titles:
                dpg.add_table_column(label=title, width_fixed=True, init_width_or_weight=px(width))
            for index, one in enumerate(editor.markers.points[:_MANY]):
                known = found.markers.get(one.name)
                gap = found.gaps_m.get(one.name)
                px_off = known.rms_px if known else None
                with dpg.table_row():
                    link = dpg.add_button(
                        label=one.name, tag=f"photo.markers.row.{index}", width=px(_NAME),
                        callback=partial(editor.select, one.name),
                    )  # fmt: skip
                    is_chosen = one.name == editor.selected
                    dpg.bind_item_theme(link, self._looks.chosen if is_chosen else self._looks.link)
                    dpg.bind_item_font(link, self._ui.font("normal", one.name))
                    dpg.add_text(f"{len(one.marks)}")
                    shown = dpg.add_text(
                        "" if px_off is None else f"{px_off:.2f}", tag=f"photo.markers.px.{index}"
                    )
                    if known and known.problem and one.marks:
                        dpg.bind_item_theme(shown, self._looks.warning)
                        dpg.set_value(shown, dpg.get_value(shown) or "!")
                    off = "" if gap is None else f"{1000 * sum(g * g for g in gap) ** 0.5:.1f}"
                    dpg.add_text(off + (" check" if one.is_check and off else ""))

    def _show_form(self, *, is_same: bool) -> None:
        editor = self._editor
        marker = editor.markers.named(editor.selected) if editor.selected else None
        dpg.configure_item("photo.markers.form", show=marker is not None)
        dpg.delete_item("photo.markers.marks", children_only=True)
        if marker is None:
            return
        if not is_same:  # else what is being typed would be lost
            dpg.set_value("photo.markers.name", marker.name)
            for index, axis in enumerate(_ENH):
                value = "" if marker.enh_m is None else f"{marker.enh_m[index]:.10g}"
                dpg.set_value(f"photo.markers.{axis}", value)
            accuracy = "" if marker.accuracy_m is None else f"{marker.accuracy_m:g}"
            dpg.set_value("photo.markers.accuracy", accuracy)
            dpg.set_value("photo.markers.check", marker.is_check)
        words = self._place_words(marker)
        dpg.set_value("photo.markers.place", words)
        dpg.configure_item("photo.markers.place", show=bool(words))
        self._list_marks(marker)

    def _place_words(self, marker: Marker) -> str:
        found = self._editor.measuring.found
        lines = []
        if at := found.model.get(marker.name):
            x, y, z = at
            lines.append(f"In the model: {x:.3f}, {y:.3f}, {z:.3f} {found.unit}")
        if gap := found.gaps_m.get(marker.name):
            east, north, height = (1000 * each for each in gap)
            lines.append(f"Model minus survey: {east:+.1f}, {north:+.1f}, {height:+.1f} mm")
        return "\n".join(lines)

    def _list_marks(self, marker: Marker) -> None:
        """Its photos, the worst first."""
        px, editor = self._ui.px, self._editor
        known = editor.measuring.found.markers.get(marker.name)
        errors = known.errors_px if known else {}
        wrong = known.located.wrong_px if known and known.located else {}
        marks = sorted(marker.marks, key=lambda mark: -errors.get(mark.photo, 0.0))
        for index, mark in enumerate(marks[:_MANY]):
            with dpg.group(horizontal=True, parent="photo.markers.marks"):
                error = f"{errors[mark.photo]:.2f} px" if mark.photo in errors else "no error yet"
                clear = dpg.add_button(
                    label="×", width=px(_CLEAR), tag=f"photo.markers.unmark.{index}",
                    callback=partial(editor.remove_mark, marker.name, mark.photo),
                )  # fmt: skip
                label = f"{mark.photo[-28:]}   {error}"
                link = dpg.add_button(
                    label=label, tag=f"photo.markers.photo.{index}",
                    callback=partial(self._go_to, mark.photo),
                )  # fmt: skip
                dpg.bind_item_theme(clear, self._looks.icon)
                dpg.bind_item_theme(link, self._looks.link)
                dpg.bind_item_font(link, self._ui.font("normal", label))
                if mark.photo in wrong:
                    text = dpg.add_text("left out")
                    dpg.bind_item_theme(text, self._looks.bad)

    def _list_bars(self) -> None:
        px, editor = self._ui.px, self._editor
        found = editor.measuring.found
        dpg.delete_item("photo.markers.bars", children_only=True)
        for index, bar in enumerate(editor.markers.bars[:_MANY]):
            measured, gap = found.bars.get(bar), found.residual_m(bar)
            with dpg.group(horizontal=True, parent="photo.markers.bars"):
                clear = dpg.add_button(
                    label="×", width=px(_CLEAR), tag=f"photo.markers.unbar.{index}",
                    callback=partial(editor.remove_bar, bar),
                )  # fmt: skip
                check = dpg.add_checkbox(
                    default_value=bar.is_check, tag=f"photo.markers.bar_check.{index}",
                    callback=partial(self._check_bar, bar),
                )  # fmt: skip
                told = f"{1000 * gap:+.1f} mm" if gap is not None else ""
                text = dpg.add_text(f"{bar.text}  {told}", tag=f"photo.markers.bar.{index}", wrap=0)
            self._ui.explain(check, "Check only: compared with the model, and never used")
            dpg.bind_item_theme(clear, self._looks.icon)
            dpg.bind_item_font(text, self._ui.font("normal", bar.text))
            if measured and measured.problem:
                why = dpg.add_text(
                    measured.problem, wrap=px(_WIDTH - 20), parent="photo.markers.bars"
                )
                dpg.bind_item_theme(why, self._looks.warning)
        names = tuple(one.name for one in editor.markers.points)
        if names != self._ends:
            self._ends = names
            for end, hint in (("from", "From"), ("to", "To")):
                tag = f"photo.markers.{end}"
                dpg.configure_item(tag, items=[*names])
                if dpg.get_value(tag) not in names:
                    dpg.set_value(tag, hint)

    # What the user does

    def _rename(self) -> None:
        name = self._editor.selected
        if name and not self._editor.rename(name, dpg.get_value("photo.markers.name")):
            dpg.set_value("photo.markers.name", name)

    def _remove(self) -> None:
        if self._editor.selected:
            self._editor.remove(self._editor.selected)

    def _survey(self) -> None:
        if self._editor.selected:
            texts = [dpg.get_value(f"photo.markers.{axis}") for axis in _ENH]
            accuracy = dpg.get_value("photo.markers.accuracy")
            is_check = bool(dpg.get_value("photo.markers.check"))
            self._editor.survey(self._editor.selected, texts, accuracy, is_check=is_check)

    def _add_bar(self) -> None:
        values = [
            dpg.get_value(f"photo.markers.{tag}") for tag in ("from", "to", "length", "sigma")
        ]
        if self._editor.add_bar(*values):
            dpg.set_value("photo.markers.length", "")

    def _check_bar(self, bar: ScaleBar, sender: int | str, is_check: bool) -> None:
        self._editor.check_bar(bar, is_check=is_check)

    def _go_to(self, photo: str) -> None:
        self._studio.photos.select(photo)
        self._studio.selected_photo = photo

    def _button(self, label: str, name: str, callback: object) -> None:
        dpg.add_button(label=label, tag=f"photo.markers.{name}", callback=callback)
