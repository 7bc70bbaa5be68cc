"""What a person or a program sees while a run works: a progress bar, plain lines, or JSON."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from typing_extensions import override

from recon3d.core.errors import ReconError
from recon3d.core.printable import printable, printable_lines
from recon3d.language import translate, word
from recon3d.run.task import Event

Style = Literal["normal", "verbose", "quiet", "json"]

JSON_VERSION = 1
"""Of the lines that --json prints; raised when one changes its meaning (README, "For programs")."""

_TITLES = {
    "ingest": "Read the photos",
    "mask command": "Run the mask command",
    "pose": "Place the photos",
    "scene": "Take the next scene",
    "control": "Fit the ground control points",
    "bars": "Measure the scale bars",
    "masks": "Find the object",
    "depth": "Estimate depth",
    "align": "Align the depth",
    "planes": "Fit planes to plain regions",
    "patchmatch": "Search slanted planes",
    "geometric": "Search where views disagree",
    "refine": "Check the depth",
    "fuse": "Fuse the surface",
    "scale": "Settle the scale",
    "relief": "Build the relief",
    "detail": "Clean the fine mesh",
    "mesh": "Clean the mesh",
    "light": "Lighten the mesh",
    "crop": "Crop and clean",
    "solid": "Make it a solid",
    "own mesh": "Texture your mesh",
    "texture": "Texture the mesh",
    "bake": "Bake the maps",
    "levels": "Make levels of detail",
    "level textures": "Texture the levels",
    "frame": "Find up and scale",
    "coach": "Look for weak spots",
    "ortho": "Draw the orthophoto",
    "export": "Write the files",
    "report": "Look for weak spots",
}
_SECONDS_BETWEEN_LINES = 5.0
_SHARE_BEFORE_GUESSING = 0.05


_LEVELS = word({"warning": "Warning:", "error": "Error:", "critical": "Error:"})


def _title(stage: str) -> str:
    return translate(_TITLES.get(stage, stage.capitalize()))


class Display:
    """Shows nothing but the result; the other displays add to it."""

    verbose = False

    def __init__(self, errors: Console, results: TextIO) -> None:
        self._errors = errors
        self._results = results

    def __call__(self, event: Event) -> None:
        """Show one step of a run."""

    def log(self, level: str, message: str) -> None:
        """Show one line that a stage logged."""
        if level in ("error", "critical"):
            self._errors.print(printable_lines(translate(message)), markup=False, highlight=False)

    def announce(self, event: str, content: Mapping[str, Any], text: str, place: str = "") -> None:
        """Show where work of several parts has come: `content` to programs, `text` to people.

        place: What stands before the stages of the part that follows, such as "2/5 vase".
        """

    def result(self, content: Mapping[str, Any], text: str, *, verbatim: bool = False) -> None:
        """Show the outcome: `content` to programs, `text` to people.

        verbatim: The text is a file or a table for others, and the same in every language.
        """

    def close(self) -> None:
        """Leave the terminal as it was."""


class PlainLines(Display):
    """One line when a stage starts or ends, and one every few seconds between."""

    def __init__(self, errors: Console, results: TextIO, *, verbose: bool = False) -> None:
        super().__init__(errors, results)
        self.verbose = verbose
        self._next_line = time.monotonic() + _SECONDS_BETWEEN_LINES

    @override
    def __call__(self, event: Event) -> None:
        match event.kind:
            case "stage_started":
                self._next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
                self._line(f"{_title(event.stage)} ...")
            case "stage_finished":
                done = translate(f"done in {duration(event.seconds)}")
                self._line(f"{_title(event.stage)}: {done}")
            case "stage_cached":
                self._line(f"{_title(event.stage)}: {translate('already done')}")
            case "warning":
                self.log("warning", event.note)
            case "progress" if self.verbose or time.monotonic() >= self._next_line:
                self._next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
                self._progress(event)

    @override
    def log(self, level: str, message: str) -> None:
        named = f"{translate(_LEVELS[level])} " if level in _LEVELS else ""
        self._line(f"{named}{translate(message)}")

    @override
    def announce(self, event: str, content: Mapping[str, Any], text: str, place: str = "") -> None:
        self._line(translate(text))

    @override
    def result(self, content: Mapping[str, Any], text: str, *, verbatim: bool = False) -> None:
        shown = text if verbatim else translate(text)
        self._results.write(printable_lines(shown) + "\n")
        self._results.flush()

    def _progress(self, event: Event) -> None:
        left = ""
        if event.total > event.done >= max(1, event.total * _SHARE_BEFORE_GUESSING):
            seconds = event.seconds / event.done * (event.total - event.done)
            left = translate(f", about {duration(seconds)} left")
        note = f" {translate(event.note)}" if event.note else ""
        self._line(f"{_title(event.stage)}: {event.done}/{event.total}{note}{left}")

    def _line(self, text: str) -> None:
        self._errors.print(printable_lines(text), markup=False, highlight=False, soft_wrap=True)


class ProgressBar(PlainLines):
    """A bar with the time left for the stage at work; finished stages are lines above it."""

    def __init__(self, errors: Console, results: TextIO, *, verbose: bool = False) -> None:
        super().__init__(errors, results, verbose=verbose)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn(translate(word("left:"))),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}", table_column=Column(no_wrap=True, ratio=1)),
            console=errors,
            expand=True,
            transient=True,
        )
        self._stage = ""
        self._place = ""
        self._task: TaskID | None = None
        self._bar.start()

    @override
    def __call__(self, event: Event) -> None:
        match event.kind:
            case "stage_started":
                self._restart(event.stage)
            case "progress":
                if self._task is None or event.stage != self._stage:
                    self._restart(event.stage)
                assert self._task is not None
                note = printable(translate(event.note)).replace("[", r"\[")
                self._bar.update(self._task, completed=event.done, total=event.total, note=note)
            case "stage_finished":
                self._remove()
                super().__call__(event)
            case _:
                super().__call__(event)

    @override
    def announce(self, event: str, content: Mapping[str, Any], text: str, place: str = "") -> None:
        self._remove()
        self._place = f"{printable(place)}: " if place else ""
        super().announce(event, content, text)

    @override
    def close(self) -> None:
        self._remove()
        self._bar.stop()

    def _restart(self, stage: str) -> None:
        self._remove()
        self._stage = stage
        self._task = self._bar.add_task(self._place + _title(stage), total=None, note="")

    def _remove(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = None


class JsonLines(Display):
    """One JSON object a line on standard output, for programs."""

    @override
    def __call__(self, event: Event) -> None:
        fields = dataclasses.asdict(event)
        self._write({"event": fields.pop("kind"), **fields})

    @override
    def announce(self, event: str, content: Mapping[str, Any], text: str, place: str = "") -> None:
        self._write({"event": event, **content})

    @override
    def log(self, level: str, message: str) -> None:
        self._write({"event": "log", "level": level, "message": message})

    @override
    def result(self, content: Mapping[str, Any], text: str, *, verbatim: bool = False) -> None:
        self._write({"event": "result", **content})

    def _write(self, content: Mapping[str, Any]) -> None:
        self._results.write(_json_line(content))
        self._results.flush()


@contextlib.contextmanager
def make_display(style: Style) -> Iterator[Display]:
    """The display of one style, on this process's terminal or pipe."""
    errors = Console(stderr=True)
    with contextlib.ExitStack() as stack:
        results: TextIO = sys.stdout
        display: Display
        if style == "json":
            results = stack.enter_context(_own_stdout())
            display = JsonLines(errors, results)
        elif style == "quiet":
            display = Display(errors, results)
        else:
            kind: Callable[..., Display] = ProgressBar if errors.is_terminal else PlainLines
            display = kind(errors, results, verbose=style == "verbose")
        stack.callback(display.close)
        yield display


def tell_error(style: Style, error: ReconError) -> None:
    """Say what happened and what to do next."""
    if style == "json":
        content = {"event": "error", "type": type(error).__name__, "message": str(error)}
        sys.stdout.write(_json_line({**content, "hint": error.hint}))
        sys.stdout.flush()
        return
    console = Console(stderr=True)
    console.print(f"{translate(_LEVELS['error'])} ", style="bold red", end="")
    for words in filter(None, (str(error), error.hint)):
        console.print(printable(translate(words)), markup=False, highlight=False, soft_wrap=True)


def tell_cancelled(style: Style, *, killed: bool) -> None:
    """Say that the run was stopped, and mend the terminal of one that could not tidy up."""
    if style == "json":
        sys.stdout.write(_json_line({"event": "cancelled"}))
        sys.stdout.flush()
        return
    console = Console(stderr=True)
    if killed and console.is_terminal:
        console.show_cursor(True)
        console.print()
    if style != "quiet":
        kept = "Stopped. Finished work is kept; the same command goes on from there."
        console.print(translate(kept))


def reader_left() -> None:
    """Go on quietly when a pipe has no reader any more, as in `recon3d config | head`."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _json_line(content: Mapping[str, Any]) -> str:
    numbered = {"version": JSON_VERSION, **content}
    text = json.dumps(_without_nan(numbered), ensure_ascii=False, allow_nan=False) + "\n"
    # Names that are no UTF-8 become JSON's own escapes.
    return text.encode("utf-8", "backslashreplace").decode()


def _without_nan(value: Any) -> Any:
    """JSON has no NaN; what is unknown becomes null."""
    if isinstance(value, Mapping):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextlib.contextmanager
def _own_stdout() -> Iterator[TextIO]:
    """Keep standard output for ourselves: C++ libraries print there too; theirs goes to stderr."""
    sys.stdout.flush()
    try:
        ours = os.dup(1)
    except OSError:  # started without standard output
        yield sys.stdout
        return
    os.dup2(2, 1)
    try:
        with os.fdopen(ours, "w", encoding="utf-8", closefd=False) as stream:
            yield stream
    finally:
        sys.stdout.flush()
        os.dup2(ours, 1)
        os.close(ours)


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
