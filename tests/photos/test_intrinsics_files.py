"""Camera files: written, read again, the same camera."""

from __future__ import annotations

from pathlib import Path

import pytest

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import OutputError
from recon3d.photos.intrinsics import read_camera_file
from recon3d.photos.intrinsics_files import CameraFormat, write_camera_file

CAMERA = PinholeCamera(1280, 720, 1001.5, 1003.25, 641.75, 350.125)
LENSES = {
    "none": Distortion(),
    "radial": Distortion("radial", (-0.2, 0.05)),
    "brown4": Distortion("brown", (-0.2, 0.05, 0.001, -0.002)),
    "brown5": Distortion("brown", (-0.2, 0.05, 0.001, -0.002, 0.01)),
    "rational": Distortion("brown", (0.4, 0.1, 0.001, -0.002, 0.01, 0.6, 0.1, 0.02)),
    "thin-prism": Distortion(
        "brown", (0.4, 0.1, 0.001, -0.002, 0.01, 0.6, 0.1, 0.02, 0.003, -0.001, 0.002, 0.0005)
    ),
    "division": Distortion("division", (-0.15,)),
    "fisheye": Distortion("fisheye", (-0.02, 0.01, -0.004, 0.001)),
}
NAMES: dict[CameraFormat, str] = {
    "recon3d": "K.json",
    "opencv": "camera.yaml",
    "ros": "camera_info.yaml",
    "kalibr": "camchain.yaml",
    "colmap": "cameras.txt",
    "nerfstudio": "transforms.json",
}


def padded(lens: Distortion) -> list[float]:
    return [*lens.coefficients, *[0.0] * (12 - len(lens.coefficients))]


@pytest.mark.parametrize("lens", LENSES)
@pytest.mark.parametrize("form", NAMES)
def test_what_is_written_is_read_again(form: CameraFormat, lens: str, tmp_path: Path) -> None:
    given = Intrinsics(CAMERA, LENSES[lens])
    target = tmp_path / NAMES[form]
    unknown = {("kalibr", "brown5"), ("kalibr", "rational"), ("nerfstudio", "rational")}
    unknown |= {(name, "thin-prism") for name in ("kalibr", "nerfstudio", "ros", "colmap")}
    unknown |= {(name, "division") for name in ("kalibr", "nerfstudio", "ros", "opencv")}
    if (form, lens) in unknown:
        with pytest.raises(OutputError, match="knows no lens"):
            write_camera_file(target, given, form)
        return
    write_camera_file(target, given, form)
    (read,) = read_camera_file(target, (1, 1)).shared
    assert read.pinhole == CAMERA
    assert padded(read.distortion) == pytest.approx(padded(given.distortion))
    for own in ("fisheye", "division"):
        assert (read.distortion.model == own) == (lens == own)


def test_the_name_says_the_format(tmp_path: Path) -> None:
    write_camera_file(tmp_path / "a.yml", Intrinsics(CAMERA), None)
    assert (tmp_path / "a.yml").read_text().startswith("%YAML:1.0")


def test_a_name_without_a_format_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"camera\.xyz"):
        write_camera_file(tmp_path / "camera.xyz", Intrinsics(CAMERA), None)
