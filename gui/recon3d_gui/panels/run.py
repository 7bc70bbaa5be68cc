"""The strip at the bottom: start and stop, how far the run is, what came of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from recon3d.language import translate
from recon3d_gui.job.steps import Step
from recon3d_gui.job.words import failure_text, mentioned
from recon3d_gui.panels.log import LogDrawer
from recon3d_gui.panels.primary import PrimaryLook
from recon3d_gui.panels.run_steps import GAP, HEIGHT, WIDTH, StepCards
from recon3d_gui.panels.spacing import spaced_theme
from recon3d_gui.situation import Situation

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio
    from recon3d_gui.theme import Ui

STRIP, DRAWER = 64, 232
_FAILURE = 120
_MARGIN = 8
_START, _REPORT, _LOG = 112, 96, 64
_LEFT = _MARGIN + _START + 2 * GAP
"""Where the words begin."""
_FRAMES_PER_SECOND = 5


class RunPanel:
    """Tells its height by `height_px`, which changes with the drawer and with a failure."""

    def __init__(self, studio: Studio, ui: Ui, show_export: Callable[[], None]) -> None:
        self._studio, self._show_export = studio, show_export
        self._jobs = studio.jobs
        self._ui = ui
        self._log = LogDrawer(studio, ui)
        self._cards = StepCards(ui)
        self._primary = PrimaryLook(ui, "run.primary")
        self._log_open = False
        self._dismissed = 0
        self._width_px = self._text_px = self._failure_px = 0
        self._drawn: object = None
        self._photo: str | None = None
        ui.on_theme(self._forget)

    @property
    def height_px(self) -> int:
        """That it needs now."""
        failure_px = self._failure_px if self._failed else 0
        return failure_px + self._ui.px(STRIP + (DRAWER if self._log_open else 0))

    def build(self, parent: int | str) -> None:
        """Make the widgets."""
        ui = self._ui
        with dpg.group(parent=parent, tag="run"):
            self._build_failure()
            self._log.build("run", ui.px(DRAWER - GAP))
            with dpg.child_window(tag="run.strip", border=False, no_scrollbar=True,
                                  height=ui.px(STRIP), no_scroll_with_mouse=True):  # fmt: skip
                place = ui.px(_MARGIN), ui.px((STRIP - HEIGHT) // 2)
                for label, callback in (
                    ("Start", self._start),
                    ("Export", self._show_export),
                    ("Cancel", self._jobs.cancel),
                ):  # one of them is shown
                    dpg.add_button(label=label, tag=f"run.{label.lower()}", pos=place,
                                   width=ui.px(_START), height=ui.px(HEIGHT),
                                   callback=callback)  # fmt: skip
                dpg.add_text("", tag="run.headline", pos=(ui.px(_LEFT), ui.px(13)))
                dpg.add_text("", tag="run.line", pos=(ui.px(_LEFT), ui.px(36)))
                ui.explain("run.line")
                dpg.bind_item_font("run.line", ui.font("small"))
                dpg.add_button(label="Report", tag="run.report", width=ui.px(_REPORT),
                               height=ui.px(HEIGHT), callback=self._open_report)  # fmt: skip
                dpg.add_button(label="Log", tag="run.log", width=ui.px(_LOG),
                               height=ui.px(HEIGHT), callback=self.toggle_log)  # fmt: skip
                self._cards.build("run.steps")
                # Last: a drawing takes the mouse from whatever comes after it in the same place.
                dpg.add_drawlist(1, ui.px(STRIP), tag="run.drawing", pos=(0, 0))
                for part in ("track", "share"):
                    dpg.draw_rectangle((0, 0), (1, 1), tag=f"run.{part}", parent="run.drawing")
        dpg.bind_item_theme("run", spaced_theme(0, 0))
        dpg.bind_item_theme("run.failure", spaced_theme(ui.px(_MARGIN), ui.px(8)))
        self._primary.build()
        for tag in ("run.start", "run.export"):
            dpg.bind_item_theme(tag, self._primary.tag)

    def resize(self, width_px: int, height_px: int) -> None:
        """The width it has now; its height is its own."""
        px = self._ui.px
        self._width_px = width_px
        dpg.configure_item("run.drawing", width=width_px)
        top = px((STRIP - HEIGHT) // 2)
        right = width_px - px(_MARGIN + _LOG)
        dpg.set_item_pos("run.log", [right, top])
        right -= px(GAP + _REPORT)
        dpg.set_item_pos("run.report", [right, top])
        right -= len(Step) * px(WIDTH + GAP) + px(GAP)
        dpg.set_item_pos("run.steps", [right, top])
        self._text_px = right - px(_LEFT + 2 * GAP)
        self._forget()

    def update(self) -> None:
        """Show what is new."""
        if self._log_open:
            self._log.update()
        self._fit_failure()
        now, jobs = self._studio.situation, self._jobs
        passed = jobs.progress.elapsed_seconds if jobs.busy and jobs.progress else 0.0
        key = (now, jobs.revision, int(passed * _FRAMES_PER_SECOND))
        if key == self._drawn or not self._width_px:
            return
        self._drawn = key
        self._show_buttons(now)
        self._show_words(now)
        self._cards.show(now.marks)
        self._show_share()
        self._show_failure()

    def toggle_log(self) -> None:
        """Open or close the drawer."""
        self._log_open = not self._log_open
        dpg.configure_item("log", show=self._log_open)

    def _show_buttons(self, now: Situation) -> None:
        jobs, start = self._jobs, now.start
        stopping = "cancelling" in (jobs.run.state, jobs.saving.state)
        finished = not jobs.busy and now.is_up_to_date
        dpg.configure_item("run.export", show=finished)
        dpg.configure_item("run.start", show=not jobs.busy and not finished,
                           label=start.label, enabled=start.is_enabled)  # fmt: skip
        dpg.configure_item("run.cancel", show=jobs.busy, enabled=not stopping,
                           label="Stopping" if stopping else "Cancel")  # fmt: skip
        report = self._report
        dpg.configure_item("run.report", show=report is not None)

    def _show_words(self, now: Situation) -> None:
        ui = self._ui
        title = _fitting(now.headline, self._text_px, ui, "normal")
        dpg.set_value("run.headline", title)
        dpg.bind_item_font("run.headline", ui.font("normal", title))
        dpg.configure_item("run.headline", color=ui.colour("text"))
        dpg.set_value("run.line", _fitting(now.line, self._text_px, ui, "small"))
        dpg.bind_item_font("run.line", ui.font("small", now.line))
        ui.explain_anew("run.line", f"{now.line} {now.more}".rstrip())
        dpg.configure_item("run.line", color=ui.colour("warning" if now.is_warning else "muted"))
        if not dpg.get_text_size("M", font=ui.font("small")):
            self._forget()  # a font that no frame has used yet measures nothing

    def _show_share(self) -> None:
        jobs, px = self._jobs, self._ui.px
        share = jobs.progress.share() if jobs.run.busy and jobs.progress else 0.0
        if jobs.saving.busy and jobs.saving.total:
            share = jobs.saving.done / jobs.saving.total
        for part, colour, width in (("track", "outline", 1.0), ("share", "accent", share)):
            paint = self._ui.colour(colour)
            dpg.configure_item(f"run.{part}", pmin=(0, 0), pmax=(width * self._width_px, px(2)),
                               color=paint, fill=paint, show=jobs.busy)  # fmt: skip

    def _build_failure(self) -> None:
        with (
            dpg.child_window(tag="run.failure", show=False, border=False, no_scrollbar=True,
                             always_use_window_padding=True),
            dpg.group(tag="run.failure.body"),
        ):  # fmt: skip
            dpg.add_text("", tag="run.failure.text")
            dpg.add_text("", tag="run.failure.hint")
            with dpg.group(horizontal=True):
                for label, part, callback in (
                    ("Copy details", "copy", self._copy_failure),
                    ("Show the photo", "photo", self._show_photo),
                    ("Close", "close", self._dismiss),
                ):
                    dpg.add_button(label=label, tag=f"run.failure.{part}", callback=callback)

    @property
    def _failed(self) -> bool:
        run = self._jobs.run
        return run.state == "failed" and run.failure is not None and run.number != self._dismissed

    def _show_failure(self) -> None:
        failed, failure = self._failed, self._jobs.run.failure
        dpg.configure_item("run.failure", show=failed)
        if not failed or not failure:
            return
        px = self._ui.px
        self._write("text", failure.message, "normal", "bad")
        self._write("hint", failure.hint, "small", "text")
        # Until it is drawn; then it is measured.
        self._failure_px = self._failure_px or px(_FAILURE)
        self._photo = mentioned(failure.message, (row.id for row in self._studio.photos.rows))
        dpg.configure_item("run.failure.photo", show=self._photo is not None)

    def _fit_failure(self) -> None:
        """Give the failure the height that its words and buttons have come to."""
        body_px = (dpg.get_item_rect_size("run.failure.body") or (0, 0))[1]
        if self._failed and body_px:
            self._failure_px = body_px + self._ui.px(3 * _MARGIN)
        # What has distances of its own in it takes one more below itself.
        height = max(1, self._failure_px - self._ui.px(GAP))
        if dpg.get_item_height("run.failure") != height:
            dpg.configure_item("run.failure", width=self._width_px, height=height)

    def _write(self, part: str, text: str, font: str, colour: str) -> None:
        """A part of what went wrong."""
        ui, tag = self._ui, f"run.failure.{part}"
        font_tag, wrap_px = ui.font(font, text), self._width_px - ui.px(4 * _MARGIN)
        dpg.set_value(tag, text)
        dpg.bind_item_font(tag, font_tag)
        dpg.configure_item(tag, color=ui.colour(colour), wrap=wrap_px, show=bool(text))

    @property
    def _report(self) -> Path | None:
        report = self._studio.project.workspace / "report.html"
        return report if not self._jobs.run.busy and report.is_file() else None

    def _start(self) -> None:
        self._studio.start()

    def _open_report(self) -> None:
        if report := self._report:
            self._studio.open_file(report)

    def _copy_failure(self) -> None:
        dpg.set_clipboard_text(failure_text(self._jobs))
        self._studio.toast("The details are copied.")

    def _show_photo(self) -> None:
        if self._photo:
            self._studio.selected_photo = self._photo
            self._studio.page = "photo"

    def _dismiss(self) -> None:
        self._dismissed = self._jobs.run.number
        self._forget()

    def _forget(self) -> None:
        self._drawn = None


def _fitting(text: str, width_px: int, ui: Ui, name: str) -> str:
    """As much of a text as fits on a line in a font."""
    text = translate(text)
    font = ui.font(name, text)
    size = dpg.get_text_size(text, font=font)
    if not size or size[0] <= width_px or not text:
        return text
    return text[: max(1, int(len(text) * width_px / size[0]) - 2)].rstrip() + "…"
