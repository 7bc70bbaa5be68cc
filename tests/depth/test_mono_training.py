"""Training: views are true to geometry, batches to their step, and the loop learns."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from recon3d.core.camera import PinholeCamera, backproject, pixel_rays
from recon3d.core.errors import Cancelled, EstimatorError, InputError
from recon3d.depth.mono.checkpoint import read_mono_checkpoint
from recon3d.depth.mono.frames import Frame, FrameSet
from recon3d.depth.mono.imagenet import new_network
from recon3d.depth.mono.inference import predict_depth
from recon3d.depth.mono.objective import MonoObjective, canonical_log_depth
from recon3d.depth.mono.recipe import Augmentation, ModelConfig, Recipe
from recon3d.depth.mono.train import split_frames, train_mono
from recon3d.depth.mono.views import (
    canonical_factor,
    input_camera,
    mirrored,
    training_size,
    training_view,
    view_of,
    view_of_photo,
)
from recon3d.depth.training.schedule import Schedule
from recon3d.run.task import CancelToken, Event, Task

# The principal point is off the middle, so that mistakes about it show.
CAMERA = PinholeCamera(160, 120, 140.0, 140.0, 86.0, 55.0)
NORMAL = np.array([0.3, -0.2, 1.0])
CPU = torch.device("cpu")
TINY = ModelConfig(encoder="mobilenet_v3_large", decoder_width=4, size_px=64)


def plane_depth(
    camera: PinholeCamera, normal: np.ndarray = NORMAL, distance: float = 4.0
) -> np.ndarray:
    return (distance / (pixel_rays(camera) @ normal)).astype(np.float32)


def plane_frame(camera: PinholeCamera = CAMERA) -> Frame:
    rgb = np.random.default_rng(0).integers(0, 255, (15, 20, 3)).astype(np.uint8)
    rgb = cv2.resize(rgb, (camera.width_px, camera.height_px), interpolation=cv2.INTER_CUBIC)
    return Frame("plane", np.asarray(rgb), plane_depth(camera), camera)


def distance_to_plane(view: Frame, normal: np.ndarray = NORMAL) -> np.ndarray:
    points = backproject(view.depth_z, view.camera)
    return np.abs(points @ normal - 4.0) / 4.0


# One source pixel changes the plane's depth by at most 0.36 / 140 of itself; nearest is half of it.
NEAREST = 0.36 / 140


@pytest.mark.parametrize("zoom", [0.5, 1.0, 1.7])
def test_points_of_a_zoomed_and_shifted_view_lie_on_the_same_plane(zoom: float) -> None:
    focal = 140 * zoom
    camera = PinholeCamera(96, 64, focal, focal, 50.0, 20.0)
    view = view_of(plane_frame(), camera)
    known = view.depth_z > 0
    assert known.mean() > 0.6
    assert distance_to_plane(view)[known].max() < NEAREST
    assert np.abs(np.log(view.depth_z[known] / plane_depth(camera)[known])).max() < NEAREST


def test_points_of_a_rolled_view_lie_on_the_rolled_plane() -> None:
    view = view_of(plane_frame(), CAMERA, roll_deg=20)
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    source_from_view = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    known = view.depth_z > 0
    assert 0.6 < known.mean() < 0.95  # the corners come from outside the photo
    assert distance_to_plane(view, source_from_view.T @ NORMAL)[known].max() < NEAREST


def test_points_of_a_mirrored_view_lie_on_the_mirrored_plane() -> None:
    view = mirrored(plane_frame())
    # Points at exact pixel centres: float32 is all that is lost.
    assert distance_to_plane(view, NORMAL * [-1, 1, 1]).max() < 1e-6
    np.testing.assert_array_equal(mirrored(view).rgb, plane_frame().rgb)


def test_a_photo_and_its_depth_stay_on_top_of_each_other() -> None:
    # Colour that is a function of depth must still be that function in the view.
    depth = plane_depth(CAMERA)
    grey = np.rint(40 * depth).astype(np.uint8)
    frame = Frame("g", np.repeat(grey[..., None], 3, 2), depth, CAMERA)
    camera = PinholeCamera(80, 64, 90.0, 90.0, 41.0, 30.0)
    view = view_of(frame, camera, roll_deg=7)
    known = view.depth_z > 0
    # Half a grey level of rounding, and half a pixel of nearest depth: 40 * 4 * NEAREST.
    assert np.abs(view.rgb[..., 0][known] - 40 * view.depth_z[known]).max() < 1.5


def test_zooming_in_brings_canonical_depth_nearer_by_the_zoom() -> None:
    wall = Frame("wall", plane_frame().rgb, np.full((120, 160), 3.0, np.float32), CAMERA)
    zoomed = dataclasses.replace(CAMERA, fx_px=210.0, fy_px=210.0)
    before, after = (
        canonical_log_depth(frame, TINY, "metre")[60, 80] for frame in (wall, view_of(wall, zoomed))
    )
    assert before - after == pytest.approx(np.log(1.5))
    assert np.exp(after) * canonical_factor(zoomed, TINY) == pytest.approx(3.0)


def test_depth_of_arbitrary_scale_is_learned_relative_to_its_median() -> None:
    frame = plane_frame()
    far = dataclasses.replace(frame, depth_z=frame.depth_z * 50)
    near_log, far_log = (canonical_log_depth(f, TINY, "scene") for f in (frame, far))
    np.testing.assert_allclose(near_log, far_log, atol=1e-5)
    assert np.median(near_log) == pytest.approx(0, abs=1e-6)


def test_unknown_depth_is_not_learned() -> None:
    frame = plane_frame()
    frame.depth_z[:50] = 0
    log_depth = canonical_log_depth(frame, TINY, "metre")
    assert np.isnan(log_depth[:50]).all()
    assert np.isfinite(log_depth[50:]).all()


@pytest.mark.parametrize("square", [True, False])
def test_sizes_are_multiples_of_32_or_keep_the_aspect(square: bool) -> None:
    config = dataclasses.replace(TINY, size_px=256, square=square)
    camera = PinholeCamera(640, 480, 500.0, 500.0, 320.0, 240.0)
    assert training_size([camera], config) == ((256, 256) if square else (288, 224))
    upright = PinholeCamera(480, 640, 500.0, 500.0, 240.0, 320.0)
    assert training_size([camera, upright], config) == (256, 256)
    small = input_camera(camera, config)
    assert (small.width_px, small.height_px) == ((256, 256) if square else (296, 222))
    tall = input_camera(PinholeCamera(100, 100_000, 1.0, 1.0, 50.0, 1.0), config)
    assert min(tall.width_px, tall.height_px) >= 1


def test_random_views_show_the_photo_as_large_as_the_network_will_see_it() -> None:
    rng = np.random.default_rng(0)
    size = training_size([CAMERA], TINY)
    focal_px = input_camera(CAMERA, TINY).fx_px
    for _ in range(20):
        view = training_view(plane_frame(), size, TINY, Augmentation(), rng)
        assert view.rgb.shape == (size[1], size[0], 3)
        assert 1 <= view.camera.fx_px / focal_px <= 1.5
        # 74x55 pixels in 64x64, and rolled by up to 5 degrees.
        assert (view.depth_z > 0).mean() > 0.75


def test_without_any_variation_a_view_is_the_photo_or_its_mirror_image() -> None:
    camera = PinholeCamera(128, 128, 140.0, 140.0, 70.0, 60.0)
    config = dataclasses.replace(TINY, size_px=128)
    still = Augmentation(zoom=1.0, roll_deg=0.0)
    whole, other = plane_frame(camera), mirrored(plane_frame(camera))
    rng = np.random.default_rng(0)
    for _ in range(4):
        view = training_view(whole, (128, 128), config, still, rng)
        same = whole if view.camera == camera else other
        np.testing.assert_array_equal(view.rgb, same.rgb)
        np.testing.assert_array_equal(view.depth_z, same.depth_z)


def test_shrinking_averages_instead_of_picking_pixels() -> None:
    checks = (np.indices((120, 160)).sum(0) % 2 * 255).astype(np.uint8)
    rgb = np.repeat(checks[..., None], 3, axis=2)
    small = view_of_photo(rgb, CAMERA, CAMERA.resized(40, 30))
    assert np.abs(small.astype(int) - 127).max() <= 1


def scenes(count: int, size: tuple[int, int] = (96, 64)) -> FrameSet:
    """Rolling hills from 1.5 to 9 m away under random blotches of colour."""
    width, height = size
    camera = PinholeCamera(width, height, 90.0, 90.0, width / 2, height / 2)

    def read(number: int) -> Frame:
        rng = np.random.default_rng(number)
        hills = cv2.resize(rng.uniform(0.4, 2.2, (3, 4)), size, interpolation=cv2.INTER_LINEAR)
        blotches = rng.integers(0, 255, (6, 9, 3)).astype(np.uint8)
        rgb = np.asarray(cv2.resize(blotches, size, interpolation=cv2.INTER_LINEAR))
        return Frame(f"{number}", rgb, np.exp(hills).astype(np.float32), camera)

    return FrameSet("plain", tuple(str(i) for i in range(count)), read)


def objective(frames: FrameSet, recipe: Recipe) -> MonoObjective:
    torch.manual_seed(recipe.seed)
    model, _ = new_network(recipe.model, "none")
    return MonoObjective(model, frames, frames, recipe, CPU)


RECIPE = Recipe(model=TINY, batch=4, pretrained="none")


def test_a_batch_depends_on_its_step_alone() -> None:
    first, again = (objective(scenes(6), RECIPE) for _ in range(2))
    first.batch(0)
    (one,), (other,), (next_one,) = first.batch(3), again.batch(3), again.batch(4)
    torch.testing.assert_close(one.rgb, other.rgb, rtol=0, atol=0)
    torch.testing.assert_close(one.log_depth, other.log_depth, rtol=0, atol=0)
    assert not torch.equal(one.rgb, next_one.rgb)
    assert one.rgb.shape == (4, 3, 64, 64)
    assert one.valid.dtype == torch.bool


def test_each_frame_comes_once_before_any_comes_again() -> None:
    seen: list[int] = []
    frames = scenes(8)

    def read(number: int) -> Frame:
        seen.append(number)
        return frames.read(number)

    taught = objective(dataclasses.replace(frames, read=read), RECIPE)
    seen.clear()  # a few were looked at for their size
    for step in range(4):
        taught.batch(step)
    assert sorted(seen[:8]) == sorted(seen[8:]) == list(range(8))
    assert seen[:8] != seen[8:]


def test_a_broken_frame_is_named_once_and_the_next_one_takes_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    frames = scenes(4)

    def read(number: int) -> Frame:
        if number == 2:
            raise InputError("rgb/2.png: the file is broken or cut off")
        return frames.read(number)

    taught = objective(dataclasses.replace(frames, read=read), RECIPE)
    for step in range(3):
        assert taught.batch(step)[0].rgb.shape[0] == 4
    assert caplog.text.count("rgb/2.png") == 1
    hopeless = dataclasses.replace(frames, read=lambda number: read(2))
    with pytest.raises(InputError, match=r"4 frames in a row.*rgb/2\.png"):
        objective(hopeless, RECIPE)


def test_frames_are_held_out_at_the_end_or_by_the_datasets_own_parts() -> None:
    frames = scenes(25)
    learned, judged = split_frames(frames)
    assert judged.names == ("22", "23", "24")
    assert learned.names == tuple(str(i) for i in range(22))
    parted = dataclasses.replace(
        frames, splits={"train": (0, 1, 2, 3), "val": (3, 7), "test": (9,)}
    )
    learned, judged = split_frames(parted)
    assert (learned.names, judged.names) == (("0", "1", "2"), ("3", "7"))
    assert split_frames(parted, validation="test")[1].names == ("9",)
    with pytest.raises(InputError, match="left to train on"):
        split_frames(scenes(2))


def quiet_task(cancel: CancelToken | None = None, stop_at: int = -1) -> Task:
    token = cancel or CancelToken()

    def listen(event: Event) -> None:
        if event.done == stop_at:
            token.cancel()

    return Task("train", listen, token)


SHORT = Schedule(steps=8, warmup_steps=2, validate_every=4, save_every=3, learning_rate=1e-3)


def trained(folder: Path, stop_at: int = -1) -> dict[str, torch.Tensor]:
    try:
        train_mono(scenes(6), scenes(2), RECIPE, SHORT, folder, CPU, quiet_task(stop_at=stop_at))
    except Cancelled:
        train_mono(scenes(6), scenes(2), RECIPE, SHORT, folder, CPU, quiet_task())
    content = torch.load(folder / "checkpoint.pt", weights_only=True)
    return {**content["model"], **{f"mean {k}": v for k, v in content["mean_model"].items()}}


@pytest.mark.slow
def test_a_stopped_and_resumed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    straight = trained(tmp_path / "straight")
    resumed = trained(tmp_path / "resumed", stop_at=5)
    assert straight.keys() == resumed.keys()
    for name, value in straight.items():
        assert torch.equal(value, resumed[name]), name


def test_a_stopped_run_leaves_a_checkpoint_that_predicts(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        train_mono(scenes(6), scenes(2), RECIPE, SHORT, tmp_path, CPU, quiet_task(stop_at=5))
    checkpoint = read_mono_checkpoint(tmp_path)
    assert checkpoint.files.card["step"] == 5
    assert checkpoint.unit == "metre"
    frame = scenes(1)[0]
    depth_z, confidence = predict_depth(
        checkpoint.network(CPU), checkpoint.model, frame.rgb, frame.camera
    )
    assert depth_z.shape == frame.depth_z.shape
    assert (depth_z > 0).all()
    assert ((confidence > 0) & (confidence <= 1)).all()


def test_going_on_with_another_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        train_mono(scenes(6), scenes(2), RECIPE, SHORT, tmp_path, CPU, quiet_task(stop_at=2))
    other = dataclasses.replace(RECIPE, loss="l1")
    with pytest.raises(EstimatorError, match="another recipe"):
        train_mono(scenes(6), scenes(2), other, SHORT, tmp_path, CPU, quiet_task())


def test_the_processors_threads_share_a_batch() -> None:
    parts = objective(scenes(6), dataclasses.replace(RECIPE, batch=10)).batch(0)
    assert [len(part.rgb) for part in parts] == [8, 2]


@pytest.mark.slow
def test_the_loop_learns_ten_frames_by_heart(tmp_path: Path) -> None:
    frames = scenes(10)
    still = Augmentation(zoom=1.0, roll_deg=0.0, camera_faults=False)
    model = ModelConfig(encoder="resnet18", decoder_width=8, size_px=78)
    recipe = Recipe(model=model, augmentation=still, batch=10, pretrained="none", loss="l1")
    schedule = Schedule(steps=150, warmup_steps=10, validate_every=50, ema=0.95, weight_decay=0)
    errors = train_mono(frames, frames, recipe, schedule, tmp_path, CPU, quiet_task())
    assert errors["delta1"] > 0.99
