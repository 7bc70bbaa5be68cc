"""Items of other runs are taken over where they were made from the same, and are whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recon3d.run.cost import Cost
from recon3d.run.manifest import claim, complete
from recon3d.run.reuse import take_over
from recon3d.run.task import CancelToken, Task, silent

TASK = Task("depth", silent, CancelToken())


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A finished folder with two items, and what they were made from."""
    folder = tmp_path / "depth" / ("a" * 16)
    folder.mkdir(parents=True)
    claim(folder, "depth", folder.name)
    take_over(folder, {"one": "of 1", "two": "of 2"}, TASK)
    for name in ("one", "two"):
        (folder / name).write_text(name)
    complete(folder, "depth", folder.name, Cost(0, 0, 0))
    return folder


def begun(earlier: Path) -> Path:
    folder = earlier.parent / f"{'b' * 16}.part"
    folder.mkdir()
    return folder


def test_what_was_made_from_the_same_is_taken_over_under_any_name(earlier: Path) -> None:
    folder = begun(earlier)
    taken = take_over(folder, {"1": "of 1", "two": "of something else"}, TASK)
    assert taken == {"1": earlier}
    assert (folder / "1").read_text() == "one"
    assert not (folder / "two").exists()


def test_files_in_folders_are_taken_over_and_notes_of_several_calls_add_up(earlier: Path) -> None:
    folder = begun(earlier)
    assert take_over(folder, {"deep/1": "of 1"}, TASK) == {"deep/1": earlier}
    assert (folder / "deep" / "1").read_text() == "one"
    take_over(folder, {"3": "of 3"}, TASK)
    claim(folder, "depth", "b" * 16)
    complete(folder, "depth", "b" * 16, Cost(0, 0, 0))
    shutil.rmtree(earlier)
    whole = folder.rename(folder.with_suffix(""))
    later = earlier.parent / "c"
    later.mkdir()
    assert take_over(later, {"x": "of 1"}, TASK) == {"x": whole}


def test_what_is_there_already_stays(earlier: Path) -> None:
    folder = begun(earlier)
    (folder / "one").write_text("mine")
    assert take_over(folder, {"one": "of 1"}, TASK) == {}
    assert (folder / "one").read_text() == "mine"


def test_a_damaged_file_or_folder_is_passed_by(earlier: Path) -> None:
    (earlier / "one").write_text("two")
    assert take_over(begun(earlier), {"one": "of 1", "two": "of 2"}, TASK) == {"two": earlier}
    for name in ("items.json", "manifest.json"):
        (earlier / name).write_text("{")
        (folder := earlier.parent / name).mkdir()
        assert take_over(folder, {"two": "of 2"}, TASK) == {}


def test_an_unfinished_folder_gives_nothing(earlier: Path) -> None:
    (earlier / "manifest.json").unlink()
    assert take_over(begun(earlier), {"one": "of 1"}, TASK) == {}
