"""Thin-prism and division lenses: the same in calibration, undistortion and other libraries."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import IntrinsicsError
from recon3d.core.lens import LENSES, LensName, project
from recon3d.core.scene import Exif, Photo
from recon3d.photos.colmap_cameras import colmap_from_intrinsics, intrinsics_from_colmap
from recon3d.photos.fitted_cameras import fit_to_photo
from recon3d.sfm.undistortion import (
    Undistorter,
    distort_pixels,
    undistort_pixels,
    undistorted_camera,
)

CAMERA = PinholeCamera(480, 360, 430.0, 432.0, 236.0, 182.0)
PRISM = Distortion(
    "brown", (-0.2, 0.05, 1e-3, -5e-4, 0.01, 0.02, 0.01, 0.0, 0.02, -0.004, -0.015, 0.003)
)
DIVISION = Distortion("division", (-0.2,))
NAMES: dict[LensName, Distortion] = {"thin-prism": PRISM, "division": DIVISION}


def rays(count: int) -> np.ndarray:
    return np.random.default_rng(1).uniform([-0.5, -0.4], [0.5, 0.4], (count, 2))


@pytest.mark.parametrize("name", NAMES)
def test_calibration_and_undistortion_mean_the_same_lens(name: LensName) -> None:
    lens = Intrinsics(CAMERA, NAMES[name])
    flat = rays(50)
    values = np.array([430.0, 432.0, 236.0, 182.0, *lens.distortion.coefficients])
    shown = project(LENSES[name], values, np.pad(flat, ((0, 0), (0, 1)), constant_values=1.0))
    plain = flat * [CAMERA.fx_px, CAMERA.fy_px] + [CAMERA.cx_px, CAMERA.cy_px]
    np.testing.assert_allclose(distort_pixels(plain, lens, CAMERA), shown, atol=1e-9)
    np.testing.assert_allclose(undistort_pixels(shown, lens, CAMERA), plain, atol=1e-6)


def test_a_division_lens_is_the_one_that_colmap_means() -> None:
    from recon3d.sfm.pycolmap_library import pycolmap

    model, params = colmap_from_intrinsics(Intrinsics(CAMERA, DIVISION))
    assert model == "DIVISION"
    assert intrinsics_from_colmap(model, 480, 360, params) == Intrinsics(CAMERA, DIVISION)
    flat = rays(50)
    camera = pycolmap.Camera(model=model, width=480, height=360, params=params)
    theirs = camera.img_from_cam(np.pad(flat, ((0, 0), (0, 1)), constant_values=1.0))
    plain = flat * [CAMERA.fx_px, CAMERA.fy_px] + [CAMERA.cx_px, CAMERA.cy_px]
    ours = distort_pixels(plain, Intrinsics(CAMERA, DIVISION), CAMERA)
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_blank_remains_after_undistortion(name: LensName) -> None:
    lens = Intrinsics(CAMERA, NAMES[name])
    camera = undistorted_camera(lens)
    white = np.full((360, 480), 255, np.uint8)
    assert Undistorter(lens, camera).nearest(white).min() == 255
    # Nor is much lost.
    assert camera.width_px * camera.height_px > 0.8 * 480 * 360


@pytest.mark.parametrize("name", NAMES)
def test_pictures_go_where_points_go(name: LensName) -> None:
    lens = Intrinsics(CAMERA, NAMES[name])
    camera = undistorted_camera(lens)
    # A ramp shows in each pixel where that pixel came from.
    ramp = np.tile((np.arange(480) + 0.5).astype(np.float32), (360, 1))
    flat = Undistorter(lens, camera).smooth(ramp)
    rows, columns = np.mgrid[10 : camera.height_px - 10 : 40, 10 : camera.width_px - 10 : 40]
    uv_px = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
    came_from = distort_pixels(uv_px, lens, camera)[:, 0]
    # OpenCV counts in 32nds of a pixel, and its cubics bend ramps by a little more; mixing up
    # the conventions of pixel centres would cost half a pixel.
    np.testing.assert_allclose(flat[rows.ravel(), columns.ravel()], came_from, atol=0.07)


def test_structure_from_motion_refuses_thin_prism_lenses_and_says_what_to_do() -> None:
    with pytest.raises(IntrinsicsError, match="thin-prism") as error:
        colmap_from_intrinsics(Intrinsics(CAMERA, PRISM))
    assert "recon3d undistort" in error.value.hint
    harmless = Distortion("brown", (*PRISM.coefficients[:8], 0.0, 0.0, 0.0, 0.0))
    assert colmap_from_intrinsics(Intrinsics(CAMERA, harmless))[0] == "FULL_OPENCV"


def test_a_thin_prism_turns_with_the_photo() -> None:
    photo = Photo("a.jpg", "", 360, 480, Exif(orientation=6), "", "")
    turned = fit_to_photo(Intrinsics(CAMERA, PRISM), photo, Path("K.json"))
    flat = rays(20)
    before = _by_opencv(flat, Intrinsics(CAMERA, PRISM))
    after = _by_opencv(np.stack([-flat[:, 1], flat[:, 0]], axis=1), turned)
    expected = np.stack([360 - before[:, 1], before[:, 0]], axis=1)
    np.testing.assert_allclose(after, expected, atol=1e-9)


def _by_opencv(flat: np.ndarray, lens: Intrinsics) -> np.ndarray:
    points = np.pad(flat, ((0, 0), (0, 1)), constant_values=1.0)
    k = np.array(lens.distortion.coefficients)
    return cv2.projectPoints(points, np.zeros(3), np.zeros(3), lens.pinhole.matrix, k)[0][:, 0]
