"""The two passes over all photos: by what they look like, then also by what other views say."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from recon3d.core.depth import PredictedDepth
from recon3d.core.scene import PosedPhotos, View
from recon3d.depth.consistency import (
    JudgedMaps,
    RefineConfig,
    confirm,
    maps_of,
)
from recon3d.depth.contrast import visible
from recon3d.depth.estimate import read_predictions
from recon3d.depth.files import write_prediction
from recon3d.depth.patchmatch.levels import camera_at
from recon3d.depth.patchmatch.search import SHARES, Seen, search
from recon3d.run.stage import Stage
from recon3d.run.task import Task

_SOURCES = 5
_LEAST_APART = 0.1
"""Distance of a source, as a share of the usual one."""
_LEAST_ALIKE = 0.5
"""NCC below which what is found is no better than what was there; views that all went on with the
same plane over the same dark window would confirm each other."""
_LIKELY_RIGHT = ((0.3, 0.15), (0.7, 0.28), (0.8, 0.45), (0.85, 0.58), (0.92, 0.85), (0.97, 0.96))
"""How often what is found is within 2 % of the truth, by NCC, on rendered scenes. Texture (the
standard deviation of the window) changes little about it."""
_LEAST_ACTIVE = 0.002
"""Share of a photo's pixels below which a search is not worth its time."""


def passes(
    posed: PosedPhotos, config: RefineConfig
) -> Sequence[Stage[Mapping[str, PredictedDepth]]]:
    """The stages to run; none for a depth camera's maps, which know what they have not seen."""
    return () if posed.sensor_depth else (PATCHMATCH, GEOMETRIC)[: config.search_passes]


def search_unconfirmed(
    posed: PosedPhotos,
    predictions: Mapping[str, PredictedDepth],
    config: RefineConfig,
    folder: Path,
    task: Task,
    *,
    geometric: bool,
) -> None:
    """Write every prediction into `folder`, searched anew where no other view confirms it.

    predictions: in scene units.
    geometric: whether what the other views' predictions say has a part in the search.
    """
    kept_pictures = 2 * task.runtime.threads * (_SOURCES + 1)
    search_one = _Search(
        **maps_of(posed, predictions),
        config=config,
        geometric=geometric,
        kept_pictures=kept_pictures,
    )
    search_one.write_all(GEOMETRIC if geometric else PATCHMATCH, posed, folder, task)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Search(JudgedMaps):
    """Searching for slanted planes where nothing is confirmed."""

    geometric: bool
    kept_pictures: int
    """Of the photos that searches look at, which share many."""

    def __call__(self, photo_id: str, path: Path, task: Task) -> None:
        view, prediction = self.views[photo_id], self.predictions[photo_id]
        others = self.judges[photo_id]
        confirmed = confirm(view, prediction, others, self.predictions, self.config, task)
        active = (confirmed.depth_z == 0) & _inside(self.masks.get(photo_id), prediction)
        sources = _apart(view, others)
        if sources and active.mean() > _LEAST_ACTIVE and (prediction.values > 0).any():
            depth_z, unlike = search(
                self._seen(view),
                confirmed,
                [self._seen(source) for source in sources],
                active,
                zlib.crc32(photo_id.encode()),
                task.check,
                geometric=self.geometric,
            )
            found = (depth_z > 0) & (1 - unlike > _LEAST_ALIKE)
            prediction = replace(
                prediction,
                values=np.where(found, depth_z, prediction.values),
                confidence=np.where(found, _confidence(1 - unlike), prediction.confidence),
            )
        write_prediction(path, prediction)

    def _seen(self, view: View) -> Seen:
        photo_id = view.photo_id
        return Seen(view, self.predictions[photo_id], self._pictures(photo_id))

    @cached_property
    def _pictures(self) -> Callable[[str], list[UInt8[np.ndarray, "_h _w"]]]:
        @lru_cache(maxsize=self.kept_pictures)
        def pictures(photo_id: str) -> list[UInt8[np.ndarray, "_h _w"]]:
            return _pictures(self.rgb[photo_id], self.predictions[photo_id])

        return pictures


def _apart(view: View, others: Sequence[View]) -> list[View]:
    """The first few that did not stand where the view did: to those, every depth looks alike."""
    distance = [float(np.linalg.norm(other.centre_world - view.centre_world)) for other in others]
    least = _LEAST_APART * float(np.median(distance)) if distance else 0.0
    far = [other for other, d in zip(others, distance, strict=True) if d > 0 and d >= least]
    return far[:_SOURCES]


def _confidence(likeness: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """The share of pixels that are within 2 % of the truth."""
    return np.interp(likeness, *np.transpose(_LIKELY_RIGHT)).astype(np.float32)


def _pictures(
    rgb: UInt8[np.ndarray, "H W 3"], prediction: PredictedDepth
) -> list[UInt8[np.ndarray, "_h _w"]]:
    """A photo in grey at the resolutions of the search."""
    import cv2

    grey = cv2.cvtColor(visible(rgb), cv2.COLOR_RGB2GRAY)
    cameras = (camera_at(prediction.camera, share) for share in SHARES)
    sizes = ((camera.width_px, camera.height_px) for camera in cameras)
    return [np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA)) for size in sizes]


def _inside(
    mask: Bool[np.ndarray, "H W"] | None, prediction: PredictedDepth
) -> Bool[np.ndarray, "h w"]:
    import cv2

    if mask is None:
        return np.ones(prediction.values.shape, bool)
    size = (prediction.camera.width_px, prediction.camera.height_px)
    kept = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(kept) > 0


PATCHMATCH = Stage(
    name="patchmatch",
    result="aligned",
    version=2,
    run=partial(search_unconfirmed, geometric=False),
    read=read_predictions,
    libraries=("numpy", "opencv", "scipy", "numba"),
)

GEOMETRIC = replace(PATCHMATCH, name="geometric", run=partial(search_unconfirmed, geometric=True))
