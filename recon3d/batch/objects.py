"""The objects below a folder: its folders of photos and its videos, with the files of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os.path import realpath
from pathlib import Path

from recon3d.core.errors import InputError, OutputError
from recon3d.core.natural_order import natural_key
from recon3d.photos.finding import list_files
from recon3d.photos.naming import (
    CAMERA_FILE_NAMES,
    PHOTO_SUFFIXES,
    RAW_SUFFIXES,
    VIDEO_SUFFIXES,
)
from recon3d.results import Inputs

OWN_FILES = {
    "intrinsics": CAMERA_FILE_NAMES,
    "poses": ("poses", "poses.json", "poses.txt", "transforms.json", "sparse/0", "sparse"),
    "masks": ("masks", "mask"),
    "sensor_depth": ("depth",),
}
"""By field of Inputs: what an object's own file or folder may be called; the first one counts."""
PAGE, TABLE = "batch.html", "batch.csv"
# What systems put beside photos by themselves.
_NO_OBJECTS = frozenset({"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN"})

Note = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class BatchObject:
    """One object of a batch."""

    name: str
    """What its results are called; no two have the same, even where capitals do not count."""
    inputs: Inputs
    photos: int
    """How many files may be photos; of a video 0."""
    problem: InputError | None = None
    """Why it cannot be reconstructed, where a look at its files says so."""


def find_objects(
    parent: Path, results: Path, intrinsics: Path | None, note: Note
) -> list[BatchObject]:
    """The objects below a folder, in natural order; videos after folders.

    Args:
        parent: Holds a folder of photos, or a video, for each object.
        results: Where the batch writes; no object, wherever it lies.
        intrinsics: The camera of all objects that bring none of their own.
        note: Told of what is left out or may be meant otherwise.

    Raises:
        InputError: there are no objects, or the folder is one object itself.
        OutputError: the results would lie among the photos.
    """
    sources = list_sources(parent, results, note)
    objects = [look_at(name, path, intrinsics, note) for name, path in sources.items()]
    loose = sum(_is_photo(path) for path in _shown(parent) if path.is_file())
    if loose and all(each.problem for each in objects):
        raise InputError(
            f"{parent} holds {_photos(loose)} itself, and no folders of photos: it is one object.",
            hint=f"Did you mean `recon3d mesh {parent}`? A batch takes the folder around it.",
        )
    if not objects:
        raise InputError(
            f"There are no folders of photos and no videos in {parent}.",
            hint="Put the photos of each object into a folder of its own in there.",
        )
    if loose:
        note(f"{_photos(loose)} directly in {parent} belong to no object: left out")
    return objects


def list_sources(parent: Path, results: Path, note: Note) -> dict[str, Path]:
    """The folder or video of each object by its name; their files are not looked at.

    Raises:
        InputError: parent is no folder, or cannot be read.
        OutputError: the results would lie among the photos.
    """
    _check_parent(parent)
    home, target = Path(realpath(parent)), Path(realpath(results))
    among_objects = target.is_relative_to(home) and target.parent != home
    if among_objects or (target.is_dir() and any(map(_is_photo, _shown(target)))):
        raise OutputError(
            f"The results would lie among the photos, in {results}.",
            hint="Choose another folder for -o.",
        )
    entries = [path for path in _shown(parent) if not _is_result(path, results)]
    folders = [path for path in entries if path.is_dir() or not path.exists()]
    if any(path.is_file() and _is_photo(path) for path in entries):
        # Beside photos these are no objects of their own, but belong to the one that parent is.
        own = {name.casefold() for names in OWN_FILES.values() for name in names}
        folders = [path for path in folders if path.name.casefold() not in own]
    videos = [path for path in entries if path.is_file() and _is_video(path)]
    found: dict[str, Path] = {}
    taken: set[str] = set()
    for path in (*_each_once(folders, parent, note), *videos):
        wanted = path.name if path in folders else path.stem
        name, number = wanted, 1
        while name.casefold() in taken:
            number += 1
            name = f"{wanted} ({number})"
        taken.add(name.casefold())
        found[name] = path
    return found


def look_at(name: str, source: Path, intrinsics: Path | None, note: Note) -> BatchObject:
    """One object with the files that it brings, or with what is wrong with them."""
    own = _own_files(source) if source.is_dir() else {}
    inputs = Inputs(
        photos=source,
        intrinsics=own.get("intrinsics", intrinsics),
        poses=own.get("poses"),
        masks=own.get("masks"),
        sensor_depth=own.get("sensor_depth"),
    )
    try:
        if not source.exists():
            raise InputError(
                f"{source} is a link that leads nowhere.",
                hint="Delete it, or put back what it leads to.",
            )
        files = list_files(source, inputs.masks, inputs.sensor_depth)
    except InputError as problem:
        return BatchObject(name=name, inputs=inputs, photos=0, problem=problem)
    inside = {photo_id.partition("/")[0] for photo_id in files.paths if "/" in photo_id}
    if len(inside) > 1 and all("/" in photo_id for photo_id in files.paths):
        note(
            f"the photos of {name} lie in {len(inside)} folders below it and are taken for one "
            f"object; if they are several, call `recon3d batch {source}`"
        )
    return BatchObject(name=name, inputs=inputs, photos=0 if files.video else len(files.paths))


def _check_parent(parent: Path) -> None:
    if not parent.exists():
        raise InputError(f"{parent} does not exist.", hint="Check the spelling of the path.")
    if not parent.is_dir():
        raise InputError(
            f"{parent} is a file, not a folder of objects.",
            hint=f"Did you mean `recon3d mesh {parent}`?",
        )
    if Path(realpath(parent)).suffix == ".recon3d":
        raise InputError(
            f"{parent} is a workspace of recon3d, not a folder of objects.",
            hint="Give the folder that holds a folder of photos for each object.",
        )


def _shown(parent: Path) -> list[Path]:
    try:
        paths = [path for path in parent.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise InputError(f"The folder {parent} cannot be read: {error.strerror}.") from error
    return sorted(paths, key=lambda path: natural_key(path.name))


def _is_result(path: Path, results: Path) -> bool:
    """Whether a batch or a system has put it there, not the user."""
    if path.name in _NO_OBJECTS or path.suffix == ".recon3d":
        return True
    # Not Path.resolve, which raises at links that go round in circles.
    return realpath(path) == realpath(results) or all((path / n).exists() for n in (PAGE, TABLE))


def _each_once(folders: list[Path], parent: Path, note: Note) -> Iterator[Path]:
    """Folders without links to what is there already, or around it."""
    home, real = realpath(parent), {realpath(path) for path in folders if not path.is_symlink()}
    for path in folders:
        if path.is_symlink() and path.exists():
            target = realpath(path)
            if target in real or Path(home).is_relative_to(target):
                note(f"{path.name} is a link to {target}, which is no further object: left out")
                continue
            real.add(target)
        yield path


def _own_files(folder: Path) -> dict[str, Path]:
    found = {}
    for field, names in OWN_FILES.items():
        paths = (folder / name for name in names)
        if own := next((path for path in paths if path.exists()), None):
            found[field] = own
    return found


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES | RAW_SUFFIXES


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _photos(number: int) -> str:
    return f"{number} photo{'' if number == 1 else 's'}"
