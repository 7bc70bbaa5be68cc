"""The window's heart, without the window."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from recon3d_gui import arrivals
from recon3d_gui import dialogs as dialogs_module
from recon3d_gui.dialogs import Dialogs, Question, native_command
from recon3d_gui.job.controller import JobController
from recon3d_gui.job.costs import Costs
from recon3d_gui.job.state import RunEnded
from recon3d_gui.paste import paths_in
from recon3d_gui.project.example import take_example
from recon3d_gui.project.preferences import Preferences
from recon3d_gui.studio import Studio

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def studio(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    for kind in ("CONFIG", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    monkeypatch.setenv("HOME", str(tmp_path))

    def no_process() -> None:
        raise OSError("a test starts none")

    jobs = JobController(Costs(), process=no_process)  # type: ignore[arg-type]
    in_window = Dialogs(command=lambda question: None)
    studio = Studio(Preferences(), jobs=jobs, dialogs=in_window, now=clock)
    yield studio
    studio.close()


def wait(studio: Studio, until: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not until():
        assert time.monotonic() < end, studio.notices.shown
        studio.tick()
        time.sleep(0.01)


def test_dropped_files_are_taken_for_what_they_are(studio: Studio, tmp_path: Path) -> None:
    photo, camera, other = (tmp_path / name for name in ("ä 写.jpg", "K.json", "letter.docx"))
    shutil.copy(EXAMPLE / "ruin_00.jpg", photo)
    shutil.copy(EXAMPLE / "K.json", camera)
    other.write_bytes(b"PK")
    arrivals.drop(studio, [photo, camera, other])
    wait(studio, lambda: studio.project.intrinsics == camera)
    assert studio.project.sources == (photo,)
    assert any("letter.docx" in toast.text for toast in studio.notices.shown)


def test_what_is_no_camera_file_is_told_and_not_used(studio: Studio, tmp_path: Path) -> None:
    camera = tmp_path / "notes.json"
    camera.write_text('{"colour": "blue"}')
    arrivals.drop(studio, [camera])
    wait(studio, lambda: bool(studio.notices.shown))
    assert studio.project.intrinsics is None


def test_results_lie_beside_the_photos_until_there_are_some(studio: Studio, tmp_path: Path) -> None:
    first, second = tmp_path / "church", tmp_path / "tower"
    first.mkdir()
    second.mkdir()
    studio.change("Add photos", sources=(first,))
    assert studio.project.workspace == tmp_path / "church.recon3d"
    studio.change("Change photos", sources=(second,))
    assert studio.project.workspace == tmp_path / "tower.recon3d"
    ended = RunEnded("done", None, None, None, {"ingest": tmp_path / "ingest" / ("0" * 16)})  # type: ignore[arg-type]
    studio._run_ended(ended)
    studio.change("Change photos", sources=(first,))
    assert studio.project.workspace == tmp_path / "tower.recon3d"
    assert [run.reached for run in studio.project.runs] == [{"ingest": "0" * 16}]


def test_impossible_settings_are_told_and_leave_the_project_as_it_was(studio: Studio) -> None:
    before = studio.project
    studio.change("Change", changes={"mesh": {"faces": -5}})
    assert studio.project is before
    assert studio.notices.shown


def test_a_report_that_nothing_opens_is_told_with_its_place(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    report, model = tmp_path / "report.html", tmp_path / "model.glb"
    studio.open_file(report)
    wait(studio, lambda: any(str(report) in toast.text for toast in studio.notices.shown))
    studio.show_in_folder(model)
    wait(studio, lambda: any(str(model) in toast.text for toast in studio.notices.shown))
    if sys.platform == "linux":  # a desktop that has the program, which finds no other
        studio.notices.shown = []
        opener = tmp_path / "xdg-open"
        opener.write_text("#!/bin/sh\nexit 3\n")
        opener.chmod(0o755)
        studio.open_file(report)
        wait(studio, lambda: any(str(report) in toast.text for toast in studio.notices.shown))


def test_the_example_is_copied_to_where_results_may_lie_beside_it(
    studio: Studio, tmp_path: Path
) -> None:
    folder = take_example(tmp_path / "mine")
    assert len(list(folder.glob("*.jpg"))) == 24
    (folder / "ruin_00.jpg").write_bytes(b"mine")
    take_example(folder)
    assert (folder / "ruin_00.jpg").read_bytes() == b"mine"
    arrivals.try_example(studio)
    wait(studio, lambda: len(studio.photos.rows) == 24)
    assert EXAMPLE not in studio.project.sources
    assert studio.project.preset == "draft"


def test_undo_takes_back_and_says_what(studio: Studio) -> None:
    studio.change("Preset Draft", preset="draft")
    revision = studio.revision
    studio.undo()
    assert studio.project.preset == "balanced"
    assert studio.revision > revision
    assert studio.notices.shown[-1].text == "Undone: Preset Draft"
    studio.redo()
    assert studio.project.preset == "draft"


def test_toasts_go_by_themselves_and_the_same_one_is_shown_once(
    studio: Studio, clock: Clock
) -> None:
    studio.toast("Hello")
    studio.toast("Hello")
    studio.toast("This went wrong.", "bad")
    assert [toast.text for toast in studio.notices.shown] == ["Hello", "This went wrong."]
    clock.now = 6
    studio.tick()
    assert [toast.text for toast in studio.notices.shown] == ["This went wrong."]
    studio.notices.dismiss(studio.notices.shown[0])
    assert not studio.notices.shown


def test_a_start_without_a_process_fails_with_words(studio: Studio) -> None:
    studio.change("Add photos", sources=(EXAMPLE,))
    studio.start()
    assert studio.jobs.state == "idle"  # the photos are not found yet
    wait(studio, lambda: len(studio.photos.rows) == 24)
    studio.start()
    assert studio.jobs.state == "failed"
    assert studio.jobs.run.failure
    studio.tick()
    assert not studio.notices.shown  # the strip with the failure says it
    studio.tick()


def test_an_empty_folder_and_broken_photos_cannot_be_started(
    studio: Studio, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    studio.change("Add photos", sources=(folder,))
    wait(studio, lambda: studio.situation.headline == "No photos found")
    studio.start()
    assert studio.jobs.state == "idle"
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff no photo")
    studio.photos.refresh()
    wait(studio, lambda: studio.situation.headline == "Nothing to build from")
    assert not studio.situation.start.is_enabled
    (folder / "a.jpg").unlink()
    studio.photos.refresh()
    wait(studio, lambda: studio.situation.headline == "No photos found")
    shutil.copy(EXAMPLE / "ruin_00.jpg", folder)
    studio.watch(False)  # in the file manager
    studio.watch(True)
    wait(studio, lambda: studio.situation.start.is_enabled)


def test_a_project_is_saved_where_asked_and_opened_again(studio: Studio, tmp_path: Path) -> None:
    studio.change("Add photos", sources=(EXAMPLE,))
    studio.change("Preset Fine", preset="fine")
    studio.save()
    assert studio.dialogs.typed
    studio.dialogs.answer_typed([tmp_path / "my church"])
    studio.tick()
    file = tmp_path / "my church.r3d"
    assert studio.file == file
    studio.new()
    assert not studio.project.sources
    studio.open(file)
    wait(studio, lambda: studio.project.preset == "fine")
    assert studio.project.sources == (EXAMPLE,)
    assert studio.preferences.recent[0] == file


def test_a_project_that_cannot_be_opened_is_told_and_changes_nothing(
    studio: Studio, tmp_path: Path
) -> None:
    file = tmp_path / "torn.r3d"
    file.write_bytes(b"\x00\xff")
    before = studio.project
    studio.open(file)
    wait(studio, lambda: bool(studio.notices.shown))
    assert studio.project is before


# --- pasted text -------------------------------------------------------------------------------


def test_copied_files_are_found_in_what_file_managers_put_into_the_clipboard(
    tmp_path: Path,
) -> None:
    paths = [tmp_path / name for name in ("a b.jpg", "ü写.jpg")]
    for path in paths:
        path.touch()
    uris = "\n".join(path.as_uri() for path in paths)
    assert paths_in(f"copy\n{uris}") == paths
    assert paths_in(f'"{paths[0]}"\n{paths[1]}\n') == paths


def test_other_texts_are_no_paths(tmp_path: Path) -> None:
    assert paths_in("Dear reader,\nhow are you?") == []
    assert paths_in("relative.jpg") == []
    assert paths_in(str(tmp_path / "missing.jpg")) == []
    assert paths_in("~nobody-of-this-name/photo.jpg") == []
    assert paths_in("/" + "x" * 5000) == []


# --- dialogs -----------------------------------------------------------------------------------


def test_an_answer_of_the_dialog_arrives_when_polled(tmp_path: Path) -> None:
    script = "import sys; sys.stdout.buffer.write('/a b\\n/写\\n'.encode())"
    dialogs = Dialogs(command=lambda question: [sys.executable, "-c", script])
    taken: list[list[Path]] = []
    dialogs.ask(Question("files", "Add", taken.append))
    end = time.monotonic() + 10
    while not taken and time.monotonic() < end:
        dialogs.poll()
        time.sleep(0.01)
    assert taken == [[Path("/a b"), Path("/写")]]


def test_cancel_and_a_missing_dialog_do_nothing_but_ask_in_the_window() -> None:
    taken: list[list[Path]] = []
    question = Question("file", "Open", taken.append)
    cancelled = Dialogs(command=lambda question: [sys.executable, "-c", "raise SystemExit(1)"])
    cancelled.ask(question)
    assert cancelled._running
    cancelled._running.wait(10)
    time.sleep(0.05)
    cancelled.poll()
    missing = Dialogs(command=lambda question: ["/no/such/program"])
    missing.ask(question)
    assert missing.typed is question
    missing.answer_typed([])
    missing.poll()
    assert not taken


def test_texts_never_become_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    question = Question("save", "It's $(here); `now`", lambda paths: None, Path("/a'; rm x"))
    monkeypatch.setattr(dialogs_module.sys, "platform", "win32")
    command = native_command(question)
    assert command
    assert command[-2:] == ["'It''s $(here); `now`'", "'/a''; rm x'"]
    monkeypatch.setattr(dialogs_module.sys, "platform", "darwin")
    command = native_command(question)
    assert command
    assert command[-2:] == ["It's $(here); `now`", "a'; rm x"]
