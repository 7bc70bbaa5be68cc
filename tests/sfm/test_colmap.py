"""COLMAP's files and its library."""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import InputError, IntrinsicsError, PosesError
from recon3d.core.scene import PosedScene, SparsePoints, View
from recon3d.core.transform import Rigid
from recon3d.photos.colmap_cameras import (
    colmap_from_intrinsics,
    intrinsics_from_colmap,
    read_colmap_intrinsics,
)
from recon3d.sfm.colmap_model import read_colmap_cameras, write_colmap_model

PINHOLE = PinholeCamera(640, 480, 500.0, 510.0, 321.5, 238.25)
Z = np.array([0.0, 0.0, 1.0])
SQUARE = PinholeCamera(640, 480, 500.0, 500.0, 321.5, 238.25)


def make_scene(count: int = 4) -> PosedScene:
    generator = np.random.default_rng(3)
    rotations = Rotation.random(count, rng=generator).as_matrix()
    names = ["plain.jpg", "with space/ä 1.jpg", "中文.jpg", "deep/er/x.JPG"][:count]
    # The points lie around the origin, ten units in front of each camera.
    views = tuple(
        View(name, PINHOLE, Rigid(rotation, generator.normal(size=3) + 10 * Z))
        for name, rotation in zip(names, rotations, strict=True)
    )
    xyz = generator.normal(size=(20, 3))
    observations = np.array([(point, view) for point in range(20) for view in range(count - 1)])
    rgb = generator.integers(0, 255, (20, 3)).astype(np.uint8)
    return PosedScene(views, SparsePoints(xyz, rgb, np.full(20, 0.5), observations), "scene")


def test_a_written_model_reads_back_to_the_last_digit(tmp_path: Path) -> None:
    scene = make_scene()
    write_colmap_model(tmp_path, scene)
    posed = read_colmap_cameras(tmp_path)
    assert list(posed) == [view.photo_id for view in scene.views]
    for view in scene.views:
        intrinsics, cam_from_world = posed[view.photo_id]
        assert intrinsics == Intrinsics(PINHOLE)
        # float64 through a unit quaternion and back
        np.testing.assert_allclose(
            cam_from_world.rotation, view.cam_from_world.rotation, atol=1e-14
        )
        np.testing.assert_array_equal(cam_from_world.translation, view.cam_from_world.translation)


def test_points_behind_a_camera_are_no_sightings_of_it(tmp_path: Path) -> None:
    scene = make_scene()
    behind = replace(scene.views[0], cam_from_world=Rigid(np.eye(3), -10 * Z))
    write_colmap_model(tmp_path, replace(scene, views=(behind, *scene.views[1:])))
    from recon3d.sfm.pycolmap_library import pycolmap

    assert pycolmap.Reconstruction(tmp_path).compute_num_observations() == 40


def test_pycolmap_reads_the_model_we_write_and_we_read_its_own(tmp_path: Path) -> None:
    from recon3d.sfm.pycolmap_library import pycolmap

    scene = make_scene()
    write_colmap_model(tmp_path, scene)
    model = pycolmap.Reconstruction(tmp_path)
    assert {image.name for image in model.images.values()} == {v.photo_id for v in scene.views}
    assert model.num_points3D() == 20
    assert model.compute_num_observations() == len(scene.points.observations)
    text = tmp_path / "text"
    text.mkdir()
    model.write_text(text)
    posed = read_colmap_cameras(text)
    for view in scene.views:
        np.testing.assert_allclose(
            posed[view.photo_id][1].matrix(), view.cam_from_world.matrix(), atol=1e-12
        )
    assert read_colmap_intrinsics(text / "cameras.txt") == [Intrinsics(PINHOLE)]


@pytest.mark.parametrize(
    ("intrinsics", "model"),
    [
        (Intrinsics(PINHOLE), "PINHOLE"),
        (Intrinsics(SQUARE, Distortion("radial", (-0.1,))), "SIMPLE_RADIAL"),
        (Intrinsics(SQUARE, Distortion("radial", (-0.1, 0.02))), "RADIAL"),
        (Intrinsics(PINHOLE, Distortion("brown", (-0.1, 0.02, 1e-3, -2e-3))), "OPENCV"),
        (Intrinsics(PINHOLE, Distortion("brown", tuple(np.arange(8) / 100))), "FULL_OPENCV"),
        (Intrinsics(PINHOLE, Distortion("fisheye", (0.1, 0.2, 0.3, 0.4))), "OPENCV_FISHEYE"),
    ],
)
def test_every_lens_we_know_survives_colmaps_names(intrinsics: Intrinsics, model: str) -> None:
    name, params = colmap_from_intrinsics(intrinsics)
    assert name == model
    assert intrinsics_from_colmap(name, 640, 480, params) == intrinsics


def test_lenses_that_colmap_cannot_name_exactly_are_widened() -> None:
    five = Intrinsics(PINHOLE, Distortion("brown", (-0.1, 0.02, 1e-3, -2e-3, 0.5)))
    assert colmap_from_intrinsics(five) == (
        "FULL_OPENCV",
        [500.0, 510.0, 321.5, 238.25, -0.1, 0.02, 1e-3, -2e-3, 0.5, 0.0, 0.0, 0.0],
    )
    oblong = Intrinsics(PINHOLE, Distortion("radial", (-0.1,)))
    assert colmap_from_intrinsics(oblong)[0] == "OPENCV"


@pytest.mark.parametrize(
    "line",
    [
        "1 THIN_PRISM_FISHEYE 640 480 1 2 3 4 5 6 7 8 9 10 11 12",
        "1 PINHOLE 640 480 500 500 320",
        "1 PINHOLE 640 480 nan 500 320 240",
        "1 PINHOLE 640 0 500 500 320 240",
        "1 PINHOLE six 480 500 500 320 240",
        "1 PINHOLE",
        "# nothing",
        "\x00\x01\x02",
    ],
)
def test_a_bad_cameras_file_is_an_error_that_names_it(tmp_path: Path, line: str) -> None:
    path = tmp_path / "cameras.txt"
    path.write_text(line + "\n")
    with pytest.raises(IntrinsicsError):
        read_colmap_intrinsics(path)


@pytest.mark.parametrize(
    "line",
    [
        "1 0 0 0 0 1 2 3 1 a.jpg",
        "1 nan 0 0 1 1 2 3 1 a.jpg",
        "1 1 0 0 0 inf 2 3 1 a.jpg",
        "1 1 0 0 0 1 2 3 7 a.jpg",
        "1 1 0 0 0 1 2",
        "# nothing",
    ],
)
def test_a_bad_images_file_is_an_error_that_names_it(tmp_path: Path, line: str) -> None:
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 640 480 500 500 320 240\n")
    (tmp_path / "images.txt").write_text(line + "\n\n")
    with pytest.raises(PosesError):
        read_colmap_cameras(tmp_path)


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PosesError, match="not a COLMAP model"):
        read_colmap_cameras(tmp_path)
    with pytest.raises(IntrinsicsError):
        read_colmap_intrinsics(tmp_path / "cameras.txt")


_CAMERAS = struct.pack("<QiiQQ4d", 1, 1, 1, 640, 480, 500, 510, 320, 240)
_IMAGES = struct.pack("<QI7dI", 1, 1, 1, 0, 0, 0, 1, 2, 3, 1) + b"a.jpg\0" + struct.pack("<Q", 0)


@settings(max_examples=80, deadline=1000)
@given(which=st.booleans(), at=st.integers(0, 200), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_binary_model_never_crashes_or_hangs(
    tmp_path_factory: pytest.TempPathFactory, which: bool, at: int, byte: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("model")
    for name, content in (("cameras.bin", _CAMERAS), ("images.bin", _IMAGES)):
        damaged = bytearray(content)
        if which == (name == "cameras.bin") and at < len(damaged):
            if cut:
                del damaged[at:]
            else:
                damaged[at] = byte
        (folder / name).write_bytes(damaged)
    try:
        posed = read_colmap_cameras(folder)
    except InputError:
        return
    assert all(np.isfinite(pose.matrix()).all() for _, pose in posed.values())


def test_a_public_model_reads_with_its_distortion(real_photos: Path) -> None:
    posed = read_colmap_cameras(real_photos / "lund_door" / "colmap_model")
    assert len(posed) == 12
    intrinsics, _ = posed["DSC_0001.JPG"]
    assert intrinsics.pinhole.fx_px == pytest.approx(2435.38)
    assert intrinsics.distortion == Distortion("radial", (-0.0336422,))


_GUARDED_IMPORT = """
import os, signal, sys, io
def keep(*_):
    os._exit(43)
signal.signal(signal.SIGTERM, keep)
from recon3d.sfm.pycolmap_library import pycolmap
import numpy as np
from PIL import Image
for _ in range(20):
    Image.fromarray(np.zeros((200, 200, 3), np.uint8)).save(io.BytesIO(), "PNG")
os.kill(os.getpid(), signal.SIGTERM)
import time; time.sleep(5)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_after_the_guarded_import_png_writing_works_and_sigterm_is_ours() -> None:
    # In a process of its own: the wrong order kills it, and so does pycolmap's SIGTERM handler.
    done = subprocess.run([sys.executable, "-c", _GUARDED_IMPORT], capture_output=True, timeout=60)
    assert done.returncode == 43, done.stderr.decode()[-500:]


def test_pycolmap_is_imported_in_one_module_only() -> None:
    source = Path(__file__).resolve().parents[2] / "recon3d"
    importers = [
        path.name
        for path in source.rglob("*.py")
        if any(
            line.strip().startswith(("import pycolmap", "from pycolmap"))
            for line in path.read_text(encoding="utf-8").splitlines()
        )
    ]
    assert importers == ["pycolmap_library.py"]
