"""No English sentence is left in what people read: help, errors, progress, the end of a run."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from rich.console import Console

from recon3d.cli import main
from recon3d.cli.display import PlainLines
from recon3d.cli.run import _summary
from recon3d.language import speak
from recon3d.language.catalogue import Catalogue, catalogue
from recon3d.run.task import Event

_SENTENCE = re.compile(r"(?<!-)\b(the|of|and|with|for|are|that|what|not|one|from|each)\b")
"""Words that no other of our languages has; help passes its door twice."""
Left = Callable[[str], list[str]]


@pytest.fixture(params=["de", "zh"])
def left_in_english(request: pytest.FixtureRequest) -> Iterator[Left]:
    """Speak a language; what of an output was shown and not translated."""
    language: Literal["de", "zh"] = request.param
    words = catalogue(language)
    assert isinstance(words, Catalogue)
    missed: set[str] = set()
    words.missed = missed.add
    speak(language)
    yield lambda output: [
        text for text in missed if _SENTENCE.search(text) and " ".join(text.split()) in output
    ]
    words.missed = None
    speak("en")


@pytest.mark.parametrize(
    "line",
    [
        "--help", "mesh --help", "batch --help", "calibrate --help", "export --help",
        "texture --help", "ortho --help", "coach --help", "share --help", "models --help",
        "mesh x --preset nothing", "mesh x --nothing", "undistort", "doctor --help",
    ],
)  # fmt: skip
def test_help_and_wrong_usage(
    line: str,
    left_in_english: Left,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Lines that are not wrapped can be compared.
    monkeypatch.setenv("COLUMNS", "4000")
    main(line.split())
    said = capsys.readouterr()
    output = " ".join((said.out + said.err).split())
    assert output
    # Training is the one group of commands that speaks English.
    assert [each for each in left_in_english(output) if not each.startswith("Teach ")] == []


def test_an_error_says_what_to_do(left_in_english: Left, capfd: pytest.CaptureFixture[str]) -> None:
    # In a process of its own, which speaks the same language.
    assert main(["mesh-info", "nowhere.ply"]) == 1
    said = capfd.readouterr().err
    assert "nowhere.ply" in said
    assert "is not there" not in said


def test_json_stays_english(left_in_english: Left, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean", "nowhere", "--json"]) == 1
    assert "nowhere is not a workspace." in capsys.readouterr().out


def test_progress_and_the_end_of_a_run(left_in_english: Left) -> None:
    lines, end = io.StringIO(), io.StringIO()
    display = PlainLines(Console(file=lines, width=4000), end, verbose=True)
    for stage in ("ingest", "pose", "depth", "refine", "fuse", "mesh", "texture", "export"):
        display(Event("stage_started", stage))
        display(Event("progress", stage, 5, 10, "choosing a photo for every face", 2.0))
        display(Event("stage_finished", stage, seconds=3.2))
        display(Event("stage_cached", stage))
    display(Event("warning", "pose", note="Only 3 of 9 photos were placed; the report says why for "
                  "each of the others."))  # fmt: skip
    content = {
        "placed": 3, "given": 9, "faces": 1200, "written": ["a.glb"], "report": "report.html",
        "seconds": 75.0, "panoramas": {"given": 2, "placed": 1}, "masks": "masks",
        "georeference": {"origin": [1.0, 2.0, 3.0], "crs": "EPSG:25832", "source": "GPS"},
        "warnings": ["No depth was confirmed by a second photo."],
    }  # fmt: skip
    display.result(content, _summary(content))
    output = " ".join((lines.getvalue() + end.getvalue()).split())
    assert "a.glb" in output
    assert left_in_english(output) == []
