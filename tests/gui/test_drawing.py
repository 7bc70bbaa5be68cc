"""Pictures of models, with and without a graphics card, and coarser ones where it is slow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from recon3d_gui.viewer.cameras import Eye
from recon3d_gui.viewer.content import Content
from recon3d_gui.viewer.drawing import Model, Part, Renderer, Shot, Stroke, prepare
from recon3d_gui.viewer.geometry import Lines
from recon3d_gui.viewer.pace import Pace
from recon3d_gui.viewer.proxy import coarser
from recon3d_gui.viewer.session import make_renderer
from recon3d_gui.viewer.software import SoftwareRenderer
from sheets import RED, sheet

from recon3d.core.surface import Mesh, PointCloud, TexturedMesh

SIZE = (160, 120)
LOOK = Eye(azimuth_deg=0.0, elevation_deg=0.0, distance=4.0)


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
    many = model_of(sheet(460))  # just more faces than are drawn at once
    out = np.full((120, 160, 4), 0.25, np.float32)
    assert not renderer.draw(shot_of(many), out, lambda: True)
    assert (out == 0.25).all()


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
