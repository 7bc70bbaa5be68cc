"""What a file is by its first bytes, where its suffix says nothing or may lie."""

from __future__ import annotations

import re
import stat
from pathlib import Path

_PICTURE = re.compile(
    rb"\xff\xd8\xff[\xc0-\xfe]"  # JPEG
    rb"|\x89PNG\r\n|GIF8[79]a|RIFF....WEBP|\0\0\0\x0cjP  |\xff\x4f\xff\x51"
    rb"|II[*+]\0|MM\0[*+]"  # TIFF and BigTIFF
    rb"|....ftyp(?:avif|avis|hei[cxms]|hevc|mif1|msf1)"
    rb"|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"
    rb"|P[1-6Ff]\s",
    re.DOTALL,
)
_HEIF = re.compile(rb"....ftyp(?:hei[cxms]|hevc|mif1|msf1)", re.DOTALL)
_HEAD_BYTES = 18
_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def begins_like_a_picture(path: Path) -> bool:
    """Whether the first bytes are those of a format that is decoded; False if unreadable."""
    return bool(_PICTURE.match(_head(path)))


def begins_like_heif(path: Path) -> bool:
    """Whether it is a HEIC photo of a phone, or a relative; False if unreadable."""
    return bool(_HEIF.match(_head(path)))


def what_else(mode: int) -> str:
    """What the `st_mode` of a path says it is instead of a file; empty for files.

    Opening a pipe would wait for ever, and a device may never end.
    """
    return "" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "something else")


def _head(path: Path) -> bytes:
    try:
        if what_else(path.stat().st_mode):
            return b""
        with path.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except OSError:
        return b""
