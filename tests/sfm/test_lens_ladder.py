"""A lens grows as rich as the photos can tell, and stays simple where they cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import Cancelled
from recon3d.core.lens import LENSES, project
from recon3d.core.scene import CameraEstimate, GivenCameras, LensStep
from recon3d.core.transform import Rigid
from recon3d.photos.finding import find_files
from recon3d.photos.ingest import IngestConfig, ingest, read_image_set
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm.lens_ladder import FoundLens, find_lenses, most_bound, predicts_better
from recon3d.sfm.lens_words import tell_lens
from recon3d.sfm.mapping import Placement
from recon3d.sfm.placed_bundle import bundle_of_camera
from recon3d.sfm.structure_from_motion import PoseConfig, solve

SIZE = WIDTH_PX, HEIGHT_PX = 1200, 900
CENTRED = np.array([1000.0, 1000, WIDTH_PX / 2, HEIGHT_PX / 2, -0.05, 0, 0, 0, 0])
OFF_PX = np.array([15.0, -12.0])
NOISE_PX = 0.3
FOUND = 3.0
"""Standard deviations: one normal value in 370 lies farther off."""


def lens(off_px: np.ndarray | None = None, **coefficients: float) -> np.ndarray:
    """fx, fy, cx, cy, k1, k2, p1, p2, k3 of a lens with noticeable barrel distortion."""
    values = CENTRED.copy()
    values[2:4] += np.zeros(2) if off_px is None else off_px
    for name, value in coefficients.items():
        values[4 + LENSES["brown"].coefficients.index(name)] = value
    return values


def towards(eye: np.ndarray, target: np.ndarray, roll_deg: float = 0.0) -> Rigid:
    """A camera at eye that looks at target; z of the world is up."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    up = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.99 else np.array([0.0, 1.0, 0.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    c, s = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
    rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ rotation
    return Rigid(rotation, -rotation @ eye)


Scene = tuple[list[Rigid], np.ndarray]


def orbit(rng: np.random.Generator, photos: int = 12) -> Scene:
    """Once around a heap of things, as one photographs them."""
    points = rng.normal(0, 1, (300, 3)) * [1.6, 1.6, 1.2]
    poses = []
    for index in range(photos):
        angle = 2 * np.pi * index / photos
        eye = np.array([7 * np.sin(angle), -7 * np.cos(angle), rng.uniform(-1, 3)])
        poses.append(towards(eye, rng.normal(0, 0.5, 3), rng.normal(0, 4)))
    return poses, points


def plane_from_above(rng: np.random.Generator) -> Scene:
    """A drone's strips over flat ground, looking straight down."""
    points = np.column_stack([rng.uniform(-9, 9, (700, 2)), rng.normal(0, 0.01, 700)])
    poses = []
    for row in range(4):
        for column in range(5):
            eye = np.array([3.0 * column - 6, 3.0 * row - 4.5, 8 + rng.normal(0, 0.1)])
            below = eye * [1, 1, 0] + [*rng.normal(0, 0.05, 2), 0]
            poses.append(towards(eye, below))
    return poses, points


def walk_ahead(rng: np.random.Generator) -> Scene:
    """Straight on through a corridor."""
    around = rng.uniform(0, 2 * np.pi, 900)
    points = np.column_stack([2 * np.cos(around), rng.uniform(0, 25, 900), 2 * np.sin(around)])
    poses = []
    for index in range(12):
        eye = np.array([0, 0.8 * index, 0]) + rng.normal(0, 0.02, 3)
        poses.append(towards(eye, eye + rng.normal(0, 0.01, 3) * [1, 0, 1] + np.eye(3)[1]))
    return poses, points


def turn_on_the_spot(rng: np.random.Generator) -> Scene:
    """A panorama from the hand: the arm's length is all the baseline there is."""
    points = rng.normal(0, 1, (900, 3))
    points *= (rng.uniform(6, 14, 900) / np.linalg.norm(points, axis=1))[:, None]
    poses = []
    for index in range(14):
        ahead = np.array([np.sin(index * 0.25), np.cos(index * 0.25), 0])
        eye = 0.3 * ahead + rng.normal(0, 0.05, 3)
        poses.append(towards(eye, eye + ahead))
    return poses, points


def facade_from_the_front(rng: np.random.Generator) -> Scene:
    """A flat wall, seen from a step to the left to a step to the right, never turned."""
    points = np.column_stack(
        [rng.uniform(-4, 4, 600), rng.normal(0, 0.02, 600), rng.uniform(-3, 3, 600)]
    )
    poses = [
        towards(np.array([x, -9.0, 0.0]), np.array([0.6 * x, 0.0, 0.0]))
        for x in np.linspace(-2.5, 2.5, 9)
    ]
    return poses, points


def photographed(
    scene: Scene, values: np.ndarray, rng: np.random.Generator, key: str = "one"
) -> Placement:
    """As mapping leaves it: a little wrong everywhere, with some observations far off."""
    poses, points = scene
    rows, seen = [], []
    for index, pose in enumerate(poses):
        points_cam = pose @ points
        ahead = points_cam[:, 2] > 0.5
        # Where the lens has folded over there is nothing to see.
        near = (points_cam[:, :2] ** 2).sum(axis=1) < points_cam[:, 2] ** 2
        uv = np.full((len(points), 2), np.nan)
        uv[ahead & near] = project(LENSES["brown"], values, points_cam[ahead & near])
        uv += rng.normal(0, NOISE_PX, uv.shape)
        inside = np.flatnonzero(((uv > 0) & (uv < SIZE)).all(axis=1))
        rows += [(point, index) for point in inside]
        seen += [*uv[inside]]
    observations, sightings_px = np.array(rows), np.array(seen)
    often = np.bincount(observations[:, 0], minlength=len(points)) >= 2
    kept = often[observations[:, 0]]
    observations, sightings_px = observations[kept], sightings_px[kept]
    wrong = rng.choice(len(kept.nonzero()[0]), kept.sum() // 50, replace=False)
    sightings_px[wrong] += rng.normal(0, 2, (len(wrong), 2))
    placed = {
        f"{key}{index:02}.jpg": Rigid(pose.rotation, pose.translation + rng.normal(0, 1e-3, 3))
        for index, pose in enumerate(poses)
    }
    return Placement(
        placed,
        {key: simple(values)},
        dict.fromkeys(placed, key),
        points + rng.normal(0, 1e-3, points.shape),
        np.zeros(len(points)),
        observations,
        sightings_px,
    )


def simple(values: np.ndarray) -> CameraEstimate:
    """What mapping knows of a lens."""
    pinhole = PinholeCamera.centred(*SIZE, 1.002 * values[0])
    return CameraEstimate(
        Intrinsics(pinhole, Distortion("radial", (float(values[4]),))), "guessed, refined"
    )


def climbed(placement: Placement) -> Mapping[str, FoundLens]:
    return find_lenses(placement, placement.cameras, Task("pose", silent, CancelToken()))


def kept(found: FoundLens) -> set[str]:
    return {step.adds for step in found.estimate.steps if step.kept}


def test_a_principal_point_off_the_middle_is_found_within_its_error_bars() -> None:
    rng = np.random.default_rng(1)
    found = climbed(photographed(orbit(rng), lens(OFF_PX), rng))["one"]
    assert found.is_richer
    assert kept(found) == {"principal point"}
    camera, std_px = found.estimate.intrinsics.pinhole, found.estimate.centre_std_px
    assert std_px is not None
    offset = np.array([camera.cx_px - WIDTH_PX / 2, camera.cy_px - HEIGHT_PX / 2])
    assert (np.abs(offset - OFF_PX) < FOUND * np.array(std_px)).all()
    assert max(std_px) < 2.0
    assert found.estimate.focal_std_px is not None
    assert abs(camera.fx_px - 1000) < FOUND * found.estimate.focal_std_px


def test_a_lens_that_is_simple_stays_so_and_the_reasons_are_told() -> None:
    rng = np.random.default_rng(1)
    placement = photographed(orbit(rng), lens(), rng)
    found = climbed(placement)["one"]
    assert not found.is_richer
    assert replace(found.estimate, steps=()) == placement.cameras["one"]
    assert [step.adds for step in found.estimate.steps] == [
        "principal point",
        "second radial term",
    ]
    assert all("within its error" in step.why for step in found.estimate.steps)


def test_a_second_radial_term_needs_no_principal_point() -> None:
    rng = np.random.default_rng(1)
    found = climbed(photographed(orbit(rng), lens(k1=-0.12, k2=0.08), rng))["one"]
    assert kept(found) == {"second radial term"}
    camera, distortion = found.estimate.intrinsics.pinhole, found.estimate.intrinsics.distortion
    assert (camera.cx_px, camera.cy_px) == (WIDTH_PX / 2, HEIGHT_PX / 2)
    assert found.estimate.centre_std_px is None
    assert distortion.model == "radial"
    # At the photo's corner r is 0.75: 0.02 of k2 are 5 px there.
    assert distortion.coefficients == pytest.approx((-0.12, 0.08), abs=0.005)


def test_a_lens_that_was_mounted_askew_is_found_with_its_tangential_distortion() -> None:
    rng = np.random.default_rng(1)
    truth = lens(OFF_PX, k1=-0.1, k2=0.05, p1=0.003, p2=-0.002)
    found = climbed(photographed(orbit(rng), truth, rng))["one"]
    assert len(kept(found)) == 3
    camera, distortion = found.estimate.intrinsics.pinhole, found.estimate.intrinsics.distortion
    std_px = found.estimate.centre_std_px
    assert std_px is not None
    assert abs(camera.cx_px - truth[2]) < FOUND * std_px[0]
    assert abs(camera.cy_px - truth[3]) < FOUND * std_px[1]
    assert distortion.model == "brown"
    assert distortion.coefficients == pytest.approx(truth[4:8], abs=0.005)


@pytest.mark.parametrize(
    ("scene", "off_px"),
    [
        (plane_from_above, OFF_PX),
        (plane_from_above, np.zeros(2)),
        (walk_ahead, OFF_PX),
        (turn_on_the_spot, OFF_PX),
        (facade_from_the_front, np.zeros(2)),
    ],
)
def test_photos_that_leave_the_lens_open_keep_the_simple_one(
    scene: Callable[[np.random.Generator], Scene], off_px: np.ndarray
) -> None:
    rng = np.random.default_rng(2)
    placement = photographed(scene(rng), lens(off_px), rng)
    found = climbed(placement)["one"]
    assert not found.is_richer
    assert found.estimate.intrinsics == placement.cameras["one"].intrinsics


def test_four_photos_are_too_few_to_try() -> None:
    rng = np.random.default_rng(1)
    found = climbed(photographed(orbit(rng, 4), lens(OFF_PX), rng))["one"]
    assert (found.is_richer, found.estimate.steps) == (False, ())


def test_each_camera_has_a_ladder_of_its_own() -> None:
    rng = np.random.default_rng(3)
    poses, points = orbit(rng, 20)
    one = photographed((poses[::2], points), lens(OFF_PX), rng, "one")
    two = photographed((poses[1::2], points), lens(), rng, "two")
    later = two.observations + np.array([0, len(poses[::2])])
    both = replace(
        one,
        cam_from_world={**one.cam_from_world, **two.cam_from_world},
        cameras={**one.cameras, **two.cameras},
        camera_of={**one.camera_of, **two.camera_of},
        observations=np.concatenate([one.observations, later]),
        sightings_px=np.concatenate([one.sightings_px, two.sightings_px]),
    )
    found = climbed(both)
    assert kept(found["one"]) == {"principal point"}
    assert not found["two"].is_richer


def test_photos_that_hang_on_nothing_cost_the_others_no_lens() -> None:
    rng = np.random.default_rng(1)
    placement = photographed(orbit(rng), lens(OFF_PX), rng)
    # The last photo keeps one sighting, which leaves most of its pose open.
    last = placement.observations[:, 1] == 11
    keep = ~last
    keep[np.flatnonzero(last)[0]] = True
    placement = replace(
        placement,
        observations=placement.observations[keep],
        sightings_px=placement.sightings_px[keep],
    )
    found = climbed(placement)["one"]
    camera = found.estimate.intrinsics.pinhole
    assert abs(camera.cx_px - WIDTH_PX / 2) < OFF_PX[0] + 1


def test_of_many_photos_those_that_share_most_points_stand_for_all() -> None:
    rng = np.random.default_rng(1)
    placement = photographed(orbit(rng, 10), lens(), rng)
    photo = placement.observations[:, 1]
    # Photos 2 and 7 share a tenth of what the others share.
    keep = ~np.isin(photo, [2, 7]) | (placement.observations[:, 0] % 10 == 0)
    placement = replace(
        placement,
        observations=placement.observations[keep],
        sightings_px=placement.sightings_px[keep],
    )
    ids = [*placement.cam_from_world]
    assert most_bound(placement, ids, 8) == [ids[n] for n in (0, 1, 3, 4, 5, 6, 8, 9)]


def test_the_same_photos_give_the_same_digits() -> None:
    rng = np.random.default_rng(1)
    placement = photographed(orbit(rng, 6), lens(OFF_PX), rng)
    assert climbed(placement) == climbed(placement)


def test_better_means_better_on_observations_that_were_left_out() -> None:
    rng = np.random.default_rng(1)
    placement = photographed(orbit(rng), lens(OFF_PX), rng)
    start = bundle_of_camera(
        placement, [*placement.cam_from_world], placement.cameras["one"].intrinsics, 300
    )
    assert not isinstance(start, str)
    bundle, tracks = start
    nearer = replace(bundle, values=bundle.values + np.array([-2, -2, *OFF_PX, 0]))
    assert predicts_better(bundle, nearer, tracks)
    assert not predicts_better(nearer, bundle, tracks)
    assert not predicts_better(bundle, bundle, tracks)
    assert not predicts_better(bundle, nearer, tracks.where(tracks.photo < 4))


def test_a_stopped_task_stops_the_climb() -> None:
    rng = np.random.default_rng(1)
    placement = photographed(orbit(rng, 6), lens(), rng)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        find_lenses(placement, placement.cameras, Task("pose", silent, token))


@pytest.mark.slow
def test_a_crop_that_moves_the_principal_point_is_found_in_rendered_photos(tmp_path: Path) -> None:
    photos = sorted((Path(__file__).parents[2] / "examples" / "photos").glob("*.jpg"))[::2]
    (tmp_path / "photos").mkdir()
    for photo in photos:
        with Image.open(photo) as whole:
            across, down = whole.size
            whole.crop((0, 0, across - 30, down - 30)).save(tmp_path / "photos" / photo.name)
    task = Task("pose", silent, CancelToken())
    files = find_files([tmp_path / "photos"], None, None, task)
    ingest(files, IngestConfig(), tmp_path / "set", task)
    image_set = read_image_set(tmp_path / "set")
    config = PoseConfig(features=4000, attempts=1)
    solution = solve(image_set, GivenCameras(), config, tmp_path / "sfm", task)
    (estimate,) = solution.placement.cameras.values()
    camera, std_px = estimate.intrinsics.pinhole, estimate.centre_std_px
    assert std_px is not None
    assert abs(camera.cx_px - across / 2) < FOUND * std_px[0]
    assert abs(camera.cy_px - down / 2) < FOUND * std_px[1]
    assert max(std_px) < 1.5
    assert camera.fx_px == pytest.approx(905, rel=1e-3)  # examples/make_example.py


def test_people_are_told_what_is_known_and_what_stayed_out() -> None:
    middle = simple(lens())
    assert tell_lens(middle) == (
        "focal length 1002.0 px, principal point in the middle, radial distortion of 1 term"
    )
    found = replace(
        middle,
        intrinsics=Intrinsics(
            PinholeCamera(*SIZE, 1000.0, 1000.0, 615.0, 438.0), Distortion("radial", (-0.1, 0.05))
        ),
        focal_std_px=0.21,
        centre_std_px=(0.4, 1.26),
        steps=(
            LensStep("principal point", True),
            LensStep("second radial term", True),
            LensStep("tangential distortion", False, "no different from none within its error"),
        ),
    )
    assert tell_lens(found) == (
        "focal length 1000.0 ± 0.2 px, principal point 615.0 ± 0.4, 438.0 ± 1.3 px, radial "
        "distortion of 2 terms; without tangential distortion, no different from none within its "
        "error"
    )
