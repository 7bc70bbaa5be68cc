"""Adding to and removing from the files of a project; nothing is opened."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from recon3d.core.errors import InputError
from recon3d.photos.finding import list_files, list_photos
from recon3d.photos.folders import common_folder
from recon3d.photos.naming import PHOTO_SUFFIXES, RAW_SUFFIXES, VIDEO_SUFFIXES

if TYPE_CHECKING:
    from recon3d_gui.project.project import Project


@dataclass(frozen=True)
class Sources:
    """The part of a project that says which photos it is made of."""

    sources: tuple[Path, ...]
    named_below: Path | None
    """Folder below which photos are named: they keep their names while others come and go."""
    excluded: frozenset[str]
    refused: Mapping[Path, str]
    """Why a path was not taken."""


@dataclass(frozen=True)
class Listing:
    """The files behind the sources, by photo id."""

    files: Mapping[str, Path]
    masks: Mapping[str, Path]
    """Those that were given."""
    drawn: Mapping[str, Path] = field(default_factory=dict)
    """Those that were drawn by hand, which outrank them."""
    problem: str = ""
    """Why the list is not what the user wanted; empty when all is well."""
    hint: str = ""


def list_sources(
    sources: Sequence[Path],
    masks: Path | None,
    sensor_depth: Path | None,
    named_below: Path | None = None,
    drawn_masks: Path | None = None,
) -> Listing:
    """List the photos; where only masks or depth are at fault, without these."""
    if not sources:
        return Listing({}, {})
    try:
        found = list_files(sources, masks, sensor_depth, named_below, drawn_masks)
    except InputError as error:
        try:
            files: Mapping[str, Path] = list_photos(sources, named_below)
        except InputError:
            files = {}
        return Listing(files, {}, problem=str(error), hint=error.hint)
    return Listing(found.paths, found.masks, found.drawn)


def added(project: Project, paths: Iterable[Path]) -> Sources:
    """The sources of a project with more files and folders; all photos keep their names.

    A video must be alone: its frames are a project's photos.
    """
    before = project.sources
    sources = list(before)
    refused: dict[Path, str] = {}
    for path in (path.absolute() for path in paths):
        if path in sources:
            continue
        if reason := _refusal(path, sources):
            refused[path] = reason
        else:
            sources.append(path)
    base = (project.named_below or common_folder(before)) if before else common_folder(sources)
    return Sources(tuple(sources), base, project.excluded, refused)


def removed(project: Project, files: Mapping[str, Path], photo_ids: Collection[str]) -> Sources:
    """The sources without some photos.

    A photo of a folder goes with the whole folder or not at all; unless all photos of its folder
    go, it is refused.

    files: all photos of the project by id.
    """
    gone = {files[photo_id] for photo_id in photo_ids if photo_id in files}
    kept, refused = [], dict[Path, str]()
    for source in project.sources:
        below = {path for path in files.values() if path == source or source in path.parents}
        if not below & gone:
            kept.append(source)
        elif not below <= gone:
            kept.append(source)
            reason = f"it lies in the folder {source.name}, which the project takes as a whole"
            refused |= dict.fromkeys(below & gone, reason)
    excluded = project.excluded & {photo for photo, path in files.items() if path not in gone}
    base = (project.named_below or common_folder(project.sources)) if kept else None
    return Sources(tuple(kept), base, excluded, refused)


def _refusal(path: Path, sources: Sequence[Path]) -> str:
    suffix = path.suffix.lower()
    if not path.exists():
        return "it does not exist"
    if suffix == ".recon3d":
        return "it is a workspace, which holds results"
    if any(_is_video(source) for source in sources):
        return "the project is made of a video, which must be alone"
    if path.is_dir() or suffix in PHOTO_SUFFIXES:
        return ""
    if suffix in VIDEO_SUFFIXES:
        return "a video must be alone, in a project of its own" if sources else ""
    if suffix in RAW_SUFFIXES:
        return "it is a raw photo; export it as JPEG, TIFF or PNG"
    return "it is neither a photo nor a video"


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES
