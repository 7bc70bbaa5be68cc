"""No English sentence is left in what people read: help, errors, progress, the end of a run."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Literal, get_args

import numpy as np
import pytest
from rich.console import Console

from recon3d.cli import main
from recon3d.cli.display import PlainLines
from recon3d.cli.run import _summary
from recon3d.georef.frame_words import summary
from recon3d.georef.scale_cues import ScaleCue, ScaleSource, fuse_scales
from recon3d.georef.up_cues import UpSource, fuse_ups, given_up
from recon3d.language import speak
from recon3d.language.catalogue import Catalogue, catalogue
from recon3d.run.task import Event
from recon3d.surface.cleaning.chain import Effect

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


@pytest.mark.parametrize(
    ("english", "german"),
    [
        (
            str(Effect("close holes", 310_000, 299_827, "holes", 1200, 0)),
            "Löcher schließen: 299\xa0827 Flächen, Löcher von 1\xa0200 auf 0",
        ),
        (str(Effect("decimate", 9, 8, "", None, None)), "vereinfachen: 8 Flächen"),
        ("painting", "wird bemalt"),
        ("unwrapping", "wird abgewickelt"),
        (
            "1. Between a.jpg and b.jpg, a little higher, one step back: the part of the model "
            "on the left, at the back is in one photo only.",
            "1. Zwischen a.jpg und b.jpg, etwas höher, einen Schritt zurück: der Teil des Modells "
            "links, hinten ist nur in einem Foto.",
        ),
        ("left out 3 of 9 files: a b.jpg (it is only 4x4 pixels), c.jpg and 1 more (the file is "
         "empty), ...",
         "3 von 9 Dateien weggelassen: a b.jpg (es hat nur 4x4 Pixel), c.jpg und 1 weitere (die "
         "Datei ist leer), ..."),
        ("K.txt: it has 7 numbers: no matrix of 3x3, 3x4 or 4x4, and not fx fy cx cy.",
         "K.txt: es hat 7 Zahlen: keine Matrix mit 3x3, 3x4 oder 4x4, und nicht fx fy cx cy."),
        ("There is no setting mesh.faecs.", "Es gibt keine Einstellung mesh.faecs."),
        ("What to do: Take several, a step or two apart.",
         "Was tun: Nehmen Sie mehrere auf, je ein oder zwei Schritte auseinander."),
        ("299,827 triangles   grid 0.5 units", "299\xa0827 Dreiecke   Raster 0.5 Einheiten"),
        ("x.psx is a project of Metashape, which recon3d does not read.",
         "x.psx ist ein Projekt von Metashape; das liest recon3d nicht."),
    ],
)  # fmt: skip
def test_what_a_run_says_of_its_steps(english: str, german: str) -> None:
    words = catalogue("de")
    assert isinstance(words, Catalogue)
    assert words.translate(english) == german


def test_the_line_on_scale_and_up() -> None:
    scale = fuse_scales([
        ScaleCue("markers", "3 of 4 aruco_4x4_50 agree, 50 mm", 0.4, 0.01),
        ScaleCue("gps", "", 0.4, 0.1, "the poses are in metres already, which are surer"),
    ])  # fmt: skip
    up = fuse_ups([given_up(np.array([0.0, 0.0, 1.0]), "+z")])
    words = catalogue("de")
    assert isinstance(words, Catalogue)
    assert words.translate(summary(scale, up)) == (
        "1 Einheit = 0.4 m ± 1 % (Marken: 3 von 4 aruco_4x4_50 stimmen überein, 50 mm; GPS nicht "
        "verwendet: die Posen sind schon in Metern, was sicherer ist); Lot ± 0.0° (vorgegeben)"
    )


@pytest.mark.parametrize("language", ["de", "zh"])
@pytest.mark.parametrize("source", sorted({*get_args(ScaleSource), *get_args(UpSource)}))
def test_what_says_how_large_the_scene_is_and_what_is_up_is_translated(
    source: str, language: Literal["de", "zh"]
) -> None:
    words = catalogue(language)
    assert isinstance(words, Catalogue)
    assert words.translate(source) != source


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
