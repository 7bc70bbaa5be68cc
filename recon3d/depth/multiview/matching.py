"""What a source photo says about assumed depths of reference pixels.

Projections are (b, 3, 4) tensors between grid_sample's coordinates of two photos, in which -1 and 1
are the outer borders whatever the size, so that resizing a photo changes nothing: a reference
pixel (x, y) at inverse depth w falls on the homogeneous source point P @ (x, y, 1, w).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recon3d.depth.matching import box_sum


def projection(
    reference_matrix: np.ndarray,
    reference_size: tuple[int, int],
    source_matrix: np.ndarray,
    source_size: tuple[int, int],
    source_from_reference: np.ndarray,
) -> np.ndarray:
    """The (3, 4) projection between two photos.

    Matrices are intrinsics (3, 3) for the sizes (width_px, height_px), pixel centres at
    half-integers; source_from_reference is (3, 4), rotation and translation.
    """

    def grid_from_px(size: tuple[int, int]) -> np.ndarray:
        return np.array([[2 / size[0], 0, -1], [0, 2 / size[1], -1], [0, 0, 1]])

    grid_from_camera = grid_from_px(source_size) @ source_matrix
    rays = np.linalg.inv(grid_from_px(reference_size) @ reference_matrix)
    rotation = grid_from_camera @ source_from_reference[:, :3] @ rays
    return np.column_stack([rotation, grid_from_camera @ source_from_reference[:, 3]])


def source_grid(projection: Tensor, inverse_depth: Tensor, size: tuple[int, int]) -> Tensor:
    """Where pixels of a photo of `size` (h, w) fall on the source.

    inverse_depth: (b, n, h, w) or, one for all pixels, (b, n, 1, 1). Returns (b, n, h, w, 2);
    points behind the source lie far outside of it.
    """
    height, width = size
    centres = [
        (torch.arange(n, device=projection.device, dtype=torch.float32) + 0.5) * (2 / n) - 1
        for n in (height, width)
    ]
    y, x = torch.meshgrid(*centres, indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], -1)
    # No matrix product: mixed precision would do that with eight bits, which is pixels here.
    rays = (projection[:, None, None, :, :3].float() * pixels[..., None, :]).sum(-1)
    offset = projection[:, None, None, None, :, 3].float()
    points = rays[:, None] + inverse_depth.float()[..., None] * offset
    return points[..., :2] / points[..., 2:].clamp_min(1e-6)


def sample(values: Tensor, grid: Tensor) -> Tensor:
    """(b, c, h', w') looked up at a (b, n, h, w, 2) grid -> (b, c, n, h, w); 0 outside."""
    batch, planes, height, width, _ = grid.shape
    flat = grid.reshape(batch, planes * height, width, 2)
    # bfloat16's eight bits would be off by half a pixel at the border of a photo.
    found = F.grid_sample(values.float(), flat.float(), align_corners=False)
    return found.to(values.dtype).view(batch, -1, planes, height, width)


def inside(grid: Tensor) -> Tensor:
    """(b, n, h, w): 1 where the grid lies on the photo."""
    return (grid.abs().amax(-1) < 1).float()


def correlation(reference: Tensor, found: Tensor, groups: int) -> Tensor:
    """Group-wise correlation of features (Guo et al. 2019).

    (b, c, h, w) and (b, c, n, h, w) -> (b, groups, n, h, w)
    """
    batch, channels, planes, height, width = found.shape
    share = channels // groups
    product = found * (reference / share)[:, :, None]
    return product.view(batch, groups, share, planes, height, width).sum(2)


class Ncc:
    """Normalised cross-correlation of grey windows, the classical method's matching cost."""

    def __init__(self, grey: Tensor, radius: int = 2, noise_grey: float = 2.0) -> None:
        """grey: the reference, (b, 1, h, w), 0 to 255."""
        self._radius = radius
        self._count = float((2 * radius + 1) ** 2)
        self._noise_variance = noise_grey * noise_grey
        self._reference = grey - 128.0
        self._mean, self._scale = self._moments(self._reference)

    def __call__(self, found: Tensor) -> Tensor:
        """(b, n, h, w) grey values of a source, 0 to 255 -> -1 to 1; 0 where windows are flat."""
        found = found - 128.0
        mean, scale = self._moments(found)
        covariance = box_sum(found * self._reference, self._radius) / self._count
        return (covariance - mean * self._mean) * scale * self._scale

    def _moments(self, values: Tensor) -> tuple[Tensor, Tensor]:
        mean = box_sum(values, self._radius) / self._count
        variance = box_sum(values * values, self._radius) / self._count - mean * mean
        return mean, (variance.clamp_min(0) + self._noise_variance).rsqrt()
