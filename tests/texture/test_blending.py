"""The compiled loops over texels, against the plain formulas in whole arrays."""

from __future__ import annotations

import numpy as np
import pytest

from recon3d.core.camera import PinholeCamera, project
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid
from recon3d.texture.baking import SourcePhoto, Texels
from recon3d.texture.blending import add_shown, show_alone
from recon3d.texture.paint import _blurred

COUNT = 500
RANDOM = np.random.default_rng(7)
VERTICES = RANDOM.uniform(-1, 1, (40, 3)).astype(np.float32)
FACES = RANDOM.integers(0, 40, (30, 3)).astype(np.int32)
FACE = RANDOM.integers(0, 30, COUNT)
WEIGHTS = RANDOM.dirichlet([1, 1, 1], COUNT).astype(np.float32)
WHICH = np.sort(RANDOM.choice(COUNT, 200, replace=False))
NODE = RANDOM.integers(-1, 20, (30, 3)).astype(np.int32)
OFFSET = RANDOM.normal(0, 5, (20, 3)).astype(np.float32)
SHARE = RANDOM.uniform(0, 1, 20).astype(np.float32)
GAIN = np.array([0.9, 1.0, 1.2], np.float32)
FINE = RANDOM.integers(0, 256, (200, 3)).astype(np.uint8)
SMOOTH = RANDOM.uniform(0, 255, (200, 3)).astype(np.float32)
# float32 has seven digits; colours go to 300.
CLOSE = 1e-3


def mixed(corners: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("ncd,nc->nd", corners, WEIGHTS[WHICH]))


def shifts() -> np.ndarray:
    node = NODE[FACE[WHICH]]
    return mixed(OFFSET[node] * (node >= 0)[..., None])


def test_texels_lie_where_the_camera_projects_their_points() -> None:
    camera = PinholeCamera(640, 480, 500.0, 510.0, 321.0, 239.0)
    # A camera in the middle of the points: a part of them lies behind it.
    pose = Rigid(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([0.1, -0.2, 0.05]))
    blank = np.zeros((480, 640, 3), np.uint8)
    shown = SourcePhoto(camera, pose, blank, blank[::4, ::4].astype(np.float32), GAIN)
    found = shown.uv_px(Texels(FACE, WEIGHTS), WHICH, Mesh(VERTICES, FACES))
    points = mixed(VERTICES[FACES[FACE[WHICH]]]).astype(np.float64)
    expected, depth_z = project(pose @ points, camera)
    assert (depth_z <= 0).any()
    assert (np.isnan(found) == np.isnan(expected)).all()
    # Beside the camera's plane an error of float32 is many pixels.
    before = depth_z > 0.1
    assert np.abs(found - expected)[before].max() < 1e-2


def test_a_photo_alone_shows_its_own_colours_with_gain_and_offsets() -> None:
    out = np.full((COUNT, 3), -1, np.float32)
    show_alone(FINE, GAIN, OFFSET, NODE, FACE, WEIGHTS, WHICH, out)  # type: ignore[no-untyped-call]
    assert out[WHICH] == pytest.approx(FINE * GAIN + shifts(), abs=CLOSE)
    others = np.setdiff1d(np.arange(COUNT), WHICH)
    assert (out[others] == -1).all()


@pytest.mark.parametrize("least", [0.0, 0.3])
def test_several_photos_add_up_in_two_bands(least: float) -> None:
    coarse, detail = np.zeros((2, COUNT, 3), np.float32)
    sums = np.zeros((COUNT, 2), np.float32)
    sampled = (FINE, SMOOTH, GAIN, OFFSET, NODE, SHARE, np.float32(least), FACE, WEIGHTS, WHICH)
    for _ in range(2):
        add_shown(*sampled, coarse, detail, sums)  # type: ignore[no-untyped-call]
    node = NODE[FACE[WHICH]]
    share = mixed((SHARE[node] * (node >= 0))[..., None])
    share = np.maximum(share, least)
    assert sums[WHICH] == pytest.approx(2 * np.hstack([share, share**4]), abs=CLOSE)
    assert coarse[WHICH] == pytest.approx(2 * share * (SMOOTH * GAIN + shifts()), abs=CLOSE)
    assert detail[WHICH] == pytest.approx(2 * share**4 * (FINE * GAIN - SMOOTH * GAIN), abs=CLOSE)


@pytest.mark.parametrize("sigma_px", [0.7, 2.0, 5.0])
def test_a_blur_at_a_smaller_size_is_the_same_blur(sigma_px: float) -> None:
    x = np.tile(np.arange(320) + 0.5, (240, 1))
    waves = [128 + 100 * np.sin(2 * np.pi * (x + shift) / 40) for shift in (0, 10, 20)]
    rgb = np.stack(waves, axis=2).astype(np.uint8)
    found = _blurred(rgb, sigma_px)
    # What a Gaussian leaves of a wave; over whole waves its deviation is that by the root of two.
    left = 100 * np.exp(-((2 * np.pi * sigma_px / 40) ** 2) / 2)
    inner = found[found.shape[0] // 2, found.shape[1] // 4 : -found.shape[1] // 4]
    assert np.std(inner, axis=0) * np.sqrt(2) == pytest.approx(left, rel=0.04)
    assert (found.shape[1] < 320) == (sigma_px > 1)
