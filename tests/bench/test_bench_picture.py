"""The bench's picture of a result: what is shown, and that photo and model show the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon3d.bench.picture import draw
from recon3d.bench.sets import SETS, BenchSet
from recon3d.core.camera import PinholeCamera
from recon3d.core.depth import SceneDepth
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints, View
from recon3d.core.surface import Mesh
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Rigid, Similarity
from recon3d.results import Results
from recon3d.run.cost import Cost
from recon3d.run.stage import StageResult
from recon3d.surface.stills import StillRenderer, Viewpoint

CELL = (270, 360)
GAP = 6


def hill() -> Mesh:
    """A bumpy ground before the cameras, of many colours."""
    x, y = np.meshgrid(np.linspace(-3, 3, 61), np.linspace(-3, 3, 61))
    z = 4 + 0.2 * np.sin(3 * x) * np.cos(2 * y)
    vertices = np.stack([x, y, z], -1).reshape(-1, 3).astype(np.float32)
    rgb = np.random.default_rng(0).integers(0, 256, vertices.shape, dtype=np.uint8)
    corner = (np.arange(60)[:, None] * 61 + np.arange(60)).ravel()
    upper = np.stack([corner, corner + 61, corner + 1], -1)
    lower = np.stack([corner + 1, corner + 61, corner + 62], -1)
    faces = np.concatenate([upper, lower]).astype(np.int32)
    return Mesh(vertices, faces, rgb=rgb)


def made(value: object) -> StageResult:
    return StageResult("stage", "key", Path("folder"), lambda: value, Cost(1, 1, 1), False)


def results_of(camera: PinholeCamera) -> Results:
    mesh = hill()
    views = tuple(
        View(str(k), camera, Rigid(np.eye(3), np.array([0.6 * k - 0.6, 0, 0]))) for k in range(3)
    )
    renderer = StillRenderer(mesh)
    rgb = {v.photo_id: renderer.render(Viewpoint(camera, v.cam_from_world)).colour for v in views}
    scene = PosedScene(views, SparsePoints.empty(), "scene")
    shape = (camera.height_px, camera.width_px)
    depth = {
        v.photo_id: SceneDepth(np.full(shape, 4, "f4"), np.ones(shape, "f4"), camera, v.photo_id)
        for v in views
    }
    up = Similarity(1.0, np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), np.zeros(3))
    return Results(
        Path("work"),
        posed=made(PosedPhotos(scene, rgb, {}, {}, ())),
        depth=made(depth),
        mesh=made(mesh),
        frame=made(TargetFrame(up, "scene")),
    )


def rows_of(path: Path) -> list[np.ndarray]:
    sheet = np.asarray(Image.open(path)).astype(int)
    height = CELL[0] + GAP
    return [sheet[top : top + CELL[0]] for top in range(0, len(sheet), height)]


@pytest.mark.parametrize("size_px", [(640, 300), (300, 500)])
def test_a_photo_and_the_model_below_it_show_the_same(
    tmp_path: Path, size_px: tuple[int, int]
) -> None:
    # Off centre, and cut at the sides or above and below.
    camera = replace(PinholeCamera.centred(*size_px, 700.0), cx_px=0.45 * size_px[0])
    draw(tmp_path / "still.png", results_of(camera), BenchSet(what="a hill", credit="ours"))
    photos, colour, clay, around = rows_of(tmp_path / "still.png")
    # Two samplings of the same gradients differ by half of what a shift of one pixel makes.
    shifted = np.abs(photos[:, 1:] - colour[:, :-1]).mean()
    assert np.abs(photos - colour).mean() < 0.5 * shifted
    assert np.abs(photos - clay).mean() > 10
    assert around.std() > 5


def test_photos_that_nobody_has_freed_are_not_shown(tmp_path: Path) -> None:
    camera = PinholeCamera.centred(32, 24, 30.0)
    draw(tmp_path / "still.png", results_of(camera), BenchSet(what="a hill"))
    assert len(rows_of(tmp_path / "still.png")) == 3
    testing_only = ("fountain", "kitchen_rgbd", "kitchen_posed", "office_rgbd", "office_posed")
    assert not any(SETS[name].credit for name in testing_only)


def test_a_result_without_a_surface_has_no_picture(tmp_path: Path) -> None:
    results = results_of(PinholeCamera.centred(32, 24, 30.0))
    results.mesh = made(Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)))
    draw(tmp_path / "still.png", results, BenchSet(what="nothing", credit="ours"))
    assert not (tmp_path / "still.png").exists()
