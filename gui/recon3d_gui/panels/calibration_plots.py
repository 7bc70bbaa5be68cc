"""Two plots of a calibration: where the board was, and how far corners miss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg
from recon3d_calib.plots import WIDTH as PLOT_WIDTH
from recon3d_calib.plots import Arrows, Cells, draw_coverage, draw_residuals
from recon3d_calib.quality import Judged

if TYPE_CHECKING:
    from recon3d_gui.theme import Ui

_MOST_ARROWS = 900


class CalibrationPlots:
    """Draws into a group; nothing where there is no calibration."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._parent: int | str = 0

    def build(self, parent: int | str) -> None:
        """Remember where."""
        self._parent = parent

    def show(self, calibration: Judged | None, width_px: int) -> None:
        """Draw anew, as wide as that."""
        dpg.delete_item(self._parent, children_only=True)
        if calibration is None:
            return
        arrows = draw_residuals(calibration, _MOST_ARROWS)
        self._plot(draw_coverage(calibration), width_px)
        self._caption("Where something was seen. Blank places say nothing of the lens.", width_px)
        self._plot(arrows, width_px)
        self._caption(
            f"How far it is off, {arrows.magnified:g} times as long. All directions mixed is "
            "noise; neighbours that agree are something that the lens model does not explain.",
            width_px,
        )

    def _plot(self, content: Cells | Arrows, width_px: int) -> None:
        scale = width_px / PLOT_WIDTH
        size = width_px, round(content.height * scale)
        accent, raised = self._ui.colour("accent"), self._ui.colour("raised")
        with dpg.drawlist(*size, parent=self._parent):
            dpg.draw_rectangle((0, 0), size, fill=raised, color=raised, rounding=self._ui.px(6))
            if isinstance(content, Cells):
                for x, y, width, height, opacity in content.cells:
                    dpg.draw_rectangle(
                        (x * scale, y * scale),
                        ((x + width) * scale, (y + height) * scale),
                        fill=(*accent[:3], round(255 * opacity)),
                        color=(0, 0, 0, 0),
                    )
                return
            for lines, colour in (
                (content.kept, accent),
                (content.dropped, self._ui.colour("bad")),
            ):
                for x, y, to_x, to_y in (lines * scale).tolist():
                    dpg.draw_line((x, y), (to_x, to_y), color=colour)

    def _caption(self, text: str, width_px: int) -> None:
        item = dpg.add_text(
            text, wrap=width_px, color=self._ui.colour("muted"), parent=self._parent
        )
        dpg.bind_item_font(item, self._ui.font("small"))
        dpg.add_spacer(height=self._ui.px(8), parent=self._parent)
