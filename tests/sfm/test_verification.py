"""Pairs that hold get COLMAP's own geometry, pairs of chance none, at a fraction of the work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy.spatial.transform import Rotation

from recon3d.core.camera import Intrinsics, PinholeCamera
from recon3d.core.errors import Cancelled
from recon3d.core.scene import CameraEstimate
from recon3d.core.transform import Rigid
from recon3d.run.task import CancelToken, Event, Task, silent
from recon3d.sfm.features import PhotoDatabase, PhotoToPlace, prepare
from recon3d.sfm.pycolmap_library import pycolmap
from recon3d.sfm.verification import turned_alike, verify_pairs

CAMERA = PinholeCamera(1000, 800, 900.0, 900.0, 500.0, 400.0)
TASK = Task("pose", silent, CancelToken())
HOLDING, CHANCE = 20, 25
# The last one shows something else.
PHOTOS = ("straight", "aside", "rolled", "elsewhere")
PAIRS = [(0, 1), (0, 2), (1, 2), (1, 3)]
SIDEWAYS = Rotation.from_euler("z", 90, degrees=True).as_matrix()
POSES = {
    "straight": Rigid(np.eye(3), np.array([0.0, 0.0, 6.0])),
    "aside": Rigid(Rotation.from_euler("y", 20, degrees=True).as_matrix(), np.array([-2.0, 0, 6])),
    # A phone turned on its side.
    "rolled": Rigid(SIDEWAYS, np.array([0.4, 0.6, 6.5])),
}


def features_of(pose: Rigid, xyz: np.ndarray, along: np.ndarray) -> np.ndarray:
    """COLMAP's six columns, of points that show a direction along their surface."""

    def px(points: np.ndarray) -> np.ndarray:
        xyz_cam = pose @ points
        return xyz_cam[:, :2] / xyz_cam[:, 2:] * 900 + np.array([500, 400])

    where = px(xyz)
    c, s = ((px(xyz + 0.01 * along) - where) / 3).T
    return np.column_stack([where, c, -s, s, c])


def database_of(folder: Path, source: str) -> PhotoDatabase:
    """Matches of pairs: some that hold, except with the last photo, and some of chance."""
    random = np.random.default_rng(5)
    for name in PHOTOS:
        Image.fromarray(np.zeros((8, 10), np.uint8)).save(folder / f"{name}.png")
    photos = tuple(PhotoToPlace(name, folder / f"{name}.png", None, "camera") for name in PHOTOS)
    cameras = {"camera": CameraEstimate(Intrinsics(CAMERA), source)}
    database = PhotoDatabase(folder / "sfm", photos, cameras)
    prepare(database)
    xyz = random.uniform(-1.5, 1.5, (HOLDING, 3))
    along = np.append(random.normal(size=(HOLDING, 2)), np.zeros((HOLDING, 1)), axis=1)
    with database.open() as stored:
        for number, name in enumerate(PHOTOS, start=1):
            count = HOLDING + CHANCE
            angle = random.uniform(-np.pi, np.pi, count)
            c, s = np.cos(angle), np.sin(angle)
            spots = random.uniform(0, [1000, 800], (count, 2))
            features = np.column_stack([spots, c, -s, s, c])
            if name in POSES:
                features[:HOLDING] = features_of(POSES[name], xyz, along)
                features[:HOLDING, :2] += random.normal(0, 0.3, (HOLDING, 2))
            stored.write_keypoints(number, features.astype(np.float32))
        for a, b in PAIRS:
            rows = np.arange(HOLDING + CHANCE)
            other = rows.copy()
            other[HOLDING:] = random.permutation(rows[HOLDING:])
            stored.write_matches(a + 1, b + 1, np.column_stack([rows, other]).astype(np.uint32))
    return database


def found(database: PhotoDatabase) -> list[tuple[int, list[list[int]]]]:
    """By pair: the kind of geometry and the matches that it explains."""
    geometries = []
    with database.open() as stored:
        for a, b in PAIRS:
            geometry = stored.read_two_view_geometry(a + 1, b + 1)
            geometries.append((int(geometry.config), geometry.inlier_matches.tolist()))
    return geometries


@pytest.mark.parametrize("source", ["guessed, refined", "given"])
def test_pairs_that_hold_get_the_geometry_that_colmap_itself_finds(
    tmp_path: Path, source: str
) -> None:
    (tmp_path / "slow").mkdir()
    (tmp_path / "fast").mkdir()
    slow, fast = (database_of(tmp_path / name, source) for name in ("slow", "fast"))
    listed = tmp_path / "pairs.txt"
    listed.write_text("\n".join(f"{slow.name(a)} {slow.name(b)}" for a, b in PAIRS))
    options = pycolmap.TwoViewGeometryOptions()
    options.ransac.random_seed = 0
    pycolmap.verify_matches(slow.path, listed, options)
    verify_pairs(fast, PAIRS, seed=0, threads=1, task=TASK)
    assert found(fast) == found(slow)
    counts = [len(matches) for _, matches in found(fast)]
    assert [count >= 15 for count in counts] == [True, True, True, False]


def test_pairs_of_chance_cost_few_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = database_of(tmp_path, "given")
    shares: dict[int, float] = {}
    estimate = pycolmap.estimate_two_view_geometry

    def watched(*values: Any) -> pycolmap.TwoViewGeometry:
        matches, options = values[4:]
        shares[len(matches)] = options.ransac.min_inlier_ratio
        return estimate(*values)

    monkeypatch.setattr(pycolmap, "estimate_two_view_geometry", watched)
    verify_pairs(database, [(1, 3)], seed=0, threads=1, task=TASK)
    # COLMAP draws 10 000 samples of 7 where it hopes for .25 of the matches, as by itself, and
    # 3 ln(1 - .999) / ln(1 - .5 ** 7) = 2 642 at .5.
    assert min(shares.values()) > 0.5
    assert max(shares) < HOLDING + CHANCE


def test_threads_change_nothing(tmp_path: Path) -> None:
    results = []
    for threads in (1, 2):
        folder = tmp_path / str(threads)
        folder.mkdir()
        database = database_of(folder, "given")
        verify_pairs(database, PAIRS, seed=0, threads=threads, task=TASK)
        results.append(found(database))
    assert results[0] == results[1]


def test_a_pair_that_is_verified_is_not_touched_again(tmp_path: Path) -> None:
    database = database_of(tmp_path, "given")
    with database.open() as stored:
        stored.write_two_view_geometry(1, 2, pycolmap.TwoViewGeometry())
    verify_pairs(database, PAIRS, seed=0, threads=1, task=TASK)
    assert [bool(matches) for _, matches in found(database)] == [False, True, True, False]


def test_who_cancels_waits_for_no_pair(tmp_path: Path) -> None:
    database = database_of(tmp_path, "given")
    cancel = CancelToken()
    events: list[Event] = []
    cancel.cancel()
    with pytest.raises(Cancelled):
        verify_pairs(database, PAIRS, seed=0, threads=2, task=Task("pose", events.append, cancel))
    with database.open() as stored:
        assert not stored.exists_two_view_geometry(1, 2)


@given(
    arrays(np.float64, st.integers(1, 40), elements=st.integers(-720, 720)), st.integers(-360, 360)
)
def test_most_angles_that_lie_within_a_sixth_of_a_circle_are_found(
    turned_deg: np.ndarray, roll_deg: int
) -> None:
    chosen = turned_alike(turned_deg)
    ahead_deg = (turned_deg[None] - turned_deg[:, None]) % 360
    assert len(chosen) == (ahead_deg <= 60).sum(axis=1).max()
    # Nothing depends on how the camera was held.
    assert len(turned_alike(turned_deg + roll_deg)) == len(chosen)
    assert (ahead_deg[np.ix_(chosen, chosen)] <= 60).all(axis=1).any()
