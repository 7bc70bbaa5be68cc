"""Photos onto a mesh: charts, choice of photos, seams, pages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painted_sheet import (
    AROUND,
    CAMERA,
    FLAT,
    SMALL,
    colours_of_faces,
    grid,
    photographed,
    textured,
)
from pretended_cluster import THERE, pretend_cluster

from recon3d.bench.texture import texture_scores
from recon3d.core.camera import pixel_rays
from recon3d.core.errors import Cancelled, ConfigError, TooLittleDepthError
from recon3d.core.surface import Mesh, face_areas
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Event, Task
from recon3d.surface.topology import face_neighbours
from recon3d.texture.baking import fill_uncovered
from recon3d.texture.graph import patches
from recon3d.texture.labelling import choose_labels, merge_small
from recon3d.texture.outliers import find_outliers
from recon3d.texture.packing import pack
from recon3d.texture.sight import Candidates
from recon3d.texture.texture import (
    TextureConfig,
    read_photo_of_face,
    read_texture,
    read_textured_levels,
    texture_levels,
    texture_mesh,
    warnings,
)
from recon3d.texture.unwrap import unwrap


def sphere(rings: int) -> Mesh:
    theta, phi = np.meshgrid(
        np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, 2 * rings, endpoint=False)
    )
    around = [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
    vertices = np.stack(around, -1)
    number = np.arange(vertices[..., 0].size).reshape(theta.shape)
    after = np.roll(number, -1, axis=0)
    a, b, c, d = number[:, :-1], number[:, 1:], after[:, 1:], after[:, :-1]
    faces = np.concatenate([np.stack(f, -1).reshape(-1, 3) for f in ((a, b, c), (a, c, d))])
    return Mesh(vertices.reshape(-1, 3).astype(np.float32), faces.astype(np.int32))


def test_a_texture_has_the_true_colours(tmp_path: Path) -> None:
    fine = TextureConfig(size_px=1024)
    model = textured(tmp_path, FLAT, photographed(FLAT, AROUND, [1, 1, 1]), fine)
    found, true = colours_of_faces(model)
    assert model.seen.all()
    # Half a step of rounding in the photo and in the page each, and a little interpolation.
    assert np.abs(found - true).mean() < 1.0
    assert np.abs(found - true).max() < 4.0


def test_different_exposures_leave_no_seams(tmp_path: Path) -> None:
    posed = photographed(FLAT, AROUND, [0.85, 1.0, 1.15])
    model = textured(tmp_path / "even", FLAT, posed)
    photo = read_photo_of_face(tmp_path / "even")
    assert len(np.unique(photo)) > 1
    found, true = colours_of_faces(model)
    # The mean exposure is anybody's guess; relative to it colours must agree.
    assert np.std(found.mean(1) / true.mean(1)) < 0.01
    raw = textured(tmp_path / "raw", FLAT, posed, replace(SMALL, exposure=False, seams=False))
    found_raw, _ = colours_of_faces(raw)
    assert np.std(found_raw.mean(1) / true.mean(1)) > 0.05


def test_seams_are_levelled_even_without_gains(tmp_path: Path) -> None:
    fine = TextureConfig(size_px=1024)
    posed = photographed(FLAT, AROUND, [0.9, 1.0, 1.1])
    level = textured(tmp_path / "level", FLAT, posed, replace(fine, exposure=False))
    plain = textured(tmp_path / "plain", FLAT, posed, replace(fine, exposure=False, seams=False))
    found = texture_scores(level, read_photo_of_face(tmp_path / "level")).photo_seams
    before = texture_scores(plain, read_photo_of_face(tmp_path / "plain")).photo_seams
    assert found is not None
    assert before is not None
    assert found < 1.3 < before


def test_a_passer_by_in_one_photo_does_not_show(tmp_path: Path) -> None:
    centres = [*AROUND, (0.1, 0.0, -2.2), (-0.1, 0.1, -3.2)]
    posed = photographed(FLAT, centres, [1] * 5)
    # The nearest photo, which would win, has somebody in red standing in the middle.
    posed.rgb["3.png"][40:80, 60:100] = (230, 20, 20)
    found, true = colours_of_faces(textured(tmp_path, FLAT, posed))
    assert np.abs(found - true).max() < 12


def test_what_no_photo_saw_is_filled_from_its_neighbours_and_marked(tmp_path: Path) -> None:
    posed = photographed(FLAT, AROUND, [1, 1, 1])
    masks = {name: np.ones((120, 160), bool) for name in posed.rgb}
    for view in posed.scene.views:
        centre = view.centre_world
        xy = centre[:2] + pixel_rays(CAMERA)[..., :2] * -centre[2]
        masks[view.photo_id][(np.abs(xy) < 0.2).all(-1)] = False
    model = textured(tmp_path, FLAT, replace(posed, masks=masks))
    middle = FLAT.vertices[FLAT.faces].mean(1)
    hidden = (np.abs(middle[:, :2]) < 0.1).all(1)
    assert not model.seen[hidden].any()
    assert model.seen[(np.abs(middle[:, :2]) > 0.4).any(1)].all()
    found, true = colours_of_faces(model)
    # The true colours are nearly linear, and so is what a Laplace equation fills in.
    assert np.abs(found - true)[hidden].max() < 15


def test_a_wall_in_front_hides_what_is_behind_it(tmp_path: Path) -> None:
    wall = grid(9, lambda x, y: 0 * x - 1.0)
    wall = replace(wall, vertices=wall.vertices * np.float32([0.3, 0.3, 1]))
    both = Mesh(
        np.concatenate([FLAT.vertices, wall.vertices]),
        np.concatenate([FLAT.faces, wall.faces + len(FLAT.vertices)]).astype(np.int32),
    )
    one = photographed(FLAT, [(0.0, 0.0, -3.0)], [1])
    model = textured(tmp_path, both, one)
    behind = (np.abs(both.vertices[both.faces].mean(1)[:, :2]) < 0.35).all(1)
    behind &= np.arange(len(both.faces)) < len(FLAT.faces)
    assert not model.seen[behind].any()
    assert model.seen[len(FLAT.faces) :].all()


def test_pages_share_the_faces_and_keep_their_colours(tmp_path: Path) -> None:
    posed = photographed(FLAT, AROUND, [1, 1, 1])
    bumpy = grid(25, lambda x, y: 0.15 * np.sin(9 * x) * np.sin(8 * y))
    config = TextureConfig(size_px=256, pages=3)
    model = textured(tmp_path, bumpy, posed, config)
    assert len(model.pages) == 3
    assert set(model.page_of_face) == {0, 1, 2}
    assert all(page.shape == (256, 256, 3) for page in model.pages)


def test_the_same_input_gives_the_same_texture(tmp_path: Path) -> None:
    posed = photographed(FLAT, AROUND, [1, 0.9, 1.1])
    one = textured(tmp_path / "one", FLAT, posed)
    two = textured(tmp_path / "two", FLAT, posed)
    np.testing.assert_array_equal(one.uv, two.uv)
    np.testing.assert_array_equal(one.pages[0], two.pages[0])


def test_machines_of_a_cluster_make_the_same_files_and_warn_of_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pretend_cluster(monkeypatch)
    # Of several pages and blocks, some of them empty.
    monkeypatch.setattr("recon3d.texture.baking._BLOCK_PX", 100)
    bumpy = grid(25, lambda x, y: 0.15 * np.sin(9 * x) * np.sin(8 * y))
    posed = photographed(FLAT, [*AROUND, (0.1, 0.1, -2.5)], [1, 0.9, 1.1, 1])
    posed = replace(posed, rgb=Torn(posed.rgb))
    contents, warned = [], []
    for name, runtime in (("here", Runtime()), ("there", THERE)):
        said: list[Event] = []
        task = Task("texture", said.append, CancelToken(), runtime)
        (tmp_path / name).mkdir()
        texture_mesh(posed, bumpy, TextureConfig(size_px=256, pages=2), tmp_path / name, task)
        contents.append({each.name: each.read_bytes() for each in (tmp_path / name).iterdir()})
        warned.append([event.note for event in said if event.kind == "warning"])
        progress = [event.done for event in said if event.kind == "progress"]
        assert progress == sorted(progress)
    assert contents[0].keys() == {
        "mesh.npz",
        "atlas.npz",
        "texture.json",
        "page_0.png",
        "page_1.png",
    }
    assert contents[0] == contents[1]
    assert warned[0] == warned[1] != []
    assert {"0.png", "page_0.png (1)", "page_1.png (9)"} <= set(made)


def test_a_mesh_that_no_photo_sees_is_refused(tmp_path: Path) -> None:
    behind = replace(FLAT, vertices=FLAT.vertices - np.float32([0, 0, 50]))
    with pytest.raises(TooLittleDepthError, match="No photo sees"):
        textured(tmp_path, behind, photographed(FLAT, AROUND, [1, 1, 1]))
    nothing = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    with pytest.raises(TooLittleDepthError, match="no faces"):
        textured(tmp_path, nothing, photographed(FLAT, AROUND, [1, 1, 1]))


class Torn(dict[str, np.ndarray]):
    """Pictures one of which is gone."""

    def __getitem__(self, name: str) -> np.ndarray:
        if name == "1.png":
            raise FileNotFoundError(2, "No such file or directory", name)
        return super().__getitem__(name)


def test_a_photo_that_is_gone_is_named_and_done_without(tmp_path: Path) -> None:
    posed = photographed(FLAT, AROUND, [1, 1, 1])
    said: list[Event] = []
    task = Task("texture", said.append, CancelToken())
    texture_mesh(replace(posed, rgb=Torn(posed.rgb)), FLAT, SMALL, tmp_path, task)
    warnings = [event.note for event in said if event.kind == "warning"]
    assert any("1.png" in warning for warning in warnings)
    assert 1 not in read_photo_of_face(tmp_path)
    found, true = colours_of_faces(read_texture(tmp_path))
    assert np.abs(found - true).mean() < 1.5


@pytest.mark.slow
def test_a_page_too_small_for_all_charts_grows_and_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    crumpled = grid(64, lambda x, y: rng.uniform(-0.2, 0.2, x.shape))
    said: list[Event] = []
    task = Task("texture", said.append, CancelToken())
    posed = photographed(crumpled, AROUND, [1, 1, 1])
    texture_mesh(posed, crumpled, TextureConfig(size_px=256), tmp_path, task)
    assert read_texture(tmp_path).pages[0].shape[0] > 256
    assert any("do not fit" in event.note for event in said if event.kind == "warning")


def test_every_level_of_detail_gets_a_smaller_texture_of_the_same_colours(tmp_path: Path) -> None:
    posed = photographed(FLAT, AROUND, [1, 1, 1])
    config = TextureConfig(size_px=1024)
    finest = textured(tmp_path, FLAT, posed, config)
    coarser = [grid(13, lambda x, y: 0 * x), grid(7, lambda x, y: 0 * x)]
    said: list[Event] = []
    task = Task("level textures", said.append, CancelToken())
    (tmp_path / "levels").mkdir()
    texture_levels(posed, coarser, finest, config, tmp_path / "levels", task)
    levels = read_textured_levels(tmp_path / "levels")
    assert [level.pages[0].shape[0] for level in levels] == [512, 256]
    for level, mesh in zip(levels, coarser, strict=True):
        np.testing.assert_array_equal(level.mesh.faces, mesh.faces)
        found, true = colours_of_faces(level)
        assert np.abs(found - true).mean() < 1.5
    progress = [event.done / event.total for event in said if event.kind == "progress"]
    assert progress == sorted(progress)
    assert progress[-1] == 1


def test_a_texture_much_coarser_than_the_photos_is_doubted(tmp_path: Path) -> None:
    near = photographed(FLAT, [(0.0, 0.0, -0.5)], [1])
    sharp = replace(near, scene=replace(near.scene, views=tuple(
        replace(view, camera=CAMERA.resized(1600, 1200)) for view in near.scene.views
    )), rgb={name: rgb.repeat(10, 0).repeat(10, 1) for name, rgb in near.rgb.items()})  # fmt: skip
    textured(tmp_path / "coarse", FLAT, sharp, TextureConfig(size_px=256))
    textured(tmp_path / "fine", FLAT, near, TextureConfig(size_px=1024))
    assert "resolution" in warnings(tmp_path / "coarse")[0]
    assert warnings(tmp_path / "fine") == []


def test_faces_without_area_do_no_harm(tmp_path: Path) -> None:
    flat = np.concatenate([FLAT.faces, [[0, 0, 1], [5, 5, 5], [0, 1, 2]]]).astype(np.int32)
    model = textured(tmp_path, replace(FLAT, faces=flat), photographed(FLAT, AROUND, [1, 1, 1]))
    assert np.isfinite(model.uv).all()
    found, true = colours_of_faces(model)
    assert np.abs(found - true)[:-3].mean() < 1.0


def test_texturing_can_be_stopped(tmp_path: Path) -> None:
    cancel = CancelToken()

    def stop(event: Event) -> None:
        if event.note.startswith("painting"):
            cancel.cancel()

    posed = photographed(FLAT, AROUND, [1, 1, 1])
    with pytest.raises(Cancelled):
        texture_mesh(posed, FLAT, SMALL, tmp_path, Task("texture", stop, cancel))
    assert not list(tmp_path.glob("*.png"))


def test_impossible_settings_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"texture\.size_px"):
        TextureConfig(size_px=100)
    with pytest.raises(ConfigError, match=r"texture\.pages"):
        TextureConfig(pages=0)


@pytest.mark.parametrize("mesh", [FLAT, sphere(24), grid(40, lambda x, y: 0.3 * np.sin(12 * x))])
def test_no_two_faces_share_a_place_in_the_atlas(mesh: Mesh) -> None:
    charts = unwrap(mesh, lambda: None)
    atlas = pack(charts, np.ones(charts.count), 1024, 1, lambda: None)
    assert atlas.uv.min() >= 0
    assert atlas.uv.max() <= 1
    one, two = atlas.uv[:, 1] - atlas.uv[:, 0], atlas.uv[:, 2] - atlas.uv[:, 0]
    turn = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    area = face_areas(mesh)
    # Counter-clockwise like the faces: nothing is mirrored.
    assert (turn[area > 1e-9] > 0).all()
    # Rasterised with two texels' distance: no texel belongs to two charts.
    import cv2

    owner = np.zeros((1024, 1024), np.int32)
    for chart in range(charts.count):
        mine = np.zeros(owner.shape, np.uint8)
        corners = np.rint(atlas.uv[charts.chart_of_face == chart] * 1023).astype(np.int32)
        cv2.fillPoly(mine, list(corners), 1)
        assert not (owner[mine > 0] > 0).any()
        owner[mine > 0] = chart + 1


def test_charts_keep_lengths_and_cover_a_fair_part_of_the_page() -> None:
    charts = unwrap(sphere(40), lambda: None)
    atlas = pack(charts, np.ones(charts.count), 1024, 1, lambda: None)
    assert atlas.fill > 0.4
    mesh = sphere(40)
    one, two = charts.xy[:, 1] - charts.xy[:, 0], charts.xy[:, 2] - charts.xy[:, 0]
    flat = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2
    area = face_areas(mesh)
    assert (flat <= area * 1.001).all()
    assert flat.sum() > 0.75 * area.sum()


def test_neighbours_agree_on_a_label_unless_it_costs_too_much() -> None:
    mesh = grid(20, lambda x, y: 0 * x)
    neighbours = face_neighbours(mesh.faces)
    rng = np.random.default_rng(0)
    left = mesh.vertices[mesh.faces].mean(1)[:, 0] < 0
    labels = np.tile(np.int32([3, 7]), (len(mesh.faces), 1))
    cost = np.where(left[:, None], [0.0, 1.0], [1.0, 0.0]) + rng.normal(0, 0.6, labels.shape)
    change = np.full(neighbours.shape, 0.6, np.float32)
    chosen = choose_labels(labels, cost.astype(np.float32), neighbours, change, lambda: None)
    assert (cost.argmin(1) == np.where(left, 0, 1)).mean() < 0.95
    assert (chosen == np.where(left, 3, 7)).mean() > 0.98
    count, _ = patches(neighbours, chosen)
    assert count <= 6


def test_labels_equal_the_best_of_all_on_a_small_mesh() -> None:
    # A strip has no loops, where belief propagation is exact.
    faces = np.array([[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4], [4, 5, 6], [5, 7, 6]], np.int32)
    neighbours = face_neighbours(faces)
    rng = np.random.default_rng(4)
    for _ in range(10):
        cost = rng.uniform(0, 1, (6, 3)).astype(np.float32)
        change = np.full((6, 3), 0.3, np.float32)
        labels = np.tile(np.arange(3, dtype=np.int32), (6, 1))
        chosen = choose_labels(labels, cost, neighbours, change, lambda: None)

        def total(answer: np.ndarray, cost: np.ndarray = cost) -> float:
            return float(cost[np.arange(6), answer].sum() + 0.3 * (np.diff(answer) != 0).sum())

        every = np.stack(np.meshgrid(*[range(3)] * 6), -1).reshape(-1, 6)
        assert total(chosen) == pytest.approx(min(map(total, every)), abs=1e-5)


def test_small_regions_join_only_photos_that_see_them() -> None:
    mesh = grid(10, lambda x, y: 0 * x)
    neighbours = face_neighbours(mesh.faces)
    chosen = np.zeros(len(mesh.faces), np.int32)
    chosen[[40, 100]] = 1
    merged = merge_small(chosen, lambda face, label: (face != 100) | (label == 1), neighbours, 5)
    assert merged[40] == 0
    assert merged[100] == 1


def test_outliers_need_three_witnesses() -> None:
    found = Candidates.none(2)
    found.view[0, :2], found.view[1, :4] = [0, 1], [0, 1, 2, 3]
    found.rgb[0, :2] = [[20, 20, 20], [200, 200, 200]]
    found.rgb[1, :4] = [[100, 100, 100], [103, 99, 101], [99, 102, 100], [200, 30, 30]]
    outliers = find_outliers(found, np.ones((4, 3), np.float32), np.full((2, 3), -1, np.int32))
    np.testing.assert_array_equal(np.argwhere(outliers), [[1, 3]])


def test_no_black_is_left_between_charts() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    covered = np.zeros((64, 64), bool)
    covered[10:20, 10:30] = covered[40:50, 20:60] = True
    picture[10:20, 10:30], picture[40:50, 20:60] = (200, 90, 60), (60, 90, 200)
    before = picture.copy()
    fill_uncovered(picture, covered)
    np.testing.assert_array_equal(picture[covered], before[covered])
    assert picture.min() >= 59
    # Next to a chart its own colour goes on.
    np.testing.assert_array_equal(picture[9, 12:28], np.tile([200, 90, 60], (16, 1)))
