"""The page "calibration": photos -> intrinsics, and whether to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dearpygui.dearpygui as dpg

from recon3d.core.errors import ReconError
from recon3d_gui.calibration import words
from recon3d_gui.calibration.session import CalibrationSession
from recon3d_gui.calibration.worker import Wanted
from recon3d_gui.failure import Failure
from recon3d_gui.panels.calibration_cards import PhotoCards
from recon3d_gui.panels.calibration_plots import CalibrationPlots
from recon3d_gui.panels.looks import Looks

if TYPE_CHECKING:
    from recon3d_gui.calibration.outcome import Outcome
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

_RESULT_PX, _LEAST_RESULT_PX = 360, 280
_NAME_PX = 136
_COLOURS = {"good": "good", "fair": "warning", "poor": "bad"}


class CalibrationPanel:
    """Add photos, watch the boards being found, judge the result, use it."""

    def __init__(self, studio: Studio, ui: Ui) -> None:
        self._studio, self._ui = studio, ui
        self._session: CalibrationSession = studio.calibration
        self._looks: Looks
        self._cards = PhotoCards(self._session, ui)
        self._plots = CalibrationPlots(ui)
        self._seen = -1
        self._shown: Outcome | None = None
        self._result_px = ui.px(_RESULT_PX)
        ui.on_theme(self._redraw)

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        px, self._looks = self._ui.px, Looks(self._ui)
        with dpg.group(parent=parent, tag="calibration"):
            with dpg.group(horizontal=True):
                dpg.add_button(label="Back", tag="calibration.close", callback=self._close)
                title = dpg.add_text("Calibrate the camera")
                dpg.add_text("", tag="calibration.status")
            dpg.bind_item_font(title, self._ui.font("title"))
            with dpg.group(horizontal=True):
                dpg.add_button(label="Add photos", tag="calibration.add", callback=self._add)
                dpg.add_button(label="Clear", tag="calibration.clear", callback=self._clear)
                dpg.add_spacer(width=px(8))
                board = dpg.add_text("Board")
                dpg.add_combo(
                    list(words.KINDS),
                    default_value="Find out",
                    tag="calibration.kind",
                    width=px(136),
                    callback=self._choose,
                )
                dpg.add_input_text(
                    tag="calibration.size",
                    hint="9x6",
                    width=px(64),
                    on_enter=False,
                    callback=self._choose,
                )
                dpg.add_checkbox(
                    label="Zoomed lens", tag="calibration.zoomed", callback=self._choose
                )
                dpg.add_spacer(width=px(8))
                dpg.add_button(
                    label="Calibrate",
                    tag="calibration.start",
                    width=px(104),
                    callback=self._start_or_stop,
                )
                dpg.add_spacer(width=px(8))
                dpg.add_button(label="Print a board", tag="calibration.print", callback=self._print)
            dpg.add_progress_bar(tag="calibration.progress", width=-1, height=px(4))
            with dpg.group(horizontal=True):
                with dpg.child_window(tag="calibration.photos", border=False):
                    dpg.add_text(words.EMPTY, tag="calibration.empty", wrap=0)
                with dpg.child_window(tag="calibration.result", border=False):
                    self._build_result()
        for item in (board, "calibration.status", "calibration.empty", "calibration.hint"):
            dpg.bind_item_theme(item, self._looks.muted)
        self._cards.build("calibration.photos")
        self._ui.explain(
            "calibration.size",
            "Columns x rows: inner corners of a chessboard, circles, or squares of a ChArUco "
            "board. Leave it empty to have it found.",
        )

    def update(self) -> None:
        """Follow the session."""
        self._session.poll()
        self._tell_made()
        self._cards.update()
        if self._session.revision == self._seen:
            return
        self._seen = self._session.revision
        busy = self._session.state != "idle"
        dpg.configure_item("calibration.empty", show=not self._session.paths)
        boardless = self._session.wanted.boardless
        dpg.set_value("calibration.empty", words.EMPTY_WITHOUT_BOARD if boardless else words.EMPTY)
        for tag in ("calibration.size", "calibration.zoomed", "calibration.print"):
            dpg.configure_item(tag, show=not boardless)
        dpg.configure_item(
            "calibration.start",
            label={"idle": "Calibrate", "working": "Cancel", "stopping": "Stopping"}[
                self._session.state
            ],
            enabled=bool(self._session.paths) and self._session.state != "stopping",
        )
        for tag in ("calibration.add", "calibration.clear", "calibration.kind",
                    "calibration.size", "calibration.zoomed"):  # fmt: skip
            dpg.configure_item(tag, enabled=not busy)
        self._show_progress(busy)
        self._show_result()

    def resize(self, width_px: int, height_px: int) -> None:
        """Photos left, the result right."""
        px = self._ui.px
        self._result_px = max(px(_LEAST_RESULT_PX), min(px(_RESULT_PX), round(width_px * 0.4)))
        room = max(px(160), width_px - self._result_px - px(8))
        dpg.configure_item("calibration.photos", width=room)
        self._cards.resize(room)
        self._seen, self._shown = -1, None

    def accept(self, paths: Sequence[Path]) -> None:
        """Take photos and folders that were dropped on the page."""
        if self._session.state != "idle":
            self._studio.toast("The calibration is still at work.", kind="warning")
            return
        # Photos without a board take minutes: that is for the user to begin.
        if self._take(paths) and not self._session.wanted.boardless:
            self._session.start()

    def _take(self, paths: Sequence[Path]) -> int:
        """How many photos are new."""
        try:
            return self._session.add(paths)
        except ReconError as error:
            self._studio.toast(str(error), kind="warning", details=error.hint)
            return 0

    def _build_result(self) -> None:
        headline = dpg.add_text("", tag="calibration.headline")
        dpg.bind_item_font(headline, self._ui.font("normal"))
        dpg.add_text("", tag="calibration.hint")
        with dpg.group(horizontal=True, tag="calibration.actions", show=False):
            dpg.add_button(label="Use for this project", tag="calibration.use", callback=self._use)
            dpg.add_button(label="Save as", tag="calibration.save", callback=self._save_as)
            dpg.add_button(label="Report", tag="calibration.report", callback=self._report)
        dpg.add_group(tag="calibration.values")
        dpg.add_group(tag="calibration.advice")
        dpg.add_spacer(height=self._ui.px(8))
        self._plots.build(dpg.add_group(tag="calibration.plots"))

    def _show_progress(self, busy: bool) -> None:
        progress, found = self._session.progress, self._session.found
        share = progress.done / progress.total if progress.total else 0.0
        dpg.set_value("calibration.progress", share if busy else 0.0)
        if busy:
            text = words.progress_words(progress)
        elif found:
            text = found.words[0].upper() + found.words[1:]
        else:
            text = f"{len(self._session.paths)} photos" if self._session.paths else ""
        dpg.set_value("calibration.status", text)

    def _show_result(self) -> None:
        outcome, failure = self._session.outcome, self._session.failure
        if outcome:
            texts, colour = (outcome.headline, ""), _COLOURS[outcome.grade]
        elif failure:
            texts, colour = (failure.message, failure.hint), "bad"
        else:
            texts, colour = ("", words.WAITING if self._session.paths else ""), "text"
        for tag, text in zip(("calibration.headline", "calibration.hint"), texts, strict=True):
            dpg.configure_item(tag, wrap=self._wrap, show=bool(text))
            dpg.set_value(tag, text)
        dpg.configure_item("calibration.headline", color=self._ui.colour(colour))
        dpg.configure_item("calibration.actions", show=outcome is not None)
        dpg.configure_item("calibration.use", show=outcome is not None and outcome.fits_project)
        if outcome is self._shown:
            return
        self._shown = outcome
        for group in ("calibration.values", "calibration.advice"):
            dpg.delete_item(group, children_only=True)
        if outcome:
            self._show_values(outcome)
        self._plots.show(outcome.judged if outcome else None, self._wrap)

    def _show_values(self, outcome: Outcome) -> None:
        with dpg.table(
            header_row=False, policy=dpg.mvTable_SizingFixedFit, parent="calibration.values"
        ):
            dpg.add_table_column(width_fixed=True, init_width_or_weight=self._ui.px(_NAME_PX))
            dpg.add_table_column(width_stretch=True)
            for name, value in outcome.rows:
                with dpg.table_row():
                    dpg.add_text(name, color=self._ui.colour("muted"))
                    dpg.add_text(value)
        for sentence in outcome.advice:
            with dpg.group(horizontal=True, parent="calibration.advice"):
                dpg.add_text("•", color=self._ui.colour("warning"))
                dpg.add_text(sentence, wrap=self._wrap)

    @property
    def _wrap(self) -> int:
        return self._result_px - self._ui.px(24)

    def _redraw(self) -> None:
        self._seen, self._shown = -1, None
        self._cards.redraw()

    def _choose(self, *_: Any) -> None:
        if self._session.state != "idle":
            return
        label = dpg.get_value("calibration.kind")
        if label == words.NO_BOARD:
            self._session.choose(Wanted(boardless=True))
            if not self._session.paths and self._studio.project.sources:
                self._take(self._studio.project.sources)
            return
        size, zoomed = (dpg.get_value(f"calibration.{name}") for name in ("size", "zoomed"))
        self._session.choose(Wanted(words.KINDS[label], size.strip(), zoomed=zoomed))

    def _start_or_stop(self, *_: Any) -> None:
        if self._session.state == "working":
            self._session.cancel()
        elif self._session.paths:
            self._session.start()

    def _clear(self, *_: Any) -> None:
        self._session.clear()

    def _add(self, *_: Any) -> None:
        self._studio.ask.files("Add photos", self.accept)

    def _close(self, *_: Any) -> None:
        self._studio.page = "model"

    def _print(self, *_: Any) -> None:
        self._studio.ask.save("Save a board to print", "board.pdf", self._session.print_board)

    def _report(self, *_: Any) -> None:
        self._session.write_report()

    def _tell_made(self) -> None:
        while not self._session.printed.empty():
            board = self._session.printed.get()
            if isinstance(board, Failure):
                self._studio.toast(board.message, kind="bad", details=board.hint)
                continue
            text = f"{board.name} is ready: print it at 100 %, and glue it to something flat."
            self._studio.toast(text, kind="good")
        while not self._session.reported.empty():
            report = self._session.reported.get()
            if isinstance(report, Failure):
                self._studio.toast(report.message, kind="bad", details=report.hint)
            else:
                self._studio.open_file(report)

    def _use(self, *_: Any) -> None:
        workspace = self._studio.project.workspace
        target = workspace.with_name(f"{workspace.stem}.K.json")
        if self._save(target):
            self._studio.change("Use calibration", intrinsics=target)
            self._studio.toast(f"The project uses {target.name} now.", kind="good")

    def _save_as(self, *_: Any) -> None:
        self._studio.ask.save("Save the calibration", "K.json", self._save_there)

    def _save_there(self, target: Path) -> None:
        if self._save(target):
            self._studio.toast(f"{target.name} is saved.", kind="good")

    def _save(self, target: Path) -> bool:
        try:
            self._session.save(target)
        except ReconError as error:
            self._studio.toast(str(error), kind="bad", details=error.hint)
            return False
        return True
