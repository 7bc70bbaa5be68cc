"""What strangers write reaches the terminal as text, never as commands."""

from __future__ import annotations

import io
import json
import os

import pytest
from rich.console import Console

from recon3d.cli.display import JsonLines, PlainLines, ProgressBar, tell_error
from recon3d.core.errors import ReconError
from recon3d.run.task import Event

HOSTILE = os.fsdecode(b"\x1b]0;title\x07 \x9b2J a\nb \xe7.jpg") + "\u202e"


def check(shown: str, *, lines: int) -> None:
    shown.encode()
    assert not any(letter in shown for letter in "\x1b\x07\x9b\u202e")
    assert shown.count("\n") == lines


def test_warnings_and_results_hold_no_commands() -> None:
    errors, results = io.StringIO(), io.StringIO()
    display = PlainLines(Console(file=errors), results)
    display(Event("warning", "ingest", note=HOSTILE.replace("\n", "")))
    display.result({}, HOSTILE.replace("\n", ""))
    check(errors.getvalue(), lines=1)
    check(results.getvalue(), lines=1)


def test_errors_are_one_line_and_hold_no_commands(capsys: pytest.CaptureFixture[str]) -> None:
    tell_error("normal", ReconError(HOSTILE, hint=HOSTILE))
    check(capsys.readouterr().err, lines=2)


def test_notes_beside_the_bar_hold_no_commands() -> None:
    errors = io.StringIO()
    display = ProgressBar(Console(file=errors, force_terminal=True), io.StringIO())
    display(Event("progress", "ingest", 1, 2, HOSTILE))
    display.close()
    # The bar itself moves the cursor; the name must not.
    assert "\x1b]0;" not in errors.getvalue()
    assert "\x9b" not in errors.getvalue()


def test_programs_get_names_that_are_no_utf_8_as_they_are() -> None:
    results = io.StringIO()
    JsonLines(Console(file=io.StringIO()), results).log("info", HOSTILE)
    results.getvalue().encode()
    assert json.loads(results.getvalue())["message"] == HOSTILE
