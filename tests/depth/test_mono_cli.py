"""`recon3d train mono` and `recon3d eval` from the command line to the files they leave."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon3d.cli.commands import parse
from recon3d.cli.perform import perform
from recon3d.run.task import CancelToken

TRAIN = (
    "--encoder mobilenet_v3_large --decoder-width 4 --size-px 64 --batch 2 --pretrained none "
    "--steps 2 --validate-every 1 --device cpu"
)


def run(*arguments: str) -> int:
    return perform(parse([*arguments, "--json"]), CancelToken())


def result(capfd: pytest.CaptureFixture[str]) -> dict[str, object]:
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    return next(line for line in lines if line["event"] in ("result", "error"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "my room"
    for part in ("rgb", "depth"):
        (folder / part).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(4):
        rgb = rng.integers(0, 255, (48, 64, 3)).astype(np.uint8)
        Image.fromarray(rgb).save(folder / "rgb" / f"{number}.png")
        depth_mm = np.full((48, 64), 1000 + 500 * number, np.uint16)
        Image.fromarray(depth_mm).save(folder / "depth" / f"{number}.png")
    return folder


def test_help_of_train_and_eval_loads_no_torch() -> None:
    code = """
import io, sys
from recon3d.cli import main
for line in ("train mono --help", "eval --help"):
    assert main(line.split()) == 0, line
print("torch" in sys.modules, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False" in done.stderr
    assert "--loss" in done.stdout
    assert "--crop" in done.stdout


def test_a_network_is_trained_gone_on_with_and_evaluated(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    train = ["train", "mono", "--data", str(data), "--out", str(out), *TRAIN.split()]
    assert run(*train) == 0
    assert "abs_rel" in result(capfd)["errors"]  # type: ignore[operator]
    assert {"recon3d.json", "recon3d.safetensors"} <= {path.name for path in out.iterdir()}
    assert any(path.name.startswith("events") for path in out.iterdir())
    longer = [
        word if word != "2" or train[i - 1] != "--steps" else "3" for i, word in enumerate(train)
    ]
    assert run(*longer) == 0
    assert json.loads((out / "recon3d.json").read_text())["card"]["step"] == 3
    capfd.readouterr()
    scores = tmp_path / "scores"
    command = [
        "eval",
        "--data",
        str(data),
        "--model",
        str(out),
        "-o",
        str(scores),
        "--device",
        "cpu",
    ]
    assert run(*command, "--pictures", "1") == 0
    found = result(capfd)
    assert found["photos"] == 4
    assert found["mean"]["coverage"] == 1  # type: ignore[index]
    assert {path.name for path in scores.iterdir()} == {"scores.csv", "best_1.png", "worst_1.png"}


def test_epochs_count_photos_not_steps(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    train = ["train", "mono", "--data", str(data), "--out", str(out), *TRAIN.split()]
    # Three photos are left to train on, two a step: two rounds take three steps.
    assert run(*train, "--epochs", "2") == 0
    assert json.loads((out / "recon3d.json").read_text())["card"]["step"] == 3


def test_mistakes_end_in_words(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert run("train", "mono", "--data", str(tmp_path / "missing"), *out) == 1
    assert "does not exist" in str(result(capfd)["message"])
    assert run("train", "mono", "--data", str(data), "--loss", "silg", *out) == 1
    assert "no part of a loss" in str(result(capfd)["message"])
    assert run("eval", "--data", str(data), "--model", "planesweep") == 1
    assert "single photos" in str(result(capfd)["message"])
    assert not (tmp_path / "out").exists()
