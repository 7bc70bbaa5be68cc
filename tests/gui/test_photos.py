"""The photo list of the window, without the window."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photo_files import photo, wait_for
from recon3d_gui.photos.facts import PhotoFacts
from recon3d_gui.photos.latest import Latest
from recon3d_gui.photos.photo_list import PhotoList
from recon3d_gui.photos.rows import (
    Found,
    Order,
    PhotoRow,
    Placing,
    arrange,
    count_line,
    make_rows,
)
from recon3d_gui.photos.selection import PhotoSelection
from recon3d_gui.photos.sources import added, list_sources, removed
from recon3d_gui.photos.thumbnail_cache import ThumbnailCache
from recon3d_gui.photos.thumbnails import Thumbnails
from recon3d_gui.photos.verdicts import placings_of
from recon3d_gui.project.project import Project

from recon3d.core.camera import PinholeCamera
from recon3d.core.scene import PosedScene, SparsePoints, Verdict, View
from recon3d.core.transform import Rigid
from recon3d.photos.image_set_files import Item, write_image_set
from recon3d.run.files import write_json


class Window:
    """A project that is changed and told things as the studio does it."""

    def __init__(self, workspace: Path, cache: Path) -> None:
        self.project = Project(workspace=workspace)
        self.labels: list[str] = []
        self.told: list[str] = []
        self.reached: dict[str, Path] = {}
        self.photos = PhotoList(self._change, self._tell, Thumbnails(ThumbnailCache(cache).look_at))

    def settle(self) -> None:
        def settled() -> bool:
            self.photos.tick(self.project, self.reached)
            return not self.photos.is_busy

        settled()
        wait_for(settled)

    def _change(self, label: str, **fields: Any) -> None:
        self.labels.append(label)
        self.project = replace(self.project, **fields)
        self.photos.tick(self.project, self.reached)

    def _tell(self, text: str, kind: str, details: str) -> None:
        self.told.append(text)


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Window]:
    window = Window(tmp_path / "work.recon3d", tmp_path / "cache")
    window.settle()
    yield window
    window.photos.close()


# The list


def test_photos_are_listed_as_people_count_and_judged_before_any_run(
    window: Window, tmp_path: Path
) -> None:
    for number in (10, 9, 1):
        photo(tmp_path / "größer 写真" / f"{number}.jpg", number)
    (tmp_path / "größer 写真" / "5.jpg").write_bytes(b"no photo")
    window.photos.add([tmp_path / "größer 写真"])
    window.settle()
    rows = window.photos.rows
    assert [(row.id, row.state) for row in rows] == [
        ("1.jpg", "new"),
        ("5.jpg", "left out"),
        ("9.jpg", "new"),
        ("10.jpg", "new"),
    ]
    assert rows[1].reason == "it is not a photo"
    assert count_line(rows) == "4 photos, 1 left out"


def test_files_that_are_no_photos_are_told_and_the_others_added(
    window: Window, tmp_path: Path
) -> None:
    (tmp_path / "plan.pdf").touch()
    (tmp_path / "raw.CR2").touch()
    window.photos.add([tmp_path / "plan.pdf", photo(tmp_path / "a.jpg"), tmp_path / "raw.CR2"])
    window.settle()
    assert [row.id for row in window.photos.rows] == ["a.jpg"]
    (told,) = window.told
    assert told == "plan.pdf and 1 more could not be added: it is neither a photo nor a video."


def test_a_missing_folder_is_a_problem_in_words_not_a_crash(window: Window, tmp_path: Path) -> None:
    window.project = replace(window.project, sources=(tmp_path / "gone",))
    window.settle()
    assert window.photos.rows == ()
    assert "gone does not exist" in window.photos.problem


def test_masks_that_fit_no_photo_are_told_and_the_photos_still_shown(
    window: Window, tmp_path: Path
) -> None:
    photo(tmp_path / "photos" / "a.jpg")
    photo(tmp_path / "masks" / "b.png")
    window.project = replace(
        window.project, sources=(tmp_path / "photos",), masks=tmp_path / "masks"
    )
    window.settle()
    assert [row.id for row in window.photos.rows] == ["a.jpg"]
    assert "None of the masks" in window.told[0]


def test_one_step_excludes_many_and_the_same_key_includes_them_again(
    window: Window, tmp_path: Path
) -> None:
    for number in range(4):
        photo(tmp_path / "p" / f"{number}.jpg", number)
    window.photos.add([tmp_path / "p"])
    window.settle()
    window.labels.clear()
    window.photos.toggle(["0.jpg", "1.jpg"])
    assert window.labels == ["Exclude 2 photos"]
    assert count_line(window.photos.rows) == "4 photos, 2 excluded"
    window.photos.toggle(["0.jpg", "1.jpg"])
    assert window.project.excluded == frozenset()


def ingested(folder: Path, *items: Item) -> dict[str, Path]:
    """The folders that a run which took in these files has reached."""
    write_image_set(folder, items, sequential=False)
    write_json(folder / "manifest.json", {})
    return {"ingest": folder}


def taken_in(number: int, path: Path, reason: str = "") -> Item:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Item(number=number, id=path.name, path=str(path), sha256=digest, reason=reason)


def test_a_run_that_is_shown_gives_verdicts(window: Window, tmp_path: Path) -> None:
    files = [photo(tmp_path / "p" / f"{number}.jpg", number) for number in range(3)]
    window.photos.add([tmp_path / "p"])
    items = [taken_in(n, files[n], "it is blurred" if n else "") for n in range(2)]
    window.reached = ingested(tmp_path / "ingest", *items)
    window.settle()
    assert [row.state for row in window.photos.rows] == ["new", "left out", "new"]
    window.reached = {"ingest": tmp_path / "deleted"}
    window.settle()
    assert window.photos.rows[1].state == "new"


def test_verdicts_follow_the_content_of_a_photo_and_not_its_name(
    window: Window, tmp_path: Path
) -> None:
    folder = tmp_path / "p"
    files = [photo(folder / f"{number}.jpg", number) for number in range(3)]
    reached = ingested(
        tmp_path / "ingest", *(taken_in(n, path, f"reason {n}") for n, path in enumerate(files))
    )
    files[0].rename(folder / "holiday.jpg")
    photo(files[1], seed=9)  # another photo under the same name
    window.photos.add([folder])
    window.reached = reached
    window.settle()
    assert {row.id: row.reason for row in window.photos.rows} == {
        "1.jpg": "", "2.jpg": "reason 2", "holiday.jpg": "reason 0",
    }  # fmt: skip
    assert window.photos.of_run("0.jpg") == "holiday.jpg"
    files[2].rename(files[0])  # while the window is open
    window.photos.refresh()
    window.settle()
    assert {row.id: row.reason for row in window.photos.rows} == {
        "0.jpg": "reason 2", "1.jpg": "", "holiday.jpg": "reason 0",
    }  # fmt: skip


def test_a_photo_from_elsewhere_leaves_names_verdicts_and_choices_alone(
    window: Window, tmp_path: Path
) -> None:
    files = [photo(tmp_path / "church" / f"{number}.jpg", number) for number in range(3)]
    window.photos.add([tmp_path / "church"])
    window.settle()
    window.photos.exclude(["2.jpg"])
    window.reached = ingested(tmp_path / "ingest", taken_in(0, files[0], "it is blurred"))
    window.settle()
    before = window.photos.rows
    window.photos.add([photo(tmp_path / "other" / "0.jpg", 7)])
    window.settle()
    assert window.photos.rows[:3] == before
    assert [row.id for row in window.photos.rows[3:]] == ["other/0.jpg"]
    assert before[0].reason == "it is blurred"
    assert before[2].state == "excluded"
    window.photos.remove(["other/0.jpg"])
    window.settle()
    assert window.photos.rows == before


# Sources


def project(*sources: Path, excluded: frozenset[str] = frozenset()) -> Project:
    return Project(workspace=Path("w.recon3d"), sources=sources, excluded=excluded)


def test_excluded_photos_keep_their_meaning_when_a_second_folder_comes(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    photo(one / "a.jpg")
    photo(two / "a.jpg")
    both = added(project(one, excluded=frozenset({"a.jpg"})), [two])
    assert both.excluded == {"a.jpg"}
    files = list_sources(both.sources, None, None, both.named_below).files
    assert files == {"a.jpg": one / "a.jpg", "two/a.jpg": two / "a.jpg"}
    now = replace(project(*both.sources, excluded=both.excluded), named_below=both.named_below)
    back = removed(now, files, ["two/a.jpg"])
    assert (back.sources, back.excluded) == ((one,), {"a.jpg"})
    # Even when what gave them their names goes.
    left = removed(now, files, ["a.jpg"])
    assert (left.sources, left.named_below, left.excluded) == ((two,), one, frozenset())
    assert removed(now, files, ["a.jpg", "two/a.jpg"]).named_below is None


def test_folders_that_come_together_are_named_below_what_they_have_in_common(
    tmp_path: Path,
) -> None:
    for name in ("left/a.jpg", "right/a.jpg", "more/a.jpg"):
        photo(tmp_path / "rig" / name)
    pair = added(project(), [tmp_path / "rig" / "left", tmp_path / "rig" / "right"])
    assert list(list_sources(pair.sources, None, None, pair.named_below).files) == [
        "left/a.jpg",
        "right/a.jpg",
    ]


def test_part_of_a_folder_cannot_be_removed_but_single_files_can(tmp_path: Path) -> None:
    files = {name: photo(tmp_path / name) for name in ("in/a.jpg", "in/b.jpg", "alone.jpg")}
    sources = (tmp_path / "in", tmp_path / "alone.jpg")
    result = removed(project(*sources), files, ["in/a.jpg", "alone.jpg"])
    assert result.sources == (tmp_path / "in",)
    assert [path.name for path in result.refused] == ["a.jpg"]


def test_a_video_stays_alone(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    video = added(project(), [tmp_path / "a.mp4", tmp_path / "b.mp4"])
    assert video.sources == (tmp_path / "a.mp4",)
    assert "must be alone" in video.refused[tmp_path / "b.mp4"]
    photos = added(project(photo(tmp_path / "a.jpg")), [tmp_path / "a.mp4"])
    assert photos.sources == (tmp_path / "a.jpg",)


# Rows


def no_facts(path: Path) -> PhotoFacts | None:
    return None


def test_exclusion_by_the_user_outranks_the_verdict() -> None:
    found = Found(
        {"a": Verdict("a", False, "it is blurred", "Again."), "b": Verdict("b", True)}, {}
    )
    files = {name: Path(name) for name in "abc"}
    rows = make_rows(files, {"a"}, found, no_facts)
    assert [row.state for row in rows] == ["excluded", "used", "new"]
    rows = make_rows(files, frozenset(), found, no_facts)
    assert rows[0].sentence == "It is left out: it is blurred. Again."
    assert count_line(rows) == "1 of 3 used, 1 left out"


def test_a_video_gives_way_to_its_frames() -> None:
    frames = {f"frame-{n}.jpg": Path(f"album/{n}.jpg") for n in (2, 10)}
    (first, second) = make_rows(
        {"v.mp4": Path("v.mp4")}, {"frame-10.jpg"}, Found({}, frames), no_facts
    )
    assert (first.id, first.path, first.picture) == (
        "frame-2.jpg", Path("v.mp4"), Path("album/2.jpg"),
    )  # fmt: skip
    assert second.state == "excluded"


def test_the_blurred_come_first_and_the_unknown_last() -> None:
    facts = {"a": PhotoFacts(sharpness=0.5), "b": PhotoFacts(sharpness=0.1), "c": None}
    rows = [PhotoRow(name, Path(name), Path(name)) for name in "cab"]
    ordered = arrange(rows, "all", "sharpness", lambda path: facts[path.name])
    assert [row.id for row in ordered] == ["b", "a", "c"]


# Selection


def test_shift_selects_a_range_from_the_last_plain_click() -> None:
    selection, shown = PhotoSelection(), list("abcdef")
    selection.click("b", shown, shift=False, ctrl=False)
    selection.click("d", shown, shift=True, ctrl=False)
    assert selection.ids == set("bcd")
    selection.click("a", shown, shift=True, ctrl=False)
    assert selection.ids == set("ab")
    selection.click("f", shown, shift=False, ctrl=True)
    assert selection.ids == set("abf")
    selection.keep_only(list("bc"))
    assert (selection.ids, selection.current) == ({"b"}, None)


def test_arrow_keys_stop_at_the_ends_of_the_list() -> None:
    selection, shown = PhotoSelection(), list("abc")
    for step in (1, 1, 1, 1):
        selection.step(step, shown)
    assert selection.current == "c"
    selection.step(-5, shown)
    assert selection.ids == {"a"}


# Questions


def test_only_the_latest_question_is_answered_and_its_error_raised() -> None:
    questions: Latest[str] = Latest("test")
    gate = threading.Event()

    def slow() -> str:
        gate.wait(10)
        return "slow"

    questions.ask(slow)
    questions.ask(lambda: "quick")
    answers: list[str] = []
    wait_for(
        lambda: bool(answers.append(found) or True) if (found := questions.answer()) else False
    )
    gate.set()
    time.sleep(0.05)
    assert questions.answer() is None
    assert answers == ["quick"]
    questions.ask(lambda: str(1 / 0))
    with pytest.raises(ZeroDivisionError):
        wait_for(lambda: questions.answer() is not None)


def test_while_one_question_is_worked_on_only_the_latest_of_the_others_waits() -> None:
    questions: Latest[int] = Latest("test", most=1)
    gate, worked_on = threading.Event(), list[int]()

    def work(number: int) -> int:
        worked_on.append(number)
        gate.wait(10)
        return number

    for number in range(5):
        questions.ask(partial(work, number))
        wait_for(lambda: worked_on == [0])
    gate.set()
    answers: list[int] = []
    wait_for(lambda: (found := questions.answer()) is not None and not answers.append(found))
    assert (worked_on, answers) == ([0, 4], [4])


def test_photos_are_sorted_by_what_the_run_says_of_them_the_worst_first() -> None:
    held = {"a.jpg": Placing(900, 0.4), "b.jpg": Placing(40, 0.9), "c.jpg": Placing(300, 1.7)}
    verdicts = {name: Verdict(name, True) for name in held}
    verdicts["d.jpg"] = Verdict("d.jpg", False, "it overlaps with no other", "Take another.")
    files = {name: Path(name) for name in (*held, "d.jpg", "e.jpg")}
    rows = make_rows(files, frozenset(), Found(verdicts, {}, placings=held), no_facts)

    def names(order: Order) -> str:
        return "".join(row.id[0] for row in arrange(rows, "all", order, no_facts))

    assert names("points") == "bcade"
    assert names("error") == "cbade"
    assert names("verdict") == "deabc"

    def turned(order: Order) -> str:
        return "".join(r.id[0] for r in arrange(rows, "all", order, no_facts, is_reversed=True))

    # What was not placed is neither best nor worst.
    assert turned("points") == "acbde"
    assert turned("error") == "abcde"
    assert turned("name") == "edcba"
    assert "900 points, 0.40 px" in rows[0].sentence


def test_what_held_a_photo_is_counted_by_its_own_points() -> None:
    camera = PinholeCamera.centred(40, 30, 40.0)
    views = tuple(View(name, camera, Rigid.identity()) for name in ("a.jpg", "b.jpg", "c.jpg"))
    points = SparsePoints(
        np.zeros((3, 3)), np.zeros((3, 3), np.uint8), np.array([0.2, 0.4, 9.0]),
        np.array([[0, 0], [1, 0], [2, 0], [2, 1]]),
    )  # fmt: skip
    found = placings_of(PosedScene(views, points, "scene"))
    assert found["a.jpg"] == Placing(3, 0.4)
    assert found["b.jpg"] == Placing(1, 9.0)
    assert found["c.jpg"] == Placing(0, 0.0)


def test_the_head_of_a_table_sorts_and_turns_around_and_the_list_begins_anew(
    window: Window, tmp_path: Path
) -> None:
    photos = window.photos
    photos.sort_by("name")
    assert photos.is_reversed
    photos.sort_by("sharpness")
    assert (photos.order, photos.is_reversed) == ("sharpness", False)
    photos.sort_by("sharpness")
    assert photos.is_reversed
    photos.order = "sharpness"
    assert not photos.is_reversed
