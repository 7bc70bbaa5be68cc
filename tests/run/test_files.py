"""Writes that are whole or not there at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recon3d.core.errors import OutputError
from recon3d.run.files import FileMapping, atomic_files, atomic_path, write_json

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
