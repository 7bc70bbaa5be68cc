"""Models that the mapper leaves apart become one where their photos share enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon3d.core.camera import Intrinsics, PinholeCamera
from recon3d.core.scene import CameraEstimate
from recon3d.core.transform import Rigid, Similarity, fit_similarity, rotation_angle_deg
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm import joining
from recon3d.sfm.component_tie import Tie
from recon3d.sfm.feature_ties import align, find_ties
from recon3d.sfm.features import PhotoDatabase, PhotoToPlace, prepare
from recon3d.sfm.joining import Guide, Joined, join
from recon3d.sfm.mapping import Placement, as_placement, map_incrementally, to_placement
from recon3d.sfm.overlapping import overlapping_pairs
from recon3d.sfm.pycolmap_library import pycolmap

CAMERA = PinholeCamera(1000, 800, 900.0, 900.0, 500.0, 400.0)
NOISE_PX = 0.3
TASK = Task("pose", silent, CancelToken())
# Below the mapper's 30 for a photo, and just above its 15 for a pair.
SHARED = 16
# Of 16 matches between photos of two rooms.
TRUE = 2
ROOMS = {"a": (-2.0, 6), "b": (2.0, 5)}
"""By name: where the middle of what it shows lies, and how many photos."""


def look_at(centre: np.ndarray, target: np.ndarray) -> Rigid:
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return Rigid(rotation, -rotation @ centre)


POSES = {
    f"{name}{n}": look_at(np.array([middle + x, 0.4 * (n % 2), -6.0]), np.array([middle, 0, 0]))
    for name, (middle, count) in ROOMS.items()
    for n, x in enumerate(np.linspace(-2.5, 2.5, count))
}
IDS = [*POSES]


class World:
    """Points of two rooms and of the door between them, and who sees which."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(3)
        own = {
            name: self.random.uniform(-1, 1, (150, 3)) + np.array([middle, 0, 0])
            for name, (middle, _) in ROOMS.items()
        }
        door = self.random.uniform(-1, 1, (40, 3)) * [0.5, 1, 1]
        self.xyz = np.concatenate([own["a"], own["b"], door])
        rows = {"a": np.arange(150), "b": np.arange(150, 300)}
        self.door = np.arange(300, 340)
        self.seen = {photo: np.concatenate([rows[photo[0]], self.door]) for photo in IDS}

    def pixels(self, photo: str) -> np.ndarray:
        """Of each point that a photo sees, in the order of `seen`."""
        xyz = POSES[photo] @ self.xyz[self.seen[photo]]
        flat = xyz[:, :2] / xyz[:, 2:] * 900 + np.array([500, 400])
        return flat + self.random.normal(0, NOISE_PX, flat.shape)

    def matches(self, first: str, second: str, points: np.ndarray) -> np.ndarray:
        places = [{point: n for n, point in enumerate(self.seen[p])} for p in (first, second)]
        rows = [[places[0][point], places[1][point]] for point in points.tolist()]
        return np.array(rows, np.uint32).reshape(-1, 2)


Across = Callable[[World, str, str], np.ndarray]


def database_of(folder: Path, across: Across, source: str = "given") -> PhotoDatabase:
    """Photos that match within their room, and between the rooms as `across` says."""
    world = World()
    for name in IDS:
        Image.fromarray(np.zeros((800, 1000), np.uint8)).save(folder / f"{name}.png")
    photos = tuple(PhotoToPlace(name, folder / f"{name}.png", None, "camera") for name in IDS)
    cameras = {"camera": CameraEstimate(Intrinsics(CAMERA), source)}
    database = PhotoDatabase(folder / "sfm", photos, cameras)
    prepare(database)
    with database.open() as stored:
        for n, photo in enumerate(IDS, start=1):
            pixels = world.pixels(photo)
            upright = np.tile([1.0, 0.0, 0.0, 1.0], (len(pixels), 1))
            keypoints = np.column_stack([pixels, upright]).astype(np.float32)
            stored.write_keypoints(n, keypoints)
            # Like nothing else, so that comparing again finds nothing.
            descriptors = world.random.integers(0, 90, (len(keypoints), 128)).astype(np.uint8)
            kind = pycolmap.FeatureExtractorType.SIFT
            stored.write_descriptors(n, pycolmap.FeatureDescriptors(type=kind, data=descriptors))
        for i, first in enumerate(IDS):
            for j, second in enumerate(IDS[i + 1 :], start=i + 1):
                if first[0] == second[0]:
                    matches = world.matches(first, second, world.seen[first])
                else:
                    matches = across(world, first, second)
                geometry = pycolmap.TwoViewGeometry()
                geometry.config = pycolmap.TwoViewGeometryConfiguration.CALIBRATED
                geometry.inlier_matches = matches
                if len(matches):
                    stored.write_matches(i + 1, j + 1, matches)
                    stored.write_two_view_geometry(i + 1, j + 1, geometry)
    return database


def through_the_door(world: World, first: str, second: str) -> np.ndarray:
    """A few matches between each photo and two of the other room."""
    if (int(first[1]) + int(second[1])) % 3:
        return np.zeros((0, 2), np.uint32)
    return world.matches(first, second, world.random.choice(world.door, SHARED, replace=False))


def look_alike(world: World, first: str, second: str) -> np.ndarray:
    """Every pair matches, but never the same things."""
    points = world.random.choice(world.door, SHARED, replace=False)
    matches = world.matches(first, second, points)
    matches[:, 1] = world.random.permutation(matches[:, 1])
    return matches


def one_poster(world: World, first: str, second: str) -> np.ndarray:
    """One photo of each room shows what the other shows too."""
    if (first, second) != ("a5", "b0"):
        return np.zeros((0, 2), np.uint32)
    return world.matches(first, second, world.door[:SHARED])


def lost_among_look_alikes(world: World, first: str, second: str) -> np.ndarray:
    """Too little of each photo to place it, and much more that is not the same."""
    false = look_alike(world, first, second)
    chosen = world.random.choice(world.door, TRUE, replace=False)
    true = world.matches(first, second, chosen)
    taken = np.isin(false[:, 0], true[:, 0]) | np.isin(false[:, 1], true[:, 1])
    return np.concatenate([true, false[~taken]])


def guide(by: float) -> Guide:
    """What puts the rooms where they are, or that far beside it."""

    def world_from(placement: Placement) -> Similarity:
        ids = [*placement.cam_from_world]
        found = [placement.cam_from_world[i].inverse().translation for i in ids]
        return fit_similarity(
            np.array(found), np.array([POSES[i].inverse().translation for i in ids])
        )

    def start(target: Placement, source: Placement) -> Tie:
        beside = Similarity(1.0, np.eye(3), np.array([0.0, by, 0.0]))
        to_world = world_from(target)
        tie = to_world.inverse() @ beside @ world_from(source)
        return Tie(tie, 0.03 / to_world.scale, "a sketch of the house")

    return start


@dataclass(frozen=True, eq=False)
class Run:
    database: PhotoDatabase
    models: list[pycolmap.Reconstruction]
    after: Joined
    placement: Placement


def run(folder: Path, across: Across, guide: Guide | None = None) -> Run:
    database = database_of(folder, across)
    models = map_incrementally(database, relaxed=False, seed=0, task=TASK)
    after = join(database, models, compare=True, seed=0, task=TASK, guide=guide)
    placement = to_placement(
        database, after.models, after.reasons, after.brought, TASK, after.joined
    )
    assert placement is not None
    return Run(database, models, after, placement)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("rooms"), through_the_door)


def assert_true(placement: Placement) -> None:
    ids = [*placement.cam_from_world]
    found = np.array([placement.cam_from_world[i].inverse().translation for i in ids])
    true = np.array([POSES[i].inverse().translation for i in ids])
    true_from_found = fit_similarity(found, true)
    # 0.3 px at 6 m is 2 mm; the door's few points let one room lean against the other by more.
    assert np.linalg.norm(true_from_found @ found - true, axis=1).max() < 0.03
    turned = [
        POSES[i].rotation @ true_from_found.move_camera(placement.cam_from_world[i]).rotation.T
        for i in ids
    ]
    assert rotation_angle_deg(np.array(turned)).max() < 0.3


def test_two_rooms_with_a_door_between_become_one_scene(doors: Run) -> None:
    assert [model.num_reg_images() for model in doors.models] == [6, 5]  # what the mapper leaves
    assert doors.after.brought == ("b0", "b1", "b2", "b3", "b4")
    assert [*doors.placement.cam_from_world] == IDS
    assert doors.placement.others == ()
    assert_true(doors.placement)


def test_the_similarity_fits_what_the_photos_see(doors: Run) -> None:
    target, source = doors.models
    ties = find_ties(doors.database, target, source)
    assert len(ties) > 30
    found = align(ties, target, source, seed=0)
    assert found is not None
    assert len(found.agreeing) > 0.9 * len(ties)
    off = np.linalg.norm(found.target_from_source @ ties.source_xyz - ties.target_xyz, axis=1)
    base = np.linalg.norm(
        target.images[6].projection_center() - target.images[1].projection_center()
    )
    assert np.median(off) < 0.01 * base


@pytest.mark.parametrize("across", [look_alike, one_poster])
def test_what_may_only_look_alike_stays_apart(tmp_path: Path, across: Across) -> None:
    found = run(tmp_path, across)
    assert found.after.brought == ()
    assert [*found.placement.cam_from_world] == IDS[:6]
    (other,) = found.placement.others
    assert [*other.cam_from_world] == IDS[6:]
    assert "too few of them lie alike" in other.apart


@pytest.mark.parametrize(("by", "is_one"), [(None, False), (1.5, False), (0.0, True)])
def test_only_the_right_guide_finds_what_is_lost_among_look_alikes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: float | None, is_one: bool
) -> None:
    # Photo by photo the mapper finds its way too, here.
    monkeypatch.setattr(joining, "_extended", lambda database, model, seed, task: [model])
    found = run(tmp_path, lost_among_look_alikes, None if by is None else guide(by))
    assert [model.num_reg_images() for model in found.models] == [6, 5]
    if is_one:
        assert found.placement.others == ()
        assert_true(found.placement)
        (words,) = found.placement.joined
        assert words.startswith("5 photos (b0, b1, b2 and 2 more) were joined to the others by ")
        assert words.endswith(" points that both show where a sketch of the house says.")
    else:
        assert found.placement.joined == found.after.brought == ()
        (other,) = found.placement.others
        assert "too few of them lie alike" in other.apart


def test_photos_that_show_the_same_are_found_by_where_they_are(doors: Run) -> None:
    target, source = doors.models
    places = [as_placement(doors.database, model) for model in (target, source)]
    pairs = overlapping_pairs(target, source, guide(0.0)(*places).target_from_source, 2)
    assert {b for _, b in pairs} == {7, 8, 9, 10, 11}
    assert len(pairs) == 10
    turned = Similarity(1.0, np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, -40.0]))
    assert overlapping_pairs(target, source, turned, 2) == []


def test_a_model_whose_photos_went_out_again_still_tells_how_sure_its_lens_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = database_of(tmp_path, through_the_door, "guessed, refined")
    models = map_incrementally(database, relaxed=False, seed=0, task=TASK)
    monkeypatch.setattr(joining, "bound_photos", lambda model, start: {*start, 7})
    extended, *_ = joining._extended(database, models[0], 0, TASK)
    assert extended.num_reg_images() == 7
    placement = to_placement(database, [extended], [""], (), TASK)
    assert placement is not None
    assert placement.cameras["camera"].focal_std_px is not None


def test_joining_twice_gives_the_same_numbers(doors: Run, tmp_path: Path) -> None:
    again = run(tmp_path, through_the_door)
    for photo in IDS:
        first, second = (each.placement.cam_from_world[photo] for each in (doors, again))
        np.testing.assert_array_equal(first.matrix(), second.matrix())
    np.testing.assert_array_equal(doors.placement.xyz_world, again.placement.xyz_world)
