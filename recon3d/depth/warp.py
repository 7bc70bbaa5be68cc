"""Looking up, for pixels of one photo at assumed depths, what another photo shows there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float64
from torch import Tensor

from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import DepthFrame


@dataclass(frozen=True, eq=False)
class SourceView:
    """A source photo and its projection, seen from a reference camera."""

    grey: Tensor
    """(1, 1, h_source, w_source), -128 to 127."""
    source_from_px: Float64[np.ndarray, "3 4"]
    """From (x, y, 1, inverse depth) of the reference to homogeneous pixels of the source; pixel
    centres lie at half-integers."""
    size_px: tuple[int, int]
    """Width and height of the reference."""

    @cached_property
    def _rays_and_offset(self) -> tuple[Tensor, Tensor, Tensor, float]:
        """(h, w, 2) and (h, w, 1) of every reference pixel, (2,), and one number.

        A pixel at inverse depth w falls on the homogeneous point (rays + w * offset), in
        grid_sample's coordinates: -1 and 1 are the photo's outer borders.
        """
        height, width = self.grey.shape[-2:]
        grid_from_source = np.array([[2 / width, 0, -1], [0, 2 / height, -1], [0, 0, 1]])
        matrix = grid_from_source @ self.source_from_px
        x, y = (np.arange(side) + 0.5 for side in self.size_px)
        across, down = np.meshgrid(x, y)
        rays = np.stack([across, down, np.ones_like(across)], axis=-1) @ matrix[:, :3].T
        device = self.grey.device
        made = torch.from_numpy(rays.astype(np.float32)).to(device)
        offset = torch.tensor(matrix[:2, 3], dtype=torch.float32, device=device)
        return made[..., :2].contiguous(), made[..., 2:].contiguous(), offset, float(matrix[2, 3])

    def grid(self, inverse_depth: Tensor) -> Tensor:
        """Where (h, w) or (1, 1) inverse depths fall on the source, (h, w, 2)."""
        rays_xy, rays_z, offset_xy, offset_z = self._rays_and_offset
        w = inverse_depth[..., None]
        z = torch.add(rays_z, w, alpha=offset_z)
        # Behind the source: far outside the photo, where sampling gives 0.
        return torch.addcmul(rays_xy, w, offset_xy).div_(z.clamp_min_(1e-6))

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
    to_px = full.resized(width_px, height_px).matrix
    turned = to_px @ source_from_reference.rotation @ np.linalg.inv(camera.matrix)
    return SourceView(
        grey_tensor(source.rgb, width_px, height_px, device),
        np.column_stack([turned, to_px @ source_from_reference.translation]),
        (camera.width_px, camera.height_px),
    )
