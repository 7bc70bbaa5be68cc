"""The six steps of a run as small cards: what became of each, and how far the one at work is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d_gui.job.steps import Step
from recon3d_gui.situation import Look, Mark

if TYPE_CHECKING:
    from recon3d_gui.theme import Ui

WIDTH, HEIGHT, GAP = 80, 40, 8
_BAR = 3
_LETTERS = 13
"""Height of the small font."""
_COLOURS: Mapping[Look, str] = {
    "plain": "muted", "running": "accent", "good": "good", "bad": "bad",
}  # fmt: skip


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
                    dpg.draw_text((px(7), px(5)), "", tag=f"{tag}.sign", size=px(_LETTERS))
                    dpg.draw_text((px(22), px(5)), step.value, tag=tag, size=px(_LETTERS))
                    dpg.draw_text((px(22), px(20)), "", tag=f"{tag}.state", size=px(_LETTERS))
                for text in (tag, f"{tag}.state", f"{tag}.sign"):
                    dpg.bind_item_font(text, font)

    def show(self, marks: Mapping[Step, Mark]) -> None:
        """Show what became of each, or what the next run would do."""
        colour, px = self._ui.colour, self._ui.px
        for step in Step:
            mark, tag = marks.get(step, Mark()), _tag(step)
            ink, state = _COLOURS[mark.look], f"{tag}.state"
            is_running = mark.look == "running"
            dpg.configure_item(tag, color=colour("muted" if mark.look == "plain" else "text"))
            words = colour("bad" if mark.look == "bad" else "muted")
            dpg.configure_item(state, text=mark.words, color=words)
            edge = colour("accent" if is_running else "outline")
            dpg.configure_item(f"{tag}.card", color=edge, fill=colour("raised"))
            sign = self._ui.icon(mark.look)
            dpg.configure_item(f"{tag}.sign", text=sign, color=colour(ink))
            dpg.configure_item(
                f"{tag}.bar", show=mark.share > 0, pmin=(0, px(HEIGHT - _BAR)),
                pmax=(px(WIDTH) * mark.share, px(HEIGHT)), color=colour("accent"),
                fill=colour("accent"),
            )  # fmt: skip


def _tag(step: Step) -> str:
    return f"run.step.{step.name.lower()}"
