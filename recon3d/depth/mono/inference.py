"""From one photo to its depth at full size."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.depth.mono.recipe import ModelConfig
from recon3d.depth.mono.views import canonical_factor, input_camera, view_of_photo

_DOUBTFUL = 0.1
"""Confidence has fallen to 1/e where photo and mirrored photo are this share of depth apart."""

_LARGEST_LOG = 12.0
"""Of depth; an untrained network would leave the range of float32."""

DepthMap = Float32[np.ndarray, "h w"]


def picture_tensor(rgb: UInt8[np.ndarray, "h w 3"]) -> Tensor:
    """(3, h, w) uint8."""
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))


def ray_tensor(camera: PinholeCamera) -> Tensor:
    """(2, h, w) float32, x and y of each pixel's direction with z = 1."""
    return torch.from_numpy(pixel_rays(camera)[..., :2].transpose(2, 0, 1).astype(np.float32))


@torch.inference_mode()
def predict_depth(
    model: nn.Module, config: ModelConfig, rgb: UInt8[np.ndarray, "h w 3"], camera: PinholeCamera
) -> tuple[DepthMap, DepthMap]:
    """depth_z of every pixel, and the confidence, 0 to 1, that its mirror image agrees.

    Metres from a network that learned from metres; of arbitrary scale from one that did not.
    """
    small = input_camera(camera, config)
    device = next(model.parameters()).device
    picture = picture_tensor(view_of_photo(rgb, camera, small)).to(device).float()[None] / 255
    rays = ray_tensor(small).to(device)[None]
    # In a mirror x points the other way.
    both = torch.cat([rays, rays.flip(-1) * rays.new_tensor([-1, 1]).view(1, 2, 1, 1)])
    log_depth = model(torch.cat([picture, picture.flip(-1)]), both)
    log_depth = log_depth.clamp(-_LARGEST_LOG, _LARGEST_LOG)
    size = (camera.height_px, camera.width_px)
    plain, mirrored = F.interpolate(log_depth, size, mode="bilinear", align_corners=False)[:, 0]
    mirrored = mirrored.flip(-1)
    depth_z = ((plain + mirrored) / 2).exp() * canonical_factor(small, config)
    confidence = torch.exp(-(plain - mirrored).abs() / _DOUBTFUL)
    return depth_z.cpu().numpy(), confidence.cpu().numpy()
