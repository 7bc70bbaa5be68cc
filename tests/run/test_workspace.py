"""What is computed once, what is computed again, and what survives a killed program."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from recon3d.core.errors import Cancelled, InputError, OutputError, WorkspaceBusyError
from recon3d.run.files import write_json
from recon3d.run.manifest import claim
from recon3d.run.notes import last_run
from recon3d.run.stage import Stage, StageResult
from recon3d.run.task import CancelToken, Event, Task, silent
from recon3d.run.unused import unused_folders
from recon3d.run.workspace import Workspace, key_of, open_workspace

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Knob:
    value: float = 1.0


def count_items(folder: Path) -> int:
    return len(list(folder.glob("item*.json")))


def stage_of(
    workspace: Workspace,
    name: str,
    *,
    version: int,
    config: Knob,
    upstream: list[str],
    work: Callable[[Path, Task], None],
    read: Callable[[Path], T],
) -> StageResult[T]:
    """Run a stage without inputs of its own."""
    stage = Stage(
        name=name,
        result=name,
        version=version,
        run=lambda config, folder, task: work(folder, task),
        read=read,
    )
    return workspace.run(stage, config, depends_on=upstream)


def reader(name: str, read: Callable[[Path], T]) -> Stage[T]:
    return Stage(name=name, result=name, version=1, run=print, read=read)


class Chain:
    """Two stages, the second after the first, that count how often they really work."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.computed: list[str] = []

    def run(self, first: Knob = Knob(), second: Knob = Knob(), version: int = 1) -> list[str]:
        self.computed.clear()
        with open_workspace(self.root, silent, CancelToken()) as work:
            made = stage_of(
                work,
                "first",
                version=version,
                config=first,
                upstream=["photos"],
                work=self._write("first"),
                read=count_items,
            )
            after = stage_of(
                work,
                "second",
                version=1,
                config=second,
                upstream=[made.key],
                work=self._write("second"),
                read=count_items,
            )
            work.remember_run({"before": made, "after": after})
        return list(self.computed)

    def reopened(self) -> dict[str, StageResult[int]]:
        return last_run(self.root, [reader(name, count_items) for name in ("first", "second")])

    def _write(self, stage: str) -> Callable[[Path, Task], None]:
        def work(folder: Path, task: Task) -> None:
            self.computed.append(stage)
            for index in task.each(range(3), 3):
                write_json(folder / f"item{index}.json", {})

        return work


def test_a_second_run_computes_nothing(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    assert chain.run() == ["first", "second"]
    assert chain.run() == []


def test_a_knob_recomputes_its_stage_and_what_comes_after_it_only(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.run()
    assert chain.run(second=Knob(value=2.0)) == ["second"]
    assert chain.run(first=Knob(value=2.0)) == ["first", "second"]
    assert chain.run(version=2) == ["first", "second"]


def test_switching_back_to_earlier_settings_computes_nothing(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.run()
    chain.run(first=Knob(value=2.0))
    assert chain.run() == []


def test_the_key_depends_on_every_part_and_on_nothing_else() -> None:
    def key(name: str, version: int, config: Knob, upstream: list[str]) -> str:
        stage = Stage(name=name, result=name, version=version, run=print, read=count_items)
        return key_of(stage, config, [], upstream)

    first = key("depth", 1, Knob(), ["a"])
    assert first == key("depth", 1, Knob(value=1.0), ["a"])
    others = [
        key("refine", 1, Knob(), ["a"]),
        key("depth", 2, Knob(), ["a"]),
        key("depth", 1, Knob(value=1.1), ["a"]),
        key("depth", 1, Knob(), ["b"]),
        key("depth", 1, Knob(), ["a", ""]),
    ]
    libraries = Stage(
        name="depth", result="", version=1, run=print, read=count_items, libraries=("numpy",)
    )
    others.append(key_of(libraries, Knob(), [], ["a"]))
    assert len({first, *others}) == 7


def test_listeners_hear_of_computed_and_of_cached_stages(tmp_path: Path) -> None:
    def heard() -> list[tuple[str, str]]:
        events: list[Event] = []
        with open_workspace(tmp_path, events.append, CancelToken()) as work:
            stage_of(
                work,
                "depth",
                version=1,
                config=Knob(),
                upstream=[],
                work=lambda folder, task: task.step(1, 1),
                read=count_items,
            )
        return [(event.kind, event.stage) for event in events]

    assert heard() == [
        ("stage_started", "depth"),
        ("progress", "depth"),
        ("stage_finished", "depth"),
    ]
    assert heard() == [("stage_cached", "depth")]


def test_a_failed_stage_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    attempts = []

    def fail_once(folder: Path, task: Task) -> None:
        attempts.append(count_items(folder))
        write_json(folder / "item0.json", {})
        if len(attempts) == 1:
            raise RuntimeError

    def run() -> int:
        with open_workspace(tmp_path, silent, CancelToken()) as work:
            return stage_of(
                work,
                "depth",
                version=1,
                config=Knob(),
                upstream=[],
                work=fail_once,
                read=count_items,
            ).value

    with pytest.raises(RuntimeError):
        run()
    assert run() == 1
    assert attempts == [0, 1]  # the second attempt found what the first one had finished


def test_cancel_keeps_the_finished_items_for_the_next_run(tmp_path: Path) -> None:
    token = CancelToken()

    def work(folder: Path, task: Task) -> None:
        for index in task.each(range(10), 10):
            if not (folder / f"item{index}.json").exists():
                write_json(folder / f"item{index}.json", {})
            if index == 3:
                token.cancel()

    def run(cancel: CancelToken) -> int:
        with open_workspace(tmp_path, silent, cancel) as workspace:
            return stage_of(
                workspace,
                "depth",
                version=1,
                config=Knob(),
                upstream=[],
                work=work,
                read=count_items,
            ).value

    with pytest.raises(Cancelled):
        run(token)
    (part,) = (tmp_path / "depth").glob("*.part")
    assert count_items(part) == 4
    assert run(CancelToken()) == 10


STEADY_WORKER = """
import sys, time
from dataclasses import dataclass
from pathlib import Path
from recon3d.run.files import write_json
from recon3d.run.manifest import claim
from recon3d.run.notes import last_run
from recon3d.run.stage import Stage, StageResult
from recon3d.run.task import CancelToken, silent
from recon3d.run.workspace import open_workspace

@dataclass(frozen=True)
class Knob:
    value: float = 1.0

def work(folder, task):
    for index in range(40):
        target = folder / f"item{index}.json"
        if not target.exists():
            print("computing", index, flush=True)
            time.sleep(0.02)
            write_json(target, {"index": index})

with open_workspace(Path(sys.argv[1]), silent, CancelToken()) as workspace:
    depth = Stage(
        name="depth",
        result="depth",
        version=1,
        run=lambda config, folder, task: work(folder, task),
        read=str,
    )
    workspace.run(depth, Knob())
"""


def start_worker(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STEADY_WORKER, str(root)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_kill_9_loses_at_most_the_item_in_hand(tmp_path: Path) -> None:
    computed: list[int] = []
    for _ in range(3):
        worker = start_worker(tmp_path)
        assert worker.stdout
        for line in worker.stdout:
            computed.append(int(line.split()[1]))
            if len(computed) % 10 == 0:
                worker.send_signal(signal.SIGKILL)
        worker.wait()
    last = start_worker(tmp_path)
    out, err = last.communicate(timeout=30)
    assert last.returncode == 0, err
    computed += [int(line.split()[1]) for line in out.splitlines()]
    assert set(computed) == set(range(40))
    assert len(computed) <= 40 + 3  # one item again for each kill
    (folder,) = (tmp_path / "depth").iterdir()
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        [f"item{index}.json" for index in range(40)] + ["manifest.json"]
    )


def test_two_programs_do_not_share_a_workspace(tmp_path: Path) -> None:
    worker = start_worker(tmp_path)
    try:
        assert worker.stdout
        worker.stdout.readline()
        with (
            pytest.raises(WorkspaceBusyError) as caught,
            open_workspace(tmp_path, silent, CancelToken()),
        ):
            pass
        assert "--workspace" in caught.value.hint
    finally:
        worker.kill()
        worker.communicate()
    with open_workspace(tmp_path, silent, CancelToken()):
        pass  # a killed program leaves no lock behind


def test_a_full_disk_is_named_and_the_stage_is_not_finished(tmp_path: Path) -> None:
    def work(folder: Path, task: Task) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with (
        pytest.raises(OutputError, match="disk is full"),
        open_workspace(tmp_path, silent, CancelToken()) as workspace,
    ):
        stage_of(workspace, "depth", version=1, config=Knob(), upstream=[], work=work, read=str)
    assert not list(tmp_path.glob("depth/*/manifest.json"))


def test_a_photo_that_may_not_be_read_is_not_called_a_write_error(tmp_path: Path) -> None:
    def work(folder: Path, task: Task) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "photos" / "a.jpg"))

    with (
        pytest.raises(PermissionError),
        open_workspace(tmp_path / "x.recon3d", silent, CancelToken()) as workspace,
    ):
        stage_of(workspace, "depth", version=1, config=Knob(), upstream=[], work=work, read=str)


def test_a_file_in_the_place_of_the_workspace_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "scene.recon3d").write_text("mine")
    with (
        pytest.raises(OutputError),
        open_workspace(tmp_path / "scene.recon3d" / "below", silent, CancelToken()),
    ):
        pass


def test_clean_lists_what_the_latest_run_does_not_use(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.run(first=Knob(value=2.0))
    chain.run()
    (part := tmp_path / "first" / "0123456789abcdef.part").mkdir()
    claim(part, "first", "0123456789abcdef")
    unused = unused_folders(tmp_path).folders
    assert [path.parent.name for path in unused] == ["first", "first", "second"]
    assert len(unused_folders(tmp_path, everything=True).folders) == 5
    assert chain.run() == []


def test_clean_never_lists_the_users_own_folders(tmp_path: Path) -> None:
    Chain(tmp_path).run()
    mine = tmp_path / "website" / "app"
    mine.mkdir(parents=True)
    (mine / "manifest.json").write_text("{}")
    assert mine not in unused_folders(tmp_path, everything=True).folders
    with pytest.raises(InputError, match="not a workspace"):
        unused_folders(mine.parent)


def test_costs_are_measured_and_kept_for_cached_stages(tmp_path: Path) -> None:
    megabytes = 120

    def work(folder: Path, task: Task) -> None:
        block = bytearray(megabytes * 2**20)
        block[:: 2**12] = b"x" * len(block[:: 2**12])  # touch every page
        end = time.process_time() + 0.15
        while time.process_time() < end:
            pass

    costs = []
    for _ in range(2):
        with open_workspace(tmp_path, silent, CancelToken()) as workspace:
            made = stage_of(
                workspace, "depth", version=1, config=Knob(), upstream=[], work=work, read=str
            )
            costs.append((made.cost, made.cached))
    assert costs[0][0] == costs[1][0]
    assert [cached for _, cached in costs] == [False, True]
    assert 0.1 < costs[0][0].cpu_seconds < 5
    assert costs[0][0].peak_memory_bytes > megabytes * 2**20


def test_the_latest_run_is_opened_again_without_computing(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.run()
    chain.run(first=Knob(value=5.0))
    (tmp_path / "first").rename(tmp_path / "away")
    with pytest.raises(InputError, match="first"):
        chain.reopened()
    (tmp_path / "away").rename(tmp_path / "first")
    chain.computed.clear()
    made = chain.reopened()
    assert chain.computed == []
    assert [one.value for one in made.values()] == [3, 3]
    assert made["before"].stage == "first"


def test_results_are_read_when_asked_for_and_once(tmp_path: Path) -> None:
    Chain(tmp_path).run()
    reads: list[Path] = []
    made = last_run(tmp_path, [reader(name, reads.append) for name in ("first", "second")])
    assert reads == []
    assert made["after"].value is made["after"].value is None
    assert reads == [made["after"].folder]


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{", '{"a": 3}', '{"a": {"stage": "first"}}', '{"a": {"stage": "x", "key": "y"}}',
        '{"a": {"stage": "first", "key": "../../../../etc"}}',
    ],
)  # fmt: skip
def test_a_damaged_note_of_the_run_is_told(content: str, tmp_path: Path) -> None:
    Chain(tmp_path).run()
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError) as caught:
        Chain(tmp_path).reopened()
    assert "--workspace" in caught.value.hint


def test_what_is_no_workspace_or_has_no_finished_run_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a workspace"):
        last_run(tmp_path, [])
    with open_workspace(tmp_path, silent, CancelToken()):
        pass
    with pytest.raises(InputError, match="no run has finished"):
        last_run(tmp_path, [])
