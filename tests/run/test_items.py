"""Items of a stage on threads, and what is said of clusters before one is joined."""

from __future__ import annotations

import builtins
import hashlib
import pickle
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pretended_cluster import THERE, pretend_cluster

from recon3d.core.depth import DepthEstimator
from recon3d.core.errors import Cancelled, ClusterError, InputError
from recon3d.depth.registry import make_estimator
from recon3d.run import cluster, cluster_items
from recon3d.run.cluster import joined, look_around
from recon3d.run.device import Runtime
from recon3d.run.digests import file_digest
from recon3d.run.files import atomic_path
from recon3d.run.items import compute_items, run_items, write_items
from recon3d.run.software import software_here
from recon3d.run.task import CancelToken, Event, Task, silent
from recon3d.run.workspace import open_workspace


def files_of(folder: Path, names: str) -> dict[str, Path]:
    return {name: folder / f"{name}.txt" for name in names}


def write_name(item: str, path: Path, task: Task) -> int:
    with atomic_path(path) as part:
        part.write_text(item)
    return ord(item)


def test_each_item_gets_its_file_and_one_that_is_there_is_left_alone(tmp_path: Path) -> None:
    paths = files_of(tmp_path, "abc")
    paths["b"].write_text("from before")
    steps: list[tuple[int, int, str]] = []

    def listen(event: Event) -> None:
        steps.append((event.done, event.total, event.note))

    write_items(write_name, paths, 1, Task("test", listen, CancelToken(), Runtime(workers=2)))
    assert [paths[name].read_text() for name in "abc"] == ["a", "from before", "c"]
    assert steps == [(1, 3, ""), (2, 3, "a"), (3, 3, "c")]


def test_what_work_returns_comes_with_its_item(tmp_path: Path) -> None:
    task = Task("test", silent, CancelToken(), Runtime(workers=2))
    assert dict(run_items(write_name, files_of(tmp_path, "xy"), 1, task)) == {"x": 120, "y": 121}


def test_cancel_stops_before_the_items_that_have_not_begun(tmp_path: Path) -> None:
    token = CancelToken()

    def listen(event: Event) -> None:
        if event.done:
            token.cancel()

    paths = files_of(tmp_path, "abcdefghijkl")
    with pytest.raises(Cancelled):
        write_items(write_name, paths, 1, Task("test", listen, token, Runtime(workers=1)))
    assert paths["a"].exists()
    assert not paths["l"].exists()


def test_an_error_of_an_item_ends_the_stage(tmp_path: Path) -> None:
    def refuse(item: str, path: Path, task: Task) -> None:
        raise InputError(f"{item} is no photo.", hint="Take another.")

    task = Task("test", silent, CancelToken(), Runtime(workers=2))
    with pytest.raises(InputError, match=r"a is no photo\.") as raised:
        write_items(refuse, files_of(tmp_path, "a"), 1, task)
    assert raised.value.hint == "Take another."


def spelled(item: str, task: Task) -> tuple[np.ndarray, ...]:
    """Two arrays of a letter, and none of a blank."""
    task.check()
    return (np.array([ord(item)]), np.array([[item]])) if item != " " else ()


@pytest.mark.parametrize("runtime", [Runtime(workers=2), THERE])
def test_what_is_computed_comes_in_order_and_leaves_no_files(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pretend_cluster(monkeypatch)
    steps: list[int] = []
    task = Task("test", silent, CancelToken(), runtime)
    found = [*compute_items(spelled, ["b", " ", "a"], 1, tmp_path, task, steps.append)]
    assert [[array.tolist() for array in arrays] for arrays in found] == [
        [[98], [["b"]]], [], [[97], [["a"]]],
    ]  # fmt: skip
    assert made == (["a", " ", "b"] if runtime.cluster else [])
    assert steps[:3] == [0, 1, 2]
    assert not [*tmp_path.iterdir()]


def test_without_a_cluster_nothing_is_computed_before_it_is_asked_for(tmp_path: Path) -> None:
    asked: list[str] = []

    def compute(item: str, task: Task) -> tuple[np.ndarray, ...]:
        asked.append(item)
        return ()

    task = Task("test", silent, CancelToken())
    found = compute_items(compute, ["a", "b"], 1, tmp_path, task, lambda done: None)
    next(found)
    assert asked == ["a"]


def test_one_item_alone_is_computed_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = pretend_cluster(monkeypatch)
    task = Task("test", silent, CancelToken(), THERE)
    assert len([*compute_items(spelled, ["a"], 1, tmp_path, task, lambda done: None)]) == 1
    assert not made


def test_cancel_of_what_is_computed_elsewhere_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, token = pretend_cluster(monkeypatch), CancelToken()
    task = Task("test", silent, token, THERE)

    def stop(done: int) -> None:
        if done:
            token.cancel()

    with pytest.raises(Cancelled):
        list(compute_items(spelled, ["a", "b", "c"], 1, tmp_path, task, stop))
    assert made == ["c"]
    assert not [*tmp_path.iterdir()]


def test_on_a_cluster_auto_is_the_processor_and_an_item_takes_one_thread() -> None:
    there = Runtime(cluster="auto", workers=8, memory_gib=4.0)
    assert there.device == "cpu"
    assert Runtime(cluster="auto", device="cuda").device == "cuda"
    assert there.for_one_item == Runtime(device="cpu", workers=1)
    here = Runtime(workers=8)
    assert here.for_one_item is here


@pytest.mark.parametrize("address", ["somewhere", "ray://head:10001", "head:", "head:99999", ":1"])
def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(ClusterError, match="is no address") as raised, joined(address):
        pass
    assert "192.168.1.10:6379" in raised.value.hint


def test_an_address_where_nobody_answers_is_told_at_once(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with socket.socket() as reserved:  # bound, but nobody listens
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        runtime = Runtime(cluster=address)
        with (
            pytest.raises(ClusterError, match=f"Nothing answers at {address}"),
            open_workspace(tmp_path / "work", silent, CancelToken(), runtime),
        ):
            pass


def test_without_ray_a_cluster_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real: Callable[..., object] = builtins.__import__

    def without_ray(name: str, *more: object) -> object:
        if name == "ray":
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(ClusterError, match="not installed") as raised, joined("auto"):
        pass
    assert 'pip install ".[cluster]"' in raised.value.hint


def test_a_machine_tells_whether_it_sees_the_folder_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_SEEN_SECONDS", 0.3)
    token = tmp_path / "token"
    assert look_around(str(token), "secret", "n1") == (software_here(), "does not see the folder")
    token.write_text("of another run")
    assert look_around(str(token), "secret", "n1")[1] == "does not see the folder"
    token.write_text("secret")
    assert look_around(str(token), "secret", "n1") == (software_here(), "")
    assert (tmp_path / "token.n1").read_text() == "secret"


def test_an_item_made_elsewhere_gets_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    def warn_and_write(item: str, path: Path, task: Task) -> str:
        task.warn("it is dark")
        assert not (tmp_path / path.name).exists()
        write_name(item, path, task)
        return item.upper()

    def fail_halfway(item: str, path: Path, task: Task) -> None:
        path.write_text("half")
        raise InputError("It is broken.")

    target = tmp_path / "a.txt"
    made = cluster_items._make(warn_and_write, "a", str(target), "test", Runtime(workers=1))
    assert (made.value, made.warnings) == ("A", ("it is dark",))
    assert made.digest == file_digest(target)
    with pytest.raises(InputError):
        cluster_items._make(fail_halfway, "b", str(tmp_path / "b"), "test", Runtime(workers=1))
    assert [*tmp_path.iterdir()] == [target]


def test_a_file_of_another_machine_counts_when_it_is_here_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_items, "_SEEN_SECONDS", 0.5)
    task, path = Task("test", silent, CancelToken()), tmp_path / "map"
    digest = hashlib.sha256(b"whole").hexdigest()
    assert not cluster_items._is_whole(path, digest, task)
    path.write_bytes(b"who")
    assert not cluster_items._is_whole(path, digest, task)
    threading.Timer(0.2, path.write_bytes, [b"whole"]).start()
    assert cluster_items._is_whole(path, digest, task)


def test_what_a_lost_machine_has_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left = tmp_path / f".0f{cluster_items._ATTEMPT}"
    left.mkdir()
    (left / ".a.7.part.npz").touch()
    (tmp_path / "a.npz").touch()
    cluster_items._remove_attempts({"a": tmp_path / "a.npz", "b": tmp_path / "b.npz"})
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_software_is_our_own_source_python_and_what_computes() -> None:
    assert {"recon3d", "Python", "numpy", "torch", "opencv", "numba"} <= software_here().keys()
    assert software_here()["numpy"] != "none"


@pytest.mark.parametrize(
    "model", ["planesweep", "multiview", "resnet", "sensor", "planesweep+resnet"]
)
def test_every_estimator_of_ours_can_be_sent_to_another_machine(model: str) -> None:
    estimator = make_estimator(model, {"planes": 48}, Runtime(device="cpu", workers=1))
    there = pickle.loads(pickle.dumps(estimator))
    assert (there.name, there.digest) == (estimator.name, estimator.digest)
    assert isinstance(there, DepthEstimator)
