"""Paths from the clipboard: what file managers copy, and what people copy from terminals."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

_MOST_CHARACTERS = 1 << 20
_FIRST_WORDS = frozenset({"copy", "cut", "x-special/nautilus-clipboard"})
"""Lines that some file managers put before the paths."""


def paths_in(text: str) -> list[Path]:
    """The paths in a text, one on each line; none unless every line is one."""
    if len(text) > _MOST_CHARACTERS or "\0" in text:
        return []
    lines = [line.strip() for line in text.splitlines()]
    paths = [_path(line) for line in lines if line and line not in _FIRST_WORDS]
    good = [path for path in paths if path is not None]
    return good if len(good) == len(paths) else []


def _path(line: str) -> Path | None:
    if line.startswith("file:"):
        return Path(url2pathname(unquote(urlparse(line).path)))
    for quote in "\"'":
        if len(line) > 1 and line[0] == line[-1] == quote:
            line = line[1:-1]
    try:
        path = Path(line).expanduser()
        return path if path.is_absolute() and path.exists() else None
    except (OSError, RuntimeError):  # longer than any name may be; ~ of nobody
        return None
