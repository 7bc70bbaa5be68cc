"""Sentences come out in another language with their numbers and names as they were."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon3d.language import speak, translate, wished_language
from recon3d.language.catalogue import Catalogue, catalogue
from recon3d.language.pages import translated_page

GERMAN = Catalogue(
    {
        "Photos": "Fotos",
        "{count} photos of {name} were left out.": "{count} Fotos von {name} fehlen.",
        "{count:d} photos of {name} were left out: {reason}.": "{name}: {count} fehlen, {reason}.",
        "it is blurred": "es ist unscharf",
        "done in {seconds}": "fertig in {seconds}",
        "Write {{photo}} there.": "Schreiben Sie {{photo}} dorthin.",
        "{step}: {faces:,} faces": "{step}: {faces} Flächen",
        "close holes": "Löcher schließen",
        "left": "links",
        "back": "hinten",
        "{length} back": "{length} zurück",
        "the {part} of it": "davon der Teil {part}",
        "{names} and {others}": "{names} und {others}",
        "Written:": "Datei:",
        "There is no model: {error}": "Kein Modell: {error}",
    },
    thousands="\N{NO-BREAK SPACE}",
)


@pytest.fixture
def _in_english() -> Iterator[None]:
    yield
    speak("en")


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("Photos", "Fotos"),
        ("  Photos ", "  Fotos "),
        ("12 photos of Photos were left out.", "12 Fotos von Photos fehlen."),
        ("3 photos of a were left out: it is blurred.", "a: 3 fehlen, es ist unscharf."),
        ("x photos of a were left out: why.", "x photos of a were left out: why."),
        ("Write {photo} there.", "Schreiben Sie {photo} dorthin."),
        ("Photos: done in 3 s", "Fotos: fertig in 3 s"),
        ("Photos...", "Fotos..."),
        ("Nobody knows this sentence. Photos", "Nobody knows this sentence. Fotos"),
        ("nobody knows this, Photos", "nobody knows this, Photos"),
        ("one\nPhotos", "one\nFotos"),
        ("Photos ...", "Fotos ..."),
        ("close holes: 299,827 faces", "Löcher schließen: 299\xa0827 Flächen"),
        ("299,827", "299\xa0827"),
        ("the 812,440 of it", "davon der Teil 812,440"),
        ("the left, back of it", "davon der Teil links, hinten"),
        ("There is no model: it is blurred", "Kein Modell: es ist unscharf"),
        ("There is no model: salt and pepper", "Kein Modell: salt and pepper"),
        ("left and Photos", "links und Fotos"),
        ("1. Photos", "1. Fotos"),
        ("Unknown. the left of it", "Unknown. davon der Teil links"),
        ("Written:  Photos", "Datei:    Photos"),
        ("Written:  Photos: done in 3 s", "Datei:    Fotos: fertig in 3 s"),
    ],
)
def test_known_sentences_are_translated_and_their_values_kept(english: str, german: str) -> None:
    assert GERMAN.translate(english) == german


@given(st.text())
def test_any_text_comes_back_as_it_is_or_translated(text: str) -> None:
    for language in ("de", "zh"):
        words = catalogue(language)
        assert words is not None
        assert isinstance(words.translate(text), str)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.text("abc_äß文", min_size=1, max_size=12))
def test_numbers_and_names_are_never_changed(one: int, other: int, name: str) -> None:
    sentence = f"{one} of {other} photos were placed in space."
    for language in ("de", "zh"):
        words = catalogue(language)
        assert words is not None
        told = words.translate(sentence)
        assert told != sentence
        assert str(one) in told
        assert str(other) in told
        assert f"{name}.jpg" in words.translate(f"No surface was found in {name}.jpg.")


def test_two_thousand_new_sentences_take_less_than_a_second() -> None:
    words = catalogue("de")
    assert words is not None
    words.translate("Photos")
    began = time.process_time()
    for number in range(2000):
        words.translate(f"No depth for photo_{number}.jpg: the photo shows nothing.")
    # About 0.1 s; four times as much on a busy machine.
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"RECON3D_LANGUAGE": "zh", "LC_ALL": "de_DE.UTF-8"}, "zh"),
        ({"LC_ALL": "de_AT.UTF-8", "LANG": "zh_CN.UTF-8"}, "de"),
        ({"LC_MESSAGES": "zh-Hans-CN", "LANG": "de_DE"}, "zh"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"RECON3D_LANGUAGE": "klingon", "LANG": "de_DE"}, "de"),
    ],
)
def test_the_first_variable_that_is_set_decides(environment: dict[str, str], language: str) -> None:
    assert wished_language(environment) == language


@pytest.mark.usefixtures("_in_english")
def test_processes_that_start_later_speak_the_same() -> None:
    speak("de")
    assert wished_language() == "de"
    assert translate("All is well.") == "Alles in Ordnung."
    speak("en")
    assert translate("All is well.") == "All is well."


@pytest.mark.usefixtures("_in_english")
def test_a_line_of_findings_is_no_sentence_with_commas_in_it() -> None:
    speak("de")
    line = "99,877 triangles, 23% of the surface inferred, 24 of 24 photos placed"
    assert translate(line) == (
        "99\N{NO-BREAK SPACE}877 Dreiecke, 23% der Oberfläche ergänzt, 24 von 24 Fotos platziert"
    )
    assert translate("NIKON D3200, 60 mm: all 16 photos") == "NIKON D3200, 60 mm: alle 16 Fotos"


def test_pages_keep_markup_names_and_style() -> None:
    page = (
        '<html lang="en"><style>Photos { a: b }</style><p>Photos</p>'
        '<div translate="no"><div>Photos</div>Photos</div><img alt="Photos"><p>a &lt; b</p></html>'
    )
    assert translated_page(page, "de", GERMAN.translate) == (
        '<html lang="de"><style>Photos { a: b }</style><p>Fotos</p>'
        '<div translate="no"><div>Photos</div>Photos</div><img alt="Fotos"><p>a &lt; b</p></html>'
    )
