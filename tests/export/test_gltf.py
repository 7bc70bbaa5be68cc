"""GLB files: what is in them, and what the Khronos validator says of that."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from glb_parts import parts_of, read_glb
from PIL import Image
from textured_box import one_page_box, sample, textured_box

from recon3d.core.errors import OutputError
from recon3d.core.surface import Mesh, TexturedMesh
from recon3d.export.meshes import write_mesh
from recon3d.export.textures import ExportConfig

ROOT = Path(__file__).resolve().parents[2]
BOX = textured_box()
COLOURED = BOX.mesh
MAPS = [np.full((64, 64, 3), value, np.uint8) for value in ([128, 128, 255], [90, 90, 90])]
MAPPED = replace(BOX, normal_pages=MAPS[:1] * 2, occlusion_pages=MAPS[1:] * 2)
PLAIN = Mesh(COLOURED.vertices, COLOURED.faces)


@pytest.mark.parametrize(
    ("model", "config"),
    [
        (PLAIN, ExportConfig()),
        (COLOURED, ExportConfig()),
        (COLOURED, ExportConfig(unlit=True)),
        (one_page_box(), ExportConfig()),
        (BOX, ExportConfig()),
        (BOX, ExportConfig(texture_format="png")),
        (BOX, ExportConfig(texture_format="webp", unlit=True)),
        (MAPPED, ExportConfig()),
        (MAPPED, ExportConfig(texture_format="webp")),
    ],
    ids=[
        "plain",
        "coloured",
        "unlit",
        "one page",
        "two pages",
        "png",
        "webp unlit",
        "maps",
        "webp maps",
    ],
)
def test_the_khronos_validator_finds_nothing_wrong(
    model: Mesh | TexturedMesh, config: ExportConfig, tmp_path: Path
) -> None:
    modules = Path(os.environ.get("RECON3D_NODE_MODULES", ROOT / "node_modules"))
    if not shutil.which("node") or not (modules / "gltf-validator").is_dir():
        pytest.skip("needs node and, here, `npm install --no-save gltf-validator`")
    write_mesh(tmp_path / "box.glb", model, config)
    script = """
        const [modules, file] = process.argv.slice(1);
        const bytes = new Uint8Array(require("fs").readFileSync(file));
        require(modules + "/gltf-validator").validateBytes(bytes).then(
            report => console.log(JSON.stringify(report.issues)));
    """
    command = ["node", "-e", script, str(modules.resolve()), str(tmp_path / "box.glb")]
    issues = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert issues["messages"] == []
    assert issues["numErrors"] == 0


def test_a_mesh_is_double_sided_rough_and_has_linear_colours(tmp_path: Path) -> None:
    grey = replace(COLOURED, rgb=np.full_like(COLOURED.rgb, 188))
    write_mesh(tmp_path / "box.glb", grey)
    document, _ = read_glb(tmp_path / "box.glb")
    (material,) = document["materials"]
    assert material["doubleSided"]
    assert material["pbrMetallicRoughness"] == {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    (part,) = parts_of(tmp_path / "box.glb")
    # sRGB 188 of 255 is half of full light: 0.503 x 65535.
    np.testing.assert_allclose(part["COLOR_0"][:, :3], 0.503 * 65535, rtol=0.002)


def test_maps_lie_beside_the_texture_without_loss_and_tangents_run_along_u(tmp_path: Path) -> None:
    write_mesh(tmp_path / "box.glb", MAPPED)
    document, _ = read_glb(tmp_path / "box.glb")
    for material in document["materials"]:
        for kind in ("normalTexture", "occlusionTexture"):
            texture = document["textures"][material[kind]["index"]]
            assert document["images"][texture["source"]]["mimeType"] == "image/png"
    for part in parts_of(tmp_path / "box.glb"):
        tangent, sign = part["TANGENT"][:, :3], part["TANGENT"][:, 3]
        np.testing.assert_allclose(np.linalg.norm(tangent, axis=1), 1, atol=1e-5)
        assert set(sign.tolist()) <= {1.0, -1.0}
        across = np.einsum("ij,ij->i", tangent, part["NORMAL"])
        np.testing.assert_allclose(across, 0, atol=1e-5)
        corners, uv = part["POSITION"][part["faces"]], part["TEXCOORD_0"][part["faces"]]
        for first, second in ((0, 1), (1, 2), (2, 0)):
            way = corners[:, second] - corners[:, first]
            step = uv[:, second, 0] - uv[:, first, 0]
            along = np.einsum("ij,ij->i", way, tangent[part["faces"][:, 0]])
            assert (along * step >= -1e-6).all()
    write_mesh(tmp_path / "plain.glb", BOX)
    assert all("TANGENT" not in part for part in parts_of(tmp_path / "plain.glb"))


def test_vertices_are_split_only_where_charts_part(tmp_path: Path) -> None:
    write_mesh(tmp_path / "box.glb", BOX)
    parts = parts_of(tmp_path / "box.glb")
    # Each of three sides on a page is a chart of four corners.
    assert [len(part["POSITION"]) for part in parts] == [12, 12]
    assert [part["faces"].dtype for part in parts] == ["<u2", "<u2"]
    assert sum(len(part["faces"]) for part in parts) == 12


def test_a_smooth_chart_is_not_split_at_all(tmp_path: Path) -> None:
    side = 20
    x, y = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side))
    vertices = np.stack([x, y, 0 * x], -1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    lower = np.stack([corner, corner + 1, corner + side], 1)
    upper = np.stack([corner + 1, corner + side + 1, corner + side], 1)
    faces = np.concatenate([lower, upper]).astype(np.int32)
    page = np.zeros(len(faces), np.int32)
    model = TexturedMesh(
        Mesh(vertices, faces), vertices[faces][..., :2], page, BOX.pages, page == 0
    )
    write_mesh(tmp_path / "sheet.glb", model)
    (part,) = parts_of(tmp_path / "sheet.glb")
    assert len(part["POSITION"]) == side**2


def test_shading_is_smooth_across_chart_borders(tmp_path: Path) -> None:
    write_mesh(tmp_path / "box.glb", BOX)
    normal_at: dict[tuple[float, ...], np.ndarray] = {}
    for part in parts_of(tmp_path / "box.glb"):
        for position, normal in zip(part["POSITION"], part["NORMAL"], strict=True):
            first = normal_at.setdefault(tuple(position), normal)
            np.testing.assert_array_equal(normal, first)
    assert len(normal_at) == 8


def test_texture_coordinates_point_down_from_the_upper_left(tmp_path: Path) -> None:
    import io

    write_mesh(tmp_path / "box.glb", BOX, ExportConfig(texture_format="png"))
    document, body = read_glb(tmp_path / "box.glb")
    for page, part in enumerate(parts_of(tmp_path / "box.glb")):
        view = document["bufferViews"][document["images"][page]["bufferView"]]
        stored = body[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        picture = np.asarray(Image.open(io.BytesIO(stored)))
        np.testing.assert_array_equal(picture, BOX.pages[page])
        faces = np.flatnonzero(BOX.page_of_face == page)
        for face, corners in zip(faces, part["faces"], strict=True):
            weights = np.array([0.8, 0.1, 0.1])
            u, v = weights @ part["TEXCOORD_0"][corners]
            found = picture[int(v * len(picture)), int(u * len(picture))]
            np.testing.assert_array_equal(found, sample(BOX, face, weights))


def test_pages_without_a_face_are_not_even_read(tmp_path: Path) -> None:
    read = []

    class Pages(list[np.ndarray]):
        def __getitem__(self, index: Any) -> Any:
            read.append(index)
            return super().__getitem__(index)

    model = replace(one_page_box(), pages=Pages(BOX.pages))
    read.clear()  # of the check of types
    write_mesh(tmp_path / "box.glb", model)
    document, _ = read_glb(tmp_path / "box.glb")
    assert len(document["images"]) == len(document["materials"]) == 1
    assert read == [0]


def test_webp_is_required_of_readers_and_unlit_is_not(tmp_path: Path) -> None:
    write_mesh(tmp_path / "box.glb", BOX, ExportConfig(texture_format="webp", unlit=True))
    document, _ = read_glb(tmp_path / "box.glb")
    assert document["extensionsRequired"] == ["EXT_texture_webp"]
    assert set(document["extensionsUsed"]) == {"EXT_texture_webp", "KHR_materials_unlit"}
    assert all("source" not in texture for texture in document["textures"])


def test_many_vertices_get_wide_indices(tmp_path: Path) -> None:
    for count, kind in ((65535, "<u2"), (65536, "<u4")):
        vertices = np.random.default_rng(0).random((count, 3), np.float32)
        faces = np.array([[0, 1, count - 1]], np.int32)
        write_mesh(tmp_path / "wide.glb", Mesh(vertices, faces))
        (part,) = parts_of(tmp_path / "wide.glb")
        assert part["faces"].dtype == kind
        assert part["faces"].max() == count - 1


def test_a_page_too_large_for_webp_is_refused_with_advice(tmp_path: Path) -> None:
    page = np.broadcast_to(np.uint8(9), (16384, 16384, 3))
    model = replace(one_page_box(), pages=[page])
    with pytest.raises(OutputError, match="16384") as caught:
        write_mesh(tmp_path / "box.glb", model, ExportConfig(texture_format="webp"))
    assert "jpeg" in caught.value.hint
    assert list(tmp_path.iterdir()) == []
