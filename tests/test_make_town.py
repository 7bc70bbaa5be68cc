"""The town of the examples: what its photos show is where its mesh and its cameras say."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import make_town
import numpy as np
import pytest
from make_town import GPS_M, GPS_UP_M, HOME_DEG_M, WIDTHS_OF_FOCAL, Lens, exif, flight, make
from PIL import Image
from town.ground import height

from recon3d.bench.surface import depth_renderer
from recon3d.bench.truth import CamerasByPhoto, read_pose_truth
from recon3d.core.camera import PinholeCamera, backproject, project
from recon3d.core.geodesy import enu_from_geodetic
from recon3d.core.scene import View
from recon3d.core.transform import Rigid
from recon3d.export.meshes import read_mesh
from recon3d.photos.exif import read_exif

LENS = Lens(160, 120)
SEED = 1


@pytest.fixture(scope="module")
def low_flight() -> Iterator[None]:
    """Fly so low that little of the town is seen, and built."""
    patch = pytest.MonkeyPatch()
    for name, metres in (("FLYING_M", 35.0), ("REACH_M", 85.0), ("CELL_M", 60.0)):
        patch.setattr(make_town, name, metres)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def town(low_flight: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("town")
    make(folder, 3, LENS, SEED, 2)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_photos_cameras_and_mesh(town: Path, tmp_path: Path) -> None:
    make(tmp_path, 3, LENS, SEED, 1)
    made = contents(town)
    assert contents(tmp_path) == made
    photos = [name for name in made if name.startswith("images")]
    assert len(photos) == 3
    for name in photos:
        rgb = np.asarray(Image.open(town / name))
        assert rgb.shape == (120, 160, 3)
        # Neither black nor burnt out, and there is something to see.
        assert 40 < rgb.mean() < 200
        assert rgb.std() > 20


@pytest.mark.slow
def test_only_photos_that_are_missing_are_taken_and_others_are_not_mixed_in(town: Path) -> None:
    before = contents(town)
    first, second, _ = sorted((town / "images").iterdir())
    kept = second.stat().st_mtime_ns
    first.unlink()
    make(town, 3, LENS, SEED, 2)
    assert contents(town) == before
    assert second.stat().st_mtime_ns == kept
    for count, lens, seed in ((3, LENS, SEED + 1), (3, Lens(320, 240), SEED), (2, LENS, SEED)):
        with pytest.raises(ValueError, match="holds other photos"):
            make(town, count, lens, seed, 2)
    assert contents(town) == before


@pytest.mark.slow
def test_the_command_makes_what_it_is_asked_for(
    town: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(town)
    (town / "mesh.ply").unlink()
    asked = ["make_town.py", str(town), "--photos=3", "--size-px", "160", "120"]
    monkeypatch.setattr("sys.argv", asked)
    make_town.main()
    assert contents(town) == before
    monkeypatch.setattr("sys.argv", [*asked, "--seed=2"])
    with pytest.raises(SystemExit):
        make_town.main()
    assert "holds other photos" in capsys.readouterr().err
    assert contents(town) == before


def test_fewer_photos_are_a_corner_of_the_same_flight() -> None:
    flights = {count: flight(count, Lens()) for count in (50, 100, 500)}
    names = {count: {shot.name for shot in shots} for count, shots in flights.items()}
    assert all(len(names[count]) == count for count in names)
    assert names[50] < names[100] < names[500]
    for count, shots in flights.items():
        extent = np.ptp([shot.place_m for shot in shots], axis=0)
        # 75 % overlap along and 60 % across, in each of two passes; half a line of each at the rim.
        across = make_town.FLYING_M / WIDTHS_OF_FOCAL
        each = 0.25 * 0.75 * across * 0.4 * across
        assert np.prod(extent) == pytest.approx(count * each / 2, rel=0.2)


@pytest.mark.slow
def test_a_larger_flight_has_the_same_photos_among_its_own(town: Path, tmp_path: Path) -> None:
    make(tmp_path, 3, LENS, SEED, 2)
    few = contents(tmp_path)
    make(tmp_path, 5, LENS, SEED, 2)
    many = contents(tmp_path)
    photos = [name for name in few if name.startswith("images")]
    assert all(many[name] == few[name] == contents(town)[name] for name in photos)
    assert len([name for name in many if name.startswith("images")]) == 5
    assert len(json.loads(many["cameras.json"])) == 1 + 5
    assert len(many["mesh.ply"]) > len(few["mesh.ply"])


def test_gps_is_as_far_from_the_cameras_as_such_receivers_are() -> None:
    read, true = [], []
    for shot in flight(100, LENS):
        stream = io.BytesIO()
        Image.new("RGB", (160, 120)).save(stream, "JPEG", exif=exif(shot, LENS, SEED))
        known = read_exif(Image.open(stream))
        assert known.focal_px == pytest.approx(LENS.focal_px, rel=0.02)
        assert known.taken_at is not None
        read.append(known.gps_deg_m)
        true.append(shot.centre(SEED))
    off = enu_from_geodetic(np.array(read), np.array(HOME_DEG_M)) - np.array(true)
    # Of 100 readings the mean errs by a tenth and the spread by a 14th: three times that.
    assert (np.abs(off.mean(0)) < np.array([GPS_M, GPS_M, GPS_UP_M]) * 0.3).all()
    assert off.std(0) == pytest.approx([GPS_M, GPS_M, GPS_UP_M], rel=0.22)


class Truth:
    """What bench reads of the town."""

    def __init__(self, town: Path) -> None:
        lens = json.loads((town / "K.json").read_text())
        self.camera = PinholeCamera(
            lens["width"], lens["height"], lens["fx"], lens["fy"], lens["cx"], lens["cy"]
        )
        self.cameras: CamerasByPhoto = read_pose_truth(town, "cameras.json")
        self.render = depth_renderer(read_mesh(town / "mesh.ply"))
        self.grey = {
            name: np.asarray(Image.open(town / "images" / name).convert("L"), float)
            for name in self.cameras
        }

    def depth_z(self, name: str) -> np.ndarray:
        return self.render(View(name, self.camera, self.cameras[name]))

    def points(self, name: str) -> np.ndarray:
        """Places (h * w, 3) that the pixels show."""
        points_cam = backproject(self.depth_z(name), self.camera).reshape(-1, 3)
        return self.cameras[name].inverse() @ points_cam


@pytest.mark.slow
def test_every_pixel_sees_the_mesh_and_most_see_the_ground_where_it_is(town: Path) -> None:
    truth = Truth(town)
    for name in truth.cameras:
        points = truth.points(name)
        assert np.isfinite(points).all()
        ground = np.array([height(x, y, SEED) for x, y, _ in points])
        # Its triangles are 2 m wide, hills of 21 m bend by some mm within them.
        level = np.abs(points[:, 2] - ground) < 0.03
        assert level.mean() > 0.4
        assert (points[:, 2] > ground - 0.03).all()


@pytest.mark.slow
def test_two_photos_agree_where_the_true_depth_says_that_they_see_the_same(town: Path) -> None:
    truth = Truth(town)
    first, second = "town_e00_000.jpg", "town_e00_001.jpg"
    points, there = truth.points(first), truth.depth_z(second)

    def likeness(camera: Rigid) -> float:
        uv_px, depth_z = project(camera @ points, truth.camera)
        x, y = np.floor(np.where(np.isfinite(uv_px), uv_px, -1)).astype(int).T
        seen = (x >= 0) & (x < 160) & (y >= 0) & (y < 120) & (depth_z > 0)
        # What stands before it in the other photo is another place.
        rows = np.flatnonzero(seen)
        rows = rows[np.abs(there[y[rows], x[rows]] / depth_z[rows] - 1) < 0.03]
        assert len(rows) > 5000
        seen_there = truth.grey[second][y[rows], x[rows]]
        return float(np.corrcoef(truth.grey[first].ravel()[rows], seen_there)[0, 1])

    camera = truth.cameras[second]
    off = Rigid(camera.rotation, camera.translation + camera.rotation @ np.array([1.0, 1.0, 0]))
    # The nearest pixel, noise and other exposures cost the rest; 1.4 m off are 5 px.
    assert likeness(camera) > 0.9
    assert likeness(off) < 0.75
