"""Which photos `recon3d calibrate` takes, of one camera and of the cameras of a rig."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from recon3d.core.errors import ConfigError, InputError
from recon3d.run.task import Task

_MOST_FRAMES = 60
_PATTERN = re.compile(r"[*?\[]")
Sources = tuple[Path, ...]


def photos_of(given: Sources, scratch: Path, task: Task) -> dict[str, Path]:
    """The photos by id; the frames of a video are written to `scratch` first.

    Raises:
        InputError: there are no photos, or the video cannot be decoded.
        Cancelled: the task was stopped.
    """
    return _taken([given], scratch, task)[0]


def rig_photos(
    first: Sources, others: Sequence[Path], scratch: Path, task: Task
) -> dict[str, dict[str, Path]]:
    """The photos of each camera by its name: that of its folder or video.

    Of videos the same frames are taken: those that suit the first one.

    others: a folder, a video, or a pattern of photos for each camera.

    Raises:
        ConfigError: a single photo was given for a camera.
        InputError: there are no photos, or some cameras have a video and others photos.
        Cancelled: the task was stopped.
    """
    sources = [first, *(_one_camera(path) for path in others)]
    return dict(zip(_names(sources), _taken(sources, scratch, task), strict=True))


def _taken(sources: Sequence[Sources], scratch: Path, task: Task) -> list[dict[str, Path]]:
    from recon3d_calib.frames import choose_frames, write_frames

    from recon3d.photos.finding import list_photos
    from recon3d.photos.naming import PHOTO_SUFFIXES, VIDEO_SUFFIXES

    found = [list_photos(given) for given in sources]
    videos = [
        path
        for paths in found
        for path in paths.values()
        if len(paths) == 1 and path.suffix.lower() in VIDEO_SUFFIXES
    ]
    if not videos:
        return [
            {i: path for i, path in paths.items() if path.suffix.lower() in PHOTO_SUFFIXES}
            for paths in found
        ]
    if len(videos) < len(sources):
        raise InputError(
            "Some cameras have a video and others have photos.",
            hint="Give a video of every camera, all started at the same moment, or photos.",
        )
    wanted = choose_frames(videos[0], _MOST_FRAMES, task)
    written = []
    for number, video in enumerate(videos):
        folder = scratch / str(number)
        folder.mkdir(parents=True)
        written.append(write_frames(video, folder, wanted, task))
    return written


def _one_camera(path: Path) -> Sources:
    from recon3d.photos.naming import VIDEO_SUFFIXES

    if not path.exists() and _PATTERN.search(path.name):
        found = tuple(sorted(path.parent.glob(path.name)))
        if not found:
            raise InputError(f"No file fits the pattern {path}.", hint="Check its spelling.")
        return found
    if path.is_file() and path.suffix.lower() not in VIDEO_SUFFIXES:
        raise ConfigError(
            f"--rig takes a folder or a video for each further camera; {path.name} is one photo.",
            hint="Put the photos of each camera into a folder of its own, or quote a pattern: "
            "--rig 'right*.jpg'.",
        )
    return (path,)


def _names(sources: Sequence[Sources]) -> list[str]:
    """As short as tells the cameras apart."""
    parts = [_parts(given) for given in sources]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["-".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [f"camera {number + 1}" for number in range(len(sources))]


def _parts(given: Sources) -> list[str]:
    """The path of a folder or video, or what the names of photos begin with."""
    if len(given) == 1:
        path = given[0].resolve()
        return [*path.parts[1:-1], path.stem if path.is_file() else path.name]
    # The names of one camera begin alike; between the first and the last no other begins else.
    first, last = min(path.stem for path in given), max(path.stem for path in given)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    begin = "".join(letter for letter, _ in same).rstrip("0123456789_-. ")
    parent = given[0].resolve().parent
    return [*parent.parts[1:], *([begin] if begin else [])]
