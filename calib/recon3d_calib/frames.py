"""Videos of a board -> their sharpest frames, as photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recon3d.photos.video import pick_frames, read_frames
from recon3d.run.task import Task


def choose_frames(video: Path, most: int, task: Task) -> list[int]:
    """The numbers of frames that are sharp and differ.

    Raises:
        InputError: the video cannot be decoded.
        Cancelled: the task was stopped.
    """
    return pick_frames(video, most, lambda done, total: task.step(done, total, "reading"))


def write_frames(video: Path, folder: Path, wanted: Sequence[int], task: Task) -> dict[str, Path]:
    """Write frames as they are stored, without loss; their paths by a name that holds the number.

    Like photos they are not turned: calibration is about the sensor.

    Raises:
        InputError: the video cannot be decoded.
        Cancelled: the task was stopped.
    """
    from PIL import Image

    paths: dict[str, Path] = {}
    frames = read_frames(video, wanted, upright=False)
    for index, rgb in task.each(frames, len(wanted), lambda item: str(item[0])):
        name = f"frame {index:06}.png"
        paths[name] = folder / name
        Image.fromarray(rgb).save(paths[name], compress_level=1)
    return paths
