"""Runs on a real Ray cluster of three nodes on this machine, one of which is killed."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from recon3d.api import reconstruct
from recon3d.cli import main
from recon3d.config import Config, preset
from recon3d.core.errors import Cancelled, ClusterError, InputError
from recon3d.results import Inputs, Until
from recon3d.run import cluster as cluster_module
from recon3d.run.cluster import check_machines, joined
from recon3d.run.device import Runtime
from recon3d.run.items import run_items, write_items
from recon3d.run.task import CancelToken, Event, Task, silent

pytestmark = pytest.mark.slow

SHARED = ("depth", "planes", "patchmatch", "geometric", "refine", "mesh", "texture")
"""Stages whose items machines share."""
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes with a processor each, whose files go with it."""
    pytest.importorskip("ray")
    # Sockets have paths of at most 107 bytes.
    place = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    (place / "ray").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", str(place))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        import ray
        from ray.cluster_utils import Cluster

        # Work of tests is nothing that machines could import.
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        nodes = Cluster(initialize_head=True, head_node_args=NODE)
        try:
            for _ in range(2):
                nodes.add_node(**NODE)
            nodes.wait_for_nodes()
            yield nodes
        finally:
            ray.shutdown()
            nodes.shutdown()
            shutil.rmtree(place, ignore_errors=True)


def quick() -> Config:
    config = preset("balanced")
    depth = replace(config.depth, resolution_px=320, planes=48, source_views=2)
    return replace(config, depth=depth, pose=replace(config.pose, features=2000))


def contents(workspace: Path) -> dict[str, bytes]:
    """What these stages have written; manifests hold times."""
    return {
        path.relative_to(workspace).as_posix(): path.read_bytes()
        for stage in SHARED
        for path in sorted((workspace / stage).rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def one_by_one(item: str, path: Path, task: Task, *, note: Path, seconds: float) -> None:
    """Work that says where it has begun."""
    (note / item).touch()
    time.sleep(seconds)
    path.write_text(item)


def refuse(item: str, path: Path, task: Task) -> None:
    raise InputError(f"{item} is no photo.", hint="Take another.")


def warn(item: str, path: Path, task: Task) -> None:
    task.warn(f"{item} is dark")
    path.write_text(item)


def task_on(address: str, listener: Any = silent, token: CancelToken | None = None) -> Task:
    return Task("test", listener, token or CancelToken(), Runtime(cluster=address))


def test_an_error_and_a_warning_of_an_item_are_those_of_one_machine(
    cluster: Any, tmp_path: Path
) -> None:
    heard: list[Event] = []
    with joined(cluster.address):
        with pytest.raises(InputError, match=r"^a is no photo\.$") as raised:
            write_items(refuse, {"a": tmp_path / "a"}, 1, task_on(cluster.address))
        write_items(warn, {"b": tmp_path / "b"}, 1, task_on(cluster.address, heard.append))
    assert raised.value.hint == "Take another."
    assert [event.note for event in heard if event.kind == "warning"] == ["b is dark"]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_cancel_ends_what_machines_are_doing_and_leaves_no_half_files(
    cluster: Any, tmp_path: Path
) -> None:
    notes, out, token = tmp_path / "notes", tmp_path / "out", CancelToken()
    notes.mkdir()
    out.mkdir()
    paths = {str(number): out / str(number) for number in range(9)}
    work = partial(one_by_one, note=notes, seconds=60.0)

    class Stopping(Task):
        def check(self) -> None:
            if any(notes.iterdir()):
                token.cancel()
            super().check()

    task = Stopping("test", silent, token, Runtime(cluster=cluster.address))
    with joined(cluster.address):
        with pytest.raises(Cancelled):
            write_items(work, paths, 1, task)
        begun = len([*notes.iterdir()])
        time.sleep(3)
        assert len([*notes.iterdir()]) == begun
    assert not [*out.iterdir()]


def test_a_machine_with_other_software_cannot_take_part(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {**cluster_module.software_here(), "numpy": "1.0"}
    monkeypatch.setattr(cluster_module, "software_here", lambda: here)
    with joined(cluster.address), pytest.raises(ClusterError, match="3 of 3 machines") as raised:
        check_machines(cluster.address, tmp_path)
    assert "instead of 1.0" in str(raised.value)
    assert not [*tmp_path.iterdir()]


def test_doctor_shows_every_machine(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--cluster", cluster.address, "--workspace", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("yes") == 3
    assert "All is well: 3 machines, 3 processors." in shown
    assert not [*tmp_path.iterdir()]


def test_a_run_is_the_same_to_the_byte_when_a_machine_is_killed_in_the_middle(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(__file__).resolve().parents[2] / "examples" / "photos"
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in sorted(source.glob("*.jpg"))[4:10]:
        with Image.open(path) as photo:
            photo.resize((480, 320), Image.Resampling.LANCZOS).save(photos / path.name, quality=95)
    inputs = Inputs(photos=photos, intrinsics=source / "K.json")
    alone, together = tmp_path / "alone", tmp_path / "together"
    # Several blocks of the surface and of a page, as large scenes have them.
    monkeypatch.setattr("recon3d.surface.closing.blocks._MOST_POINTS", 4000)
    monkeypatch.setattr("recon3d.texture.baking._BLOCK_PX", 512)
    here = Runtime(device="cpu", workers=1)
    reconstruct(inputs, alone, quick(), until=Until.TEXTURE, runtime=here)
    shutil.copytree(alone, together)
    for stage in SHARED:
        shutil.rmtree(together / stage)

    killed: list[str] = []
    finished: list[str] = []
    sent: Counter[str] = Counter()

    def listen(event: Event) -> None:
        if event.kind == "stage_finished":
            finished.append(event.stage)
        if event.kind == "progress" and event.stage == "patchmatch" and event.done and not killed:
            killed.append(event.note)
            (node,) = cluster.worker_nodes - {next(iter(cluster.worker_nodes))}
            cluster.remove_node(node, allow_graceful=False)

    def counting(work: Any, paths: Any, item_bytes: int, task: Task) -> Any:
        sent[task.stage] += len(paths)
        return run_items(work, paths, item_bytes, task)

    monkeypatch.setattr("recon3d.run.items.run_items", counting)
    there = Runtime(cluster=cluster.address)
    reconstruct(inputs, together, quick(), until=Until.TEXTURE, runtime=there, listener=listen)
    assert killed
    assert [stage for stage in finished if stage in SHARED] == [*SHARED]
    assert sent["mesh"] > 1
    assert sent["texture"] > 6 + 1
    expected = contents(alone)
    assert len(expected) > 5 * 6
    assert contents(together) == expected
