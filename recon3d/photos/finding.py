"""The user's folder or list of files -> photos, masks and depth images by photo id."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePath

from recon3d.core.errors import InputError
from recon3d.photos.digests import sha256_of
from recon3d.photos.naming import PHOTO_SUFFIXES, VIDEO_SUFFIXES, match_by_name, named, split_role
from recon3d.run.task import Task

# Sidecars, calibrations and our own results lie beside photos and are none.
_IGNORED_SUFFIXES = frozenset({
    ".txt", ".json", ".yaml", ".yml", ".toml", ".xml", ".xmp", ".csv", ".npy", ".npz", ".ini",
    ".db", ".md", ".html", ".log", ".bin", ".aae", ".thm", ".ply", ".obj", ".mtl", ".glb", ".stl",
})  # fmt: skip


@dataclass(frozen=True)
class FoundFiles:
    """The user's files by photo id, with a digest of all their contents once they are hashed.

    Photos that the user leaves out are among them: taking them in again must not mean reading all
    photos again.
    """

    paths: Mapping[str, Path]
    """Every candidate photo or the single video, by id (posix path below the input folder)."""
    sha256: Mapping[str, str]
    """By photo id; empty before hashing, and empty text where a file could not be read."""
    masks: Mapping[str, Path] = field(default_factory=dict)
    sensor_depth: Mapping[str, Path] = field(default_factory=dict)
    digest: str = ""
    excluded: frozenset[str] = frozenset()
    """Ids of photos that the user leaves out; without frames of a video, not yet known."""

    @property
    def video(self) -> Path | None:
        """The one video whose frames are the photos."""
        paths = list(self.paths.values())
        return paths[0] if len(paths) == 1 and _is_video(paths[0]) else None

    @property
    def is_one_photo(self) -> bool:
        """Whether nothing but a single photo is to be used."""
        return len(self.paths) - len(self.excluded) == 1 and not self.video


def find_files(
    photos: Path | Sequence[Path],
    masks: Path | None,
    sensor_depth: Path | None,
    task: Task,
    excluded: Collection[str] = (),
) -> FoundFiles:
    """List and hash the user's files.

    excluded: photos to leave out, as `named` understands them.

    Raises:
        InputError: as `list_files`.
    """
    files = list_files(photos, masks, sensor_depth)
    for kind, found in (("mask", files.masks), ("depth image", files.sensor_depth)):
        if found and len(found) < len(files.paths):
            missing = len(files.paths) - len(found)
            task.warn(f"{missing} of {len(files.paths)} photos have no {kind}")
    left_out = frozenset(chain.from_iterable(named(files.paths, excluded).values()))
    return replace(_hashed(files, task), excluded=left_out)


def list_files(
    photos: Path | Sequence[Path], masks: Path | None, sensor_depth: Path | None
) -> FoundFiles:
    """List the user's files by photo id; nothing is opened or hashed.

    Photos are those of `list_photos`, without the masks and depth images themselves when they
    lie in the same folder. Masks and depth images are matched by name (`match_by_name`); depth
    images of which no name matches are taken in sorted order when their number agrees.

    Raises:
        InputError: a path is missing or unreadable, there are no photos, or masks or depth
            images were given that belong to no photo.
    """
    mask_files = _companion_files(masks, "mask")
    depth_files = _companion_files(sensor_depth, "depth")
    taken = {path.resolve() for path in (*mask_files.values(), *depth_files.values())}
    paths = {
        photo_id: path
        for photo_id, path in list_photos(photos).items()
        if path.resolve() not in taken
    }
    if not paths:
        raise InputError(
            f"There are no photos in {_shown(photos)}.",
            hint="Give a folder with JPEG, PNG, TIFF, WebP or HEIC files, or one video.",
        )
    found_masks = _belonging(mask_files, paths, f"masks in {masks}")
    found_depth = _belonging(depth_files, paths, f"depth images in {sensor_depth}", in_order=True)
    return FoundFiles(paths, {}, found_masks, found_depth)


def list_photos(photos: Path | Sequence[Path]) -> dict[str, Path]:
    """Every candidate photo or video by its id, sorted, each file once; nothing is opened.

    Ids are posix paths below the folder that was given, or below the common parent of several
    folders and files (`common_folder`). In folders, hidden files, workspaces (*.recon3d), sidecars
    and results are no photos; a file that is given by itself always is a candidate.

    Raises:
        InputError: a path is missing or unreadable, or the only file is no photo and no video.
    """
    given = _absolute(photos)
    for path in given:
        if not path.exists():
            raise InputError(f"{path} does not exist.", hint="Check the spelling of the path.")
    if len(given) == 1 and not given[0].is_dir():
        _check_alone(given[0])
    parent = common_folder(given)
    found: dict[str, Path] = {}
    for path in given:
        if path.is_dir():
            found |= {
                id_below(parent, file): file
                for _, file in _files_below(path)
                if file.suffix.lower() not in _IGNORED_SUFFIXES
            }
        else:
            found[id_below(parent, path)] = path
    return dict(sorted(found.items()))


def common_folder(photos: Path | Sequence[Path]) -> Path | None:
    """The folder below which `list_photos` names the photos; None for files of several drives."""
    folders = [path if path.is_dir() else path.parent for path in _absolute(photos)]
    try:
        return Path(os.path.commonpath(folders)) if folders else None
    except ValueError:  # on Windows: files of several drives
        return None


def id_below(folder: Path | None, file: Path) -> str:
    """What `list_photos` calls a file; folder: what `common_folder` says."""
    if folder is None:
        return file.as_posix().replace(":", "")
    return Path(os.path.relpath(file, folder)).as_posix()


def _absolute(photos: Path | Sequence[Path]) -> list[Path]:
    given = [photos] if isinstance(photos, PurePath) else photos
    return list(dict.fromkeys(path.absolute() for path in given))


def _check_alone(file: Path) -> None:
    if file.suffix.lower() not in PHOTO_SUFFIXES | VIDEO_SUFFIXES:
        raise InputError(
            f"{file.name} is neither a photo nor a video that recon3d knows.",
            hint="Give a folder of photos, or a video such as .mp4 or .mov.",
        )


def _files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file with its posix path below the folder, sorted, without hidden ones."""
    found: list[tuple[str, Path]] = []

    def refuse(error: OSError) -> None:
        raise InputError(f"The folder {error.filename} cannot be read: {error.strerror}.")

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [f for f in folders if not f.startswith(".") and not f.endswith(".recon3d")]
        paths = (Path(parent, name) for name in names if not name.startswith("."))
        found += ((path.relative_to(folder).as_posix(), path) for path in paths)
    return iter(sorted(found))


def _companion_files(folder: Path | None, role: str) -> dict[str, Path]:
    """Image files of a folder of masks or depth; only those of the role when any name has it."""
    if folder is None:
        return {}
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", hint=f"Give the folder of {role} images.")
    files = {
        name: path for name, path in _files_below(folder) if path.suffix.lower() in PHOTO_SUFFIXES
    }
    named = {name: path for name, path in files.items() if split_role(name)[1] == role}
    if not files:
        raise InputError(f"There are no {role} images in {folder}.", hint="PNG files are expected.")
    return named or files


def _belonging(
    files: Mapping[str, Path], paths: Iterable[str], what: str, *, in_order: bool = False
) -> dict[str, Path]:
    """Companion files by photo id."""
    photo_ids = sorted(paths)
    found = {photo: files[name] for photo, name in match_by_name(photo_ids, files).items()}
    if not found and in_order and len(files) == len(photo_ids):
        return dict(zip(photo_ids, (files[name] for name in sorted(files)), strict=True))
    if files and not found:
        raise InputError(
            f"None of the {what} belongs to a photo: photos are named like {photo_ids[0]}, "
            f"these like {min(files)}.",
            hint="Give them the photos' names: photo.jpg -> photo.png or photo.jpg.png.",
        )
    return found


def _hashed(files: FoundFiles, task: Task) -> FoundFiles:
    kinds = {"photo": files.paths, "mask": files.masks, "depth": files.sensor_depth}
    todo = [(kind, name, path) for kind, paths in kinds.items() for name, path in paths.items()]
    # A video among photos only gets a verdict, so its gigabytes need no reading.
    digests = [
        (kind, name, "" if _is_video(path) and len(files.paths) > 1 else _sha256(path, task))
        for kind, name, path in task.each(todo, len(todo), lambda item: item[1])
    ]
    return replace(
        files,
        sha256={name: digest for kind, name, digest in digests if kind == "photo"},
        digest=hashlib.sha256(json.dumps(digests).encode()).hexdigest(),
    )


def _sha256(path: Path, task: Task) -> str:
    try:
        return sha256_of(path, task.check)
    except OSError:  # ingest gives it a verdict
        return ""


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _shown(photos: Path | Sequence[Path]) -> str:
    return str(photos) if isinstance(photos, PurePath) else "the list of files"
