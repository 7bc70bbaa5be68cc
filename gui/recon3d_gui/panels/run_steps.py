"""The six steps of a run as small cards: what became of each, and how far the one at work is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.job.progress import StepProgress
from recon3d_gui.job.steps import Step
from recon3d_gui.job.words import step_words

if TYPE_CHECKING:
    from recon3d_gui.theme import Ui

WIDTH, HEIGHT, GAP = 80, 40, 8
_BAR = 3
_COLOURS = {"running": "accent", "done": "good", "cached": "good", "failed": "bad"}


class StepCards:
    """Drawn into a drawing that lies below the texts of a window."""

    def __init__(self, ui: Ui, drawing: str) -> None:
        self._ui = ui
        self._drawing = drawing
        self._left_px: dict[Step, int] = {}
        self._top_px = 0

    def build(self) -> None:
        """Make the cards in the current window."""
        for step in Step:
            tag = _tag(step)
            rounding = self._ui.px(4)
            dpg.draw_rectangle((0, 0), (1, 1), tag=f"{tag}.card", parent=self._drawing,
                               rounding=rounding)  # fmt: skip
            dpg.draw_rectangle((0, 0), (1, 1), tag=f"{tag}.bar", parent=self._drawing)
            dpg.draw_circle((0, 0), self._ui.px(4), tag=f"{tag}.dot", parent=self._drawing)
            dpg.add_text(step.value, tag=tag)
            dpg.add_text("", tag=f"{tag}.state")
            for text in (tag, f"{tag}.state"):
                dpg.bind_item_font(text, self._ui.font("small"))

    def place(self, left_px: int, top_px: int) -> None:
        """Put the first card's corner there, in pixels of the window."""
        px = self._ui.px
        self._top_px = top_px
        for index, step in enumerate(Step):
            tag, left = _tag(step), left_px + index * px(WIDTH + GAP)
            self._left_px[step] = left
            dpg.configure_item(
                f"{tag}.card", pmin=(left, top_px), pmax=(left + px(WIDTH), top_px + px(HEIGHT))
            )
            dpg.configure_item(f"{tag}.dot", center=(left + px(12), top_px + px(13)))
            dpg.set_item_pos(tag, [left + px(22), top_px + px(5)])
            dpg.set_item_pos(f"{tag}.state", [left + px(22), top_px + px(20)])

    def show(self, progress: Mapping[Step, StepProgress], stays: Mapping[Step, bool]) -> None:
        """Show a run, or without one what the next would keep.

        stays: by step, whether the next run keeps it; empty while one goes on.
        """
        colour = self._ui.colour
        for step in Step:
            shown = progress.get(step) or StepProgress(step)
            words, dot = step_words(shown), _COLOURS.get(shown.state, "outline")
            if step in stays:
                words = "kept" if stays[step] else "to do"
                dot = "good" if stays[step] else "outline"
            tag = _tag(step)
            at_work = shown.state == "running"
            dpg.set_value(f"{tag}.state", words)
            plain = "muted" if dot == "outline" else "text"
            dpg.configure_item(tag, color=colour(plain))
            dpg.configure_item(f"{tag}.state", color=colour("bad" if dot == "bad" else "muted"))
            dpg.configure_item(
                f"{tag}.card",
                color=colour("accent" if at_work else "outline"),
                fill=colour("raised"),
            )
            dpg.configure_item(
                f"{tag}.dot",
                color=colour(dot),
                fill=(0, 0, 0, 0) if dot == "outline" else colour(dot),
            )
            self._show_bar(tag, shown)

    def _show_bar(self, tag: str, shown: StepProgress) -> None:
        working = shown.state == "running" and shown.total > 0
        dpg.configure_item(f"{tag}.bar", show=working)
        if not working:
            return
        px, accent = self._ui.px, self._ui.colour("accent")
        left, bottom = self._left_px[shown.step], self._top_px + px(HEIGHT)
        done = left + px(WIDTH) * min(1.0, shown.done / shown.total)
        dpg.configure_item(
            f"{tag}.bar",
            pmin=(left, bottom - px(_BAR)),
            pmax=(done, bottom),
            color=accent,
            fill=accent,
        )


def _tag(step: Step) -> str:
    return f"run.step.{step.name.lower()}"
