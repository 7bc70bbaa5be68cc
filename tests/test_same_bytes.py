"""The same input gives the same bytes: with any number of threads, in any folder, in any order."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sphere_scene import sphere_photos

from recon3d.api import reconstruct
from recon3d.config import preset
from recon3d.core.canonical_order import cloud_in_order, in_order
from recon3d.core.scene import PosedPhotos
from recon3d.core.surface import Mesh, PointCloud
from recon3d.export.export import Outputs
from recon3d.results import Inputs, Until
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Task, silent
from recon3d.surface.fuse import FuseConfig, fuse_depth


def shuffled(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """The same surface: vertices and faces in another order, faces begun at another corner."""
    assert mesh.rgb is not None
    order = rng.permutation(len(mesh.vertices))
    number = np.argsort(order).astype(np.int32)
    faces = number[mesh.faces]
    turn = (rng.integers(0, 3, len(faces))[:, None] + np.arange(3)) % 3
    faces = np.take_along_axis(faces, turn, 1)[rng.permutation(len(faces))]
    return Mesh(mesh.vertices[order], faces, rgb=mesh.rgb[order])


def random_mesh(rng: np.random.Generator) -> Mesh:
    """Vertices on a coarse grid, so that many coincide: in some the colour differs, in some not."""
    vertices = rng.integers(-2, 3, (300, 3)).astype(np.float32)
    vertices[rng.random((300, 3)) < 0.1] *= np.float32(-0.0)
    rgb = np.repeat(rng.integers(0, 2, (300, 1), np.uint8), 3, axis=1)
    faces = np.stack([rng.permutation(300)[:3] for _ in range(500)]).astype(np.int32)
    return Mesh(vertices, faces, rgb=rgb)


def contents(mesh: Mesh) -> list[bytes]:
    assert mesh.rgb is not None
    return [part.tobytes() for part in (mesh.vertices, mesh.faces, mesh.rgb)]


def test_a_mesh_has_one_order_however_it_was_shuffled() -> None:
    rng = np.random.default_rng(3)
    mesh = random_mesh(rng)
    expected = contents(in_order(mesh))
    for _ in range(5):
        assert contents(in_order(shuffled(mesh, rng))) == expected


def test_order_keeps_the_surface_and_which_side_is_outside() -> None:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    faces = np.array([[2, 1, 0], [1, 3, 0], [3, 2, 0], [3, 1, 2]], np.int32)
    rgb = np.arange(12, dtype=np.uint8).reshape(4, 3)
    filled = np.array([True, False, False, False])
    ordered = in_order(Mesh(corners, faces, rgb=rgb, inferred=filled))
    assert ordered.rgb is not None
    assert ordered.inferred is not None
    volume = np.linalg.det(ordered.vertices[ordered.faces].astype(np.float64)).sum() / 6
    assert volume == pytest.approx(np.linalg.det(corners[faces].astype(np.float64)).sum() / 6)
    assert {tuple(row) for row in np.hstack([ordered.vertices, ordered.rgb]).tolist()} == {
        tuple(row) for row in np.hstack([corners, rgb]).tolist()
    }
    (patch,) = ordered.vertices[ordered.faces[ordered.inferred]]
    assert (patch[:, 2] == 0).all()


def test_faces_between_vertices_that_coincide_vanish() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [-0.0, 1, 0]], np.float32)
    faces = np.array([[0, 1, 2], [2, 1, 3]], np.int32)
    ordered = in_order(Mesh(vertices, faces, rgb=np.zeros((4, 3), np.uint8)))
    assert len(ordered.vertices) == 3
    assert len(ordered.faces) == 1


def test_a_cloud_has_one_order_however_it_was_shuffled() -> None:
    rng = np.random.default_rng(4)
    points = rng.integers(0, 3, (200, 3)).astype(np.float32)
    rgb, normals = rng.integers(0, 2, (200, 3), np.uint8), rng.normal(size=(200, 3))
    cloud = PointCloud(points, rgb, normals.astype(np.float32))
    order = rng.permutation(200)
    other = PointCloud(cloud.points[order], cloud.rgb[order], cloud.normals[order])
    for first, second in zip(
        vars(cloud_in_order(cloud)).values(), vars(cloud_in_order(other)).values(), strict=True
    ):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("surface", ["tsdf", "poisson"])
def test_fusing_the_same_maps_in_any_order_gives_the_same_bytes(
    surface: str, tmp_path: Path
) -> None:
    posed, maps = sphere_photos()
    rng = np.random.default_rng(0)
    rgb = {name: rng.integers(0, 255, (120, 120, 3), np.uint8) for name in posed.rgb}
    posed = PosedPhotos(posed.scene, rgb, {}, {}, ())
    config = FuseConfig(surface=surface, voxel_size=0.03, min_weight=1)  # type: ignore[arg-type]
    written = []
    for number, names in enumerate((sorted(maps), sorted(maps, reverse=True))):
        folder = tmp_path / str(number)
        folder.mkdir()
        runtime = Runtime(device="cpu", workers=1 + number)
        task = Task("fuse", silent, CancelToken(), runtime)
        these = {name: maps[name] for name in names}
        fuse_depth(posed, these, config, folder, task)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1]


_SOLVE = """
import numpy as np
from scipy.sparse import diags_array, random_array
from recon3d.core.sparse_solving import conjugate_gradients
rng = np.random.default_rng(0)
links = random_array((60000, 60000), density=1e-4, rng=rng)
links = links + links.T
matrix = (diags_array(links.sum(1) + 0.01) - links).tocsr()
right = rng.normal(size=60000)
found = conjugate_gradients(matrix, right, share=1e-4, most_steps=400)
assert np.linalg.norm(matrix @ found - right) < 2e-4 * np.linalg.norm(right)
print(hash(found.tobytes()))
"""


def test_a_system_is_solved_to_the_same_bits_with_any_number_of_threads() -> None:
    answers = set()
    for threads in ("1", "2"):
        limits = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        environment = {**os.environ, **limits, "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-c", _SOLVE]
        answers.add(
            subprocess.run(command, env=environment, capture_output=True, check=True).stdout
        )
    assert len(answers) == 1


@pytest.mark.usefixtures("small_stills")
@pytest.mark.slow
def test_two_runs_write_the_same_files_whatever_the_threads_the_folder_and_the_order(
    tmp_path: Path,
) -> None:
    source = Path(__file__).resolve().parent.parent / "examples" / "photos"
    config = preset("draft")
    config = replace(
        config,
        depth=replace(config.depth, resolution_px=320, planes=48, source_views=2),
        pose=replace(config.pose, features=2000),
        texture=replace(config.texture, size_px=1024),
    )
    written = []
    for workers, name in ((1, "a"), (2, "elsewhere")):
        folder = tmp_path / name / "photos"
        folder.mkdir(parents=True)
        names = [path.name for path in sorted(source.glob("*.jpg"))[4:10]]
        # Made in another order, they also lie in another order on most disks.
        names = names if workers == 1 else names[::-1]
        for photo in names:
            with Image.open(source / photo) as picture:
                small = picture.resize((480, 320), Image.Resampling.LANCZOS)
            small.save(folder / photo, quality=95)
        files = (tmp_path / name / "scene.ply", tmp_path / name / "scene.glb")
        reconstruct(
            Inputs(photos=[folder / photo for photo in names], intrinsics=source / "K.json"),
            tmp_path / name / "work",
            config,
            outputs=Outputs(meshes=files, cloud=tmp_path / name / "cloud.ply"),
            runtime=Runtime(device="cpu", workers=workers),
        )
        every = (*files, tmp_path / name / "cloud.ply")
        written.append({path.name: path.read_bytes() for path in every})
    for name, content in written[0].items():
        assert content == written[1][name], name


@pytest.mark.slow
def test_cameras_are_the_same_where_there_are_enough_residuals_for_several_threads(
    tmp_path: Path,
) -> None:
    # Ceres takes more threads than one from 50,000 residuals on; these photos give 114,000.
    source = Path(__file__).resolve().parent.parent / "examples" / "photos"
    written = []
    for name in ("a", "b"):
        made = reconstruct(
            Inputs(photos=source, intrinsics=source / "K.json"), tmp_path / name, until=Until.POSE
        )
        assert made.posed
        assert len(made.posed.value.scene.points.observations) > 25_000
        files = ("points.npz", "scene.json", "evidence/pairs.npz")
        written.append([(made.posed.folder / file).read_bytes() for file in files])
    assert written[0] == written[1]


@pytest.mark.slow
def test_the_first_run_after_an_installation_writes_what_all_others_do(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parent.parent
    photos = [str(path) for path in sorted((root / "examples" / "photos").glob("*.jpg"))[:6]]
    # Nothing is compiled yet.
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "compiled")}
    written = []
    for name in ("first.ply", "second.ply"):
        command = [sys.executable, "-m", "recon3d", "mesh", *photos, "-o", str(tmp_path / name)]
        command += ["--depth.resolution-px", "320", "--faces", "20000", "--quiet"]
        subprocess.run(command, check=True, env=environment, cwd=tmp_path)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
