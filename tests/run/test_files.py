"""Writes that are whole or not there at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon3d.core.errors import OutputError
from recon3d.run.files import FileMapping, atomic_files, atomic_path, require_space, write_json

ROOT = Path(__file__).resolve().parents[2]


def test_an_existing_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "scene.ply"
    target.write_text("old")
    with atomic_path(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "scene.ply"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_temporary_name_keeps_the_suffix_that_decides_the_format(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "böse szene.v2.ply") as part:
        assert part.suffix == ".ply"
        part.touch()


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_json(tmp_path / "a" / "b" / "c.json", {"x": 1})
    assert (tmp_path / "a" / "b" / "c.json").read_text() == '{\n "x": 1\n}\n'


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"in the way|is a file"):
        write_json(tmp_path / "file" / "c.json", {})


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "scene.json").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        write_json(tmp_path / "scene.json", {})
    assert list(tmp_path.iterdir()) == [tmp_path / "scene.json"]


@pytest.mark.skipif(not Path("/sys/kernel").exists(), reason="needs a place closed even to root")
def test_a_place_that_cannot_be_written_is_named() -> None:
    with pytest.raises(OutputError, match=r"Cannot write /sys/scene\.json: .*(may not|read-only)"):
        write_json(Path("/sys/scene.json"), {})


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on file sizes")
def test_a_disk_that_takes_no_more_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "scene.json"
    write_json(target, {"old": 1})
    code = f"""
import resource
from pathlib import Path
from recon3d.core.errors import OutputError
from recon3d.run.files import write_json
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_json(Path({str(target)!r}), {{"new": "x" * 100_000}})
except OutputError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "too large for this disk" in done.stdout
    assert '"old"' in target.read_text()
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_run_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    # In a container the next run often has the same process number.
    leftover = tmp_path / f".{tmp_path.name}.{os.getpid()}.part"
    leftover.mkdir()
    (leftover / "half.glb").touch()
    (tmp_path / "mine.txt").touch()
    with atomic_files(tmp_path) as folder:
        (folder / "whole.glb").touch()
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt", "whole.glb"}


def test_a_file_mapping_reads_when_asked_and_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("first")
    mapping = FileMapping({"a": tmp_path / "a.txt"}, lambda path: path.read_text())
    assert mapping["a"] == "first"
    (tmp_path / "a.txt").write_text("second")
    assert mapping["a"] == "second"
    assert list(mapping) == ["a"]
    assert len(mapping) == 1
    with pytest.raises(KeyError):
        mapping["b"]


def test_a_path_that_is_no_utf_8_survives_in_json(tmp_path: Path) -> None:
    path = os.fsdecode(b"/photos/K\xfcche.jpg")
    write_json(tmp_path / "a.json", {"path": path, "ä": "ö"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"path": path, "ä": "ö"}
    assert "ä" in text


# What killed programs leave behind


def ended_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_what_a_killed_program_left_of_a_file_is_removed(tmp_path: Path) -> None:
    for pid in (ended_pid(), os.getpid(), 2**40):
        (tmp_path / f".scene.{pid}.part.ply").write_text("half")
    with atomic_path(tmp_path / "scene.ply") as part:
        part.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["scene.ply"]


def test_what_a_killed_program_left_of_a_folder_is_removed(tmp_path: Path) -> None:
    target = tmp_path / "blender"
    for home in (tmp_path, target):
        write_json(home / f".blender.{ended_pid()}.part" / "half.json", {})
        with atomic_files(target) as part:
            (part / "whole").touch()
    assert [path.name for path in target.iterdir()] == ["whole"]


def test_the_number_of_a_killed_program_may_be_anothers_by_now(tmp_path: Path) -> None:
    left = tmp_path / f".scene.{os.getppid()}.part.ply"
    left.write_text("half")
    os.utime(left, (1, 1))
    write = [sys.executable, "-c", WRITE_SCENE, str(tmp_path / "scene.ply")]
    subprocess.run(write, cwd=ROOT, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.ply"]


WRITE_SCENE = """
import sys
from pathlib import Path
from recon3d.run.files import atomic_path
with atomic_path(Path(sys.argv[1])) as part:
    part.touch()
"""


def test_others_temporary_files_stay(tmp_path: Path) -> None:
    left = [f".scene.{os.getpid()}.part.ply", ".scene.1.part.obj", ".scene.old.part.ply", "a.ply"]
    for name in left:
        (tmp_path / name).touch()  # the first is of a program that still runs, seen from another
    write = [sys.executable, "-c", WRITE_SCENE, str(tmp_path / "scene.ply")]
    subprocess.run(write, cwd=ROOT, check=True)
    assert {path.name for path in tmp_path.iterdir()} == {*left, "scene.ply"}


def test_a_name_of_the_longest_length_can_be_written(tmp_path: Path) -> None:
    for name in ("a" * 251 + ".ply", "ü" * 125 + ".ply"):
        with atomic_path(tmp_path / name) as part:
            part.touch()
        assert (tmp_path / name).exists()


# Full disks


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that takes 8 kB more, with a scene of 20 kB on it."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "none", str(place)]
    if sys.platform != "linux" or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root on Linux can make a small disk")
    try:
        (place / "scene.ply").write_bytes(b"o" * 20_000)
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def write_bytes(part: Path) -> None:
    part.write_bytes(b"n" * 20_000)


def write_picture(part: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(part, "PNG")


def write_arrays(part: Path) -> None:
    with part.open("wb") as stream:
        np.savez(stream, noise=np.random.default_rng(1).random(20_000))


def write_with_opencv(part: Path) -> None:
    import cv2

    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    if not cv2.imwrite(f"{part}.png", noise):
        raise RuntimeError("the library does not say why")


@pytest.mark.parametrize("write", [write_bytes, write_picture, write_arrays, write_with_opencv])
def test_a_full_disk_is_named_and_the_old_file_stays(
    full_disk: Path, write: Callable[[Path], None]
) -> None:
    target = full_disk / "scene.ply"
    with (
        pytest.raises(OutputError, match=r"scene\.ply: the disk is full"),
        atomic_path(target) as p,
    ):
        write(p)
    assert target.read_bytes() == b"o" * 20_000
    assert "scene.ply" in [path.name for path in full_disk.iterdir()]


def test_a_full_temporary_folder_is_named(
    full_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(full_disk))
    with (
        pytest.raises(OutputError, match=f"{full_disk}: the disk is full"),
        atomic_path(tmp_path / "scene.ply"),
    ):
        raise RuntimeError("no room")


def test_work_that_would_not_fit_is_refused(full_disk: Path) -> None:
    with pytest.raises(OutputError, match="about 5 MB are needed"):
        require_space(full_disk, 5_000_000)
    require_space(full_disk.parent, 5_000_000)


def test_an_error_on_a_disk_with_room_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="mine"), atomic_path(tmp_path / "scene.ply"):
        raise RuntimeError("mine")
