"""Which way is up: sensors, cameras, ground, walls and GPS, and what they say together."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation

from recon3d.core.camera import PinholeCamera
from recon3d.core.geodesy import enu_from_geodetic, fit_gps
from recon3d.core.scene import Exif, ImageSet, Photo, PosedScene, SparsePoints, View
from recon3d.core.surface import Mesh
from recon3d.core.transform import Rigid, Similarity, rotation_angle_deg
from recon3d.georef.gravity_alignment import find_gravity_alignment
from recon3d.georef.planes import Samples, find_ground, find_plumb, sample_surface
from recon3d.georef.up_cues import cameras_up, fuse_ups, given_up, gravity_up, sigma_deg
from recon3d.georef.upright import of_one_pose, up_in_world
from recon3d.photos.exif import read_exif
from recon3d.photos.gravity import read_down

CAMERA = PinholeCamera(64, 48, 60.0, 60.0, 32.0, 24.0)
# Any tilt of the SfM world, which knows no gravity.
WORLD_FROM_TRUTH = Rigid(
    Rotation.from_euler("xyz", [40, -25, 70], degrees=True).as_matrix(), np.array([3.0, 1, -2])
)
TRUE_UP = WORLD_FROM_TRUTH.rotation @ np.array([0.0, 0, 1])


def look(centre: np.ndarray, at: np.ndarray, roll_deg: float = 0.0) -> Rigid:
    """cam_from_world of a camera held level in a z-up world, then rolled."""
    forward = (at - centre) / np.linalg.norm(at - centre)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    rotation = Rotation.from_euler("z", roll_deg, degrees=True).as_matrix() @ rotation
    return Rigid(rotation, -rotation @ centre) @ WORLD_FROM_TRUTH.inverse()


def orbit(count: int, height: float = 2.0, arc_deg: float = 360.0) -> list[Rigid]:
    angles = np.radians(np.linspace(0, arc_deg, count, endpoint=False))
    return [
        look(np.array([4 * np.sin(a), -4 * np.cos(a), height]), np.array([0, 0, 0.5]))
        for a in angles
    ]


def rotations(cameras: list[Rigid]) -> np.ndarray:
    return np.stack([camera.rotation for camera in cameras])


def off_deg(up: np.ndarray, true_up: np.ndarray = TRUE_UP) -> float:
    return float(np.degrees(np.arccos(np.clip(up @ true_up, -1, 1))))


def world_mesh(*parts: trimesh.Trimesh) -> Mesh:
    whole = trimesh.util.concatenate(parts)
    vertices = (WORLD_FROM_TRUTH @ whole.vertices).astype(np.float32)
    return Mesh(vertices, np.asarray(whole.faces, np.int32))


def slab(size: float, tilt_deg: float = 0.0, height: float = 0.0) -> trimesh.Trimesh:
    plate = trimesh.creation.box((size, size, 0.02))
    plate.apply_transform(trimesh.transformations.rotation_matrix(np.radians(tilt_deg), [1, 0, 0]))
    plate.apply_translation([0, 0, height])
    return plate


def posed_image_set(
    cameras: list[Rigid], downs: list[np.ndarray] | None = None
) -> tuple[PosedScene, ImageSet]:
    ids = [f"{n:02d}.jpg" for n in range(len(cameras))]
    exifs = [
        Exif(down_cam=None if downs is None else tuple(map(float, downs[n])))
        for n in range(len(cameras))
    ]
    photos = tuple(Photo(i, i, 64, 48, e, "", "one") for i, e in zip(ids, exifs, strict=True))
    views = tuple(View(i, CAMERA, c) for i, c in zip(ids, cameras, strict=True))
    scene = PosedScene(views, SparsePoints.empty(), "scene")
    return scene, ImageSet(photos, (), False, {}, {}, {})


# Sensors


def apple_note(x: float, y: float, z: float, order: str = ">") -> bytes:
    mark = b"MM" if order == ">" else b"II"
    head = b"Apple iOS\x00\x00\x01" + mark
    entries = struct.pack(f"{order}HHHII", 1, 0x0008, 10, 3, len(head) + 2 + 12 + 4)
    parts = [round(v * 10000) if i == 0 else 10000 for v in (x, y, z) for i in (0, 1)]
    return head + entries + bytes(4) + struct.pack(f"{order}6i", *parts)


def photo_with(
    path: Path, note: bytes | None, orientation: int = 1, xmp: bytes = b""
) -> Image.Image:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if note is not None:
        exif.get_ifd(0x8769)[0x927C] = note
    Image.new("RGB", (40, 30)).save(path, exif=exif, **({"xmp": xmp} if xmp else {}))
    return Image.open(path)


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize(
    ("acceleration", "orientation", "down"),
    [
        # Upright in the hand, the camera looks ahead.
        ((0, -1, 0), 6, (0, 1, 0)),
        # On its side, home button right: as the sensor lies.
        ((-1, 0, 0), 1, (0, 1, 0)),
        ((1, 0, 0), 3, (0, 1, 0)),
        # Flat on the table, screen up: the camera looks straight down.
        ((0, 0, -1), 6, (0, 0, 1)),
        # Upright, the top leans back: the camera looks up.
        ((0, -0.966, 0.259), 6, (0, 0.966, -0.259)),
    ],
)
def test_a_phones_accelerometer_gives_down_in_the_upright_photo(
    tmp_path: Path, acceleration: tuple, orientation: int, down: tuple, order: str
) -> None:
    image = photo_with(tmp_path / "a.jpg", apple_note(*acceleration, order), orientation)
    assert read_down(image, orientation) == pytest.approx(down, abs=1e-3)


def test_a_real_phone_photo_tells_down(real_photos: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    with Image.open(real_photos / "exif/heic/iphone_13_pro_max.HEIC") as image:
        down = read_exif(image).down_cam
    # A kitchen, upright, the camera a little above the table and looking down on it.
    assert down == pytest.approx((0.005, 0.988, 0.152), abs=1e-3)


@pytest.mark.parametrize(
    ("xmp", "down"),
    [
        (b'drone-dji:GimbalRollDegree="+0.00" drone-dji:GimbalPitchDegree="-90.00"', (0, 0, 1)),
        (b'drone-dji:GimbalPitchDegree="-30.00"', (0, 0.866, 0.5)),
        (b"<drone-dji:GimbalPitchDegree>+0.0<", (0, 1, 0)),
        (b'GPano:PosePitchDegrees="0" GPano:PoseRollDegrees="10"', (0.174, 0.985, 0)),
        (b'drone-dji:GimbalPitchDegree="-60" drone-dji:GimbalRollDegree="180"', None),
        (b'drone-dji:GimbalPitchDegree="-999"', None),
        (b'drone-dji:GimbalPitchDegree="1.2.3"', None),
    ],
)
def test_a_drones_gimbal_gives_down(tmp_path: Path, xmp: bytes, down: tuple | None) -> None:
    found = read_down(photo_with(tmp_path / "a.jpg", None, xmp=xmp), 1)
    assert found == (None if down is None else pytest.approx(down, abs=1e-3))


@pytest.mark.parametrize(
    "note",
    [b"", b"Apple iOS\x00", apple_note(0, -1, 0)[:40], apple_note(0, -1, 0)[:20],
     apple_note(0, -2, 0), b"Apple iOS\x00\x00\x01XX" + bytes(99),
     apple_note(0, -1, 0).replace(struct.pack(">i", 10000), bytes(4)), b"Nikon\x00" + bytes(50)],
)  # fmt: skip
def test_broken_or_shaken_sensors_say_nothing(tmp_path: Path, note: bytes) -> None:
    assert read_down(photo_with(tmp_path / "a.jpg", note), 1) is None


def test_sensor_noise_averages_out_and_shaken_photos_do_not_count() -> None:
    rng = np.random.default_rng(0)
    ups = TRUE_UP + rng.normal(0, np.radians(1.0), (40, 3))
    ups[:6] = rng.normal(size=(6, 3))
    cue = gravity_up(ups / np.linalg.norm(ups, axis=1, keepdims=True))
    assert off_deg(cue.up_world) < 0.5
    # The factory's bias stays, however many photos there are.
    assert 0.7 < sigma_deg(cue.information) < 0.9


# Cameras


def test_error_bars_of_shaky_cameras_are_true_in_9_of_10_cases() -> None:
    hits = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        spread = np.radians(rng.uniform(0.5, 5))
        rotations = np.stack(
            [
                Rotation.from_rotvec(rng.normal(0, spread, 3)).as_matrix() @ camera.rotation
                for camera in orbit(12, arc_deg=rng.uniform(120, 360))
            ]
        )
        cue = cameras_up(rotations)
        hits += off_deg(cue.up_world) < 2 * sigma_deg(cue.information)
    assert hits >= 45


def test_a_room_seen_from_one_side_while_looking_down_stays_upright() -> None:
    # Both axes of these pictures are perpendicular to the way all of them look.
    rng = np.random.default_rng(0)
    cameras = [
        look(np.zeros(3), np.array([np.sin(a), np.cos(a), -0.45]), rng.normal(0, 5))
        for a in np.radians(rng.uniform(-40, 40, 60))
    ]
    assert off_deg(up_in_world(np.stack([camera.rotation for camera in cameras]))) < 5


def test_photos_that_look_one_way_leave_their_pitch_open() -> None:
    row = [look(np.array([x, -8.0, 1.6]), np.array([x, 0.0, 1.6])) for x in range(-3, 4)]
    assert sigma_deg(cameras_up(np.stack([c.rotation for c in row])).information) > 8


def turned_over(cameras: list[Rigid], angle_deg: float) -> list[Rigid]:
    """Cameras as they stand about a thing that was turned before them, in the thing's frame."""
    thing = Rotation.from_euler("zx", [50, angle_deg], degrees=True).as_matrix()
    turn = WORLD_FROM_TRUTH @ Rigid(thing, np.zeros(3)) @ WORLD_FROM_TRUTH.inverse()
    return [camera @ turn for camera in cameras]


@pytest.mark.parametrize("angle_deg", [180, 170, 120, 90])
def test_an_object_that_was_turned_over_stands_as_in_the_round_of_most_photos(
    angle_deg: float,
) -> None:
    standing = [*orbit(9, 1.5), *orbit(5, 3.5)]
    lying = turned_over([*orbit(6, 1.5), *orbit(4, 5.0)], angle_deg)
    for cameras in ([*standing, *lying], [*lying, *standing]):
        assert off_deg(up_in_world(rotations(cameras))) < 1.0
        cue = cameras_up(rotations(cameras))
        assert off_deg(cue.up_world) < 1.0
        assert sigma_deg(cue.information) < 3.0
        assert cue.detail.startswith("14 of 24 photos")


@pytest.mark.parametrize("angle_deg", [180, 90])
def test_of_two_rounds_as_large_the_one_of_the_first_photo_says_what_is_up(
    angle_deg: float,
) -> None:
    standing, lying = orbit(13), turned_over(orbit(14), angle_deg)
    assert off_deg(up_in_world(rotations([*standing, *lying]))) < 1.0
    up_lying = up_in_world(rotations(lying))
    assert off_deg(up_in_world(rotations([*lying, *standing])), up_lying) < 1.0
    assert off_deg(up_lying) == pytest.approx(angle_deg, abs=1.0)


def test_sensors_of_the_round_that_does_not_count_are_not_asked() -> None:
    cameras = [*orbit(14), *turned_over(orbit(9), 90)]
    # Each sensor feels down as its photo was held: along the picture, tilted by how far it looks
    # down.
    downs = [c.rotation @ -TRUE_UP for c in orbit(14)] + [c.rotation @ -TRUE_UP for c in orbit(9)]
    scene, image_set = posed_image_set(cameras, downs)
    found = find_gravity_alignment(scene, image_set, None, None, None)
    assert off_deg(found.up.up_world) < 1.0
    assert found.up.cues[0].cue.detail == "14 of 14 photos agree"


def test_photos_straight_down_and_a_phone_held_the_wrong_way_up_are_no_second_pose() -> None:
    there_and_back = [
        look(np.array([x, y, 20.0]), np.array([x, y + 0.01 * (-1) ** y, 0.0]))
        for y in range(6)
        for x in range(6)
    ]
    assert of_one_pose(rotations(there_and_back)).all()
    angles = np.radians(np.arange(0, 360, 30))
    centres = [np.array([4 * np.sin(a), -4 * np.cos(a), 2.0]) for a in angles]
    upside_down = [look(centre, np.zeros(3), 180) for centre in centres]
    assert of_one_pose(rotations([*orbit(8), *upside_down])).all()
    assert off_deg(up_in_world(rotations([*orbit(8), *upside_down]))) < 1.0


# Surfaces


def test_the_ground_is_found_under_what_stands_on_it() -> None:
    box = trimesh.creation.box((1, 1, 1))
    box.apply_translation([0.5, 0, 0.51])
    samples = sample_surface(world_mesh(slab(4), box), 8000, np.random.default_rng(0))
    tilted = TRUE_UP + np.array([0.05, -0.03, 0.02])
    plane = find_ground(samples, tilted / np.linalg.norm(tilted), 10.0, np.random.default_rng(0))
    assert plane
    assert off_deg(plane.normal_world) < 0.2
    top = WORLD_FROM_TRUTH @ np.array([0, 0, 0.01])
    assert plane.offset == pytest.approx(plane.normal_world @ top, abs=0.01)


def test_a_table_top_above_the_rest_is_no_ground() -> None:
    legs = [trimesh.creation.box((0.3, 0.3, 2)) for _ in range(3)]
    for x, leg in enumerate(legs):
        leg.apply_translation([x - 1.0, 0, -1.1])
    samples = sample_surface(world_mesh(slab(3), *legs), 8000, np.random.default_rng(0))
    assert find_ground(samples, TRUE_UP, 10.0, np.random.default_rng(0)) is None


def test_points_without_normals_show_the_ground_too() -> None:
    rng = np.random.default_rng(0)
    ground = np.column_stack([rng.uniform(-2, 2, (1500, 2)), rng.normal(0, 0.004, 1500)])
    above = np.column_stack([rng.uniform(-1, 1, (800, 2)), rng.uniform(0.1, 1.5, 800)])
    samples = Samples(WORLD_FROM_TRUTH @ np.vstack([ground, above]), None)
    plane = find_ground(samples, TRUE_UP, 10.0, rng)
    assert plane
    assert off_deg(plane.normal_world) < 0.5


def test_walls_straighten_a_lean_that_the_cameras_left_open() -> None:
    facade = trimesh.creation.box((6, 0.4, 4))
    columns = [trimesh.creation.cylinder(0.3, 4) for _ in range(3)]
    for x, column in enumerate(columns):
        column.apply_translation([2 * x - 2, -0.5, 0])
    mesh = world_mesh(facade, *columns)
    # People look up at a facade.
    cameras = [look(np.array([x, -8.0, -1.5]), np.array([x, 0.0, 0.8])) for x in range(-3, 4)]
    scene, image_set = posed_image_set(cameras)
    before = off_deg(cameras_up(np.stack([c.rotation for c in cameras])).up_world)
    standing = find_gravity_alignment(scene, image_set, mesh, None, None)
    assert before > 10
    assert off_deg(standing.up.up_world) < 1
    assert sigma_deg(standing.up.information) < 2


def test_a_ball_has_neither_ground_nor_walls() -> None:
    samples = sample_surface(
        world_mesh(trimesh.creation.icosphere(3)), 8000, np.random.default_rng(0)
    )
    assert find_plumb(samples, TRUE_UP, 20.0) is None
    scene, image_set = posed_image_set(orbit(8))
    mesh = world_mesh(trimesh.creation.icosphere(3))
    assert find_gravity_alignment(scene, image_set, mesh, None, None).ground is None


def test_from_the_air_the_ground_is_level_even_if_the_photos_are_not() -> None:
    rng = np.random.default_rng(2)
    cameras = []
    for heading in rng.uniform(0, 360, 12):
        centre = np.array([*rng.uniform(-20, 20, 2), 50.0])
        cameras.append(look(centre, np.add(centre, (9, 0, -30)), heading))
    ground = rng.uniform(-40, 40, (3000, 3)) * [1, 1, 0.01]
    ground[:600, 2] += rng.uniform(0, 8, 600)
    vertices = (WORLD_FROM_TRUTH @ ground).astype(np.float32)
    scene, image_set = posed_image_set(cameras)
    standing = find_gravity_alignment(
        scene, image_set, Mesh(vertices, np.zeros((0, 3), np.int32)), None, None
    )
    assert off_deg(standing.up.up_world) < 1
    assert standing.ground


def test_a_surface_without_area_or_points_is_no_reason_to_fail() -> None:
    scene, image_set = posed_image_set(orbit(6))
    flat = Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]] * 60, np.int32))
    for mesh in (flat, Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))):
        assert off_deg(find_gravity_alignment(scene, image_set, mesh, None, None).up.up_world) < 1


# Together


def test_sensors_outrank_a_sloping_ground_which_is_named() -> None:
    cameras = orbit(12)
    scene, image_set = posed_image_set(cameras, [c.rotation @ -TRUE_UP for c in cameras])
    standing = find_gravity_alignment(scene, image_set, world_mesh(slab(4, tilt_deg=5)), None, None)
    assert off_deg(standing.up.up_world) < 1
    assert {judged.cue.source: judged.used for judged in standing.up.cues}["gravity sensor"]
    (ground,) = (one for one in standing.up.cues if one.cue.source == "ground")
    assert ground.differs_deg == pytest.approx(5, abs=1)


def test_what_the_user_says_is_up_is_up() -> None:
    scene, image_set = posed_image_set(orbit(12))
    given = np.array([0.0, 0, 1])
    standing = find_gravity_alignment(scene, image_set, world_mesh(slab(4)), None, given)
    assert off_deg(standing.up.up_world, given) < 0.1
    assert standing.up.cues[0].used


def test_two_equal_cues_meet_in_the_middle() -> None:
    tilted = Rotation.from_euler("x", 0.02, degrees=True).as_matrix() @ TRUE_UP
    fused = fuse_ups([given_up(TRUE_UP, ""), given_up(tilted, "")])
    assert off_deg(fused.up_world) == pytest.approx(off_deg(fused.up_world, tilted), abs=1e-3)


# GPS

BERLIN = np.array([52.52, 13.4, 40.0])


def geodetic(enu: np.ndarray) -> np.ndarray:
    """About Berlin, by the earth's radii there."""
    latitude = np.radians(BERLIN[0])
    squeeze = 1 - 6.69437999014e-3 * np.sin(latitude) ** 2
    north_m = 6378137.0 * (1 - 6.69437999014e-3) / squeeze**1.5
    east_m = 6378137.0 / np.sqrt(squeeze) * np.cos(latitude)
    return BERLIN + np.column_stack(
        [np.degrees(enu[:, 1] / north_m), np.degrees(enu[:, 0] / east_m), enu[:, 2]]
    )


def test_latitude_and_longitude_become_metres() -> None:
    enu = np.array([[0.0, 0, 0], [100, 0, 0], [0, 100, 0], [-100, -100, 50], [0, 0, 5]])
    found = enu_from_geodetic(geodetic(enu), BERLIN)
    np.testing.assert_allclose(found - found[0], enu - enu[0], atol=0.02)


def scattered(rng: np.random.Generator, count: int, reach_m: float, sigma_m: float) -> tuple:
    """(camera centres, readings, true enu_from_world)."""
    enu = rng.uniform(-reach_m, reach_m, (count, 3)) * [1, 1, 0.2]
    truth = Similarity(
        float(rng.uniform(0.5, 20)),
        Rotation.random(random_state=int(rng.integers(1e6))).as_matrix(),
        rng.normal(0, 50, 3),
    )
    readings = enu + rng.normal(0, sigma_m, enu.shape) * [1, 1, 2]
    return truth.inverse() @ enu, readings, truth


def test_error_bars_of_gps_are_true_in_9_of_10_cases() -> None:
    scale_hits = turn_hits = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        centres, readings, truth = scattered(rng, 10, 60, 4)
        fit = fit_gps(centres, readings, rng)
        assert fit
        scale_hits += abs(np.log(fit.enu_from_world.scale / truth.scale)) < 2 * fit.sigma
        turned = fit.enu_from_world.rotation @ truth.rotation.T
        worst = np.degrees(np.sqrt(np.linalg.eigvalsh(fit.turn_covariance)[2]))
        turn_hits += float(rotation_angle_deg(turned[None])[0]) < 2.5 * worst
        assert 2.5 < fit.sigma_m < 6
    assert scale_hits >= 45
    assert turn_hits >= 45


def test_readings_from_another_street_are_left_out() -> None:
    rng = np.random.default_rng(0)
    centres, readings, truth = scattered(rng, 15, 60, 1)
    readings[:4] += [300, -200, 0]
    fit = fit_gps(centres, readings, rng)
    assert fit
    assert fit.used.tolist() == [False] * 4 + [True] * 11
    assert fit.enu_from_world.scale == pytest.approx(truth.scale, rel=0.03)


def test_cameras_in_a_row_give_scale_but_not_up() -> None:
    rng = np.random.default_rng(0)
    centres = np.column_stack([np.linspace(0, 10, 12), np.zeros(12), np.zeros(12)])
    readings = centres * 20 + rng.normal(0, 1, (12, 3))
    fit = fit_gps(centres, readings, rng)
    assert fit
    assert fit.enu_from_world.scale == pytest.approx(20, rel=0.1)
    assert np.degrees(np.sqrt(np.linalg.eigvalsh(fit.turn_covariance)[2])) > 60


@pytest.mark.parametrize("count", [0, 2, 5])
def test_too_few_or_equal_readings_fit_nothing(count: int) -> None:
    rng = np.random.default_rng(0)
    assert fit_gps(rng.normal(size=(count, 3)), np.zeros((count, 3)), rng) is None
