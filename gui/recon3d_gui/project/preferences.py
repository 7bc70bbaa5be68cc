"""What the program remembers of its user, in the user's own folder for settings."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import tomli_w
from platformdirs import user_config_path

from recon3d.language import Language
from recon3d.run.documents import parse_toml
from recon3d.run.files import atomic_path

Theme = Literal["dark", "light"]

SMALLEST_WINDOW = (1280, 720)
SCALES = (0.75, 4.0)
"""Least and most by which a person may enlarge the window's content."""
_STEPS = (0.75, 0.85, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0)
_LEAST_ROOM = (1150, 600)
"""What the content needs at scale 1."""
LEFT_WIDTHS, USUAL_LEFT = (320, 760), 372
"""Least and most, and at first, of the column at the left; before the window's scale."""
PhotosView = Literal["list", "grid", "table"]
RECENT = 12
_MAX_BYTES = 1 << 20
_LARGEST_WINDOW_PX = 32_768


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """Damaged or impossible values in the file give way to these."""

    theme: Theme = "dark"
    window_px: tuple[int, int] = SMALLEST_WINDOW
    maximised: bool = False
    scale: float | None = None
    """Enlargement of text and widgets; None: what the screen asks for."""
    left_width: float = USUAL_LEFT
    """Of the column at the left, before the window's scale."""
    photos_view: PhotosView = "list"
    """How photos are shown in it."""
    language: Language | None = None
    """Of the window and the reports that it makes; None: the system's."""
    last_folders: Mapping[str, Path] = field(default_factory=dict)
    """By purpose ("photos", "export", ...): where a file dialog starts."""
    recent: tuple[Path, ...] = ()
    """Project files and workspaces, latest first."""

    def with_recent(self, project: Path) -> Preferences:
        """Put a project at the head of the recent ones."""
        project = project.absolute()
        others = [path for path in self.recent if path != project]
        return replace(self, recent=(project, *others)[:RECENT])

    def without_recent(self, project: Path) -> Preferences:
        """Forget a recent project."""
        return replace(self, recent=tuple(path for path in self.recent if path != project))

    def with_folder(self, purpose: str, folder: Path) -> Preferences:
        """Remember where the file dialog of a purpose was left."""
        return replace(self, last_folders={**self.last_folders, purpose: folder.absolute()})


def stepped_scale(now: float, steps: int, window_px: tuple[int, int]) -> float:
    """The next larger (1) or smaller (-1) scale, or the same (0), that a window has room for."""
    width_px, height_px = window_px
    most = min(width_px / _LEAST_ROOM[0], height_px / _LEAST_ROOM[1])
    usable = [scale for scale in _STEPS if scale <= max(most, 1.0)]
    if steps > 0:
        return next((scale for scale in usable if scale > now + 0.01), now)
    if steps < 0:
        return next((scale for scale in reversed(usable) if scale < now - 0.01), now)
    return min(now, max(usable))


def preferences_file() -> Path:
    """Where this user's preferences lie."""
    return user_config_path("recon3d", appauthor=False) / "window.toml"


def read_preferences(file: Path | None = None) -> Preferences:
    """Read the user's preferences; whatever is missing or damaged is the default."""
    file = file or preferences_file()
    try:
        if file.stat().st_size > _MAX_BYTES:
            return Preferences()
        content = parse_toml(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Preferences()
    known = {name: read(content[name]) for name, read in _READERS.items() if name in content}
    return Preferences(**{name: value for name, value in known.items() if value is not None})


def write_preferences(preferences: Preferences, file: Path | None = None) -> None:
    """Write the user's preferences atomically.

    Raises:
        OutputError: the place cannot be written.
    """
    with atomic_path(file or preferences_file()) as part:
        part.write_bytes(tomli_w.dumps(_plain(preferences)).encode("utf-8", "replace"))


def _plain(preferences: Preferences) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "theme": preferences.theme,
        "window_px": list(preferences.window_px),
        "maximised": preferences.maximised,
        "left_width": preferences.left_width,
        "photos_view": preferences.photos_view,
        "last_folders": {key: os.fspath(path) for key, path in preferences.last_folders.items()},
        "recent": [os.fspath(path) for path in preferences.recent],
    }
    if preferences.scale is not None:
        plain["scale"] = preferences.scale
    if preferences.language is not None:
        plain["language"] = preferences.language
    return plain


def _theme(value: Any) -> Theme | None:
    return value if value in get_args(Theme) else None


def _language(value: Any) -> Language | None:
    return value if value in get_args(Language) else None


def _window(value: Any) -> tuple[int, int] | None:
    match value:
        case [int(width), int(height)] if max(width, height) <= _LARGEST_WINDOW_PX:
            least_width, least_height = SMALLEST_WINDOW
            return max(width, least_width), max(height, least_height)
    return None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _between(least: float, most: float) -> Callable[[Any], float | None]:
    def read(value: Any) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return min(max(float(value), least), most) if math.isfinite(value) else None

    return read


def _photos_view(value: Any) -> PhotosView | None:
    return value if value in get_args(PhotosView) else None


def _path(value: Any) -> Path | None:
    good = isinstance(value, str) and value and "\0" not in value
    return Path(value) if good and Path(value).is_absolute() else None


def _folders(value: Any) -> dict[str, Path] | None:
    if not isinstance(value, dict):
        return None
    return {key: path for key, text in value.items() if (path := _path(text))}


def _recent(value: Any) -> tuple[Path, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(dict.fromkeys(path for text in value if (path := _path(text))))[:RECENT]


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "theme": _theme,
    "window_px": _window,
    "maximised": _flag,
    "scale": _between(*SCALES),
    "left_width": _between(*LEFT_WIDTHS),
    "photos_view": _photos_view,
    "language": _language,
    "last_folders": _folders,
    "recent": _recent,
}
