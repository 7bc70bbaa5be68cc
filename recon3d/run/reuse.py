"""Items of a stage that were made from the same before, taken over from another run's folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

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
        digests: Of all that each file depends on, by its name. They are noted for later runs.
        task: Asked whether to stop.

    Returns the folders that files were taken from, by the names of these.
    """
    write_json(folder / _ITEMS, dict(digests))
    wanted = {
        digest: folder / name for name, digest in digests.items() if not (folder / name).exists()
    }
    taken = {}
    for manifest_path in sorted(folder.parent.glob(f"*/{MANIFEST}")):
        source = manifest_path.parent
        if not wanted:
            break
        try:
            manifest = read_manifest(source)
            noted: Mapping[str, Any] = parse_json((source / _ITEMS).read_text(encoding="utf-8"))
            found = {digest: name for name, digest in noted.items() if digest in wanted}
        except (OSError, ValueError, TypeError, AttributeError, DamagedManifestError):
            continue
        for digest, name in found.items():
            task.check()
            if name in manifest.files and manifest.is_whole(source, name):
                target = wanted.pop(digest)
                _link(source / name, target)
                taken[target.name] = source
    return taken


def _link(source: Path, target: Path) -> None:
    # Nobody writes into a finished file, so both folders may share it.
    with suppress(OSError):
        os.link(source, target)
        return
    with atomic_path(target) as part:
        shutil.copyfile(source, part)
