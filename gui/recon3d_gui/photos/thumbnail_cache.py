"""Thumbnails on the disk, one small JPEG a photo, with what is known of it as the comment."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from recon3d.core.errors import OutputError, ReconError
from recon3d.run.files import atomic_path
from recon3d_gui.photos.facts import (
    THUMBNAIL_PX,
    Thumbnail,
    facts_from_text,
    facts_to_text,
    make_thumbnail,
)

# Part of every name: files of another version are never read.
_VERSION = 2


class ThumbnailCache:
    """A folder of thumbnails by path, size and time of the photos; any of it may be deleted.

    It holds at most `most_bytes` after each `prune`, the latest made. Usable from many threads.
    """

    def __init__(self, folder: Path, most_bytes: int = 128 << 20) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def look_at(self, photo: Path) -> Thumbnail:
        """The thumbnail of a photo as it is now, made if it is not there."""
        try:
            status = photo.stat()
        except OSError:
            return make_thumbnail(photo)
        identity = f"{_VERSION} {photo.absolute()} {status.st_size} {status.st_mtime_ns}"
        name = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:40]
        file = self._folder / name[:2] / f"{name}.jpg"
        found = _read(file) if file.exists() else None
        if found is None:
            found = make_thumbnail(photo)
            # A full disk or a read-only home only makes the next start slower.
            with suppress(OutputError, OSError):
                _write(file, found)
        return found

    def prune(self) -> None:
        """Delete the oldest thumbnails beyond the bound, and what a killed program left."""
        found = []
        with suppress(OSError):
            for file in self._folder.glob("*/*.jpg"):
                with suppress(OSError):
                    status = file.stat()
                    found.append((status.st_mtime_ns, status.st_size, file))
        kept_bytes = 0
        for _, size, file in sorted(found, reverse=True):
            kept_bytes += size
            if kept_bytes > self._most_bytes or file.name.startswith("."):
                with suppress(OSError):
                    file.unlink()


def _read(file: Path) -> Thumbnail | None:
    from recon3d.photos.decoding import opened

    try:
        with opened(file) as image:
            if max(image.size) > THUMBNAIL_PX:
                return None
            return Thumbnail(facts_from_text(image.info["comment"]), np.asarray(image))
    except ReconError:
        return None


def _write(file: Path, thumbnail: Thumbnail) -> None:
    from PIL import Image

    if thumbnail.rgb is None:  # to be looked at again: it may have been half copied
        return
    with atomic_path(file) as part:
        comment = facts_to_text(thumbnail.facts)
        Image.fromarray(thumbnail.rgb).save(part, "JPEG", quality=88, comment=comment)
