"""Training samples: rendered scenes seen as the pipeline would see photos of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recon3d.depth.multiview.edges import depth_edges
from recon3d.depth.multiview.matching import projection
from recon3d.depth.multiview.network import SIZE_STEP, Views
from recon3d.depth.synthetic import RenderedScene, degrade

_MOST_POINTS = 800
_SOURCE_SHARE = 1.4
"""A source is cropped too, to so much more than the reference in both directions."""


@dataclass(frozen=True, eq=False)
class Sample:
    """What the network gets, and the truth."""

    views: Views
    depth_z: Tensor
    """(b, h, w) of the references; 0 where nothing is: the sky."""


def make_sample(
    scene: RenderedScene, generator: torch.Generator, *, size: tuple[int, int], sources: int,
    planes: int, at_edges: float = 0.0,
) -> Sample:  # fmt: skip
    """One reference, cropped to `size` (width_px, height_px) at most, with its sources.

    generator lives on the CPU, wherever the scene does; on a GPU the photos' faults are others.
    at_edges is the chance that the crop is laid around a depth edge. Sources are cropped to where
    the reference's crop may be seen, so that photos of full resolution cost no more.

    Everything that is never perfect in reality is disturbed: the photos, the cameras, the sparse
    points and the range that these tell.
    """

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    count, _, height, width = scene.rgb.shape
    reference = int(uniform(0, count))
    others = torch.randperm(count - 1, generator=generator)[:sources] + 1
    chosen = [reference, *((reference + others) % count).tolist()]
    faults = torch.Generator(scene.rgb.device).manual_seed(int(uniform(0, 1 << 30)))
    rgb = degrade(scene.rgb[chosen], faults).float() / 255
    if uniform(0, 1) < 0.1:
        rgb = rgb.mean(1, keepdim=True).expand(-1, 3, -1, -1)

    crop = [
        SIZE_STEP * (min(a, b) // SIZE_STEP) for a, b in zip(size, (width, height), strict=True)
    ]
    left, top = int(uniform(0, width - crop[0] + 1)), int(uniform(0, height - crop[1] + 1))
    if uniform(0, 1) < at_edges:
        edges = depth_edges(scene.depth_z[reference][None])[0].nonzero()
        if len(edges):
            row, column = edges[int(uniform(0, len(edges)))].tolist()
            # The edge lies anywhere in the inner half of the crop.
            left = _clamped(column - uniform(0.25, 0.75) * crop[0], width - crop[0])
            top = _clamped(row - uniform(0.25, 0.75) * crop[1], height - crop[1])
    window = (slice(top, top + crop[1]), slice(left, left + crop[0]))
    depth_z = scene.depth_z[reference][window]
    matrices = scene.matrices[chosen].cpu().numpy().copy()
    matrices[0, :2, 2] -= left, top
    poses = scene.cam_from_world[chosen].cpu().numpy()
    known = depth_z[depth_z > 0]
    middle_z = float(known.median()) if known.numel() else 1.0

    photos, projections = [], []
    pixel_error = uniform(0, 0.6)
    looked_at = [
        min(SIZE_STEP * round(_SOURCE_SHARE * a / SIZE_STEP), SIZE_STEP * (b // SIZE_STEP))
        for a, b in zip(crop, (width, height), strict=True)
    ]
    for matrix, pose, picture in zip(matrices[1:], poses[1:], rgb[1:], strict=True):
        source_from_reference = (pose @ np.linalg.inv(poses[0]))[:3]
        noise = torch.randn(5, generator=generator).numpy() * pixel_error / matrix[0, 0]
        turn = np.array(
            [[1, -noise[2], noise[1]], [noise[2], 1, -noise[0]], [-noise[1], noise[0], 1]]
        )
        disturbed = turn @ source_from_reference
        disturbed[:, 3] *= 1 + noise[3]
        matrix = matrix * np.array([[1 + noise[4], 1, 1], [1, 1 + noise[4], 1], [1, 1, 1]])
        ray = np.linalg.solve(matrices[0], [crop[0] / 2, crop[1] / 2, 1]) * middle_z
        x, y, z = matrix @ (disturbed @ [*ray, 1])
        x, y = x / max(z, 1e-6) - looked_at[0] / 2, y / max(z, 1e-6) - looked_at[1] / 2
        x, y = _clamped(x, width - looked_at[0]), _clamped(y, height - looked_at[1])
        matrix[:2, 2] -= x, y
        photos.append(picture[:, y : y + looked_at[1], x : x + looked_at[0]])
        sizes = (crop[0], crop[1]), (looked_at[0], looked_at[1])
        projections.append(projection(matrices[0], sizes[0], matrix, sizes[1], disturbed))

    photo = rgb[0][(slice(None), *window)]
    places = _sparse_points(photo, depth_z, generator)
    known = places[places > 0]
    if len(known) < 20:
        known = depth_z[depth_z > 0]
    ends = torch.quantile(known[:10_000], torch.tensor([0.01, 0.99], device=known.device))
    near, far = ends[0].item() * uniform(0.6, 0.95), ends[1].item() * uniform(1.05, 1.6)
    inverse_range = torch.tensor([1 / far, 1 / near], device=depth_z.device)
    sparse = torch.where(
        places > 0, (1 / places.clamp_min(1e-6) - 1 / far) / (1 / near - 1 / far), -1.0
    )
    sparse = torch.where((sparse >= 0) & (sparse <= 1), sparse, -1.0)
    tensors = [torch.tensor(p, dtype=torch.float32, device=depth_z.device) for p in projections]
    sample = Sample(
        Views(
            photo[None],
            [other[None] for other in photos],
            [p[None] for p in tensors],
            sparse[None],
            inverse_range[None],
            planes,
        ),
        depth_z[None].float(),
    )
    return _mirrored(sample) if uniform(0, 1) < 0.5 else sample


def _clamped(start: float, most: int) -> int:
    return int(min(max(start, 0), most))


def collate(samples: list[Sample]) -> Sample:
    """Samples of equal sizes as one batch."""
    views = [sample.views for sample in samples]
    return Sample(
        Views(
            torch.cat([v.reference for v in views]),
            [torch.cat(photos) for photos in zip(*(v.sources for v in views), strict=True)],
            [torch.cat(each) for each in zip(*(v.projections for v in views), strict=True)],
            torch.cat([v.sparse for v in views]),
            torch.cat([v.inverse_range for v in views]),
            views[0].planes,
        ),
        torch.cat([sample.depth_z for sample in samples]),
    )


def _sparse_points(photo: Tensor, depth_z: Tensor, generator: torch.Generator) -> Tensor:
    """Depths as structure from motion would know them, (h / 4, w / 4), 0 without a point.

    Points lie where the photo has corners and edges, from none to many; a few are wrong.
    """
    height, width = depth_z.shape
    grey = photo.mean(0)
    detail = torch.zeros_like(grey)
    detail[1:-1, 1:-1] = (grey[2:, 1:-1] - grey[:-2, 1:-1]).abs() + (
        grey[1:-1, 2:] - grey[1:-1, :-2]
    ).abs()
    detail = (detail + 1e-3) * (depth_z > 0) + 1e-9
    share = torch.rand((), generator=generator).item()
    wanted = int(_MOST_POINTS ** (share * 1.3 - 0.3)) if share > 0.1 else 0
    points = torch.zeros(height // 4, width // 4, device=depth_z.device)
    if wanted == 0:
        return points
    chosen = torch.multinomial(
        detail.flatten().cpu(), wanted, replacement=False, generator=generator
    ).to(depth_z.device)
    z = depth_z.flatten()[chosen]
    noise = torch.randn(wanted, generator=generator).to(z.device)
    z = z * (1 + 0.004 * noise)
    wrong = torch.rand(wanted, generator=generator).to(z.device) < 0.03
    z = torch.where(wrong, z * (1 + 0.3 * noise).clamp_min(0.2), z)
    points[chosen // width // 4, chosen % width // 4] = z
    return points


def _mirrored(sample: Sample) -> Sample:
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0], device=sample.depth_z.device))
    views = sample.views
    return Sample(
        Views(
            views.reference.flip(-1),
            [photo.flip(-1) for photo in views.sources],
            [flip[:3, :3] @ p @ flip for p in views.projections],
            views.sparse.flip(-1),
            views.inverse_range,
            views.planes,
        ),
        sample.depth_z.flip(-1),
    )
