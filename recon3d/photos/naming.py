"""Which file belongs to which photo, by name."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import PurePosixPath

from recon3d.core.printable import printable

PHOTO_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".tif", ".tiff", ".webp", ".heic", ".heif",
    ".avif", ".bmp", ".gif", ".jp2", ".ppm", ".pgm",
})  # fmt: skip
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv",
    ".3gp", ".mxf", ".ts", ".ogv", ".flv", ".vob",
})  # fmt: skip
RAW_SUFFIXES = frozenset({
    ".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw", ".crw", ".nrw",
    ".sr2", ".srf", ".x3f", ".3fr", ".fff", ".iiq", ".rwl", ".mrw", ".gpr", ".erf", ".mef", ".mos",
    ".kdc", ".dcr",
})  # fmt: skip
OTHER_PICTURE_SUFFIXES = frozenset({
    ".psd", ".psb", ".xcf", ".kra", ".jxl", ".exr", ".hdr", ".tga", ".svg", ".eps",
})  # fmt: skip
"""Pictures that nothing here reads; whoever gives them learns it by name."""
CAMERA_FILE_NAMES = (
    "K.json", "K.txt", "K.yaml", "intrinsics.json", "intrinsics.txt", "intrinsics.yaml",
    "cameras.txt",
)  # fmt: skip
"""What a camera file beside photos is called, where nobody names it; the first counts."""

_SUFFIXES = PHOTO_SUFFIXES | {".txt", ".json"}
_ROLES = {
    **dict.fromkeys(("color", "colour", "rgb"), "photo"),
    **dict.fromkeys(("mask", "masks", "seg", "segm", "segmentation", "matte", "alpha",
                     "silhouette", "label", "labels"), "mask"),
    "depth": "depth",
    "pose": "pose",
}  # fmt: skip
_ROLE_AT_END = re.compile(rf"(?<=.)[._-](?:{'|'.join(_ROLES)})$", re.IGNORECASE)
_ROLE_AT_START = re.compile(rf"^(?:{'|'.join(_ROLES)})[._-](?=.)", re.IGNORECASE)

# Names of files may have 255 bytes; ours add suffixes to an id, and quote its slashes.
_MOST_BYTES = 200
_MOST_NAME_BYTES, _MOST_PARENT_BYTES = 80, 40


def named(photo_ids: Collection[str], names: Iterable[str]) -> dict[str, list[str]]:
    """The photos that each name means: the one of that id, or else those that fit it as a pattern.

    An id outranks a pattern, so `a[1].jpg` does not mean `a1.jpg` as well where there are both.
    """
    composed = {as_id(photo_id): photo_id for photo_id in photo_ids}
    return {
        name: [composed[as_id(name)]]
        if as_id(name) in composed
        else [photo for key, photo in composed.items() if fnmatchcase(key, as_id(name))]
        for name in names
    }


def match_by_name(photo_ids: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Find each photo's companion: by id, then path without suffix, then the end of both.

    Suffixes and roles fall away, so `a/1.color.jpg` finds `a/1.depth.png`, and `1.jpg` finds
    `1.jpg.png`, `1_mask.png` and `mask_1.png`. Of paths that begin elsewhere the longest common end
    counts, so `left/1.jpg` finds `images/left/1.jpg` beside `images/right/1.jpg`. Capitals count
    where they tell two names apart. A photo that fits two companions gets none.

    Returns:
        The companion's name by photo id; photos without one are absent.
    """
    photo_ids, names = list(photo_ids), list(names)
    found = _match(photo_ids, names, as_id)
    taken = set(found.values())
    free = [name for name in names if name not in taken]
    return _match(photo_ids, free, lambda path: as_id(path).casefold()) | found


def _match(
    photo_ids: Sequence[str], names: Sequence[str], plain: Callable[[str], str]
) -> dict[str, str]:
    def bare(path: str) -> str:
        return split_role(plain(path))[0]

    levels: list[tuple[Callable[[str], str], bool]] = [(plain, True), (bare, True)]
    for length in range(max((path.count("/") for path in photo_ids), default=0) + 1, 0, -1):
        levels += [(partial(_end, plain, length), False), (partial(_end, bare, length), False)]
    found: dict[str, str] = {}
    for key, has_folder in levels:
        companions: dict[str, list[str]] = defaultdict(list)
        folders: dict[str, set[PurePosixPath]] = defaultdict(set)
        keys = {photo_id: key(photo_id) for photo_id in photo_ids}
        for name in names:
            companions[key(name)].append(name)
        for photo_id in photo_ids:
            folders[keys[photo_id]].add(PurePosixPath(photo_id).parent)
        for photo_id in photo_ids:
            fitting = companions.get(keys[photo_id], [])
            # Without all their folders, a/1.jpg and b/1.jpg would share one companion.
            clear = has_folder or len(folders[keys[photo_id]]) == 1
            if photo_id not in found and len(fitting) == 1 and clear:
                found[photo_id] = fitting[0]
    return found


def split_role(path: str) -> tuple[str, str]:
    """(path without suffixes and role, role): `a/1_mask.png` -> (`a/1`, `mask`).

    Roles are photo, mask, depth and pose; empty where the name has none.
    """
    plain = _without_suffixes(path)
    parent, slash, name = plain.rpartition("/")
    for pattern in (_ROLE_AT_END, _ROLE_AT_START):
        if found := pattern.search(name):
            role = _ROLES[found[0].strip("._-").lower()]
            return _without_suffixes(parent + slash + pattern.sub("", name)), role
    return plain, ""


def as_id(path: str) -> str:
    """A posix path as the id of a photo: composed, printable, and short enough for file names.

    MacOS writes \u00fc as two characters into names, other systems as one. Bytes that are no
    UTF-8, and control characters, become replacement signs. What is too long ends in a digest.
    """
    photo_id = printable(unicodedata.normalize("NFC", path))
    if _bytes(photo_id) > _MOST_BYTES:
        # Suffix and role stay, so that what belongs together still fits by name.
        pure, bare = PurePosixPath(photo_id), PurePosixPath(split_role(photo_id)[0]).name
        pure = pure.with_name(pure.name.replace(bare, _shortened(bare, _MOST_NAME_BYTES), 1))
        if _bytes(pure.as_posix()) > _MOST_BYTES:
            parent = _shortened(pure.parent.as_posix(), _MOST_PARENT_BYTES).replace("/", "_")
            pure = PurePosixPath(parent, pure.name)
        photo_id = _shortened(pure.as_posix(), _MOST_BYTES)
    return photo_id


def _without_suffixes(path: str) -> str:
    pure = PurePosixPath(path)
    while pure.suffix.lower() in _SUFFIXES:
        pure = pure.with_suffix("")
    return pure.as_posix()


def _end(plain: Callable[[str], str], length: int, path: str) -> str:
    """The last parts of a path, as many as there are up to `length`."""
    return "/".join(plain(path).split("/")[-length:])


def _bytes(photo_id: str) -> int:
    return len(photo_id.replace("%", "%25").replace("/", "%2F").encode())


def _shortened(text: str, most_bytes: int) -> str:
    if len(text.encode()) <= most_bytes:
        return text
    kept = text.encode()[:most_bytes].decode(errors="ignore")
    return f"{kept}~{hashlib.sha256(text.encode()).hexdigest()[:8]}"
