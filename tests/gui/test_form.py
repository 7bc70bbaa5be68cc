"""The form of settings: complete, in plain words, and nothing impossible reaches a project."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recon3d_gui.project.form import (
    Setting,
    changed_settings,
    sections,
    setting,
    told_switch,
    without,
)
from recon3d_gui.project.numbers import read_number, read_whole, write_number
from recon3d_gui.project.project import Project
from recon3d_gui.project.words import SECTIONS

from recon3d.config import Config
from recon3d.core.errors import ConfigError

SETTINGS = [each for section in sections() for each in section.settings]
NUMBERS = [each for each in SETTINGS if each.kind in ("whole", "number")]


def project(**fields: Any) -> Project:
    return Project(workspace=Path("/a.recon3d"), **fields)


def test_every_setting_has_words_and_stands_in_the_form_once() -> None:
    known = [
        f"{stage.name}.{field.name}"
        for stage in fields(Config)
        for field in fields(getattr(Config(), stage.name))
    ]
    assert sorted(each.key for each in SETTINGS) == sorted(known)
    assert [section.title for section in sections()] == list(SECTIONS)


@pytest.mark.parametrize("each", SETTINGS, ids=lambda each: each.key)
def test_labels_are_short_and_plain_and_everything_is_explained(each: Setting) -> None:
    assert 2 <= len(each.words.label) <= 22
    assert "_" not in each.words.label
    assert len(each.explanation.split()) >= 4
    assert "\n" not in each.explanation
    assert each.key in each.tooltip


def test_only_a_few_settings_are_for_every_day() -> None:
    for section in sections():
        assert 1 <= sum(each.words.everyday for each in section.settings) <= 5, section.title


@pytest.mark.parametrize("each", SETTINGS, ids=lambda each: each.key)
def test_what_is_shown_can_be_typed_again(each: Setting) -> None:
    for preset in ("draft", "balanced", "fine"):
        value = each.value(project(preset=preset))
        if each.kind != "switch":
            assert each.read(each.text(value)) == value


@pytest.mark.parametrize("each", NUMBERS, ids=lambda each: each.key)
def test_numbers_have_ranges_and_what_lies_outside_is_told_at_the_field(each: Setting) -> None:
    assert each.allowed
    with pytest.raises(ConfigError, match=r"^Must be .*\d"):
        each.changes(project(), each.read("-7"))


def test_the_meaning_of_zero_has_a_word() -> None:
    smoothing, faces, size = map(setting, ("mesh.smoothing", "mesh.faces", "texture.size_px"))
    assert smoothing.text(-1) == "automatic"
    assert smoothing.text(0) == "0 passes"
    assert smoothing.read("3 passes") == smoothing.read("3") == 3
    assert faces.read("All") == 0
    assert faces.read("") == 0
    assert size.read("automatic") == 0
    with pytest.raises(ConfigError, match="256 to 16384, or automatic"):
        size.changes(project(), 3)


def test_a_change_of_a_field_is_a_change_of_the_project_until_it_is_taken_back() -> None:
    faces = setting("mesh.faces")
    first = project(changes={"frame": {"up": "+z"}})
    changed = project(changes=faces.changes(first, faces.read("12,000")))
    assert faces.is_changed(changed)
    assert changed.config.mesh.faces == 12_000
    assert [each.key for each in changed_settings(changed)] == ["mesh.faces", "frame.up"]
    assert without(changed, [faces]) == first.changes
    assert without(changed, changed_settings(changed)) == {}


def test_texts_are_refused_in_the_words_of_the_form() -> None:
    with pytest.raises(ConfigError, match=r"^Up is") as caught:
        setting("frame.up").changes(project(), "sideways")
    assert caught.value.hint
    with pytest.raises(ConfigError, match="Marker family is"):
        setting("frame.markers").changes(project(), "qr")


def test_a_box_is_six_numbers_or_none() -> None:
    crop = setting("mesh.crop")
    value = crop.read("-1 -2 0  1.5, 2; 3")
    assert value == (-1.0, -2.0, 0.0, 1.5, 2.0, 3.0)
    assert crop.read(crop.text(value)) == value
    assert crop.read("none") is None
    with pytest.raises(ConfigError, match="Six numbers"):
        crop.read("1 2 3")
    with pytest.raises(ConfigError, match="each minimum below"):
        crop.changes(project(), (1.0, 1.0, 1.0, 0.0, 0.0, 0.0))


def test_the_search_looks_at_labels_names_and_explanations() -> None:
    def found(query: str) -> set[str]:
        return {each.key for each in SETTINGS if each.matches(query)}

    assert "mesh.faces" in found("TRIANGLES")
    assert "mesh.faces" in found("decimate")
    assert found("mesh.faces") == {"mesh.faces"}
    assert "fuse.surface" in found("closed")
    assert found("triangles tooth") == set()
    assert len(found("")) == len(SETTINGS)


def test_switching_the_preset_tells_which_settings_it_does_not_decide() -> None:
    assert told_switch(project(), "fine") == ""
    own = project(changes={"mesh": {"faces": 100_000}, "frame": {"up": "+z"}})
    assert told_switch(own, "draft") == "What you have set stays: Up (+z)."
    assert "Triangles (100,000), Up (+z)" in told_switch(own, "fine")


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_exactly(number: float) -> None:
    assert read_number(write_number(number)) == number


@given(number=st.integers(-(2**50), 2**50))
def test_whole_numbers_come_back_exactly(number: int) -> None:
    assert read_whole(write_number(number)) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("300 000", 300_000), ("300.000", 300_000), ("1,000,000", 1_000_000), ("1’000", 1000)],
)
def test_whole_numbers_may_be_grouped_as_in_any_country(text: str, number: int) -> None:
    assert read_whole(text) == number


@pytest.mark.parametrize(
    ("text", "number"), [("1,5", 1.5), ("1.5", 1.5), ("-0,25", -0.25), ("1e-3", 0.001)]
)
def test_decimal_commas_are_understood(text: str, number: float) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize("text", ["", "many", "1.2.3", "nan", "inf", "1e999", "0x10", "1.5e"])
def test_what_is_no_number_is_told(text: str) -> None:
    for read in (read_number, read_whole):
        with pytest.raises(ConfigError, match="number"):
            read(text)
