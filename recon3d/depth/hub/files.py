"""Where the files of a hub model lie, and whether they are whole.

Only safetensors are ever read, because other weight files may run code. Nothing here touches the
network: a run never downloads, `recon3d models get NAME` does when asked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recon3d.core.errors import EstimatorError
from recon3d.depth.hub.families import family_of
from recon3d.run.digests import file_digest
from recon3d.run.documents import parse_json

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
_INDEX = "model.safetensors.index.json"
WANTED = [CONFIG, PROCESSOR, "*.safetensors", _INDEX]
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_AGAIN = "Download it again: `recon3d models get OWNER/NAME`."


def is_hub_name(model: str) -> bool:
    """Whether it is written like "owner/name"."""
    return bool(_HUB_NAME.fullmatch(model)) and not model.startswith(".")


def own_folder(name: str) -> Path:
    """Where `recon3d models get` puts the files of a hub model, and where hands may put them."""
    from huggingface_hub import constants

    return Path(constants.HF_HOME) / "recon3d" / name


def find_folder(model: str) -> Path:
    """The folder of a model: itself, our own for it, or the hub's cache; never the network.

    Raises:
        EstimatorError: it is not on this computer; says where its files belong.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if is_hub_name(model):
        found = cached_folder(model)
        if found:
            return found
        raise EstimatorError(
            f"The depth network {model} is not on this computer, nor is there a folder {folder}.",
            hint=f"`recon3d models get {model}` downloads it. {by_hand(model)}",
        )
    raise EstimatorError(
        f"There is no folder {folder} with a depth network.",
        hint="Name a folder with config.json, preprocessor_config.json and model.safetensors, or "
        "a model of `recon3d models`.",
    )


def cached_folder(name: str) -> Path | None:
    """The folder of a hub model that was downloaded or put there by hand; None without one."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    if _has_weights(own_folder(name)):
        return own_folder(name)
    try:
        found = snapshot_download(name, local_files_only=True, allow_patterns=WANTED)
    except LocalEntryNotFoundError:
        return None
    return Path(found) if _has_weights(Path(found)) else None


def cached_names() -> list[str]:
    """Every depth network that `cached_folder` would find."""
    from huggingface_hub import constants

    cached = Path(constants.HF_HUB_CACHE).glob("models--*--*")
    names = [folder.name.removeprefix("models--").replace("--", "/", 1) for folder in cached]
    names += [
        path.parent.relative_to(own_folder("")).as_posix()
        for path in own_folder("").glob(f"*/*/{CONFIG}")
    ]
    return [name for name in dict.fromkeys(names) if _is_usable(name)]


def by_hand(name: str) -> str:
    """How to do without a download, in a sentence."""
    return (
        "Without internet, copy config.json, preprocessor_config.json and model.safetensors from "
        f"https://huggingface.co/{name} into {own_folder(name)}."
    )


def read_settings(folder: Path, name: str) -> Mapping[str, Any]:
    """One of a model's JSON files.

    Raises:
        EstimatorError: it is missing or damaged.
    """
    try:
        content = parse_json((folder / name).read_text(encoding="utf-8"))
    except OSError as error:
        raise EstimatorError(
            f"{folder} has no {name}.",
            hint="A depth network is a folder with config.json, preprocessor_config.json and "
            "model.safetensors, as its page on the hub has them.",
        ) from error
    except ValueError as error:
        raise EstimatorError(f"{folder / name} is damaged: {error}.", hint=_AGAIN) from error
    if not isinstance(content, dict):
        raise EstimatorError(f"{folder / name} holds no settings.", hint=_AGAIN)
    return content


def weight_files(folder: Path) -> list[Path]:
    """A model's weights, looked into as far as needed to know that no byte is missing.

    Raises:
        EstimatorError: there are none, or one is missing or cut off.
    """
    from safetensors import SafetensorError, safe_open

    if (folder / _INDEX).is_file():
        index = read_settings(folder, _INDEX).get("weight_map")
        names = index.values() if isinstance(index, dict) else [None]
        if not all(isinstance(name, str) and Path(name).name == name for name in names):
            raise EstimatorError(f"{folder / _INDEX} names no files beside it.", hint=_AGAIN)
        files = [folder / name for name in sorted(set(names))]
    else:
        files = [folder / "model.safetensors"]
    for path in files:
        if not path.is_file():
            others = any(folder.glob("*.bin")) or any(folder.glob("*.pt*"))
            raise EstimatorError(
                f"{folder} has no {path.name}.",
                hint="Its weights are in a format that may run code, which recon3d does not read. "
                "Ask for a version with safetensors."
                if others
                else _AGAIN,
            )
        try:
            with safe_open(path, framework="np"):
                pass
        except (SafetensorError, OSError) as error:
            raise EstimatorError(
                f"The weights {path} are damaged or incomplete: {error}.", hint=_AGAIN
            ) from error
    return files


def digest_of(folder: Path) -> str:
    """Of everything that decides what a model says: weights, architecture, preprocessing.

    Raises:
        EstimatorError: one of them is missing or damaged.
    """
    for name in (CONFIG, PROCESSOR):
        read_settings(folder, name)
    paths = [folder / CONFIG, folder / PROCESSOR, *weight_files(folder)]
    return hashlib.sha256("".join(map(_identity, paths)).encode()).hexdigest()[:16]


def _has_weights(folder: Path) -> bool:
    return any(folder.glob("*.safetensors"))


def _is_usable(name: str) -> bool:
    folder = cached_folder(name)
    try:
        return folder is not None and bool(family_of(read_settings(folder, CONFIG)))
    except EstimatorError:
        return False


def _identity(path: Path) -> str:
    """The hub's own hash, by which its cache names files; else the hash of the contents."""
    if path.is_symlink() and path.resolve().parent.name == "blobs":
        return path.resolve().name
    return file_digest(path)
