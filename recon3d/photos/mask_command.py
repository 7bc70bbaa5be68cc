"""Masks by a program of the user's own, which is run once for every photo."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
import psutil
from PIL import Image

from recon3d.core.errors import InputError, require
from recon3d.core.printable import printable
from recon3d.core.scene import ImageSet, Photo
from recon3d.photos.digests import sha256_of
from recon3d.photos.ingest import IngestConfig
from recon3d.photos.masks import read_mask
from recon3d.run.files import atomic_path, write_json
from recon3d.run.stage import Stage
from recon3d.run.task import Task

_MASKS = "masks.json"
_PLACE = re.compile(r"\{(photo|mask)\}")
_NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)
_POLL_SECONDS = 0.05
_TAIL_BYTES = 4000
_LAST_LINES = 3
_EXAMPLE = 'Write it as --mask-command "rembg i -om {photo} {mask}".'


@dataclass(frozen=True, kw_only=True)
class MaskCommand:
    """A program that makes the mask of a photo; it runs without a shell.

    Raises:
        InputError: it cannot be run as it is written.
    """

    command: str
    """As one types it, with {photo} and {mask} where the two files go."""
    timeout_s: float = 300.0
    """Seconds that one photo may take."""

    def __post_init__(self) -> None:
        """Refuse what would fail at every photo."""
        require(self.timeout_s > 0, "--mask-timeout", self.timeout_s, "above 0")
        words = self._words
        places = {place for word in words for place in _PLACE.findall(word)}
        if missing := sorted({"photo", "mask"} - places):
            raise InputError(
                f"The mask command lacks {' and '.join(f'{{{name}}}' for name in missing)}: "
                f"{self.command}",
                hint=_EXAMPLE,
            )
        if shutil.which(words[0]) is None:
            raise InputError(
                f"There is no program {words[0]}, which the mask command starts.",
                hint="Give its whole path, or install it.",
            )

    @property
    def digest(self) -> str:
        """Same digest, same masks of the same photos."""
        return hashlib.sha256(self.command.encode(errors="surrogatepass")).hexdigest()

    def arguments(self, photo: Path, mask: Path) -> list[str]:
        """What to start for one photo."""
        places = {"photo": str(photo.absolute()), "mask": str(mask.absolute())}
        return [_PLACE.sub(lambda found: places[found[1]], word) for word in self._words]

    @property
    def _words(self) -> list[str]:
        try:
            if os.name == "nt":  # where a backslash is part of a path
                return [word.strip('"') for word in shlex.split(self.command, posix=False)]
            return shlex.split(self.command)
        except ValueError as error:
            raise InputError(
                f"The mask command cannot be read ({str(error).lower()}): {self.command}",
                hint=_EXAMPLE,
            ) from error


def run_mask_command(
    image_set: ImageSet, tool: MaskCommand, config: IngestConfig, folder: Path, task: Task
) -> None:
    """Write a mask for every photo that has none.

    Files are called by command and photo, so that masks of earlier runs in the same workspace are
    taken over.

    config: Not looked at; the stage is one of taking photos in.

    Raises:
        InputError: the program failed, took too long, or wrote no mask that fits; names the photo.
        Cancelled: the program is stopped; masks that are finished stay.
    """
    todo = [photo for photo in image_set.photos if photo.id not in image_set.masks]
    made: dict[str, str] = {}
    for photo in task.each(todo, len(todo), lambda photo: photo.id):
        picture = image_set.pictures[photo.id]
        content = f"{tool.digest} {sha256_of(picture, task.check)}"
        made[photo.id] = f"{hashlib.sha256(content.encode()).hexdigest()[:24]}.png"
        target = folder / made[photo.id]
        if not target.exists() and not _taken_over(target, photo):
            _run(tool, photo, picture, target, task)
    write_json(folder / _MASKS, made)


def read_command_masks(folder: Path) -> Mapping[str, Path]:
    """The masks by photo id, as those of an image set."""
    made: dict[str, str] = json.loads((folder / _MASKS).read_text(encoding="utf-8"))
    return {photo_id: folder / name for photo_id, name in made.items()}


def with_masks(image_set: ImageSet, masks: Mapping[str, Path]) -> ImageSet:
    """The image set with masks for the photos that have none."""
    ids = {photo.id for photo in image_set.photos}
    added = {photo_id: path for photo_id, path in masks.items() if photo_id in ids}
    return replace(image_set, masks={**added, **image_set.masks})


def _taken_over(target: Path, photo: Photo) -> bool:
    """Whether an earlier run has left the mask, whole, beside this one's folder."""
    for earlier in sorted(target.parent.parent.glob(f"*/{target.name}")):
        with suppress(InputError):
            _write(target, earlier, photo)
            return True
    return False


def _write(target: Path, mask: Path, photo: Photo) -> None:
    keep = read_mask(mask, (photo.width_px, photo.height_px))
    if not keep.any():
        raise InputError("it hides all of the photo", hint="Leave the photo out with --exclude.")
    with atomic_path(target) as part:
        Image.fromarray(keep.astype(np.uint8) * 255).save(part)


def _run(tool: MaskCommand, photo: Photo, picture: Path, target: Path, task: Task) -> None:
    # Hidden, so that what a stopped program has left is swept up as ours.
    made = target.with_name(f".{target.stem}.{os.getpid()}.part.png")
    try:
        with _started(tool.arguments(picture, made)) as (process, said):
            deadline = time.monotonic() + tool.timeout_s
            while process.poll() is None:
                task.check()
                if time.monotonic() > deadline:
                    raise InputError(
                        f"The mask command took longer than {tool.timeout_s:g} s for {photo.id}; "
                        f"{_last_words(said)}",
                        hint="Allow more with --mask-timeout, or try the command by hand.",
                    )
                time.sleep(_POLL_SECONDS)
        task.check()  # Ctrl-C reaches the program too, which then has not failed
        if process.returncode:
            raise InputError(
                f"The mask command ended with {process.returncode} at {photo.id}; "
                f"{_last_words(said)}",
                hint=f"Try it by hand: {shlex.join(tool.arguments(picture, Path('mask.png')))}",
            )
        if not made.exists():
            raise InputError(
                f"The mask command has written no mask for {photo.id}; {_last_words(said)}",
                hint="It must write an image to the path that stands for {mask}, a .png.",
            )
        try:
            _write(target, made, photo)
        except InputError as error:
            raise InputError(
                f"The mask command's mask for {photo.id} is no use: {error}", hint=error.hint
            ) from error
    finally:
        made.unlink(missing_ok=True)


@contextmanager
def _started(arguments: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], bytearray]]:
    """The program at work and the end of what it says; stopped with all that it has started."""
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            creationflags=_NO_WINDOW,
        )
    except OSError as error:
        raise InputError(
            f"The mask command cannot be started: {error.strerror or error}.", hint=_EXAMPLE
        ) from error
    assert process.stdout
    said = bytearray()
    listener = threading.Thread(target=_listen, args=(process.stdout, said), daemon=True)
    listener.start()
    try:
        yield process, said
        # What it has left running in the background may keep the pipe open for ever.
        listener.join(timeout=1)
    finally:
        _stop(process)


def _listen(stream: IO[bytes], said: bytearray) -> None:
    while piece := os.read(stream.fileno(), _TAIL_BYTES):
        said += piece
        del said[:-_TAIL_BYTES]


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    process.kill()
    process.wait()


def _last_words(said: bytearray) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines()]
    last = [printable(line) for line in lines if line][-_LAST_LINES:]
    text = " / ".join(last)
    return f"it said: {text}" if last else "it said nothing"


MASK_COMMAND = Stage(
    name="mask command",
    result="command_masks",
    version=1,
    run=run_mask_command,
    read=read_command_masks,
)
"""Before photos are placed, so that its masks act as given ones do."""
