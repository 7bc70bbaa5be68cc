"""Meshes that recon3d wrote come back to where they were; others are refused or understood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from recon3d.core.errors import InputError
from recon3d.core.scene import PosedPhotos, PosedScene, SparsePoints
from recon3d.core.surface import Mesh, PointCloud
from recon3d.core.target_frame import TargetFrame
from recon3d.core.transform import Similarity
from recon3d.export.export import Exportable, Outputs, export
from recon3d.export.reimport import world_from_file
from recon3d.export.textures import ExportConfig
from recon3d.run.task import CancelToken, Event, Task, silent
from recon3d.surface.foreign_meshes import read_foreign_mesh

TURN = Rotation.from_euler("xyz", [40, -25, 70], degrees=True).as_matrix()
UPRIGHT = TargetFrame(Similarity(2.5, TURN, np.array([3.0, 1, -2])), "metre")
SURVEY = TargetFrame(Similarity(2.5, TURN, np.array([431234.5, 5432109.25, 312.75])), "metre")
FORMATS = (".ply", ".obj", ".glb", ".stl", ".3mf")


def house() -> Mesh:
    """A box of 2 x 1 x 3 in a world that leans."""
    box = trimesh.creation.box((2, 1, 3)).subdivide().subdivide()
    return Mesh((box.vertices @ TURN + 1).astype(np.float32), np.asarray(box.faces, np.int32))


def written(folder: Path, mesh: Mesh, frame: TargetFrame, suffix: str) -> Path:
    nothing = PosedPhotos(PosedScene((), SparsePoints.empty(), "metre"), {}, {}, {}, ())
    target = folder / f"house{suffix}"
    made = Exportable(nothing, mesh, cloud(), {}, frame)
    task = Task("export", silent, CancelToken())
    export(made, Outputs(meshes=(target,)), ExportConfig(), task)
    return target


def cloud() -> PointCloud:
    points = house().vertices
    return PointCloud(points, np.zeros(points.shape, np.uint8), np.zeros_like(points))


def returned(path: Path, frame: TargetFrame, told: list[str] | None = None) -> np.ndarray:
    """The corners of the file's faces, in the world."""

    def tell(event: Event) -> None:
        if told is not None and event.kind == "warning":
            told.append(event.note)

    found = read_foreign_mesh(path)
    task = Task("own mesh", tell, CancelToken())
    moved = world_from_file(path, found, frame, (house(), cloud()), task)
    return moved @ found.vertices[found.faces].reshape(-1, 3)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("frame", [UPRIGHT, SURVEY], ids=["near", "far"])
def test_what_was_written_lands_where_it_was(
    tmp_path: Path, frame: TargetFrame, suffix: str
) -> None:
    if suffix == ".3mf":
        pytest.importorskip("lxml")
    whole = house()
    # A part that was cut out and edited must not move because its middle is elsewhere.
    part = Mesh(whole.vertices, whole.faces[:60])
    told: list[str] = []
    for mesh in (whole, part):
        found = returned(written(tmp_path, mesh, frame, suffix), frame, told)
        true = mesh.vertices[mesh.faces].reshape(-1, 3)
        # float32 in the file, and about 5 from its origin.
        np.testing.assert_allclose(found, true, atol=2e-6)
    assert told == []


def test_axes_and_units_of_other_programs_are_understood_and_told(tmp_path: Path) -> None:
    mesh = house()
    true = mesh.vertices[mesh.faces].reshape(-1, 3)
    # MeshLab writes an OBJ, which is y-up, on as a PLY without turning it.
    y_up = trimesh.load(written(tmp_path, mesh, UPRIGHT, ".obj"), process=False)
    y_up.export(tmp_path / "turned.ply")
    # Blender writes an STL in the scene's metres.
    metres = trimesh.load(written(tmp_path, mesh, UPRIGHT, ".ply"), process=False)
    metres.export(tmp_path / "metres.stl")
    for name, words in (("turned.ply", "y up in metres"), ("metres.stl", "z up in metres")):
        told: list[str] = []
        np.testing.assert_allclose(returned(tmp_path / name, UPRIGHT, told), true, atol=1e-4)
        assert len(told) == 1
        assert words in told[0]


def test_a_mesh_elsewhere_is_refused_with_both_places(tmp_path: Path) -> None:
    moved = Mesh(house().vertices + np.float32(50), house().faces)
    path = written(tmp_path, moved, UPRIGHT, ".glb")
    with pytest.raises(InputError, match="does not lie on the model") as caught:
        returned(path, UPRIGHT)
    low = (UPRIGHT.target_from_world @ house().vertices.astype(np.float64)).min(0)
    assert f"({low[0]:.4g}, " in str(caught.value)
    assert str(caught.value).count(" to ") == 2


def test_a_mesh_that_is_mostly_elsewhere_is_doubted(tmp_path: Path) -> None:
    mesh = house()
    far = np.float32(30) + np.float32(3) * mesh.vertices
    both = Mesh(
        np.concatenate([mesh.vertices, far]),
        np.concatenate([mesh.faces, mesh.faces + np.int32(len(far))]),
    )
    told: list[str] = []
    returned(written(tmp_path, both, UPRIGHT, ".ply"), UPRIGHT, told)
    assert any("Only 10%" in note for note in told)


def test_faces_that_look_inwards_are_refused(tmp_path: Path) -> None:
    inside_out = Mesh(house().vertices, np.ascontiguousarray(house().faces[:, ::-1]))
    with pytest.raises(InputError, match="look inwards"):
        returned(written(tmp_path, inside_out, UPRIGHT, ".ply"), UPRIGHT)
