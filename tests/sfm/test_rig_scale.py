"""Rigs in models, and how surely their baselines tell the scale."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from recon3d.core.camera import Intrinsics, PinholeCamera, in_picture, project
from recon3d.core.rig import Baseline, RigPhoto, looking_from_one_place
from recon3d.core.scene import CameraEstimate
from recon3d.core.transform import Rigid, rotations_from_axis_angle
from recon3d.sfm.colmap_bundle import adjust
from recon3d.sfm.features import PhotoDatabase, PhotoToPlace, to_colmap_camera
from recon3d.sfm.mapping import bound_photos, build_model
from recon3d.sfm.pycolmap_library import pycolmap
from recon3d.sfm.rig_scale import scale_sigma
from recon3d.sfm.rigs import in_one_place, rigid3d, taken_together

CAMERA = CameraEstimate(Intrinsics(PinholeCamera.centred(640, 480, 500.0)), "given")
RIGHT = Rigid(rotations_from_axis_angle(np.array([[0.0, -0.1, 0.02]]))[0], np.array([-0.2, 0, 0]))
PLACES = {"left": Rigid.identity(), "right": RIGHT}
NOISE_PX = 0.4
EXACT = Baseline(0.2, 0.0, 0.0)


def walk(count: int) -> list[Rigid]:
    """rig_from_world along an arc around points that lie 2 to 5 metres ahead."""
    out = []
    for number in range(count):
        turn = rotations_from_axis_angle(np.array([[0.0, 0.12 * number - 0.3, 0.0]]))[0]
        out.append(Rigid(turn, -turn @ np.array([0.4 * number - 1, 0.05 * (number % 2), 0.0])))
    return out


@dataclass(eq=False)
class Simulated:
    """Photos of a rig that were never taken, with what they would show."""

    database: PhotoDatabase
    model: pycolmap.Reconstruction
    rigs: dict[str, RigPhoto]
    cam_from_world: dict[str, Rigid] = field(default_factory=dict)


def simulate(
    seed: int, *, missing: tuple[str, ...] = (), assumed: dict[str, Rigid] = PLACES
) -> Simulated:
    """A model of noisy observations, started from wrong poses at 1.1 times the true size.

    assumed: the rig that is held.
    """
    rng = np.random.default_rng(seed)
    points = rng.uniform([-2, -1, 2], [2.5, 1, 5], (160, 3))
    names, true, rigs = [], {}, {}
    for number, rig_from_world in enumerate(walk(6)):
        for sensor, place in PLACES.items():
            name = f"{sensor}/{number}.jpg"
            if name not in missing:
                names.append(name)
                true[name] = place @ rig_from_world
                rigs[name] = RigPhoto("rig", sensor, f"{number}", assumed[sensor])
    photos = tuple(
        PhotoToPlace(name, Path(name), None, rigs[name].sensor, rigs[name]) for name in names
    )
    database = PhotoDatabase(Path(), photos, {"left": CAMERA, "right": CAMERA})
    images, poses, seen = [], {}, {}
    for image_id, name in enumerate(names, start=1):
        uv_px, _ = project(true[name] @ points, CAMERA.intrinsics.pinhole)
        visible = np.flatnonzero(in_picture(uv_px, CAMERA.intrinsics.pinhole))
        spots = uv_px[visible] + rng.normal(0, NOISE_PX, (len(visible), 2))
        camera_id = database.camera_numbers[rigs[name].sensor]
        images.append(pycolmap.Image(name, spots, camera_id=camera_id, image_id=image_id))
        seen |= {(int(point), image_id): spot for spot, point in enumerate(visible.tolist())}
        wrong = rotations_from_axis_angle(rng.normal(0, 0.01, (1, 3)))[0]
        centre = 1.1 * true[name].inverse().translation + rng.normal(0, 0.02, 3)
        turn = wrong @ true[name].rotation
        poses[image_id] = rigid3d(Rigid(turn, -turn @ centre))
    cameras = {number: to_colmap_camera(CAMERA) for number in (1, 2)}
    model = build_model(database, cameras, images, poses)
    for point in range(len(points)):
        track = pycolmap.Track()
        for (one, image_id), spot in seen.items():
            if one == point:
                track.add_element(image_id, spot)
        if track.length() > 1:
            model.add_point3D(1.1 * points[point], track)
    return Simulated(database, model, rigs, true)


@dataclass(frozen=True, eq=False)
class Solved:
    """As `scale_sigma` takes a placement."""

    cam_from_world: dict[str, Rigid]
    camera_of: dict[str, str]
    cameras: dict[str, CameraEstimate]
    xyz_world: np.ndarray
    observations: np.ndarray
    sightings_px: np.ndarray


def solved(simulated: Simulated) -> Solved:
    adjust(simulated.database, simulated.model)
    model, photos = simulated.model, simulated.database.photos
    poses = {}
    for image_id in sorted(model.reg_image_ids()):
        matrix = model.images[image_id].cam_from_world().matrix()
        poses[photos[image_id - 1].id] = Rigid(matrix[:, :3], matrix[:, 3])
    numbers = sorted(model.point3D_ids())
    rows = [
        (index, element.image_id - 1)
        for index, number in enumerate(numbers)
        for element in model.points3D[number].track.elements
    ]
    return Solved(
        poses,
        {photo.id: photo.camera for photo in photos},
        dict(simulated.database.cameras),
        np.array([model.points3D[number].xyz for number in numbers]),
        np.array(rows, np.int64),
        np.zeros((len(rows), 2)),
    )


def size(poses: dict[str, Rigid]) -> float:
    """How far the first and the last photo are apart."""
    centres = [poses[name].inverse().translation for name in ("left/0.jpg", "left/5.jpg")]
    return float(np.linalg.norm(centres[1] - centres[0]))


def test_the_cameras_of_a_rig_keep_their_places_when_all_is_adjusted() -> None:
    found = solved(simulate(0))
    for number in range(6):
        left, right = (found.cam_from_world[f"{name}/{number}.jpg"] for name in PLACES)
        kept = (right @ left.inverse()).matrix()
        # A quaternion's rounding.
        assert kept == pytest.approx(RIGHT.matrix(), abs=1e-12)


def test_the_scale_errs_as_much_as_its_error_bar_says() -> None:
    errors, sigmas = [], []
    for seed in range(24):
        simulated = simulate(seed)
        found = solved(simulated)
        errors.append(size(found.cam_from_world) / size(simulated.cam_from_world) - 1)
        sigma = scale_sigma(found, simulated.rigs, EXACT, NOISE_PX)
        assert sigma is not None
        sigmas.append(sigma)
    # The mean square of 24 values is itself known to 29 %.
    ratio = np.sqrt(np.mean(np.square(errors))) / np.mean(sigmas)
    assert 0.6 < ratio < 1.5
    assert np.abs(np.array(errors)).max() < 4 * np.mean(sigmas)


def test_a_rig_that_is_wrong_makes_a_scale_that_is_as_wrong() -> None:
    longer = Rigid(RIGHT.rotation, 1.02 * RIGHT.translation)
    simulated = simulate(1, assumed={**PLACES, "right": longer})
    ratio = size(solved(simulated).cam_from_world) / size(simulated.cam_from_world)
    exact = simulate(1)
    expected = size(solved(exact).cam_from_world) / size(exact.cam_from_world)
    assert ratio / expected == pytest.approx(1.02, abs=0.003)
    turned = Baseline(0.2, 0.02 * 0.2, 0.1)
    sigma = scale_sigma(solved(simulated), simulated.rigs, turned, NOISE_PX)
    # 0.1 degrees at the median distance of 3.5 m are 3 % of the baseline.
    assert sigma == pytest.approx(np.hypot(0.02, np.radians(0.1) * 3.5 / 0.2), rel=0.15)


def test_moments_that_lack_a_camera_do_no_harm() -> None:
    simulated = simulate(2, missing=("left/1.jpg", "right/3.jpg", "right/4.jpg"))
    found = solved(simulated)
    assert len(found.cam_from_world) == 9
    sigma = scale_sigma(found, simulated.rigs, EXACT, NOISE_PX)
    assert sigma is not None
    error = size(found.cam_from_world) / size(simulated.cam_from_world) - 1
    assert abs(error) < 3 * sigma


def test_without_a_moment_of_two_cameras_nothing_tells_the_scale() -> None:
    simulated = simulate(3, missing=tuple(f"right/{number}.jpg" for number in range(6)))
    assert scale_sigma(solved(simulated), simulated.rigs, EXACT, NOISE_PX) is None


def test_photos_of_a_rig_hang_on_a_model_together() -> None:
    simulated = simulate(4)
    every = set(simulated.model.reg_image_ids())
    first = {1, 2, 3, 4}  # both photos of two moments
    assert bound_photos(simulated.model, first) == every
    for number in [*simulated.model.point3D_ids()]:
        track = simulated.model.points3D[number].track.elements
        if any(element.image_id == 12 for element in track):
            simulated.model.delete_observation(
                12, next(e.point2D_idx for e in track if e.image_id == 12)
            )
    # The last right photo sees nothing any more; the left one of its moment still holds it.
    assert bound_photos(simulated.model, first) == every


def test_only_photos_from_one_place_are_not_compared() -> None:
    here = Rigid(RIGHT.rotation, np.zeros(3))
    places = [
        RigPhoto("panorama", "front", "1", Rigid.identity()),
        RigPhoto("panorama", "right", "1", here),
        RigPhoto("panorama", "front", "2", Rigid.identity()),
        RigPhoto("rig", "left", "1", Rigid.identity()),
        RigPhoto("rig", "right", "1", RIGHT),
        None,
    ]
    together, in_vain = taken_together(places), in_one_place(places)
    assert np.argwhere(np.triu(together)).tolist() == [[0, 1], [3, 4]]
    assert np.argwhere(np.triu(in_vain)).tolist() == [[0, 1]]


def test_views_of_a_panorama_look_from_one_place_and_a_rig_s_photos_do_not() -> None:
    front = RigPhoto("panorama", "front", "p", Rigid.identity())
    side = RigPhoto("panorama", "right", "p", Rigid(RIGHT.rotation, np.zeros(3)))
    stereo = {name: RigPhoto("rig", name, "1", place) for name, place in PLACES.items()}
    found = looking_from_one_place({"a": front, "b": side, **stereo})
    assert found == {"a": "p", "b": "p"}
