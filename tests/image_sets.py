"""Image sets of made-up photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from recon3d.core.scene import ImageSet
from recon3d.photos.finding import find_files
from recon3d.photos.ingest import IngestConfig, ingest, read_image_set
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Event, Task, silent


def scene(seed: int = 0, size: tuple[int, int] = (160, 120)) -> np.ndarray:
    """Something with detail at every scale, like a photo."""
    random = np.random.default_rng(seed)
    picture = np.zeros((size[1], size[0], 3))
    for octave in (4, 8, 16, 32, 64, 160):
        cells = random.random((octave, octave, 3))
        picture += cv2.resize(cells, size, interpolation=cv2.INTER_CUBIC) / octave**0.5
    return cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def make_image_set(
    photos: Path,
    folder: Path,
    *,
    masks: Path | None = None,
    depth: Path | None = None,
    config: IngestConfig = IngestConfig(),  # noqa: B008 - frozen
    listener: Callable[[Event], None] = silent,
    cancel: CancelToken | None = None,
) -> ImageSet:
    task = Task("ingest", listener, cancel or CancelToken(), Runtime(workers=2))
    folder.mkdir(exist_ok=True)
    ingest(find_files(photos, masks, depth, task), config, folder, task)
    return read_image_set(folder)


def reasons(image_set: ImageSet) -> dict[str, str]:
    assert all(not verdict.used and verdict.advice for verdict in image_set.verdicts)
    return {verdict.photo_id: verdict.reason for verdict in image_set.verdicts}
