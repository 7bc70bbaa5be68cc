"""Vertices move to where photos agree: noise of known size goes in, a fraction of it comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recon3d.core.camera import PinholeCamera, pixel_rays
from recon3d.core.errors import Cancelled
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.surface import Mesh, PointCloud, vertex_normals
from recon3d.core.transform import Rigid
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task, silent
from recon3d.surface.mesh import CLEAN, MeshConfig, read_effects
from recon3d.surface.photometric.agreement import correlate, derivative
from recon3d.surface.photometric.plate import Plate
from recon3d.surface.photometric.refining import refine_by_photos

CAMERA = PinholeCamera.centred(160, 128, 176.0)
Surface = Callable[[np.ndarray], np.ndarray]


def task(workers: int = 2) -> Task:
    return Task("mesh", silent, CancelToken(), Runtime(device="cpu", workers=workers))


def hill(xy: np.ndarray) -> np.ndarray:
    """Height over the plane z = 0: a soft bump, 0.06 high at a distance of 3."""
    return 0.06 * np.exp(-(xy**2).sum(-1) / 0.18)


def flat(xy: np.ndarray) -> np.ndarray:
    return np.zeros(xy.shape[:-1])


def photos_of(surface: Surface, plain_beyond: float = np.inf) -> PosedPhotos:
    """Five photos of a height field with a texture of seeded waves, looked at along -z.

    plain_beyond: where x is larger, the surface has no texture.
    """
    rng = np.random.default_rng(3)
    waves, phases = rng.normal(0, 25, (60, 2)), rng.uniform(0, 2 * np.pi, 60)
    views, rgb = [], {}
    places = [(0.0, 0.0), (0.5, 0.0), (-0.5, 0.0), (0.0, 0.45), (0.0, -0.45)]
    for number, (x, y) in enumerate(places):
        centre = np.array([x, y, 3.0])
        rotation = np.diag([1.0, -1.0, -1.0])
        view = View(f"{number}.png", CAMERA, Rigid(rotation, -rotation @ centre))
        rays = pixel_rays(CAMERA) @ rotation
        far = np.full(rays.shape[:2], 3.0)
        for _ in range(30):  # heights change slowly: iterating finds the crossing
            points = centre + far[..., None] * rays
            far = 3.0 - surface(points[..., :2])
        grey = 128 + 9 * np.cos(points[..., :2] @ waves.T + phases).sum(-1)
        grey = np.where(points[..., 0] > plain_beyond, 128, grey)
        # Exposure differs: only the shape of greys may count.
        picture = np.clip(grey * (1 - 0.05 * number) + 3 * number, 0, 255).astype(np.uint8)
        views.append(View(view.photo_id, CAMERA, view.cam_from_world))
        rgb[view.photo_id] = np.repeat(picture[..., None], 3, axis=-1)
    scene = PosedScene(tuple(views), SparsePoints.empty(), "scene")
    return PosedPhotos(scene, rgb, {}, {}, ())


def grid(surface: Surface, half: float = 0.9, count: int = 61) -> Mesh:
    line = np.linspace(-half, half, count)
    x, y = np.meshgrid(line, line)
    xy = np.stack([x.ravel(), y.ravel()], -1)
    corner = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).ravel()
    lower = np.stack([corner, corner + 1, corner + count], -1)
    upper = np.stack([corner + 1, corner + count + 1, corner + count], -1)
    vertices = np.column_stack([xy, surface(xy)]).astype(np.float32)
    return Mesh(vertices, np.concatenate([lower, upper]).astype(np.int32))


def waved(mesh: Mesh, height: float) -> Mesh:
    """With smooth noise of a root mean square height along z."""
    rng = np.random.default_rng(5)
    waves, phases = rng.normal(0, 9, (20, 2)), rng.uniform(0, 2 * np.pi, 20)
    noise = np.cos(mesh.vertices[:, :2] @ waves.T + phases).sum(-1)
    noise *= height / np.sqrt((noise**2).mean())
    return replace(mesh, vertices=mesh.vertices + np.outer(noise, [0, 0, 1]).astype(np.float32))


def error(mesh: Mesh, surface: Surface, inside: float = 0.6) -> float:
    """Root mean square height over the truth of the vertices that all photos see."""
    near = (np.abs(mesh.vertices[:, :2]) < inside).all(1)
    away = mesh.vertices[near, 2] - surface(mesh.vertices[near, :2].astype(np.float64))
    return float(np.sqrt((away**2).mean()))


@pytest.mark.parametrize("surface", [flat, hill])
def test_noise_that_is_put_in_comes_out_as_a_tenth(surface: Surface) -> None:
    # 0.02 at a distance of 3 is 0.2 px between cameras 0.5 apart, 0.4 px between the outer two.
    start = waved(grid(surface), 0.02)
    assert error(start, surface) == pytest.approx(0.02, rel=0.2)
    refined = refine_by_photos(photos_of(surface), start, task())
    assert error(refined, surface) < 0.002
    assert (refined.faces == start.faces).all()


def test_what_is_right_stays() -> None:
    truth = grid(hill, count=49)
    refined = refine_by_photos(photos_of(hill), truth, task())
    assert error(refined, hill) < 0.001


def test_a_ripple_goes_off_a_wall_and_its_normals() -> None:
    start = waved(grid(flat), 0.005)
    refined = refine_by_photos(photos_of(flat), start, task())

    def tilt(mesh: Mesh) -> float:
        near = (np.abs(mesh.vertices[:, :2]) < 0.6).all(1)
        return float(np.sqrt((vertex_normals(mesh)[near, :2] ** 2).sum(1).mean()))

    assert tilt(refined) < tilt(start) / 3


def test_borders_and_what_no_photo_sees_stay() -> None:
    mesh = waved(grid(flat, count=37), 0.01)
    behind = replace(mesh, vertices=mesh.vertices - np.array([0, 0, 1], np.float32))
    count = len(mesh.vertices)
    both = Mesh(
        np.concatenate([mesh.vertices, behind.vertices]),
        np.concatenate([mesh.faces, behind.faces + np.int32(count)]),
    )
    refined = refine_by_photos(photos_of(flat), both, task())
    hidden = np.arange(count, 2 * count)
    middle = (np.abs(both.vertices[hidden, :2]) < 0.6).all(1)
    assert (refined.vertices[hidden[middle]] == both.vertices[hidden[middle]]).all()
    rim = np.abs(both.vertices[:count, :2]).max(1) > 0.899
    assert (refined.vertices[:count][rim] == both.vertices[:count][rim]).all()
    assert (refined.vertices[:count] != both.vertices[:count]).any()


def test_photos_that_are_masked_out_move_nothing() -> None:
    posed = photos_of(flat)
    none = {view.photo_id: np.zeros((128, 160), bool) for view in posed.scene.views}
    start = waved(grid(flat), 0.02)
    refined = refine_by_photos(replace(posed, masks=none), start, task())
    assert (refined.vertices == start.vertices).all()


def test_the_number_of_threads_changes_no_byte() -> None:
    posed, start = photos_of(hill), waved(grid(hill, count=37), 0.02)
    alone = refine_by_photos(posed, start, task(workers=1))
    together = refine_by_photos(posed, start, task(workers=4))
    assert alone.vertices.tobytes() == together.vertices.tobytes()


def test_a_single_photo_moves_nothing() -> None:
    posed = photos_of(flat)
    scene = replace(posed.scene, views=posed.scene.views[:1])
    start = waved(grid(flat), 0.02)
    assert refine_by_photos(replace(posed, scene=scene), start, task()) is start


def test_it_can_be_cancelled() -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        refine_by_photos(photos_of(flat), grid(flat), Task("mesh", silent, token))


def plain_disagreement(a: np.ndarray, b: np.ndarray, common: np.ndarray) -> dict[str, np.ndarray]:
    """1 - correlation and weight of every window, by the formula."""
    rows, columns = a.shape
    away, weight = np.zeros(a.shape), np.zeros(a.shape)
    for y in range(rows):
        for x in range(columns):
            window = np.s_[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4]
            there = common[window]
            if not common[y, x] or there.sum() < 30:
                continue
            one, two = a[window][there], b[window][there]
            least = min(one.var(), two.var())
            weight[y, x] = least / (least + 0.0015)
            correlation = ((one - one.mean()) * (two - two.mean())).mean()
            away[y, x] = 1 - correlation / np.sqrt(one.var() * two.var())
    return {"away": away, "weight": weight}


def test_the_derivative_is_that_of_the_plain_formula() -> None:
    rng = np.random.default_rng(0)
    a = rng.uniform(0.2, 0.8, (16, 18)).astype(np.float32)
    b = (0.7 * a + 0.3 * rng.uniform(0.2, 0.8, a.shape)).astype(np.float32)
    common = np.ones(a.shape, bool)
    common[4:6, 10:12] = False
    a[~common] = b[~common] = 0
    windows = correlate(a, b, common)
    first, second = derivative(a, b, windows)
    plain = plain_disagreement(a, b, common)
    assert windows.disagreement == pytest.approx((plain["weight"] * plain["away"]).sum(), rel=1e-5)
    step = 1e-4
    for y, x in [(8, 8), (3, 9), (0, 0), (15, 12)]:
        ends = []
        for sign in (1, -1):
            moved = b.astype(np.float64)
            moved[y, x] += sign * step
            away = plain_disagreement(a.astype(np.float64), moved, common)["away"]
            # The weight of a window is taken as given.
            ends.append((plain["weight"] * away).sum())
        slope = (ends[0] - ends[1]) / (2 * step)
        assert first[y, x] == pytest.approx(slope, rel=1e-3, abs=1e-4)
        assert second[y, x] > 0


def test_a_plate_without_photos_becomes_as_smooth_as_its_rim_lets_it() -> None:
    start = waved(grid(flat, count=25), 0.01)
    vertices = start.vertices.astype(np.float64)
    inner = (np.abs(vertices[:, :2]) < 0.85).all(1)
    normals = vertex_normals(start).astype(np.float64)
    plate = Plate(vertices, start.faces, normals, inner)
    nothing = np.zeros(len(vertices))
    way = plate.give_in(nothing, nothing + 1e-9, 1.0)
    assert (way[~inner] == 0).all()
    after = vertices + normals * way[:, None]
    bent = [
        np.abs(np.diff(each[:, 2].reshape(25, 25), n=2, axis=0))[2:-2, 3:-3].mean()
        for each in (vertices, after)
    ]
    assert bent[1] < bent[0] / 3


def test_a_plate_evens_ripple_out_and_keeps_its_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    def roof(xy: np.ndarray) -> np.ndarray:
        return -0.5 * np.abs(xy[..., 0])

    start = waved(grid(roof, count=25), 0.003)
    vertices = start.vertices.astype(np.float64)
    inner = (np.abs(vertices[:, :2]) < 0.85).all(1)
    ridge = inner & (np.abs(vertices[:, 0]) < 1e-6)
    slopes = inner & (np.abs(vertices[:, 0]) > 0.25)
    normals = vertex_normals(start).astype(np.float64)
    off = {}
    for keeps_edges in (True, False):
        if not keeps_edges:
            monkeypatch.setattr("recon3d.surface.photometric.plate._CREASE_RAD", np.inf)
        plate = Plate(vertices, start.faces, normals, inner)
        held = np.full(len(vertices), 1.0)
        way = plate.give_in(np.zeros(len(vertices)), held, 1.0)
        after = vertices + normals * way[:, None]
        away = np.abs(after[:, 2] - roof(after[:, :2]))
        off[keeps_edges] = away[ridge].mean(), away[slopes].mean()
    ripple = np.abs(vertices[:, 2] - roof(vertices[:, :2]))[slopes].mean()
    assert off[True][1] < 0.8 * ripple < off[False][1]
    assert off[True][0] < 0.6 * off[False][0]


def test_cleaning_ends_with_it_but_for_a_depth_cameras_surface(tmp_path: Path) -> None:
    posed = photos_of(flat)
    none = np.zeros((0, 3), np.float32)
    start = waved(grid(flat, count=37), 0.02)
    surface = (start, PointCloud(none, none.astype(np.uint8), none))
    config = MeshConfig(region="all", unseen="keep", smoothing=0, faces=0)
    measured = {view.photo_id: np.ones((128, 160), np.float32) for view in posed.scene.views}
    asked = {
        "photos": (posed, config),
        "off": (posed, replace(config, photometric=False)),
        "measured": (replace(posed, sensor_depth=measured), config),
    }
    left = {}
    for name, (photos, settings) in asked.items():
        folder = tmp_path / name
        folder.mkdir()
        CLEAN.run(photos, {}, surface, settings, folder, task())
        left[name] = error(CLEAN.read(folder), flat)
    assert left["photos"] < 0.004
    assert left["off"] == left["measured"] == pytest.approx(0.02, rel=0.2)
    effects = {each["name"]: each for each in read_effects(tmp_path / "photos")["links"]}
    told = effects["move to where photos agree"]
    assert told["after"] < told["before"] / 2
