"""Which of the user's files are 360-degree photos or videos, and which only claim to be."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from PIL import Image

from recon3d.core.errors import InputError
from recon3d.photos.broken import or_else
from recon3d.photos.decoding import opened
from recon3d.photos.exif import read_orientation
from recon3d.photos.finding import FoundFiles
from recon3d.photos.video import film_amount
from recon3d.run.task import Task

PanoramaKind = Literal["auto", "all", "none"]

# GPano of Google's Photo Sphere, which cameras and stitchers of all makers write.
_SAYS_SO = re.compile(rb"GPano:ProjectionType\s*(?:=\s*[\"']|>)\s*equirectangular", re.IGNORECASE)
# Google's Spherical Video, version 1 in XML and version 2 in boxes of its own.
_FILM_SAYS_SO = re.compile(
    rb"GSpherical:ProjectionType>\s*equirectangular|sv3d.{0,200}?equi", re.DOTALL
)
_MOST_XMP_BYTES = 1 << 20
_MOST_MOOV_BYTES = 16 << 20
_MOST_BOXES = 1000
# 5761 x 2880 is a rounding; 3 % less is a panorama without its lowest part.
_SHAPE_TOLERANCE = 0.005
_SMALLEST_PX = 512


@dataclass(frozen=True, eq=False)
class Panoramas:
    """What is to become views."""

    files: FoundFiles
    """All of the user's files."""
    ids: tuple[str, ...]
    """Of those that are full panoramas, or the one of the video."""
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By id: why one cannot be used, and what to do."""

    @property
    def digest(self) -> str:
        """Which of them are panoramas follows from their contents and the setting."""
        return self.files.digest


def find_panoramas(files: FoundFiles, kind: PanoramaKind, task: Task) -> Panoramas | None:
    """The 360-degree photos among the files; None where there are none.

    Args:
        files: The user's files; headers alone are read.
        kind: auto: files that say of themselves that they are equirectangular; all: every file.
        task: Warned of photos of this shape that do not say so.

    Raises:
        InputError: the video is not twice as wide as high, or depth maps are given.
    """
    if kind == "none":
        return None
    if files.video:
        return _film(files, files.video, kind, task)
    ids: list[str] = []
    refused: dict[str, tuple[str, str]] = {}
    silent: list[str] = []
    first_with: dict[str, str] = {}
    for photo_id, path in files.paths.items():
        task.check()
        size, says_so = _look(path)
        if size == (0, 0):  # whatever is wrong with it is told when it is read
            continue
        if kind == "auto" and not says_so:
            silent += [photo_id] if is_full(size) and size[0] >= 4 * _SMALLEST_PX else []
            continue
        if reason := _why_not(size, says_so=says_so):
            refused[photo_id] = reason
        elif twin := first_with.get(files.sha256[photo_id]):
            refused[photo_id] = f"it is a copy of {twin}", "One of them is enough."
        else:
            first_with[files.sha256[photo_id]] = photo_id
            ids.append(photo_id)
    if silent and not ids:
        task.warn(
            f"{len(silent)} of {len(files.paths)} photos, such as {silent[0]}, are twice as wide "
            "as high, as 360-degree photos are, and do not say that they are some. If they are, "
            "say --panorama all."
        )
    if not (ids or refused):
        return None
    if any(photo_id in files.sensor_depth for photo_id in ids):
        raise InputError(
            "Depth maps cannot be given with 360-degree photos.",
            hint="Leave out --depth, or say --panorama none if these are ordinary photos.",
        )
    return Panoramas(files, tuple(ids), refused)


def is_full(size: tuple[int, int]) -> bool:
    """Whether a picture of this width and height may show all directions."""
    return size[1] > 0 and abs(size[0] / (2 * size[1]) - 1) <= _SHAPE_TOLERANCE


def _film(files: FoundFiles, path: Path, kind: PanoramaKind, task: Task) -> Panoramas | None:
    says_so = film_says_so(path)
    if kind == "auto" and not says_so:
        return None
    _, width_px, height_px = film_amount(path, 1, task.check)
    if reason := _why_not((width_px, height_px), says_so=says_so):
        raise InputError(f"{path.name} cannot be used: {reason[0]}.", hint=reason[1])
    return Panoramas(files, tuple(files.paths))


def _why_not(size: tuple[int, int], *, says_so: bool) -> tuple[str, str] | None:
    width_px, height_px = size
    if not is_full(size):
        what = f"it is {width_px}x{height_px} pixels, and a full 360-degree photo is twice as wide"
        return (
            (
                f"it says that it is a panorama, but not one of all directions: {what} as high",
                "Stitch it to a full equirectangular picture, or say --panorama none if it is an "
                "ordinary photo.",
            )
            if says_so
            else (
                f"{what} as high",
                "Say --panorama auto where only some of the photos are 360-degree photos.",
            )
        )
    if width_px < _SMALLEST_PX:
        return f"it is only {width_px}x{height_px} pixels", "Use the photo at its full size."
    return None


def _look(path: Path) -> tuple[tuple[int, int], bool]:
    """Size and whether it says that it is equirectangular; 0, 0 where it cannot be opened."""
    try:
        with opened(path) as image:
            if read_orientation(image) != 1:
                # Panoramas are upright as they are stored.
                return image.size, False
            return image.size, or_else(lambda: bool(_SAYS_SO.search(_xmp(image))), False)
    except InputError:
        return (0, 0), False


def _xmp(image: Image.Image) -> bytes:
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return (found.encode() if isinstance(found, str) else bytes(found))[:_MOST_XMP_BYTES]


def film_says_so(path: Path) -> bool:
    """Whether a video (MP4 or MOV) says that its frames are equirectangular."""
    try:
        with path.open("rb") as stream:
            return any(bool(_FILM_SAYS_SO.search(head)) for head in _moov_boxes(stream))
    except OSError:
        return False


def _moov_boxes(stream: BinaryIO) -> Iterator[bytes]:
    """What the file says of its tracks; boxes begin with their size and name (ISO 14496-12)."""
    start, end = 0, stream.seek(0, os.SEEK_END)
    for _ in range(_MOST_BOXES):
        stream.seek(start)
        header = stream.read(16)
        if len(header) < 8:
            return
        size = int.from_bytes(header[:4], "big")
        if size == 1:  # the true one follows in 64 bits
            size = int.from_bytes(header[8:16], "big")
        if header[4:8] == b"moov":
            stream.seek(start)
            yield stream.read(min(size, _MOST_MOOV_BYTES) if size else _MOST_MOOV_BYTES)
        start += size
        if size < 8 or start >= end:  # 0 reaches to the end; less is no box
            return
