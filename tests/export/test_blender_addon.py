"""The add-on for Blender, as far as it needs no Blender."""

from __future__ import annotations

import json
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from recon3d.cli import main
from recon3d.export.addon.background_run import BackgroundRun
from recon3d.export.blender_addon import write_addon


def background_run(code: str) -> BackgroundRun:
    return BackgroundRun([sys.executable, "-c", code])


def until_it_ends(run: BackgroundRun) -> BackgroundRun:
    end = time.monotonic() + 30
    while run.state == "running" and time.monotonic() < end:
        run.poll()
        time.sleep(0.01)
    return run


def says(*lines: dict[str, Any]) -> str:
    return "".join(f"print({json.dumps(json.dumps(line))}, flush=True)\n" for line in lines)


def test_progress_warnings_and_the_outcome_are_followed() -> None:
    code = says(
        {"event": "stage_started", "stage": "depth"},
        {"event": "progress", "stage": "depth", "done": 1, "total": 4, "note": "ä.jpg"},
        {"event": "warning", "note": "Only 3 photos."},
    )
    run = until_it_ends(background_run(code + "import time; time.sleep(0.5)\n"))
    assert (run.share, run.warnings) == (0.25, ["Only 3 photos."])
    # It ended without a word.
    assert run.state == "failed"
    done = until_it_ends(background_run(code + says({"event": "result", "faces": 1200})))
    assert (done.state, done.line, done.share) == ("done", "1,200 triangles", 1.0)


@pytest.mark.parametrize(
    ("last", "state", "words"),
    [
        ({"event": "error", "message": "No photo.", "hint": "Take some."}, "failed", "Take some."),
        ({"event": "cancelled"}, "stopped", "goes on from there"),
    ],
)
def test_errors_and_stops_are_told_in_words(last: dict[str, Any], state: str, words: str) -> None:
    run = until_it_ends(background_run(says(last)))
    assert run.state == state
    assert words in run.line


def test_what_a_program_said_before_it_died_is_shown() -> None:
    code = "import sys\nprint('not JSON')\nprint('[1]')\nsys.exit('no module named numpy')"
    run = until_it_ends(background_run(code))
    assert run.state == "failed"
    assert "code 1" in run.line
    assert "no module named numpy" in run.line
    assert "not JSON" in run.line


def test_a_run_that_is_stopped_ends() -> None:
    run = background_run("import time; time.sleep(60)")
    run.stop()
    assert until_it_ends(run).state == "failed"


def test_the_file_holds_all_that_blender_asks_for_and_is_the_same_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "to Blender.zip"
    assert main(["addon", "-o", str(target)]) == 0
    assert "Install from Disk" in capsys.readouterr().out
    with zipfile.ZipFile(target) as archive:
        names = {Path(name).name for name in archive.namelist()}
        command = json.loads(archive.read("recon3d_blender/command.json"))
    assert names == {
        "__init__.py",
        "background_run.py",
        "blender_manifest.toml",
        "command.json",
        "import_into_blender.py",
    }
    assert command == [sys.executable, "-m", "recon3d"]
    write_addon(tmp_path / "again.zip", command)
    assert (tmp_path / "again.zip").read_bytes() == target.read_bytes()
    assert main(["addon", "-o", str(tmp_path / "addon.txt")]) == 1
