"""Everything that leaves the workspace is upright and shares one frame."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation
from textured_box import textured_box

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.depth import SceneDepth
from recon3d.core.errors import Cancelled, OutputError, TooLittleDepthError
from recon3d.core.scene import CameraEstimate, PosedPhotos, PosedScene, SparsePoints, Verdict, View
from recon3d.core.surface import Mesh, PointCloud, TexturedMesh, sparse_surface
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Rigid, Similarity
from recon3d.export.export import Exportable, Outputs, check_outputs, export
from recon3d.export.meshes import MESH_WRITERS, read_cloud, read_mesh
from recon3d.export.textures import ExportConfig
from recon3d.georef.upright import up_in_world, upright_from_world
from recon3d.photos.intrinsics import read_camera_file
from recon3d.run.task import CancelToken, Event, Task, silent
from recon3d.sfm.colmap_model import read_colmap_cameras

CAMERA = PinholeCamera(64, 48, 60.0, 60.0, 32.0, 24.0)
# Any tilt of the SfM world, which knows no gravity.
WORLD_FROM_TRUTH = Rigid(
    Rotation.from_euler("xyz", [40, -25, 70], degrees=True).as_matrix(), np.array([3.0, 1, -2])
)
TRUE_UP = WORLD_FROM_TRUTH.rotation @ np.array([0.0, 0, 1])


def look(centre: np.ndarray, at: np.ndarray, roll_deg: float = 0.0) -> Rigid:
    """cam_from_world of a camera held level in a z-up world, then rolled."""
    forward = (at - centre) / np.linalg.norm(at - centre)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    rotation = Rotation.from_euler("z", roll_deg, degrees=True).as_matrix() @ rotation
    return Rigid(rotation, -rotation @ centre) @ WORLD_FROM_TRUTH.inverse()


def orbit(count: int, height: float = 2.0, arc_deg: float = 360.0) -> list[Rigid]:
    angles = np.radians(np.linspace(0, arc_deg, count, endpoint=False))
    return [
        look(np.array([4 * np.sin(a), -4 * np.cos(a), height]), np.array([0, 0, 0.5]))
        for a in angles
    ]


def degrees_from_true_up(cameras: list[Rigid]) -> float:
    up = up_in_world(np.stack([camera.rotation for camera in cameras]))
    return float(np.degrees(np.arccos(np.clip(up @ TRUE_UP, -1, 1))))


@pytest.fixture
def house() -> Mesh:
    """A box of 2 x 1 x 3 standing on the ground of the true world."""
    box = trimesh.creation.box((2, 1, 3))
    for _ in range(3):
        box = box.subdivide()
    vertices = WORLD_FROM_TRUTH @ np.add(box.vertices, (5, 5, 1.5))
    return Mesh(
        vertices.astype(np.float32),
        np.asarray(box.faces, np.int32),
        None,
        np.full((len(vertices), 3), 200, np.uint8),
    )


@pytest.fixture
def posed(house: Mesh) -> PosedPhotos:
    ids = ["a.jpg", "山/ü b.png", "../../<script>.heic", "frame"]
    cameras = orbit(4)
    views = tuple(View(i, CAMERA, c) for i, c in zip(ids, cameras, strict=True))
    points = SparsePoints(
        house.vertices[:50].astype(np.float64),
        np.full((50, 3), 9, np.uint8),
        np.full(50, 0.5),
        np.array([[p, v] for p in range(50) for v in range(4)]),
    )
    rgb = {i: np.full((48, 64, 3), 40 * n, np.uint8) for n, i in enumerate(ids)}
    return PosedPhotos(
        PosedScene(views, points, "scene"), rgb, {}, {}, tuple(Verdict(i, True) for i in ids)
    )


@pytest.fixture
def depth(posed: PosedPhotos) -> dict[str, SceneDepth]:
    values = np.linspace(0, 8, 64 * 48, dtype=np.float32).reshape(48, 64)
    return {
        view.photo_id: SceneDepth(values, np.ones_like(values), CAMERA, view.photo_id)
        for view in posed.scene.views
    }


def cloud_of(mesh: Mesh) -> PointCloud:
    return PointCloud(mesh.vertices, mesh.rgb, np.tile(np.float32([0, 0, 1]), (len(mesh.rgb), 1)))


def frame_of(posed: PosedPhotos, mesh: Mesh) -> TargetFrame:
    upright = upright_from_world(posed.scene.views, mesh.vertices)
    return TargetFrame(Similarity.from_rigid(upright), posed.scene.unit)


def run(
    posed: PosedPhotos,
    model: Mesh | TexturedMesh,
    outputs: Outputs,
    *,
    depth: dict[str, SceneDepth] | None = None,
    frame: TargetFrame | None = None,
    config: ExportConfig = ExportConfig(),  # noqa: B008 - frozen
    task: Task | None = None,
) -> tuple[Path, ...]:
    textured = model if isinstance(model, TexturedMesh) else None
    mesh = textured.mesh if textured else model
    made = Exportable(
        posed, mesh, cloud_of(mesh), depth or {}, frame or frame_of(posed, mesh), textured
    )
    return export(made, outputs, config, task or Task("export", silent, CancelToken()))


@pytest.mark.parametrize("height", [-1.0, 0.5, 4.0])
def test_up_of_an_orbit_is_found(height: float) -> None:
    assert degrees_from_true_up(orbit(12, height)) < 0.5


def test_up_of_a_facade_shot_from_one_side_is_the_pictures_own() -> None:
    cameras = [look(np.array([x, -8.0, 1.6]), np.array([x, 0.0, 1.6])) for x in range(-3, 4)]
    assert degrees_from_true_up(cameras) < 0.5


def test_hands_that_shake_by_three_degrees_cost_less_than_two() -> None:
    rng = np.random.default_rng(3)
    cameras = [
        Rigid(Rotation.from_rotvec(rng.normal(0, np.radians(3), 3)).as_matrix(), np.zeros(3)) @ c
        for c in orbit(16, arc_deg=120)
    ]
    assert degrees_from_true_up(cameras) < 2.0


def test_a_few_photos_taken_sideways_do_not_tilt_the_model() -> None:
    cameras = orbit(12)
    quarter = Rigid(Rotation.from_euler("z", 90, degrees=True).as_matrix(), np.zeros(3))
    assert degrees_from_true_up([*cameras[:9], *(quarter @ c for c in cameras[9:])]) < 1.0


def test_photos_all_on_their_side_still_stand_upright() -> None:
    angles = np.radians(np.arange(0, 360, 30))
    cameras = [
        look(np.array([4 * np.sin(a), -4 * np.cos(a), 1.5]), np.array([0, 0, 0.5]), roll)
        for a, roll in zip(angles, [90, 90, 0, 90, -90, 90] * 2, strict=True)
    ]
    assert degrees_from_true_up(cameras) < 2


def test_photos_straight_down_look_down() -> None:
    rng = np.random.default_rng(1)
    cameras = []
    for heading in rng.uniform(0, 360, 20):
        centre = np.array([*rng.uniform(-20, 20, 2), 50.0])
        cameras.append(look(centre, np.add(centre, (1e-3, 0.01, -1)), heading))
    assert degrees_from_true_up(cameras) < 3


def test_the_origin_is_on_the_ground_below_the_model(house: Mesh) -> None:
    views = [View(str(n), CAMERA, camera) for n, camera in enumerate(orbit(8))]
    upright = upright_from_world(views, house.vertices) @ house.vertices
    low, high = upright.min(0), upright.max(0)
    np.testing.assert_allclose((low + high)[:2] / 2, 0, atol=0.02)
    assert low[2] == pytest.approx(0, abs=0.02)
    assert high[2] == pytest.approx(3, abs=0.02)


def test_floaters_do_not_move_the_origin(house: Mesh) -> None:
    views = [View(str(n), CAMERA, camera) for n, camera in enumerate(orbit(8))]
    clean = upright_from_world(views, house.vertices)
    far = (WORLD_FROM_TRUTH @ np.array([[90.0, 0, -40]])).astype(np.float32)
    with_floater = upright_from_world(views, np.vstack([house.vertices, far]))
    np.testing.assert_allclose(with_floater.matrix(), clean.matrix(), atol=0.1)


def test_meshes_stand_upright_in_every_format(
    posed: PosedPhotos, house: Mesh, tmp_path: Path
) -> None:
    # What reads the others here needs more libraries; tests of their own read them.
    suffixes = MESH_WRITERS.keys() - {".usdz", ".3mf"}
    targets = tuple(tmp_path / f"out/scene{suffix}" for suffix in sorted(suffixes))
    written = run(posed, house, Outputs(meshes=targets))
    assert written == targets
    for target in targets:
        loaded = trimesh.load_mesh(target)
        tall = 1 if target.suffix in (".glb", ".obj") else 2
        assert loaded.extents[tall] == pytest.approx(3, abs=1e-4)
        assert loaded.bounds[0][tall] == pytest.approx(0, abs=0.02)
        assert loaded.volume > 0


def test_all_outputs_share_one_frame(
    posed: PosedPhotos, house: Mesh, depth: dict[str, SceneDepth], tmp_path: Path
) -> None:
    outputs = Outputs(
        meshes=(tmp_path / "scene.ply",),
        cloud=tmp_path / "cloud.ply",
        colmap=tmp_path / "colmap",
        depth_maps=tmp_path / "depth",
        transforms=tmp_path / "transforms.json",
    )
    check_outputs(outputs)
    run(posed, house, outputs, depth=depth)

    mesh = read_mesh(tmp_path / "scene.ply")
    np.testing.assert_allclose(read_cloud(tmp_path / "cloud.ply").points, mesh.vertices, atol=1e-6)

    colmap = list(read_colmap_cameras(tmp_path / "colmap").items())
    frames = json.loads((tmp_path / "transforms.json").read_text(encoding="utf-8"))["frames"]
    maps = json.loads((tmp_path / "depth/depth.json").read_text(encoding="utf-8"))["maps"]
    for view, (name, (_, pose)), frame, one in zip(
        posed.scene.views, colmap, frames, maps, strict=True
    ):
        truth = view.cam_from_world @ house.vertices.astype(np.float64)
        opengl = np.linalg.inv(np.array(frame["transform_matrix"]))
        for matrix in (
            pose.matrix(), np.diag([1, -1, -1, 1]) @ opengl, np.array(one["cam_from_world"])
        ):  # fmt: skip
            found = mesh.vertices.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
            # float32 vertices about 10 from the origin keep 1e-6.
            np.testing.assert_allclose(found, truth, atol=1e-5)
        for picture in (tmp_path / "colmap/images" / name, tmp_path / frame["file_path"]):
            with Image.open(picture) as image:
                assert image.size == (64, 48)
        assert np.load(tmp_path / "depth" / one["npy"]).max() == 8
    assert len(read_cloud(tmp_path / "cloud.ply").points) == len(house.vertices)


@pytest.mark.parametrize("several", [False, True])
def test_the_lens_of_the_photos_leaves_with_the_colmap_model(
    posed: PosedPhotos, house: Mesh, tmp_path: Path, several: bool
) -> None:
    lens = Intrinsics(CAMERA, Distortion("radial", (0.0,)))
    estimates = {"one": CameraEstimate(lens, "guessed, refined", 0.3, (0.4, 0.7))}
    if several:
        other = replace(CAMERA, fx_px=CAMERA.fx_px + 1)
        estimates["two"] = CameraEstimate(Intrinsics(other), "given")
    scene = replace(posed.scene, cameras=estimates)
    run(replace(posed, scene=scene), house, Outputs(colmap=tmp_path / "colmap"))
    target = tmp_path / "colmap" / "lenses.json"
    read = read_camera_file(target, (1, 1))
    if several:
        assert read.by_name == {view.photo_id: lens for view in scene.views}
    else:
        assert read.shared == (lens,)
        told = json.loads(target.read_text(encoding="utf-8"))
        assert (told["focal_std_px"], told["principal_point_std_px"]) == (0.3, [0.4, 0.7])


def test_no_file_leaves_its_folder_whatever_the_photo_is_called(
    posed: PosedPhotos, house: Mesh, depth: dict[str, SceneDepth], tmp_path: Path
) -> None:
    inner = tmp_path / "a" / "b" / "c"
    outputs = Outputs(depth_maps=inner / "depth", colmap=inner / "colmap")
    run(posed, house, outputs, depth=depth)
    assert {path.name for path in inner.iterdir()} == {"depth", "colmap"}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_frame_decides_where_a_model_stands(
    posed: PosedPhotos, house: Mesh, tmp_path: Path
) -> None:
    frame = TargetFrame(Similarity.from_rigid(Rigid.identity()), "scene")
    run(posed, house, Outputs(meshes=(tmp_path / "scene.ply",)), frame=frame)
    np.testing.assert_array_equal(read_mesh(tmp_path / "scene.ply").vertices, house.vertices)


def test_an_empty_mesh_is_refused_with_advice(posed: PosedPhotos, tmp_path: Path) -> None:
    nothing, _ = sparse_surface(SparsePoints.empty())
    outputs = Outputs(meshes=(tmp_path / "scene.ply",))
    with pytest.raises(TooLittleDepthError) as caught:
        run(posed, nothing, outputs)
    assert caught.value.hint


def test_a_users_own_files_in_an_output_folder_stay(
    posed: PosedPhotos, house: Mesh, depth: dict[str, SceneDepth], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        run(posed, house, Outputs(depth_maps=tmp_path), depth=depth)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "depth.json").exists()


def test_cancelling_leaves_no_half_folder(
    posed: PosedPhotos, house: Mesh, depth: dict[str, SceneDepth], tmp_path: Path
) -> None:
    cancel = CancelToken()

    def stop_at_the_third(event: Event) -> None:
        if event.done == 2:
            cancel.cancel()

    with pytest.raises(Cancelled):
        run(
            posed,
            house,
            Outputs(depth_maps=tmp_path / "depth"),
            depth=depth,
            task=Task("export", stop_at_the_third, cancel),
        )
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_extension_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        check_outputs(Outputs(meshes=(tmp_path / "scene.fbx",)))
    assert ".glb" in caught.value.hint


@pytest.mark.parametrize(
    "outputs",
    [
        Outputs(meshes=(Path("folder.ply"),)),
        Outputs(meshes=(Path("file.txt/scene.ply"),)),
        Outputs(meshes=(Path("a.ply"), Path("sub/../a.ply"))),
        Outputs(meshes=(Path("a.ply"),), cloud=Path("a.ply")),
        Outputs(cloud=Path("cloud.obj")),
        Outputs(depth_maps=Path("file.txt")),
        Outputs(transforms=Path("cameras.txt")),
        Outputs(report=Path("report.pdf")),
        Outputs(meshes=(Path("/proc/scene.ply"),)),
        Outputs(meshes=(Path("noextension"),)),
    ],
    ids=str,
)
def test_a_target_that_cannot_be_written_is_refused_before_any_work(
    outputs: Outputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.ply").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "file.txt").touch()
    with pytest.raises(OutputError) as caught:
        check_outputs(outputs)
    assert caught.value.hint


def test_missing_folders_are_made_and_nothing_else(tmp_path: Path) -> None:
    check_outputs(Outputs(meshes=(tmp_path / "neu/ä b/scene.PLY",), report=tmp_path / "r.html"))
    assert [path.name for path in tmp_path.rglob("*")] == ["neu", "ä b"]


def test_a_photo_without_depth_is_left_out_of_the_index(
    posed: PosedPhotos, house: Mesh, depth: dict[str, SceneDepth], tmp_path: Path
) -> None:
    metric = replace(posed, scene=replace(posed.scene, unit="metre"))
    del depth["frame"]
    run(metric, house, Outputs(depth_maps=tmp_path), depth=depth)
    index = json.loads((tmp_path / "depth.json").read_text(encoding="utf-8"))
    assert len(index["maps"]) == 3
    assert index["png_step"] == 0.001


def test_only_formats_with_textures_ask_for_one(tmp_path: Path) -> None:
    assert not Outputs(meshes=(Path("a.ply"), Path("b.stl")), colmap=Path("c")).hold_texture
    assert Outputs(meshes=(Path("a.ply"), Path("b.GLB"))).hold_texture
    assert Outputs(blender=Path("folder")).hold_texture


def test_a_texture_goes_where_it_fits_and_vertex_colours_elsewhere(
    posed: PosedPhotos, tmp_path: Path
) -> None:
    box = textured_box()
    targets = tuple(tmp_path / f"box{suffix}" for suffix in (".glb", ".obj", ".ply"))
    run(posed, box, Outputs(meshes=targets))
    assert trimesh.load_mesh(targets[0]).visual.kind == "texture"
    assert {path.name for path in tmp_path.iterdir()} == {
        "box.glb", "box.ply", "box.obj", "box.mtl", "box_0.jpg", "box_1.jpg",
    }  # fmt: skip
    assert (read_mesh(targets[2]).rgb == 128).all()


def test_settings_of_export_reach_the_files(posed: PosedPhotos, tmp_path: Path) -> None:
    config = ExportConfig(texture_format="png")
    run(posed, textured_box(), Outputs(meshes=(tmp_path / "box.obj",)), config=config)
    with Image.open(tmp_path / "box_1.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), textured_box().pages[1])


def test_photos_whose_names_differ_only_in_what_disks_forbid_stay_apart(
    posed: PosedPhotos, house: Mesh, tmp_path: Path
) -> None:
    ids = ["a?.jpg", "a_.jpg", "../A_.JPG", "b/a_.jpg"]
    views = tuple(replace(view, photo_id=i) for view, i in zip(posed.scene.views, ids, strict=True))
    rgb = {i: picture for i, picture in zip(ids, posed.rgb.values(), strict=True)}
    odd = replace(posed, scene=replace(posed.scene, views=views), rgb=rgb)
    run(odd, house, Outputs(colmap=tmp_path))
    assert len(list((tmp_path / "images").rglob("*.*"))) == 4
    assert len(read_colmap_cameras(tmp_path)) == 4


def test_splats_can_start_from_the_exported_points(
    posed: PosedPhotos, house: Mesh, tmp_path: Path
) -> None:
    run(posed, house, Outputs(transforms=tmp_path / "transforms.json", colmap=tmp_path / "c"))
    content = json.loads((tmp_path / "transforms.json").read_text(encoding="utf-8"))
    points = read_cloud(tmp_path / content["ply_file_path"]).points
    upright = frame_of(posed, house).target_from_world
    np.testing.assert_allclose(points, upright @ posed.scene.points.xyz_world, atol=1e-5)
    # nerfstudio applies this to the points, but not to the cameras of the file.
    np.testing.assert_array_equal(content["applied_transform"], np.eye(4)[:3])
    assert (tmp_path / "c/sparse/0/points3D.bin").stat().st_size > 50 * 43


def test_the_blender_folder_names_all_that_lies_in_it(
    posed: PosedPhotos, house: Mesh, tmp_path: Path
) -> None:
    run(posed, house, Outputs(blender=tmp_path))
    content = json.loads((tmp_path / "cameras.json").read_text(encoding="utf-8"))
    assert (content["model"], content["points"]) == ("scene.glb", "points.ply")
    for view, camera in zip(posed.scene.views, content["cameras"], strict=True):
        assert camera["name"] == view.photo_id
        assert (tmp_path / camera["picture"]).is_file()
        assert (camera["fx_px"], camera["height_px"]) == (60.0, 48)
    pictures = {camera["picture"] for camera in content["cameras"]}
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert files == pictures | {
        "cameras.json", "import_into_blender.py", "points.ply", "scene.glb",
    }  # fmt: skip


FAR = np.array([431234.5, 5432109.25, 312.75])


@pytest.mark.parametrize("suffix", [".stl", ".ply"])
@pytest.mark.parametrize("unit", ["metre", "scene"])
def test_files_for_printing_are_in_millimetres_and_say_what_keeps_them_from_it(
    posed: PosedPhotos, house: Mesh, tmp_path: Path, suffix: str, unit: Literal["metre", "scene"]
) -> None:
    frame = TargetFrame(Similarity(2.0, np.eye(3), np.zeros(3)), unit)
    open_house = replace(house, faces=house.faces[1:])
    events: list[Event] = []
    for mesh, name in ((house, "whole"), (open_house, "open")):
        made = Exportable(posed, mesh, cloud_of(house), {}, frame)
        outputs = Outputs(meshes=(tmp_path / f"{name}{suffix}",))
        export(made, outputs, ExportConfig(), Task("export", events.append, CancelToken()))
    warnings = [event.note for event in events if event.kind == "warning"]
    found = trimesh.load(tmp_path / f"whole{suffix}", process=False)
    prints = suffix == ".stl"
    scale = 2000 if prints and unit == "metre" else 2
    np.testing.assert_allclose(found.extents, scale * np.ptp(house.vertices, axis=0), rtol=1e-6)
    assert any("--watertight" in note for note in warnings) == prints
    assert not any("whole.stl is not closed" in note for note in warnings)
    assert any("--scale" in note for note in warnings) == (prints and unit == "scene")


def test_coordinates_far_away_keep_every_digit_or_are_written_about_a_place_that_is_told(
    posed: PosedPhotos, house: Mesh, tmp_path: Path
) -> None:
    frame = TargetFrame(Similarity(1.0, np.eye(3), FAR), "metre")
    made = Exportable(posed, house, cloud_of(house), {}, frame)
    outputs = Outputs(
        meshes=tuple(tmp_path / f"far{suffix}" for suffix in (".ply", ".obj", ".stl")),
        cloud=tmp_path / "cloud.ply",
        colmap=tmp_path / "colmap",
        transforms=tmp_path / "transforms.json",
    )
    events: list[Event] = []
    export(made, outputs, ExportConfig(), Task("export", events.append, CancelToken()))
    expected = house.vertices.astype(np.float64) + FAR
    for name in ("far.ply", "cloud.ply"):
        content = (tmp_path / name).read_bytes()
        assert b"property double x" in content
    ply = trimesh.load(tmp_path / "far.ply", process=False)
    np.testing.assert_array_equal(ply.vertices, expected)
    rows = [line.split() for line in (tmp_path / "far.obj").read_text().splitlines()]
    y_up = np.array([row[1:4] for row in rows if row[0] == "v"], np.float64)
    np.testing.assert_array_equal(y_up[:, [0, 2, 1]] * [1, -1, 1], expected)
    poses = read_colmap_cameras(tmp_path / "colmap" / "sparse" / "0")
    centre = next(iter(poses.values()))[1].inverse().translation
    # Metres: ten nanometres are what a rotation of millions of metres rounds.
    np.testing.assert_allclose(centre, posed.scene.views[0].centre_world + FAR, rtol=0, atol=1e-8)
    assert b"property double x" in (tmp_path / "transforms_points.ply").read_bytes()
    (warning,) = [event.note for event in events if event.kind == "warning"]
    assert "far.stl" in warning
    place = np.array([float(n) for n in warning.split("is at ")[1].split(" of")[0].split(",")])
    stl = trimesh.load(tmp_path / "far.stl", process=False)
    # In millimetres.
    bounds = stl.bounds / 1000 + place
    np.testing.assert_allclose(bounds, [expected.min(0), expected.max(0)], atol=1e-5)
