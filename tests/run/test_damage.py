"""Workspaces that lost something: it is named, computed again, and nothing else is touched."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recon3d.core.errors import InputError, OutputError, WorkspaceBusyError
from recon3d.run.device import Runtime
from recon3d.run.files import atomic_path, write_json
from recon3d.run.notes import last_run
from recon3d.run.stage import Stage
from recon3d.run.task import CancelToken, Event, Task, silent
from recon3d.run.unused import unused_folders
from recon3d.run.workspace import DryRun, StageResult, open_workspace


@dataclass(frozen=True, kw_only=True)
class Knob:
    value: float = 1.0


class Items:
    """A stage of five items, each a text and a note; the note says that the item is done."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.made: list[int] = []
        self.told: list[str] = []

    def work(self, config: Knob, folder: Path, task: Task) -> None:
        for number in task.each(range(5), 5):
            note = folder / "notes" / f"{number}.json"
            if not note.exists():
                self.made.append(number)
                with atomic_path(folder / "texts" / f"{number}.txt") as part:
                    part.write_text(f"text {number}")
                write_json(note, {"number": number})
        write_json(folder / "scene.json", {"items": 5})

    @property
    def stage(self) -> Stage[str]:
        return Stage(name="depth", result="depth", version=1, run=self.work, read=read_texts)

    def run(self) -> StageResult[str]:
        self.made.clear()
        self.told.clear()

        def listen(event: Event) -> None:
            if event.kind == "warning":
                self.told.append(event.note)

        with open_workspace(self.root, listen, CancelToken()) as work:
            made = work.run(self.stage, Knob())
            work.remember_run({"depth": made})
        return made

    def forecast(self) -> list[str]:
        work = DryRun(self.root, silent, CancelToken(), Runtime())
        work.run(self.stage, Knob())
        return work.missing


def read_texts(folder: Path) -> str:
    return " ".join(path.read_text() for path in sorted((folder / "texts").iterdir()))


WHOLE = "text 0 text 1 text 2 text 3 text 4"


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "gone": Path.unlink,
    "flipped": flip_a_bit,
    "cut": cut_short,
    "empty": lambda path: path.write_bytes(b"") and None,
    "folder": replace_by_a_folder,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("name", ["texts/2.txt", "notes/2.json", "scene.json"])
def test_a_lost_file_is_named_and_made_again(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    items = Items(tmp_path)
    made = items.run()
    damage(made.folder / name)
    again = items.run()
    assert any(name in told for told in items.told)
    assert again.value == WHOLE
    assert not again.cached
    items.run()
    assert (items.made, items.told) == ([], [])


def test_whole_items_beside_a_lost_one_are_kept(tmp_path: Path) -> None:
    items = Items(tmp_path)
    folder = items.run().folder
    (folder / "notes" / "2.json").unlink()
    items.run()
    assert items.made == [2]


def test_what_an_interrupted_repair_has_left_is_made_again_too(tmp_path: Path) -> None:
    items = Items(tmp_path)
    (items.run().folder / "texts" / "2.txt").unlink()
    cancel = CancelToken()

    def stop_at_once(event: Event) -> None:
        if event.kind == "stage_started":
            cancel.cancel()

    with (
        pytest.raises(Exception),  # noqa: B017, PT011 - Cancelled is no ReconError
        open_workspace(tmp_path, stop_at_once, cancel) as work,
    ):
        work.run(items.stage, Knob())
    assert items.run().value == WHOLE


@pytest.mark.parametrize("damage", [cut_short, DAMAGES["empty"]])
def test_a_torn_item_of_an_interrupted_run_is_no_dead_end(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    def fail(config: Knob, folder: Path, task: Task) -> None:
        items.work(config, folder, task)
        raise RuntimeError

    def reads_its_items(config: Knob, folder: Path, task: Task) -> None:
        for note in (folder / "notes").glob("*.json"):
            json.loads(note.read_text())
        items.work(config, folder, task)

    def run(work: Callable[[Knob, Path, Task], None]) -> StageResult[str]:
        stage = Stage(name="depth", result="depth", version=1, run=work, read=read_texts)
        with open_workspace(tmp_path, lambda event: told.append(event.note), CancelToken()) as here:
            return here.run(stage, Knob())

    told: list[str] = []
    items = Items(tmp_path)
    with pytest.raises(RuntimeError):
        run(fail)
    (part,) = (tmp_path / "depth").iterdir()
    damage(part / "notes" / "3.json")
    assert run(reads_its_items).value == WHOLE
    assert any("notes/3.json" in note for note in told)


def test_a_forecast_sees_what_is_missing(tmp_path: Path) -> None:
    items = Items(tmp_path)
    folder = items.run().folder
    assert items.forecast() == []
    (folder / "texts" / "2.txt").unlink()
    assert items.forecast() == ["depth"]


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "3", '{"stage": "depth"}', "[" * 100_000, '{"cost": ' + "9" * 400 + "}",
        '{"stage": "depth", "key": "x", "cost": {}, "files": {"../../../x": {}}}',
    ],
)  # fmt: skip
def test_a_damaged_manifest_is_named_and_its_stage_computed_again(
    tmp_path: Path, content: str
) -> None:
    items = Items(tmp_path)
    made = items.run()
    (made.folder / "manifest.json").write_text(content)
    assert items.forecast() == ["depth"]
    with pytest.raises(InputError, match=r"manifest\.json|run\.json"):
        last_run(tmp_path, [items.stage])
    assert items.run().value == WHOLE
    assert any("manifest.json" in told for told in items.told)


def test_a_manifest_of_elsewhere_touches_nothing_elsewhere(tmp_path: Path) -> None:
    items = Items(tmp_path / "w")
    folder = items.run().folder
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../../../mine.txt"] = {"size_bytes": 1, "sha256": ""}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert items.run().value == WHOLE
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"depth": 3}', "[" * 100_000])
@pytest.mark.parametrize("name", ["latest.json", "run.json", "files.json"])
def test_a_damaged_note_is_no_dead_end(tmp_path: Path, name: str, content: str) -> None:
    items = Items(tmp_path)
    items.run()
    (tmp_path / name).write_text(content)
    assert len(unused_folders(tmp_path, everything=True).folders) == 1
    if name == "latest.json":
        with pytest.raises(InputError, match=r"latest\.json") as caught:
            unused_folders(tmp_path)
        assert "--all" in caught.value.hint
    items.run()
    assert items.made == []
    assert unused_folders(tmp_path).folders == ()
    assert last_run(tmp_path, [items.stage])["depth"].value == WHOLE


def test_a_lost_file_is_named_when_a_finished_run_is_opened(tmp_path: Path) -> None:
    items = Items(tmp_path)
    flip_a_bit(items.run().folder / "texts" / "2.txt")
    made = last_run(tmp_path, [items.stage])["depth"]
    with pytest.raises(InputError, match=r"texts/2\.txt") as caught:
        _ = made.value
    assert "recon3d mesh" in caught.value.hint


def test_clean_never_leaves_the_workspace(tmp_path: Path) -> None:
    root, other = tmp_path / "w", tmp_path / "other"
    items = Items(root)
    folder = items.run().folder
    shutil.copytree(folder, other / "fuse" / folder.name)
    whole = other / "fuse" / folder.name
    manifest = json.loads((whole / "manifest.json").read_text())
    (whole / "manifest.json").write_text(json.dumps({**manifest, "stage": "fuse"}))
    (root / "fuse").symlink_to(other / "fuse")
    (root / "depth" / ("0" * 16)).symlink_to(other / "fuse" / folder.name)
    assert unused_folders(root, everything=True).folders == (folder,)


def test_clean_keeps_what_no_manifest_of_ours_marks(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    mine = tmp_path / "build" / "0123456789abcdef"
    mine.mkdir(parents=True)
    (mine / "mine.txt").write_text("mine")
    unused = unused_folders(tmp_path, everything=True)
    assert (unused.folders, unused.strange) == ((), (mine,))
    for foreign in ({}, {"stage": "depth"}, {"stage": "build", "key": "f" * 16}):
        write_json(mine / "manifest.json", foreign)
        assert unused_folders(tmp_path, everything=True).folders == ()


def test_clean_keeps_a_folder_that_somebody_has_put_a_file_into(tmp_path: Path) -> None:
    items = Items(tmp_path)
    folder = items.run().folder
    (folder / ".DS_Store").touch()
    assert unused_folders(tmp_path, everything=True).folders == (folder,)
    (folder / "texts" / "mine.txt").touch()
    assert unused_folders(tmp_path, everything=True).strange == (folder,)


def test_clean_takes_a_damaged_manifest_of_a_folder_that_the_run_has_noted(tmp_path: Path) -> None:
    folder = Items(tmp_path).run().folder
    cut_short(folder / "manifest.json")
    assert unused_folders(tmp_path, everything=True).folders == (folder,)
    assert unused_folders(tmp_path).folders == ()


def test_a_repair_never_deletes_through_a_link(tmp_path: Path) -> None:
    items = Items(tmp_path / "w")
    folder = items.run().folder
    elsewhere = tmp_path / "elsewhere"
    (folder / "texts").rename(elsewhere)
    (folder / "texts").symlink_to(elsewhere)
    flip_a_bit(elsewhere / "2.txt")
    assert items.run().value == WHOLE
    assert len(list(elsewhere.iterdir())) == 5


def test_deleting_the_lock_file_lets_nobody_in(tmp_path: Path) -> None:
    with open_workspace(tmp_path, silent, CancelToken()):
        (tmp_path / ".lock").unlink()
        with pytest.raises(WorkspaceBusyError), open_workspace(tmp_path, silent, CancelToken()):
            pass
    with open_workspace(tmp_path, silent, CancelToken()):
        assert (tmp_path / ".lock").exists()


def test_a_workspace_without_its_lock_file_is_still_one(tmp_path: Path) -> None:
    folder = Items(tmp_path).run().folder
    (tmp_path / ".lock").unlink()
    assert unused_folders(tmp_path, everything=True).folders == (folder,)


def test_a_workspace_that_is_taken_away_during_the_run_is_told(tmp_path: Path) -> None:
    root = tmp_path / "w"
    items = Items(root)

    def work(config: Knob, folder: Path, task: Task) -> None:
        items.work(config, folder, task)
        os.rename(root, tmp_path / "away")  # noqa: PTH104
        shutil.copytree(tmp_path / "away", root)

    stage = Stage(name="depth", result="depth", version=1, run=work, read=read_texts)
    with (
        pytest.raises(OutputError, match="moved, deleted or replaced"),
        open_workspace(root, silent, CancelToken()) as workspace,
    ):
        workspace.run(stage, Knob())
