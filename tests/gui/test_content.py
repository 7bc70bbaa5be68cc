"""What the 3D view loads as a run goes on, and the pictures and films that it writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from recon3d_gui.viewer.cameras import Eye
from recon3d_gui.viewer.composing import ModelFrame, alignment
from recon3d_gui.viewer.content import (
    Content,
    read_content,
    read_mesh_file,
    subsampled,
    support,
    surface_of,
)
from recon3d_gui.viewer.drawing import make_skin, prepare
from recon3d_gui.viewer.loader import Coverage, Covered, Loader, Planned
from recon3d_gui.viewer.recording import film, save_picture, turntable
from sheets import sheet
from sphere_scene import sphere_photos

from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import SceneDepth
from recon3d.core.errors import InputError, OutputError
from recon3d.core.scene import View
from recon3d.core.surface import Mesh, PointCloud, TexturedMesh
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Rigid, Similarity
from recon3d.surface.files import save_cloud, save_mesh
from recon3d.view_planning.legend import COLOURS, UNKNOWN

LOOK = Eye(azimuth_deg=0.0, elevation_deg=0.0, distance=4.0)


def nothing() -> None:
    return None


def cloud_of(count: int) -> PointCloud:
    rng = np.random.default_rng(3)
    xyz = rng.uniform(-1, 1, (count, 3)).astype(np.float32)
    return PointCloud(xyz, np.zeros((count, 3), np.uint8), xyz)


def fused(folder: Path) -> Path:
    folder.mkdir(parents=True)
    save_cloud(folder / "cloud.npz", cloud_of(100))
    save_mesh(folder / "mesh.npz", sheet())
    return folder


def test_the_view_fills_in_as_stages_finish(tmp_path: Path) -> None:
    reached = {"fuse": fused(tmp_path / "fuse")}
    first = read_content(reached, None, {})
    assert first.cloud is not None
    assert first.surface is None
    (tmp_path / "mesh").mkdir()
    save_mesh(tmp_path / "mesh" / "mesh.npz", sheet(5))
    later = read_content({**reached, "mesh": tmp_path / "mesh"}, first, reached)
    assert later.cloud is first.cloud  # not read again
    assert later.surface is not None
    assert len(later.surface.faces) == 32


def test_a_crop_that_is_taken_back_shows_the_whole_mesh_again(tmp_path: Path) -> None:
    for name, count in (("mesh", 5), ("crop", 3)):
        (tmp_path / name).mkdir()
        save_mesh(tmp_path / name / "mesh.npz", sheet(count))
    whole = {"mesh": tmp_path / "mesh"}
    cropped = {**whole, "crop": tmp_path / "crop"}
    first = read_content(cropped, None, {})
    assert first.surface is not None
    assert len(first.surface.faces) == 8
    second = read_content(whole, first, cropped)
    assert second.surface is not None
    assert len(second.surface.faces) == 32


def test_a_folder_that_is_gone_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone or damaged"):
        read_content({"mesh": tmp_path / "gone"}, None, {})


def test_a_frame_that_keeps_the_cameras_axes_is_still_seen_upright(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mesh").mkdir()
    save_mesh(tmp_path / "mesh" / "mesh.npz", sheet())
    frame = TargetFrame(
        Similarity(1.0, np.eye(3), np.zeros(3)), "scene", {}, np.array([0.0, -1.0, 0.0])
    )
    stages = {"frame": frame, "mesh": sheet()}
    monkeypatch.setattr(
        "recon3d_gui.viewer.content.read_stage", lambda stage, folder: stages[stage]
    )
    content = read_content({"mesh": tmp_path, "frame": tmp_path}, None, {})
    np.testing.assert_allclose(content.upright_from_model @ [0, -1, 0], [0, 0, 1], atol=1e-9)


def test_a_cloud_that_is_too_large_is_thinned_evenly() -> None:
    thin = subsampled(cloud_of(1000), 300)
    assert 200 < len(thin.points) <= 300


def test_glb_files_of_other_programs_stand_upright(tmp_path: Path) -> None:
    tall = trimesh.creation.box((1, 5, 1))  # y is up in glTF
    tall.export(tmp_path / "tall.glb")
    content = read_mesh_file(tmp_path / "tall.glb")
    assert content.surface is not None
    np.testing.assert_allclose(np.ptp(content.surface.vertices, axis=0), [1, 1, 5], atol=1e-6)


def test_far_coordinates_of_a_survey_keep_their_digits(tmp_path: Path) -> None:
    box = trimesh.creation.box((1, 1, 1))
    box.apply_translation([5_400_000, 300_000, 0])
    box.export(tmp_path / "far.obj")
    content = read_mesh_file(tmp_path / "far.obj")
    assert content.surface is not None
    size = np.ptp(content.surface.vertices, axis=0)
    np.testing.assert_allclose(size, [1, 1, 1], atol=1e-3)


def test_a_mesh_without_a_sound_triangle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.obj"
    path.write_text("v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(InputError):
        read_mesh_file(path)


def test_photos_agree_with_a_point_whose_depth_they_know() -> None:
    camera = PinholeCamera.centred(40, 30, 40.0)
    poses = [Rigid(np.eye(3), np.array([x, 0.0, 0.0])) for x in (0.0, 0.2, 0.4)]
    views = [View(f"{i}.jpg", camera, pose) for i, pose in enumerate(poses)]
    depth = {
        view.photo_id: SceneDepth(
            np.full((30, 40), z, np.float32), np.ones((30, 40), np.float32), camera, view.photo_id
        )
        for view, z in zip(views, (2.0, 2.01, 3.0), strict=True)
    }
    points = np.array([[0, 0, 2], [0, 0, 1.0], [50, 0, 2]], np.float32)
    assert support(points, views, depth, nothing).tolist() == [2, 0, 0]


def test_a_model_shows_where_photos_are_missing_and_where_to_take_them(tmp_path: Path) -> None:
    made = trimesh.creation.icosphere(subdivisions=3, radius=1.0)
    ball = Mesh(np.asarray(made.vertices, np.float32), np.asarray(made.faces, np.int32))
    save_mesh(tmp_path / "mesh.npz", ball)
    photos, _ = sphere_photos()
    four = replace(photos, scene=replace(photos.scene, views=photos.scene.views[:4]))
    content = Content(
        views=four.scene.views,
        posed=four,
        surface=surface_of(ball),
        mesh_folder=("mesh", tmp_path),
    )
    loader, model = Loader(), prepare(content, None, nothing)

    def asked(mode: Planned) -> Covered:
        loader.ask(Coverage("a", model, mode))
        found: list[object] = []
        while not any(isinstance(each, Covered) for each in found):
            assert loader.bell.poll(30), found
            found += loader.take()
        return next(each for each in found if isinstance(each, Covered))

    covered = asked("coverage")
    assert covered.wish.model is model
    shown = covered.model.content
    assert shown.surface is not None
    assert {tuple(rgb) for rgb in shown.surface.rgba[:, :3].tolist()} <= set(COLOURS.values())
    assert len(covered.sentences) == len(shown.suggested) > 0
    assert len(ModelFrame.of(shown).suggested) == len(shown.suggested)
    exact = asked("exactness")
    assert exact.model.content.surface is not None
    assert not exact.model.content.suggested
    assert exact.sentences == covered.sentences  # found out once
    colours = {tuple(rgb) for rgb in exact.model.content.surface.rgba[:, :3].tolist()}
    assert UNKNOWN in colours  # with four photos around a ball many places are seen by one
    assert len(colours) > 1
    assert 0 < exact.usual_sigma < 0.1


def test_two_runs_with_other_cameras_are_laid_on_each_other_by_their_photos() -> None:
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(5, 3))
    moved = Similarity(0.5, np.eye(3)[[1, 2, 0]], np.array([1.0, 2, 3]))

    def content(points: np.ndarray, key: str) -> Content:
        camera = PinholeCamera.centred(40, 30, 40.0)
        views = tuple(
            View(f"{i}.jpg", camera, Rigid(np.eye(3), -point)) for i, point in enumerate(points)
        )
        return Content(views=views, scene_key=key)

    main, other = content(moved @ centres, "a"), content(centres, "b")
    np.testing.assert_allclose(alignment(main, other) @ centres, moved @ centres, atol=1e-9)


def test_a_skin_is_in_order_of_page_and_large_pages_are_reduced() -> None:
    from recon3d_gui.viewer.content import surface_of

    mesh = sheet(3)
    page_of_face = np.array([1, 0, 1, 0, 1, 0, 1, 0], np.int32)
    uv = np.zeros((8, 3, 2), np.float32)
    pages = [np.zeros((8, 20_000, 3), np.uint8), np.zeros((8, 20_000, 3), np.uint8)]
    skin = make_skin(
        TexturedMesh(mesh, uv, page_of_face, pages, np.ones(8, bool)), surface_of(mesh), nothing
    )
    assert skin.page_ends.tolist() == [12, 24]
    assert skin.pages[0].shape == (2, 5000, 3)


def test_a_turntable_goes_round_the_focus_and_starts_where_one_looks() -> None:
    poses = [*turntable(LOOK.cam_from_model, 4.0, (0.0, 0.0, 1.0), 4)]
    np.testing.assert_allclose(poses[0].matrix(), LOOK.cam_from_model.matrix(), atol=1e-12)
    centres = np.array([pose.inverse().translation for pose in poses])
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 4.0)
    np.testing.assert_allclose(centres.sum(0), 0, atol=1e-9)


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_film_that_is_stopped_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"turn{suffix}"
    target.write_bytes(b"before")
    frames = film(target, lambda number, out: out.fill(0.5), 10, 10, (64, 48))
    next(frames)
    frames.close()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_bytes() == b"before"


def test_films_have_the_length_that_was_asked_for(tmp_path: Path) -> None:
    def draw(number: int, out: np.ndarray) -> None:
        out[...] = number / 10

    for suffix in (".gif", ".mp4"):
        assert [*film(tmp_path / f"turn{suffix}", draw, 10, 10, (65, 48))] == [*range(1, 11)]
    gif = Image.open(tmp_path / "turn.gif")
    assert (gif.n_frames, gif.size, gif.info["duration"]) == (10, (64, 48), 100)  # type: ignore[attr-defined]
    import av

    with av.open(str(tmp_path / "turn.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10


@pytest.mark.parametrize(
    ("name", "count"), [("turn.avi", 5), ("turn.gif", 0), ("turn.mp4", 99_999)]
)
def test_films_that_cannot_be_are_refused(tmp_path: Path, name: str, count: int) -> None:
    with pytest.raises(OutputError):
        next(film(tmp_path / name, lambda number, out: None, count, 10, (64, 48)))


def test_half_covered_pixels_keep_their_colour(tmp_path: Path) -> None:
    rgba = np.full((2, 2, 4), 0.5, np.float32)
    rgba[..., 0] = 0.5  # multiplied by its opacity: fully red
    rgba[..., 1:3] = 0
    save_picture(tmp_path / "a.png", rgba)
    assert np.asarray(Image.open(tmp_path / "a.png"))[0, 0].tolist() == [255, 0, 0, 128]
    with pytest.raises(OutputError):
        save_picture(tmp_path / "a.jpg", rgba)
