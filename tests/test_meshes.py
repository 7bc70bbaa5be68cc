"""Mesh files: round trips, foreign files, and the validators' opinion of our own."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import trimesh

from recon3d.core.errors import InputError, OutputError
from recon3d.core.surface import Mesh, PointCloud, vertex_normals
from recon3d.io.depth_maps import png_step, write_depth_map
from recon3d.io.meshes import MESH_WRITERS, read_cloud, read_mesh, write_cloud, write_mesh
from recon3d.io.textures import ExportConfig


@pytest.fixture(scope="module")
def ball() -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=1.25)
    vertices = np.add(sphere.vertices, (10, -20, 3)).astype(np.float32)
    rgb = np.random.default_rng(0).integers(0, 256, (len(vertices), 3), np.uint8)
    bare = Mesh(vertices, np.asarray(sphere.faces, np.int32))
    return Mesh(vertices, bare.faces, vertex_normals(bare), rgb)


@pytest.mark.parametrize("suffix", [".ply", ".obj"])
def test_a_mesh_comes_back_exactly_as_written(ball: Mesh, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"käse 山{suffix}"
    write_mesh(path, ball)
    back = read_mesh(path)
    # By face, because a reader may number the vertices as it meets them.
    np.testing.assert_array_equal(back.vertices[back.faces], ball.vertices[ball.faces])
    assert back.rgb is not None
    # OBJ's four digits of a colour are a fortieth of one of its 255 levels.
    np.testing.assert_array_equal(back.rgb[back.faces], ball.rgb[ball.faces])
    assert back.normals is not None
    np.testing.assert_allclose(back.normals[back.faces], ball.normals[ball.faces], atol=1e-4)


@pytest.mark.parametrize("suffix", sorted(MESH_WRITERS.keys() - {".usdz"}))
def test_faces_stay_counter_clockwise_from_outside(ball: Mesh, tmp_path: Path, suffix: str) -> None:
    write_mesh(tmp_path / f"ball{suffix}", ball)
    loaded = trimesh.load_mesh(tmp_path / f"ball{suffix}")
    # trimesh's volume is positive only when the faces are seen counter-clockwise from outside.
    assert loaded.volume == pytest.approx(4 / 3 * np.pi * 1.25**3, rel=0.02)


def test_a_million_faces_are_written_in_seconds(tmp_path: Path) -> None:
    side = 708
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), [0]), -1).reshape(-1, 3)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + side], 1),
            np.stack([corner + 1, corner + side + 1, corner + side], 1),
        ]
    )
    mesh = Mesh(grid.astype(np.float32), faces.astype(np.int32))
    write_mesh(tmp_path / "big.ply", mesh)
    assert (tmp_path / "big.ply").stat().st_size == pytest.approx(
        24 * len(mesh.vertices) + 13 * len(faces), abs=400
    )


def test_missing_normals_are_computed(ball: Mesh, tmp_path: Path) -> None:
    write_mesh(tmp_path / "bare.ply", Mesh(ball.vertices, ball.faces))
    back = read_mesh(tmp_path / "bare.ply")
    assert back.normals is not None
    np.testing.assert_allclose(back.normals, ball.normals, atol=1e-6)
    assert back.rgb is None


def test_quads_of_other_programs_become_triangles(tmp_path: Path) -> None:
    path = tmp_path / "quad.ply"
    path.write_text(
        "ply\nformat ascii 1.0\nelement vertex 5\nproperty double x\nproperty double y\n"
        "property double z\nelement face 2\nproperty list uchar uint vertex_index\nend_header\n"
        "0 0 0\n1 0 0\n1 1 0\n0 1 0\n2 0 0\n4 0 1 2 3\n3 1 4 2\n"
    )
    mesh = read_mesh(path)
    assert len(mesh.faces) == 3
    normals = np.cross(
        mesh.vertices[mesh.faces[:, 1]] - mesh.vertices[mesh.faces[:, 0]],
        mesh.vertices[mesh.faces[:, 2]] - mesh.vertices[mesh.faces[:, 0]],
    )
    assert (normals[:, 2] > 0).all()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.ply", b"this is not a mesh"),
        ("empty.ply", b""),
        ("scene.blend", b"BLENDER"),
    ],
)
def test_a_file_that_is_no_mesh_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        read_mesh(tmp_path / name)


def test_a_cut_off_mesh_is_refused(ball: Mesh, tmp_path: Path) -> None:
    write_mesh(tmp_path / "ball.ply", ball)
    content = (tmp_path / "ball.ply").read_bytes()
    (tmp_path / "ball.ply").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"ball\.ply"):
        read_mesh(tmp_path / "ball.ply")


def test_an_unknown_extension_names_the_known_ones(ball: Mesh, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        write_mesh(tmp_path / "scene.fbx", ball)
    assert all(suffix in caught.value.hint for suffix in MESH_WRITERS)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_mesh(
    ball: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mesh(tmp_path / "scene.ply", ball)
    before = (tmp_path / "scene.ply").read_bytes()

    def write_half(target: Path, mesh: Mesh, config: ExportConfig) -> None:
        target.write_bytes(before[: len(before) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(MESH_WRITERS, ".ply", write_half)
    with pytest.raises(OutputError, match="disk is full"):
        write_mesh(tmp_path / "scene.ply", ball)
    assert (tmp_path / "scene.ply").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["scene.ply"]


def test_a_cloud_comes_back_exactly_as_written(ball: Mesh, tmp_path: Path) -> None:
    cloud = PointCloud(ball.vertices, ball.rgb, ball.normals)
    write_cloud(tmp_path / "cloud.ply", cloud)
    back = read_cloud(tmp_path / "cloud.ply")
    np.testing.assert_array_equal(back.points, cloud.points)
    np.testing.assert_array_equal(back.rgb, cloud.rgb)
    np.testing.assert_array_equal(back.normals, cloud.normals)


def test_depth_maps_are_millimetres_in_png_and_exact_in_npy(tmp_path: Path) -> None:
    from PIL import Image

    depth_z = np.array([[0, 1.2344, 65.535, 70.0]], np.float32)
    write_depth_map(tmp_path / "a.jpg", depth_z, png_step("metre", 70.0))
    with Image.open(tmp_path / "a.jpg.png") as image:
        assert np.asarray(image).tolist() == [[0, 1234, 65535, 0]]
    np.testing.assert_array_equal(np.load(tmp_path / "a.jpg.npy"), depth_z)


def test_depth_without_metres_uses_all_sixteen_bits(tmp_path: Path) -> None:
    from PIL import Image

    depth_z = np.array([[0, 1e-3, 5e-3]], np.float32)
    write_depth_map(tmp_path / "a", depth_z, png_step("scene", 5e-3))
    with Image.open(tmp_path / "a.png") as image:
        assert np.asarray(image).tolist() == [[0, 13107, 65535]]
