"""The catalogues hold every message of the source, translated, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from recon3d.language.__main__ import ROOT, faults_of, files_of, read_source, updated_catalogue
from recon3d.language.catalogue import catalogue
from recon3d.language.choice import Language
from recon3d.language.extracting import IN_ENGLISH, messages_of_the_source
from recon3d.language.page_messages import messages_of_page
from recon3d.language.templates import Place, parts_of

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


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_with_values_is_told_from_all_others(language: Language) -> None:
    words = catalogue(language)
    assert words is not None
    lost = []
    for message in filter(lambda message: message.id, read_source(language)):
        parts, translated = parts_of(str(message.id)), parts_of(str(message.string))
        places = [part for part in parts if isinstance(part, Place)]
        # Two words each, as a name may have: places side by side would not be told apart.
        values = {
            place.name: f"{number}" if place.is_number else f"№{number} №{number}"
            for number, place in enumerate(places, start=12)
        }
        english, wanted = (
            "".join(part if isinstance(part, str) else values[part.name] for part in each)
            for each in (parts, translated)
        )
        if words.translate(english) != wanted:
            lost.append(message.id)
    assert lost == []


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


def test_what_work_says_of_itself_and_what_is_marked_is_a_message_however_short(
    tmp_path: Path,
) -> None:
    (tmp_path / "recon3d" / "cli").mkdir(parents=True)
    (tmp_path / "recon3d" / "cli" / "a.py").write_text(
        "def work(task, key, angle, ups, path):\n"
        '    task.step(1, 2, "looking")\n'
        '    task.step(1, 2, f"lens {key}")\n'
        '    Link("seal", work, "holes")\n'
        '    word(f"up ± {angle:.1f}° ({ups})")\n'
        '    return f"Written:  {path}", "seal", f"{key}: {angle}"\n',
        encoding="utf-8",
    )
    assert sorted(messages_of_the_source(tmp_path)) == [
        "Written:", "holes", "lens {key}", "looking", "seal", "up ± {angle:.1f}° ({ups})",
    ]  # fmt: skip


def test_what_is_wrong_with_a_persons_file_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "recon3d" / "photos").mkdir(parents=True)
    said = (
        "def read(name, value):\n"
        '    raise ValueError(f"{name} is {value}, not a number")\n'
        "def check(name):\n"
        '    raise ValueError(f"name: got {name}, expected one of a few")\n'
    )
    (tmp_path / "recon3d" / "photos" / "a.py").write_text(said, encoding="utf-8")
    (tmp_path / "recon3d" / "b.py").write_text(said.replace("number", "list"), encoding="utf-8")
    assert [*messages_of_the_source(tmp_path)] == ["{name} is {value}, not a number"]


def test_what_macros_and_lists_show_is_a_message() -> None:
    page = (
        '{{ tile(1, "how far points miss") }}{{ tile(2, "focal length ± " ~ error ~ " px") }}'
        '{% for title in ("Photos left out", "used") %}<p>{{ title }}</p>{% endfor %}'
        '{% call seen("x") %}how far corners miss{% endcall %}'
        '<p>{{ "Camera %d of %d" | format(a, b) }}</p><p>{{ crs or "no system" }}</p>'
    )
    assert set(messages_of_page(page)) >= {
        "how far points miss", "focal length ± {error} px", "Photos left out",
        "how far corners miss", "Camera {a} of {b}", "no system",
    }  # fmt: skip


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
