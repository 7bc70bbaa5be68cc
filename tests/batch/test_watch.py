"""Objects are run once their files have stopped changing, and never while they are copied."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recon3d.batch.watch import PATIENCE, Watcher


class Clock:
    """One that the test winds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Folder:
    """An object and its watcher, with files that are settled after 10 seconds."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path, self.clock = path, Clock()
        self._watcher = Watcher(10.0, self.clock)

    def write(self, name: str, text: str = "photo") -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def look(self, seconds_later: float = 0.0) -> str:
        self.clock.now += seconds_later
        due, changing = self._watcher.look({"vase": self.path})
        return "due" if due and self._watcher.claim("vase") else "changing" if changing else "rest"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "vase")


def test_files_are_run_once_when_they_have_settled(folder: Folder) -> None:
    assert folder.look() == "rest", "there is nothing yet"
    folder.write("a.jpg")
    assert folder.look() == "changing"
    assert folder.look(9.9) == "changing"
    assert folder.look(0.2) == "due"
    assert folder.look(60) == "rest"


def test_a_file_that_grows_starts_the_wait_again(folder: Folder) -> None:
    folder.write("a.jpg")
    folder.look()
    for size in range(1, 6):
        folder.write("a.jpg", "x" * 100 * size)
        assert folder.look(9) == "changing"
    assert folder.look(10) == "due"


def test_a_time_that_changes_counts_where_the_size_stays(folder: Folder) -> None:
    folder.write("a.jpg")
    folder.look()
    os.utime(folder.path / "a.jpg", ns=(1, 1))
    assert folder.look(11) == "changing"


def test_a_time_long_ago_is_no_proof_of_rest(folder: Folder) -> None:
    # cp -p sets the time of the original.
    folder.write("a.jpg")
    os.utime(folder.path / "a.jpg", (0, 0))
    assert folder.look() == "changing"


def test_photos_that_are_added_changed_or_taken_away_run_it_again(folder: Folder) -> None:
    folder.write("a.jpg")
    folder.look()
    assert folder.look(10) == "due"
    for change in (
        lambda: folder.write("below/b.jpg"),
        lambda: folder.write("a.jpg", "another"),
        lambda: (folder.path / "a.jpg").unlink(),
    ):
        change()
        assert folder.look() == "changing"
        assert folder.look(10) == "due"


def test_what_changes_during_the_run_runs_it_again(folder: Folder) -> None:
    folder.write("a.jpg")
    folder.look()
    assert folder.look(10) == "due"
    folder.write("b.jpg")  # while the object is at work
    assert folder.look(100) == "changing"
    assert folder.look(10) == "due"


def test_what_changes_while_others_are_run_is_not_run(tmp_path: Path) -> None:
    path, clock = tmp_path / "vase", Clock()
    path.mkdir()
    (path / "a.jpg").write_text("photo")
    watcher = Watcher(10.0, clock)
    watcher.look({"vase": path})
    clock.now = 10
    assert watcher.look({"vase": path}) == (["vase"], [])
    (path / "b.jpg").write_text("half")
    assert not watcher.claim("vase")
    clock.now = 3600
    assert watcher.look({"vase": path}) == ([], ["vase"])


@pytest.mark.parametrize(
    ("name", "text"), [(".a.jpg.Xy12z", "rsync"), ("b.jpg.part", "half"), ("b.jpg", "")]
)
def test_what_looks_half_copied_is_waited_for_but_not_for_ever(
    folder: Folder, name: str, text: str
) -> None:
    folder.write("a.jpg")
    folder.write(name, text)
    folder.look()
    if name.startswith("."):  # seen by its growth: what is hidden may be anything
        folder.write(name, text + "grows")
        assert folder.look(10) == "changing"
        return
    assert folder.look(10) == "changing"
    assert folder.look(10 * PATIENCE) == "due"


def test_workspaces_and_links_in_circles_do_not_matter(folder: Folder) -> None:
    folder.write("a.jpg")
    (folder.path / "loop").symlink_to(folder.path)
    folder.look()
    folder.write("x.recon3d/latest.json")
    assert folder.look(10) == "due"


def test_a_video_is_a_file_of_its_own(tmp_path: Path) -> None:
    film, clock = tmp_path / "walk.mp4", Clock()
    film.write_text("half")
    watcher = Watcher(10.0, clock)
    assert watcher.look({"walk": film}) == ([], ["walk"])
    film.write_text("whole film")
    clock.now = 10
    assert watcher.look({"walk": film}) == ([], ["walk"])
    clock.now = 20
    assert watcher.look({"walk": film}) == (["walk"], [])
    assert watcher.claim("walk")
    film.unlink()
    assert watcher.look({"walk": film}) == ([], [])
