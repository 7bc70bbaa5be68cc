"""What is drawn over the model: names, lengths, handles, axes, counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg
import numpy as np

from recon3d.core.scene import Unit
from recon3d.language import translate, word
from recon3d.view_planning.legend import COLOURS, STEPS, UNKNOWN, WHAT
from recon3d.view_planning.measure import Weakness
from recon3d_gui.panels.model_axes import ModelAxes
from recon3d_gui.viewer.geometry import grid_step
from recon3d_gui.viewer.protocol import Advised
from recon3d_gui.viewer.tools import length_text, rough_length
from recon3d_gui.viewer.workbench import Workbench

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_LAYER = "model.overlay"
_LISTED = (
    Weakness.UNSEEN,
    Weakness.ONE_PHOTO,
    Weakness.TWO_PHOTOS,
    Weakness.INFERRED,
    Weakness.OBLIQUE,
)
"""Of the colours of the coverage; the others are rare."""
_SURENESS = ((199, 56, 64, 255), (242, 196, 92, 255), (51, 158, 143, 255))


class ModelOverlay:
    """Drawn anew when something has moved, else left alone."""

    def __init__(self, studio: Studio, ui: Ui, bench: Workbench, axes: ModelAxes) -> None:
        self._studio, self._ui, self._bench, self._axes = studio, ui, bench, axes
        self._drawn: tuple[object, ...] = ()
        ui.on_theme(self._forget)

    def update(self) -> None:
        """Draw what has changed."""
        bench, nav = self._bench, self._bench.navigator
        style = bench.viewer.style
        now = (
            nav.eye, nav.canvas_px, bench.loaded, bench.picks, bench.box, bench.grip,
            bench.tool, style.hovered, style.split, style.mode, style.grid, bench.viewer.note,
            bench.advice, bench.lengths, self._axes.hovered,
        )  # fmt: skip
        if now == self._drawn:
            return
        self._drawn = now
        dpg.delete_item(_LAYER, children_only=True)
        dpg.push_container_stack(_LAYER)
        self._draw()
        dpg.pop_container_stack()

    def _draw(self) -> None:
        bench, style = self._bench, self._bench.viewer.style
        if bench.loaded is not None:
            self._axes.draw()
            self._draw_facts()
            if bench.tool == "measure":
                self._draw_lengths()
            self._draw_picks()
            self._draw_handles()
            self._draw_hovered()
            self._draw_split()
            if style.mode == "confidence" and "confidence" in bench.loaded.layers:
                self._draw_legend(_SURENESS, ("one photo", word("three"), "six or more agree"))
            if style.mode == "coverage" and bench.advice:
                colours = [(*COLOURS[kind], 255) for kind in _LISTED]
                self._draw_legend(colours, [WHAT[kind] for kind in _LISTED])
                self._draw_advice(bench.advice)
            if style.mode == "exactness" and bench.advice:
                self._draw_exactness(bench.advice, bench.loaded.unit)
        if bench.viewer.note:
            self._draw_note(bench.viewer.note)

    def _forget(self) -> None:
        self._drawn = ()

    def _text(self, place: tuple[float, float], text: str, colour: str = "text") -> None:
        size, font = self._ui.px(15), self._ui.font("normal", text)
        # A shadow, because the model behind may have any colour.
        shadow = (0, 0, 0, 150) if self._ui.theme == "dark" else (255, 255, 255, 170)
        for offset, ink in ((1, shadow), (0, self._ui.colour(colour))):
            item = dpg.draw_text((place[0] + offset, place[1] + offset), text, size=size, color=ink)
            dpg.bind_item_font(item, font)

    def _label(self, place: tuple[float, float], text: str) -> None:
        """On a plate: it is read over the model."""
        self._plate(place, self._size(text))
        item = dpg.draw_text(place, text, size=self._ui.px(15), color=self._ui.colour("text"))
        dpg.bind_item_font(item, self._ui.font("normal", text))

    def _plate(self, place: tuple[float, float], size: tuple[float, float]) -> None:
        """Around what is that large."""
        px, (left, top), (width, height) = self._ui.px, place, size
        dpg.draw_rectangle(
            (left - px(6), top - px(3)), (left + width + px(6), top + height + px(3)),
            color=self._ui.colour("outline"), fill=(*self._ui.colour("surface")[:3], 225),
            rounding=px(4),
        )  # fmt: skip

    def _size(self, text: str) -> tuple[float, float]:
        """Of a text as it is drawn, in the window's language."""
        px, shown = self._ui.px, translate(text)
        width, height = dpg.get_text_size(text, font=self._ui.font("normal", text)) or (
            px(8) * len(shown), px(16)
        )  # fmt: skip
        return width, height

    def _draw_facts(self) -> None:
        loaded, style = self._bench.loaded, self._bench.viewer.style
        assert loaded
        facts = []
        if loaded.faces:
            facts.append(f"{loaded.faces:,} triangles")
        elif loaded.points:
            facts.append(f"{loaded.points:,} points")
        if loaded.views:
            facts.append(f"{len(loaded.views)} cameras")
        if style.grid:
            step = length_text(grid_step(loaded.bounds.radius), loaded.unit)
            facts.append(f"grid {step}")
        height = self._bench.navigator.canvas_px[1]
        px = self._ui.px
        self._text((px(16), height - px(32)), "   ".join(facts), "muted")

    def _draw_picks(self) -> None:
        bench, px = self._bench, self._ui.px
        points = [each.point for each in bench.picks if each.point]
        if not points:
            return
        uv, _ = bench.navigator.project(np.array(points))
        if not np.isfinite(uv).all():
            return
        accent = self._ui.colour("accent")
        places = [(float(u), float(v)) for u, v in uv]
        if len(places) > 1:
            dpg.draw_polyline(places, color=accent, thickness=px(2))
        for place in places:
            dpg.draw_circle(place, px(5), color=(255, 255, 255, 255), fill=accent)

    def _draw_lengths(self) -> None:
        """All that were measured; the label of each at its middle."""
        bench, px = self._bench, self._ui.px
        accent = self._ui.colour("accent")
        for each in bench.lengths:
            if each.ends is None:
                continue
            uv, _ = bench.navigator.project(np.array(each.ends))
            if not np.isfinite(uv).all():
                continue
            first, second = uv.tolist()
            dpg.draw_line(first, second, color=accent, thickness=px(2))
            for place in (first, second):
                dpg.draw_circle(place, px(4), color=(255, 255, 255, 255), fill=accent)
            middle = ((first[0] + second[0]) / 2 + px(10), (first[1] + second[1]) / 2 - px(24))
            self._label(middle, f"{each.measurement.name}: {each.text}")

    def _draw_handles(self) -> None:
        bench, px = self._bench, self._ui.px
        if bench.box is None:
            return
        grips = bench.box.grips
        uv, _ = bench.navigator.project(np.array([point for _, point in grips]))
        for (handle, _), place in zip(grips, uv, strict=True):
            if not np.isfinite(place).all():
                continue
            is_held = handle == bench.grip
            fill = self._ui.colour("accent" if is_held or handle.end == "all" else "text")
            dpg.draw_circle(
                place.tolist(), px(7 if is_held else 6), color=(20, 24, 30, 255), fill=fill,
                thickness=px(2),
            )  # fmt: skip

    def _draw_hovered(self) -> None:
        hovered = self._bench.viewer.style.hovered
        view = next((v for v in self._bench.navigator.views if v.photo_id == hovered), None)
        if view is None:
            return
        uv, _ = self._bench.navigator.project(view.centre_world[None])
        if np.isfinite(uv).all():
            px = self._ui.px
            self._label((float(uv[0, 0]) + px(16), float(uv[0, 1]) - px(10)), view.photo_id)

    def _draw_split(self) -> None:
        share = self._bench.viewer.style.split
        if share is None:
            return
        width, height = self._bench.navigator.canvas_px
        px = self._ui.px
        at = share * width
        colour = self._ui.colour("text")
        dpg.draw_line((at, 0), (at, height), color=colour, thickness=px(2))
        dpg.draw_circle((at, height / 2), px(8), color=colour, fill=colour)
        self._label((at - px(56), px(56)), "Now")
        if self._bench.compared is not None:
            self._label((at + px(16), px(56)), self._bench.compared.name)

    def _draw_legend(
        self, colours: Sequence[tuple[int, int, int, int]], words: Sequence[str]
    ) -> None:
        height = self._bench.navigator.canvas_px[1]
        px = self._ui.px
        x, top = float(px(16)), height - px(64)
        sizes = [self._size(text) for text in words]
        room = sum(px(40) + width for width, _ in sizes) - px(22)
        self._plate((x, top), (room, max(height for _, height in sizes)))
        for colour, text, (width, _) in zip(colours, words, sizes, strict=True):
            dpg.draw_circle((x + px(6), top + px(8)), px(6), color=colour, fill=colour)
            self._text((x + px(18), top), text)
            x += px(40) + width

    def _draw_exactness(self, advice: Advised, unit: Unit) -> None:
        """What each colour stands for, as a length."""
        colours, words = [], []
        if np.isfinite(advice.usual_sigma):
            colours = [(*colour, 255) for _, colour in STEPS]
            words = [rough_length(factor * advice.usual_sigma, unit) for factor, _ in STEPS]
            is_scene = unit == "scene"
            words[0] = f"± {words[0]}{' units' if is_scene else ''} or less"
            longest = words[-1]
            words[-1] = f"{longest} or more"
        self._draw_legend([*colours, (*UNKNOWN, 255)], [*words, word("guessed")])

    def _draw_advice(self, advice: Advised) -> None:
        """The suggested cameras by number, and what is said of each."""
        px = self._ui.px
        centres = np.array([view.centre_world for view in advice.views]).reshape(-1, 3)
        uv, _ = self._bench.navigator.project(centres)
        for number, place in enumerate(uv, 1):
            if np.isfinite(place).all():
                self._label((float(place[0]) + px(10), float(place[1]) - px(10)), str(number))
        for row, sentence in enumerate(advice.sentences):
            self._label((px(16), px(20) + row * px(28)), f"{row + 1}. {sentence}")

    def _draw_note(self, note: str) -> None:
        middle, told = self._bench.navigator.canvas_px[0] / 2, f"{note} ..."
        self._text((middle - self._size(told)[0] / 2, self._ui.px(64)), told, "muted")
