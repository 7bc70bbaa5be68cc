"""Which face of a page covers a texel, against rays that ask every face."""

from __future__ import annotations

import numpy as np
import pytest

from recon3d.surface.rays import ray_scene
from recon3d.texture.raster import Raster

SIZE = 64
WHOLE = slice(0, SIZE)


def chart(seed: int) -> np.ndarray:
    """A fan of triangles around a point, their corners in shares of a page."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, 10)
    rim = 0.5 + (0.2 + 0.2 * rng.random((10, 1))) * np.stack([np.cos(angle), np.sin(angle)], 1)
    rim[-1] = rim[0]
    middle = np.broadcast_to([0.5, 0.5], (9, 2))
    return np.stack([middle, rim[:-1], rim[1:]], 1).astype(np.float32)


def raster(uv: np.ndarray) -> Raster:
    return Raster(uv, np.zeros(len(uv), np.int32), 0, SIZE)


def places_px(uv: np.ndarray, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Where points of faces lie, in columns and rows."""
    places: np.ndarray = np.einsum("nk,nkc->nc", weights, uv[face].astype(np.float64)) * SIZE
    return np.column_stack([places[:, 0], SIZE - places[:, 1]])


def middles(where: np.ndarray) -> np.ndarray:
    return np.argwhere(where)[:, ::-1] + 0.5


@pytest.mark.parametrize("seed", range(5))
def test_a_texel_shows_the_nearest_point_of_the_chart(seed: int) -> None:
    uv = chart(seed)
    face, weights, shown = raster(uv).texels(WHOLE, WHOLE)
    assert weights.min() >= -1e-6
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-6)

    corners = np.zeros((len(uv) * 3, 3), np.float32)
    corners[:, :2] = uv.reshape(-1, 2) * SIZE
    scene, tensor = ray_scene(corners, np.arange(len(corners)).reshape(-1, 3))
    asked = np.zeros((SIZE * SIZE, 3), np.float32)
    asked[:, :2] = middles(np.ones((SIZE, SIZE), bool))
    asked[:, 1] = SIZE - asked[:, 1]
    away = scene.compute_distance(tensor(asked)).numpy().reshape(SIZE, SIZE)

    # A square of five by five around a texel; float32 on the rays' side.
    assert shown[away < 1e-3].all()
    assert not shown[away > 2 * np.sqrt(2) + 1e-3].any()
    more = np.linalg.norm(places_px(uv, face, weights) - middles(shown), axis=1) - away[shown]
    assert np.abs(more[away[shown] < 1e-3]).max() < 1e-3
    # In the rim only faces with texels around are asked: some slivers have none.
    assert np.abs(np.quantile(more, [0, 0.99])).max() < 1e-3
    assert more.max() < 0.25


def test_parts_of_a_page_are_those_of_the_whole() -> None:
    uv = chart(0)
    face, weights, shown = raster(uv).texels(WHOLE, WHOLE)
    inside = np.linalg.norm(places_px(uv, face, weights) - middles(shown), axis=1) < 1e-4
    drawn = np.full((SIZE, SIZE), -1)
    drawn[shown] = np.where(inside, face, -1)
    for rows, columns in ((slice(0, 24), slice(8, 64)), (slice(24, 64), slice(0, 40))):
        face, weights, shown = raster(uv).texels(rows, columns)
        part = np.full(shown.shape, -1)
        part[shown] = face
        here = drawn[rows, columns] >= 0
        assert here.any()
        assert (part[here] == drawn[rows, columns][here]).all()


def test_only_faces_of_the_page_and_with_area_are_drawn() -> None:
    uv = chart(1)
    flat = np.array([[[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]], np.float32)
    both = np.concatenate([uv, flat, uv])
    page_of_face = np.array([1] * len(uv) + [0] + [2] * len(uv), np.int32)
    assert not Raster(both, page_of_face, 0, SIZE).texels(WHOLE, WHOLE)[2].any()
    face, _, _ = Raster(both, page_of_face, 2, SIZE).texels(WHOLE, WHOLE)
    assert face.min() > len(uv)
    assert not Raster(both, page_of_face, 3, SIZE).texels(WHOLE, WHOLE)[2].any()


def test_where_faces_overlap_the_first_one_counts() -> None:
    uv = np.concatenate([chart(2), chart(3)])
    face, _, shown = raster(uv).texels(WHOLE, WHOLE)
    alone, _, first = raster(chart(2)).texels(WHOLE, WHOLE)
    away = np.linalg.norm(
        places_px(chart(2), alone, raster(chart(2)).texels(WHOLE, WHOLE)[1]) - middles(first),
        axis=1,
    )
    drawn = np.zeros((SIZE, SIZE), bool)
    drawn[first] = away < 1e-4
    assert (face[drawn[shown]] < 9).all()
    assert (face >= 9).any()
