"""Items of a stage that were made from the same before, taken over from another run's folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from recon3d.run.documents import parse_json
from recon3d.run.files import atomic_path, write_json
from recon3d.run.manifest import MANIFEST, DamagedManifestError, read_manifest
from recon3d.run.task import Task

_ITEMS = "items.json"


def take_over(folder: Path, digests: Mapping[str, str], task: Task) -> dict[str, Path]:
    """Put files that finished folders of the stage have made from the same into a new folder.

    What is there already stays, and nothing is read but those files. A file that is no longer what
    its folder's manifest says is passed by.

    Args:
        folder: Of the stage at work; its siblings are looked through.
        digests: Of all that each file depends on, by its path below the folder, "/" between its
            parts. They are noted for later runs, beside those of earlier calls.
        task: Asked whether to stop.

    Returns the folders that files were taken from, by the paths of these.
    """
    before: dict[str, str] = {}
    with suppress(OSError, ValueError, TypeError, AttributeError):
        before = {**_noted(folder)}
    write_json(folder / _ITEMS, {**before, **digests})
    wanted = {digest: name for name, digest in digests.items() if not (folder / name).exists()}
    taken = {}
    for manifest_path in sorted(folder.parent.glob(f"*/{MANIFEST}")):
        source = manifest_path.parent
        if not wanted:
            break
        try:
            manifest = read_manifest(source)
            found = {digest: name for name, digest in _noted(source).items() if digest in wanted}
        except (OSError, ValueError, TypeError, AttributeError, DamagedManifestError):
            continue
        for digest, name in found.items():
            task.check()
            if name in manifest.files and manifest.is_whole(source, name):
                target = wanted.pop(digest)
                _link(source / name, folder / target)
                taken[target] = source
    return taken


def _noted(folder: Path) -> dict[str, str]:
    noted: dict[str, str] = parse_json((folder / _ITEMS).read_text(encoding="utf-8"))
    return noted


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Nobody writes into a finished file, so both folders may share it.
    with suppress(OSError):
        os.link(source, target)
        return
    with atomic_path(target) as part:
        shutil.copyfile(source, part)
