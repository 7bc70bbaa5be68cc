"""Projects of the desktop program: changing, undoing, and what their files survive."""

from __future__ import annotations

import math
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recon3d_gui.project.file import read_project, save_project
from recon3d_gui.project.history import History
from recon3d_gui.project.opening import new_project, title_of
from recon3d_gui.project.preferences import (
    Preferences,
    read_preferences,
    stepped_scale,
    write_preferences,
)
from recon3d_gui.project.project import Project, RunRecord
from recon3d_gui.project.runs import folders, with_run

from recon3d.core.errors import ConfigError, InputError, OutputError
from recon3d.language import speak

PLACE = Path("/pictures/Brücke 橋.recon3d")
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "mesh": st.fixed_dictionaries(
            {},
            optional={
                "faces": st.integers(0, 10**7),
                "crop": st.sampled_from([(0.0, 0.0, 0.0, 1.0, 1.5, 2.0)]),
                "region": st.sampled_from(["auto", "all"]),
            },
        ),
        "frame": st.fixed_dictionaries({"up": st.sampled_from(["auto", "none", "+z"])}),
        "texture": st.fixed_dictionaries({"seams": st.booleans()}),
        "fuse": st.fixed_dictionaries({"voxel_pixels": st.floats(0.1, 9.0)}),
    },
).map(lambda changes: {stage: changed for stage, changed in changes.items() if changed})
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=12
).filter(lambda name: name not in (".", ".."))
# Absolute and without "..", as `new_project` and file dialogs give them.
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: Path("/", *parts))
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    NAMES,
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4).map(tuple),
)
OFFSETS = st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))
RUNS = st.builds(
    RunRecord,
    name=NAMES,
    finished_at=st.datetimes(timezones=OFFSETS),
    preset=st.sampled_from(["draft", "balanced", "fine"]),
    changes=CHANGES,
    reached=st.dictionaries(
        st.sampled_from(["pose", "mesh", "level textures"]),
        st.text("0123456789abcdef", min_size=16, max_size=16),
    ),
)
# What a project is made of, not the project: its settings' shapes are checked as it is made, by
# samples at random, and nothing but Hypothesis may choose while an example is drawn.
FIELDS = st.builds(
    dict,
    sources=st.lists(PATHS, max_size=3).map(tuple),
    named_below=st.none() | PATHS,
    excluded=st.frozensets(NAMES, max_size=3),
    intrinsics=st.none() | PATHS,
    poses=st.none() | PATHS,
    masks=st.none() | PATHS,
    drawn_masks=st.none() | PATHS,
    sensor_depth=st.none() | PATHS,
    preset=st.sampled_from(["draft", "balanced", "fine"]),
    changes=CHANGES,
    device=st.sampled_from(["auto", "cpu", "cuda"]),
    workspace=PATHS,
    runs=st.lists(RUNS, max_size=2).map(tuple),
    view=st.dictionaries(st.text(string.ascii_letters + "_", min_size=1), VALUES, max_size=3),
)


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def project(**fields: Any) -> Project:
    return Project(workspace=PLACE, **fields)


def history(**fields: Any) -> tuple[History, Clock]:
    clock = Clock()
    return History(project(**fields), clock=clock), clock


def test_a_project_cannot_hold_an_impossible_setting() -> None:
    with pytest.raises(ConfigError, match="0 or more"):
        project(changes={"mesh": {"faces": -1}})
    with pytest.raises(ConfigError, match="0 or more"):
        project().changes_with("mesh", faces=-1)


def test_changes_that_say_what_the_preset_says_are_dropped() -> None:
    draft = project(preset="draft", changes={"mesh": {"smoothing": 3}, "frame": {"up": "+z"}})
    assert draft.changes_with("mesh", faces=7)["mesh"] == {"smoothing": 3, "faces": 7}
    assert draft.changes_with("mesh", faces=100_000) == draft.changes
    assert draft.changes_with("mesh", smoothing=-1) == {"frame": {"up": "+z"}}


def test_a_list_and_whole_numbers_become_what_the_setting_holds() -> None:
    crop = project().changes_with("mesh", crop=[0, 0, 0, 1, 1, 1])["mesh"]["crop"]  # type: ignore[arg-type]
    assert crop == (0.0, 0.0, 0.0, 1.0, 1.0, 1.0)
    assert isinstance(crop, tuple)
    assert all(isinstance(number, float) for number in crop)


def test_an_explicit_change_survives_switching_to_a_preset_that_says_the_same() -> None:
    draft = project(preset="draft", changes={"mesh": {"faces": 300_000}})
    fine = History(draft)
    fine.change("Balanced", preset="balanced")
    fine.change("Fine", preset="fine")
    assert fine.project.config.mesh.faces == 300_000


@settings(max_examples=60, deadline=None)
@given(
    changes=st.lists(
        st.tuples(
            st.sampled_from(["faces", "exclude", "undo", "redo", "view", "wait"]),
            st.integers(0, 4),
        ),
        max_size=25,
    )
)
def test_undoing_everything_and_redoing_everything_comes_back(
    changes: list[tuple[str, int]],
) -> None:
    past, clock = history()
    for kind, number in changes:
        if kind == "faces":
            past.change("Triangles", changes=past.project.changes_with("mesh", faces=number))
        elif kind == "exclude":
            past.change("Leave out", excluded=past.project.excluded ^ {f"{number}.jpg"})
        elif kind == "undo":
            past.undo()
        elif kind == "redo":
            past.redo()
        elif kind == "view":
            past.amend(view={"distance": float(number)})
        else:
            clock.now += 2
    while past.redo():
        pass
    latest, steps = past.project, 0
    while past.undo():
        steps += 1
    assert past.project == project(view=latest.view)
    while past.redo():
        steps -= 1
    assert past.project == latest
    assert steps == 0


def test_a_slider_that_is_dragged_is_one_step() -> None:
    past, clock = history()
    for faces in range(100, 200):
        past.change("Triangles", changes=past.project.changes_with("mesh", faces=faces))
        clock.now += 0.5
    past.undo()
    assert past.project == project()
    assert past.undo_label is None


def test_changes_a_while_apart_are_two_steps() -> None:
    past, clock = history()
    for faces in (1, 2):
        past.change("Triangles", changes={"mesh": {"faces": faces}})
        clock.now += 1.01
    past.undo()
    assert past.project.config.mesh.faces == 1


def test_photos_left_out_in_quick_succession_come_back_one_by_one() -> None:
    past, _ = history()
    for photo in "abc":
        past.change("Leave out photo", excluded=past.project.excluded | {photo})
    past.undo()
    assert past.project.excluded == {"a", "b"}


def test_a_slider_dragged_back_to_where_it_was_leaves_no_step() -> None:
    past, _ = history()
    past.change("Triangles", changes={"mesh": {"faces": 5}})
    past.change("Triangles", changes={})
    assert past.undo_label is None
    past.change("Triangles", changes={"mesh": {"faces": 6}})
    assert past.undo() == "Triangles"
    assert past.project == project()


def test_undo_keeps_runs_and_view() -> None:
    past, _ = history()
    past.change("Fine", preset="fine")
    past.amend(view={"distance": 3.0})
    past.undo()
    assert past.project.preset == "balanced"
    assert past.project.view == {"distance": 3.0}
    with pytest.raises(ValueError, match="preset"):
        past.amend(preset="draft")


def test_a_refused_change_leaves_everything_as_it_was() -> None:
    past, _ = history()
    with pytest.raises(ConfigError):
        past.change("Triangles", changes={"mesh": {"faces": -5}})
    assert past.project == project()
    assert past.undo_label is None


def test_a_new_change_ends_what_could_be_redone() -> None:
    past, _ = history()
    past.change("Fine", preset="fine")
    past.undo()
    past.change("Draft", preset="draft")
    assert past.redo_label is None


def test_only_so_many_steps_are_remembered() -> None:
    clock = Clock()
    past = History(project(), limit=3, clock=clock)
    for faces in range(10):
        past.change(f"To {faces}", changes={"mesh": {"faces": faces}})
    assert [past.undo() for _ in range(4)] == ["To 9", "To 8", "To 7", None]


@settings(max_examples=80, deadline=None)
@given(fields=FIELDS)
def test_a_file_gives_back_the_same_project(
    fields: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    written = Project(**fields)
    file = tmp_path_factory.mktemp("projects") / "Straße 道.r3d"
    save_project(written, file)
    opened = read_project(file)
    assert opened.project == written
    assert opened.notes == ()


def test_a_project_moved_together_with_its_photos_finds_them(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    written = Project(sources=(here / "photos",), workspace=here / "a.recon3d")
    save_project(written, here / "a.r3d")
    here.rename(there)
    opened = read_project(there / "a.r3d").project
    assert opened == Project(sources=(there / "photos",), workspace=there / "a.recon3d")


@pytest.mark.parametrize(
    "content",
    ["", "format = 1.5", "x", "\0", "[" * 100_000, "format = 'a'", '{"format": 1}', "\xff\xfe"],
)
def test_what_is_no_project_is_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "my project.r3d"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"my project\.r3d"):
        read_project(file)


def test_a_project_of_a_newer_version_says_so(tmp_path: Path) -> None:
    file = tmp_path / "a.r3d"
    file.write_text("format = 2\nnew = true\n")
    with pytest.raises(InputError, match="newer version") as caught:
        read_project(file)
    assert "Update" in caught.value.hint


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "a.r3d"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(InputError, match="too large"):
        read_project(file)


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("sources = 3", "sources"),
        ("sources = [3, '/a']", "one of sources"),
        ('sources = ["a\\u0000b"]', "one of sources"),
        ("preset = 'huge'", "preset"),
        ("device = ['cpu']", "device"),
        ("changes = 3", "changes"),
        ("changes = {mesh = 3}", "changes"),
        ("changes = {mesh = {faces = -3}}", "mesh.faces"),
        ("changes = {mesh = {crop = [1, 2]}}", "mesh.crop"),
        ("changes = {mesh = {faces = 1, sculpt = 3}}", "mesh.sculpt"),
        ("changes = {fuse = {voxel_pixels = inf}}", "fuse.voxel_pixels"),
        ("changes = {frame = {scale = 'x'}}", "frame.scale"),
        ("view = {a = nan}", "view"),
        ("view = {a = [1, 'x']}", "view"),
        ("runs = [{name = 'a'}]", "one of runs"),
        ("runs = {name = 'a'}", "one of runs"),
        ("surprise = 3", "surprise"),
        ("workspace = ''", "workspace"),
    ],
)
def test_a_damaged_field_costs_that_field_only(tmp_path: Path, line: str, note: str) -> None:
    file = tmp_path / "a.r3d"
    file.write_text(f"format = 1\nexcluded = ['kept.jpg']\n{line}\n")
    opened = read_project(file)
    assert opened.project.excluded == {"kept.jpg"}
    assert any(note in told for told in opened.notes), opened.notes


def test_run_records_cannot_lead_out_of_the_workspace(tmp_path: Path) -> None:
    file = tmp_path / "a.r3d"
    for stage, key in (("../..", "0" * 16), ("pose", "../../../etc/pass")):
        file.write_text(
            "format = 1\n[[runs]]\nname = 'a'\npreset = 'fine'\nchanges = {}\n"
            f"finished_at = 2030-01-01T00:00:00Z\nreached = {{'{stage}' = '{key}'}}\n"
        )
        assert read_project(file).project.runs == ()


@settings(max_examples=60, deadline=None)
@given(
    junk=st.recursive(
        VALUES | st.datetimes(timezones=st.just(UTC)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=6,
    ),
    name=st.sampled_from(
        ["sources", "excluded", "poses", "changes", "view", "runs", "preset", "workspace"]
    ),
)
def test_no_content_ends_in_anything_but_a_project(
    junk: Any, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import tomli_w

    file = tmp_path_factory.mktemp("junk") / "a.r3d"
    file.write_bytes(tomli_w.dumps({"format": 1, name: junk}).encode())
    opened = read_project(file)
    assert all(math.isfinite(v) for v in opened.project.view.values() if isinstance(v, float))


def test_names_that_no_file_can_hold_are_told_and_the_old_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.r3d"
    save_project(project(), file)
    before = file.read_bytes()
    with pytest.raises(OutputError, match="no computer can read"):
        save_project(project(sources=(Path("/bad\udcff.jpg"),)), file)
    assert file.read_bytes() == before


def test_times_of_runs_are_kept_to_the_microsecond(tmp_path: Path) -> None:
    finished_at = datetime(2030, 1, 2, 3, 4, 5, 678901, UTC)
    run = RunRecord(name="a", finished_at=finished_at, preset="fine", changes={}, reached={})
    save_project(project(runs=(run,)), tmp_path / "a.r3d")
    assert read_project(tmp_path / "a.r3d").project.runs == (run,)


def test_runs_are_numbered_and_a_repeated_one_takes_its_place(tmp_path: Path) -> None:
    now = project()
    first, second = ({"mesh": tmp_path / "mesh" / (digit * 16)} for digit in "ab")
    for day, reached in enumerate((first, second, first), start=1):
        now = replace(now, runs=with_run(now, now, reached, datetime(2030, 1, day, 12, tzinfo=UTC)))
    assert [run.name for run in now.runs] == ["Run 2", "Run 1"]
    assert now.runs[-1].finished_at.day == 3
    started = replace(now, preset="fine")
    assert with_run(now, started, {}, datetime.now(UTC))[-1].name == "Run 3"
    assert with_run(now, started, {}, datetime.now(UTC))[-1].preset == "fine"


def test_a_run_is_found_again_only_whole(tmp_path: Path) -> None:
    reached = {stage: tmp_path / stage / ("a" * 16) for stage in ("pose", "level textures")}
    (run,) = with_run(project(), project(), reached, datetime.now(UTC))
    for folder in reached.values():
        assert folders(run, tmp_path) == {}
        folder.mkdir(parents=True)
        (folder / "manifest.json").touch()
    assert folders(run, tmp_path) == reached


@pytest.mark.parametrize(
    ("files", "source", "title"),
    [
        ("church/1.jpg", "church", "church"),
        ("church/images/1.jpg", "church/images", "church"),
        ("church/DCIM/100CANON/1.jpg", "church/DCIM/100CANON", "church"),
        ("holiday/broken.jpg", "holiday/broken.jpg", "holiday"),
        ("clips/tower.mp4", "clips/tower.mp4", "tower"),
    ],
)
def test_a_project_is_called_what_people_would_call_it(
    files: str, source: str, title: str, tmp_path: Path
) -> None:
    (tmp_path / files).parent.mkdir(parents=True)
    (tmp_path / files).touch()
    assert title_of(new_project([tmp_path / source])) == title


def test_a_named_workspace_gives_its_name(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    project = replace(new_project([tmp_path / "images"]), workspace=tmp_path / "ruin.recon3d")
    assert title_of(project) == "ruin"
    assert title_of(new_project()) == "untitled"


def test_a_project_without_photos_has_no_name_in_any_language() -> None:
    speak("de")
    try:
        assert title_of(new_project()) == "unbenannt"
        assert new_project().workspace.stem == "untitled"
    finally:
        speak("en")


def test_text_grows_and_shrinks_in_steps_as_long_as_there_is_room() -> None:
    small, large = (1280, 720), (3840, 2160)
    grown = [1.0]
    while (scale := stepped_scale(grown[-1], 1, large)) != grown[-1]:
        grown.append(scale)
    assert grown == [1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0]
    assert stepped_scale(1.1, 1, small) == 1.1
    assert stepped_scale(1.25, -1, small) == 1.1
    assert stepped_scale(0.75, -1, small) == 0.75
    assert stepped_scale(1.33, 1, large) == 1.5  # what a screen has asked for
    assert stepped_scale(2.0, 0, small) == 1.1


def test_the_left_column_and_the_look_of_photos_are_remembered(tmp_path: Path) -> None:
    file = tmp_path / "window.toml"
    write_preferences(Preferences(left_width=500.0, photos_view="table"), file)
    known = read_preferences(file)
    assert (known.left_width, known.photos_view) == (500.0, "table")
    for text, width in (("9e9", 760.0), ("1", 320.0), ("nan", 372), ("'x'", 372), ("true", 372)):
        file.write_text(f"left_width = {text}\nphotos_view = 'spiral'\n")
        known = read_preferences(file)
        assert (known.left_width, known.photos_view) == (width, "list")
