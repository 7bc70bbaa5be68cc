"""Photos that lie, bite or lead elsewhere, and good ones to lie beside them."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from forged_bytes import (
    LAUGHS,
    exif,
    exif_inside,
    file_with,
    jpeg_of,
    picture,
    png,
    png_chunk,
    tiff,
    zip_of,
    zipped_zeros,
)
from PIL import Image


def good_photos(folder: Path, count: int = 3) -> None:
    rng = np.random.default_rng(0)
    for number in range(count):
        rgb = rng.integers(0, 255, (120, 160, 3), np.uint8)
        Image.fromarray(rgb).save(folder / f"{number}.jpg")


def bad_photos() -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Beside three good photos; each must be left out or read, and the others with it."""

    def in_photos(name: str, content: bytes | str) -> Callable[[Path], object]:
        return file_with(f"photos/{name}", content)

    bomb = zipped_zeros(200)
    contents: dict[str, bytes | str] = {
        "empty": b"",
        "text": "not a photo",
        "page of HTML": "<html><body>404 Not Found</body></html>",
        "PostScript": "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(../canary) (w) file\n",
        "PDF": "%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n",
        "SVG": '<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>',
        "zip": zip_of({"a.jpg": picture("JPEG")}),
        "gzip": gzip.compress(picture("JPEG")),
        "only the JPEG marker": b"\xff\xd8",
        "JPEG without an end": picture("JPEG")[:-300],
        "JPEG without a start": picture("JPEG")[20:],
        "JPEG that says 65500 x 3800": jpeg_of(65_500, 3_800),
        "JPEG that says 0 x 0": jpeg_of(0, 0),
        "PNG that says 60000 x 60000": png(60_000, 60_000),
        "PNG that says 2^31 x 2^31": png(1 << 31, 1 << 31),
        "PNG that says 1 x 50 million": png(1, 50_000_000),
        "PNG with a swollen profile": png(64, 48, png_chunk(b"iCCP", b"a\0\0" + bomb)),
        "PNG with swollen text": png(64, 48, png_chunk(b"zTXt", b"a\0\0" + bomb)),
        "PNG with 20000 texts": png(64, 48, *[png_chunk(b"tEXt", b"a\0b")] * 20_000),
        "PNG with a negative chunk": png(64, 48)[:33] + b"\xff\xff\xff\xff" + b"IDAT",
        "PNG of 16 bits": png(64, 48, bits=16),
        "PNG with a wrong palette": png(64, 48, kind=3),
        "TIFF that leads in a circle": tiff([(256, 4, 1, 64)], following=8),
        "TIFF of four billion strips": tiff(
            [(256, 4, 1, 64), (257, 4, 1, 48), (273, 4, 0xFFFFFFFF, 8), (279, 4, 0xFFFFFFFF, 8)]
        ),
        "TIFF of 65000 tags": tiff([(40_000 + n % 20_000, 4, 1, n) for n in range(65_000)]),
        "TIFF that says 2^31 x 2^31": tiff([(256, 4, 1, 1 << 31), (257, 4, 1, 1 << 31)]),
        "GIF of 5000 frames": picture(
            "GIF", save_all=True, append_images=[Image.new("P", (2, 2), n % 9) for n in range(5000)]
        ),
        "WebP that is cut": picture("WEBP")[:100],
        "WebP of a wrong length": b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff",
        "AVIF head": b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf\xff\xff\xff\xffmeta",
        "HEIC head": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\xff\xff\xff\xffmeta",
        "HEIC box of no length": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\0meta",
        "JPEG 2000 head": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100),
        "PSD head": b"8BPS\0\x01" + bytes(6) + b"\0\x03" + b"\x7f\xff\xff\xff" * 2 + bytes(4),
        "BMP of negative height": b"BM" + bytes(12) + struct.pack("<IiiI", 40, 64, -(1 << 31), 1),
        "Farbfeld of 2^32": b"farbfeld" + b"\xff" * 8,
        "PPM of a long number": b"P6\n" + b"9" * 5000 + b" 1\n255\n",
        "QOI of 2^32": b"qoif" + b"\xff" * 8 + b"\x03\0",
        "DDS head": b"DDS " + b"\x7c\0\0\0" + b"\xff" * 120,
        "EXIF that points to itself": exif(tiff([(34_665, 4, 1, 8)])),
        "EXIF of four billion values": exif(tiff([(282, 5, 0xFFFFFFFF, 8)])),
        "EXIF orientation 99": exif(tiff([(274, 3, 1, 99)])),
        "EXIF resolution of text": exif(tiff([(282, 2, 4, 0x7A7A7A7A)])),
        "EXIF focal length 0 / 0": exif_inside(34_665, (37_386, 5, 1, 0)),
        "EXIF position of text": exif_inside(34_853, (2, 2, 4, 0x7A)),
        "JPEG with a profile of noise": picture("JPEG", icc_profile=bytes(range(256)) * 20),
        "JPEG with an XMP bomb": picture("JPEG", xmp=LAUGHS.encode()[:60_000]),
        "1 x 1 pixel": png(1, 1),
    }  # fmt: skip
    for name, content in contents.items():
        yield name, in_photos("bad.jpg", content)
    yield "link to nowhere", lambda place: (place / "photos/bad.jpg").symlink_to("nowhere")
    yield "link to itself", lambda place: (place / "photos/bad.jpg").symlink_to("bad.jpg")
    yield "link to the folder above", lambda place: (place / "photos/up").symlink_to("..")
    yield "link to a device", lambda place: (place / "photos/bad.jpg").symlink_to("/dev/zero")
    yield "named pipe", lambda place: os.mkfifo(place / "photos/bad.jpg")
    yield "folder named like a photo", lambda place: (place / "photos/bad.jpg").mkdir()
    yield "name that is not UTF-8", lambda place: _raw_name(place, b"bad\xe4\xff.jpg")
    yield "name that clears the screen", lambda place: _raw_name(place, b"\x1b[2J\x1b]0;x\x07.jpg")
    yield "name of two lines", lambda place: _raw_name(place, b"a\nerror: all is lost.jpg")
    yield "name of 250 letters", lambda place: _raw_name(place, b"a" * 246 + b".jpg")
    yield "name that looks like an option", lambda place: _raw_name(place, b"--help.jpg")
    yield "name right to left", lambda place: _raw_name(place, "\u202egpj.exe.jpg".encode())
    yield "resource fork of a Mac", in_photos("._0.jpg", b"\0\x05\x16\x07" + bytes(100))
    yield "film that is text", in_photos("film.mp4", "not a film")
    yield "film of nothing", in_photos("film.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")
    yield "film box of 2^64", in_photos("film.mov", b"\0\0\0\x01moov" + b"\xff" * 8)
    yield (
        "playlist of other files",
        in_photos("film.mp4", "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    )
    yield "a thousand empty files", _many_empty
    yield "folders nested 200 deep", _deep


def _raw_name(place: Path, name: bytes) -> None:
    (place / "photos" / os.fsdecode(name)).write_bytes(b"not a photo")


def _many_empty(place: Path) -> None:
    for number in range(1_000):
        (place / f"photos/e{number}.jpg").touch()


def _deep(place: Path) -> None:
    folder = place / "photos"
    for _ in range(200):
        folder /= "d"
        folder.mkdir()
