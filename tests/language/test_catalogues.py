"""The catalogues hold every message of the source, translated, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from recon3d.language.__main__ import ROOT, faults_of, files_of, read_source, updated_catalogue
from recon3d.language.choice import Language
from recon3d.language.extracting import IN_ENGLISH, messages_of_the_source
from recon3d.language.page_messages import messages_of_page

LANGUAGES: tuple[Language, ...] = ("de", "zh")
_FILES_IN_ENGLISH = 44
"""Modules for training networks, at most, whose words nobody has translated yet."""


@pytest.fixture(scope="module")
def found() -> dict[str, list[str]]:
    return messages_of_the_source(ROOT)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated_with_the_same_places(language: Language) -> None:
    assert faults_of(read_source(language)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_files_are_what_the_source_says(
    language: Language, found: dict[str, list[str]]
) -> None:
    updated = updated_catalogue(language, found)
    stale = [path.name for path, made in files_of(language, updated).items()
             if path.read_bytes() != made]  # fmt: skip
    assert not stale, "run: python -m recon3d.language"


def test_a_message_that_is_missing_or_has_other_places_is_a_fault() -> None:
    catalogue = updated_catalogue("de", {"{count} photos": ["a.py"], "{name} is gone": ["a.py"]})
    for message in catalogue:
        if message.id == "{name} is gone":
            message.string = "{datei} fehlt"
        elif message.id:
            message.string = ""
    assert [fault.split(":")[0] for fault in faults_of(catalogue)] == [
        "not translated",
        "other places",
    ]


def test_only_training_is_left_in_english() -> None:
    files = [
        path
        for path in (ROOT / "recon3d").rglob("*.py")
        if path.relative_to(ROOT).as_posix().startswith(IN_ENGLISH)
    ]
    assert 0 < len(files) <= _FILES_IN_ENGLISH


def test_each_case_of_a_sentence_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "recon3d").mkdir()
    (tmp_path / "recon3d" / "a.py").write_text(
        '"""Not for people: a docstring."""\n'
        "def say(count, files):\n"
        "    return f\"{count} photo{'s' if count > 1 else ''} of {len(files):,} left out\"\n"
        "def fail():\n"
        '    raise ValueError("a mistake of ours")\n',
        encoding="utf-8",
    )
    assert sorted(messages_of_the_source(tmp_path)) == [
        "{count} photo of {files_count:,} left out",
        "{count} photos of {files_count:,} left out",
    ]


def test_texts_of_pages_are_messages_in_every_case() -> None:
    page = (
        '<p class="x {{ kind }}">{{ n }} of {{ m }} {{ "done" if a else "worked" }}'
        "{% if b %}, {{ f }} failed{% endif %}</p><style>.a { b: c; }</style>"
    )
    assert sorted(messages_of_page(page)) == [
        "{n} of {m} done",
        "{n} of {m} done, {f} failed",
        "{n} of {m} worked",
        "{n} of {m} worked, {f} failed",
    ]
