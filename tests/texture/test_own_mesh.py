"""The photos on meshes that were edited or built anew elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painted_sheet import AROUND, FLAT, SMALL, colours_of_faces, paint, photographed, quiet

from recon3d.core.errors import InputError, TooLittleDepthError
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, TexturedMesh
from recon3d.core.transform import Rigid, Similarity
from recon3d.run.task import CancelToken, Event, Task
from recon3d.surface.colour import TextureColour
from recon3d.surface.foreign_meshes import ForeignMesh
from recon3d.texture.own_mesh import OwnMesh, own_mesh, paint_own_mesh
from recon3d.texture.texture import TextureConfig, read_numbers, read_texture

HERE = Similarity.from_rigid(Rigid.identity())
SQUARE = Mesh(
    np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32),
    np.array([[0, 3, 1], [1, 3, 2]], np.int32),
)
# The whole sheet on the page, its first row at the bottom.
LAYOUT = (FLAT.vertices[:, :2] + 1) / 2


def as_file(mesh: Mesh, uv: np.ndarray | None = None) -> ForeignMesh:
    count, faces = len(mesh.vertices), len(mesh.faces)
    return ForeignMesh(
        mesh.vertices.astype(np.float64),
        mesh.faces.astype(np.int64),
        np.full((count, 3), np.nan),
        np.full((count, 2), np.nan) if uv is None else uv.astype(np.float64),
        np.full(faces, -1),
        np.zeros(faces, np.int64),
        [],
        None,
    )


def own(found: ForeignMesh, *, keep_uv: bool = False) -> OwnMesh:
    return own_mesh("mine.obj", found, HERE, None, quiet(), keep_uv=keep_uv)


def painted(
    folder: Path, mesh: OwnMesh, posed: PosedPhotos, config: TextureConfig = SMALL
) -> TexturedMesh:
    paint_own_mesh(posed, mesh, config, folder, quiet())
    return read_texture(folder)


def test_a_mesh_of_triangles_that_share_no_vertices_gets_the_true_colours(tmp_path: Path) -> None:
    corners = FLAT.vertices[FLAT.faces].reshape(-1, 3)
    soup = Mesh(corners, np.arange(len(corners), dtype=np.int32).reshape(-1, 3))
    mesh = own(as_file(soup))
    assert len(mesh.mesh.vertices) == len(FLAT.vertices)
    model = painted(tmp_path, mesh, photographed(FLAT, AROUND, [1, 1, 1]))
    found, true = colours_of_faces(model)
    # As test_texture's sheet, whose pages are twice as wide.
    assert np.abs(found - true).mean() < 1.5
    assert model.seen.all()
    rgb = model.mesh.rgb
    assert rgb is not None
    at = model.mesh.vertices
    # On its border the sheet's photos show half of the black around it.
    inner = np.abs(at[:, :2]).max(1) < 0.9
    assert np.abs(rgb - paint(at[:, 0], at[:, 1]))[inner].mean() < 2
    assert read_numbers(tmp_path)["charts"] == 1


def test_a_wall_of_two_triangles_is_painted_by_photos_that_show_parts_of_it(
    tmp_path: Path,
) -> None:
    near = [(x, y, -1.0) for x in (-0.6, 0, 0.6) for y in (-0.7, 0, 0.7)]
    posed = photographed(FLAT, near, [1.0] * len(near))
    model = painted(tmp_path, own(as_file(SQUARE)), posed)
    assert len(model.mesh.faces) == 2
    assert model.seen.all()
    weights = np.random.default_rng(0).dirichlet((1, 1, 1), 500).astype(np.float32)
    for face in range(2):
        found = TextureColour(model).at(np.full(500, face), weights)
        at = weights @ model.mesh.vertices[model.mesh.faces[face]]
        # Photos do not reach its border, where faces are filled in.
        inner = np.abs(at[:, :2]).max(1) < 0.9
        assert np.abs(found - paint(at[:, 0], at[:, 1]))[inner].mean() < 1.5


def test_a_layout_that_is_kept_stays_to_the_last_digit(tmp_path: Path) -> None:
    mesh = own(as_file(FLAT, LAYOUT), keep_uv=True)
    model = painted(tmp_path, mesh, photographed(FLAT, AROUND, [1, 1, 1]))
    np.testing.assert_array_equal(model.mesh.vertices[model.mesh.faces], FLAT.vertices[FLAT.faces])
    np.testing.assert_array_equal(model.uv, LAYOUT[FLAT.faces].astype(np.float32))
    assert model.pages[0].shape == (512, 512, 3)
    found, true = colours_of_faces(model)
    assert np.abs(found - true).mean() < 1.5
    assert read_numbers(tmp_path)["charts"] == 1


def test_each_material_of_a_kept_layout_gets_a_page(tmp_path: Path) -> None:
    found = as_file(SQUARE, (SQUARE.vertices[:, :2] + 1) / 2)
    # Both triangles in one place, which only two pages can hold.
    uv = np.array([[0.1, 0.1], [0.1, 0.9], [0.9, 0.1]])
    found = replace(
        found,
        vertices=found.vertices[found.faces].reshape(-1, 3),
        normals=np.full((6, 3), np.nan),
        faces=np.arange(6).reshape(2, 3),
        uv=np.vstack([uv, uv]),
    )
    with pytest.raises(InputError, match="on top of"):
        own(found, keep_uv=True)
    mesh = own(replace(found, material_of_face=np.array([0, 3])), keep_uv=True)
    model = painted(tmp_path, mesh, photographed(FLAT, AROUND, [1, 1, 1]))
    assert len(model.pages) == 2
    found_rgb, true = colours_of_faces(model)
    assert np.abs(found_rgb - true).mean() < 1.5


def test_layouts_that_cannot_be_kept_are_refused_with_the_reason() -> None:
    for uv, reason in (
        (LAYOUT * 2, r"leaves its picture: u goes from 0 to 2"),
        (LAYOUT * 0, "100% of the UV layout"),
        (np.abs(LAYOUT - 0.5), "on top of other parts"),
        (np.full(LAYOUT.shape, np.nan), "has no UV layout that"),
        (np.where(LAYOUT > 0.9, np.nan, LAYOUT), r"no UV layout for \d+% of it"),
    ):
        with pytest.raises(InputError, match=reason) as caught:
            own(as_file(FLAT, uv), keep_uv=True)
        assert "Unwrap" in caught.value.hint or "Pack" in caught.value.hint
        own(as_file(FLAT, uv))  # without being kept it is not looked at


def test_a_layout_that_overlaps_a_little_is_kept_with_a_warning() -> None:
    uv = LAYOUT.copy()
    # A corner of the sheet, folded over.
    uv[0] = [0.09, 0.06]
    said: list[Event] = []
    task = Task("own mesh", said.append, CancelToken())
    own_mesh("mine.obj", as_file(FLAT, uv), HERE, None, task, keep_uv=True)
    assert any("on top of" in event.note for event in said if event.kind == "warning")


def test_edges_that_a_file_has_hard_stay_hard(tmp_path: Path) -> None:
    found = as_file(FLAT)
    corners = FLAT.vertices[FLAT.faces].reshape(-1, 3)
    tilted = np.repeat([[0, 0.6, -0.8], [0, -0.6, -0.8]], [len(corners) // 2] * 2, axis=0)
    hard = replace(
        found,
        vertices=corners.astype(np.float64),
        normals=tilted,
        uv=np.full((len(corners), 2), np.nan),
        faces=np.arange(len(corners)).reshape(-1, 3),
    )
    mesh = own(hard).mesh
    assert mesh.normals is not None
    assert len(FLAT.vertices) < len(mesh.vertices) < len(corners)
    there = mesh.normals[mesh.faces].reshape(-1, 3)
    np.testing.assert_allclose(there, tilted, atol=1e-6)
    painted(tmp_path, own(hard), photographed(FLAT, AROUND, [1, 1, 1]))
    assert read_numbers(tmp_path)["charts"] == 1


def test_the_exposure_of_the_run_is_taken(tmp_path: Path) -> None:
    posed = photographed(FLAT, AROUND[:1], [0.8])
    gains = np.full((1, 3), 1.25, np.float32)
    mesh = replace(own(as_file(FLAT)), gains=gains)
    found, true = colours_of_faces(painted(tmp_path, mesh, posed))
    # A photo alone would have kept its own exposure, 24 steps off.
    assert np.abs(found - true).mean() < 2
    assert mesh.digest != own(as_file(FLAT)).digest


def test_a_mesh_that_no_photo_sees_is_told(tmp_path: Path) -> None:
    behind = Mesh(FLAT.vertices - np.float32([0, 0, 9]), FLAT.faces)
    with pytest.raises(TooLittleDepthError, match="No photo sees"):
        painted(tmp_path, own(as_file(behind)), photographed(FLAT, AROUND, [1, 1, 1]))
