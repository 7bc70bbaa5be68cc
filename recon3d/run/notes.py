"""What a workspace notes of its latest finished run: its stages, and the files it was given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from recon3d.core.errors import InputError
from recon3d.run.documents import parse_json
from recon3d.run.files import write_json
from recon3d.run.lock import LOCK
from recon3d.run.manifest import DamagedManifestError, read_manifest
from recon3d.run.stage import Stage, StageResult

T = TypeVar("T")

_LATEST = "latest.json"
_RUN = "run.json"
_FILES = "files.json"
_KEY = re.compile(r"[0-9a-f]{16}")


def note_run(
    root: Path,
    keys: Mapping[str, Sequence[str]],
    reached: Mapping[str, StageResult[Any]],
    files: Mapping[str, Path],
) -> None:
    """Note which folders a finished run uses, for `unused_folders` and `last_run`.

    For the first, stages that it did not reach keep what an earlier run noted; what `last_run`
    hands out is all of one run.

    Args:
        root: The workspace.
        keys: By stage: its keys, of all that were looked at; several where it ran again.
        reached: By name: the results.
        files: By name: what the user gave besides photos, for `files_of_run`.
    """
    try:
        before = latest_keys(root)
    except InputError:  # it cannot be read; the rest of this is known
        before = {}
    write_json(root / _LATEST, {**before, **keys})
    run = {name: {"stage": made.stage, "key": made.folder.name} for name, made in reached.items()}
    write_json(root / _RUN, run)
    write_json(root / _FILES, {name: str(path.absolute()) for name, path in files.items()})


def latest_keys(root: Path) -> dict[str, list[str]]:
    """The latest keys of every stage; none before a run has finished.

    Raises:
        InputError: the note is damaged.
    """
    path = root / _LATEST
    try:
        noted = parse_json(path.read_text(encoding="utf-8"))
        # Before stages could run twice, a key stood alone.
        return {
            str(stage): [_key(key) for key in (keys if isinstance(keys, list) else [keys])]
            for stage, keys in noted.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged, so it is not known what the latest run uses.",
            hint="Run again with the same settings, which writes it anew, or use "
            f"`recon3d clean --all {root}`.",
        ) from error


def last_run(root: Path, stages: Iterable[Stage[Any]]) -> dict[str, StageResult[Any]]:
    """What the latest finished run has reached, by the names that `note_run` was given.

    Nothing is computed, locked or, until a value is asked for, read.

    stages: Those that it may have run.

    Raises:
        InputError: root is not a workspace, no run has finished in it, or it is not whole; by a
            value, where files of its stage are missing or damaged.
    """
    check_workspace(root)
    path = root / _RUN
    try:
        run = parse_json(path.read_text(encoding="utf-8"))
        known = {stage.name: stage for stage in stages}
        return {
            name: _reopened(known[entry["stage"]], root / entry["stage"] / _key(entry["key"]))
            for name, entry in run.items()
        }
    except FileNotFoundError as error:
        missing = Path(error.filename)
        told = "no run has finished in it" if missing == path else f"{missing} is missing"
        raise InputError(f"{root} cannot be opened: {told}.", hint=_again(root)) from error
    except DamagedManifestError as error:
        raise InputError(f"{root} cannot be opened: {error}.", hint=_again(root)) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{root} cannot be opened: {path} is damaged, or of another version of recon3d.",
            hint=_again(root),
        ) from error


def files_of_run(root: Path) -> dict[str, Path]:
    """The files that the latest finished run was given; none where that is not known."""
    try:
        noted = parse_json((root / _FILES).read_text(encoding="utf-8"))
        return {str(name): Path(path) for name, path in noted.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def finished_stage(stage: Stage[T], folder: Path) -> StageResult[T]:
    """A stage's result by its folder.

    Raises:
        InputError: the folder is gone or not whole; by the value, where files in it are missing
            or damaged.
    """
    try:
        return _reopened(stage, folder)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} cannot be opened: it is gone or damaged.",
            hint="Run again; what is finished stays.",
        ) from error


def check_workspace(root: Path) -> None:
    """Raise unless a run has worked in a folder.

    Raises:
        InputError: it is not a workspace.
    """
    if not any((root / name).is_file() for name in (LOCK, _LATEST, _RUN)):
        raise InputError(
            f"{root} is not a workspace.",
            hint="Name the folder ending in .recon3d that a run made.",
        )


def _reopened(stage: Stage[T], folder: Path) -> StageResult[T]:
    manifest = read_manifest(folder)

    def read() -> T:
        lost = manifest.lost_files(folder, lambda: None)
        if lost:
            raise InputError(
                f"{folder} is damaged: {in_words(lost)}.", hint=_again(folder.parent.parent)
            )
        return stage.read(folder)

    return StageResult(stage.name, folder.name, folder, read, manifest.cost, True)


def in_words(lost: list[str]) -> str:
    """Files that are missing or damaged, in half a sentence."""
    names = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
    return f"{names} {'are' if len(lost) > 1 else 'is'} missing or damaged"


def _again(root: Path) -> str:
    return f"Run `recon3d mesh` with --workspace {root}; what is finished there is used again."


def _key(noted: object) -> str:
    if not (isinstance(noted, str) and _KEY.fullmatch(noted)):
        raise ValueError(noted)
    return noted
