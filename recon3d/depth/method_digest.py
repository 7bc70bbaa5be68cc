"""A name for how depth is computed: code with its constants, settings, and libraries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python")


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
        *(f"{name} {_version(name)}" for name in libraries),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@cache
def _source(path: Path) -> str:
    return hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()


@cache
def _version(name: str) -> str:
    for distribution in _OPENCV if name == "opencv" else (name,):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "none"
