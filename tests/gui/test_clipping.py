"""A crop is seen before it is computed: the part of a model that lies in a box."""

from __future__ import annotations

import numpy as np
from recon3d_gui.viewer.clipping import clipped
from recon3d_gui.viewer.content import Content, surface_of
from recon3d_gui.viewer.drawing import Model, prepare

from recon3d.core.surface import Mesh, PointCloud, TexturedMesh
from recon3d.core.transform import Similarity

WORLD = Similarity(2.0, np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([5.0, 0, 0]))


def sheet(side: int) -> Mesh:
    """A unit square of little squares, two faces each."""
    across, down = np.meshgrid(*[np.linspace(0, 1, side + 1)] * 2, indexing="ij")
    vertices = np.stack([across, down, 0 * down], -1).reshape(-1, 3).astype(np.float32)
    index = np.arange((side + 1) ** 2).reshape(side + 1, side + 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([b, d, c], -1)]).reshape(-1, 3)
    return Mesh(vertices, faces.astype(np.int32))


def made() -> Model:
    mesh = sheet(20)
    count = len(mesh.faces)
    page_of_face = (np.arange(count) % 2).astype(np.int32)
    textured = TexturedMesh(
        mesh,
        np.random.default_rng(0).random((count, 3, 2)).astype(np.float32),
        page_of_face,
        [np.zeros((8, 8, 3), np.uint8)] * 2,
        np.ones(count, bool),
    )
    points = np.random.default_rng(1).random((500, 3)).astype(np.float32)
    cloud = PointCloud(points, np.zeros((500, 3), np.uint8), np.zeros((500, 3), np.float32))
    content = Content(
        model_from_world=WORLD, surface=surface_of(mesh), textured=textured, cloud=cloud
    )
    return prepare(content, None, lambda: None)


def test_what_is_in_the_box_stays_with_its_texture_and_the_rest_goes() -> None:
    model = made()
    whole, skin = model.levels[0], model.skin
    assert skin is not None
    # x of the model frame is 5 - 2 y of the world: this keeps y below a half.
    part = clipped(model, ((4.0, -9.0, -9.0), (9.0, 9.0, 9.0)))
    (level,) = part.levels
    assert len(level.faces) == len(whole.faces) // 2
    assert whole.vertices[level.faces][..., 1].mean(1).max() < 0.5
    assert part.skin is not None
    assert len(part.skin.corners) == 3 * len(level.faces)
    assert part.skin.page_ends.tolist() == [len(part.skin.corners) // 2, len(part.skin.corners)]
    assert part.skin.corners[:, 1].max() <= 0.5
    assert part.content.cloud is not None
    kept = model.content.cloud.points[:, 1] <= 0.5  # type: ignore[union-attr]
    assert len(part.content.cloud.points) == kept.sum()
    assert model.levels[0] is whole  # the whole is still there


def test_an_empty_box_shows_nothing_and_a_large_one_everything() -> None:
    model = made()
    empty = clipped(model, ((90.0, 90.0, 90.0), (91.0, 91.0, 91.0)))
    assert empty.levels == ()
    assert empty.skin is None
    assert empty.content.surface is None
    same = clipped(model, ((-90.0, -90.0, -90.0), (90.0, 90.0, 90.0)))
    np.testing.assert_array_equal(same.levels[0].faces, model.levels[0].faces)
