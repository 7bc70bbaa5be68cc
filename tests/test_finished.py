"""Finished runs are opened, adjusted and exported again, without their photos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recon3d_gui.project.file import save_project
from recon3d_gui.project.project import Project
from solids import is_closed

from recon3d.api import ADJUSTED, adjust, forecast, paint, reconstruct
from recon3d.cli import main
from recon3d.cli.display import make_display
from recon3d.cli.export import Export
from recon3d.cli.share import Share
from recon3d.config import Config, updated
from recon3d.core.errors import InputError, OutputError
from recon3d.export.export import Outputs
from recon3d.export.meshes import read_mesh
from recon3d.export.textures import ExportConfig
from recon3d.finished import gather, reopen
from recon3d.results import Inputs, Until
from recon3d.run.task import CancelToken

pytestmark = pytest.mark.usefixtures("small_stills")


def run(folder: Path, until: Until = Until.MESH) -> Path:
    """A run on one photo of a depth camera, the quickest there is; returns its workspace."""
    rng = np.random.default_rng(0)
    photos, depth = folder / "photos", folder / "depth"
    photos.mkdir(exist_ok=True)
    depth.mkdir(exist_ok=True)
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(photos / "ü.png")
    slope = np.linspace(900, 1500, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(slope).save(depth / "ü.png")
    outputs = Outputs(meshes=(folder / "first.ply",) if until >= Until.MESH else ())
    inputs = Inputs(photos=photos / "ü.png", sensor_depth=depth)
    reconstruct(inputs, folder / "work.recon3d", outputs=outputs, until=until)
    return folder / "work.recon3d"


def perform(workspace: Path, output: Path | None, *to: str) -> None:
    """`recon3d export` without a process of its own."""
    with make_display("quiet") as display:
        Export(workspace=workspace, to=to, output=output).run(display, CancelToken())


def share(model: Path, output: Path, config: ExportConfig = ExportConfig()) -> None:  # noqa: B008
    """`recon3d share`, likewise."""
    with make_display("quiet") as display:
        Share(model=model, output=output, export=config).run(display, CancelToken())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose photos are gone."""
    folder = tmp_path_factory.mktemp("finished, größer 写真")
    workspace = run(folder)
    (folder / "photos" / "ü.png").unlink()
    return workspace


def test_a_run_opens_as_it_ended(finished: Path) -> None:
    results = reopen(finished)
    assert results.posed is not None
    assert results.mesh is not None
    # The camera of a single photo takes the unit of its depth, which is not what pose stored.
    assert results.posed.value.scene.unit == "metre"
    assert len(results.mesh.value.faces) > 1000
    assert [made.stage for made in results.stages][-1] == "frame"
    assert all(made.cached for made in results.stages)


def test_the_command_writes_what_the_run_would_have(finished: Path, tmp_path: Path) -> None:
    command = ["export", str(finished), "--to", "again.ply", "--to", "again.glb", "--quiet"]
    assert main([*command, "-o", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"again.ply", "again.glb"}
    first, again = read_mesh(finished.parent / "first.ply"), read_mesh(tmp_path / "out/again.ply")
    np.testing.assert_array_equal(again.vertices, first.vertices)


def test_a_finished_run_is_shared_as_a_page_without_its_photos_being_there(
    finished: Path, tmp_path: Path
) -> None:
    share(finished, tmp_path / "ü.html")
    text = (tmp_path / "ü.html").read_text(encoding="utf-8")
    assert text.count("data:image/webp") == 1
    assert '"unit":"metre"' in text
    share(finished, tmp_path / "bare.html", ExportConfig(page_photos=False))
    assert "data:image/webp" not in (tmp_path / "bare.html").read_text(encoding="utf-8")
    assert {path.name for path in tmp_path.iterdir()} == {"ü.html", "bare.html"}

    project = tmp_path / "somewhere" / "else.r3d"
    project.parent.mkdir()
    save_project(Project(workspace=finished), project)
    share(project, tmp_path / "project.html")
    assert (tmp_path / "project.html").read_text(encoding="utf-8").count("data:image/webp") == 1


def test_a_run_without_a_surface_cannot_be_shared(tmp_path: Path) -> None:
    workspace = run(tmp_path, Until.DEPTH)
    with pytest.raises(InputError, match="before there was a surface"):
        share(workspace, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


@pytest.mark.slow
def test_a_finished_run_becomes_an_orthophoto_and_a_cloud_without_a_place_on_earth(
    finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ortho, dem, cloud = (tmp_path / name for name in ("o.tif", "d.tif", "c.laz"))
    command = ["ortho", str(finished), "-o", str(ortho), "--dem", str(dem), "--gsd", "0.05"]
    assert main([*command, "--json"]) == 0
    perform(finished, tmp_path, "c.laz")
    assert "nothing says where on the earth it lies" in capfd.readouterr().out
    assert ortho.exists()
    assert dem.exists()
    assert cloud.exists()
    assert main([*command, "--plane", "0", "0", "0", "1", "0", "0", "2", "0", "0"]) == 1
    assert "lie on a line" in capfd.readouterr().err


def test_one_kind_of_folder_fills_the_folder_and_several_get_one_each(
    finished: Path, tmp_path: Path
) -> None:
    perform(finished, tmp_path / "b", "blender")
    assert (tmp_path / "b/import_into_blender.py").is_file()
    assert (tmp_path / "b/scene.glb").is_file()
    perform(finished, tmp_path / "all", "colmap", "nerfstudio", "depth")
    assert (tmp_path / "all/colmap/sparse/0/images.bin").is_file()
    assert (tmp_path / "all/nerfstudio/transforms.json").is_file()
    assert json.loads((tmp_path / "all/depth/depth.json").read_text())["unit"] == "metre"


def test_without_a_folder_named_nothing_lands_among_the_photos(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Photos in church/ give church.recon3d; the export must not go into church/.
    (tmp_path / finished.stem).mkdir()
    monkeypatch.chdir(tmp_path)
    perform(finished, None, "blender", "again.ply")
    assert not list((tmp_path / finished.stem).iterdir())
    assert (tmp_path / f"{finished.stem}_blender/scene.glb").is_file()
    assert (tmp_path / "again.ply").is_file()


def test_another_scale_and_crop_need_no_photo_and_are_what_a_whole_run_would_make(
    tmp_path: Path,
) -> None:
    workspace = run(tmp_path, Until.TEXTURE)
    reached = {made.stage: made.folder for made in reopen(workspace).stages}
    whole = gather(workspace, reached)
    assert whole.mesh
    assert whole.frame
    target = whole.frame.value.target_from_world
    low, high = np.percentile(target @ whole.mesh.value.vertices, (10, 70), axis=0)
    photo = tmp_path / "photos" / "ü.png"
    hidden = photo.rename(tmp_path / "hidden.png")
    config = updated(Config(), {"frame": {"scale": "2"}})
    made = adjust(workspace, reached, config)
    assert made.frame
    assert made.frame.value.target_from_world.scale == pytest.approx(2 * target.scale)
    reached |= {stage.stage: stage.folder for stage in made.stages}

    crop = tuple(2 * np.round([*low, *high], 3).astype(float))
    config = updated(Config(), {"frame": {"scale": "2"}, "mesh": {"crop": crop}})
    cropped = adjust(workspace, reached, config)
    assert cropped.mesh
    assert cropped.textured
    assert 100 < len(cropped.mesh.value.faces) < 0.8 * len(whole.mesh.value.faces)
    assert cropped.frame
    assert cropped.frame.key == made.frame.key  # as the box was given in it
    names = {stage.stage for stage in cropped.stages}
    assert {"crop", "texture", "frame"} <= names
    assert reopen(workspace).mesh.key == cropped.mesh.key  # type: ignore[union-attr]

    hidden.rename(photo)
    inputs = Inputs(photos=photo, sensor_depth=tmp_path / "depth")
    told = forecast(inputs, workspace, config, until=Until.TEXTURE)
    assert told.complete
    assert told.computed == ()
    back = adjust(workspace, reached | {s.stage: s.folder for s in cropped.stages}, Config())
    assert back.mesh
    assert back.mesh.key == whole.mesh.key
    assert {stage.stage for stage in back.stages} & set(ADJUSTED) == {"texture", "frame"}


@pytest.mark.slow
def test_a_finished_run_becomes_a_solid_and_a_mesh_again(tmp_path: Path) -> None:
    workspace = run(tmp_path)
    reached = {made.stage: made.folder for made in reopen(workspace).stages}
    config = updated(Config(), {"solid": {"watertight": True, "wall": 0.05}})
    made = adjust(workspace, reached, config)
    assert made.mesh
    assert made.mesh.stage == "solid"
    assert is_closed(made.mesh.value.faces)
    assert any("encloses nothing" in warning for warning in made.warnings)
    report = json.loads((workspace / "report.json").read_text(encoding="utf-8"))
    assert report["solid"]["volume"] > 0
    assert report["mesh"]["faces"] == len(made.mesh.value.faces)
    steps = [link["name"] for link in report["cleaning"]["links"]]
    assert steps.index("make manifold") < steps.index("make solid")
    perform(workspace, tmp_path, "solid.stl")
    assert len(read_mesh(tmp_path / "solid.stl").faces) == len(made.mesh.value.faces)
    reached |= {stage.stage: stage.folder for stage in made.stages}
    back = adjust(workspace, reached, Config())
    assert back.mesh
    assert back.mesh.stage == "mesh"


def test_an_unknown_kind_names_the_known_ones(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="maya") as caught:
        perform(finished, tmp_path / "m", "maya")
    assert "blender, colmap, nerfstudio" in caught.value.hint
    with pytest.raises(InputError, match="named") as caught:
        perform(finished, tmp_path / "m")
    assert "--to" in caught.value.hint
    assert not (tmp_path / "m").exists()


def test_an_export_never_starts_where_nothing_is_finished(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a workspace"):
        perform(tmp_path, tmp_path / "out", "blender")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError):
        reopen(tmp_path / "nowhere")


def test_a_later_run_of_fewer_stages_does_not_mix_with_an_earlier_one(tmp_path: Path) -> None:
    workspace = run(tmp_path)
    run(tmp_path, Until.DEPTH)
    results = reopen(workspace)
    assert results.mesh is None
    assert results.depth is not None


def test_a_mesh_of_a_run_without_one_is_refused_with_advice(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    workspace = run(tmp_path, Until.DEPTH)
    with pytest.raises(InputError, match="before there was a surface") as caught:
        perform(workspace, tmp_path / "mesh", "a.ply")
    assert not (tmp_path / "mesh").exists()
    assert "recon3d mesh" in caught.value.hint
    command = Export(workspace=workspace, to=("blender",), output=tmp_path / "cameras")
    with make_display("json") as display:
        command.run(display, CancelToken())
    assert "no surface" in capfd.readouterr().out
    assert not (tmp_path / "cameras/scene.glb").exists()


def test_any_run_is_gathered_from_the_folders_of_its_stages(finished: Path) -> None:
    whole = reopen(finished)
    reached = {made.stage: made.folder for made in whole.stages}
    gathered = gather(finished, reached)
    assert {name: made.folder for name, made in gathered.reached.items()} == {
        name: made.folder for name, made in whole.reached.items()
    }
    assert gathered.posed is not None
    assert gathered.posed.value.scene.unit == "metre"
    del reached["mesh"]
    assert gather(finished, reached).mesh is None  # as of a run that was stopped
    with pytest.raises(InputError, match="gone"):
        gather(finished, {"mesh": finished / "mesh" / "0123456789abcdef"})


@pytest.mark.slow
def test_a_mesh_of_ones_own_is_painted_and_the_run_stays(tmp_path: Path) -> None:
    workspace = run(tmp_path)
    before = reopen(workspace)
    assert before.mesh
    model = tmp_path / "model.obj"
    perform(workspace, tmp_path, model.name)
    command = ["texture", str(workspace), str(model), "--quiet", "--texture.size-px", "256"]
    assert main([*command, "-o", str(tmp_path / "a.glb"), "-o", str(tmp_path / "a.ply")]) == 0
    painted = read_mesh(tmp_path / "a.ply")
    assert len(painted.faces) == len(before.mesh.value.faces)
    perform(workspace, tmp_path, "plain.ply")
    plain = read_mesh(tmp_path / "plain.ply")
    np.testing.assert_allclose(
        np.sort(painted.vertices, axis=0), np.sort(plain.vertices, axis=0), atol=1e-5
    )
    assert reopen(workspace).mesh.key == before.mesh.key  # type: ignore[union-attr]
    told: list[str] = []
    config = updated(Config(), {"texture": {"size_px": 256}})
    made = paint(model, workspace, config, listener=lambda event: told.append(event.kind))
    assert "stage_cached" in told
    assert made.textured
    with pytest.raises(InputError, match="no UV layout"):
        paint(model, workspace, keep_uv=True)
    with pytest.raises(OutputError, match="would be lost"):
        paint(model, workspace, outputs=Outputs(meshes=(model,)))


@pytest.mark.slow
def test_maps_are_kept_with_the_run_and_written_again(tmp_path: Path) -> None:
    run(tmp_path)
    inputs = Inputs(photos=tmp_path / "photos/ü.png", sensor_depth=tmp_path / "depth")
    settings = {"mesh": {"faces": 300}, "texture": {"size_px": 256}, "bake": {"detail_faces": 2000}}
    config = updated(Config(), settings)
    config = updated(config, {"bake": {"normal": True, "ao": True}})
    workspace, model = tmp_path / "work.recon3d", tmp_path / "a.obj"
    plain = reconstruct(inputs, workspace, config, outputs=Outputs(meshes=(tmp_path / "a.ply",)))
    assert plain.maps is None
    assert any("No maps are made" in warning for warning in plain.warnings)
    made = reconstruct(inputs, workspace, config, outputs=Outputs(meshes=(model,)))
    assert made.mesh
    assert made.detailed
    assert len(made.detailed.value.faces) > 3 * len(made.mesh.value.faces)
    again = reopen(workspace)
    assert again.maps
    assert again.mesh
    assert again.mesh.key == made.mesh.key
    assert (tmp_path / "a_0_normal.png").is_file()
    assert (tmp_path / "a_0_ao.png").is_file()
    perform(workspace, tmp_path, "b.glb")
    assert b"occlusionTexture" in (tmp_path / "b.glb").read_bytes()
    assert b"TANGENT" in (tmp_path / "b.glb").read_bytes()
    # Another scale makes them anew, of the same fine mesh.
    reached = {stage.stage: stage.folder for stage in again.stages}
    bigger = updated(config, {"frame": {"scale": "2"}})
    adjusted = adjust(workspace, reached, bigger)
    assert adjusted.maps
    assert adjusted.maps.key == made.maps.key  # type: ignore[union-attr]
