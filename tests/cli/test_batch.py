"""`recon3d batch`: what is shown, exit codes, and processes that may die."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
from image_sets import save, scene

from recon3d.batch import jobs
from recon3d.cli import batch as command
from recon3d.cli import main
from recon3d.cli.batch import Batch
from recon3d.cli.perform import perform
from recon3d.cli.supervisor import Ending
from recon3d.core.errors import Cancelled, TooFewPhotosPlacedError
from recon3d.results import Until
from recon3d.run.task import CancelToken, Event

ROOT = Path(__file__).resolve().parents[2]
POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
Work = Callable[[CancelToken], int]


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """Three objects; the second is broken."""
    for name in ("jug", "pot", "vase"):
        for index in range(2):
            save(tmp_path / "in" / name / f"{index}.jpg", scene(size=(16, 12)))
    return tmp_path / "in"


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runs in this process that only pretend; what they were given, by object."""
    given: dict[str, Any] = {}

    def pretend(job: jobs.Job, listener: Any, cancel: CancelToken) -> None:
        given[job.name] = job
        listener(Event("stage_started", "pose"))
        job.workspace.mkdir(parents=True, exist_ok=True)
        failure = None
        if job.name == "pot":
            failure = TooFewPhotosPlacedError("Only 1 photo placed.", hint="Take more.")
        facts = {
            "failure": failure and {"message": str(failure)},
            "photos": [{"verdict": "used"}] * 2,
            "mesh": None if failure else {"faces": 12},
            "stages": {},
        }
        (job.workspace / "report.json").write_text(json.dumps(facts))
        if failure:
            raise failure

    def apart(work: Work) -> Ending:
        return Ending(work(CancelToken()), asked=False)

    monkeypatch.setattr(jobs.Job, "run", pretend)
    monkeypatch.setattr(command, "run_apart", apart)
    return given


def run(objects: Path, *, cancel: CancelToken | None = None, **options: Any) -> int:
    """The exit code; without parsing, which takes longer than all the rest."""
    return perform(Batch(parent=objects, output=out(objects), **options), cancel or CancelToken())


def out(objects: Path) -> Path:
    return objects.with_name("out")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_one_that_fails_does_not_stop_the_others_and_ends_with_1(
    objects: Path, stand_in: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(objects) == 1
    shown = capfd.readouterr()
    assert "Object 2 of 3: pot (2 photos)" in shown.err
    assert "2 more to do, less than a minute left" in shown.err
    assert "1 of 3 objects failed: pot." in shown.err
    assert "Only 1 photo placed. Take more." in shown.out
    assert str(out(objects) / "batch.html") in shown.out
    assert (out(objects) / "batch.csv").exists()


def test_all_that_work_end_with_0(objects: Path, stand_in: dict[str, Any]) -> None:
    for file in (objects / "pot").iterdir():
        file.unlink()
    (objects / "pot").rmdir()
    assert run(objects, quiet=True) == 0
    assert list(stand_in) == ["jug", "vase"]


def test_settings_and_the_camera_go_to_every_object(
    objects: Path, stand_in: dict[str, Any], tmp_path: Path
) -> None:
    camera = objects / "vase" / "K.json"
    camera.write_text("{}")
    options = ["--format", "ply", "--format", "obj", "--faces", "7", "--depth-model", "multiview"]
    options += ["--marker-size", "0.05", "--intrinsics", "K.json", "--no-texture", "--quiet"]
    assert main(["batch", str(objects), "-o", str(tmp_path / "out"), *options]) == 1
    jug, vase = stand_in["jug"], stand_in["vase"]
    assert [model.name for model in jug.models] == ["jug.ply", "jug.obj"]
    assert (jug.config.mesh.faces, jug.config.depth.model) == (7, "multiview")
    assert jug.config.frame.marker_size == 0.05
    assert jug.until is Until.MESH
    assert (jug.inputs.intrinsics, vase.inputs.intrinsics) == (Path("K.json"), camera)


def test_programs_get_a_line_for_each_object_and_all_at_the_end(
    objects: Path, stand_in: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(objects, json=True) == 1
    told = lines(capfd.readouterr().out)
    assert [each["event"] for each in told] == [
        *["object_started", "stage_started", "object_finished"] * 3, "result", "error",
    ]  # fmt: skip
    assert told[0] == {
        "version": 1, "event": "object_started", "object": "jug", "number": 1, "total": 3,
        "photos": 2,
    }  # fmt: skip
    result = told[-2]
    assert [each["triangles"] for each in result["objects"]] == [12, None, 12]
    assert result["objects"][1]["error"] == "Only 1 photo placed."
    assert result["failed"] == 1


def test_a_process_that_dies_costs_its_object_only(
    objects: Path, stand_in: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = command.run_apart

    def apart(work: Any) -> Ending:
        name = work.args[0].name
        return Ending(-signal.SIGABRT, asked=False) if name == "jug" else alive(work)

    monkeypatch.setattr(command, "run_apart", apart)
    assert run(objects, quiet=True) == 1
    assert list(stand_in) == ["pot", "vase"]
    assert "A library crashed" in (tmp_path / "out" / "batch.csv").read_text("utf-8-sig")


def test_a_mistake_of_ours_costs_its_object_only(
    objects: Path, stand_in: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend = jobs.Job.run

    def wrong(job: jobs.Job, listener: Any, cancel: CancelToken) -> None:
        pretend(job, listener, cancel)
        if job.name == "jug":
            raise KeyError("x")

    monkeypatch.setattr(jobs.Job, "run", wrong)
    assert run(objects, quiet=True) == 1
    assert list(stand_in) == ["jug", "pot", "vase"]
    assert (tmp_path / "out" / "jug" / "jug.recon3d" / "recon3d-error.log").exists()


def test_a_stop_ends_with_130_and_shows_what_is_done(
    objects: Path,
    stand_in: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    alive = command.run_apart

    def apart(work: Any) -> Ending:
        return alive(work) if work.args[0].name == "jug" else Ending(-9, asked=True)

    monkeypatch.setattr(command, "run_apart", apart)
    assert main(["batch", str(objects), "-o", str(tmp_path / "out"), "--json"]) == 130
    told = lines(capfd.readouterr().out)
    assert [each["event"] for each in told[-2:]] == ["result", "cancelled"]
    assert [each["object"] for each in told[-2]["objects"]] == ["jug"]


@pytest.mark.parametrize("photos", [0, 2])
def test_a_folder_without_objects_ends_with_1_and_a_way_out(
    tmp_path: Path, photos: int, capfd: pytest.CaptureFixture[str]
) -> None:
    for index in range(photos):
        save(tmp_path / "in" / f"{index}.jpg", scene(size=(16, 12)))
    (tmp_path / "in").mkdir(exist_ok=True)
    assert run(tmp_path / "in") == 1
    said = capfd.readouterr().err
    assert ("Did you mean `recon3d mesh" if photos else "a folder of its own") in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_results_are_called_after_the_folder_by_default() -> None:
    assert Batch(parent=Path("somewhere/objects")).results == Path("objects.models")


# Watching


def test_a_watch_runs_what_comes_and_ends_as_a_batch_does_when_stopped(
    objects: Path,
    stand_in: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    calm = 0

    def sleep(seconds: float, cancel: CancelToken) -> None:
        nonlocal calm
        time.sleep(0.02)
        if set(stand_in) >= {"jug", "pot", "vase"} and not calm:
            save(objects / "late" / "0.jpg", scene(size=(16, 12)))
            calm = 1
        elif "late" in stand_in:
            calm += 1
            if calm > 5:
                cancel.cancel()

    monkeypatch.setattr(command, "_sleep", sleep)
    assert run(objects, watch=True, settle=0.1, json=True) == 1
    told = lines(capfd.readouterr().out)
    started = [each["object"] for each in told if each["event"] == "object_started"]
    assert started == ["jug", "pot", "vase", "late"], "each once"
    assert {"event": "object_waiting", "object": "late", "version": 1} in told
    assert [each["event"] for each in told].count("watching") == 1
    assert len(told[-2]["objects"]) == 4


def test_a_watch_that_is_stopped_in_its_work_ends_with_130(
    objects: Path, stand_in: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(job: jobs.Job, listener: Any, cancel: CancelToken) -> None:
        raise Cancelled

    monkeypatch.setattr(jobs.Job, "run", stopped)
    monkeypatch.setattr(command, "_POLL_SECONDS", 0.02)
    assert run(objects, watch=True, settle=0.01, quiet=True) == 130


def test_a_watch_cannot_wait_backwards(objects: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(objects, watch=True, settle=0.0) == 1
    assert "--settle" in capfd.readouterr().err


# The real thing


def tiny(example: Path, folder: Path, number: int) -> None:
    folder.mkdir(parents=True)
    for path in sorted(example.glob("*.jpg"))[:number]:
        picture = cv2.imread(str(path))
        cv2.imwrite(str(folder / path.name), cv2.resize(picture, None, fx=0.33, fy=0.33))


@POSIX_ONLY
@pytest.mark.slow
def test_a_real_batch_is_stopped_goes_on_and_keeps_what_is_done(
    tmp_path: Path, example: Path
) -> None:
    tiny(example, tmp_path / "in" / "ruin", 6)
    (tmp_path / "in" / "broken").mkdir()
    (tmp_path / "in" / "broken" / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    arguments = [sys.executable, "-m", "recon3d", "batch", "in", "-o", "out", "--json"]
    arguments += ["--preset", "draft", "--faces", "3000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            arguments, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    stopped = start()
    assert stopped.stdout
    for line in stopped.stdout:
        if json.loads(line).get("stage") == "depth":
            break
    # A thread, for a pipe that nobody reads would hold the process up.
    rest = threading.Thread(target=stopped.stdout.read)
    rest.start()
    asked = time.monotonic()
    os.killpg(stopped.pid, signal.SIGINT)
    assert stopped.wait(30) == 130
    assert time.monotonic() - asked < 5
    rest.join()
    with contextlib.closing(stopped.stdout):
        pass

    again = start()
    told = lines(again.communicate(timeout=300)[0])
    assert again.returncode == 1
    assert ("stage_cached", "pose") in [(each["event"], each.get("stage")) for each in told]
    broken, ruin = told[-2]["objects"]
    assert "a.jpg" in broken["error"]
    assert (ruin["placed"], ruin["error"]) == (6, "")
    assert (tmp_path / "out" / "ruin" / "ruin.glb").stat().st_size > 10_000
    page = (tmp_path / "out" / "batch.html").read_text(encoding="utf-8")
    assert 'href="ruin/ruin.recon3d/report.html"' in page
    assert 'src="data:image/jpeg' in page

    made = (tmp_path / "out" / "ruin" / "ruin.glb").stat().st_mtime_ns
    third = lines(start().communicate(timeout=60)[0])
    assert third[-2]["objects"][1]["kept"]
    assert not [each for each in third if each["event"] == "stage_cached"]
    assert (tmp_path / "out" / "ruin" / "ruin.glb").stat().st_mtime_ns == made
