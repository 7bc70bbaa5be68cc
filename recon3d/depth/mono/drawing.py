"""A frame and what a network makes of it, for the eye."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon3d.core.camera import backproject
from recon3d.depth.mono.frames import Frame
from recon3d.depth.training.pictures import colour_map, side_by_side

_MOST_POINTS = 20_000
_LARGEST_ERROR = 0.25


def panel(frame: Frame, depth_z: Float[np.ndarray, "h w"]) -> Tensor:
    """(3, h, 4 w): photo, truth, prediction and error.

    Near is red and far is blue in both depths by the truth's scale; the error is the relative one,
    red from 25 % on. Black is unknown.
    """
    known = frame.depth_z > 0
    inverse = np.divide(1.0, frame.depth_z, out=np.zeros(known.shape), where=known)
    far, near = np.percentile(inverse[known], [2, 98])
    span = max(near - far, 1e-9)

    def coloured(depth: Float[np.ndarray, "h w"]) -> Tensor:
        with np.errstate(divide="ignore"):
            share = np.where(depth > 0, (1 / depth.astype(np.float64) - far) / span, np.nan)
        return colour_map(torch.from_numpy(share))

    both = known & (depth_z > 0)
    error = np.abs(depth_z - frame.depth_z) / np.where(both, frame.depth_z, np.nan)
    return side_by_side(
        torch.from_numpy(frame.rgb.copy()).permute(2, 0, 1) / 255,
        coloured(frame.depth_z),
        coloured(depth_z),
        colour_map(torch.from_numpy(error / _LARGEST_ERROR)),
    )


def points(frame: Frame, depth_z: Float[np.ndarray, "h w"]) -> Tensor:
    """(n, 6) coloured points of a depth map in the camera's frame, at most 20 000."""
    step = int(np.ceil(np.sqrt(depth_z.size / _MOST_POINTS)))
    near = depth_z <= np.percentile(depth_z, 98)
    xyz = backproject(np.where(near, depth_z, 0), frame.camera)
    both = np.concatenate([xyz, frame.rgb / 255], axis=-1)[::step, ::step].reshape(-1, 6)
    return torch.from_numpy(both[np.isfinite(both).all(1)]).float()
