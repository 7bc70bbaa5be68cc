"""Files of the networks of the hub: where they are found, and what is wrong in them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_networks
from hub_photo import predict

from recon3d.core.errors import EstimatorError
from recon3d.depth.estimate import DepthConfig, choose_model
from recon3d.depth.hub.catalog import _BEST_FIRST, KNOWN_MODELS
from recon3d.depth.hub.files import cached_names, digest_of, find_folder, own_folder
from recon3d.depth.registry import make_estimator
from recon3d.run.device import Runtime

NAME = "someone/some-depth-hf"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no way to the hub."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "home"


def test_the_digest_follows_weights_and_preprocessing(
    networks: Callable[[str], Path], tmp_path: Path
) -> None:
    original = digest_of(networks("anything"))
    copy = Path(shutil.copytree(networks("anything"), tmp_path / "copy"))
    assert digest_of(copy) == original
    settings = json.loads((copy / "preprocessor_config.json").read_text())
    settings["size"] = {"height": 70, "width": 70}
    (copy / "preprocessor_config.json").write_text(json.dumps(settings))
    assert digest_of(copy) != original
    other = tiny_networks.save_network("anything", tmp_path / "other", seed=1)
    assert digest_of(other) != original


def change(path: Path, **settings: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def damage(folder: Path, how: str) -> None:
    weights = folder / "model.safetensors"
    match how:
        case "no config":
            (folder / "config.json").unlink()
        case "no preprocessor":
            (folder / "preprocessor_config.json").unlink()
        case "broken config":
            (folder / "config.json").write_text('{"model_type": ')
        case "no weights":
            weights.unlink()
        case "pickled weights":
            weights.rename(folder / "pytorch_model.bin")
        case "cut off":
            weights.write_bytes(weights.read_bytes()[:-100])
        case "empty":
            weights.write_bytes(b"")
        case "other shape" | "other family" | "tree heights":
            config = json.loads((folder / "config.json").read_text())
            config |= {
                "other shape": {"fusion_hidden_size": 12},
                "other family": {"model_type": "bert"},
                "tree heights": {"model_type": "chmv2"},
            }[how]
            (folder / "config.json").write_text(json.dumps(config))
        case "nested config":
            (folder / "config.json").write_text("[" * 100_000)
        case "nested preprocessor":
            (folder / "preprocessor_config.json").write_text('{"size": ' * 100_000)
        case "patch of text" | "patch without end" | "no patch":
            patch = {"patch of text": {}, "patch without end": 10**290, "no patch": []}[how]
            change(folder / "config.json", patch_size=patch)
        case "size of text":
            change(folder / "preprocessor_config.json", size={"height": "x", "width": [1]})
        case "mean of text":
            change(folder / "preprocessor_config.json", image_mean={"a": "x"})
        case "index of text" | "index elsewhere":
            names = 3 if how == "index of text" else {"a": "../../weights.safetensors"}
            index = json.dumps({"weight_map": names})
            (folder / "model.safetensors.index.json").write_text(index)
        case "parts missing":
            from safetensors.torch import load_file, save_file

            parts = load_file(weights)
            del parts["head.conv3.weight"]
            save_file(parts, weights, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no config", "has no config.json"),
        ("no preprocessor", "has no preprocessor_config.json"),
        ("broken config", "config.json is damaged"),
        ("no weights", "has no model.safetensors"),
        ("pickled weights", "has no model.safetensors"),
        ("cut off", "damaged or incomplete"),
        ("empty", "damaged or incomplete"),
        ("other shape", "cannot be loaded"),
        ("other family", "network of type bert"),
        ("tree heights", "height of trees"),
        ("parts missing", "head.conv3.weight"),
        ("nested config", "config.json is damaged"),
        ("nested preprocessor", "config.json is damaged"),
        ("patch of text", "size in pixels"),
        ("patch without end", "size in pixels"),
        ("no patch", "size in pixels"),
        ("size of text", "size in pixels|cannot be loaded"),
        ("mean of text", "cannot be loaded"),
        ("index of text", "no files beside it"),
        ("index elsewhere", "no files beside it"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    how: str, words: str, networks: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(networks("anything"), tmp_path / "model"))
    damage(folder, how)
    with pytest.raises(EstimatorError, match=words):
        predict(folder)


def test_a_model_that_is_not_here_says_where_its_files_belong(hub: Path) -> None:
    with pytest.raises(EstimatorError, match="not on this computer") as caught:
        make_estimator(NAME, {}, Runtime())
    assert f"recon3d models get {NAME}" in caught.value.hint
    assert str(hub / "recon3d" / NAME) in caught.value.hint
    with pytest.raises(EstimatorError, match="no depth estimator named"):
        make_estimator("/no/such/folder", {}, Runtime())


def test_files_put_by_hand_are_found_by_the_models_name(
    hub: Path, networks: Callable[[str], Path]
) -> None:
    shutil.copytree(networks("anything"), own_folder(NAME))
    assert predict(NAME).kind == "relative"
    assert cached_names() == [NAME]


def test_the_best_network_here_fills_what_the_sweep_is_not_sure_of(
    hub: Path, networks: Callable[[str], Path]
) -> None:
    def chosen(*, measured: bool = False, one_photo: bool = False) -> str:
        return choose_model(DepthConfig(model="best"), measured=measured, one_photo=one_photo)

    best = "depth-anything/Depth-Anything-V2-Small-hf"
    with pytest.raises(EstimatorError, match="is on this computer") as caught:
        chosen()
    assert "recon3d models get" in caught.value.hint
    shutil.copytree(networks("anything"), own_folder("LiheYoung/depth-anything-small-hf"))
    shutil.copytree(networks("anything"), own_folder(best))
    assert chosen() == f"planesweep+{best}"
    assert chosen(one_photo=True) == best
    assert chosen(measured=True) == "sensor"
    assert set(_BEST_FIRST) <= {model.name for model in KNOWN_MODELS}
    assert make_estimator(chosen(), {}, Runtime()).name == chosen()


def test_the_cache_that_other_programs_fill_is_used(
    hub: Path, networks: Callable[[str], Path]
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    place = hub / "hub" / f"models--{NAME.replace('/', '--')}"
    snapshot, blobs = place / "snapshots" / commit, place / "blobs"
    for folder in (snapshot, blobs, place / "refs"):
        folder.mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    for file in networks("anything").iterdir():
        blob = blobs / f"etag-of-{file.name}"
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(blob)
    assert find_folder(NAME).samefile(snapshot)
    assert predict(NAME).kind == "relative"
    assert cached_names() == [NAME]
    before = digest_of(snapshot)
    (snapshot / "model.safetensors").unlink()
    (snapshot / "model.safetensors").symlink_to(
        (blobs / "etag-of-model.safetensors").rename(blobs / "another")
    )
    assert digest_of(snapshot) != before
