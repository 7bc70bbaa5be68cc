import math
from pathlib import Path

import pytest
import torch
from torch import nn

from recon3d.core.errors import Cancelled, EstimatorError
from recon3d.depth.training import loop
from recon3d.depth.training.loop import CHECKPOINT, Schedule, train
from recon3d.run.task import CancelToken, Event, Task, silent

CPU = torch.device("cpu")
SCHEDULE = Schedule(steps=12, learning_rate=0.05, warmup_steps=3, validate_every=4, save_every=100)


class Doubling:
    """Learns y = 2 x, with normalisation so that running statistics matter too."""

    def __init__(self, parts: int = 1) -> None:
        torch.manual_seed(0)
        self.model: nn.Module = nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
        self.parts = parts
        self.seen: list[int] = []

    def batch(self, step):
        self.seen.append(step)
        x = torch.rand(16, 1, generator=torch.Generator().manual_seed(step))
        return x if self.parts == 1 else list(x.chunk(self.parts))

    def loss(self, model, batch):
        loss = (model(batch) - 2 * batch).square().mean()
        return loss, {"error": loss.item()}

    def validate(self, model):
        x = torch.linspace(0, 1, 50)[:, None]
        return {"error": (model(x) - 2 * x).abs().mean().item()}

    def pictures(self, model):
        return {"nothing": torch.zeros(3, 4, 4)}


def task(cancel: CancelToken | None = None, listener=silent) -> Task:
    return Task("train", listener, cancel or CancelToken())


def cancel_at(step: int) -> Task:
    token = CancelToken()

    def listen(event: Event) -> None:
        if event.done == step:
            token.cancel()

    return task(token, listen)


def weights(model: nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in model.state_dict().values()]


def test_a_run_that_was_stopped_and_resumed_ends_with_the_weights_of_one_that_was_not(tmp_path):
    whole = weights(train(Doubling(), SCHEDULE, tmp_path / "whole", CPU, task()))
    with pytest.raises(Cancelled):
        train(Doubling(), SCHEDULE, tmp_path / "stopped", CPU, cancel_at(5))
    objective = Doubling()
    resumed = weights(train(objective, SCHEDULE, tmp_path / "stopped", CPU, task()))
    assert objective.seen[0] == 5
    for once, again in zip(whole, resumed, strict=True):
        assert torch.equal(once, again)


def test_training_brings_the_validated_error_down(tmp_path):
    schedule = Schedule(steps=300, learning_rate=0.05, warmup_steps=5, ema=0.9)
    objective = Doubling()
    before = objective.validate(objective.model)["error"]
    after = objective.validate(train(objective, schedule, tmp_path, CPU, task()))["error"]
    assert after < 0.1 * before


def test_two_parts_in_two_threads_give_the_same_weights_every_time(tmp_path):
    first = weights(train(Doubling(parts=2), SCHEDULE, tmp_path / "a", CPU, task()))
    second = weights(train(Doubling(parts=2), SCHEDULE, tmp_path / "b", CPU, task()))
    for once, again in zip(first, second, strict=True):
        assert torch.equal(once, again)


def test_parts_without_normalisation_learn_what_the_whole_batch_does(tmp_path):
    def plain(parts: int) -> Doubling:
        objective = Doubling(parts)
        torch.manual_seed(1)
        objective.model = nn.Linear(1, 1)
        return objective

    whole = weights(train(plain(1), SCHEDULE, tmp_path / "whole", CPU, task()))
    parts = weights(train(plain(2), SCHEDULE, tmp_path / "parts", CPU, task()))
    for one, other in zip(whole, parts, strict=True):
        # Sums in another order, float32.
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_loss_that_is_not_a_number_ends_the_run_with_a_reason(tmp_path):
    class Broken(Doubling):
        def loss(self, model, batch):
            return model(batch).sum() * math.nan, {}

    with pytest.raises(EstimatorError, match="step 0"):
        train(Broken(), SCHEDULE, tmp_path, CPU, task())


def test_a_truncated_checkpoint_is_named(tmp_path: Path):
    with pytest.raises(Cancelled):
        train(Doubling(), SCHEDULE, tmp_path, CPU, cancel_at(2))
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(EstimatorError, match=r"checkpoint\.pt"):
        train(Doubling(), SCHEDULE, tmp_path, CPU, task())


def test_the_run_ends_early_when_nothing_gets_better(tmp_path):
    class Stuck(Doubling):
        def validate(self, model):
            return {"error": 1.0}

    objective = Stuck()
    schedule = Schedule(steps=100, validate_every=2, patience=3)
    train(objective, schedule, tmp_path, CPU, task())
    # The first validation is the best; three more are not better.
    assert objective.seen[-1] <= 9


class Clock:
    """Time that passes by the work that is done, not by the clock on the wall."""

    def __init__(self, monkeypatch, objective: Doubling, step: float, validation: float) -> None:
        self.now = 100.0
        monkeypatch.setattr("recon3d.depth.training.loop.time.monotonic", lambda: self.now)
        learn, judge = objective.loss, objective.validate

        def loss(model, batch):
            self.now += step
            return learn(model, batch)

        def validate(model):
            self.now += validation
            return judge(model)

        objective.loss, objective.validate = loss, validate


def test_a_budget_of_seconds_is_kept_and_the_learning_rate_ends_with_it(tmp_path, monkeypatch):
    objective = Doubling()
    clock = Clock(monkeypatch, objective, step=2.0, validation=5.0)
    rates: list[float] = []
    learn = loop._rate_share
    monkeypatch.setattr(
        loop, "_rate_share", lambda *given: rates.append(learn(*given)) or rates[-1]
    )
    schedule = Schedule(steps=10_000, seconds=100, warmup_steps=3, validate_every=10**6)
    train(objective, schedule, tmp_path, CPU, task())
    # One validation at the start, one at the end; one more fits for whoever judges the result.
    assert 100 - 2 * 5 - 2 * 2 <= clock.now - 100 <= 100 - 5
    assert max(rates) == 1.0 or max(rates) > 0.98
    assert rates[-1] < 0.02
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert (tmp_path / CHECKPOINT).exists()


def test_with_seconds_to_spare_the_steps_end_the_run(tmp_path, monkeypatch):
    objective = Doubling()
    clock = Clock(monkeypatch, objective, step=1.0, validation=1.0)
    train(objective, Schedule(steps=20, seconds=1000), tmp_path, CPU, task())
    assert clock.now - 100 < 30
    assert len(objective.seen) == 20


def test_a_run_within_a_budget_goes_on_with_what_was_left_of_it(tmp_path, monkeypatch):
    schedule = Schedule(steps=10_000, seconds=60, warmup_steps=3, validate_every=10**6)
    first = Doubling()
    clock = Clock(monkeypatch, first, step=1.0, validation=1.0)
    with pytest.raises(Cancelled):
        train(first, schedule, tmp_path, CPU, cancel_at(40))
    second = Doubling()
    clock = Clock(monkeypatch, second, step=1.0, validation=1.0)
    train(second, schedule, tmp_path, CPU, task())
    assert clock.now - 100 < 25
