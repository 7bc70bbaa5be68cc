"""A whole training run of the multi-view network, as small as it gets."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import plane_scene
import pytest
import torch

from recon3d.cli.commands import parse
from recon3d.cli.perform import perform
from recon3d.core.errors import Cancelled, EstimatorError
from recon3d.depth.multiview.network import MultiViewNet
from recon3d.depth.multiview.recipe import MultiViewData
from recon3d.depth.multiview.train import read_start, train_multiview
from recon3d.depth.registry import make_estimator
from recon3d.depth.training.loop import CHECKPOINT
from recon3d.depth.training.scene_bank import SceneBank
from recon3d.depth.training.schedule import Schedule
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Event, Task, silent

CPU = torch.device("cpu")
DATA = MultiViewData(
    scenes=3, parts=1, batch=1, width_px=64, height_px=48, validation_scenes=1, seed=1
)
SCHEDULE = Schedule(steps=2, validate_every=10, save_every=10)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> SceneBank:
    bank = SceneBank(tmp_path_factory.mktemp("scenes"), size_px=(96, 64), views=3)
    bank.fill(DATA.numbers, 1, Task("scenes", silent, CancelToken()))
    return bank


def stopping_after(step: int) -> Task:
    token = CancelToken()

    def listen(event: Event) -> None:
        if event.done == step:
            token.cancel()

    return Task("train", listen, token)


def test_a_run_that_was_stopped_goes_on_and_its_folder_serves_as_an_estimator(
    bank: SceneBank, tmp_path: Path
) -> None:
    folder = tmp_path / "mein Netz"
    with pytest.raises(Cancelled):
        train_multiview(bank, DATA, SCHEDULE, folder, CPU, stopping_after(1))
    assert torch.load(folder / CHECKPOINT, weights_only=True)["progress"]["step"] == 1
    seen: list[int] = []
    task = Task("train", lambda event: seen.append(event.done), CancelToken())
    path, errors = train_multiview(bank, DATA, SCHEDULE, folder, CPU, task)
    assert seen == [2]
    assert set(errors) == {
        "missed",
        "missed_at_edges",
        "relative_error",
        "within_2_percent",
        "sky_trusted",
        "trust_error",
    }
    assert all(np.isfinite(list(errors.values())))
    card = json.loads(path.read_text(encoding="utf-8"))["card"]
    assert (card["step"], card["views"], card["data"]["scenes"]) == (2, 3, 3)

    request = plane_scene.request()
    (prediction,) = make_estimator(str(folder), {}, Runtime(device="cpu")).predict(
        [request], lambda: None
    )
    camera = request.reference.camera
    assert prediction.values.shape == (camera.height_px, camera.width_px)
    assert prediction.kind == "scene"


def test_a_folder_with_a_run_on_other_scenes_is_refused(bank: SceneBank, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        train_multiview(bank, DATA, SCHEDULE, tmp_path, CPU, stopping_after(1))
    with pytest.raises(EstimatorError, match="another views: 3, not 4"):
        train_multiview(replace(bank, views=4), DATA, SCHEDULE, tmp_path, CPU, stopping_after(1))


def test_scenes_that_are_there_are_not_rendered_again(bank: SceneBank) -> None:
    before = {path: path.stat().st_mtime_ns for path in bank.folder.iterdir()}
    assert len(before) == len(DATA.numbers)
    events: list[Event] = []
    bank.fill(DATA.numbers, 2, Task("scenes", events.append, CancelToken()))
    assert events == []
    assert {path: path.stat().st_mtime_ns for path in bank.folder.iterdir()} == before


@pytest.mark.slow
def test_scenes_rendered_by_two_processes_are_those_rendered_by_one(
    bank: SceneBank, tmp_path: Path
) -> None:
    other = replace(bank, folder=tmp_path)
    other.fill(DATA.numbers, 2, Task("scenes", silent, CancelToken()))
    for number in DATA.numbers:
        one, two = bank.scene(number, CPU), other.scene(number, CPU)
        assert torch.equal(one.rgb, two.rgb)
        assert torch.equal(one.depth_z, two.depth_z)


def test_the_command_renders_trains_and_says_how_to_use_the_result(
    bank: SceneBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    small = partial(SceneBank, views=bank.views)
    monkeypatch.setattr("recon3d.depth.training.scene_bank.SceneBank", small)
    sizes = "--scenes 3 --parts 1 --batch 1 --width-px 64 --height-px 48 --scene-px 96"
    sizes += " --validation-scenes 1"
    places = ["--bank", str(bank.folder), "--out", str(tmp_path / "net")]
    command = parse(
        ["train", "multiview", *sizes.split(), "--steps", "1", "--device", "cpu", *places]
    )
    assert command.supervised
    assert perform(command, CancelToken()) == 0
    out = capfd.readouterr().out
    model = re.search("--depth-model (.*)", out)
    assert model
    assert make_estimator(model.group(1), {}, Runtime(device="cpu")).name == "multiview"


@pytest.mark.gpu
def test_a_gpu_learns_with_mixed_precision_and_keeps_to_its_time(
    bank: SceneBank, tmp_path: Path
) -> None:
    data = replace(DATA, parts=2, batch=2)
    schedule = Schedule(seconds=20, validate_every=10_000)
    task = Task("train", silent, CancelToken())
    start = read_start(Path("shipped"))
    began = time.monotonic()
    path, errors = train_multiview(
        bank, data, schedule, tmp_path, torch.device("cuda"), task, start
    )
    assert time.monotonic() - began < 25
    assert json.loads(path.read_text(encoding="utf-8"))["card"]["step"] > 20
    assert all(np.isfinite(list(errors.values())))


def test_training_starts_from_given_weights_and_remembers_which(
    bank: SceneBank, tmp_path: Path
) -> None:
    shipped = read_start(Path("shipped"))
    idle = replace(SCHEDULE, learning_rate=1e-12, steps=1)
    task = Task("train", silent, CancelToken())
    path, _ = train_multiview(bank, DATA, idle, tmp_path / "a", CPU, task, shipped)
    before = shipped.load_into(MultiViewNet(), CPU).state_dict()
    after = read_start(path.parent).load_into(MultiViewNet(), CPU).state_dict()
    for name, value in before.items():
        if value.is_floating_point() and "running" not in name:
            # Matrices are stored as halves: ten bits of mantissa.
            torch.testing.assert_close(after[name], value, rtol=1e-3, atol=1e-7)
    with pytest.raises(EstimatorError, match="another start"):
        train_multiview(bank, DATA, idle, tmp_path / "a", CPU, task)
    with pytest.raises(EstimatorError, match="nowhere"):
        read_start(tmp_path / "nowhere")


@pytest.mark.slow
def test_a_few_seconds_end_in_time_with_weights_that_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = Runtime(device="cpu", workers=1)
    monkeypatch.setattr("recon3d.cli.train_multiview.Runtime", lambda: alone)
    sizes = "--scenes 5000 --parts 1 --batch 1 --width-px 64 --height-px 48 --scene-px 96"
    sizes += " --validation-scenes 1 --seconds 1 --start shipped --device cpu"
    command = parse(["train", "multiview", *sizes.split(), "--out", str(tmp_path)])
    assert perform(command, CancelToken()) == 0
    card = json.loads((tmp_path / "recon3d.json").read_text(encoding="utf-8"))["card"]
    # What is rendered in its third of the time is what is learned from.
    assert 3 <= card["data"]["scenes"] < 100
    assert 1 <= card["step"] < 200
    assert make_estimator(str(tmp_path), {}, Runtime(device="cpu")).name == "multiview"


def test_rendering_stops_when_its_time_is_over_but_not_before_the_least(tmp_path: Path) -> None:
    bank = SceneBank(tmp_path, size_px=(64, 64), views=2)
    task = Task("scenes", silent, CancelToken())
    assert bank.fill([7, 8, 9, 10], 1, task, seconds=0.0, least=2) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000007.npz", "0000008.npz"]
    assert bank.fill([7, 8], 1, task, seconds=0.0) == 2
