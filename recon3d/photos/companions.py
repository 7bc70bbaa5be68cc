"""Masks and depth images -> the photos that they belong to, by name or else by order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from recon3d.core.errors import InputError
from recon3d.core.natural_order import natural_key
from recon3d.photos.folders import files_below
from recon3d.photos.naming import PHOTO_SUFFIXES, match_by_name, split_role

_DRAWN_SUFFIX = ".png"


def companion_files(folder: Path | None, role: str) -> dict[str, Path]:
    """Image files of a folder of masks or depth; only those of the role when any name has it.

    Raises:
        InputError: it is no folder, or holds no images.
    """
    if folder is None:
        return {}
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", hint=f"Give the folder of {role} images.")
    files = {
        name: path for name, path in files_below(folder) if path.suffix.lower() in PHOTO_SUFFIXES
    }
    named = {name: path for name, path in files.items() if split_role(name)[1] == role}
    if not files:
        raise InputError(f"There are no {role} images in {folder}.", hint="PNG files are expected.")
    return named or files


def drawn_mask_path(folder: Path, photo_id: str) -> Path:
    """Where the mask that was drawn on a photo lies in a folder of such masks.

    `a/1.jpg` has `a/1.jpg.png`, which `--masks` finds too.

    Raises:
        ValueError: the id would lead out of the folder.
    """
    parts = PurePosixPath(photo_id).parts
    if not parts or photo_id.startswith("/") or ".." in parts:
        raise ValueError(f"photo_id: got {photo_id!r}, expected a path below the photos")
    return folder.joinpath(*parts[:-1], f"{parts[-1]}{_DRAWN_SUFFIX}")


def drawn_masks_in(folder: Path | None) -> dict[str, Path]:
    """The masks of such a folder by photo id; none where it is gone."""
    if folder is None or not folder.is_dir():
        return {}
    return {
        name.removesuffix(_DRAWN_SUFFIX): path
        for name, path in files_below(folder)
        if name.endswith(_DRAWN_SUFFIX)
    }


def taken_in_order(files: Mapping[str, Path], paths: Mapping[str, Path]) -> dict[str, Path]:
    """One file for each photo where their number agrees and no name matches; else none."""
    if len(files) != len(paths) or match_by_name(paths, files):
        return {}
    return dict(zip(_ordered(paths), (files[name] for name in _ordered(files)), strict=True))


def disagreement(*groups: Iterable[str]) -> tuple[str, ...]:
    """A note where it matters to the order of names whether 10 comes before 2."""
    for names in map(list, groups):
        if _ordered(names) != sorted(names):
            first, second, third, *_ = [*_ordered(names), "..."]
            return (
                "no depth image has the name of a photo, so they are taken in order, counting "
                f"numbers: {first}, {second}, {third}; give them the photos' names if they were "
                "numbered otherwise",
            )
    return ()


def _ordered(names: Iterable[str]) -> list[str]:
    return sorted(names, key=natural_key)


def belonging(files: Mapping[str, Path], paths: Iterable[str], what: str) -> dict[str, Path]:
    """Companion files by photo id.

    Raises:
        InputError: there are files, and none belongs to a photo.
    """
    photo_ids = _ordered(paths)
    found = {photo: files[name] for photo, name in match_by_name(photo_ids, files).items()}
    if files and not found:
        name, stem = PurePosixPath(photo_ids[0]).name, PurePosixPath(photo_ids[0]).stem
        raise InputError(
            f"None of the {what} belongs to a photo: photos are named like {photo_ids[0]}, "
            f"these like {_ordered(files)[0]}.",
            hint=f"The one of {name} should be called {stem}.png, {name}.png or, for a mask, "
            f"{stem}_mask.png.",
        )
    return found
