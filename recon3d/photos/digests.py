"""Names for the contents of files, computed once as long as they stay the same."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

_CHUNK_BYTES = 1 << 20
# Clocks of file systems are as coarse as that (FAT), so a file may change twice at one time.
_SETTLED_NS = 2_000_000_000

_Stamp = tuple[int, int, int, int]
_known: dict[Path, tuple[_Stamp, str]] = {}


def sha256_of(path: Path, check: Callable[[], None]) -> str:
    """Hash a file's contents; a file that this process has hashed is not read again.

    What counts as the same file: inode, size, and the times of its last changes.

    check: called between pieces; raises to stop.

    Raises:
        OSError: it cannot be read.
    """
    before = _stamp(path)
    known = _known.get(path)
    if known and known[0] == before:
        return known[1]
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            check()
    if _stamp(path) == before and max(before[2:]) < time.time_ns() - _SETTLED_NS:
        _known[path] = (before, digest.hexdigest())
    return digest.hexdigest()


def _stamp(path: Path) -> _Stamp:
    status: os.stat_result = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
