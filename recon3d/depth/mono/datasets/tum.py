"""Sequences of the TUM RGB-D benchmark: rgb.txt and depth.txt with a time and a file on each line.

Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", IROS 2012. Depth has 5000
levels a metre and is registered to the photos.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from recon3d.core.camera import PinholeCamera
from recon3d.core.errors import InputError
from recon3d.depth.mono.datasets.files import frame_of, read_depth, read_matrix, read_rgb
from recon3d.depth.mono.frames import Frame, FrameSet
from recon3d.photos.documents import read_text

_LEVELS_PER_METRE = 5000
_MOST_APART_S = 0.02

# fx, fy, cx, cy as the benchmark publishes them, where the first pixel's centre is (0, 0).
_CAMERAS = {
    "freiburg1": (517.3, 516.5, 318.6, 255.3),
    "freiburg2": (520.9, 521.0, 325.1, 249.7),
    "freiburg3": (535.4, 539.2, 320.1, 247.6),
}
_ANY_CAMERA = (525.0, 525.0, 319.5, 239.5)


def find_tum(folder: Path) -> FrameSet | None:
    """The frames of one sequence; None where it is not one.

    K.txt beside the lists replaces the benchmark's own camera, which the folder's name tells.

    Raises:
        InputError: a list is broken, or no photo has a depth map within 20 ms.
    """
    lists = folder / "rgb.txt", folder / "depth.txt"
    if not all(path.is_file() for path in lists):
        return None
    (photo_times, photos), (depth_times, depths) = (_read_list(path) for path in lists)
    pairs = associated(photo_times, depth_times)
    if not pairs:
        raise InputError(f"{folder}: no photo has a depth map within {_MOST_APART_S} s.")
    names = tuple(photos[i] for i, _ in pairs)
    fx, fy, cx, cy = _intrinsics(folder)

    def read(position: int) -> Frame:
        i, j = pairs[position]
        rgb, depth_z = (
            read_rgb(folder / photos[i]),
            read_depth(folder / depths[j], _LEVELS_PER_METRE),
        )
        camera = PinholeCamera(rgb.shape[1], rgb.shape[0], fx, fy, cx, cy)
        return frame_of(str(folder / photos[i]), rgb, depth_z, camera)

    return FrameSet("tum", names, read)


def associated(
    first_s: Float[np.ndarray, "n"], second_s: Float[np.ndarray, "m"]
) -> list[tuple[int, int]]:
    """Pairs of positions whose times are at most 20 ms apart, closest first, each used once."""
    order = np.argsort(second_s, kind="stable")
    after = np.searchsorted(second_s[order], first_s)
    both = np.stack([after - 1, after], axis=1)
    # Beyond either end lies nothing, infinitely far away.
    ended_s = np.concatenate([[-np.inf], second_s[order], [np.inf]])
    apart = np.abs(ended_s[both + 1] - first_s[:, None])
    near = apart <= _MOST_APART_S
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for first, side in sorted(np.argwhere(near).tolist(), key=lambda at: apart[at[0], at[1]]):
        second = int(order[both[first, side]])
        if first not in pairs and second not in taken:
            pairs[first] = second
            taken.add(second)
    return sorted(pairs.items())


def _intrinsics(folder: Path) -> tuple[float, float, float, float]:
    if (folder / "K.txt").is_file():
        return read_matrix(folder / "K.txt")
    name = folder.resolve().name
    fx, fy, cx, cy = next((_CAMERAS[key] for key in _CAMERAS if key in name), _ANY_CAMERA)
    return fx, fy, cx + 0.5, cy + 0.5


def _read_list(path: Path) -> tuple[Float[np.ndarray, "n"], list[str]]:
    lines = [line.split() for line in read_text(path, InputError).splitlines()]
    entries = [words for words in lines if words and not words[0].startswith("#")]
    try:
        return np.array([float(time) for time, *_ in entries]), [name for _, name, *_ in entries]
    except ValueError as error:
        raise InputError(
            f"{path} is no list of times and files: {error}.",
            hint="A line looks like this: 1305031102.175304 rgb/1305031102.175304.png",
        ) from error
