"""What the real Blender makes of our files; needs a Python that has bpy.

bpy wants an older numpy than recon3d, so it has an environment of its own: .venv-blender, or the
one whose Python the variable RECON3D_BLENDER_PYTHON names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from odd_cameras import posed_ring
from PIL import Image
from solids import sphere
from textured_box import one_page_box, sample, textured_box

from recon3d.api import reconstruct
from recon3d.config import preset
from recon3d.core.camera import project
from recon3d.core.surface import Mesh, PointCloud, TexturedMesh, vertex_normals
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Rigid, Similarity
from recon3d.export.blender_addon import write_addon
from recon3d.export.export import Exportable, Outputs, export
from recon3d.export.meshes import MESH_WRITERS, TEXTURE_SUFFIXES, write_mesh
from recon3d.export.textures import ExportConfig
from recon3d.export.transformed import file_from_world, moved_model
from recon3d.results import Inputs
from recon3d.run.task import CancelToken, Task, silent
from recon3d.texture.maps import BakeConfig, bake_maps, read_maps
from recon3d.texture.packing import pack
from recon3d.texture.unwrap import unwrap

pytestmark = pytest.mark.blender

ROOT = Path(__file__).resolve().parents[2]
IDENTITY = Similarity.from_rigid(Rigid.identity())


def blender(job: str, *arguments: object) -> dict[str, Any]:
    """What a job of in_blender.py found, in a process of its own."""
    python = os.environ.get("RECON3D_BLENDER_PYTHON", ROOT / ".venv-blender/bin/python")
    if not Path(python).exists():
        pytest.skip(f"no Blender: {python} is missing; make it with `pip install bpy`")
    script = Path(__file__).with_name("in_blender.py")
    command = [python, script, job, *arguments]
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "BLENDER_USER_RESOURCES": home},
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def write(model: Mesh | TexturedMesh, target: Path, config: ExportConfig | None = None) -> None:
    suffix = target.suffix
    there = file_from_world(suffix, TargetFrame(IDENTITY, "scene"), IDENTITY)
    write_mesh(target, moved_model(model, there), config or ExportConfig())


# Blender reads no 3MF by itself.
@pytest.mark.parametrize("suffix", sorted(MESH_WRITERS.keys() - {".3mf"}))
def test_every_format_opens_upright_in_metres_with_all_its_faces(
    suffix: str, tmp_path: Path
) -> None:
    box = textured_box().mesh
    write(box, tmp_path / f"süß 山{suffix}")
    found = blender("look", tmp_path / f"süß 山{suffix}")
    assert (found["vertices"], found["faces"]) == (8, 12)
    # float32, and half a turn that is not exact.
    np.testing.assert_allclose(found["low"], [-1, -0.5, 0], atol=1e-6)
    np.testing.assert_allclose(found["high"], [1, 0.5, 3], atol=1e-6)
    assert found["colours"] == ([] if suffix == ".stl" else [[128, 128, 128]])


@pytest.mark.parametrize("pages", [1, 2])
@pytest.mark.parametrize("texture_format", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("suffix", sorted(TEXTURE_SUFFIXES))
def test_every_texel_is_where_it_belongs(
    suffix: str, texture_format: Any, pages: int, tmp_path: Path
) -> None:
    box = textured_box() if pages == 2 else one_page_box()
    target = tmp_path / f"it's a “box”{suffix}"
    write(box, target, ExportConfig(texture_format=texture_format))
    found = blender("look", target)
    assert (found["materials"], found["faces"]) == (pages, 12)
    assert len(found["texels"]) == 36
    places = {}
    for face, corners in enumerate(box.mesh.vertices[box.mesh.faces]):
        for corner in range(3):
            weights = np.full(3, 0.1)
            weights[corner] = 0.8
            places[tuple(np.round(weights @ corners, 3))] = sample(box, face, weights)
    for texel in found["texels"]:
        expected = places[tuple(np.round(texel["at"], 3) + 0.0)]
        # JPEG and WebP at quality 92 keep even areas within a few of 255 levels.
        np.testing.assert_allclose(texel["rgb"], expected.astype(float), atol=6)


def test_an_unlit_model_shines_by_itself(tmp_path: Path) -> None:
    write(textured_box(), tmp_path / "lit.glb")
    write(textured_box(), tmp_path / "unlit.glb", ExportConfig(unlit=True))
    assert not blender("look", tmp_path / "lit.glb")["unlit"]
    assert blender("look", tmp_path / "unlit.glb")["unlit"]


def test_more_vertices_than_16_bits_count_arrive(tmp_path: Path) -> None:
    side = 300
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    vertices = np.stack([x, y, 0 * x], -1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    faces = np.stack([corner, corner + 1, corner + side], 1).astype(np.int32)
    write(Mesh(vertices, faces), tmp_path / "large.glb")
    found = blender("look", tmp_path / "large.glb")
    assert found["faces"] == len(faces)
    # The last corner of the grid belongs to no face, and Blender drops it.
    assert found["vertices"] == side * side - 1


def test_the_folder_opens_with_cameras_that_see_the_points_where_the_photos_do(
    tmp_path: Path,
) -> None:
    posed = posed_ring()
    box = textured_box()
    cloud = PointCloud(box.mesh.vertices, box.mesh.rgb, np.zeros_like(box.mesh.vertices))
    made = Exportable(posed, box.mesh, cloud, {}, TargetFrame(IDENTITY, "metre"), box)
    folder = tmp_path / "in Blender, ä"
    export(made, Outputs(blender=folder), ExportConfig(), Task("export", silent, CancelToken()))
    questions, expected = {}, {}
    points = posed.scene.points.xyz_world
    for view in posed.scene.views:
        camera = view.camera
        questions[view.photo_id] = {
            "size_px": [camera.width_px, camera.height_px],
            "points": points.tolist(),
        }
        expected[view.photo_id], _ = project(view.cam_from_world @ points, camera)
    (tmp_path / "questions.json").write_text(json.dumps(questions))
    found = blender("open_folder", folder, tmp_path / "questions.json", folder / "scene.blend")

    for photo_id, seen_px in found["seen_px"].items():
        # Blender's float32 lenses and matrices lose thousandths of a pixel; 1 px is the promise.
        np.testing.assert_allclose(seen_px, expected[photo_id], atol=0.02)
    names = [view.photo_id for view in posed.scene.views]
    assert found["collections"]["Cameras"] == names
    assert found["collections"]["Mesh"] == ["recon3d"]
    assert found["collections"]["Sparse points"] == ["points"]
    assert found["hidden"] == ["Sparse points"]
    assert found["objects"] == sorted(["Light", "recon3d", "points", *names])
    assert found["camera"] == names[0]
    assert found["units"] == "METRIC"
    assert found["size_px"] == [320, 200]
    assert found["markers"] == len(names)
    assert len(found["photos"]) == len(names)
    assert all(path.startswith("//images") for path in found["photos"])
    assert found["missing"] == []


def test_a_folder_from_before_the_mesh_opens_too(tmp_path: Path) -> None:
    posed = posed_ring()
    posed = replace(posed, scene=replace(posed.scene, unit="scene"))
    nothing = np.zeros((0, 3), np.float32)
    made = Exportable(
        posed,
        Mesh(nothing, np.zeros((0, 3), np.int32)),
        PointCloud(nothing, np.zeros((0, 3), np.uint8), nothing),
        {},
        TargetFrame(IDENTITY, "scene"),
    )
    folder = tmp_path / "cameras"
    export(made, Outputs(blender=folder), ExportConfig(), Task("export", silent, CancelToken()))
    (tmp_path / "questions.json").write_text("{}")
    found = blender("open_folder", folder, tmp_path / "questions.json", folder / "scene.blend")
    assert "Mesh" not in found["collections"]
    assert len(found["collections"]["Cameras"]) == len(posed.scene.views)
    # Nobody knows how large it is.
    assert found["units"] == "NONE"


PROGRAM = """#!{python}
import json, shutil, sys, time
from pathlib import Path
def say(event, **fields): print(json.dumps({{"version": 1, "event": event, **fields}}), flush=True)
given = dict(zip(sys.argv[1:], sys.argv[2:]))
say("stage_started", stage="pose")
say("progress", stage="pose", done=3, total=9, note="matching")
say("warning", stage="pose", note="Few photos overlap.")
if given["--preset"] == "fine":
    time.sleep(60)
target = Path(given["--blender"])
source = Path({places!r}[target.exists()])
shutil.rmtree(target, ignore_errors=True)
shutil.copytree(source, target)
say("result", given=5, placed=4, faces=12)
"""


def test_the_addon_builds_in_the_background_and_brings_the_scene_up_to_date(tmp_path: Path) -> None:
    posed, box = posed_ring(), textured_box()
    cloud = PointCloud(box.mesh.vertices, box.mesh.rgb, np.zeros_like(box.mesh.vertices))
    ball = Mesh(sphere(2).vertices, sphere(2).faces)
    fewer = replace(posed, scene=replace(posed.scene, views=posed.scene.views[1:]))
    folders = [tmp_path / "made first", tmp_path / "made then"]
    for folder, scene, mesh, texture in (
        (folders[0], posed, box.mesh, box),
        (folders[1], fewer, ball, None),
    ):
        made = Exportable(scene, mesh, cloud, {}, TargetFrame(IDENTITY, "metre"), texture)
        export(made, Outputs(blender=folder), ExportConfig(), Task("export", silent, CancelToken()))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(python=sys.executable, places=list(map(str, folders))))
    program.chmod(0o755)
    photos = tmp_path / "photos of ä church"
    photos.mkdir()
    write_addon(tmp_path / "recon3d.zip", ["recon3d"])
    found = blender("addon", tmp_path / "recon3d.zip", photos, program)

    names = [view.photo_id for view in posed.scene.views]
    first, second = found["first"], found["second"]
    assert (first["state"], first["line"]) == ("done", "12 triangles, 4 of 5 photos placed")
    assert first["warnings"] == ["Few photos overlap."]
    assert first["collections"]["Cameras"] == names
    assert (first["markers"], second["markers"]) == (len(names), len(names) - 1)
    assert second["collections"]["Cameras"] == names[1:]
    assert second["collections"]["Mesh"] == ["church"]
    assert set(second["collections"]) == set(first["collections"])
    assert len(ball.faces) in second["faces"]
    assert len(second["faces"]) == len(first["faces"])
    assert found["kept"] == ["church", 3.0, 1, 99]
    assert (found["can_build"], found["busy"]) == (True, [False, True])
    assert found["stopped"] == "failed"  # this program says no goodbye
    assert "does not start" in found["refused"]


def test_a_light_model_with_a_normal_map_looks_like_the_fine_one(tmp_path: Path) -> None:
    def ball(subdivisions: int) -> Mesh:
        """With dents, the light one without: it has a tenth of the vertices."""
        smooth = sphere(subdivisions).vertices.astype(np.float64)
        x, y, z = 9 * smooth.T
        dents = 1 + (0.02 * np.sin(x) * np.sin(y) * np.sin(z) if subdivisions > 4 else 0)
        dented = Mesh((smooth.T * dents).T.astype(np.float32), sphere(subdivisions).faces)
        return replace(dented, normals=vertex_normals(dented))

    def textured(mesh: Mesh) -> TexturedMesh:
        charts = unwrap(mesh, lambda: None)
        atlas = pack(charts, np.full(charts.count, 300.0), 1024, 1, lambda: None)
        grey = np.full((1024, 1024, 3), 180, np.uint8)
        seen = np.ones(len(mesh.faces), bool)
        return TexturedMesh(mesh, atlas.uv, atlas.page_of_face, [grey], seen)

    fine, light = textured(ball(6)), textured(ball(4))
    task = Task("bake", silent, CancelToken())
    bake_maps(light, fine.mesh, BakeConfig(normal=True), tmp_path, task)
    light = replace(light, normal_pages=read_maps(tmp_path).normals)
    pictures = {}
    for name, model in (("fine", fine), ("light", light)):
        write(model, tmp_path / f"{name}.glb")
        (tmp_path / name).mkdir()
        answer = blender("shade", tmp_path / f"{name}.glb", tmp_path / name, "[[0, 0, 0], 2.4]")
        assert answer["normal_maps"] == (name == "light")
        for still in (tmp_path / name).iterdir():
            with Image.open(still) as picture:
                pictures[name, still.stem] = np.asarray(picture).astype(np.float64)

    def psnr(kind: str) -> float:
        """Of the pixels that both cover, over all six views."""
        errors = []
        for side in range(6):
            one, two = pictures["fine", f"with_{side}"], pictures["light", f"{kind}_{side}"]
            both = (one[..., 3] == 255) & (two[..., 3] == 255)
            errors.append((one - two)[both, :3] ** 2)
        return float(10 * np.log10(255**2 / np.concatenate(errors).mean()))

    # 32.6 and 27.1 were measured; what is left lies along the outline, which no map bends.
    assert psnr("with") > 31
    assert psnr("with") > psnr("without") + 4


@pytest.mark.slow
def test_a_still_from_a_photos_place_looks_like_the_photo(example: Path, tmp_path: Path) -> None:
    inputs = Inputs(photos=example, intrinsics=example / "K.json")
    config = preset("draft")
    config = replace(config, export=replace(config.export, unlit=True))
    folder = tmp_path / "ruin"
    reconstruct(inputs, tmp_path / "work", config, outputs=Outputs(blender=folder))
    (tmp_path / "questions.json").write_text("{}")
    blender("open_folder", folder, tmp_path / "questions.json", folder / "scene.blend")
    for name in ("ruin_03.jpg", "ruin_12.jpg"):
        still = tmp_path / f"{name}.png"
        blender("render", folder / "scene.blend", name, still)
        with Image.open(folder / "images" / name) as photo, Image.open(still) as rendered:
            assert rendered.size == photo.size
            covered = np.asarray(rendered.convert("RGBA"))[..., 3] > 127
            grey, still_grey = (np.asarray(one.convert("L")) for one in (photo, rendered))
        likeness = ssim(grey, still_grey)[covered].mean()
        assert covered.mean() > 0.5
        # 0.75 and more was measured; the mesh of a draft has no finer detail.
        assert likeness > 0.68
        # A pixel to any side the still fits worse, by 0.1 and more.
        for shift in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            shifted = np.roll(still_grey, shift, (0, 1))
            assert ssim(grey, shifted)[covered].mean() < likeness - 0.05


def ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Structural similarity at every pixel (Wang et al. 2004), of grey pictures."""
    from scipy.ndimage import gaussian_filter

    a, b = a.astype(np.float64), b.astype(np.float64)
    mean_a, mean_b = gaussian_filter(a, 1.5), gaussian_filter(b, 1.5)
    var_a = gaussian_filter(a * a, 1.5) - mean_a**2
    var_b = gaussian_filter(b * b, 1.5) - mean_b**2
    both = gaussian_filter(a * b, 1.5) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return ((2 * mean_a * mean_b + c1) * (2 * both + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    )
