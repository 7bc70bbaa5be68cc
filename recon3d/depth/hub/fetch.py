"""Downloading a model from the hub: with progress, going on where it was stopped, and checked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from recon3d.core.errors import EstimatorError
from recon3d.depth.hub.files import WANTED, by_hand, cached_folder, own_folder, weight_files
from recon3d.run.files import explain_write_errors

Step = Callable[[int, int, str], None]


def fetch(name: str, step: Step) -> Path:
    """Download what is missing of a model; returns its folder.

    Plain files in a folder of our own and not the hub's cache, which starts interrupted files
    afresh. What another program has put into that cache is used as it is.

    Args:
        name: "owner/name".
        step: Told (bytes done, bytes in all, file) every now and then; may raise to stop.

    Raises:
        EstimatorError: no such model, no connection, no safetensors, or a damaged file.
        OutputError: the disk is full or read-only.
    """
    # HTTPError is that of whichever HTTP library this version of huggingface_hub uses.
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    folder = own_folder(name)
    elsewhere = cached_folder(name)
    if elsewhere is None or elsewhere == folder:
        try:
            with explain_write_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                _fetch_files(name, folder, step)
        except (OSError, HTTPError, HFValidationError) as error:
            raise _explained(name, error) from error
    found = elsewhere or folder
    weight_files(found)
    return found


@dataclass(frozen=True)
class _RemoteFile:
    """One file of a model, as the hub describes it."""

    name: str
    url: str
    size: int
    hashed: str
    """SHA-256 of the contents, or git's SHA-1 for small files."""

    def is_at(self, path: Path) -> bool:
        """Whether this very file lies there."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        sha256 = len(self.hashed) == 64
        found = hashlib.sha256() if sha256 else hashlib.sha1(b"blob %d\0" % self.size)
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                found.update(block)
        return found.hexdigest() == self.hashed


def _fetch_files(name: str, folder: Path, step: Step) -> None:
    files = _remote_files(name)
    total, done = sum(file.size for file in files), 0
    for file in files:
        step(done, total, file.name)
        if not file.is_at(folder / file.name):
            _download(file, folder, _after(done, total, file.name, step))
        done += file.size
        step(done, total, file.name)


def _remote_files(name: str) -> list[_RemoteFile]:
    """Those that recon3d needs, small ones first."""
    from huggingface_hub import HfApi, hf_hub_url

    model = HfApi().model_info(name, files_metadata=True)
    files = [
        _RemoteFile(
            file.rfilename,
            hf_hub_url(name, file.rfilename, revision=model.sha),
            file.size or 0,
            file.lfs.sha256 if file.lfs else file.blob_id or "",
        )
        for file in model.siblings or []
        if "/" not in file.rfilename and any(fnmatch(file.rfilename, want) for want in WANTED)
    ]
    if not any(file.name.endswith(".safetensors") for file in files):
        raise EstimatorError(
            f"{name} has no weights in the safetensors format.",
            hint="Other formats may run code, and recon3d does not read them. Choose another one.",
        )
    return sorted(files, key=lambda file: file.size)


def _download(file: _RemoteFile, folder: Path, report: Callable[[object, int], None]) -> None:
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    # Its hash in the name: the rest of a newer file must not be put behind the start of an older.
    part = folder / f".{file.name}.{file.hashed[:12]}.part"
    bar = type("Bar", (_Bar,), {"report": report})
    with part.open("ab") as stream:
        http_get(
            file.url,
            stream,
            resume_size=stream.tell(),
            headers=build_hf_headers(),
            expected_size=file.size,
            displayed_filename=file.name,
            tqdm_class=bar,
        )
        stream.flush()
        os.fsync(stream.fileno())
    if not file.is_at(part):
        part.unlink()
        raise EstimatorError(f"{file.name} arrived damaged.", hint="Run the same command again.")
    part.replace(folder / file.name)


class _Bar:
    """What huggingface_hub takes for a tqdm bar; it counts a file's bytes as they arrive."""

    report: Callable[[int], None]

    def __init__(self, *, initial: int = 0, **_: object) -> None:
        self._done = initial

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, n: int) -> None:
        self._done += n
        self.report(self._done)


def _after(done: int, total: int, file: str, step: Step) -> Callable[[object, int], None]:
    return lambda _, n: step(done + n, total, file)


def _explained(name: str, cause: BaseException) -> EstimatorError:
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    if isinstance(cause, GatedRepoError):
        return EstimatorError(
            f"{name} is only given to people who have accepted its licence.",
            hint=f"Accept it at https://huggingface.co/{name}, run `hf auth login`, try again.",
        )
    if isinstance(cause, RepositoryNotFoundError | HFValidationError):
        return EstimatorError(
            f"The hub has no model named {name}.", hint="`recon3d models` lists known ones."
        )
    reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0].rstrip(".")
    return EstimatorError(f"{name} cannot be downloaded: {reason}.", hint=by_hand(name))
