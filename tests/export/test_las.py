"""LAS and LAZ hold coordinates of the earth to a tenth of a millimetre, and say whose they are."""

from __future__ import annotations

from pathlib import Path

import laspy
import numpy as np
import pytest
from survey_scene import UTM

from recon3d.core.errors import OutputError
from recon3d.core.surface import PointCloud
from recon3d.export.meshes import check_cloud_suffix, write_cloud


def cloud(at: np.ndarray) -> PointCloud:
    rng = np.random.default_rng(0)
    points = rng.uniform(-50, 50, (1000, 3)) + at
    rgb = rng.integers(0, 256, (1000, 3)).astype(np.uint8)
    return PointCloud(points, rgb, np.zeros((1000, 3), np.float32))


@pytest.mark.parametrize("name", ["c.las", "c.LAZ"])
def test_a_cloud_comes_back_with_its_place_and_colours(tmp_path: Path, name: str) -> None:
    written = cloud(UTM)
    write_cloud(tmp_path / name, written, "EPSG:25833")
    read = laspy.read(tmp_path / name)
    assert read.header.parse_crs().to_epsg() == 25833
    np.testing.assert_allclose(read.xyz, written.points, atol=0.6e-4)
    np.testing.assert_array_equal(np.array(read.green) // 257, written.rgb[:, 1])
    first = (tmp_path / name).read_bytes()
    write_cloud(tmp_path / name, written, "EPSG:25833")
    assert (tmp_path / name).read_bytes() == first


def test_laz_is_smaller_and_local_clouds_have_no_system(tmp_path: Path) -> None:
    small = cloud(np.zeros(3))
    small = PointCloud(small.points * 1e-4, small.rgb, small.normals)
    write_cloud(tmp_path / "a.laz", small, is_metric=False)
    write_cloud(tmp_path / "a.las", small, is_metric=False)
    assert (tmp_path / "a.laz").stat().st_size < (tmp_path / "a.las").stat().st_size
    read = laspy.read(tmp_path / "a.las")
    assert read.header.parse_crs() is None
    # Steps follow the size of what has no metres.
    np.testing.assert_allclose(read.xyz, small.points, atol=1e-10)


def test_other_formats_are_refused() -> None:
    with pytest.raises(OutputError, match=r"\.las or \.laz"):
        check_cloud_suffix(Path("c.e57"))
