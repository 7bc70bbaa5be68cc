"""Ground control points: the model takes their frame, and what is wrong with them is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from survey_scene import (
    ENH_FROM_SCENE,
    ENH_FROM_WORLD,
    UTM,
    WORLD_FROM_SCENE,
    mark,
    placed_cameras,
    scattered,
    write_survey,
)

from recon3d.cli.run import control_lines
from recon3d.core.scene import Exif, ImageSet, PosedPhotos
from recon3d.core.surface import Mesh
from recon3d.georef.control.bars import SceneBars
from recon3d.georef.control.fit import fit_survey, locate, suspects
from recon3d.georef.control.points import ControlError, GroundControl
from recon3d.georef.control.stage import (
    FittedControl,
    NoControl,
    fit_control,
    read_control,
)
from recon3d.georef.control.survey import ControlConfig
from recon3d.georef.frame import FrameConfig, find_frame, read_frame, warnings
from recon3d.placing_markers import given_markers
from recon3d.report import Run, write_report
from recon3d.results import Inputs
from recon3d.run.task import CancelToken, Task, silent

RNG = np.random.default_rng
TASK = Task("control", silent, CancelToken())


@pytest.fixture(scope="module")
def cameras() -> tuple[PosedPhotos, ImageSet]:
    return placed_cameras()


def given_control(
    image_set: ImageSet, points: Path, marks: Path, config: ControlConfig
) -> GroundControl | None:
    inputs = Inputs(photos=points.parent, gcp=points, gcp_marks=marks)
    return given_markers(image_set, inputs, config).control


def fitted(
    folder: Path,
    cameras: tuple[PosedPhotos, ImageSet],
    files: tuple[Path, Path],
    config: ControlConfig | None = None,
) -> FittedControl:
    posed, image_set = cameras
    config = config or ControlConfig()
    control = given_control(image_set, *files, config)
    assert control
    fit_control(posed, image_set, control, config, folder, TASK)
    return read_control(folder)


def row(control: FittedControl, name: str) -> dict:
    (found,) = (one for one in control.report["points"] if one["name"] == name)
    return found


def test_exact_points_give_the_exact_frame(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]
) -> None:
    files = write_survey(tmp_path, cameras[0], scattered(5, RNG(0)))
    control = fitted(tmp_path, cameras, files)
    assert control.enh_from_world.scale == pytest.approx(ENH_FROM_WORLD.scale, rel=1e-6)
    np.testing.assert_allclose(control.enh_from_world.rotation, ENH_FROM_WORLD.rotation, atol=1e-6)
    # Written to a hundredth of a millimetre and a ten-thousandth of a pixel.
    assert control.report["rmse_m"]["control"]["total"] < 1e-4
    assert control.warnings == ()


def test_noise_of_a_centimetre_gives_the_rmse_that_it_predicts(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]
) -> None:
    posed, image_set = cameras
    control = given_control(
        image_set, *write_survey(tmp_path, posed, scattered(6, RNG(0))), ControlConfig()
    )
    assert control
    seen = [locate(point, posed.scene, image_set, 0.02) for point in control.points]
    squares, scales, alarms = [], [], 0
    for seed in range(60):
        noise = RNG(seed).normal(0, 0.01, (6, 3))
        noisy = [
            replace(one, point=replace(one.point, enh_m=tuple(one.point.enh_m + error)))
            for one, error in zip(seen, noise, strict=True)
        ]
        fit = fit_survey(noisy, [0.01] * 6)
        squares.append((fit.residuals_m**2).sum(axis=1).mean())
        off = np.log(fit.enh_from_world.scale / ENH_FROM_WORLD.scale)
        scales.append(off / np.sqrt(fit.covariance[0, 0]))
        alarms += len(suspects(noisy, [0.01] * 6))
    # 7 of the 18 numbers go into the similarity.
    predicted = 0.01 * np.sqrt(3 * (18 - 7) / 18)
    assert np.sqrt(np.mean(squares)) == pytest.approx(predicted, rel=0.1)
    assert np.std(scales) == pytest.approx(1, abs=0.3)
    assert alarms <= 1


def test_surer_points_weigh_more(tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]) -> None:
    rng = RNG(3)
    points = scattered(8, rng)
    noise = rng.normal(0, 1, (8, 3)) * np.repeat([0.001, 0.3], 4)[:, None]
    places, marks = write_survey(tmp_path, cameras[0], points, enh_noise_m=noise)
    lines = places.read_text().splitlines()
    accuracy = ["accuracy", *["0.001"] * 4, *["0.3"] * 4]
    places.write_text("\n".join(f"{a},{b}" for a, b in zip(lines, accuracy, strict=True)))
    control = fitted(tmp_path, cameras, (places, marks), ControlConfig(mark_px=0.02))
    off = control.enh_from_world @ (WORLD_FROM_SCENE @ np.zeros(3)) - UTM
    assert np.linalg.norm(off) < 0.01
    assert control.warnings == ()


def test_a_point_that_is_marked_wrong_everywhere_is_named_and_what_it_costs(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]
) -> None:
    rng = RNG(1)
    points = scattered(6, rng)
    files = write_survey(tmp_path, cameras[0], points, enh_noise_m=rng.normal(0, 0.01, (6, 3)))
    # Another corner of the same thing, in every photo.
    wrong = points.copy()
    wrong[3] += [0.08, 0, 0]
    marks = files[1]
    lines = [
        f"P4,{view.photo_id},{u:.3f},{v:.3f}"
        for view in cameras[0].scene.views
        for u, v in [mark(view, wrong[3])]
    ]
    kept = [line for line in marks.read_text().splitlines() if not line.startswith("P4")]
    marks.write_text("\n".join([*kept, *lines]))
    control = fitted(tmp_path, cameras, files)
    suspects = [one["name"] for one in control.report["points"] if one["suspect"]]
    assert suspects == ["P4"]
    first, second = control.warnings
    assert first.startswith("P4 is")
    assert "marked in the wrong place" in first
    assert "without P4 the others fit to" in second
    assert '--check "P4"' in second
    held_back = fitted(tmp_path, cameras, files, ControlConfig(check="P4"))
    assert held_back.report["rmse_m"]["control"]["total"] < 0.02
    assert row(held_back, "P4")["error_m"] == pytest.approx(0.8, abs=0.05)


def test_check_points_are_measured_and_not_used(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]
) -> None:
    points = scattered(6, RNG(2))
    noise = np.zeros((6, 3))
    noise[5] = [0.0, 0.0, 0.05]
    names = ["A", "B", "C", "D", "E", "Check 1"]
    files = write_survey(tmp_path, cameras[0], points, names=names, enh_noise_m=noise)
    control = fitted(tmp_path, cameras, files, ControlConfig(check="E"))
    assert [one["role"] for one in control.report["points"]] == ["control"] * 4 + ["check"] * 2
    assert control.report["rmse_m"]["control"]["total"] < 1e-4
    np.testing.assert_allclose(row(control, "Check 1")["residual_m"], [0, 0, -0.05], atol=1e-3)
    rms = 0.05 / np.sqrt(2)
    expected = {"east": 0, "north": 0, "height": rms, "total": rms, "points": 2}
    assert control.report["rmse_m"]["check"] == pytest.approx(expected, abs=1e-3)
    with pytest.raises(ControlError, match='"F"'):
        fitted(tmp_path, cameras, files, ControlConfig(check="F"))


def test_one_wrong_mark_is_left_out_and_named(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]
) -> None:
    shift = {("P2", "03.jpg"): np.array([25.0, -18.0])}
    files = write_survey(tmp_path, cameras[0], scattered(4, RNG(4)), mark_noise_px=shift)
    control = fitted(tmp_path, cameras, files)
    assert control.report["rmse_m"]["control"]["total"] < 1e-3
    assert row(control, "P2")["wrong_marks_px"] == {"03.jpg": pytest.approx(31, abs=1)}
    (warning,) = control.warnings
    assert "P2 in 03.jpg" in warning


def without(path: Path, *starts: str) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith(starts)))


def test_too_few_points_are_told_with_their_marks(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]
) -> None:
    points, marks = write_survey(tmp_path, cameras[0], scattered(4, RNG(0)))
    without(marks, "P2", *(f"P3,0{n}" for n in range(1, 5)))
    with pytest.raises(ControlError) as caught:
        given_control(cameras[1], points, marks, ControlConfig())
    assert "2 of 4 are" in str(caught.value)
    assert "P2 (not marked), P3 (1 photo), P4 (5 photos)" in str(caught.value)


def test_points_on_a_line_are_refused(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]
) -> None:
    line = np.linspace([-0.5, -0.5, 0], [0.5, 0.5, 0.2], 4)
    files = write_survey(tmp_path, cameras[0], line)
    with pytest.raises(ControlError, match="P1, P2, P3, P4 lie on a line"):
        given_control(cameras[1], *files, ControlConfig())


def test_what_is_not_placed_is_told_as_that(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]
) -> None:
    posed, image_set = cameras
    files = write_survey(tmp_path, posed, scattered(4, RNG(0)))
    lone = replace(posed, scene=replace(posed.scene, views=posed.scene.views[:1]))
    with pytest.raises(ControlError, match="placed photos show"):
        fitted(tmp_path, (lone, image_set), files)


@pytest.mark.parametrize("height", [0.4, 0.0])
def test_swapped_columns_are_recognised(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet], height: float
) -> None:
    points = scattered(5, RNG(5), height)
    files = write_survey(tmp_path, cameras[0], points, header="name,N,E,H")
    with pytest.raises(ControlError, match="north swapped"):
        fitted(tmp_path, cameras, files)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace(".jpg", ".tif"), None),
        (lambda text: text.replace(",0", r",D:\images\0"), None),
        (lambda text: text.replace(".jpg", "_a.jpg"), "none of these"),
        (lambda text: text + "P1,00_b.jpg,1,1\n", None),
        (lambda text: text.replace("P1,00.jpg,", "P1,00.jpg,9"), "P1 is marked at 9"),
    ],
)
def test_marks_are_found_by_the_names_of_photos(
    tmp_path: Path,
    cameras: tuple[PosedPhotos, ImageSet],
    change: object,
    message: str | None,
) -> None:
    points, marks = write_survey(tmp_path, cameras[0], scattered(4, RNG(0)))
    assert callable(change)
    marks.write_text(change(marks.read_text()))
    if message:
        with pytest.raises(ControlError, match=message):
            given_control(cameras[1], points, marks, ControlConfig())
    else:
        assert given_control(cameras[1], points, marks, ControlConfig())


def test_marks_in_stored_pixels_turn_with_their_photos(tmp_path: Path) -> None:
    posed, image_set = placed_cameras()
    turned = tuple(replace(photo, exif=Exif(orientation=3)) for photo in image_set.photos)
    points, marks = write_survey(tmp_path, posed, scattered(4, RNG(0)))
    lines = marks.read_text().splitlines()
    for number, line in enumerate(lines[1:], 1):
        name, photo, x, y = line.split(",")
        lines[number] = f"{name},{photo},{639 - float(x):.4f},{479 - float(y):.4f}"
    marks.write_text("\n".join(lines))
    stored = replace(image_set, photos=turned, orientation="stored")
    control = fitted(tmp_path, (posed, stored), (points, marks))
    assert control.report["rmse_m"]["control"]["total"] < 1e-4


def square(size: float) -> Mesh:
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]]) * size
    vertices = (WORLD_FROM_SCENE @ corners).astype(np.float32)
    return Mesh(vertices, np.array([[0, 1, 2], [0, 2, 3]], np.int32))


@pytest.mark.parametrize(
    ("origin", "at"), [("auto", UTM), ("poses", np.zeros(3)), ("391000,5817000,0", None)]
)
def test_the_model_has_the_axes_and_metres_of_the_survey(
    tmp_path: Path,
    cameras: tuple[PosedPhotos, ImageSet],
    origin: str,
    at: np.ndarray | None,
) -> None:
    files = write_survey(tmp_path, cameras[0], scattered(5, RNG(0)))
    files[0].write_text("EPSG:25833\n" + files[0].read_text())
    control = fitted(tmp_path, cameras, files)
    config = FrameConfig(origin=origin, scale="0.5")
    find_frame(*cameras, square(1), control, SceneBars(), config, tmp_path, TASK)
    frame = read_frame(tmp_path)
    at = np.array([391000, 5817000, 0]) if at is None else at
    spot = np.array([0.3, -0.2, 0.1])
    there = frame.target_from_world @ (WORLD_FROM_SCENE @ spot)
    np.testing.assert_allclose(there + at, ENH_FROM_SCENE @ spot, atol=1e-3)
    assert frame.unit == "metre"
    assert frame.georeference
    assert frame.georeference.source == "control points"
    assert frame.georeference.crs == "EPSG:25833"
    np.testing.assert_allclose(frame.georeference.crs_from_target @ np.zeros(3), at, atol=2e-6)
    # What the user says of the size is outdone, and told.
    (warning,) = warnings(frame)
    assert "factor" in warning
    assert "contradicts" in warning


def test_without_control_points_nothing_changes(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]
) -> None:
    find_frame(*cameras, square(1), NoControl(), SceneBars(), FrameConfig(), tmp_path, TASK)
    frame = read_frame(tmp_path)
    assert frame.georeference is None
    assert frame.unit == "scene"


def test_console_and_report_tell_every_point(
    tmp_path: Path, cameras: tuple[PosedPhotos, ImageSet]
) -> None:
    noise = np.zeros((6, 3))
    noise[1] = [0.5, 0, 0]
    files = write_survey(tmp_path, cameras[0], scattered(6, RNG(7)), enh_noise_m=noise)
    without(files[1], "P6,")
    control = fitted(tmp_path, cameras, files, ControlConfig(check="P5"))
    lines = control_lines(control.report["points"])
    assert [line.split()[0] for line in lines[1:6]] == ["P1", "P2", "P3", "P4", "P5"]
    assert lines[2].endswith("perhaps mis-marked")
    assert lines[5].endswith("check")
    assert lines[6].endswith("not measured: P6")
    write_report(tmp_path / "report.html", Run(control=control.report))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("perhaps mis-marked") == 1
    assert "not measured: 0 placed photos show it" in page
    assert "4 hold the model, 1 only check it" in page
    facts = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert facts["control"]["rmse_m"]["check"]["points"] == 1
