"""What decides the numbers of a run besides its input: our own source, and the libraries."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from pathlib import Path

from recon3d.run.stage import library_version

_LIBRARIES = ("numpy", "scipy", "opencv", "pillow", "numba", "torch", "torchvision", "transformers")
_ROOT = Path(__file__).resolve().parent.parent


def software_here() -> dict[str, str]:
    """By name: the version of recon3d, of Python and of each library; "none" without it."""
    ours = {"recon3d": f"{library_version('recon3d-studio')} ({_source_digest()})"}
    return (
        ours | {"Python": platform.python_version()} | {n: library_version(n) for n in _LIBRARIES}
    )


@cache
def _source_digest() -> str:
    """Of our own source: between two releases the version stays."""
    found = hashlib.sha256()
    for path in sorted(_ROOT.rglob("*.py"), key=lambda path: path.relative_to(_ROOT).as_posix()):
        found.update(path.relative_to(_ROOT).as_posix().encode())
        found.update(path.read_text(encoding="utf-8").encode())
    return found.hexdigest()[:8]
