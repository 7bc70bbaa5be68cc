"""How large the scene is: what users, markers and instruments say, and how sure that is."""

from __future__ import annotations

from contextlib import suppress

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marker_scene import CAMERA, around, marker_corners, photograph

from recon3d.core.camera import project
from recon3d.core.errors import ConfigError
from recon3d.core.scene import View
from recon3d.core.squares import measure_square
from recon3d.core.triangulation import triangulate
from recon3d.georef.known_scale import KnownFactor, KnownLength, ModelPoint, PhotoPixel, parse_scale
from recon3d.georef.scale_cues import ScaleCue, fuse_scales
from recon3d.photos.markers import check_family, find_markers

LENGTHS = [
    ("a.jpg:812,440 a.jpg:1210,455 = 0.42", 0.42),
    ("a.jpg:812,440+b.jpg:1,2  a.jpg:1210,455 + b.jpg:3,4=42 cm", 0.42),
    ("my photo.jpg:1.5,2 sub/x y+z.jpg:3,4 = 2ft", 0.6096),
    ("山/ü:b.png:1,2 a.jpg:3,4 = 1e3mm", 1.0),
    ("0.1,0,-.3 0.9,0.1,0.3 = 1.5 M", 1.5),
]


@pytest.mark.parametrize(("text", "metres"), LENGTHS)
def test_a_distance_is_read_with_its_unit(text: str, metres: float) -> None:
    (known,) = parse_scale(text)
    assert isinstance(known, KnownLength)
    assert known.metres == pytest.approx(metres)


def test_names_with_spaces_signs_and_colons_end_where_the_numbers_do() -> None:
    (known,) = parse_scale("a+b c:d.jpg:1,2 + 3, 4.jpg:5,6 e.jpg:7,8 = 1")
    assert known.start == (PhotoPixel("a+b c:d.jpg", 1.0, 2.0), PhotoPixel("3, 4.jpg", 5.0, 6.0))
    assert known.end == (PhotoPixel("e.jpg", 7.0, 8.0),)


def test_several_distances_and_factors_are_separated_by_semicolons() -> None:
    found = parse_scale("a.jpg:1,2 a.jpg:3,4 = 1; 2.5 ;1,2,3 4,5,6 = 3;")
    assert [type(one) for one in found] == [KnownLength, KnownFactor, KnownLength]
    assert found[2].start == ModelPoint((1.0, 2.0, 3.0))
    assert parse_scale(" ") == ()


@pytest.mark.parametrize(
    "text",
    ["a.jpg:1,2 = 1", "a.jpg:1,2 b.jpg:3,4 = 0", "a.jpg:1,2 b.jpg:3,4 = -1", "a b = 1", "0", "nan",
     "a.jpg:1,2 b.jpg:3,4 = 3 yards", "1,2,3 + 4,5,6 7,8,9 = 1", "a.jpg:1,2 a.jpg:1,2 = 1", "=1",
     "a.jpg:1,2 b.jpg:3,4 = 1e999", "a.jpg:1,2 b.jpg:3,4 c.jpg:1,1 = 1"],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_scale(text)
    assert text.strip() in str(caught.value)
    assert "a.jpg:812,440" in caught.value.hint


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ConfigError):
        parse_scale(text)


def cue(scale: float, sigma: float, source: str = "distance", warning: str = "") -> ScaleCue:
    return ScaleCue(source, f"{scale}", scale, sigma, warning)


def test_the_surer_cue_weighs_more() -> None:
    fused = fuse_scales([cue(1.0, 0.01), cue(1.03, 0.03)])
    assert fused
    assert np.log(fused.metres_per_unit) == pytest.approx(np.log(1.03) / 10)
    assert fused.sigma == pytest.approx(0.01 / np.sqrt(1 + 1 / 9))


def test_error_bars_of_fused_cues_are_true_in_19_of_20_cases() -> None:
    rng = np.random.default_rng(0)
    misses = 0
    for _ in range(400):
        sigmas = rng.uniform(0.002, 0.05, rng.integers(1, 6))
        fused = fuse_scales([cue(float(np.exp(rng.normal(0, s))), float(s)) for s in sigmas])
        assert fused
        misses += abs(np.log(fused.metres_per_unit)) > 2 * fused.sigma
    # 4.6 % are expected of a normal distribution; 400 draws scatter by 1 %.
    assert misses / 400 < 0.08


def test_one_wrong_distance_of_three_is_rejected_and_named() -> None:
    fused = fuse_scales([cue(2.0, 0.01), cue(1.0, 0.01), cue(1.01, 0.01)])
    assert fused
    assert fused.metres_per_unit == pytest.approx(1.005, abs=0.001)
    assert [judged.used for judged in fused.cues] == [False, True, True]
    assert "99.0 % larger" in fused.cues[0].reason


def test_a_users_distance_outranks_gps_and_the_unit_of_the_poses() -> None:
    fused = fuse_scales([cue(1.0, 0.01, "metric poses"), cue(1.1, 0.02, "gps"), cue(0.5, 0.03)])
    assert fused
    assert fused.metres_per_unit == pytest.approx(0.5)
    assert [judged.used for judged in fused.cues] == [False, False, True]


def test_a_third_cue_decides_between_two_distances_that_contradict() -> None:
    told = [cue(1.0, 0.002), cue(1.5, 0.02)]
    assert fuse_scales([*told, cue(1.45, 0.05, "gps")]).metres_per_unit == pytest.approx(1.5, 0.01)


def test_cues_that_differ_more_than_their_bars_widen_the_joint_bar() -> None:
    fused = fuse_scales([cue(1.0, 0.01), cue(1.04, 0.01)])
    assert fused.sigma == pytest.approx(0.02, rel=0.05)


def test_doubtful_cues_alone_give_no_scale() -> None:
    assert fuse_scales([cue(1.0, 0.1, warning="too far")]) is None
    assert fuse_scales([]) is None


def test_pixel_noise_in_is_point_error_out() -> None:
    views = around(6, 3.0, 1.0, arc_deg=60)
    rng = np.random.default_rng(1)
    normed = []
    for _ in range(60):
        point = rng.uniform(-0.4, 0.4, 3)
        uv = np.stack([seen(view, point[None])[0] for view in views])
        found = triangulate(views, uv + rng.normal(0, 0.5, uv.shape), 0.5)
        assert found
        gap = found.xyz_world - point
        normed.append(gap @ np.linalg.solve(found.covariance, gap))
    # Chi-square with three degrees of freedom; the covariance never counts as below the noise.
    assert 2.0 < np.mean(normed) < 3.6


def test_parallel_rays_meet_nowhere() -> None:
    view = around(2, 3.0, 1.0)[0]
    assert triangulate([view, view], np.array([[320.0, 240], [320, 240]]), 1.0) is None


def seen(view: View, points: np.ndarray) -> np.ndarray:
    return project(view.cam_from_world @ points, view.camera)[0]


def test_error_bars_of_markers_are_true_in_9_of_10_cases() -> None:
    views = around(6, 2.2, 1.3, arc_deg=90)
    hits = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        corners = marker_corners(rng.uniform(-0.4, 0.4, 2), 0.2, rng.uniform(0, 360))
        px = np.stack([seen(view, corners) for view in views])
        square = measure_square(views, px + rng.normal(0, 0.4, px.shape))
        assert square
        assert square.sigma / square.edge < 0.01
        hits += abs(square.edge - 0.2) < 2 * square.sigma
    assert hits >= 45


def test_a_second_marker_with_the_same_number_does_not_mix_in() -> None:
    views = around(6, 2.2, 1.3, arc_deg=90)
    here, there = marker_corners(np.zeros(2), 0.2, 10), marker_corners(np.array([0.5, 0]), 0.2, 50)
    px = np.stack([seen(v, there if n in (1, 4) else here) for n, v in enumerate(views)])
    square = measure_square(views, px)
    assert square
    assert square.edge == pytest.approx(0.2, abs=1e-6)
    assert square.sightings.tolist() == [0, 2, 3, 5]


def test_what_is_no_square_is_no_marker() -> None:
    views = around(4, 2.2, 1.3)
    bent = marker_corners(np.zeros(2), 0.2, 0)
    bent[0] += 0.05
    assert measure_square(views, np.stack([seen(view, bent) for view in views])) is None
    assert measure_square(views[:1], np.stack([seen(views[0], bent)])) is None


@pytest.mark.parametrize(
    ("family", "dictionary"),
    [("aruco_4x4_50", cv2.aruco.DICT_4X4_50), ("apriltag_36h11", cv2.aruco.DICT_APRILTAG_36h11),
     ("auto", cv2.aruco.DICT_6X6_250)],
)  # fmt: skip
def test_rendered_markers_are_measured_to_two_parts_in_a_thousand(
    family: str, dictionary: int
) -> None:
    rng = np.random.default_rng(0)
    views = around(4, 2.0, 1.2)
    markers = [
        (marker_corners(np.array([x, 0.1]), 0.22, 30 * x), n) for n, x in ((3, -0.4), (7, 0.4))
    ]
    sightings: dict[int, list[tuple[View, np.ndarray]]] = {}
    for view in views:
        for marker in find_markers(photograph(view, markers, dictionary, rng), family):
            sightings.setdefault(marker.number, []).append((view, marker.corners_px))
    assert sorted(sightings) == [3, 7]
    for seen_by in sightings.values():
        square = measure_square([v for v, _ in seen_by], np.stack([uv for _, uv in seen_by]))
        assert square
        assert square.edge == pytest.approx(0.22, rel=2e-3)


def test_an_empty_picture_has_no_markers() -> None:
    blank = np.full((CAMERA.height_px, CAMERA.width_px, 3), 128, np.uint8)
    assert find_markers(blank, "aruco_4x4_50") == []


def test_an_unknown_family_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError) as caught:
        check_family("apriltag36h11", "frame.markers")
    assert "apriltag_36h11" in caught.value.hint
