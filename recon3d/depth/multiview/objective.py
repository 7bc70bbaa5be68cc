"""What the multi-view network learns from: an endless stream of rendered scenes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from recon3d.depth.multiview.edges import near_edges
from recon3d.depth.multiview.losses import is_right, losses, relative_error
from recon3d.depth.multiview.network import Estimate, MultiViewNet
from recon3d.depth.multiview.recipe import MultiViewData
from recon3d.depth.multiview.samples import Sample, collate, make_sample
from recon3d.depth.training.pictures import colour_map, side_by_side
from recon3d.depth.training.scene_bank import SceneBank


class MultiViewObjective:
    """Learns place in the inverse range, and when to trust it."""

    def __init__(self, bank: SceneBank, data: MultiViewData, device: torch.device) -> None:
        """The bank's scenes are read, or rendered, when they are needed."""
        torch.manual_seed(data.seed)
        self.model: nn.Module = MultiViewNet()
        self._bank = bank
        self._data = data
        self._device = device

    def batch(self, step: int) -> list[Sample]:
        """The parts of a step."""
        return [self._part(self._data.parts * step + part) for part in range(self._data.parts)]

    def _part(self, step: int) -> Sample:
        """Samples of one shape of photo, with as many sources and planes."""
        rng = np.random.default_rng((self._data.seed, step))
        # SceneBank: every third scene stands upright.
        upright = step % 3 == 0
        thirds = -(-self._data.scenes // 3) if upright else self._data.scenes // 3
        numbers = 3 * rng.integers(0, thirds, self._data.batch)
        if not upright:
            numbers += rng.integers(1, 3, self._data.batch)
        sources, planes = int(rng.integers(2, 6)), int(rng.integers(5, 9)) * 8
        return self._samples(numbers.tolist(), step, sources, planes)

    def loss(self, model: nn.Module, batch: Sample) -> tuple[Tensor, dict[str, float]]:
        """The sum of all its terms, and each of them."""
        estimate: Estimate = model(batch.views)
        parts = losses(estimate, batch.views, batch.depth_z)
        values = {name: value.item() for name, value in parts.items()}
        return torch.stack(list(parts.values())).sum(), values

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Means over the held-out scenes.

        Shares more than 5 % off, of all pixels and of those near depth edges; relative error; share
        within 2 %; share of the sky that is trusted; and how far the stated trust is from the share
        that is right.
        """
        errors, edges, trust, right, sky = [], [], [], [], []
        for number in self._data.held_out:
            sample = self._held_out(number)
            estimate = model(sample.views)
            error = relative_error(estimate.full, sample.views, sample.depth_z)
            known = sample.depth_z > 0
            errors.append(error[known].clamp_max(1.0))
            edges.append(error[known & near_edges(sample.depth_z)])
            trust.append(estimate.trust.sigmoid().flatten())
            right.append(is_right(estimate.full, sample.views, sample.depth_z).flatten())
            sky.append(estimate.trust[~known] > 0)

        def mean(values: list[Tensor]) -> float:
            shares = [value.float().mean().item() for value in values if len(value)]
            return float(np.mean(shares)) if shares else 0.0

        return {
            "missed": mean([error > 0.05 for error in errors]),
            "missed_at_edges": mean([error > 0.05 for error in edges]),
            "relative_error": mean(errors),
            "within_2_percent": mean([error < 0.02 for error in errors]),
            "sky_trusted": mean([torch.cat(sky)]),
            "trust_error": _calibration_error(torch.cat(right), torch.cat(trust)),
        }

    def pictures(self, model: nn.Module) -> Mapping[str, Tensor]:
        """Photo, truth, prediction and trust of a few held-out scenes."""
        shown = {}
        for number in self._data.held_out[:4]:
            sample = self._held_out(number)
            estimate = model(sample.views)
            inverse = sample.views.inverse_range[0]
            truth = (1 / sample.depth_z[0].clamp_min(1e-6) - inverse[0]) / (inverse[1] - inverse[0])
            shown[f"scene {number}"] = side_by_side(
                sample.views.reference[0],
                colour_map(truth * (sample.depth_z[0] > 0)),
                colour_map(estimate.full[0]),
                estimate.trust.sigmoid().expand(3, -1, -1),
            )
        return shown

    def _held_out(self, number: int) -> Sample:
        return self._samples([number], number, 4, 48)

    def _samples(self, numbers: list[int], step: int, sources: int, planes: int) -> Sample:
        size = (self._data.width_px, self._data.height_px)
        samples = []
        for place, number in enumerate(numbers):
            generator = torch.Generator().manual_seed(
                (self._data.seed << 40) + step * self._data.batch + place
            )
            scene = self._bank.scene(number, self._device)
            height, width = scene.rgb.shape[-2:]
            window = size if width >= height else size[::-1]
            samples.append(
                make_sample(
                    scene, generator, size=window, sources=sources, planes=planes,
                    at_edges=self._data.at_edges,
                )
            )  # fmt: skip
        return collate(samples)


def _calibration_error(right: Tensor, trust: Tensor) -> float:
    """Expected calibration error (Guo et al. 2017) over ten bins."""
    bins = (trust * 10).long().clamp(0, 9)
    total = 0.0
    for index in range(10):
        chosen = bins == index
        if chosen.any():
            gap = (right[chosen].float().mean() - trust[chosen].mean()).abs()
            total += gap.item() * chosen.float().mean().item()
    return total
