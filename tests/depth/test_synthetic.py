"""Synthetic scenes: depth is exact, views agree with each other, a seed is a scene."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from recon3d.depth.synthetic import (
    RenderedScene,
    degrade,
    kinds,
    load_textures,
    render_scene,
    rendering,
)
from recon3d.depth.synthetic.pyramid import build_pyramid
from recon3d.depth.synthetic.rasteriser import (
    hits_at,
    nearest,
    sample_grid,
    screen_triangles,
)

MATRIX = torch.tensor([[250.0, 0, 160.3], [0, 240, 119.2], [0, 0, 1]], dtype=torch.float64)


def depth_of(triangles: list[list[list[float]]]) -> Tensor:
    corners = torch.tensor(triangles, dtype=torch.float64)
    seen = screen_triangles(corners, MATRIX, 320, 240)
    return hits_at(seen, nearest(seen), sample_grid(240, 320, 0.5, corners.device)).depth_z


@pytest.fixture(scope="module")
def scenes() -> list[RenderedScene]:
    """One of every kind."""
    rendered = []
    with pytest.MonkeyPatch.context() as patch:
        for draw in kinds.KINDS:
            patch.setattr(rendering, "draw_scene", draw)
            rendered.append(render_scene(1, width_px=96, height_px=72, views=3))
    return rendered


def test_every_kind_of_scene_is_another(scenes: list[RenderedScene]) -> None:
    assert len({scene.kind for scene in scenes}) == len(kinds.KINDS) >= 11


def test_a_floor_that_runs_under_the_camera_has_exact_depth_at_pixel_centres() -> None:
    a, b, c, d = [-90.0, 1, -90], [90.0, 1, -90], [90.0, 1, 90], [-90.0, 1, 90]
    depth_z = depth_of([[a, b, c], [a, c, d]])
    y = torch.arange(240, dtype=torch.float64) + 0.5
    expected = 240 / (y - 119.2)
    below = (expected > 0) & (expected < 90)
    assert below.sum() > 100
    # float32 holds 7 digits; half a pixel of misplacement would show as 4e-3 and more.
    torch.testing.assert_close(
        depth_z[below], expected[below, None].float().expand(-1, 320), rtol=1e-6, atol=0
    )
    assert (depth_z[~below] == 0).all()


def test_nearer_triangles_hide_farther_ones_and_shared_edges_leave_no_gap() -> None:
    def square(size: float, z: float) -> list[list[list[float]]]:
        a, b, c, d = [-size, -size, z], [size, -size, z], [size, size, z], [-size, size, z]
        return [[a, b, c], [c, d, a]]

    depth_z = depth_of(square(100, 30) + square(1, 10))
    x, y = (sample_grid(240, 320, 0.5, depth_z.device) - MATRIX[:2, 2]).unbind(-1)
    inside = (x.abs() / 250 < 0.1) & (y.abs() / 240 < 0.1)
    torch.testing.assert_close(depth_z, torch.where(inside, 10.0, 30.0))


def test_views_of_a_scene_agree_where_they_see_the_same(scenes: list[RenderedScene]) -> None:
    for scene in scenes:
        share = agreement(scene, 0, 1, tolerance=0.02)
        assert share > 0.5, f"{scene.kind}: {share:.2f}"


def agreement(scene: RenderedScene, reference: int, source: int, tolerance: float) -> float:
    """Share of the reference's surface that the source sees at the very same place."""
    rows, columns = scene.depth_z.shape[1:]
    depth_z = scene.depth_z[reference].double()
    pixels = sample_grid(rows, columns, 0.5, depth_z.device)
    rays = torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1)
    points = rays @ torch.linalg.inv(scene.matrices[reference]).T * depth_z[..., None]
    moved = scene.cam_from_world[source] @ torch.linalg.inv(scene.cam_from_world[reference])
    points = (points[depth_z > 0] @ moved[:3, :3].T + moved[:3, 3]) @ scene.matrices[source].T
    place = (points[:, :2] / points[:, 2:]).floor().long()
    size = torch.tensor([columns, rows])
    inside = ((place >= 0) & (place < size)).all(-1) & (points[:, 2] > 0)
    seen = scene.depth_z[source][place[inside, 1], place[inside, 0]]
    same = (seen / points[inside, 2] - 1).abs() < tolerance
    return float(same.sum() / len(points))


def test_most_pixels_have_depth_and_nothing_blocks_the_lens(scenes: list[RenderedScene]) -> None:
    for scene in scenes:
        for depth_z in scene.depth_z:
            known = depth_z[depth_z > 0]
            assert known.numel() > 0.48 * depth_z.numel()
            assert known.quantile(0.03) > 0.1 * known.median()


def test_pictures_are_neither_black_nor_burnt_out(scenes: list[RenderedScene]) -> None:
    for scene in scenes:
        assert scene.rgb.dtype == torch.uint8
        assert 40 < scene.rgb.float().mean() < 230


def test_a_texture_seen_from_afar_is_its_mean_and_from_nearby_its_texels() -> None:
    checks = (torch.arange(64)[:, None] + torch.arange(64)) % 2
    pyramid = build_pyramid(checks.float()[None, None])
    picture = torch.zeros(200, dtype=torch.int64)
    place = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    far = pyramid.look_up(picture, place, torch.full((200,), 8 / 64))
    torch.testing.assert_close(far, torch.full((200, 1), 0.5))
    centres = (torch.tensor([[3, 5], [4, 5]]) + 0.5) / 64
    near = pyramid.look_up(picture[:2], centres, torch.full((2,), 1e-4))
    torch.testing.assert_close(near[:, 0], torch.tensor([0.0, 1.0]), rtol=0, atol=1e-4)


@pytest.mark.gpu
def test_a_gpu_sees_the_same_depth_as_a_cpu() -> None:
    on_cpu = render_scene(4, width_px=160, height_px=120, views=3)
    on_gpu = render_scene(4, width_px=160, height_px=120, views=3, device=torch.device("cuda"))
    close = (on_cpu.depth_z - on_gpu.depth_z.cpu()).abs() < 1e-4 * on_cpu.depth_z.clamp_min(1e-6)
    # Ties at edges may fall either way.
    assert ((on_cpu.depth_z == 0) | close).float().mean() > 0.999
    clean = on_gpu.rgb
    faulty = degrade(clean, torch.Generator("cuda").manual_seed(1))
    assert faulty.device == clean.device
    assert faulty.shape == clean.shape


@pytest.mark.slow
def test_a_seed_is_a_scene() -> None:
    first, again, other = (
        render_scene(seed, width_px=64, height_px=48, views=2) for seed in (5, 5, 6)
    )
    assert torch.equal(first.rgb, again.rgb)
    assert torch.equal(first.depth_z, again.depth_z)
    assert torch.equal(first.cam_from_world, again.cam_from_world)
    assert not torch.equal(first.rgb, other.rgb)


def test_camera_faults_differ_between_views_and_repeat_with_the_generator() -> None:
    clean = torch.full((4, 3, 50, 70), 128, dtype=torch.uint8)
    clean[..., 20:30, 30:40] = 20
    results = [degrade(clean, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    means = results[0].float().mean((1, 2, 3))
    assert len(set(means.round(decimals=1).tolist())) == 4
    assert results[0].shape == clean.shape


def test_no_textures_are_found_where_no_photos_are(tmp_path: Path) -> None:
    assert load_textures(tmp_path) == []


def test_textures_come_from_the_free_sets_only(real_photos: Path) -> None:
    textures = load_textures(real_photos)
    assert textures
    assert all(texture.dtype == torch.uint8 and max(texture.shape) <= 1024 for texture in textures)
    scene = render_scene(3, width_px=64, height_px=48, views=2, textures=textures)
    assert scene.rgb.shape == (2, 3, 48, 64)
