"""The user's folder or list of files -> photos, masks and depth images by photo id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from os.path import realpath
from pathlib import Path, PurePosixPath
from typing import Any

from recon3d.core.errors import InputError
from recon3d.core.natural_order import natural_key
from recon3d.core.scene import Exif
from recon3d.photos.companions import (
    belonging,
    companion_files,
    disagreement,
    drawn_masks_in,
    taken_in_order,
)
from recon3d.photos.digests import sha256_of
from recon3d.photos.folders import absolute, common_folder, files_below, id_below
from recon3d.photos.kinds import begins_like_a_picture
from recon3d.photos.naming import (
    OTHER_PICTURE_SUFFIXES,
    PHOTO_SUFFIXES,
    RAW_SUFFIXES,
    VIDEO_SUFFIXES,
    named,
)
from recon3d.run.task import Task

# A camera's small copies of its videos are pictures, but no photos.
_THUMBNAIL_SUFFIXES = frozenset({".thm"})


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

    notes: tuple[str, ...] = ()
    """What was guessed when masks and depth images were given to photos."""
    exif: Mapping[str, Exif] = field(default_factory=dict)
    """Of photos whose files do not say it: views of panoramas."""
    moments: Mapping[str, str] = field(default_factory=dict)
    """By photo id: the panorama that it is a view of."""
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By photo id: why it is known already that it cannot be used, and what to do."""
    drawn: Mapping[str, Path] = field(default_factory=dict)
    """Masks that were drawn on the photos as they are shown, upright; they outrank `masks`."""

    @property
    def video(self) -> Path | None:
        """The one video whose frames are the photos, where there are no photos."""
        videos = [path for path in self.paths.values() if _is_video(path)]
        return videos[0] if len(videos) == 1 and not self._photo_ids else None

    @property
    def is_one_photo(self) -> bool:
        """Whether nothing but a single photo is to be used."""
        return len(self._photo_ids - self.excluded) == 1

    @property
    def _photo_ids(self) -> set[str]:
        """Of the candidates, those that recon3d can read by what they are called."""
        others = VIDEO_SUFFIXES | RAW_SUFFIXES | OTHER_PICTURE_SUFFIXES
        return {name for name, path in self.paths.items() if path.suffix.lower() not in others}


def find_files(
    photos: Path | Sequence[Path],
    masks: Path | None,
    sensor_depth: Path | None,
    task: Task,
    excluded: Collection[str] = (),
    named_below: Path | None = None,
    drawn_masks: Path | None = None,
) -> FoundFiles:
    """List and hash the user's files.

    excluded: photos to leave out, as `named` understands them.
    named_below: as `list_photos`.
    drawn_masks: as `list_files`.

    Raises:
        InputError: as `list_files`.
    """
    files = list_files(photos, masks, sensor_depth, named_below, drawn_masks)
    for note in files.notes:
        task.warn(note)
    masked = {**files.masks, **files.drawn} if files.masks else {}
    for kind, found in (("mask", masked), ("depth image", files.sensor_depth)):
        if found and len(found) < len(files.paths):
            missing = len(files.paths) - len(found)
            task.warn(f"{missing} of {len(files.paths)} photos have no {kind}")
    left_out = frozenset(chain.from_iterable(named(files.paths, excluded).values()))
    return replace(_hashed(files, task), excluded=left_out)


def list_files(
    photos: Path | Sequence[Path],
    masks: Path | None,
    sensor_depth: Path | None,
    named_below: Path | None = None,
    drawn_masks: Path | None = None,
) -> FoundFiles:
    """List the user's files by photo id; nothing is opened or hashed.

    Photos are those of `list_photos`, without the masks and depth images themselves when they
    lie in the same folder. Masks and depth images are matched by name (`match_by_name`); depth
    images of which no name matches are taken in order of their names, 2 before 10, when their
    number agrees.

    drawn_masks: folder of masks that outrank those of `masks` (`drawn_mask_path`); one that is
        gone, or holds none for these photos, is as good as none.

    Raises:
        InputError: a path is missing or unreadable, there are no photos, or masks or depth
            images were given that belong to no photo.
    """
    mask_files = companion_files(masks, "mask")
    depth_files = companion_files(sensor_depth, "depth")
    # Not Path.resolve, which raises at links that go round in circles.
    drawn = drawn_masks_in(drawn_masks)
    companions = (*mask_files.values(), *depth_files.values(), *drawn.values())
    taken = {realpath(path) for path in companions}
    paths = {
        photo_id: path
        for photo_id, path in list_photos(photos, named_below).items()
        if realpath(path) not in taken
    }
    if not paths:
        raise InputError(
            f"There are no photos in {_shown(photos)}.",
            hint="Give a folder with JPEG, PNG, TIFF, WebP or HEIC files, or one video.",
        )
    found_masks = belonging(mask_files, paths, f"masks in {masks}")
    drawn = {photo_id: drawn[photo_id] for photo_id in paths if photo_id in drawn}
    notes: tuple[str, ...] = ()
    if in_order := taken_in_order(depth_files, paths):
        notes = disagreement(paths, depth_files)
    found_depth = in_order or belonging(depth_files, paths, f"depth images in {sensor_depth}")
    return FoundFiles(paths, {}, found_masks, found_depth, notes=notes, drawn=drawn)


def list_photos(photos: Path | Sequence[Path], named_below: Path | None = None) -> dict[str, Path]:
    """Every candidate photo or video by its id, 2 before 10, each file once.

    Ids are posix paths below the folder that was given, or below the common parent of several
    folders and files (`common_folder`), as `as_id` writes them; `named_below` takes its place, so
    that photos keep their names when others from elsewhere join them. In folders, hidden files,
    workspaces (*.recon3d) and whatever is neither called a picture or video nor begins like one
    (sidecars, documents, results) are no photos; a file that is given by itself always is a
    candidate. Links to folders are followed, each folder is listed once.

    Raises:
        InputError: a path is missing or unreadable, or the only file is no photo and no video.
    """
    given = absolute(photos)
    for path in given:
        if not path.exists():
            raise InputError(f"{path} does not exist.", hint="Check the spelling of the path.")
    if len(given) == 1 and not given[0].is_dir():
        _check_alone(given[0])
    parent = named_below or common_folder(given)
    files: dict[Path, None] = {}
    for path in given:
        below = (file for _, file in files_below(path)) if path.is_dir() else iter([path])
        files |= dict.fromkeys(file for file in below if file == path or _may_be_photo(file))
    by_id: dict[str, Path] = {}

    def order(file: Path) -> tuple[bool, Any]:
        # What lies elsewhere must not take a name from what has it already.
        return parent is not None and not file.is_relative_to(parent), natural_key(file.as_posix())

    for file in sorted(files, key=order):
        by_id[_free_id(id_below(parent, file), by_id)] = file
    return dict(sorted(by_id.items(), key=lambda item: natural_key(item[0])))


def _free_id(wanted: str, taken: Container[str]) -> str:
    """Names that differ in what cannot be shown alone get numbers."""
    photo_id, number = wanted, 1
    while photo_id in taken:
        number += 1
        pure = PurePosixPath(wanted)
        photo_id = pure.with_name(f"{pure.stem} ({number}){pure.suffix}").as_posix()
    return photo_id


def _may_be_photo(file: Path) -> bool:
    """Whether a file of a folder is called a picture or a video, or begins like a picture."""
    suffix = file.suffix.lower()
    if suffix in PHOTO_SUFFIXES | VIDEO_SUFFIXES | RAW_SUFFIXES | OTHER_PICTURE_SUFFIXES:
        return True
    return suffix not in _THUMBNAIL_SUFFIXES and begins_like_a_picture(file)


def _check_alone(file: Path) -> None:
    known = file.suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES
    if not known and not begins_like_a_picture(file):
        raise InputError(
            f"{file.name} is neither a photo nor a video that recon3d knows.",
            hint="Give a folder of photos, or a video such as .mp4 or .mov.",
        )


def _hashed(files: FoundFiles, task: Task) -> FoundFiles:
    given = {name: path for name, path in files.masks.items() if name not in files.drawn}
    kinds = {
        "photo": files.paths, "mask": given, "drawn mask": files.drawn, "depth": files.sensor_depth,
    }  # fmt: skip
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
    # A pipe would never end; ingest gives it, and what cannot be read, a verdict.
    try:
        return sha256_of(path, task.check) if path.is_file() else ""
    except OSError:
        return ""


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _shown(photos: Path | Sequence[Path]) -> str:
    given = absolute(photos)
    return " or ".join(map(str, given)) if len(given) <= 3 else f"the {len(given)} places given"
