"""GPS in the bundle adjustment straightens strips that bend, and bends none that are straight."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drone_strip import bending_m, bent_strip, fly, gps_of, mapped, photos_with, readings

from recon3d.core.scene import Exif
from recon3d.core.transform import fit_similarity
from recon3d.run.task import Cancelled, CancelToken, Task, silent
from recon3d.sfm.gps_adjustment import adjust_to_gps
from recon3d.sfm.gps_readings import read_gps

TASK = Task("pose", silent, CancelToken())


@pytest.mark.slow
def test_a_strip_is_straightened_to_what_gps_of_all_photos_together_can_tell() -> None:
    flight, placement = bent_strip()
    bent = bending_m(flight, placement)
    assert bent > 5
    straight, outcome = adjust_to_gps(placement, gps_of(flight, 2.0, outliers=0.1), TASK)
    assert outcome
    assert outcome.used, outcome.why
    # 51 readings of 2 m (4 in height) hold a handful of ways to bend: 6 / sqrt(51) is .85.
    assert bending_m(flight, straight) < 1.3
    # A tenth of the readings lies 40 m off and says nothing of the others.
    assert outcome.error_m == pytest.approx(2, rel=0.25)
    assert outcome.before_m > 1.2 * outcome.after_m
    assert outcome.moved_m > 5


def test_the_world_and_what_is_not_adjusted_stay() -> None:
    flight, placement = bent_strip()
    straight, _ = adjust_to_gps(placement, gps_of(flight, 1.0), TASK)
    assert bending_m(flight, straight) < 1 < 5 < bending_m(flight, placement)
    assert [*straight.cam_from_world] == [*placement.cam_from_world]
    assert len(straight.xyz_world) == len(placement.xyz_world)
    np.testing.assert_array_equal(straight.observations, placement.observations)
    # Cameras in a row would leave open how all of it turns around them.
    fit = fit_similarity(placement.xyz_world, straight.xyz_world)
    assert fit.scale == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(fit.rotation, np.eye(3), atol=0.05)
    # The pixels fit as before: bending costs them nothing, which is why strips bend.
    assert straight.error_px.mean() == pytest.approx(placement.error_px.mean(), rel=0.02)
    assert straight.cameras["drone"].source == placement.cameras["drone"].source


def test_gps_that_is_too_coarse_for_the_scene_or_of_another_flight_changes_nothing() -> None:
    flight, placement = bent_strip()
    ids = [*flight.poses][:7]
    same, outcome = adjust_to_gps(placement, gps_of(flight, 1.0).of(ids), TASK)
    assert (same, outcome) == (placement, None)
    small = replace(gps_of(flight, 0.01), enu_m=0.02 * gps_of(flight, 0.01).enu_m)
    same, outcome = adjust_to_gps(placement, small, TASK)
    assert (same, outcome) == (placement, None)
    mixed = gps_of(flight, 1.0)
    shuffled = np.random.default_rng(0).permutation(len(mixed.enu_m))
    same, outcome = adjust_to_gps(placement, replace(mixed, enu_m=mixed.enu_m[shuffled]), TASK)
    assert same is placement
    assert outcome
    assert not outcome.used
    assert "fit the way the cameras stand" in outcome.why


@pytest.mark.slow
def test_a_straight_strip_stays_where_gps_has_nothing_to_add() -> None:
    flight, placement = bent_strip()
    straight, _ = adjust_to_gps(placement, gps_of(flight, 0.3), TASK)
    same, outcome = adjust_to_gps(straight, gps_of(flight, 3.0, seed=5), TASK)
    assert outcome
    assert (same is straight) == (not outcome.used)
    assert bending_m(flight, same) < 0.8


def test_it_can_be_stopped() -> None:
    flight, placement = bent_strip()
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        adjust_to_gps(placement, gps_of(flight, 1.0), Task("pose", silent, token))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_the_better_gps_is_the_straighter_the_strip(tmp_path, seed: int) -> None:
    flight = fly(1500, 1, 30, 0.5, seed, 150)
    placement = mapped(flight, tmp_path, seed)
    assert placement
    left = []
    for sigma_m in (0.02, 0.5, 3.0):
        told = gps_of(flight, sigma_m, outliers=0.05)
        if sigma_m < 1:
            accuracy = np.repeat([[sigma_m, sigma_m, 2 * sigma_m]], len(told.std_m), axis=0)
            told = replace(told, std_m=accuracy, is_stated=np.ones(len(accuracy), bool))
        straight, outcome = adjust_to_gps(placement, told, TASK)
        assert outcome
        left.append(bending_m(flight, straight))
    assert left[0] < 0.15
    # Half of what a single reading is off in space.
    assert left[1] < 0.6
    assert left[2] < max(2.0, 1.05 * bending_m(flight, placement))


HERE = (52.5, 13.4, 100.0)


def warned(places: list[tuple[float, float, float] | None]) -> tuple[list[str], str]:
    photos = {f"{n}.jpg": Exif(gps_deg_m=place) for n, place in enumerate(places)}
    found = read_gps(photos_with(photos))
    return [*found.photo_ids], found.warning


def moved(*steps: float) -> list[tuple[float, float, float] | None]:
    """About a hundred metres to the north each."""
    return [(HERE[0] + 0.001 * step, *HERE[1:]) for step in steps]


def test_readings_that_cannot_be_true_do_not_count_and_are_named() -> None:
    good = ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert warned(moved(0, 1, 2, 3)) == (good, "")
    assert warned([*moved(0, 1, 2, 3), None]) == (good, "")
    ids, warning = warned([*moved(0, 1, 2, 3), (0.0, 0.0, 0.0)])
    assert ids == good
    assert warning == "The GPS of 4.jpg has no fix (0, 0) and does not count."
    ids, warning = warned([*moved(0, 1, 2, 3), (48.1, 11.6, 500.0)])
    assert ids == good
    assert "4.jpg lies kilometres off" in warning
    assert warned(moved(1, 1, 1, 1)) == (
        [],
        "All photos repeat one GPS reading, so none says where it was taken.",
    )
    _, warning = warned([HERE, (10.0, 10.0, 0.0), (-40.0, 100.0, 0.0), HERE, (30.0, -80.0, 0.0)])
    assert warning == "The photos' GPS readings jump by kilometres, so none of them counts."
    assert warned([None, None]) == ([], "")


def test_metres_are_metres_and_default_errors_are_those_of_consumer_gps() -> None:
    flight = fly(300)
    told = read_gps(photos_with(readings(flight, 1e-9, 0)))
    true = flight.centres
    gaps = fit_similarity(told.enu_m, true) @ told.enu_m - true
    assert np.abs(gaps).max() < 0.01
    assert fit_similarity(told.enu_m, true).scale == pytest.approx(1, abs=1e-4)
    assert told.std_m[0].tolist() == [4, 4, 8]
    assert not told.is_stated.any()
