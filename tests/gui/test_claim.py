"""Two windows on one project: the second one looks only, and says where the first is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from recon3d_gui.job.controller import JobController
from recon3d_gui.job.costs import Costs
from recon3d_gui.project.claim import Claim
from recon3d_gui.project.file import read_project
from recon3d_gui.project.preferences import Preferences
from recon3d_gui.studio import Studio

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_place_is_held_by_one_and_free_when_that_one_lets_go(tmp_path: Path) -> None:
    clock = Clock()
    first, second = Claim(tmp_path / "marks", clock), Claim(tmp_path / "marks", clock)
    place, other = tmp_path / "a.recon3d", tmp_path / "b.recon3d"
    assert not first.want(place)
    assert not first.elsewhere
    assert not second.want(place)
    assert f"Process {os.getpid()}" in second.elsewhere
    assert not place.exists()  # nothing is left beside the photos
    second.want(other)
    assert not second.elsewhere
    second.want(place, other)
    assert second.elsewhere
    clock.now = 1.0
    first.release()
    assert not second.want(place, other)  # not asked again yet
    clock.now = 3.0
    assert second.want(place, other)
    assert not second.elsewhere
    first.want(other)
    assert first.elsewhere


def test_a_half_taken_claim_holds_nothing(tmp_path: Path) -> None:
    first, second, third = (Claim(tmp_path / "marks") for _ in range(3))
    workspace, file = tmp_path / "a.recon3d", tmp_path / "a.r3d"
    first.want(file)
    second.want(workspace, file)
    assert second.elsewhere
    third.want(workspace)
    assert not third.elsewhere


def test_a_program_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from recon3d_gui.project.claim import Claim; "
        "claim = Claim(Path(sys.argv[1])); claim.want(Path(sys.argv[2])); print('held', flush=True)"
        "; time.sleep(60)"
    )
    marks, place = tmp_path / "marks", tmp_path / "a.recon3d"
    command = [sys.executable, "-c", code, str(marks), str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        claim = Claim(marks)
        claim.want(place)
        assert str(other.pid) in claim.elsewhere
        other.kill()
    later = Claim(marks)
    later.want(place)
    assert not later.elsewhere


def test_a_home_that_cannot_be_written_locks_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "marks").write_text("no folder")
    claim = Claim(tmp_path / "marks")
    claim.want(tmp_path / "a.recon3d")
    assert not claim.elsewhere


@pytest.fixture
def open_studio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[[], Studio]:
    for kind in ("CONFIG", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    monkeypatch.setenv("HOME", str(tmp_path))

    def no_process() -> None:
        raise OSError("a test starts none")

    def make() -> Studio:
        jobs = JobController(Costs(), process=no_process)  # type: ignore[arg-type]
        studio = Studio(Preferences(), jobs=jobs)
        request.addfinalizer(studio.close)
        return studio

    return make


def test_the_second_window_neither_computes_nor_saves(
    open_studio: Callable[[], Studio], tmp_path: Path
) -> None:
    first, second = open_studio(), open_studio()
    file = tmp_path / "church.r3d"
    for studio in (first, second):
        studio.change("Add photos", sources=(EXAMPLE,), workspace=tmp_path / "church.recon3d")
    first._save(file)
    first.tick()
    second._autosave.save_as(tmp_path / "other.r3d", second.project)
    second._autosave._file = file  # as if it had opened the same
    second.tick()
    now = second.situation
    assert now.headline == "Open in another window"
    assert not now.start.is_enabled
    second.start()
    assert second.jobs.state == "idle"
    second.change("Preset Fine", preset="fine")
    second.save()
    second.tick()
    second.new()
    assert read_project(file).project.preset == "balanced"
    first.tick()
    assert not first._claim.elsewhere
