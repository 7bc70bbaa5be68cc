"""Settings: presets, TOML, and what is refused."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, Field, asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon3d.config import Config, Preset, field_docs, preset, read_config, to_toml, updated
from recon3d.core.errors import ConfigError

PRESETS = [preset(name) for name in get_args(Preset)]
STAGES = [(stage.name, type(getattr(Config(), stage.name))) for stage in fields(Config)]
SETTINGS = [(stage, setting) for stage, kind in STAGES for setting in fields(kind)]
QUANTITIES = [
    (stage, setting)
    for stage, setting in SETTINGS
    if isinstance(setting.default, int | float) and not isinstance(setting.default, bool)
]


def is_float(stage: str, setting: Field[Any]) -> bool:
    return get_type_hints(dict(STAGES)[stage])[setting.name] is float


def stays_valid(draw: st.DrawFn, stage: Any, setting: Field[Any]) -> Any:
    """The setting's default, or a value near it that every range allows."""
    hint = get_type_hints(type(stage))[setting.name]
    default = getattr(stage, setting.name)
    if setting.name == "crop":
        return draw(st.sampled_from([None, (-1.0, -2.0, 0.0, 1.0, 2.5, 3.0)]))
    if get_args(hint):
        return draw(st.sampled_from([choice for choice in get_args(hint) if choice]))
    if hint is str:
        return draw(st.sampled_from([default, 'it\'s "quoted"', "ümläut / 日本", "a\\b\nc"]))
    if isinstance(default, bool):
        return draw(st.booleans())
    if default <= 0:
        return default
    return type(default)(default * draw(st.floats(1.0, 1.3)))


@st.composite
def changes(draw: st.DrawFn) -> tuple[Config, dict[str, dict[str, Any]]]:
    """A preset, and for each of its settings a value.

    Not the config itself: shapes are checked as one is made, by samples at random, and nothing but
    Hypothesis may choose while an example is drawn.
    """
    base = draw(st.sampled_from(PRESETS))
    return base, {
        name: {s.name: stays_valid(draw, getattr(base, name), s) for s in fields(kind)}
        for name, kind in STAGES
    }


def changed(config: Config, values: dict[str, dict[str, Any]]) -> Config:
    """With all values that their stage allows."""
    for name, wanted in values.items():
        stage, allowed = getattr(config, name), {}
        for setting, value in wanted.items():
            try:
                replace(stage, **{setting: value})
            except ConfigError:
                continue
            allowed[setting] = value
        config = replace(config, **{name: replace(stage, **allowed)})
    return config


@settings(max_examples=15, deadline=None)
@given(drawn=changes())
def test_writing_and_reading_gives_the_same_settings(
    drawn: tuple[Config, dict[str, dict[str, Any]]],
) -> None:
    config = changed(*drawn)
    for comments in (True, False):
        text = to_toml(config, comments=comments)
        assert updated(Config(), tomllib.loads(text)) == config


def test_presets_differ_and_balanced_is_the_default() -> None:
    presets = [preset(name) for name in get_args(Preset)]
    assert preset("balanced") == Config()
    assert len({to_toml(config) for config in presets}) == 3


def test_unnamed_settings_keep_the_value_of_the_base(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[mesh]\nfaces = 5\n")
    config = read_config(path, preset("draft"))
    assert config.mesh.faces == 5
    assert config.depth == preset("draft").depth


def test_a_whole_number_for_a_decimal_one_is_the_same_setting() -> None:
    # Otherwise 1 and 1.0 would have different cache keys.
    config = updated(Config(), {"fuse": {"voxel_pixels": 2}})
    assert isinstance(config.fuse.voxel_pixels, float)


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ({"fuze": {}}, "no section fuze", "fuse"),
        ({"pose": {"feature": 3}}, "no setting pose.feature", "pose.features"),
        ({"pose": 3}, "must be a section", "[pose]"),
        ({"pose": {"seed": "x"}}, "pose.seed must be a whole number, got 'x'", ""),
        ({"pose": {"seed": True}}, "pose.seed must be a whole number, got True", ""),
        ({"pose": {"seed": 1.5}}, "pose.seed must be a whole number, got 1.5", ""),
        ({"fuse": {"surface": "box"}}, '"seen", "tsdf", "poisson"', ""),
        ({"fuse": {"voxel_pixels": []}}, "must be a number", ""),
    ],
)
def test_what_does_not_exist_or_fit_is_named(
    content: dict[str, object], message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        updated(Config(), content)
    assert message in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("content", ["[mesh", "\xff", ""])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "my settings.toml"
    if content:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"my settings\.toml"):
        read_config(path)


@pytest.mark.parametrize(("stage", "setting"), SETTINGS, ids=lambda x: getattr(x, "name", x))
def test_every_setting_is_explained_and_has_a_default(stage: str, setting: Field[Any]) -> None:
    explanation = field_docs(dict(STAGES)[stage]).get(setting.name, "")
    assert len(explanation.split()) >= 4
    assert setting.default is not MISSING or setting.default_factory is not MISSING
    # The command line and TOML can only say these.
    hint = get_type_hints(dict(STAGES)[stage])[setting.name]
    assert hint in (int, float, str, bool) or get_origin(hint) is not None


@pytest.mark.parametrize(("stage", "setting"), QUANTITIES, ids=lambda x: getattr(x, "name", x))
def test_impossible_numbers_are_refused(stage: str, setting: Field[Any]) -> None:
    for impossible in (
        [-1000.0, float("nan"), float("inf")] if is_float(stage, setting) else [-1000]
    ):
        with pytest.raises(ConfigError, match=setting.name):
            updated(Config(), {stage: {setting.name: impossible}})


def test_every_stage_is_a_frozen_keyword_only_dataclass() -> None:
    for name, kind in STAGES:
        assert is_dataclass(kind), name
        assert all(setting.kw_only for setting in fields(kind)), name
    assert asdict(Config())
