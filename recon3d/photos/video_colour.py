"""The colours of videos -> sRGB: what a film says of its light, and what its reader has made of it.

Phones film in HLG, cameras and programs also in PQ: ten bits, of which a screen's eight show a
pale picture unless they are tone-mapped. OpenCV's FFmpeg does that from version 8 on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from jaxtyping import UInt8

from recon3d.photos.broken import or_else

_HDR = {16: "PQ", 18: "HLG"}
"""Transfer characteristics of ITU-T H.273."""
_MAPPING_SWSCALE = 9
# MP4 and MOV: a colour box with primaries, transfer and matrix, somewhere in the box that
# describes the film (ISO 14496-12, 12.1.5).
_COLOUR_BOX = re.compile(rb"colrncl[xc]..(..)..", re.DOTALL)
_MOST_MOOV_BYTES = 1 << 28
# MKV and WebM: the element Colour with TransferCharacteristics in it (RFC 9559), near the start.
_EBML = b"\x1a\x45\xdf\xa3"
_COLOUR_ELEMENT = re.compile(rb"\x55\xb0[\x80-\xff].{0,80}?\x55\xba\x81(.)", re.DOTALL)
_HEAD_BYTES = 1 << 20


def hdr_curve(video: Path) -> str:
    """HLG or PQ where the file says that its light is stored so; empty for ordinary videos."""
    return _HDR.get(or_else(lambda: _transfer(video), 0), "")


def flaw_of(video: Path) -> str:
    """What makes the colours of its frames worse than they look, in words; empty for nothing."""
    curve = hdr_curve(video)
    if not curve or _tone_maps():
        return ""
    return f"its video is HDR ({curve}), which this OpenCV cannot tone-map: its colours are pale"


def to_srgb(rgb: UInt8[np.ndarray, "h w 3"], curve: str) -> UInt8[np.ndarray, "h w 3"]:
    """A frame as OpenCV hands it out; curve: what `hdr_curve` says of its video.

    What FFmpeg has tone-mapped is for a television, whose light goes with the power 2.4 of the
    signal (ITU-R BT.1886), white being 203 cd/m2 (BT.2408); brighter light is cut.
    """
    if not curve or not _tone_maps():
        return rgb
    light = np.linspace(0, 1, 256) ** 2.4
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * signal).astype(np.uint8)[rgb]


@cache
def _tone_maps() -> bool:
    """Whether OpenCV's FFmpeg is one that tone-maps."""
    found = re.search(r"swscale:\s+YES \((\d+)\.", cv2.getBuildInformation())
    return found is not None and int(found[1]) >= _MAPPING_SWSCALE


def _transfer(video: Path) -> int:
    with video.open("rb") as stream:
        if stream.read(4) == _EBML:
            found = _COLOUR_ELEMENT.search(stream.read(_HEAD_BYTES))
        else:
            found = next(filter(None, map(_COLOUR_BOX.search, _descriptions(stream))), None)
    return int.from_bytes(found[1], "big") if found else 0


def _descriptions(stream: BinaryIO) -> Iterator[bytes]:
    """The contents of the boxes `moov` of an MP4 or MOV; the pictures are skipped."""
    at = 0
    while True:
        stream.seek(at)
        head = stream.read(16)
        size, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if size == 1:  # a long box has its size behind its name
            size = int.from_bytes(head[8:16], "big")
        if kind == b"moov":
            stream.seek(at + 8)
            yield stream.read(min(size or _MOST_MOOV_BYTES, _MOST_MOOV_BYTES))
        if size < 8 or len(head) < 8:
            return
        at += size
