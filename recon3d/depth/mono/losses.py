"""Losses of log depth, alone or in a weighted mixture such as "silog+0.5*gradient".

All take the error e = predicted - true log depth, so that ten percent weigh the same near and far,
at the pixels whose depth is known, and give one number a picture:

    mse       mean of e^2
    l1        mean of |e|
    berhu     |e| up to c, beyond it (e^2 + c^2) / 2c, with c a fifth of the largest |e|
              (Laina et al., "Deeper depth prediction with fully convolutional residual networks",
              2016)
    silog     sqrt(mean e^2 - 0.85 (mean e)^2): most of an error in scale is forgiven
              (Eigen et al. 2014, with the weight and root of Lee et al., "From big to small", 2019)
    gradient  mean |difference of e between neighbours| at four scales: sharp edges, even surfaces
              (Li and Snavely, "MegaDepth", 2018)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from recon3d.core.errors import ConfigError

_SCALE_FORGIVEN = 0.85
_GRADIENT_SCALES = 4
_TERM = re.compile(r"^(?:(?P<weight>[0-9.eE-]+)\*)?(?P<name>[a-z0-9]+)$")


@dataclass(frozen=True)
class Loss:
    """A weighted sum of losses by name."""

    weights: dict[str, float]

    def __call__(
        self, predicted: Tensor, target: Tensor, valid: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """The sum and its parts, means over the pictures that have any known pixel.

        Args:
            predicted: (n, 1, h, w) log depth.
            target: The same of the truth; anything where it is not known.
            valid: (n, 1, h, w), True where it is known.
        """
        error = torch.where(valid, predicted.float() - target, 0.0)
        known = valid.flatten(1).any(1)
        total = error.sum() * 0.0
        parts = {}
        for name, weight in self.weights.items():
            part = _LOSSES[name](error, valid)[known].sum() / known.sum().clamp_min(1)
            total = total + weight * part
            parts[name] = part.item()
        return total, parts


def parse_loss(text: str) -> Loss:
    """Read a mixture.

    Raises:
        ConfigError: an unknown name, or a weight that is no number above 0.
    """
    weights: dict[str, float] = {}
    for term in text.replace(" ", "").split("+"):
        match = _TERM.match(term)
        try:
            weight = float(match["weight"] or 1) if match else 0.0
        except ValueError:
            weight = 0.0
        if not match or match["name"] not in _LOSSES or not 0 < weight < float("inf"):
            raise ConfigError(
                f'"{term}" is no part of a loss.',
                hint=f"Join {', '.join(_LOSSES)} like this: silog+0.5*gradient",
            )
        weights[match["name"]] = weights.get(match["name"], 0.0) + weight
    return Loss(weights)


def _mse(error: Tensor, valid: Tensor) -> Tensor:
    return _mean(error.square(), valid)


def _l1(error: Tensor, valid: Tensor) -> Tensor:
    return _mean(error.abs(), valid)


def _berhu(error: Tensor, valid: Tensor) -> Tensor:
    size = error.abs()
    corner = (0.2 * size.detach().flatten(1).amax(1)).clamp_min(1e-6).view(-1, 1, 1, 1)
    beyond = (size.square() + corner.square()) / (2 * corner)
    return _mean(torch.where(size <= corner, size, beyond), valid)


def _silog(error: Tensor, valid: Tensor) -> Tensor:
    spread = _mean(error.square(), valid) - _SCALE_FORGIVEN * _mean(error, valid).square()
    # The root's slope is infinite at 0.
    return spread.clamp_min(1e-8).sqrt()


def _gradient(error: Tensor, valid: Tensor) -> Tensor:
    total = torch.zeros(len(error), device=error.device)
    for scale in range(_GRADIENT_SCALES):
        step = 2**scale
        e, v = error[..., ::step, ::step], valid[..., ::step, ::step]
        for dim in (-1, -2):
            length = e.shape[dim] - 1
            both = v.narrow(dim, 1, length) & v.narrow(dim, 0, length)
            change = e.narrow(dim, 1, length) - e.narrow(dim, 0, length)
            total = total + _mean(change.abs(), both)
    return total / _GRADIENT_SCALES


def _mean(values: Tensor, valid: Tensor) -> Tensor:
    """Of each picture over its valid pixels; 0 where there are none."""
    return (values * valid).flatten(1).sum(1) / valid.flatten(1).sum(1).clamp_min(1)


_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": _mse,
    "l1": _l1,
    "berhu": _berhu,
    "silog": _silog,
    "gradient": _gradient,
}
