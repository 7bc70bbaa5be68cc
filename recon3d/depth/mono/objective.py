"""What the monocular network learns from: random views of frames, and how it is judged."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float32, Int
from torch import Tensor, nn

from recon3d.core.errors import InputError
from recon3d.core.scene import Unit
from recon3d.depth.mono.drawing import panel, points
from recon3d.depth.mono.frames import Frame, FrameSet
from recon3d.depth.mono.inference import picture_tensor, predict_depth, ray_tensor
from recon3d.depth.mono.losses import parse_loss
from recon3d.depth.mono.recipe import ModelConfig, Recipe
from recon3d.depth.mono.scores import Scaling, depth_scores, scaled_to_truth
from recon3d.depth.mono.views import canonical_factor, training_size, training_view
from recon3d.depth.synthetic import degrade

_log = logging.getLogger(__name__)

_PART_ON_CPU = 8
"""Photos that one thread learns from; they are also what is normalised jointly."""
_BROKEN_IN_A_ROW = 20
_LOOKED_AT, _VALIDATED, _SHOWN = 9, 60, 4
_JUDGED = ("abs_rel", "delta1", "rmse", "silog")


@dataclass(frozen=True, eq=False)
class Batch:
    """Training samples of one size."""

    rgb: Tensor
    """(n, 3, h, w), 0 to 1."""
    rays: Tensor
    """(n, 2, h, w), x and y of each pixel's direction."""
    log_depth: Tensor
    """(n, 1, h, w), canonical."""
    valid: Tensor
    """(n, 1, h, w) bool."""

    def part(self, first: int, end: int) -> Batch:
        """Some of the samples."""
        where = slice(first, end)
        return Batch(self.rgb[where], self.rays[where], self.log_depth[where], self.valid[where])


class MonoObjective:
    """Learns log depth; frames whose files are broken are named once and passed over."""

    def __init__(
        self,
        model: nn.Module,
        training: FrameSet,
        validation: FrameSet,
        recipe: Recipe,
        device: torch.device,
    ) -> None:
        """A few frames are read at once, because their aspect decides that of all samples.

        Raises:
            InputError: none of them can be read.
            ConfigError: the recipe's loss is none.
        """
        self.model = model
        self._training = training
        self._validation = validation
        self._recipe = recipe
        self._device = device
        self._loss = parse_loss(recipe.loss)
        self._broken: set[str] = set()
        looked_at = [self._read(training, i) for i in _spread(len(training), _LOOKED_AT)]
        self._size = training_size([frame.camera for frame in looked_at], recipe.model)
        self._read(validation, 0)
        # Threads, because decoding photos lets others run meanwhile.
        self._pool = ThreadPoolExecutor(min(8, recipe.batch))

    def batch(self, step: int) -> list[Batch]:
        """Each frame comes once before any comes again; in parts for the processor's cores."""
        size = self._recipe.batch
        numbers = range(step * size, (step + 1) * size)
        samples = list(self._pool.map(self._sample, numbers))
        photos = torch.stack([picture_tensor(frame.rgb) for frame, _ in samples]).to(self._device)
        if self._recipe.augmentation.camera_faults:
            generator = torch.Generator(self._device)
            photos = degrade(photos, generator.manual_seed((self._recipe.seed << 32) + step))
        log_depth = torch.from_numpy(np.stack([log_depth for _, log_depth in samples]))[:, None]
        part = _PART_ON_CPU if self._device.type == "cpu" else size
        rays = torch.stack([ray_tensor(frame.camera) for frame, _ in samples]).to(self._device)
        target = log_depth.to(self._device)
        whole = Batch(photos.float() / 255, rays, target.nan_to_num(), torch.isfinite(target))
        return [whole.part(first, first + part) for first in range(0, size, part)]

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The recipe's mixture, and each part."""
        return self._loss(model(batch.rgb, batch.rays), batch.log_depth, batch.valid)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Means over photos that training never sees, after median scaling where scale is free."""
        rows = []
        for position in _spread(len(self._validation), _VALIDATED):
            frame = self._read(self._validation, position)
            scores = depth_scores(self._predicted(model, frame), frame.depth_z)
            rows.append([getattr(scores, name) for name in _JUDGED])
        return dict(zip(_JUDGED, np.mean(rows, axis=0).tolist(), strict=True))

    def pictures(self, model: nn.Module) -> Mapping[str, Tensor]:
        """A few held-out photos: photo, truth, prediction and error, and the first one's points."""
        shown: dict[str, Tensor] = {}
        for position in _spread(len(self._validation), _SHOWN):
            frame = self._read(self._validation, position)
            depth_z = self._predicted(model, frame)
            shown[frame.name] = panel(frame, depth_z)
            shown.setdefault("points", points(frame, depth_z))
        return shown

    def _predicted(self, model: nn.Module, frame: Frame) -> Float32[np.ndarray, "h w"]:
        depth_z, _ = predict_depth(model, self._recipe.model, frame.rgb, frame.camera)
        scaling: Scaling = "median" if self._training.unit == "scene" else "none"
        return scaled_to_truth(depth_z, frame.depth_z, scaling)

    def _sample(self, number: int) -> tuple[Frame, Float32[np.ndarray, "h w"]]:
        """The number-th sample of the whole run and its canonical log depth."""
        epoch, place = divmod(number, len(self._training))
        position = _order(self._recipe.seed, epoch, len(self._training))[place]
        rng = np.random.default_rng((self._recipe.seed, number))
        view = training_view(
            self._read(self._training, int(position)),
            self._size,
            self._recipe.model,
            self._recipe.augmentation,
            rng,
        )
        return view, canonical_log_depth(view, self._recipe.model, self._training.unit)

    def _read(self, frames: FrameSet, position: int) -> Frame:
        """A frame, or the next one that can be read."""
        for further in range(min(_BROKEN_IN_A_ROW, len(frames))):
            try:
                return frames[(position + further) % len(frames)]
            except InputError as error:
                if str(error) not in self._broken:
                    self._broken.add(str(error))
                    _log.warning("left out: %s", error)
                last = error
        raise InputError(
            f"{min(_BROKEN_IN_A_ROW, len(frames))} frames in a row cannot be read; the last: {last}"
        )


def canonical_log_depth(
    frame: Frame, config: ModelConfig, unit: Unit
) -> Float32[np.ndarray, "h w"]:
    """What the network shall say of a frame; NaN where depth is unknown.

    Where the scale is arbitrary, the median of the logarithms is 0.
    """
    known = frame.depth_z > 0
    depth_z = np.where(known, frame.depth_z, np.float32(np.nan))
    log_depth = np.log(depth_z / np.float32(canonical_factor(frame.camera, config)))
    if unit == "scene" and known.any():
        log_depth -= np.nanmedian(log_depth)
    return log_depth


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> Int[np.ndarray, "n"]:
    return np.random.default_rng((seed, epoch, count)).permutation(count)


def _spread(count: int, most: int) -> list[int]:
    """At most so many positions, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()
