"""What happens to files that lie is decided before they are decoded."""

from __future__ import annotations

import ast
import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon3d.core.errors import InputError, NotEnoughMemoryError
from recon3d.photos import decoding
from recon3d.photos.decoding import opened
from recon3d.photos.pictures import read_picture, read_upright
from recon3d.run.device import Runtime

ROOT = Path(__file__).resolve().parents[2]
UPRIGHT = np.zeros((40, 60, 3), np.uint8)
UPRIGHT[:20, :30] = 255


def test_pictures_are_opened_in_one_place_only() -> None:
    doors = {
        path.relative_to(ROOT).as_posix()
        for room in ("recon3d", "gui", "calib")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        if ast.unparse(node.func) in ("Image.open", "cv2.imread", "cv2.imdecode", "plt.imread")
    }
    assert doors == {"recon3d/photos/decoding.py"}


@pytest.mark.parametrize("name", ["a.jpg", "a.eps", "a"])
def test_a_photo_never_starts_another_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # Pillow gives Encapsulated PostScript, whatever its name, to the program gs.
    ran = tmp_path / "gs ran"
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ntouch "{ran}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    (tmp_path / name).write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(InputError, match=r"not a photo|\.eps pictures are not read"):
        read_picture(tmp_path / name)
    assert not ran.exists()


class OddError(Exception):
    """What no list of expected errors holds."""


@pytest.mark.parametrize("error", [OddError(), zlib.error(), RuntimeError(), RecursionError()])
def test_whatever_a_decoder_throws_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    Image.fromarray(UPRIGHT).save(tmp_path / "a.png")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(InputError, match="broken or cut off"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.avif", "a.jp2", "a.ppm", "a.bmp", "a.jpg"])
def test_files_of_every_format_may_be_damaged_anywhere(tmp_path: Path, name: str) -> None:
    random = np.random.default_rng(8)
    noise = Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8))
    try:
        noise.save(tmp_path / name)
    except (KeyError, OSError):
        pytest.skip("this build of Pillow cannot write it")
    whole = np.frombuffer((tmp_path / name).read_bytes(), np.uint8)
    for _ in range(30):
        hurt = whole.copy()
        hurt[random.integers(0, min(len(hurt), 300), 5)] = random.integers(0, 256, 5)
        (tmp_path / name).write_bytes(hurt[: random.integers(1, len(hurt) + 1)].tobytes())
        try:
            read_picture(tmp_path / name)
        except InputError as error:
            assert str(error)  # noqa: PT017 - both ends are right, a crash is not


def test_what_is_not_a_file_is_named_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(tmp_path)  # names of sockets are short
        server.bind("socket.jpg")
        os.chdir(here)
    for name, what in {
        "pipe": "a pipe", "folder": "a folder", "socket": "a socket", "zero": "a device",
        "link": "a link to a file that is not there",
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=f"it is {what}"):
            read_picture(tmp_path / f"{name}.jpg")


def test_more_than_the_machine_has_left_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (8000, 6000), 200).save(tmp_path / "a.png")
    monkeypatch.setattr(Runtime, "room_bytes", property(lambda self: 2**28))
    with (
        pytest.raises(NotEnoughMemoryError, match=r"8000x6000 pixels; it takes about 0\.72 GiB"),
        opened(tmp_path / "a.png"),
    ):
        pytest.fail("it was opened")


def test_planned_memory_is_not_less_than_what_decoding_takes() -> None:
    # Four bytes a pixel each in Pillow, for the colours and for the turn, and three to hand out.
    assert decoding.decoding_bytes(1, 1) >= 4 + 4 + 4 + 3


def odd_exif(tag: int, kind: int, count: int, value: bytes, orientation: int) -> bytes:
    """EXIF of two tags; a value of more than four bytes lies behind them."""
    rows = struct.pack("<HHII", 0x112, 3, 1, orientation)
    where = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", 8 + 2 + 24 + 4)
    rows += struct.pack("<HHI", tag, kind, count) + where
    behind = value if len(value) > 4 else b""
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + rows + bytes(4) + behind


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.parametrize(
    ("tag", "kind", "count", "value"),
    [
        (0x11A, 2, 4, b"72\0\0"),
        (0x11A, 10, 1, struct.pack("<ii", -5, 1)),
        (0x11A, 5, 1, struct.pack("<II", 1, 0)),
        (0x128, 2, 3, b"in\0"),
        (0x8769, 4, 1, struct.pack("<I", 2**31)),
        (0x8825, 2, 2, b"x\0"),
        (0x9C9B, 99, 7, b"unknown"),
    ],
    ids=["text", "negative", "by zero", "unit", "beyond", "gps", "kind"],
)
def test_odd_tags_make_no_good_photo_broken(
    tmp_path: Path, name: str, tag: int, kind: int, count: int, value: bytes
) -> None:
    exif = odd_exif(tag, kind, count, value, 6)
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(UPRIGHT)))
    stored.save(tmp_path / name, exif=exif, quality=95)
    rgb = read_upright(tmp_path / name)
    assert rgb.shape == UPRIGHT.shape
    assert np.abs(rgb.astype(int) - UPRIGHT).mean() < 4


def test_one_odd_tag_does_not_cost_the_others(tmp_path: Path) -> None:
    exif = odd_exif(0x110, 2, 6, b"Nice 1", 1)[:-6] + b"Nice 1"
    Image.fromarray(UPRIGHT).save(tmp_path / "a.jpg", exif=exif)
    assert read_picture(tmp_path / "a.jpg").exif.model == "Nice 1"


def test_a_turned_tiff_has_an_upright_preview_too(tmp_path: Path) -> None:
    from recon3d.photos.pictures import read_preview

    stored = Image.fromarray(np.ascontiguousarray(np.rot90(UPRIGHT)))
    stored.save(tmp_path / "a.tif", tiffinfo={0x112: 6})
    preview = read_preview(tmp_path / "a.tif", 60)
    assert (preview.width_px, preview.height_px) == (60, 40)
    np.testing.assert_array_equal(preview.rgb, UPRIGHT)
