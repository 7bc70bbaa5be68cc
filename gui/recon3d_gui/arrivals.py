"""What comes into the project from outside: photos, camera files, other projects, the example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from recon3d_gui.project.example import take_example
from recon3d_gui.project.opening import is_project

if TYPE_CHECKING:
    from recon3d_gui.studio import Studio

CAMERA_SUFFIXES = frozenset({".json", ".yaml", ".yml", ".xml", ".txt", ".bin"})
"""Files that are taken for the intrinsics of the camera when they are dropped."""
# Any photo would do to see that it is a camera file: what does not fit is told where it is shown.
_LARGE_PX = (20_000, 20_000)


def drop(studio: Studio, paths: Sequence[Path]) -> None:
    """Take whatever was dropped or pasted, each for what it is."""
    photos = []
    for path in paths:
        if is_project(path) and (path.exists() or len(paths) == 1):
            studio.open(path)
        elif path.suffix.lower() in CAMERA_SUFFIXES and path.is_file():
            _take_camera(studio, path)
        else:
            photos.append(path)
    if photos:
        studio.photos.add(photos)


def add_photos(studio: Studio) -> None:
    """Ask for photos."""
    studio.ask.files("Add photos", studio.photos.add)


def add_folder(studio: Studio) -> None:
    """Ask for a folder of photos."""
    studio.ask.folder("Add a folder of photos", lambda path: studio.photos.add([path]))


def try_example(studio: Studio) -> None:
    """Take the photos that come with the program, at the settings for a quick look."""

    def take() -> Callable[[], None]:
        folder = take_example()
        return partial(adopt, folder)

    def adopt(folder: Path) -> None:
        studio.change("Preset Draft", preset="draft")
        studio.photos.add([folder])
        studio.toast("A ruin in 24 photos. Press Start and watch it appear.", "good")

    studio.in_background(take)


def _take_camera(studio: Studio, path: Path) -> None:
    def read() -> Callable[[], None]:
        from recon3d.photos.intrinsics import read_camera_file

        read_camera_file(path, _LARGE_PX)
        return lambda: _use_camera(studio, path)

    studio.in_background(read)


def _use_camera(studio: Studio, path: Path) -> None:
    studio.change("Use camera file", intrinsics=path)
    studio.toast(f"The camera's values are taken from {path.name}.", "good")
