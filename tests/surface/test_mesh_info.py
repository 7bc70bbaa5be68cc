"""`recon3d mesh-info`: shapes whose every number is known, and files that lie."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import trimesh
from PIL import Image
from rich.console import Console
from solids import joined, sheet, sphere

from recon3d.cli.commands import parse
from recon3d.cli.display import JsonLines, PlainLines
from recon3d.core.errors import InputError, NotEnoughMemoryError
from recon3d.core.surface import Mesh
from recon3d.export.meshes import write_mesh
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken
from recon3d.surface.cleaning.pieces import keep_faces
from recon3d.surface.cleaning.survey import Survey, survey
from recon3d.surface.foreign_meshes import read_foreign_mesh


def surveyed(target: Path, mesh: Mesh) -> Survey:
    write_mesh(target, mesh)
    return survey(read_foreign_mesh(target))


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".stl", ".glb"])
def test_a_ball_is_a_ball_in_every_format(tmp_path: Path, suffix: str) -> None:
    numbers = surveyed(tmp_path / f"ball{suffix}", sphere(4))
    assert (numbers.faces, numbers.vertices, numbers.pieces) == (5120, 2562, 1)
    assert numbers.watertight
    assert numbers.edge_manifold
    assert numbers.vertex_manifold
    assert numbers.consistently_oriented
    assert (numbers.borders, numbers.longest_border, numbers.self_intersecting_faces) == (0, 0, 0)
    # 5120 flat faces inside the unit sphere lack a thousandth or two.
    assert numbers.volume == pytest.approx(4 / 3 * np.pi, rel=4e-3)
    assert numbers.area == pytest.approx(4 * np.pi, rel=4e-3)
    assert numbers.size == pytest.approx((2, 2, 2), rel=1e-3)
    assert numbers.texels_per_unit is None


def test_borders_pieces_and_faults_are_counted(tmp_path: Path) -> None:
    whole = sheet(11)
    middle = whole.vertices[whole.faces].mean(1)
    torn = keep_faces(whole, np.abs(middle[:, :2] - 5).max(1) > 1)
    flipped = torn.faces.copy()
    flipped[0] = flipped[0, ::-1]
    one, two = Mesh(torn.vertices, flipped, rgb=torn.rgb), sheet(3, 4.0)
    numbers = surveyed(tmp_path / "a.ply", joined(one, two))
    assert numbers.pieces == 2
    assert not numbers.watertight
    assert not numbers.consistently_oriented
    assert numbers.edge_manifold
    assert numbers.volume is None
    assert numbers.area == pytest.approx(100 - 4 + 4)
    good = surveyed(tmp_path / "b.ply", joined(torn, two))
    # The sheet's own rim, the hole's, and the second sheet's.
    assert (good.borders, good.longest_border) == (3, pytest.approx(40))


def test_texels_are_counted_per_unit_of_length(tmp_path: Path) -> None:
    flat = sheet(5)
    visual = trimesh.visual.TextureVisuals(
        uv=flat.vertices[:, :2] / 4, image=Image.new("RGB", (400, 200))
    )
    solid = trimesh.Trimesh(flat.vertices, flat.faces, visual=visual, process=False)
    solid.export(tmp_path / "flat.glb")
    numbers = survey(read_foreign_mesh(tmp_path / "flat.glb"))
    assert numbers.texture_pages_px == ((400, 200),)
    # 100 texels a unit one way, 50 the other: the root of their product.
    assert numbers.texels_per_unit == pytest.approx(np.sqrt(100 * 50), rel=1e-4)


def test_a_ply_says_which_faces_were_inferred(tmp_path: Path) -> None:
    whole = sheet(11)
    marked = np.arange(len(whole.faces)) < 50
    write_mesh(tmp_path / "sheet.ply", replace(whole, inferred=marked))
    found = read_foreign_mesh(tmp_path / "sheet.ply")
    assert found.inferred is not None
    np.testing.assert_array_equal(found.inferred, marked)
    # 200 triangles of one size.
    assert survey(found).inferred == pytest.approx(0.25)
    write_mesh(tmp_path / "sheet.ply", whole)
    assert survey(read_foreign_mesh(tmp_path / "sheet.ply")).inferred is None


def test_points_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    ball = sphere(2)
    points = [" ".join(map(str, point)) for point in ball.vertices.tolist()]
    points[0] = "nan 0 inf"
    faces = [f"3 {a} {b} {c}" for a, b, c in ball.faces.tolist()]
    text = "\n".join(["OFF", f"{len(points)} {len(faces)} 0", *points, *faces])
    (tmp_path / "hurt.off").write_text(text)
    numbers = survey(read_foreign_mesh(tmp_path / "hurt.off"))
    assert 0 < numbers.degenerate_faces < 10
    assert np.isfinite(numbers.area)
    assert not numbers.watertight


HOSTILE = {
    "empty.ply": b"",
    "points.ply": b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
    b"property float z\nend_header\n0 0 0\n",
    "huge.ply": b"ply\nformat binary_little_endian 1.0\nelement vertex 999999999999\n"
    b"property float x\nproperty float y\nproperty float z\nelement face 1\n"
    b"property list uchar int vertex_indices\nend_header\n",
    "index.off": b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n",
    "text.glb": b"this is no glTF",
    "short.stl": b"x" * 80 + np.uint32(4_000_000_000).tobytes(),
    "bad.gltf": b'{"asset": {"version": "2.0"}, "meshes": [{"primitives": [{"attributes": '
    b'{"POSITION": 7}}]}], "nodes": [{"mesh": 0}], "scenes": [{"nodes": [0]}]}',
    "odd.xyz": b"1 2 3",
}


def glb(document: bytes) -> bytes:
    document += b" " * (-len(document) % 4)
    chunk = struct.pack("<I", len(document)) + b"JSON" + document
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunk)) + chunk


def gltf(nodes: int = 1, views: str = "", **accessor: object) -> bytes:
    shown = ", ".join(['{"mesh": 0}'] * nodes)
    numbers = json.dumps({"componentType": 5126, "type": "VEC3", **accessor})
    return (
        f'{{"asset": {{"version": "2.0"}}, "scene": 0, "scenes": [{{"nodes": [0]}}], {views}'
        f'"nodes": [{shown}], "accessors": [{numbers}],'
        '"meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}]}'
    ).encode()


ELSEWHERE = '"buffers": [{"byteLength": 36, "uri": "%s"}], ' + (
    '"bufferViews": [{"buffer": 0, "byteLength": 36}], '
)
HOSTILE |= {
    "billion.glb": glb(gltf(count=10**9)),
    "negative.glb": glb(gltf(count=-1)),
    "digits.glb": glb(gltf(count=10**290)),
    "text.gltf": gltf(count="x"),
    "short.glb": glb(gltf(views='"bufferViews": [{"byteLength": 12}], ', count=3, bufferView=0)),
    "parts.gltf": gltf(nodes=20_000, views=ELSEWHERE % "a", count=3, bufferView=0),
    "nested.glb": glb(b"[" * 100_000),
    "nested.gltf": b'{"asset":' * 100_000,
    "list.gltf": b"[]",
    "folder.gltf": gltf(views=ELSEWHERE % "../../../etc/passwd", count=3, bufferView=0),
    "device.gltf": gltf(views=ELSEWHERE % "/dev/zero", count=3, bufferView=0),
    "pipe.gltf": gltf(views=ELSEWHERE % "pipe", count=3, bufferView=0),
    "flat.obj": b"v 1 2\nv 3 4\nv 5 6\nf 1 2 3\n",
    "index.obj": b"v 1 2 3\nv 3 4 5\nv 5 6 1\nf 1 2 99999999999999999999\n",
    "no.3mf": b"PK\3\4 and no more",
    "properties.ply": b"ply\nformat ascii 1.0\nelement\nproperty\nend_header\n",
    "list.ply": b"ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\n"
    b"property float y\nproperty float z\nelement face 1\n"
    b"property list uint int vertex_indices\nend_header\n" + b"\0" * 36 + b"\xff" * 100,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_damaged_files_end_in_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(HOSTILE[name])
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError):
        survey(read_foreign_mesh(tmp_path / name))


def test_a_file_that_does_not_fit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    write_mesh(tmp_path / "ball.ply", sphere(6))
    held = psutil.Process().memory_info().rss
    with pytest.raises(NotEnoughMemoryError, match=r"ball\.ply"):
        read_foreign_mesh(tmp_path / "ball.ply", Runtime(memory_gib=held / 2**30))


READ_WITHIN = """
import resource, sys
from pathlib import Path
from recon3d.core.errors import NotEnoughMemoryError
from recon3d.run.device import Runtime
from recon3d.surface.foreign_meshes import read_foreign_mesh
Runtime.room_bytes = int(sys.argv[2])
before = resource.getrlimit(resource.RLIMIT_AS)
try:
    read_foreign_mesh(Path(sys.argv[1]))
except NotEnoughMemoryError as error:
    print(error)
assert resource.getrlimit(resource.RLIMIT_AS) == before
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing limits libraries")
@pytest.mark.parametrize(("shares", "is_refused"), [(6, True), (200, False)])
def test_what_a_library_would_take_beyond_the_budget_is_refused_too(
    shares: int, is_refused: bool, tmp_path: Path
) -> None:
    """OFF takes trimesh seventeen bytes for a byte of the file."""
    ball = sphere(7)
    trimesh.Trimesh(ball.vertices, ball.faces, process=False).export(tmp_path / "ball.off")
    room = shares * (tmp_path / "ball.off").stat().st_size
    # In a process of its own: what others freed before would be room beyond the limit.
    command = [sys.executable, "-c", READ_WITHIN, str(tmp_path / "ball.off"), str(room)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ("ball.off" in done.stdout) == is_refused


def textured(folder: Path, picture: bytes) -> Path:
    (folder / "page.jpg").write_bytes(picture)
    (folder / "scene.mtl").write_text("newmtl a\nmap_Kd page.jpg\n")
    (folder / "scene.obj").write_text(
        "mtllib scene.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl a\n"
        "f 1/1 2/2 3/3\n"
    )
    return folder / "scene.obj"


def test_a_texture_is_measured_without_being_decoded(tmp_path: Path) -> None:
    stored = io.BytesIO()
    Image.new("L", (64, 64)).save(stored, "PNG")
    lying = bytearray(stored.getvalue())
    lying[16:24] = struct.pack(">II", 13_000, 12_000)
    lying[29:33] = struct.pack(">I", zlib.crc32(lying[12:29]))
    numbers = survey(read_foreign_mesh(textured(tmp_path, bytes(lying))))
    assert numbers.texture_pages_px == ((13_000, 12_000),)


def test_a_texture_runs_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs: list[object] = []
    monkeypatch.setattr(
        "PIL.EpsImagePlugin.Ghostscript", lambda *given, **_: programs.append(given)
    )
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n"
    numbers = survey(read_foreign_mesh(textured(tmp_path, eps)))
    assert (numbers.texture_pages_px, programs) == ((), [])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.ply"):
        read_foreign_mesh(tmp_path / "gone.ply")


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    target = tmp_path / "ball 1.ply"
    write_mesh(target, sphere(2))
    command, said = parse(["mesh-info", str(target)]), io.StringIO()
    command.run(PlainLines(Console(file=io.StringIO()), said), CancelToken())
    # The path may be too long for one line.
    assert "ball1.ply" in re.sub(r"\s", "", said.getvalue())
    assert re.search(r"watertight +yes", said.getvalue())
    assert re.search(r"faces +320", said.getvalue())
    lines = io.StringIO()
    command.run(JsonLines(Console(file=io.StringIO()), lines), CancelToken())
    (mesh,) = json.loads(lines.getvalue().splitlines()[-1])["meshes"]
    assert mesh["faces"] == 320
    assert mesh["watertight"] is True
