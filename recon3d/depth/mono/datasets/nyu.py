"""NYU Depth v2 (Silberman et al., ECCV 2012): the labelled .mat file, or folders made from it.

The .mat file gives its parts train and test where splits.mat lies beside it. Known folders:

    .../<scene>/rgb_00045.jpg and sync_depth_00045.png     16 bits, millimetres (BTS)
    nyu2_train/<scene>/1.jpg and 1.png                     8 bits, 255 = 10 m (DenseDepth)
    nyu2_test/00000_colors.png and 00000_depth.png         16 bits, millimetres
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from recon3d.core.camera import PinholeCamera
from recon3d.core.errors import InputError, is_lack_of_memory, not_enough_memory
from recon3d.depth.mono.datasets.files import frame_of, read_depth, read_rgb
from recon3d.depth.mono.frames import Frame, FrameSet
from recon3d.photos.decoding import opened

_MAT = "nyu_depth_v2_labeled.mat"
_SPLITS = "splits.mat"
# The toolbox's colour camera, whose first pixel's centre is (0, 0).
_CAMERA = PinholeCamera(640, 480, 518.857901, 519.469611, 325.582449 + 0.5, 253.736166 + 0.5)
_FARTHEST_M = 10.0


def find_nyu(folder: Path) -> FrameSet | None:
    """The frames of the .mat file (given itself or by its folder) or of known folders, else None.

    Raises:
        InputError: the .mat file is broken, or h5py is not installed.
    """
    mat = folder if folder.suffix == ".mat" else folder / _MAT
    if mat.is_file():
        return _from_mat(mat)
    return _from_folders(folder)


def _from_mat(path: Path) -> FrameSet:
    with _opened(path) as content:
        try:
            rgb_shape, depth_shape = content["images"].shape, content["depths"].shape
        except (KeyError, AttributeError) as error:
            raise InputError(f"{path} lacks the arrays images and depths.") from error
    count = rgb_shape[0]
    # MATLAB stores columns first: (n, 3, width, height).
    if len(rgb_shape) != 4 or rgb_shape[1] != 3 or depth_shape != (count, *rgb_shape[2:]):
        raise InputError(f"{path}: images {rgb_shape} and depths {depth_shape} do not fit.")
    names = tuple(f"{number:04d}" for number in range(1, count + 1))

    def read(position: int) -> Frame:
        with _opened(path) as content:
            try:
                rgb = np.ascontiguousarray(content["images"][position].transpose(2, 1, 0))
                depth = np.ascontiguousarray(content["depths"][position].T).astype(np.float32)
            except (OSError, ValueError) as error:
                raise InputError(f"{path}: frame {position + 1} is broken: {error}.") from error
        known = np.isfinite(depth) & (depth > 0)
        name = f"{path}, frame {position + 1}"
        return frame_of(name, rgb.astype(np.uint8), np.where(known, depth, np.float32(0)), _CAMERA)

    return FrameSet("nyu", names, read, splits=_read_splits(path.with_name(_SPLITS), count))


def _opened(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise InputError(
            f"Reading {path.name} needs one more package.", hint="Run: pip install '.[train]'"
        ) from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(
            f"{path} is broken or cut off: {error}.", hint="Download it again (2.8 GB)."
        ) from error


def _read_splits(path: Path, count: int) -> dict[str, tuple[int, ...]]:
    if not path.is_file():
        return {}
    from scipy.io import loadmat

    try:
        content = loadmat(path)
        parts = {name: content[f"{name}Ndxs"].ravel().astype(int) - 1 for name in ("train", "test")}
    except Exception as error:  # scipy raises whatever it finds in a broken file
        if is_lack_of_memory(error):
            raise not_enough_memory(f"read {path.name}") from error
        raise InputError(f"{path} is not NYU's splits.mat: {error}.") from error
    if any(((part < 0) | (part >= count)).any() for part in parts.values()):
        raise InputError(f"{path} names frames beyond the {count} of {_MAT}.")
    return {name: tuple(part.tolist()) for name, part in parts.items()}


def _from_folders(folder: Path) -> FrameSet | None:
    pairs = {
        photo.relative_to(folder).as_posix(): (photo, depth) for photo, depth in _pairs(folder)
    }
    if not pairs:
        return None
    names = tuple(pairs)
    parts = {
        part: tuple(i for i, name in enumerate(names) if part in name.split("/")[0])
        for part in ("train", "test")
    }

    def read(position: int) -> Frame:
        photo, depth = pairs[names[position]]
        rgb = read_rgb(photo)
        camera = _CAMERA.resized(rgb.shape[1], rgb.shape[0])
        return frame_of(str(photo), rgb, _read_any_depth(depth), camera)

    splits = {part: places for part, places in parts.items() if places}
    return FrameSet("nyu", names, read, splits=splits)


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    for level in range(4):
        for photo in sorted(folder.glob("*/" * level + "rgb_*.jpg")):
            yield photo, photo.with_name(f"sync_depth_{photo.stem[4:]}.png")
    for photo in sorted(folder.glob("nyu2_train/*/*.jpg")):
        yield photo, photo.with_suffix(".png")
    for photo in sorted(folder.glob("nyu2_test/*_colors.png")):
        yield photo, photo.with_name(photo.name.replace("_colors", "_depth"))


def _read_any_depth(path: Path) -> Float32[np.ndarray, "h w"]:
    """Millimetres in 16 bits, or tenths of the full range of 10 m in 8 bits."""
    try:
        with opened(path) as image:
            if image.mode == "L":
                return np.asarray(image, np.float32) * np.float32(_FARTHEST_M / 255)
    except InputError as error:
        raise InputError(f"{path}: {error}.", hint=error.hint) from error
    return read_depth(path)
