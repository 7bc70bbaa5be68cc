"""The render process: what it draws, what it loads, and what happens when it dies."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from recon3d_gui.viewer.cameras import Eye
from recon3d_gui.viewer.client import ViewerClient
from recon3d_gui.viewer.composing import alignment
from recon3d_gui.viewer.content import Content, read_content, read_mesh_file, subsampled, support
from recon3d_gui.viewer.drawing import Model, Part, Renderer, Shot, Stroke, make_skin, prepare
from recon3d_gui.viewer.geometry import Lines
from recon3d_gui.viewer.outbox import Outbox
from recon3d_gui.viewer.pace import Pace
from recon3d_gui.viewer.protocol import (
    Failed,
    Frame,
    Loaded,
    Look,
    Picked,
    Reply,
    Saved,
    SavePicture,
    SaveTurntable,
    Saving,
    Style,
    Taken,
)
from recon3d_gui.viewer.proxy import coarser
from recon3d_gui.viewer.recording import film, save_picture, turntable
from recon3d_gui.viewer.session import make_renderer
from recon3d_gui.viewer.shared import SharedPictures
from recon3d_gui.viewer.software import SoftwareRenderer

from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import SceneDepth
from recon3d.core.errors import InputError, OutputError
from recon3d.core.frame import TargetFrame
from recon3d.core.scene import View
from recon3d.core.surface import Mesh, PointCloud, TexturedMesh
from recon3d.core.transform import Rigid, Similarity
from recon3d.io.surface_files import save_cloud, save_mesh

SIZE = (160, 120)
LOOK = Eye(azimuth_deg=0.0, elevation_deg=0.0, distance=4.0)
RED = (230, 40, 30)


def sheet(count: int = 2, rgb: tuple[int, int, int] | None = RED) -> Mesh:
    """A square from -1 to 1 in x and z that faces -y, where the camera is."""
    steps = np.linspace(-1, 1, count)
    x, z = np.meshgrid(steps, steps)
    vertices = np.stack([x, np.zeros_like(x), z], -1).reshape(-1, 3).astype(np.float32)
    index = np.arange(count * count).reshape(count, count)
    a, b, c, d = (
        each.reshape(-1)
        for each in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1])
    )
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    colours = None if rgb is None else np.tile(np.array(rgb, np.uint8), (len(vertices), 1))
    return Mesh(vertices, faces, rgb=colours)


def never() -> bool:
    return False


def nothing() -> None:
    return None


def model_of(mesh: Mesh, textured: TexturedMesh | None = None) -> Model:
    from recon3d_gui.viewer.content import surface_of

    return prepare(Content(surface=surface_of(mesh), textured=textured), None, nothing)


def shot_of(model: Model, **changes: object) -> Shot:
    plain = Shot(
        LOOK.lens.on_canvas(*SIZE),
        LOOK.cam_from_model,
        (0.1, 20.0),
        (Part(model, model.content.model_from_world),),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def drawn(renderer: Renderer, shot: Shot) -> np.ndarray:
    out = np.full((shot.camera.height_px, shot.camera.width_px, 4), np.nan, np.float32)
    assert renderer.draw(shot, out, never)
    return out


@pytest.fixture(scope="module", params=["opengl", "rays"])
def renderer(request: pytest.FixtureRequest) -> Iterator[Renderer]:
    found = make_renderer(request.param == "opengl")
    if request.param == "opengl" and isinstance(found, SoftwareRenderer):
        pytest.skip("no OpenGL 3.3 on this machine")
    yield found
    found.close()


# --- drawing, with and without a graphics card --------------------------------------------------


def test_the_model_stands_where_the_camera_sees_it(renderer: Renderer) -> None:
    picture = drawn(renderer, shot_of(model_of(sheet())))
    camera = LOOK.lens.on_canvas(*SIZE)
    half_px = camera.fx_px / 4.0
    is_red = picture[..., 0] > 1.5 * picture[..., 2]
    columns, rows = np.flatnonzero(is_red.any(0)), np.flatnonzero(is_red.any(1))
    # A pixel of the coarser picture of the ray caster on either side.
    for found, middle in ((columns, 80), (rows, 60)):
        assert found[0] == pytest.approx(middle - half_px, abs=3)
        assert found[-1] == pytest.approx(middle + half_px, abs=3)
    assert (picture[..., 3] == 1).all()


def test_rows_run_from_the_top_and_columns_from_the_left(renderer: Renderer) -> None:
    mesh = sheet(rgb=(255, 255, 255))
    rgb = np.array([[255, 0, 0] if v[2] > 0 else [0, 0, 255] for v in mesh.vertices], np.uint8)
    rgb[mesh.vertices[:, 0] > 0, 1] = 255
    picture = drawn(renderer, shot_of(model_of(replace(mesh, rgb=rgb))))
    top, bottom = picture[45, 80], picture[75, 80]
    assert top[0] > bottom[0]
    assert bottom[2] > top[2]
    assert picture[60, 100, 1] > picture[60, 60, 1]


def test_a_shared_light_does_not_depend_on_who_draws(renderer: Renderer) -> None:
    facing = drawn(renderer, shot_of(model_of(sheet()), mode="clay"))[60, 80, :3]
    # Seen straight on: 0.30 + 0.22 / 2 + 0.52.
    np.testing.assert_allclose(facing, 0.93 * np.array([0.80, 0.785, 0.76]), atol=0.02)
    normals = drawn(renderer, shot_of(model_of(sheet()), mode="normals"))[60, 80, :3]
    np.testing.assert_allclose(normals, [0.5, 0.0, 0.5], atol=0.02)


def test_backs_are_told_from_fronts(renderer: Renderer) -> None:
    mesh = sheet()
    back = replace(mesh, faces=np.ascontiguousarray(mesh.faces[:, ::-1]))
    front = drawn(renderer, shot_of(model_of(mesh)))[60, 80]
    seen_from_behind = drawn(renderer, shot_of(model_of(back)))[60, 80]
    assert seen_from_behind[0] < 0.7 * front[0]
    assert seen_from_behind[2] > 2 * front[2]


def test_pages_lie_on_their_faces(renderer: Renderer) -> None:
    mesh = sheet()
    uv = (mesh.vertices[mesh.faces][..., [0, 2]] + 1) / 2
    page = np.zeros((64, 64, 3), np.uint8)
    page[:32, :, 0] = 255  # the upper half of the picture is v above 0.5
    page[32:, :, 1] = 255
    textured = TexturedMesh(
        mesh, uv.astype(np.float32), np.zeros(2, np.int32), [page], np.ones(2, bool)
    )
    picture = drawn(renderer, shot_of(model_of(mesh, textured)))
    assert picture[40, 80, 0] > 0.7
    assert picture[40, 80, 1] < 0.1
    assert picture[80, 80, 1] > 0.7


def test_depth_is_that_of_the_surface_and_none_beside_it(renderer: Renderer) -> None:
    shot = shot_of(model_of(sheet()))
    # 24 bits over a range of 0.1 to 20.
    assert renderer.depth(shot, (80.3, 61.7)) == pytest.approx(4.0, abs=1e-3)
    assert renderer.depth(shot, (2.0, 2.0)) is None


def test_points_are_drawn_and_found(renderer: Renderer) -> None:
    cloud = PointCloud(
        np.array([[0, 0, 0]], np.float32), np.array([RED], np.uint8), np.zeros((1, 3), np.float32)
    )
    model = prepare(Content(sparse=cloud), None, nothing)
    shot = shot_of(model, mode="points", point_px=6.0)
    assert drawn(renderer, shot)[60, 80, 0] > 0.5
    assert renderer.depth(shot, (80.5, 60.5)) == pytest.approx(4.0, abs=1e-2)


def test_a_box_is_seen_faintly_through_the_model(renderer: Renderer) -> None:
    behind = Lines.of(np.array([[[-1.5, 1.0, 0.02], [1.5, 1.0, 0.02]]]), (0.0, 1.0, 0.0))
    hidden = drawn(renderer, shot_of(model_of(sheet()), strokes=(Stroke(behind, 4.0, 0.0),)))
    faint = drawn(renderer, shot_of(model_of(sheet()), strokes=(Stroke(behind, 4.0, 0.5),)))
    rows = slice(56, 65)
    assert hidden[rows, 80, 1].max() < 0.3
    assert faint[rows, 80, 1].max() > 0.4
    # Beside the sheet nothing hides it.
    assert hidden[rows, 36, 1].max() > 0.6


def test_two_models_share_the_picture(renderer: Renderer) -> None:
    red, blue = model_of(sheet()), model_of(sheet(rgb=(20, 30, 220)))
    same = red.content.model_from_world
    parts = (Part(red, same, 0.0, 0.5), Part(blue, same, 0.5, 1.0))
    picture = drawn(renderer, shot_of(red, parts=parts))
    assert picture[60, 60, 0] > picture[60, 60, 2]
    assert picture[60, 100, 2] > picture[60, 100, 0]


def test_a_picture_without_background_is_clear_beside_the_model(renderer: Renderer) -> None:
    picture = drawn(renderer, shot_of(model_of(sheet()), is_transparent=True))
    assert picture[2, 2, 3] == 0
    assert picture[60, 80, 3] == 1


def test_an_interrupted_picture_leaves_the_last_one_alone(renderer: Renderer) -> None:
    many = model_of(sheet(700))
    out = np.full((120, 160, 4), 0.25, np.float32)
    assert not renderer.draw(shot_of(many), out, lambda: True)
    assert (out == 0.25).all()


# --- coarser meshes and pace ---------------------------------------------------------------------


def test_a_coarser_mesh_has_few_faces_and_the_same_shape() -> None:
    from recon3d_gui.viewer.content import surface_of

    mesh = sheet(200)
    bumps = 0.2 * np.sin(3 * mesh.vertices[:, 0])
    mesh = replace(
        mesh, vertices=np.column_stack([mesh.vertices[:, 0], bumps, mesh.vertices[:, 2]])
    )
    fine = surface_of(replace(mesh, vertices=mesh.vertices.astype(np.float32)))
    few = coarser(fine, 8000)
    assert 2000 < len(few.faces) < 12_000
    assert set(map(tuple, few.vertices)) <= set(map(tuple, fine.vertices))
    np.testing.assert_allclose(
        np.ptp(few.vertices, axis=0), np.ptp(fine.vertices, axis=0), atol=0.1
    )


def test_slow_pictures_become_coarse_at_once_and_fine_again_later() -> None:
    pace = Pace()
    for _ in range(4):
        pace.took(0.2)
    assert (pace.level, pace.divisor) == (2, 2)
    for _ in range(200):
        pace.took(0.001)
    assert (pace.level, pace.divisor) == (0, 1)


# --- loading --------------------------------------------------------------------------------------


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


# --- files ----------------------------------------------------------------------------------------


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


# --- talking to the process -----------------------------------------------------------------------


def test_of_looks_only_the_newest_is_sent_and_every_order_is() -> None:
    source, sink = Pipe(duplex=False)
    filler = b"x" * 60_000
    sink.send_bytes(filler)  # the pipe is full, so that commands wait

    def look(number: int) -> Look:
        return Look(number, LOOK.lens.on_canvas(9, 9), Rigid.identity(), 1.0)

    outbox = Outbox(sink)
    for number in range(500):
        outbox.put(look(number))
        if number in (100, 200):
            outbox.put(Taken(number))
    outbox.put(Style(mode="clay"))
    assert source.recv_bytes() == filler
    outbox.close()
    received = []
    while True:
        try:
            received.append(source.recv())
        except EOFError:
            break
    assert [each.number for each in received if isinstance(each, Taken)] == [100, 200]
    assert received[-1] == Style(mode="clay")
    numbers = [each.number for each in received if isinstance(each, Look)]
    assert numbers[-1] == 499
    assert len(numbers) < 500


def test_pictures_that_do_not_fit_are_refused() -> None:
    pictures = SharedPictures.make(100)
    try:
        with pytest.raises(ValueError, match="expected"):
            pictures.picture(0, 1000, 1000)
    finally:
        pictures.close()


class Watcher:
    """A client with everything that it was told."""

    def __init__(self, **options: bool) -> None:
        self.client = ViewerClient(**options)
        self.told: list[Reply] = []
        self.frames: list[Frame] = []
        self.pixels = np.zeros((300, 400, 4), np.float32)
        self.client.listen(self.told.append)

    def until(self, done: Callable[[], object], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, self.told
            self.client.poll()
            self.client.tick(time.monotonic())
            if frame := self.client.take_frame(self.pixels):
                self.frames.append(frame)
            time.sleep(0.002)

    def last(self, kind: type) -> Reply | None:
        return next((each for each in reversed(self.told) if isinstance(each, kind)), None)


@pytest.fixture(scope="module")
def box_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mesh") / "box für 山.ply"
    trimesh.creation.box((1.0, 1.0, 1.0)).export(path)
    return path


@pytest.fixture(scope="module")
def watcher(box_file: Path) -> Iterator[Watcher]:
    found = Watcher()
    found.client.navigator.resize(320, 240)
    found.client.resize(320, 240)
    found.client.start()
    found.client.open_mesh(box_file)
    found.until(lambda: found.frames and found.frames[-1].is_final and "a" in found.client.loaded)
    yield found
    found.client.close()


def test_a_mesh_file_is_shown(watcher: Watcher) -> None:
    loaded = watcher.client.loaded["a"]
    assert loaded.faces == 12
    assert loaded.layers == {"mesh"}
    np.testing.assert_allclose(loaded.bounds.high, [0.5, 0.5, 0.5], atol=1e-6)
    assert watcher.pixels[:240, :320, :3].std() > 0.02


def test_a_pick_hits_the_surface(watcher: Watcher) -> None:
    nav = watcher.client.navigator
    nav.from_side("front")
    watcher.until(lambda: not nav.is_moving)
    watcher.told.clear()
    number = watcher.client.pick((160.0, 120.0))
    watcher.until(lambda: watcher.last(Picked))
    picked = watcher.last(Picked)
    assert isinstance(picked, Picked)
    assert picked.number == number
    assert picked.point == pytest.approx((0.0, -0.5, 0.0), abs=1e-3)


def test_a_still_view_is_drawn_once_and_costs_nothing(watcher: Watcher) -> None:
    watcher.client.navigator.orbit(10, 0)
    watcher.until(lambda: not watcher.client.is_busy)
    count = len(watcher.frames)
    end = time.monotonic() + 0.5
    watcher.until(lambda: time.monotonic() > end)
    assert len(watcher.frames) == count


def test_a_moving_view_gets_quick_pictures_and_then_a_fine_one(watcher: Watcher) -> None:
    watcher.frames.clear()
    for _ in range(10):
        watcher.client.navigator.orbit(5, 0)
        end = time.monotonic() + 0.03
        watcher.until(lambda end=end: time.monotonic() > end)  # type: ignore[misc]
    watcher.until(lambda: watcher.frames and watcher.frames[-1].is_final)
    assert any(not frame.is_final for frame in watcher.frames)
    numbers = [frame.number for frame in watcher.frames]
    assert numbers == sorted(set(numbers))


def test_a_picture_without_background_is_saved(watcher: Watcher, tmp_path: Path) -> None:
    target = tmp_path / "shot ü.png"
    watcher.told.clear()
    watcher.client.save_picture(SavePicture(target, enlarge=2, transparent=True))
    watcher.until(lambda: watcher.last(Saved))
    saved = Image.open(target)
    assert saved.size == (640, 480)
    assert saved.getpixel((2, 2))[3] == 0  # type: ignore[index]
    assert saved.getpixel((320, 240))[3] == 255  # type: ignore[index]


def test_a_film_is_made_while_the_view_stays_alive(watcher: Watcher, tmp_path: Path) -> None:
    target = tmp_path / "turn.gif"
    watcher.told.clear()
    watcher.frames.clear()
    watcher.client.save_turntable(SaveTurntable(target, 1.0, 12, (64, 48)))
    watcher.until(lambda: watcher.last(Saving))
    watcher.client.navigator.orbit(30, 0)
    watcher.until(lambda: watcher.last(Saved))
    assert Image.open(target).n_frames == 12  # type: ignore[attr-defined]
    watcher.until(lambda: watcher.frames)


def test_a_film_can_be_cancelled(watcher: Watcher, tmp_path: Path) -> None:
    watcher.told.clear()
    watcher.client.save_turntable(SaveTurntable(tmp_path / "turn.mp4", 30.0, 30, (640, 480)))
    watcher.until(lambda: watcher.last(Saving))
    watcher.client.cancel_saving()
    watcher.until(lambda: watcher.last(Saved))
    assert watcher.last(Saved) == Saved(None)
    assert [*tmp_path.iterdir()] == []


def test_a_place_that_cannot_be_written_is_told(watcher: Watcher, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    watcher.told.clear()
    watcher.client.save_picture(SavePicture(tmp_path / "file" / "a.png"))
    watcher.until(lambda: watcher.last(Failed))


def test_a_damaged_file_is_told_and_the_view_stays(watcher: Watcher, tmp_path: Path) -> None:
    (tmp_path / "bad.ply").write_bytes(b"ply\nformat ascii 1.0\n")
    watcher.told.clear()
    watcher.client.open_mesh(tmp_path / "bad.ply")
    watcher.until(lambda: watcher.last(Failed))
    assert watcher.client.loaded["a"].faces == 12


def test_a_growing_window_gets_larger_pictures(watcher: Watcher) -> None:
    watcher.client.navigator.resize(400, 300)
    watcher.until(lambda: watcher.frames and watcher.frames[-1].width_px == 400)
    watcher.client.navigator.resize(320, 240)
    watcher.until(lambda: watcher.frames[-1].width_px == 320)


def test_a_killed_process_is_started_again_with_what_it_showed(
    watcher: Watcher, box_file: Path
) -> None:
    watcher.client.open_mesh(box_file)
    watcher.client.restyle(mode="clay")
    watcher.until(lambda: not watcher.client.is_busy)
    process = watcher.client._process
    assert process is not None
    watcher.told.clear()
    watcher.frames.clear()
    process.kill()
    watcher.until(lambda: watcher.last(Loaded) and watcher.frames and watcher.frames[-1].is_final)
    assert "started again" in str(watcher.last(Failed))
    assert not watcher.client.is_gone


def test_closing_ends_the_process_and_frees_the_memory() -> None:
    found = Watcher()
    found.client.resize(64, 48)
    pictures = found.client._pictures
    assert pictures is not None
    names = pictures.names
    found.client.start()
    process = found.client._process
    assert process is not None
    pid = process.pid
    assert pid
    found.client.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(FileNotFoundError):
        SharedPictures.attach(names)
