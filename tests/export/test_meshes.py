"""Mesh files: round trips, foreign files, and the validators' opinion of our own."""

from __future__ import annotations

import errno
import struct
import sys
import time
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import trimesh
from textured_box import textured_box

from recon3d.core.errors import InputError, OutputError
from recon3d.core.surface import Mesh, PointCloud, TexturedMesh, vertex_normals
from recon3d.export.depth_maps import png_step, write_depth_map
from recon3d.export.meshes import (
    MESH_WRITERS,
    check_mesh_suffix,
    read_cloud,
    read_mesh,
    write_cloud,
    write_mesh,
)
from recon3d.export.textures import ExportConfig


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


@pytest.mark.parametrize("suffix", sorted(MESH_WRITERS.keys() - {".usdz", ".3mf"}))
def test_faces_stay_counter_clockwise_from_outside(ball: Mesh, tmp_path: Path, suffix: str) -> None:
    write_mesh(tmp_path / f"ball{suffix}", ball)
    loaded = trimesh.load_mesh(tmp_path / f"ball{suffix}")
    # trimesh's volume is positive only when the faces are seen counter-clockwise from outside.
    assert loaded.volume == pytest.approx(4 / 3 * np.pi * 1.25**3, rel=0.02)


def test_3mf_is_read_back_by_its_specification(ball: Mesh, tmp_path: Path) -> None:
    core = "{http://schemas.microsoft.com/3dmanufacturing/core/2015/02}"
    material = "{http://schemas.microsoft.com/3dmanufacturing/material/2015/02}"
    for path in (tmp_path / "käse 山.3mf", tmp_path / "again.3mf"):
        write_mesh(path, ball)
    assert path.read_bytes() == (tmp_path / "käse 山.3mf").read_bytes()
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        assert package.namelist()[0] == "[Content_Types].xml"
        (relation,) = ElementTree.fromstring(package.read("_rels/.rels"))
        model = ElementTree.fromstring(package.read(relation.attrib["Target"].lstrip("/")))
        types = package.read("[Content_Types].xml").decode()
    assert 'Extension="model"' in types
    assert model.attrib["unit"] == "millimeter"
    places = [[float(v.attrib[axis]) for axis in "xyz"] for v in model.iter(f"{core}vertex")]
    np.testing.assert_array_equal(np.float32(places), ball.vertices)
    triangles = [t.attrib for t in model.iter(f"{core}triangle")]
    faces = [[int(t[name]) for name in ("v1", "v2", "v3")] for t in triangles]
    np.testing.assert_array_equal(faces, ball.faces)
    colours = [c.attrib["color"] for c in model.iter(f"{material}color")]
    numbers = [[int(t[name]) for name in ("p1", "p2", "p3")] for t in triangles]
    group = model.find(f".//{material}colorgroup")
    assert group is not None
    assert {t["pid"] for t in triangles} == {group.attrib["id"]}
    assert ball.rgb is not None
    expected = [f"#{rgb.tobytes().hex().upper()}" for rgb in ball.rgb[ball.faces[7]]]
    assert [colours[n] for n in numbers[7]] == expected
    (item,) = model.iter(f"{core}item")
    (written,) = model.iter(f"{core}object")
    assert item.attrib["objectid"] == written.attrib["id"]
    bare = Mesh(ball.vertices, ball.faces)
    write_mesh(path, bare)
    with zipfile.ZipFile(path) as package:
        assert b"colorgroup" not in package.read("3D/3dmodel.model")


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


@pytest.mark.parametrize("suffix", sorted(MESH_WRITERS))
@pytest.mark.parametrize("flaw", ["no faces", "not finite", "lost vertex", "lost uv"])
def test_a_broken_mesh_leaves_the_old_file(suffix: str, flaw: str, tmp_path: Path) -> None:
    box = textured_box()
    vertices, faces, uv = box.mesh.vertices.copy(), box.mesh.faces.copy(), box.uv.copy()
    if flaw == "not finite":
        vertices[3, 1] = np.nan
    elif flaw == "lost vertex":
        faces[5, 2] = len(vertices)
    elif flaw == "lost uv":
        uv[2, 0, 0] = np.inf
    else:
        faces, uv = faces[:0], uv[:0]
    page, seen = box.page_of_face[: len(faces)], box.seen[: len(faces)]
    broken = TexturedMesh(Mesh(vertices, faces), uv, page, box.pages, seen)
    (tmp_path / f"box{suffix}").write_text("old")
    with pytest.raises(ValueError, match="got"):
        write_mesh(tmp_path / f"box{suffix}", broken)
    assert (tmp_path / f"box{suffix}").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_obj_finds_its_textures_whatever_it_is_called(tmp_path: Path) -> None:
    box = textured_box()
    for name in ("a b", "a_b", 'it\'s "山" #1'):
        write_mesh(tmp_path / f"{name}.obj", box)
        loaded = trimesh.load(tmp_path / f"{name}.obj", force="scene", process=False)
        assert len(loaded.geometry) == 2
        assert sum(len(part.faces) for part in loaded.geometry.values()) == 12
        assert all(part.visual.material.image for part in loaded.geometry.values())
    # Each has its own: neither overwrites the other's.
    assert len(list(tmp_path.glob("*.mtl"))) == 3
    assert len(list(tmp_path.glob("*.jpg"))) == 6


def test_a_texture_that_fails_leaves_the_old_obj_and_its_old_pictures(
    tmp_path: Path,
) -> None:
    class Pages(list[np.ndarray]):
        def __getitem__(self, index: Any) -> Any:
            if index == 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().__getitem__(index)

    box = textured_box()
    write_mesh(tmp_path / "box.obj", box)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    failing = object.__new__(TexturedMesh)
    darker = Pages(page // 2 for page in box.pages)
    failing.__dict__.update(vars(box) | {"pages": darker})
    with pytest.raises(OutputError, match="disk is full"):
        write_mesh(tmp_path / "box.obj", failing)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("suffix", sorted(MESH_WRITERS))
def test_the_same_model_gives_the_same_files_at_any_time(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, now in (("then", 1e9), ("now", 2e9)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        write_mesh(tmp_path / folder / f"box{suffix}", textured_box())
    for path in (tmp_path / "then").iterdir():
        assert path.read_bytes() == (tmp_path / "now" / path.name).read_bytes()


@pytest.mark.parametrize("texture_format", ["jpeg", "png", "webp"])
def test_the_validator_of_usd_accepts_a_package(texture_format: Any, tmp_path: Path) -> None:
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom, UsdValidation

    for name, model in (("süß 山", textured_box()), ("bare", textured_box().mesh)):
        target = tmp_path / f"{name}.usdz"
        write_mesh(target, model, ExportConfig(texture_format=texture_format))
        stage = Usd.Stage.Open(str(target))
        validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
        problems = UsdValidation.ValidationContext(validators).Validate(stage)
        assert [problem.GetMessage() for problem in problems] == []
        assert UsdGeom.GetStageUpAxis(stage) == "Y"
        assert UsdGeom.GetStageMetersPerUnit(stage) == 1
        with zipfile.ZipFile(target) as package, target.open("rb") as stream:
            for entry in package.infolist():
                stream.seek(entry.header_offset + 26)
                name_length, extra_length = struct.unpack("<HH", stream.read(4))
                # Readers map the files into memory as they lie there.
                assert (entry.header_offset + 30 + name_length + extra_length) % 64 == 0
                assert entry.compress_type == zipfile.ZIP_STORED
    assert {path.suffix for path in tmp_path.iterdir()} == {".usdz"}


def test_a_missing_usd_library_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(OutputError) as caught:
        check_mesh_suffix(tmp_path / "scene.usdz")
    assert ".[usdz]" in caught.value.hint


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
