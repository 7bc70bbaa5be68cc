"""A huge surface that is decimated part by part is whole afterwards, and that of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from sphere_scene import sphere_photos

from recon3d.core.canonical_order import in_order
from recon3d.core.errors import Cancelled
from recon3d.core.surface import Mesh, PointCloud
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task, silent
from recon3d.surface.cleaning import thinning
from recon3d.surface.cleaning.repair import count_faulty_edges
from recon3d.surface.cleaning.thinning import most_faces, thin_out
from recon3d.surface.mesh import CLEAN, MeshConfig
from recon3d.surface.rays import MeshRays


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "_MOST_FACES", 4000)
    monkeypatch.setattr(thinning, "_PART_FACES", 6000)


def bumpy_ball(*, marked: bool = False) -> Mesh:
    """20,480 triangles with relief, and a colour for each side."""
    made = trimesh.creation.icosphere(5)
    points = np.array(made.vertices)
    points *= 1 + 0.02 * np.sin(9 * points).sum(axis=1, keepdims=True)
    rgb = np.where(points[:, :1] > 0, [200, 40, 40], [40, 40, 200]).astype(np.uint8)
    faces = np.array(made.faces, np.int32)
    inferred = points[faces, 2].mean(axis=1) > 0.5 if marked else None
    return in_order(Mesh(points.astype(np.float32) + 7, faces, rgb=rgb, inferred=inferred))


def task(threads: int = 1, token: CancelToken | None = None) -> Task:
    return Task("mesh", silent, token or CancelToken(), Runtime(device="cpu", workers=threads))


def test_parts_fit_together_to_the_last_digit() -> None:
    ball = bumpy_ball()
    thin = thin_out(ball, 100, task())
    assert 3500 < len(thin.faces) <= 4000
    assert count_faulty_edges(thin) == 0
    body = trimesh.Trimesh(thin.vertices, thin.faces, process=False)
    assert body.is_watertight
    assert body.euler_number == 2
    before = trimesh.Trimesh(ball.vertices, ball.faces, process=False)
    assert body.volume == pytest.approx(before.volume, rel=0.01)


def test_the_shape_is_kept_and_so_are_colours() -> None:
    ball = bumpy_ball()
    thin = thin_out(ball, 100, task())
    face, weights = MeshRays(ball).nearest(thin.vertices)
    corners = ball.vertices[ball.faces[face]]
    away = np.linalg.norm((weights[..., None] * corners).sum(axis=1) - thin.vertices, axis=1)
    assert np.percentile(away, 99) < 0.01
    assert ball.rgb is not None
    assert thin.rgb is not None
    difference = np.abs(thin.rgb - (weights[..., None] * ball.rgb[ball.faces[face]]).sum(axis=1))
    assert np.median(difference) < 8


def test_any_number_of_threads_gives_the_same_bytes() -> None:
    one, three = (thin_out(bumpy_ball(), 100, task(threads)) for threads in (1, 3))
    assert (one.vertices == three.vertices).all()
    assert (one.faces == three.faces).all()


def test_what_was_guessed_stays_marked() -> None:
    ball = bumpy_ball(marked=True)
    thin = thin_out(ball, 100, task())
    assert thin.inferred is not None
    middles = thin.vertices[thin.faces].mean(axis=1)
    assert (thin.inferred == (middles[:, 2] - 7 > 0.5)).mean() > 0.97


@pytest.mark.parametrize("wanted", [0, 5120])
def test_what_can_be_cleaned_as_a_whole_is_left_alone(wanted: int) -> None:
    ball = bumpy_ball()
    assert len(ball.faces) <= most_faces(wanted)
    assert thin_out(ball, wanted, task()) is ball


def test_a_scene_that_becomes_coarse_says_so_on_every_run(tmp_path: Path) -> None:
    posed, _ = sphere_photos()
    surface = (bumpy_ball(), PointCloud(*[np.zeros((0, 3), kind) for kind in ("f4", "u1", "f4")]))
    told = {}
    for faces in (400, 600):
        folder = tmp_path / str(faces)
        folder.mkdir()
        config = MeshConfig(faces=faces, region="all", unseen="keep", reach=0.0)
        CLEAN.run(posed, {}, surface, config, folder, task())
        told[faces] = list(CLEAN.warnings(folder))
    (warning,) = told[400]
    assert "20,480" in warning
    assert "--faces 1400 " in warning
    assert not told[600]


def test_it_stops_when_asked() -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        thin_out(bumpy_ball(), 100, task(token=token))
