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
_LETTERS = 13
"""Height of the small font."""
_COLOURS = {"running": "accent", "done": "good", "cached": "good", "failed": "bad"}


class StepCards:
    """A row of drawings."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui

    def build(self, tag: str) -> None:
        """Make the cards in the current window."""
        px, font = self._ui.px, self._ui.font("small")
        size = px(WIDTH), px(HEIGHT)
        with dpg.group(horizontal=True, horizontal_spacing=px(GAP), tag=tag):
            for step in Step:
                tag = _tag(step)
                with dpg.drawlist(*size):
                    dpg.draw_rectangle((0, 0), size, tag=f"{tag}.card", rounding=px(4))
                    dpg.draw_rectangle((0, 0), (1, 1), tag=f"{tag}.bar")
                    dpg.draw_circle((px(12), px(13)), px(4), tag=f"{tag}.dot")
                    dpg.draw_text((px(22), px(5)), step.value, tag=tag, size=px(_LETTERS))
                    dpg.draw_text((px(22), px(20)), "", tag=f"{tag}.state", size=px(_LETTERS))
                for text in (tag, f"{tag}.state"):
                    dpg.bind_item_font(text, font)

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
            plain, state = ("muted" if dot == "outline" else "text"), f"{tag}.state"
            dpg.configure_item(tag, color=colour(plain))
            dpg.configure_item(state, text=words, color=colour("bad" if dot == "bad" else "muted"))
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
        px, accent = self._ui.px, self._ui.colour("accent")
        share = min(1.0, shown.done / shown.total) if shown.total > 0 else 0.0
        dpg.configure_item(
            f"{tag}.bar",
            show=shown.state == "running" and shown.total > 0,
            pmin=(0, px(HEIGHT - _BAR)),
            pmax=(px(WIDTH) * share, px(HEIGHT)),
            color=accent,
            fill=accent,
        )


def _tag(step: Step) -> str:
    return f"run.step.{step.name.lower()}"
