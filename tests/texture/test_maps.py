"""Normal and occlusion maps: shapes whose every normal is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painted_sheet import FLAT, grid, quiet
from solids import sphere

from recon3d.core.errors import ConfigError
from recon3d.core.surface import Mesh, TexturedMesh, vertex_normals
from recon3d.core.tangents import corner_tangents
from recon3d.surface.colour import bilinear
from recon3d.surface.rays import MeshRays
from recon3d.texture.maps import BakeConfig, bake_maps, openness, read_maps

PAGE_PX = 256


def laid_out(mesh: Mesh, turn_deg: float = 0.0, mirrored: bool = False) -> TexturedMesh:
    """A sheet on its page, turned; seen from its front (-z) u goes to the left."""
    turn = np.radians(turn_deg)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    flat = mesh.vertices[:, :2] * [1 if mirrored else -1, 1]
    uv = (0.5 + 0.3 * flat @ matrix.T).astype(np.float32)
    pages = [np.zeros((PAGE_PX, PAGE_PX, 3), np.uint8)]
    count = len(mesh.faces)
    return TexturedMesh(
        replace(mesh, normals=vertex_normals(mesh)),
        uv[mesh.faces], np.zeros(count, np.int32), pages, np.ones(count, bool),
    )  # fmt: skip


def waves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 0.04 * np.sin(6 * x + 2 * y)


def shaded(model: TexturedMesh, page: np.ndarray) -> np.ndarray:
    """What a shader makes of a normal map in the middles of all faces, in the world."""
    tangents, sign = corner_tangents(model.mesh, model.uv)
    normals = vertex_normals(model.mesh)[model.mesh.faces].mean(1)
    tangent = tangents.mean(1)
    bitangent = sign[:, None] * np.cross(normals, tangent)
    x, y, z = (bilinear(page, model.uv.mean(1)) / 127.5 - 1).T[..., None]
    found = x * tangent + y * bitangent + z * normals
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize(("turn_deg", "mirrored"), [(0.0, False), (70.0, False), (200.0, True)])
def test_a_flat_sheet_shows_the_waves_of_a_fine_one(
    tmp_path: Path, turn_deg: float, mirrored: bool
) -> None:
    light, fine = (
        grid(9, lambda x, y: 0.2 * x * x),
        grid(161, lambda x, y: 0.2 * x * x + waves(x, y)),
    )
    model = laid_out(light, turn_deg, mirrored)
    bake_maps(model, fine, BakeConfig(normal=True), tmp_path, quiet())
    maps = read_maps(tmp_path)
    assert len(maps.normals) == 1
    assert len(maps.occlusion) == 0
    found = shaded(model, maps.normals[0])
    x, y = light.vertices[light.faces].mean(1)[:, :2].T
    slope = 0.04 * np.cos(6 * x + 2 * y)
    # Of z = 0.2 x² + waves, to the side of the cameras.
    true = np.stack([0.4 * x + 6 * slope, 2 * slope, -np.ones(len(x))], 1)
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    away_deg = np.degrees(np.arccos(np.einsum("ij,ij->i", found, true).clip(-1, 1)))
    # A step of 8 bits is half a degree; the point looked for lies up to 0.04 aside.
    assert np.median(away_deg) < 2
    assert np.degrees(np.arccos(-true[:, 2])).max() > 15


def test_the_same_mesh_makes_a_neutral_map(tmp_path: Path) -> None:
    ball = sphere(3)
    chart = Mesh(ball.vertices, ball.faces[ball.vertices[ball.faces][..., 2].max(1) < -0.3])
    model = laid_out(chart)
    bake_maps(model, chart, BakeConfig(normal=True), tmp_path, quiet())
    colours = read_maps(tmp_path).normals[0].astype(int)
    assert np.abs(colours - [128, 128, 255]).max() <= 2


def test_a_corner_is_as_dark_as_geometry_says_and_its_outside_is_bright() -> None:
    # Two walls at a right angle, whose front is inside.
    fold = grid(41, lambda x, y: -np.abs(x))
    found = openness(fold, vertex_normals(fold), MeshRays(fold), 10.0, quiet())
    x, y = np.abs(fold.vertices[:, :2].T)
    for distance in (0.1, 0.5):
        # The view factor of an upright rectangle, 2 wide and of the other wall's height.
        away, height = np.sqrt(2) * distance, np.sqrt(2)
        far = np.hypot(away, height)
        blocked = (np.arctan(1 / away) - away / far * np.arctan(1 / far)) / np.pi
        there = found[(np.abs(x - distance) < 0.01) & (y < 0.1)]
        # 96 rays, and a start a quarter of an edge above.
        assert there.mean() == pytest.approx(1 - blocked, abs=0.03)
    back = Mesh(fold.vertices, np.ascontiguousarray(fold.faces[:, ::-1]))
    assert openness(back, vertex_normals(back), MeshRays(back), 10.0, quiet()).min() == 1
    near = openness(fold, vertex_normals(fold), MeshRays(fold), 0.2, quiet())
    assert near[x > 0.5].min() == 1


def test_what_has_no_detail_stays_neutral(tmp_path: Path) -> None:
    fine = grid(81, waves)
    half = Mesh(fine.vertices, fine.faces[fine.vertices[fine.faces][..., 0].max(1) < 0])
    model = laid_out(FLAT)
    bake_maps(model, half, BakeConfig(normal=True, ao=True), tmp_path, quiet())
    maps = read_maps(tmp_path)
    at = model.uv.mean(1)
    x = model.mesh.vertices[model.mesh.faces].mean(1)[:, 0]
    lost = x > 0.2
    assert np.abs(bilinear(maps.normals[0], at[lost]) - [128, 128, 255]).max() <= 1
    assert bilinear(maps.occlusion[0], at[lost]).min() == 255
    assert np.abs(bilinear(maps.normals[0], at[x < -0.2]) - [128, 128, 255]).max() > 20


def test_maps_are_the_same_every_time(tmp_path: Path) -> None:
    fine, config = grid(41, waves), BakeConfig(normal=True, ao=True)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        bake_maps(laid_out(FLAT), fine, config, tmp_path / name, quiet())
    names = ["normals_0.png", "occlusion_0.png"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"bake\.reach"):
        BakeConfig(reach=0)
