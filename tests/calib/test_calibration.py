"""From corners to a camera: known lenses, known noise, known mistakes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from boards import SIZE, VALUES, seen_boards
from recon3d_calib.board import Board
from recon3d_calib.calibrate import Calibration, calibrate
from recon3d_calib.detection import Look
from recon3d_calib.errors import BoardError, CalibrationError
from recon3d_calib.start import Sharing

from recon3d.core.errors import Cancelled
from recon3d.core.lens import LENSES, LensName, project, project_with_slopes
from recon3d.run.task import CancelToken, Task, silent

NOISE_PX = 0.2


def task() -> Task:
    return Task("calibrate", silent, CancelToken())


def solved(
    truth: LensName, seed: int, photos: int = 20, lens: LensName | None = None
) -> Calibration:
    board, looks = seen_boards(truth, photos, np.random.default_rng(seed), NOISE_PX)
    return calibrate(looks, board, task(), lens=lens)


@pytest.mark.parametrize("lens", LENSES)
def test_the_slopes_of_a_lens_are_those_of_finite_differences(lens: LensName) -> None:
    values, rng = np.array(VALUES[lens], float), np.random.default_rng(3)
    points = rng.uniform([-1, -1, 2], [1, 1, 4], (20, 3))
    _, by_values, by_point = project_with_slopes(LENSES[lens], values, points)
    for i in range(len(values)):
        step = np.zeros(len(values))
        step[i] = 1e-6 * max(1, abs(values[i]))
        ahead, behind = (project(LENSES[lens], values + s, points) for s in (step, -step))
        # Central differences in float64 are right to about the cube root of its precision.
        np.testing.assert_allclose(
            by_values[:, :, i], (ahead - behind) / (2 * step[i]), rtol=1e-5, atol=1e-5
        )
    for i in range(3):
        step = np.eye(3)[i] * 1e-6
        ahead, behind = (project(LENSES[lens], values, points + s) for s in (step, -step))
        np.testing.assert_allclose(by_point[:, :, i], (ahead - behind) / 2e-6, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "lens",
    [
        pytest.param(lens, marks=[pytest.mark.slow] if lens in ("rational", "thin-prism") else [])
        for lens in LENSES
    ],
)
def test_without_noise_the_lens_comes_back_exactly(lens: LensName) -> None:
    board, looks = seen_boards(lens, 8, np.random.default_rng(5), 0.0)
    found = calibrate(looks, board, task(), lens=lens)
    points = np.random.default_rng(6).uniform([-0.5, -0.5, 1], [0.5, 0.5, 2], (100, 3))
    shown = project(LENSES[lens], np.array([*found.values.values()]), points)
    truth = project(LENSES[lens], np.array(VALUES[lens], float), points)
    # The solver stops when the sum of squares no longer falls by a billionth.
    assert np.abs(shown - truth).max() < 0.02


@pytest.mark.parametrize("lens", ["brown", "fisheye"])
def test_the_noise_that_went_in_is_the_residual_that_comes_out(lens: LensName) -> None:
    found = solved(lens, 1, lens=lens)
    # Two coordinates; 20 x 54 corners leave the rms within 3 %, poses and lens take 6 %.
    assert found.rms_px == pytest.approx(NOISE_PX * np.sqrt(2), rel=0.09)


@pytest.mark.parametrize(
    "lens",
    [
        "pinhole",
        pytest.param("radial1", marks=pytest.mark.slow),
        pytest.param("radial2", marks=pytest.mark.slow),
        pytest.param("fisheye", marks=pytest.mark.slow),
    ],
)
def test_the_lens_that_took_the_photos_is_the_one_that_is_chosen(lens: LensName) -> None:
    assert solved(lens, 2).lens == lens


@pytest.mark.slow
@pytest.mark.parametrize("lens", ["radial1", "brown", "fisheye"])
def test_error_bars_are_true(lens: LensName) -> None:
    inside, total, squares = 0, 0, 0.0
    for seed in range(100):
        found = solved(lens, 1000 + seed, photos=15, lens=lens)
        for name, truth in zip(found.values, VALUES[lens], strict=True):
            off = abs(found.values[name] - truth) / found.std[name]
            inside += off < 3
            total += 1
            squares += off**2
    assert inside / total >= 0.95
    # Nor are they so wide that nobody could be wrong.
    assert squares / total > 0.3


@pytest.mark.parametrize("sag", [0.02, 0.08])
def test_a_bent_board_does_not_spoil_the_lens(sag: float) -> None:
    # Taken for flat, the larger bend shifts the focal length by 36 px, six of its error bars.
    board, looks = seen_boards("radial2", 20, np.random.default_rng(0), NOISE_PX, sag)
    found = calibrate(looks, board, task(), lens="radial2")
    off = np.array(list(found.values.values())) - VALUES["radial2"]
    assert (np.abs(off) < 3 * np.array(list(found.std.values()))).all()
    # Only the larger one is worth a lens that other programs would not find.
    assert found.bend == pytest.approx(sag if sag > 0.05 else 0.0, rel=0.1)


def test_a_board_is_taken_for_flat_where_one_insists() -> None:
    board, looks = seen_boards("radial2", 20, np.random.default_rng(0), NOISE_PX, 0.08)
    flat = calibrate(looks, board, task(), lens="radial2", sharing=Sharing(bent_board=False))
    assert flat.bend == 0
    assert flat.intrinsics.pinhole.fx_px < 980
    assert flat.std["fx"] > 20


@pytest.mark.slow
def test_flat_boards_are_taken_for_flat() -> None:
    for seed in range(40):
        board, looks = seen_boards("radial2", 15, np.random.default_rng(seed), NOISE_PX)
        assert calibrate(looks, board, task(), lens="radial2").bend == 0


def test_one_photo_that_is_off_does_not_spoil_the_others_and_is_named() -> None:
    board, looks = seen_boards("radial1", 15, np.random.default_rng(4), NOISE_PX)
    bad = looks[6].detection
    assert bad
    shaken = bad.points_px + np.random.default_rng(7).normal(0, 6, bad.points_px.shape)
    looks[6] = replace(looks[6], detection=replace(bad, points_px=shaken))
    found = calibrate(looks, board, task(), lens="radial1")
    assert [photo.photo_id for photo in found.photos if not photo.used] == ["006.jpg"]
    assert "px off" in found.photos[6].reason
    assert found.intrinsics.pinhole.fx_px == pytest.approx(1000, abs=4 * found.std["fx"])


def test_single_corners_that_are_off_are_left_out() -> None:
    board, looks = seen_boards("radial1", 15, np.random.default_rng(4), NOISE_PX)
    bad = looks[3].detection
    assert bad
    moved = bad.points_px.copy()
    moved[[10, 20]] += 4
    looks[3] = replace(looks[3], detection=replace(bad, points_px=moved))
    found = calibrate(looks, board, task(), lens="radial1")
    assert set(np.flatnonzero(~found.photos[3].kept)) == {10, 20}


def test_photos_of_another_size_are_left_out_with_the_reason() -> None:
    board, looks = seen_boards("radial1", 10, np.random.default_rng(4), NOISE_PX)
    odd = looks[2].detection
    assert odd
    looks[2] = replace(looks[2], detection=replace(odd, width_px=1201, height_px=901))
    found = calibrate(looks, board, task(), lens="radial1")
    assert "1201x901" in found.photos[2].reason
    assert len(found.used) == 9


def test_parts_of_boards_count_too() -> None:
    board, looks = seen_boards("radial1", 12, np.random.default_rng(8), NOISE_PX)
    whole = looks[0].detection
    assert whole
    # Rows 1 to 3 and columns 2 to 7, counted from where the part begins.
    part = np.arange(54).reshape(6, 9)[1:4, 2:8].ravel()
    places = board.points[part] - board.points[part].min(axis=0)
    looks[0] = Look(
        "000.jpg",
        replace(whole, points_px=whole.points_px[part], points_board=places, numbers=None),
    )
    found = calibrate(looks, board, task(), lens="radial1")
    assert found.photos[0].used
    assert found.photos[0].rms_px < 3 * NOISE_PX


def test_one_photo_is_not_enough_and_the_message_says_what_to_do() -> None:
    board, looks = seen_boards("pinhole", 1, np.random.default_rng(4), NOISE_PX)
    with pytest.raises(CalibrationError, match="1 of 1 photos") as error:
        calibrate(looks, board, task())
    assert "tilted" in error.value.hint


def test_photos_of_the_same_place_count_once() -> None:
    board, looks = seen_boards("brown", 12, np.random.default_rng(5), 0.1)
    again = [replace(look, photo_id=f"again {look.photo_id}") for look in looks]
    twice = calibrate([*looks, *map(_renamed, again)], board, task(), lens="brown")
    once = calibrate(looks, board, task(), lens="brown")
    assert twice.std == once.std
    assert {photo.photo_id for photo in twice.used} == {look.photo_id for look in looks}
    assert f"where {looks[0].photo_id} does" in twice.photos[12].reason


def test_a_board_that_never_moved_is_an_error_that_says_so() -> None:
    board, (look, *_) = seen_boards("brown", 1, np.random.default_rng(5), 0.1)
    looks = [_renamed(replace(look, photo_id=str(index))) for index in range(4)]
    with pytest.raises(CalibrationError, match="4 of 4 photos of one size, but in only 1 place;"):
        calibrate(looks, board, task())


def test_another_board_is_named() -> None:
    board, _ = seen_boards("pinhole", 1, np.random.default_rng(4), NOISE_PX)
    looks = [Look(f"{i}.jpg", reason="other", other_size=(7, 5)) for i in range(5)]
    with pytest.raises(BoardError, match="5 of 5 show one of 7x5"):
        calibrate(looks, board, task())


def test_photos_without_a_board_are_an_error() -> None:
    board, _ = seen_boards("pinhole", 1, np.random.default_rng(4), NOISE_PX)
    with pytest.raises(BoardError, match="None of the 2 photos"):
        calibrate([Look("a.jpg", reason="no"), Look("b.jpg", reason="no")], board, task())


def test_it_stops_when_asked() -> None:
    board, looks = seen_boards("pinhole", 6, np.random.default_rng(4), NOISE_PX)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        calibrate(looks, board, Task("calibrate", silent, token))


def test_it_stops_in_the_middle_of_an_adjustment() -> None:
    board, looks = seen_boards("pinhole", 6, np.random.default_rng(4), NOISE_PX)
    token, checks = CancelToken(), 0

    class Impatient(Task):
        def check(self) -> None:
            nonlocal checks
            checks += 1
            # There are fewer steps from one lens and one round to the next.
            if checks == 20:
                token.cancel()
            super().check()

    with pytest.raises(Cancelled):
        calibrate(looks, board, Impatient("calibrate", silent, token), lens="pinhole")
    assert checks == 20


def test_square_pixels_share_one_focal_length() -> None:
    board, looks = seen_boards("radial1", 10, np.random.default_rng(4), NOISE_PX)
    camera = calibrate(
        looks, board, task(), lens="radial1", sharing=Sharing(square_pixels=True)
    ).intrinsics.pinhole
    assert (camera.width_px, camera.height_px) == SIZE
    assert camera.fx_px == pytest.approx(camera.fy_px, rel=1e-9)


def zoomed_boards(factors: np.ndarray) -> tuple[Board, list[Look]]:
    """Boards before a lens that was zoomed from photo to photo."""
    board, looks = seen_boards("radial1", len(factors), np.random.default_rng(12), 0.0)
    rng, zoomed = np.random.default_rng(13), []
    for look, factor in zip(looks, factors, strict=True):
        assert look.detection
        away = look.detection.points_px - VALUES["radial1"][2:4]
        points_px = VALUES["radial1"][2:4] + factor * away
        points_px += rng.normal(0, NOISE_PX, points_px.shape)
        zoomed.append(replace(look, detection=replace(look.detection, points_px=points_px)))
    return board, zoomed


def test_a_lens_that_was_zoomed_has_a_focal_length_for_each_photo() -> None:
    factors = np.random.default_rng(14).uniform(0.6, 1.4, 16)
    board, looks = zoomed_boards(factors)
    found = calibrate(looks, board, task(), lens="radial1", sharing=Sharing(zoom=True))
    assert len(found.zooms) == 16
    sigmas = []
    for zoom, factor in zip(found.zooms.values(), factors, strict=True):
        camera = zoom.intrinsics.pinhole
        assert camera.fy_px / camera.fx_px == pytest.approx(1.004, abs=0.01)
        sigmas.append((camera.fx_px - 1000 * factor) / zoom.std_px)
    # Gaussian errors have a root mean square of 1 in their own standard deviations.
    assert np.abs(sigmas).max() < 4
    assert 0.4 < np.sqrt(np.mean(np.square(sigmas))) < 1.6
    assert found.rms_px == pytest.approx(NOISE_PX * np.sqrt(2), rel=0.12)


def test_without_zoom_the_same_photos_fit_much_worse() -> None:
    board, looks = zoomed_boards(np.linspace(0.9, 1.1, 10))
    fixed = calibrate(looks, board, task(), lens="radial1")
    assert fixed.rms_px > 2 * NOISE_PX * np.sqrt(2) or len(fixed.used) < 10


def _renamed(look: Look) -> Look:
    assert look.detection is not None
    return replace(look, detection=replace(look.detection, photo_id=look.photo_id))
