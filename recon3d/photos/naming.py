"""Which file belongs to which photo, by name."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from fnmatch import fnmatchcase
from functools import partial
from pathlib import PurePosixPath

PHOTO_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".tif", ".tiff", ".webp", ".heic", ".heif",
    ".avif", ".bmp", ".gif", ".jp2", ".ppm", ".pgm",
})  # fmt: skip
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv",
    ".3gp",
})  # fmt: skip
RAW_SUFFIXES = frozenset({
    ".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw",
})  # fmt: skip

_SUFFIXES = PHOTO_SUFFIXES | {".txt", ".json"}
_ROLES = ("color", "colour", "rgb", "depth", "mask", "pose")


def named(photo_ids: Collection[str], names: Iterable[str]) -> dict[str, list[str]]:
    """The photos that each name means: the one of that id, or else those that fit it as a pattern.

    An id outranks a pattern, so `a[1].jpg` does not mean `a1.jpg` as well where there are both.
    """
    composed = {_composed(photo_id): photo_id for photo_id in photo_ids}
    return {
        name: [composed[_composed(name)]]
        if _composed(name) in composed
        else [photo for key, photo in composed.items() if fnmatchcase(key, _composed(name))]
        for name in names
    }


def match_by_name(photo_ids: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Find each photo's companion: by id, then path without suffix, then the end of both.

    Suffixes and roles fall away, so `a/1.color.jpg` finds `a/1.depth.png`, and `1.jpg` finds
    `1.jpg.png` and `1_mask.png`. Of paths that begin elsewhere the longest common end counts, so
    `left/1.jpg` finds `images/left/1.jpg` beside `images/right/1.jpg`. A photo that fits two
    companions gets none.

    Returns:
        The companion's name by photo id; photos without one are absent.
    """
    photo_ids, names = list(photo_ids), list(names)
    levels: list[tuple[Callable[[str], str], bool]] = [(_composed, True), (_bare, True)]
    for length in range(max((path.count("/") for path in photo_ids), default=0) + 1, 0, -1):
        levels += [(partial(_end, _composed, length), False), (partial(_end, _bare, length), False)]
    found: dict[str, str] = {}
    for key, has_folder in levels:
        companions: dict[str, list[str]] = defaultdict(list)
        folders: dict[str, set[PurePosixPath]] = defaultdict(set)
        for name in names:
            companions[key(name)].append(name)
        for photo_id in photo_ids:
            folders[key(photo_id)].add(PurePosixPath(photo_id).parent)
        for photo_id in photo_ids:
            fitting = companions.get(key(photo_id), [])
            # Without all their folders, a/1.jpg and b/1.jpg would share one companion.
            clear = has_folder or len(folders[key(photo_id)]) == 1
            if photo_id not in found and len(fitting) == 1 and clear:
                found[photo_id] = fitting[0]
    return found


def split_role(path: str) -> tuple[str, str]:
    """(path without suffixes and role, role): `a/1_mask.png` -> (`a/1`, `mask`)."""
    pure = PurePosixPath(path)
    while pure.suffix.lower() in _SUFFIXES:
        pure = pure.with_suffix("")
    for role in _ROLES:
        stem, mark = pure.name[: -len(role) - 1], pure.name[-len(role) - 1 : -len(role)]
        if stem and mark in tuple("._-") and pure.name.lower().endswith(role):
            return pure.with_name(stem).as_posix(), role
    return pure.as_posix(), ""


def _end(plain: Callable[[str], str], length: int, path: str) -> str:
    """The last parts of a path, as many as there are up to `length`."""
    return "/".join(plain(path).split("/")[-length:])


def _bare(path: str) -> str:
    return split_role(_composed(path))[0]


def _composed(path: str) -> str:
    """MacOS writes ü as two characters into names, other systems as one."""
    return unicodedata.normalize("NFC", path)
