"""From a depth request to the network and back."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recon3d.core.camera import PinholeCamera, project
from recon3d.core.depth import DepthFrame, DepthRequest, PredictedDepth
from recon3d.depth.multiview.matching import projection
from recon3d.depth.multiview.network import SIZE_STEP, Views
from recon3d.depth.sweep import Check, SweepSettings, enlarged, sharpen

_PLANES = 64
_STEPS_PER_PLANE = 4
"""Where the network ends, the classical search goes on in steps of this share of a plane."""


def predict_depth(
    request: DepthRequest, model: nn.Module, longest_px: int, device: torch.device, check: Check
) -> PredictedDepth:
    """Depth of the reference in scene units; 0 where the mask says so.

    longest_px: side of the photo at which the network works. The last digits, and the detail of
    larger photos, come from the classical search around what the network found.
    """
    reference = request.reference
    near, far = request.depth_range
    check()
    estimate = model(_views(request, longest_px, device))
    check()
    camera = reference.camera.fitted(longest_px)
    span = 1 / near - 1 / far
    step = span / (_PLANES - 1) / _STEPS_PER_PLANE
    inverse_depth = 1 / far + estimate.full[0].float().clamp(0, 1) * span
    inverse_depth = enlarged(inverse_depth, camera, 2 * step)
    trust = _resized(estimate.trust.float(), reference.camera)[0].sigmoid()
    inverse_depth, _ = sharpen(request, inverse_depth, step, SweepSettings(), check)
    depth_z = 1 / inverse_depth.clamp(1 / far, 1 / near)
    if reference.mask is not None:
        depth_z = depth_z * torch.tensor(reference.mask, device=device)
    return PredictedDepth(depth_z.cpu().numpy(), "scene", trust.cpu().numpy(), reference.camera)


def _views(request: DepthRequest, longest_px: int, device: torch.device) -> Views:
    reference = request.reference
    near, far = request.depth_range
    photos, projections = [], []
    for frame in (reference, *request.sources):
        size = [max(1, round(n / SIZE_STEP)) * SIZE_STEP for n in _size(frame, longest_px)]
        rgb = torch.tensor(frame.rgb, device=device).permute(2, 0, 1)[None].float() / 255
        photos.append(
            F.interpolate(rgb, (size[1], size[0]), mode="bilinear", antialias=True).clamp(0, 1)
        )
        if frame is not reference:
            source_from_reference = frame.cam_from_world @ reference.cam_from_world.inverse()
            matrix = projection(
                reference.camera.matrix,
                (reference.camera.width_px, reference.camera.height_px),
                frame.camera.matrix,
                (frame.camera.width_px, frame.camera.height_px),
                np.column_stack(
                    [source_from_reference.rotation, source_from_reference.translation]
                ),
            )
            projections.append(torch.tensor(matrix[None], dtype=torch.float32, device=device))
    inverse_range = torch.tensor([[1 / far, 1 / near]], device=device)
    height, width = photos[0].shape[-2:]
    sparse = _sparse_places(request, width // 4, height // 4)
    return Views(
        photos[0],
        photos[1:],
        projections,
        torch.from_numpy(sparse).to(device)[None],
        inverse_range,
        _PLANES,
    )


def _size(frame: DepthFrame, longest_px: int) -> tuple[int, int]:
    fitted = frame.camera.fitted(longest_px)
    return fitted.width_px, fitted.height_px


def _sparse_places(request: DepthRequest, width: int, height: int) -> np.ndarray:
    """(height, width) places of sparse points in the inverse range; -1 without one."""
    places = np.full((height, width), -1.0, np.float32)
    near, far = request.depth_range
    camera = request.reference.camera.resized(width, height)
    xy_px, depth_z = project(request.reference.cam_from_world @ request.points_world, camera)
    seen = (depth_z > near) & (depth_z < far) & (xy_px >= 0).all(1)
    seen &= (xy_px[:, 0] < width) & (xy_px[:, 1] < height)
    column, row = np.floor(xy_px[seen]).astype(int).T
    places[row, column] = (1 / depth_z[seen] - 1 / far) / (1 / near - 1 / far)
    return places


def _resized(values: Tensor, camera: PinholeCamera) -> Tensor:
    size = (camera.height_px, camera.width_px)
    return F.interpolate(values[None], size, mode="bilinear")[0]
