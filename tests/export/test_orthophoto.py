"""Orthophotos and elevation models: every pixel lies where it says, and nothing is made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from marker_scene import around
from rasterio.transform import rowcol
from scipy.spatial.transform import Rotation

from recon3d.core.errors import Cancelled, InputError, OutputError
from recon3d.core.surface import Mesh
from recon3d.core.transform import Similarity
from recon3d.export.orthophoto import (
    NODATA_M,
    check_geotiff,
    ground_sampling_distance,
    lay_sheet,
    wall_from_target,
    write_orthophoto,
)
from recon3d.run.task import CancelToken, Task, silent

TASK = Task("ortho", silent, CancelToken())
WORLD_FROM_SHEET = Similarity(
    0.3, Rotation.from_euler("xyz", [50, 20, 10], degrees=True).as_matrix(), np.array([1.0, 2, 3])
)
EAST, NORTH = 431200.0, 5432100.0


def tables() -> Mesh:
    """A red table of 6 x 4 m at 10 m, above its left half a blue one of 2 x 2 m at 12 m."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
    sheet = np.vstack([corners * [6, 4, 0] + [0, 0, 10], corners * [2, 2, 0] + [1, 1, 12]])
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], np.int32)
    rgb = np.repeat(np.array([[200, 0, 0], [0, 0, 200]], np.uint8), 4, axis=0)
    return Mesh((WORLD_FROM_SHEET @ sheet).astype(np.float32), faces, None, rgb)


def drawn(folder: Path, mesh: Mesh, sheet_from_world: Similarity, crs: str = "") -> tuple:
    corners = sheet_from_world @ mesh.vertices.astype(np.float64)
    sheet = lay_sheet(corners, sheet_from_world, crs, 0.1)
    write_orthophoto(folder / "o.tif", folder / "d.tif", mesh, sheet, TASK)
    with rasterio.open(folder / "o.tif") as ortho, rasterio.open(folder / "d.tif") as dem:
        return ortho.read(), dem.read(1), ortho, dem


def test_colours_and_heights_lie_where_they_are(tmp_path: Path) -> None:
    far = Similarity(1.0, np.eye(3), np.array([EAST, NORTH, 0]))
    sheet_from_world = far @ WORLD_FROM_SHEET.inverse()
    rgba, heights, ortho, dem = drawn(tmp_path, tables(), sheet_from_world, "EPSG:25832")
    assert ortho.crs.to_epsg() == 25832
    assert (ortho.transform.c, ortho.transform.f) == pytest.approx((EAST, NORTH + 4), abs=0.11)
    assert dem.transform == ortho.transform
    assert dem.nodata == NODATA_M
    row, column = rowcol(ortho.transform, EAST + 2.05, NORTH + 1.05)
    np.testing.assert_array_equal(rgba[:, row, column], [0, 0, 200, 255])
    assert heights[row, column] == pytest.approx(12, abs=1e-3)
    row, column = rowcol(ortho.transform, EAST + 5.05, NORTH + 1.05)
    np.testing.assert_array_equal(rgba[:, row, column], [200, 0, 0, 255])
    assert heights[row, column] == pytest.approx(10, abs=1e-3)
    # The blue table's area, to half a pixel along its rim.
    assert (rgba[2] == 200).sum() * 0.01 == pytest.approx(4, abs=0.4)


def test_nothing_stays_nothing(tmp_path: Path) -> None:
    hole = tables()
    hole = Mesh(hole.vertices, hole.faces[1:], None, hole.rgb)
    rgba, heights, *_ = drawn(tmp_path, hole, WORLD_FROM_SHEET.inverse())
    empty = rgba[3] == 0
    assert 0.3 < empty.mean() < 0.5
    assert (heights[empty] == NODATA_M).all()
    assert (heights[~empty] > 9).all()
    world = [float(line) for line in (tmp_path / "o.tfw").read_text().split()]
    assert world == pytest.approx([0.1, 0, 0, -0.1, 0.05, 3.95], abs=0.11)


def test_tiles_meet_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn(tmp_path, tables(), WORLD_FROM_SHEET.inverse())
    first = (tmp_path / "o.tif").read_bytes()
    drawn(tmp_path, tables(), WORLD_FROM_SHEET.inverse())
    assert (tmp_path / "o.tif").read_bytes() == first
    monkeypatch.setattr("recon3d.export.orthophoto._TILE_PX", 16)
    tiled = drawn(tmp_path, tables(), WORLD_FROM_SHEET.inverse())
    np.testing.assert_array_equal(whole[0], tiled[0])
    np.testing.assert_array_equal(whole[1], tiled[1])


def test_a_wall_is_seen_from_its_front() -> None:
    # A facade in the plane y = 2, seen from smaller y: x runs to the right, z up.
    wall = wall_from_target(np.array([[1.0, 2, 0], [5, 2, 0], [1, 2, 3]]))
    np.testing.assert_allclose(wall @ np.array([5.0, 2, 3]), [4, 3, 0], atol=1e-12)
    np.testing.assert_allclose(wall @ np.array([1.0, 1, 0]), [0, 0, 1], atol=1e-12)
    with pytest.raises(InputError, match="on a line"):
        wall_from_target(np.array([[1.0, 2, 0], [5, 2, 0], [9, 2, 0]]))


def test_the_pixel_of_a_photo_on_the_ground_is_its_depth_over_its_focal_length() -> None:
    views = around(3, 2.0, 1.5)
    spot = np.random.default_rng(0).normal(0, 0.01, (50, 3))
    gsd = ground_sampling_distance(views, spot, 10.0)
    assert gsd == pytest.approx(10 * 2.5 / 620, rel=0.05)
    with pytest.raises(InputError, match="No photo"):
        ground_sampling_distance(views, spot + np.array([0, 0, 90]), 1.0)


def test_what_cannot_be_drawn_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.png"):
        check_geotiff([tmp_path / "a.png"])
    with pytest.raises(OutputError, match="same name"):
        check_geotiff([tmp_path / "a.tif", tmp_path / "a.tif"])
    corners = np.array([[0, 0, 0], [1e6, 1e6, 0.0]])
    with pytest.raises(InputError, match="would have"):
        lay_sheet(corners, WORLD_FROM_SHEET, "", 0.01)


def test_a_cancelled_drawing_leaves_nothing(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    sheet = lay_sheet(np.array([[0, 0, 0], [6, 4, 0.0]]), WORLD_FROM_SHEET.inverse(), "", 0.1)
    with pytest.raises(Cancelled):
        write_orthophoto(tmp_path / "o.tif", None, tables(), sheet, Task("ortho", silent, token))
    assert list(tmp_path.iterdir()) == []
