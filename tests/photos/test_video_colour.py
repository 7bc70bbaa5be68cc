"""Films in HLG and PQ end in sRGB, or say that they do not."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from films import film
from image_sets import make_image_set, scene

from recon3d.photos import video_colour
from recon3d.photos.ingest import INGEST
from recon3d.photos.video import read_frames
from recon3d.photos.video_colour import flaw_of, hdr_curve

LEVELS = np.linspace(0, 255, 8).round().astype(int)
WHITE_NITS = 203.0  # ITU-R BT.2408


def light(levels: np.ndarray) -> np.ndarray:
    signal = levels / 255
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def hlg(levels: np.ndarray) -> np.ndarray:
    """ITU-R BT.2100, for a display of 1000 cd/m2; of grey only."""
    scene_light = (WHITE_NITS / 1000 * light(levels)) ** (1 / 1.2)
    a, b = 0.17883277, 0.28466892
    high = a * np.log(np.maximum(12 * scene_light - b, 1e-9)) + 0.55991073
    return np.where(scene_light <= 1 / 12, np.sqrt(3 * scene_light), high)


def pq(levels: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084."""
    power = (WHITE_NITS / 10000 * light(levels)) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hdr_film(path: Path, signal: np.ndarray, transfer: int) -> Path:
    """Grey bars of 32 pixels in ten bits, as phones write them."""
    if "libx265" not in av.codecs_available:
        pytest.skip("this build of PyAV has no H.265")
    bars = np.repeat(np.round((219 * signal + 16) * 4), 32)
    luma = np.tile(bars, (64, 1)).astype(np.uint16)
    planes = luma, np.full((32, luma.shape[1] // 2), 512, np.uint16)
    frame = av.VideoFrame(luma.shape[1], 64, "yuv420p10le")
    for plane, values in zip(frame.planes, (*planes, planes[1]), strict=True):
        rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
        rows[:, : values.shape[1]] = values
        plane.update(rows.tobytes())
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=10)
        stream.width, stream.height, stream.pix_fmt = luma.shape[1], 64, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries = context.colorspace = 9
        context.color_trc, context.color_range = transfer, 1
        stream.options = {"crf": "4", "x265-params": "log-level=none"}
        for number in range(3):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(("curve", "transfer"), [(hlg, 18), (pq, 16)])
def test_grey_of_a_film_in_more_than_eight_bits_comes_out_as_it_was_meant(
    tmp_path: Path, suffix: str, curve: object, transfer: int
) -> None:
    assert callable(curve)
    path = hdr_film(tmp_path / f"a.{suffix}", curve(LEVELS), transfer)
    assert hdr_curve(path) == {18: "HLG", 16: "PQ"}[transfer]
    if flaw_of(path):
        pytest.skip("this build of OpenCV does not tone-map")
    ((_, rgb),) = read_frames(path, [1])
    shown = rgb[32, 16::32].astype(int)
    # Ten bits, FFmpeg's tables of 33 steps and 8 bits in between are each off by a level.
    assert np.abs(shown - LEVELS[:, None]).max() <= 4


def test_ordinary_films_stay_as_they_are(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [np.full((64, 64), 120, np.uint8)] * 3)
    assert hdr_curve(path) == ""
    ((_, rgb),) = read_frames(path, [1])
    assert np.abs(rgb.astype(int) - 120).max() <= 2


def test_an_opencv_that_cannot_tone_map_says_so_on_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_colour, "_tone_maps", lambda: False)
    monkeypatch.setattr(video_colour, "_transfer", lambda video: 18)
    greys = [np.roll(scene(0)[..., 0], 8 * n, axis=1) for n in range(20)]
    image_set = make_image_set(film(tmp_path / "a.mp4", greys), tmp_path / "out")
    (warning,) = INGEST.warnings(tmp_path / "out")
    assert f"{len(image_set.photos) - 1} more: its video is HDR (HLG)" in warning


@pytest.mark.parametrize("content", [b"", b"\0\0\0\x08moov", b"\0\0\0\0moov", b"\x1a\x45\xdf\xa3"])
def test_a_file_that_is_cut_off_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    assert hdr_curve(tmp_path / "a.mp4") == ""
    assert hdr_curve(tmp_path / "gone.mp4") == ""
