"""Calibration of real cameras, against results of others."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from recon3d_calib.board import Board
from recon3d_calib.calibrate import Calibration, calibrate
from recon3d_calib.detection import Look, detect_boards
from recon3d_calib.quality import advice, grade
from recon3d_calib.report import write_report
from recon3d_calib.rig import calibrate_rig
from recon3d_calib.search import find_board

from recon3d.core.lens import LensName
from recon3d.photos.intrinsics import read_camera_file
from recon3d.photos.moments import group_moments
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm.undistortion import undistort_pixels, undistorted_camera

pytestmark = pytest.mark.slow


def task() -> Task:
    return Task("calibrate", silent, CancelToken())


def seen(folder: Path, pattern: str = "*.jpg") -> list[Look]:
    paths = {path.name: path for path in sorted(folder.glob(pattern))}
    return detect_boards(paths, find_board(paths, None, task()), task(), 2)


def solved(folder: Path, pattern: str = "*.jpg", lens: LensName | None = None) -> Calibration:
    paths = {path.name: path for path in sorted(folder.glob(pattern))}
    board = find_board(paths, None, task())
    return calibrate(detect_boards(paths, board, task(), 2), board, task(), lens=lens)


def test_the_sony_agrees_with_the_stored_result_and_with_opencv(real_photos: Path) -> None:
    folder = real_photos / "calibration" / "mono_Sony_DSC-HX5V_Chess"
    found = solved(folder)
    stored = read_camera_file(folder / "intrinsic.yaml", (640, 480)).shared[0].pinhole
    assert len(found.used) == 13
    assert found.intrinsics.pinhole.fx_px == pytest.approx(stored.fx_px, rel=0.015)
    assert found.intrinsics.pinhole.fy_px == pytest.approx(stored.fy_px, rel=0.015)
    same_model = solved(folder, lens="brown")
    detections = [look.detection for look in seen(folder) if look.detection]
    boards = [np.pad(d.points_board, ((0, 0), (0, 1))).astype(np.float32) for d in detections]
    corners = [(d.points_px - 0.5).astype(np.float32) for d in detections]
    rms, matrix, lens, *_ = cv2.calibrateCamera(boards, corners, (640, 480), None, None)
    assert same_model.rms_px == pytest.approx(rms, rel=0.01)
    camera = same_model.intrinsics.pinhole
    assert camera.fx_px == pytest.approx(matrix[0, 0], rel=0.002)
    assert camera.fy_px == pytest.approx(matrix[1, 1], rel=0.002)
    # Half a pixel lies between the two conventions.
    assert camera.cx_px - 0.5 == pytest.approx(matrix[0, 2], abs=0.2)
    assert same_model.intrinsics.distortion.coefficients == pytest.approx(lens.ravel(), abs=0.02)


def test_the_left_camera_of_the_bumblebee_agrees_with_the_stored_result(
    real_photos: Path,
) -> None:
    folder = real_photos / "calibration" / "stereo_Bumblebee2_Chess"
    found = solved(folder, "left*.jpg")
    stored = read_camera_file(folder / "intrinsicLeft.yaml", (640, 480)).shared[0].pinhole
    assert found.intrinsics.pinhole.fx_px == pytest.approx(stored.fx_px, rel=0.005)


def test_a_fisheye_is_recognised_and_its_lines_become_straight(real_photos: Path) -> None:
    folder = real_photos / "calibration" / "fisheye_chessboard"
    found = solved(folder)
    assert found.lens == "fisheye"
    assert found.rms_px < 0.3
    assert len(found.used) >= 24
    camera = undistorted_camera(found.intrinsics)
    bends_px = []
    for look in seen(folder):
        if look.detection is None or look.detection.numbers is None:
            continue
        away = look.detection.points_px - [found.values["cx"], found.values["cy"]]
        # A pinhole picture of what lies beyond 70 degrees grows without bounds.
        if np.linalg.norm(away, axis=1).max() > np.radians(70) * found.values["fx"]:
            continue
        flat = undistort_pixels(look.detection.points_px, found.intrinsics, camera)
        for row in range(4):
            line = flat[look.detection.points_board[:, 1] == row]
            spread = np.linalg.svd(line - line.mean(axis=0), compute_uv=False)[1]
            magnified = np.linalg.norm(np.ptp(line, axis=0)) / np.linalg.norm(
                np.ptp(look.detection.points_px[look.detection.points_board[:, 1] == row], axis=0)
            )
            bends_px.append(spread / np.sqrt(len(line)) / magnified)
    # In pixels of the photo; before, lines bend by many.
    assert len(bends_px) >= 20
    assert np.median(bends_px) < 0.25


def test_of_the_wide_photos_16_are_used_and_the_odd_sizes_are_reported(
    real_photos: Path, tmp_path: Path
) -> None:
    folder = real_photos / "calibration" / "wide_9x6"
    found = solved(folder)
    assert len(found.used) >= 16
    odd = {p.photo_id: p.reason for p in found.photos if "1281x721" in p.reason}
    assert set(odd) == {"calibration7.jpg", "calibration15.jpg"}
    assert found.intrinsics.pinhole.fx_px == pytest.approx(1159.7, rel=0.015)
    assert grade(found) == "fair"
    assert advice(found)
    paths = {path.name: path for path in folder.glob("*.jpg")}
    write_report(tmp_path / "report.html", found, paths)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<img src=") == 20
    assert "1281x721" in page


def test_the_baseline_of_the_bumblebee_agrees_with_the_stored_one(real_photos: Path) -> None:
    folder = real_photos / "calibration" / "stereo_Bumblebee2_Chess"
    board = Board(columns=6, rows=4, square_mm=30)
    photos = {
        side: {path.name: path for path in sorted(folder.glob(f"{side}*.jpg"))}
        for side in ("left", "right")
    }
    moments = group_moments({side: [*paths] for side, paths in photos.items()})
    assert [moment.photos["right"] for moment in moments.together] == [*photos["right"]]
    cameras = {
        side: calibrate(detect_boards(paths, board, task(), 2), board, task())
        for side, paths in photos.items()
    }
    rig = calibrate_rig(cameras, moments, task())
    assert len(rig.used) == 11
    assert rig.metric
    right = rig.cameras[1]
    # 120.047 mm is the length of the stored translation.
    assert right.baseline == pytest.approx(0.12005, rel=0.005)
    assert abs(right.baseline - 0.12005) < 4 * right.baseline_std
    assert rig.rms_px < 0.15
