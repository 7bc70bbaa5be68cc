"""Training at depth edges: crops lie around them, and whoever draws over an outline is told so."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from recon3d.depth.multiview.edges import depth_edges, near_edges
from recon3d.depth.multiview.losses import is_right, losses
from recon3d.depth.multiview.matching import inside, source_grid
from recon3d.depth.multiview.network import Estimate, Views
from recon3d.depth.multiview.recipe import MultiViewData
from recon3d.depth.multiview.samples import Sample, make_sample
from recon3d.depth.synthetic import RenderedScene

HEIGHT, WIDTH, PLANES = 64, 96, 16


def views() -> Views:
    """Of a range from 1 to 4; nothing looks at its photos."""
    return Views(
        torch.zeros(1, 3, HEIGHT, WIDTH),
        [],
        [],
        torch.full((1, HEIGHT // 4, WIDTH // 4), -1.0),
        torch.tensor([[0.25, 1.0]]),
        PLANES,
    )


def estimate(place: Tensor, trust: float | Tensor) -> Estimate:
    """One that says the same at all of its sizes."""
    quarter = place[:, 1::4, 1::4]
    index = (quarter * (PLANES - 1)).round().long()
    logits = 8.0 * torch.nn.functional.one_hot(index, PLANES).permute(0, 3, 1, 2).float()
    stated = torch.as_tensor(trust).expand_as(place)
    return Estimate(logits, quarter, place[:, ::2, ::2], place, stated)


def thing_before_sky() -> Tensor:
    """A square at depth 2 with nothing behind it."""
    depth_z = torch.zeros(1, HEIGHT, WIDTH)
    depth_z[:, 20:44, 30:66] = 2.0
    return depth_z


def place_of(depth_z: Tensor) -> Tensor:
    place = (1 / depth_z.clamp_min(1e-9) - 0.25) / 0.75
    return torch.where(depth_z > 0, place, 0.0).clamp(0, 1)


def grown(place: Tensor, pixels: int) -> Tensor:
    return torch.nn.functional.max_pool2d(place, 2 * pixels + 1, 1, pixels)


def total(guess: Estimate, depth_z: Tensor) -> float:
    return float(torch.stack(list(losses(guess, views(), depth_z).values())).sum())


def test_an_outline_before_the_sky_is_an_edge_and_a_slope_is_none() -> None:
    edges = depth_edges(thing_before_sky())[0]
    assert edges[19:21, 30:66].all()
    assert edges[43:45, 30:66].all()
    assert not edges[22:42, 32:64].any()
    assert not edges[:18].any()
    slope = torch.linspace(2, 3, HEIGHT)[None, :, None].expand(1, -1, WIDTH)
    assert not depth_edges(slope).any()
    assert near_edges(thing_before_sky())[0, 14:27, 48].all()
    assert not near_edges(thing_before_sky())[0, 32, 48]


def test_a_surface_that_runs_over_its_outline_into_the_sky_costs_more_than_one_that_ends() -> None:
    depth_z = thing_before_sky()
    place = place_of(depth_z)
    costs = [total(estimate(grown(place, pixels), 0.0), depth_z) for pixels in (0, 2, 4, 8)]
    assert costs == sorted(costs)
    assert costs[1] > 1.1 * costs[0]


def test_bleeding_at_the_outline_costs_more_than_the_same_far_from_it() -> None:
    depth_z = torch.full((1, HEIGHT, WIDTH), 4.0)
    depth_z[:, 20:44, 30:66] = 2.0
    place = place_of(depth_z)
    at_edge, elsewhere = place.clone(), place.clone()
    at_edge[:, 20:44, 66:70] = 1 / 3
    elsewhere[:, 20:44, 84:88] = 1 / 3
    assert total(estimate(at_edge, 0.0), depth_z) > total(estimate(elsewhere, 0.0), depth_z)


def test_trust_in_the_sky_is_never_right() -> None:
    depth_z = thing_before_sky()
    place = place_of(depth_z)
    right = is_right(place, views(), depth_z)
    assert torch.equal(right, depth_z > 0)
    modest = torch.where(depth_z > 0, 4.0, -4.0)
    parts = [losses(estimate(place, trust), views(), depth_z) for trust in (modest, 4.0)]
    assert parts[0]["trust"] < 0.05 * parts[1]["trust"]


def test_what_lies_before_the_range_is_not_learned() -> None:
    depth_z = torch.full((1, HEIGHT, WIDTH), 0.5)
    guess = torch.full((1, HEIGHT, WIDTH), 0.5)
    parts = losses(estimate(guess, -9.0), views(), depth_z)
    assert all(float(part) < 1e-3 for part in parts.values())


@pytest.fixture(scope="module")
def scene() -> RenderedScene:
    """A step in depth at column 150 of 320, seen from three places; its colours tell places."""
    height, width = 160, 320
    depth_z = torch.full((3, height, width), 4.0)
    depth_z[:, :, :150] = 2.0
    poses = torch.eye(4, dtype=torch.float64).repeat(3, 1, 1)
    poses[1, 0, 3], poses[2, 0, 3] = 0.3, -0.3
    matrix = torch.tensor([[300.0, 0, 160], [0, 300, 80], [0, 0, 1]], dtype=torch.float64)
    rgb = torch.zeros(3, 3, height, width, dtype=torch.uint8)
    return RenderedScene(rgb, depth_z, matrix.repeat(3, 1, 1), poses, "step")


def draw(scene: RenderedScene, seed: int, at_edges: float) -> Sample:
    generator = torch.Generator().manual_seed(seed)
    return make_sample(scene, generator, size=(96, 64), sources=2, planes=16, at_edges=at_edges)


def test_crops_lie_around_depth_edges_when_asked(scene: RenderedScene) -> None:
    def share(at_edges: float) -> float:
        drawn = [draw(scene, seed, at_edges).depth_z for seed in range(20)]
        return sum(bool(depth_edges(one)[..., 22:74].any()) for one in drawn) / len(drawn)

    assert share(1.0) == 1.0
    # Somewhere within 225 columns: two in five.
    assert share(0.0) < 0.6


def test_sources_are_cropped_to_where_the_reference_looks(scene: RenderedScene) -> None:
    for seed in range(20):
        one = draw(scene, seed, 1.0)
        for photo, matrix in zip(one.views.sources, one.views.projections, strict=True):
            assert photo.shape[-2:] == (96, 128)
            grid = source_grid(matrix, (1 / one.depth_z)[:, None], one.depth_z.shape[-2:])
            # Near the photo's border nothing more can be had.
            assert inside(grid).mean() > 0.6


def test_a_crop_of_a_source_is_looked_up_at_the_same_place_of_the_photo() -> None:
    """Colours that are coordinates: what the grid finds in the crop is where cameras say."""
    height, width = 160, 320
    ramp = torch.linspace(0, 1, width)[None].expand(height, -1)
    rgb = (ramp.expand(2, 3, -1, -1) * 255).round().to(torch.uint8)
    poses = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    poses[1, 0, 3] = 0.4
    matrix = torch.tensor([[300.0, 0, 160], [0, 300, 80], [0, 0, 1]], dtype=torch.float64)
    scene = RenderedScene(
        rgb, torch.full((2, height, width), 3.0), matrix.repeat(2, 1, 1), poses, "ramp"
    )
    shifts = []
    for seed in range(20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "recon3d.depth.multiview.samples.degrade", lambda pictures, generator: pictures
            )
            one = draw(scene, seed, 0.0)
        grid = source_grid(one.views.projections[0], (1 / one.depth_z)[:, None], (64, 96))
        found = torch.nn.functional.grid_sample(
            one.views.sources[0], grid[:, 0], align_corners=False
        )[:, 0]
        seen = inside(grid)[:, 0] > 0
        if one.views.reference.mean() == one.views.reference[:, 0].mean() and seen.any():
            shifts.append(float((found - one.views.reference[:, 0])[seen].abs().median() * 319))
    # 0.4 / 3 of 300 px, give or take the pixel by which poses are disturbed and a grey level.
    assert min(shifts) > 36
    assert max(shifts) < 44


def test_photos_are_as_large_as_the_network_takes_them() -> None:
    for pixels in (64, 384, 448, 640):
        wide, high = MultiViewData(scene_px=pixels).scene_size_px
        assert wide == pixels
        assert high % 32 == 0
        assert 0.6 < high / wide < 0.85 or pixels == 64
    with pytest.raises(Exception, match="at_edges"):
        replace(MultiViewData(), at_edges=1.5)
