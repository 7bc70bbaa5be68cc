"""Looking up, for pixels of one photo at assumed depths, what another photo shows there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.core.depth import DepthFrame


@dataclass(frozen=True, eq=False)
class SourceView:
    """A source photo and its projection, seen from a reference camera.

    A reference pixel at inverse depth w = 1 / depth_z falls on the source at the homogeneous point
    (rays + w * offset), in grid_sample's coordinates: -1 and 1 are the photo's outer borders, which
    is the convention of pixel centres at half-integers.
    """

    grey: Tensor
    """(1, 1, h_source, w_source), -128 to 127."""
    rays_xy: Tensor
    """(h, w, 2) of every reference pixel."""
    rays_z: Tensor
    """(h, w, 1)."""
    offset_xy: Tensor
    """(2,)."""
    offset_z: float

    def grid(self, inverse_depth: Tensor) -> Tensor:
        """Where (h, w) or (1, 1) inverse depths fall on the source, (h, w, 2)."""
        w = inverse_depth[..., None]
        z = torch.add(self.rays_z, w, alpha=self.offset_z)
        # Behind the source: far outside the photo, where sampling gives 0.
        return torch.addcmul(self.rays_xy, w, self.offset_xy).div_(z.clamp_min_(1e-6))

    def sample(self, inverse_depth: Tensor) -> Tensor:
        """Grey values (h, w) seen at the inverse depths; mid-grey 0 outside the photo."""
        grid = self.grid(inverse_depth)[None]
        return F.grid_sample(self.grey, grid, padding_mode="zeros", align_corners=False)[0, 0]


def grey_tensor(rgb: np.ndarray, width_px: int, height_px: int, device: torch.device) -> Tensor:
    """An (h, w, 3) uint8 photo as (1, 1, height_px, width_px) luma around 0, antialiased."""
    luma = torch.tensor([0.299, 0.587, 0.114], device=device)
    grey = (torch.tensor(rgb, device=device).float() @ luma)[None, None] - 128.0
    if grey.shape[-2:] == (height_px, width_px):
        return grey
    return F.interpolate(grey, (height_px, width_px), mode="bilinear", antialias=True)


def source_view(
    reference: DepthFrame, camera: PinholeCamera, source: DepthFrame, device: torch.device
) -> SourceView:
    """Prepare a source for a reference whose pixels are those of `camera`.

    The source is resampled to the same pixel footprint as the reference, so that windows of the
    two hold the same amount of detail.
    """
    scale = camera.width_px / reference.camera.width_px
    full = source.camera
    width_px = max(8, round(full.width_px * scale))
    height_px = max(8, round(full.height_px * scale))
    source_from_reference = source.cam_from_world @ reference.cam_from_world.inverse()
    grid_from_px = np.array([[2 / width_px, 0, -1], [0, 2 / height_px, -1], [0, 0, 1]])
    projection = grid_from_px @ full.resized(width_px, height_px).matrix
    rays = (pixel_rays(camera) @ (projection @ source_from_reference.rotation).T).astype(np.float32)
    offset = projection @ source_from_reference.translation
    return SourceView(
        grey_tensor(source.rgb, width_px, height_px, device),
        torch.from_numpy(rays[..., :2].copy()).to(device),
        torch.from_numpy(rays[..., 2:].copy()).to(device),
        torch.tensor(offset[:2], dtype=torch.float32, device=device),
        float(offset[2]),
    )
