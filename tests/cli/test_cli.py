"""The command line: help, exit codes, precedence, and a Ctrl-C that always works."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recon3d.cli import main
from recon3d.cli.commands import Mesh, parse
from recon3d.cli.display import JSON_VERSION, JsonLines, PlainLines, duration
from recon3d.cli.options import PhotoCommand
from recon3d.cli.perform import perform
from recon3d.cli.supervisor import GRACE_SECONDS
from recon3d.config import Config, preset
from recon3d.photos.mask_command import MaskCommand
from recon3d.run.manifest import claim
from recon3d.run.task import CancelToken, Event
from recon3d.surface.solid.solid import SolidConfig

ROOT = Path(__file__).resolve().parents[2]
POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


def mesh_command(*options: str) -> Mesh:
    command = parse(["mesh", "photos", *options])
    assert isinstance(command, Mesh)
    return command


def recon3d(*arguments: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "recon3d", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


# Help and usage


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["mesh", "poses", "depth", "fuse", "config", "doctor", "clean", "bench"]),
        (["mesh", "--help"], ["PHOTOS", "--intrinsics", "-o", "--preset", "--pose.features"]),
        (["clean", "--help"], ["--dry-run"]),
    ],
)
def test_help_names_everything(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert [word for word in words if word not in shown] == []


def test_help_explains_settings_in_the_words_of_the_config(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["mesh", "--help"])
    shown = re.sub(r"[\s│]+", " ", capsys.readouterr().out)
    assert "Same photos and same seed give the same cameras." in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["mesh"],
        ["mash", "photos"],
        ["mesh", "photos", "--no-such-option"],
        ["mesh", "photos", "--pose.seed", "x"],
        ["mesh", "photos", "--preset", "ugly"],
        ["mesh", "photos", "--json", "--quiet"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Traceback" not in "".join(capsys.readouterr())


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"recon3d \S+\n", capsys.readouterr().out)


# Settings


def test_options_outrank_the_file_which_outranks_the_preset(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[mesh]\nfaces = 1\n[pose]\nfeatures = 1234\n")
    options = ["--preset", "draft", "--config", str(path), "--mesh.faces", "2"]
    config = mesh_command(*options).effective
    assert config.mesh.faces == 2
    assert config.pose.features == 1234
    assert config.pose.feature_px == preset("draft").pose.feature_px
    assert config.pose.neighbours == Config().pose.neighbours


def test_preset_and_file_may_come_anywhere_and_with_an_equals_sign(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[mesh]\nfaces = 1\n")
    command = parse(["mesh", f"--config={path}", "photos", "--preset=fine"])
    assert isinstance(command, PhotoCommand)
    assert command.effective.mesh.faces == 1
    assert command.effective.depth == preset("fine").depth


def test_short_options_mean_the_settings_they_stand_for() -> None:
    assert not mesh_command().effective.solid.watertight
    assert mesh_command("--watertight").effective.solid == SolidConfig(watertight=True)
    solid = mesh_command("--base", "plate").effective.solid
    assert solid == SolidConfig(watertight=True, base="plate")
    config = mesh_command("--faces", "7", "--surface", "poisson").effective
    assert config.mesh.faces == 7
    assert config.fuse.surface == "poisson"


def test_masks_are_a_folder_or_found_or_made_by_a_program() -> None:
    assert mesh_command("--masks", "cut").inputs.masks == Path("cut")
    assert not mesh_command("--masks", "cut").effective.masks.auto
    found = mesh_command("--masks", "auto")
    assert found.inputs.masks is None
    assert found.effective.masks.auto
    assert mesh_command("--masks", "./auto").inputs.masks == Path("auto")
    tool = f"'{sys.executable}' cut.py {{photo}} {{mask}}"
    made = mesh_command("--mask-command", tool, "--mask-timeout", "7").inputs.mask_command
    assert made == MaskCommand(command=tool, timeout_s=7.0)


@pytest.mark.parametrize("arguments", [["--pose.features", "-5"], ["--workers", "-1"]])
def test_impossible_values_end_with_1_and_name_the_setting(
    arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["mesh", str(tmp_path), "-o", str(tmp_path / "x.ply"), *arguments]) == 1
    assert arguments[0].split(".")[-1].strip("-") in capfd.readouterr().err


def test_config_prints_what_config_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "--preset", "fine", "--pose.seed", "9"]) == 0
    path = tmp_path / "settings.toml"
    path.write_text(capsys.readouterr().out)
    fine = mesh_command("--preset", "fine", "--pose.seed", "9").effective
    assert mesh_command("--config", str(path)).effective == fine


def test_a_mistake_in_the_settings_file_ends_with_1_and_the_nearest_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[mesh]\nfaecs = 1\n")
    assert main(["mesh", "photos", "--config", str(path)]) == 1
    assert "mesh.faces" in capsys.readouterr().err


# Names of outputs and the workspace


def test_outputs_are_called_like_the_photos_and_the_workspace_like_the_output() -> None:
    command = parse(["mesh", "holiday.mp4"])
    assert isinstance(command, PhotoCommand)
    assert command.outputs.meshes == (Path("holiday.ply"),)
    assert command.workspace_folder == Path("holiday.recon3d")
    several = mesh_command("-o", "out/a.v2.ply", "-o", "out/b.glb")
    assert several.outputs.meshes == (Path("out/a.v2.ply"), Path("out/b.glb"))
    assert several.workspace_folder == Path("out/a.v2.recon3d")
    assert mesh_command("--workspace", "w").workspace_folder == Path("w")


def test_single_stages_have_outputs_of_their_own() -> None:
    poses = parse(["poses", "photos"])
    assert isinstance(poses, PhotoCommand)
    assert poses.outputs.transforms == Path("photos.poses/transforms.json")
    assert poses.workspace_folder == Path("photos.recon3d")
    depth = parse(["depth", "photos", "-o", "maps"])
    assert isinstance(depth, PhotoCommand)
    assert depth.outputs.depth_maps == Path("maps")


# Errors


def test_an_empty_folder_ends_with_1_a_reason_and_no_traceback(tmp_path: Path) -> None:
    empty = tmp_path / "leere Photos 写真"
    empty.mkdir()
    done = recon3d("mesh", empty, "-o", tmp_path / "x.ply")
    assert done.returncode == 1
    assert "Error:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.ply").exists()


def refused(folder: Path, *style: str) -> int:
    """The exit code of a run into a file of a kind that nobody writes."""
    return main(["mesh", str(folder), "-o", str(folder / "x.xyz"), *style])


def test_errors_are_json_for_programs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert refused(tmp_path, "--json") == 1
    last = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert last["event"] == "error"
    assert last["type"] == "OutputError"
    assert "x.xyz" in last["message"]
    assert last["hint"]


def test_an_unknown_extension_fails_before_any_work(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert refused(tmp_path) == 1
    assert ".ply" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_quiet_prints_errors_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert refused(tmp_path, "--quiet") == 1
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "x.xyz" in printed.err


# What is shown


def shown_json(capsys: pytest.CaptureFixture[str], *events: Event) -> list[dict[str, object]]:
    from rich.console import Console

    display = JsonLines(Console(stderr=True), sys.stdout)
    for event in events:
        display(event)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_json_lines_carry_version_and_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = shown_json(capsys, Event("progress", "depth", 3, 9, "Größe [1].jpg", 1.5, "w/d"))
    assert line == {
        "version": JSON_VERSION,
        "event": "progress",
        "stage": "depth",
        "done": 3,
        "total": 9,
        "note": "Größe [1].jpg",
        "seconds": 1.5,
        "folder": "w/d",
    }


def test_unknown_numbers_are_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = shown_json(capsys, Event("progress", "depth", seconds=float("nan")))
    assert line["seconds"] is None


def test_plain_lines_are_few(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    display = PlainLines(Console(stderr=True), sys.stdout)
    display(Event("stage_started", "depth"))
    for index in range(1000):
        display(Event("progress", "depth", index, 1000))
    display(Event("warning", "depth", note="[blur] a.jpg"))
    display(Event("stage_finished", "depth", seconds=61.0))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "Estimate depth ...",
        "Warning: [blur] a.jpg",
        "Estimate depth: done in 61 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (61, "61 s"), (119.7, "2 min 0 s"), (7262, "2 h 1 min")],
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert duration(seconds) == words


# Housekeeping


def test_clean_refuses_folders_that_are_not_workspaces(tmp_path: Path) -> None:
    (tmp_path / "a" / "0123456789abcdef").mkdir(parents=True)
    assert main(["clean", str(tmp_path), "--all"]) == 1
    assert (tmp_path / "a" / "0123456789abcdef").exists()
    assert not (tmp_path / ".lock").exists()


def test_clean_says_what_it_would_delete_and_then_does(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stale = tmp_path / "depth" / "0123456789abcdef.part"
    stale.mkdir(parents=True)
    (stale / "a.npy").write_bytes(b"x" * 2_500_000)
    claim(stale, "depth", "0123456789abcdef")
    (tmp_path / ".lock").touch()
    assert main(["clean", str(tmp_path), "--dry-run"]) == 0
    assert "Would free 2.5 MB" in capfd.readouterr().out
    assert stale.exists()
    assert main(["clean", str(tmp_path), "--json"]) == 0
    freed = json.loads(capfd.readouterr().out)
    assert freed["bytes"] == 2_500_000
    assert not stale.exists()


# Ctrl-C

SUPERVISED = """
import re, sys, time
from recon3d.cli.supervisor import run_apart

def polite(cancel):
    print("ready", flush=True)
    while not cancel.cancelled:
        time.sleep(0.01)
    return 130

def hog(cancel):
    "Holds Python's lock, as Poisson and decimation do: no other thread runs."
    print("ready", flush=True)
    re.fullmatch("(a+)+b", "a" * 60)
    return 0

def crash(cancel):
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
    return 0

if __name__ == "__main__":
    print(run_apart(globals()[sys.argv[1]], float(sys.argv[2])))
"""
LONG, SHORT = 60.0, 1.0
# Seconds. On a busy machine a few pass before two interpreters have ended; nothing that is to be
# told apart from that ends in less than LONG.
SOON = 20.0


def start_supervised(tmp_path: Path, work: str, grace: float = LONG) -> subprocess.Popen[str]:
    script = tmp_path / "supervised.py"
    script.write_text(SUPERVISED)
    process = subprocess.Popen(
        [sys.executable, str(script), work, str(grace)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    if work != "crash":
        assert process.stdout.readline() == "ready\n"
    return process


def wait_and_time(process: subprocess.Popen[str]) -> tuple[str, float]:
    start = time.monotonic()
    try:
        out, _ = process.communicate(timeout=2 * LONG)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return out, time.monotonic() - start


@POSIX_ONLY
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_lets_work_stop_by_itself(tmp_path: Path, signum: signal.Signals) -> None:
    process = start_supervised(tmp_path, "polite")
    os.killpg(process.pid, signum) if signum == signal.SIGINT else process.send_signal(signum)
    out, seconds = wait_and_time(process)
    assert out == "Ending(exitcode=130, asked=True)\n"
    assert seconds < SOON


@POSIX_ONLY
def test_ctrl_c_ends_work_that_holds_pythons_lock(tmp_path: Path) -> None:
    process = start_supervised(tmp_path, "hog", SHORT)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process
    out, seconds = wait_and_time(process)
    assert out == "Ending(exitcode=-9, asked=True)\n"
    assert SHORT / 2 < seconds < SOON


@POSIX_ONLY
def test_a_second_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    process = start_supervised(tmp_path, "hog")
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, seconds = wait_and_time(process)
    assert seconds < SOON


@POSIX_ONLY
def test_a_crash_is_told_from_a_cancel(tmp_path: Path) -> None:
    out, _ = wait_and_time(start_supervised(tmp_path, "crash"))
    assert out == "Ending(exitcode=-9, asked=False)\n"


@POSIX_ONLY
def test_work_does_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    process = start_supervised(tmp_path, "polite")
    process.kill()
    # The worker holds the other end of the pipe; its end is the end of the file.
    _, seconds = wait_and_time(process)
    assert seconds < SOON


@POSIX_ONLY
@pytest.mark.slow
def test_ctrl_c_ends_a_run_with_130_and_the_next_run_goes_on(tmp_path: Path, example: Path) -> None:
    photos = [str(path) for path in sorted(example.glob("*.jpg"))[:6]]
    arguments = [sys.executable, "-m", "recon3d", "poses", *photos, "--json"]
    arguments += ["-o", str(tmp_path / "cameras"), "--pose.feature-px", "800"]
    process = subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    for line in process.stdout:
        event = json.loads(line)
        assert event["event"] != "error", event
        if event["event"] == "progress" and event["stage"] == "pose":
            break
    os.killpg(process.pid, signal.SIGINT)
    out, seconds = wait_and_time(process)
    assert process.returncode == 130
    assert seconds < GRACE_SECONDS + SOON
    assert json.loads(out.splitlines()[-1]) == {"version": JSON_VERSION, "event": "cancelled"}
    assert not [path for path in (tmp_path / "cameras").rglob("*") if path.is_file()]
    again = recon3d(*arguments[3:])
    assert again.returncode == 0, again.stderr
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert ("stage_cached", "ingest") in [(e["event"], e.get("stage")) for e in events]
    assert events[-1]["event"] == "result"
    assert events[-1]["placed"] == events[-1]["given"]
    assert (tmp_path / "cameras" / "transforms.json").exists()


@pytest.mark.slow
def test_a_changed_setting_recomputes_what_depends_on_it_and_nothing_else(
    tmp_path: Path, example: Path
) -> None:
    photos = sorted(example.glob("*.jpg"))[4:12]

    def computed(*options: object) -> list[str]:
        arguments = ["mesh", *photos, "--preset", "draft", "--depth.resolution-px", "320"]
        outputs = ["-o", tmp_path / "é x.ply", "-o", tmp_path / "é x.glb"]
        done = recon3d(*arguments, *outputs, "--json", *options, timeout=900)
        assert done.returncode == 0, done.stdout
        events = [json.loads(line) for line in done.stdout.splitlines()]
        result = events[-1]
        assert result["event"] == "result"
        assert result["placed"] == result["given"]
        assert all(Path(path).stat().st_size > 10_000 for path in result["written"])
        return [event["stage"] for event in events if event["event"] == "stage_started"]

    last = ["mesh", "texture", "frame"]
    assert computed() == ["ingest", "pose", "depth", "refine", "fuse", *last]
    assert computed() == []
    assert computed("--faces", "5000") == last
    assert computed("--refine.min-views", "1") == ["refine", "fuse", *last]
    assert computed("--texture.size-px", "512") == ["texture"]
    assert computed("--export.texture-format", "png") == []
    assert computed("--workers", "1", "--frame.up", "none") == ["frame"]


def test_running_out_of_memory_is_not_called_a_mistake_in_the_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*_: object) -> None:
        raise MemoryError

    command: Any = SimpleNamespace(style="plain", run=run, log_folder=None)
    assert perform(command, CancelToken()) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "There is not enough free memory to go on." in told
    assert "Close other programs" in told
