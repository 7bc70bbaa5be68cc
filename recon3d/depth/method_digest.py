"""A name for how depth is computed: code with its constants, settings, and libraries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from recon3d.run.stage import library_version


def method_digest(
    folder: Path, files: Sequence[str], settings: Mapping[str, object], libraries: Sequence[str]
) -> str:
    """Changes with the source of the files, the settings, and the versions of the libraries.

    Of the source, because no constant can be forgotten then; torch is not imported for it.

    libraries: names of distributions; "opencv" is whichever of its builds is installed.
    """
    parts = [
        *(_source(folder / name) for name in files),
        *(f"{name}={settings[name]!r}" for name in sorted(settings)),
        *(f"{name} {library_version(name)}" for name in libraries),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@cache
def _source(path: Path) -> str:
    return hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()
