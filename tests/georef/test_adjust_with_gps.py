"""GPS and ground control points in one adjustment: each holds what the other lets go of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drone_strip import (
    HEIGHT,
    HOME,
    WIDTH,
    bending_m,
    bent_strip,
    hills,
    marks_in,
    photos_with,
    readings,
)  # fmt: skip
from PIL import Image
from scipy.spatial.transform import Rotation

from recon3d.core.scene import Exif, GivenCameras, ImageSet
from recon3d.georef.control.adjust import adjust_to_control
from recon3d.georef.control.points import ControlPoint, GroundControl
from recon3d.georef.control.stage import fit_control, read_control
from recon3d.georef.control.survey import ControlConfig
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm.gps_adjustment import adjust_to_gps
from recon3d.sfm.gps_readings import read_gps
from recon3d.sfm.posed_files import write_scene
from recon3d.sfm.register import read_posed_photos, write_placed

TASK = Task("control", silent, CancelToken())
CRS = f"+proj=tmerc +lat_0={HOME[0]} +lon_0={HOME[1]} +ellps=WGS84 +units=m +no_defs"
MARK_PX, ACCURACY_M, RTK_M = 0.5, 0.03, 0.03
NEAR_END = [(20, 30), (20, -30), (150, 0), (280, 30), (280, -30)]
ALL_ALONG = [(20, 30), (300, -30), (600, 30), (900, -30), (1200, 30), (1480, -30)]
CHECKS = [(450, 30), (700, -30), (950, 30), (1200, -30), (1400, 30), (1480, -30)]


@dataclass(frozen=True, eq=False)
class Survey:
    """Points of the strip in a survey's system."""

    places: Sequence[tuple[float, float]] = tuple(NEAR_END)
    crs: str = CRS
    turn_deg: float = 0.0

    @property
    def survey_from_truth(self) -> np.ndarray:
        turn = Rotation.from_euler("z", self.turn_deg, degrees=True).as_matrix()
        return np.column_stack([turn, [0, 0, HOME[2]] if self.crs else [1000, 2000, 50]])

    def points(self) -> tuple[GroundControl, GroundControl]:
        """Those that hold the model alone, and with further ones that check it."""
        flight, _ = bent_strip()
        rng = np.random.default_rng(7)
        points = []
        for number, (east, north) in enumerate([*self.places, *CHECKS]):
            place = np.array([east, north, float(hills(np.array(east), np.array(north)))])
            marks = marks_in(flight, place, rng, MARK_PX)
            enh = self.survey_from_truth @ [*place, 1] + rng.normal(0, ACCURACY_M, 3)
            is_check = number >= len(self.places)
            name = f"{'C' if is_check else 'P'}{number}"
            points.append(ControlPoint(name, tuple(enh.tolist()), ACCURACY_M, is_check, marks))
        held = points[: len(self.places)]
        return (GroundControl(tuple(each), self.crs, "") for each in (held, points))


def rtk(
    *, height_m: float = 0.0, wrong: Sequence[int] = (), bowl_m: float = 0.0
) -> dict[str, Exif]:
    """Readings that say how sure they are: their heights too large, 40 m off, or bent."""
    flight, _ = bent_strip()
    found = {}
    for number, (photo_id, exif) in enumerate(readings(flight, RTK_M, 0.0).items()):
        assert exif.gps_deg_m
        latitude, longitude, altitude = exif.gps_deg_m
        latitude += 40 / 111_000 if number in wrong else 0.0
        middle = number / (len(flight.poses) - 1) - 0.5
        altitude += height_m + 4 * bowl_m * middle**2
        found[photo_id] = replace(
            exif, gps_deg_m=(latitude, longitude, altitude), gps_std_m=(RTK_M, 2 * RTK_M)
        )
    return found


@dataclass(frozen=True, eq=False)
class Result:
    """How true a model is after all of it."""

    adjusted: dict[str, Any] | None
    words: str
    check_m: float
    bending_m: float


def surveyed(
    folder: Path, exif: dict[str, Exif] | None, survey: Survey, *, adjust: bool = True
) -> Result:
    """The strip with its GPS, if any, and then with points.

    Check points are told to nobody before all is done.
    """
    flight, placement = bent_strip()
    photos = photos_with(exif or {photo_id: Exif() for photo_id in flight.poses})
    placement, gps = adjust_to_gps(placement, read_gps(photos), TASK)
    folder.mkdir(exist_ok=True)
    # Nobody looks at the pictures.
    blank = folder / "blank.jpg"
    Image.new("L", (WIDTH, HEIGHT)).save(blank)
    image_set = ImageSet(photos, (), False, {photo.id: blank for photo in photos}, {}, {})
    scene = write_placed(image_set, placement, {}, "scene", (0.0, 0.0, 0.0), folder, TASK)
    report = {**scene.report, **({"gps": asdict(gps)} if gps else {})}
    write_scene(folder, replace(scene, report=report), ())
    posed = read_posed_photos(folder)
    held, with_checks = survey.points()
    config = ControlConfig(accuracy=ACCURACY_M, mark_px=MARK_PX, adjust=True)
    if adjust:
        out = folder / "adjusted"
        adjust_to_control(posed, image_set, held, GivenCameras(), config, out, TASK)
        posed = read_posed_photos(out)
    fitted_in = folder / "fitted"
    fitted_in.mkdir()
    fit_control(posed, image_set, with_checks, config, fitted_in, TASK)
    fitted = read_control(fitted_in)
    cam_from_world = {view.photo_id: view.cam_from_world for view in posed.scene.views}
    adjusted = fitted.report["adjusted"]
    return Result(
        adjusted,
        adjusted["words"] if adjusted else "",
        fitted.report["rmse_m"]["check"]["total"],
        bending_m(flight, replace(placement, cam_from_world=cam_from_world)),
    )


@pytest.mark.slow
def test_a_height_datum_and_wrong_readings_do_no_harm(tmp_path: Path) -> None:
    """Three readings are 40 m off, and all heights 30 m too large."""
    told = rtk(height_m=30, wrong=(2, 20, 45))
    gps = surveyed(tmp_path / "gps", told, Survey(), adjust=False)
    both = surveyed(tmp_path / "both", told, Survey())
    assert both.adjusted
    assert both.adjusted["used"], both.adjusted["why"]
    # Marks of half a pixel (5 cm) promise each check point about .12 m.
    assert both.check_m < 0.3
    assert both.check_m < gps.check_m / 3
    # RTK has straightened it as well as it can.
    assert both.bending_m < 1.1 * gps.bending_m
    found = both.adjusted["gps"]
    assert found["readings"] == 51
    assert found["error_m"] == pytest.approx(RTK_M, rel=0.3)
    assert found["off_m"] < 2 * RTK_M
    # The lens's focal length and the flying height tell the rest of it apart by .3 % only.
    np.testing.assert_allclose(found["shift_m"], [0, 0, -30], atol=0.4)
    assert "GPS of 51 photos, good to 3 cm, took part" in both.words


@pytest.mark.slow
def test_coarse_gps_and_points_make_a_strip_straighter_than_either_alone(tmp_path: Path) -> None:
    flight, _ = bent_strip()
    told = readings(flight, 1.0, 0.05)
    gps = surveyed(tmp_path / "gps", told, Survey(), adjust=False)
    control = surveyed(tmp_path / "control", None, Survey())
    both = surveyed(tmp_path / "both", told, Survey())
    assert both.adjusted
    assert both.adjusted["used"], both.adjusted["why"]
    assert control.adjusted
    assert control.adjusted["used"], control.adjusted["why"]
    assert "gps" not in control.adjusted
    assert both.bending_m < 0.8 * min(gps.bending_m, control.bending_m)
    assert both.check_m < 0.5 * min(gps.check_m, control.check_m)


@pytest.mark.slow
def test_a_survey_with_axes_of_its_own_is_found_against_gps(tmp_path: Path) -> None:
    local = Survey(places=ALL_ALONG, crs="", turn_deg=70.0)
    both = surveyed(tmp_path, rtk(height_m=30), local)
    assert both.adjusted
    assert both.adjusted["used"], both.adjusted["why"]
    found = both.adjusted["gps"]
    assert found["shift_m"] is None
    # 3 cm at both ends of 1.5 km.
    assert found["turn_deg"] == pytest.approx(70, abs=0.005)
    assert found["scale"] == pytest.approx(1, abs=1e-4)
    assert both.check_m < 0.3


@pytest.mark.slow
def test_gps_that_bends_is_outvoted_by_points_all_along(tmp_path: Path) -> None:
    bent = rtk(bowl_m=15)
    gps = surveyed(tmp_path / "gps", bent, Survey(places=ALL_ALONG), adjust=False)
    both = surveyed(tmp_path / "both", bent, Survey(places=ALL_ALONG))
    assert gps.bending_m > 3
    assert both.check_m < 0.3
    assert both.bending_m < 0.3


@pytest.mark.slow
def test_gps_that_contradicts_the_points_takes_no_part(tmp_path: Path) -> None:
    # Axes that are turned against those of the system that it names.
    both = surveyed(tmp_path, rtk(), Survey(places=ALL_ALONG, turn_deg=2))
    assert both.adjusted
    found = both.adjusted["gps"]
    assert not found["used"]
    assert "points that were left out fit" in found["why"]
    assert "GPS of 51 photos took no part: points that were left out fit" in both.words
    assert both.bending_m < 0.1


def test_gps_that_was_not_believed_leaves_every_byte_as_it_is(tmp_path: Path) -> None:
    # So few are not tried.
    few = dict([*rtk().items()][:7])
    none = {photo_id: Exif() for photo_id in bent_strip()[0].poses}
    files = []
    for name, exif in (("few", {**none, **few}), ("none", none)):
        surveyed(tmp_path / name, exif, Survey(places=ALL_ALONG))
        made = [*(tmp_path / name / "adjusted").rglob("*"), *(tmp_path / name / "fitted").iterdir()]
        files.append({path.name: path.read_bytes() for path in made if path.is_file()})
    assert len(files[0]) > 50
    assert files[0] == files[1]
