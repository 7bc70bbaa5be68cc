"""A camera is calibrated in the window, and the project uses it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from boards import render_boards
from driving import Program
from PIL import Image

from recon3d.photos.intrinsics import read_camera_file

pytestmark = pytest.mark.gui

ROOT = Path(__file__).parents[2]
SONY = "calibration/mono_Sony_DSC-HX5V_Chess"


@pytest.fixture
def boards(tmp_path: Path) -> tuple[list[Path], float]:
    """Photos of a board, one without, and the focal length: real ones where there are some."""
    blank = tmp_path / "zz leer.png"
    Image.new("L", (640, 480), 128).save(blank)
    data = Path(os.environ.get("RECON3D_DATA", ROOT.parent / "shared" / "data"))
    if real := sorted((data / SONY).glob("*.jpg")):
        return [*real, blank], 701.0
    folder = tmp_path / "Tafeln schräg"
    folder.mkdir()
    render_boards(folder)
    return [*sorted(folder.iterdir()), blank], 900.0


def test_dropped_boards_become_the_camera_of_the_project(
    open_program: Callable[..., Program], boards: tuple[list[Path], float], tmp_path: Path
) -> None:
    paths, focal_px = boards
    program = open_program()
    program.click("left.camera")
    program.click("camera.calibrate")
    program.wait(lambda known: known["page"] == "calibration")
    program.drop(paths, 500, 400)
    program.wait_for("calibration.use", 90)
    headline = program.widget("calibration.headline")
    assert headline
    assert "focal length is right within" in headline["value"]
    if target := os.environ.get("RECON3D_SCREENS"):
        program.screen.picture(Path(target) / "calibration.png")
    program.click("calibration.use")
    program.wait(lambda known: any("The project uses" in toast for toast in known["toasts"]))
    (file,) = tmp_path.rglob("*.K.json")
    (camera,) = read_camera_file(file, (1, 1)).shared
    assert camera.pinhole.fx_px == pytest.approx(focal_px, rel=0.015)
    program.click("calibration.close")
    program.wait(lambda known: known["page"] == "model")
    assert program.leave() == 0
