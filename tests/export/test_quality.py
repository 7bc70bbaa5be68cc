"""How exact a model is, in its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import trimesh
from glb_parts import parts_of
from sphere_scene import sphere_photos

from recon3d.core.surface import Mesh, PointCloud
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Similarity
from recon3d.export.export import Outputs
from recon3d.export.textures import ExportConfig, linear_from_srgb
from recon3d.outputs import write_outputs
from recon3d.results import Results
from recon3d.run.cost import Cost
from recon3d.run.stage import StageResult
from recon3d.run.task import CancelToken, Task, silent
from recon3d.view_planning.legend import exactness_rgb
from recon3d.view_planning.measure import measure_coverage

T = TypeVar("T")
TASK = Task("export", silent, CancelToken())
SCALE = 4.0


def a_run(folder: Path) -> Results:
    """The unit sphere, in a model frame four times as large and turned; a part is guessed."""
    made = trimesh.creation.icosphere(subdivisions=4, radius=1.0)
    faces = np.asarray(made.faces, np.int32)
    ball = Mesh(np.asarray(made.vertices, np.float32), faces, inferred=np.arange(len(faces)) < 900)
    cloud = PointCloud(ball.vertices, np.zeros_like(ball.vertices, np.uint8), ball.vertices)
    turned = Similarity(SCALE, np.eye(3)[[1, 2, 0]], np.array([7.0, 8.0, 9.0]))

    def result(value: T) -> StageResult[Any]:
        return StageResult("any", "key", folder, lambda: value, Cost(0, 0, 0), True)

    photos, _ = sphere_photos()
    results = Results(folder)
    results.posed, results.surface = result(photos), result((ball, cloud))
    results.mesh, results.frame = result(ball), result(TargetFrame(turned, "metre"))
    return results


def test_a_ply_has_the_error_to_expect_in_its_own_unit(tmp_path: Path) -> None:
    run, target = a_run(tmp_path), tmp_path / "ball.ply"
    config = ExportConfig(quality=True)
    assert write_outputs(run, Outputs(meshes=(target,)), config, TASK) == (target,)
    assert run.mesh
    assert run.posed
    views = run.posed.value.scene.views
    coverage = measure_coverage(run.mesh.value, views, {}, TASK)
    loaded = trimesh.load(target, process=False)
    quality = loaded.metadata["_ply_raw"]["vertex"]["data"]["quality"]
    known = np.isfinite(coverage.sigma) & ~coverage.inferred
    assert 0 < known.sum() < len(known)
    np.testing.assert_allclose(quality[known], SCALE * coverage.sigma[known], rtol=1e-5)
    assert np.isinf(quality[~known]).all()


def test_a_glb_has_a_coloured_one_beside_it_where_that_is_asked_for(tmp_path: Path) -> None:
    run, target = a_run(tmp_path), tmp_path / "ball.glb"
    outputs = Outputs(meshes=(target,))
    assert write_outputs(run, outputs, ExportConfig(), TASK) == (target,)
    written = write_outputs(run, outputs, ExportConfig(quality=True), TASK)
    assert written == (target, tmp_path / "ball_quality.glb")
    (plain,), (coloured,) = (parts_of(path) for path in written)
    np.testing.assert_array_equal(coloured["POSITION"], plain["POSITION"])
    assert run.mesh
    assert run.posed
    coverage = measure_coverage(run.mesh.value, run.posed.value.scene.views, {}, TASK)
    linear = linear_from_srgb(exactness_rgb(coverage))
    np.testing.assert_allclose(coloured["COLOR_0"][:, :3] / 65535, linear, atol=1e-4)
    assert len(np.unique(linear, axis=0)) > 10
