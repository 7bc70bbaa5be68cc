"""Pictures and films of what is seen, written whole or not at all."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float32, UInt8

from recon3d.core.errors import OutputError
from recon3d.core.transform import Rigid
from recon3d.run.files import atomic_path

SUFFIXES = (".gif", ".mp4")
_MOST_FRAMES = 1200
_MOST_GIF_BYTES = 600_000_000
_SAMPLES = 6


def turntable(
    cam_from_model: Rigid, focus_distance: float, up_model: tuple[float, float, float], count: int
) -> Iterator[Rigid]:
    """Looks of a full turn around what a camera looks at; the first is its own."""
    centre, forward = cam_from_model.inverse().translation, cam_from_model.rotation[2]
    focus, up = centre + forward * focus_distance, np.array(up_model)
    cross = np.array([[0, -up[2], up[1]], [up[2], 0, -up[0]], [-up[1], up[0], 0]])
    for angle in 2 * np.pi * np.arange(count) / count:
        # Rodrigues' formula.
        turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        yield cam_from_model @ Rigid(turn, focus - turn @ focus)


def save_picture(target: Path, rgba: Float32[np.ndarray, "h w 4"]) -> None:
    """Write a PNG; colours are multiplied by their opacity, as the renderer leaves them.

    Raises:
        OutputError: it is no PNG, or the place cannot be written.
    """
    from PIL import Image

    if target.suffix.lower() != ".png":
        raise OutputError(f"{target.name} is no picture.", hint="End its name in .png.")
    opacity = rgba[..., 3:]
    colour = np.divide(rgba[..., :3], opacity, out=np.zeros_like(rgba[..., :3]), where=opacity > 0)
    pixels = _bytes(np.concatenate([colour, opacity], axis=2))
    is_opaque = bool((pixels[..., 3] == 255).all())
    with atomic_path(target) as part:
        Image.fromarray(pixels[..., :3] if is_opaque else pixels).save(part)


def film(
    target: Path,
    draw: Callable[[int, Float32[np.ndarray, "h w 4"]], None],
    count: int,
    frames_per_second: int,
    size_px: tuple[int, int],
) -> Generator[int, None, None]:
    """Write a film picture by picture; yields how many are done. Closing it early leaves nothing.

    draw: fills the picture of a number.

    Raises:
        OutputError: neither .gif nor .mp4, too long, or the place cannot be written.
    """
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise OutputError(f"{target.name} is no film.", hint="End its name in .gif or .mp4.")
    # Video is coded in blocks of two pixels.
    width_px, height_px = (max(2, side - side % 2) for side in size_px)
    if not 1 <= count <= _MOST_FRAMES or (
        suffix == ".gif" and count * width_px * height_px > _MOST_GIF_BYTES
    ):
        raise OutputError(
            f"A film of {count} pictures of {width_px} x {height_px} pixels is too long.",
            hint="Make it shorter or smaller; MP4 holds more than GIF.",
        )
    picture = np.zeros((height_px, width_px, 4), np.float32)
    with atomic_path(target) as part:
        writer = (
            _Gif(part, frames_per_second)
            if suffix == ".gif"
            else _film(part, frames_per_second, width_px, height_px)
        )
        try:
            if isinstance(writer, _Gif):
                samples = []
                for number in range(0, count, max(1, count // _SAMPLES)):
                    draw(number, picture)
                    samples.append(_bytes(picture[::2, ::2, :3]))
                writer.learn_colours(np.concatenate(samples))
            for number in range(count):
                draw(number, picture)
                writer.add(_bytes(picture[..., :3]))
                yield number + 1
            writer.finish()
        finally:
            writer.close()


class _Writer(Protocol):
    def add(self, rgb: UInt8[np.ndarray, "h w 3"]) -> None: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...


class _Gif:
    def __init__(self, part: Path, frames_per_second: int) -> None:
        self._part, self._seconds = part, 1 / frames_per_second
        self._pictures: list[Any] = []

    def learn_colours(self, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
        """One palette for all: a film flickers where each picture has its own."""
        from PIL import Image

        self._palette = Image.fromarray(rgb).quantize(256, Image.Quantize.MEDIANCUT)

    def add(self, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
        from PIL import Image

        picture = Image.fromarray(rgb)
        self._pictures.append(picture.quantize(palette=self._palette))

    def finish(self) -> None:
        first, *others = self._pictures
        # GIF counts hundredths of a second, and players take below two of them for ten.
        milliseconds = max(20, round(self._seconds * 100) * 10)
        first.save(self._part, save_all=True, append_images=others, duration=milliseconds, loop=0)

    def close(self) -> None:
        self._pictures.clear()


class _H264:
    """With PyAV, whose codecs are GPL: only where someone has installed it."""

    def __init__(self, part: Path, frames_per_second: int, width_px: int, height_px: int) -> None:
        import av

        self._container: Any = av.open(str(part), "w", options={"movflags": "faststart"})
        stream: Any = self._container.add_stream("libx264", rate=frames_per_second)
        stream.width, stream.height = width_px, height_px
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "18"}
        self._stream = stream

    def add(self, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
        import av

        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))

    def close(self) -> None:
        self._container.close()


class _Mpeg4:
    """With OpenCV; players show it, most browsers do not."""

    def __init__(self, part: Path, frames_per_second: int, width_px: int, height_px: int) -> None:
        import cv2

        # Its container follows from the name, and the part's ends in something else.
        self._part, self._made = part, part.with_name(f"{part.name}.mp4")
        code = cv2.VideoWriter.fourcc(*"mp4v")
        size = (width_px, height_px)
        self._writer = cv2.VideoWriter(
            str(self._made), cv2.CAP_FFMPEG, code, float(frames_per_second), size
        )
        if not self._writer.isOpened():
            raise OSError(errno.EIO, "OpenCV cannot write films here", str(part))

    def add(self, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
        self._writer.write(np.ascontiguousarray(rgb[..., ::-1]))

    def finish(self) -> None:
        self._writer.release()
        self._made.replace(self._part)

    def close(self) -> None:
        self._writer.release()
        self._made.unlink(missing_ok=True)


def _film(part: Path, frames_per_second: int, width_px: int, height_px: int) -> _H264 | _Mpeg4:
    try:
        import av
    except ImportError:
        return _Mpeg4(part, frames_per_second, width_px, height_px)
    if "libx264" not in av.codecs_available:
        return _Mpeg4(part, frames_per_second, width_px, height_px)
    return _H264(part, frames_per_second, width_px, height_px)


def _bytes(values: np.ndarray) -> UInt8[np.ndarray, "h w c"]:
    rounded: UInt8[np.ndarray, "h w c"] = np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
    return rounded
