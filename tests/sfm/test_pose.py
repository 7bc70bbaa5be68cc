"""Photos find their place in space, or a reason why not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import Cancelled, IntrinsicsError, PosesError, TooFewPhotosPlacedError
from recon3d.core.scene import Exif, GivenCameras, ImageSet, Photo, PosedPhotos
from recon3d.core.transform import Rigid, fit_similarity, rotation_angle_deg
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Event, Task
from recon3d.sfm.register import place_photos, read_posed_photos
from recon3d.sfm.structure_from_motion import PoseConfig
from recon3d.sfm.undistortion import Undistorter, undistorted_camera

CAMERA = PinholeCamera(480, 360, 450.0, 450.0, 240.0, 180.0)
CONFIG = PoseConfig(features=2000, attempts=1)
# Two walls that meet in a corner: origin, and the edges of one metre of texture each.
WALLS = (
    ((-2.0, -1.5, 4.0), (2.0, 0.0, 2.0), (0.0, 3.0, 0.0)),
    ((0.0, -1.5, 6.0), (2.0, 0.0, -2.0), (0.0, 3.0, 0.0)),
)


def look_from(x: float, y: float) -> Rigid:
    """A camera at (x, y, 0) that looks at the corner."""
    centre = np.array([x, y, 0.0])
    forward = np.array([0.0, 0.0, 5.0]) - centre
    forward /= np.linalg.norm(forward)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return Rigid(rotation, -rotation @ centre)


def render(pose: Rigid) -> np.ndarray:
    """The corner, exactly: each wall is a homography of its texture."""
    picture = np.full((CAMERA.height_px, CAMERA.width_px), 90, np.uint8)
    # OpenCV's pixel centres lie at whole numbers, ours half a pixel further.
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    for seed, (origin, across, down) in enumerate(WALLS):
        generator = np.random.default_rng(seed)
        texture = generator.integers(0, 256, (30, 30)).astype(np.uint8)
        texture = cv2.GaussianBlur(
            cv2.resize(texture, (900, 900), interpolation=cv2.INTER_NEAREST), (0, 0), 2
        )
        from_wall = np.column_stack([across, down, origin]) / [[900, 900, 1]]
        from_wall = pose.rotation @ from_wall
        from_wall[:, 2] += pose.translation
        homography = half @ CAMERA.matrix @ from_wall
        size = (CAMERA.width_px, CAMERA.height_px)
        seen = cv2.warpPerspective(texture, homography, size, flags=cv2.INTER_AREA)
        solid = cv2.warpPerspective(np.full_like(texture, 255), homography, size)
        picture = np.where(solid > 127, seen, picture)
    return picture


POSES = {f"{n}.jpg": look_from(x, 0.2 * (n % 2)) for n, x in enumerate(np.linspace(-1.5, 1.5, 6))}


def make_image_set(folder: Path, pictures: Mapping[str, np.ndarray], **more: object) -> ImageSet:
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / name, quality=97)
    photos = tuple(
        Photo(name, name, pixels.shape[1], pixels.shape[0], Exif(), name, "camera")
        for name, pixels in pictures.items()
    )
    parts: dict[str, object] = {"sequential": False, "masks": {}, "sensor_depth": {}}
    paths = {name: folder / name for name in pictures}
    return ImageSet(photos=photos, verdicts=(), pictures=paths, **parts | more)  # type: ignore[arg-type]


def run(
    image_set: ImageSet, given: GivenCameras, folder: Path, config: PoseConfig = CONFIG
) -> tuple[PosedPhotos, list[Event]]:
    events: list[Event] = []
    folder.mkdir(parents=True, exist_ok=True)
    task = Task("pose", events.append, CancelToken(), Runtime(workers=2))
    place_photos(image_set, given, config, folder, task)
    return read_posed_photos(folder), events


def known_intrinsics(image_set: ImageSet) -> dict[str, Intrinsics]:
    return {photo.id: Intrinsics(CAMERA) for photo in image_set.photos}


@dataclass(frozen=True, eq=False)
class Solved:
    image_set: ImageSet
    folder: Path
    posed: PosedPhotos


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Solved:
    """Six photos of the corner and one of nothing, with true intrinsics."""
    folder = tmp_path_factory.mktemp("corner ä")
    noise = np.random.default_rng(9).integers(0, 256, (45, 60)).astype(np.uint8)
    stranger = cv2.resize(noise, (480, 360), interpolation=cv2.INTER_CUBIC)
    blank = np.full((360, 480), 128, np.uint8)
    pictures = {name: render(pose) for name, pose in POSES.items()}
    image_set = make_image_set(
        folder / "in", pictures | {"stranger.jpg": stranger, "blank.jpg": blank}
    )
    posed, _ = run(image_set, GivenCameras(intrinsics=known_intrinsics(image_set)), folder / "out")
    return Solved(image_set, folder / "out", posed)


def test_photos_stand_where_they_were_taken(solved: Solved) -> None:
    views = solved.posed.scene.views
    assert [view.photo_id for view in views] == list(POSES)
    found = np.array([view.centre_world for view in views])
    true = np.array([POSES[view.photo_id].inverse().translation for view in views])
    true_from_found = fit_similarity(found, true)
    # SIFT places a point to about 0.3 px; averaged over hundreds, a baseline of 3 is good to 1 %.
    assert np.linalg.norm(true_from_found @ found - true, axis=1).max() < 0.02
    turned = [
        POSES[view.photo_id].rotation @ true_from_found.move_camera(view.cam_from_world).rotation.T
        for view in views
    ]
    assert rotation_angle_deg(np.array(turned)).max() < 0.3


def test_given_intrinsics_stay_as_they_are(solved: Solved) -> None:
    assert all(view.camera == CAMERA for view in solved.posed.scene.views)
    estimate = solved.posed.scene.cameras["camera"]
    assert (estimate.source, estimate.focal_std_px) == ("given", None)


def test_every_photo_has_a_verdict_with_a_reason(solved: Solved) -> None:
    verdicts = {verdict.photo_id: verdict for verdict in solved.posed.verdicts}
    assert list(verdicts) == [photo.id for photo in solved.image_set.photos]
    assert all(verdicts[name].used for name in POSES)
    assert "shares too little" in verdicts["stranger.jpg"].reason
    assert "distinct spots" in verdicts["blank.jpg"].reason
    assert verdicts["blank.jpg"].advice


def test_photos_without_distortion_are_copied_byte_by_byte(solved: Solved) -> None:
    for name in POSES:
        copy = solved.folder / "images" / name
        assert copy.read_bytes() == solved.image_set.pictures[name].read_bytes()
    assert solved.posed.rgb["0.jpg"].shape == (360, 480, 3)


def test_points_carry_the_colour_of_the_photos(solved: Solved) -> None:
    points = solved.posed.scene.points
    assert len(points.xyz_world) > 100
    assert np.ptp(points.rgb, axis=1).max() <= 1  # grey photos, mean of at most rounding
    assert points.rgb.std() > 20


def test_the_report_counts_what_happened(solved: Solved) -> None:
    report = solved.posed.scene.report
    assert (report["given"], report["placed"]) == (8, 6)
    assert json.loads(json.dumps(report)) == report
    assert not (solved.folder / "sfm").exists()


def test_reading_posed_photos_needs_no_colmap(solved: Solved) -> None:
    code = (
        "import sys; from pathlib import Path; from recon3d.sfm.register import read_posed_photos;"
        "print(len(read_posed_photos(Path(sys.argv[1])).scene.views), 'pycolmap' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(solved.folder)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["6", "False"], done.stderr


def test_an_unknown_focal_length_is_found_and_says_how_sure_it_is(
    solved: Solved, tmp_path: Path
) -> None:
    posed, _ = run(solved.image_set, GivenCameras(), tmp_path)
    estimate = posed.scene.cameras["camera"]
    assert estimate.source == "guessed, refined"  # from 576 px
    assert estimate.focal_std_px is not None
    error_px = abs(estimate.intrinsics.pinhole.fx_px - CAMERA.fx_px)
    # Four deviations, and what a distortion term that should be zero takes of the focal length.
    assert error_px < max(4 * estimate.focal_std_px, 0.03 * CAMERA.fx_px)
    for view in posed.scene.views:
        rgb = posed.rgb[view.photo_id]
        assert rgb.shape[:2] == (view.camera.height_px, view.camera.width_px)


def test_the_same_photos_and_seed_give_the_same_cameras(solved: Solved, tmp_path: Path) -> None:
    posed, _ = run(
        solved.image_set, GivenCameras(intrinsics=known_intrinsics(solved.image_set)), tmp_path
    )
    for first, second in zip(posed.scene.views, solved.posed.scene.views, strict=True):
        np.testing.assert_allclose(
            first.cam_from_world.matrix(), second.cam_from_world.matrix(), atol=1e-9
        )


def test_given_poses_are_used_exactly_and_points_lie_on_the_walls(
    solved: Solved, tmp_path: Path
) -> None:
    given = GivenCameras(
        intrinsics=known_intrinsics(solved.image_set), cam_from_world=POSES, unit="metre"
    )
    posed, _ = run(solved.image_set, given, tmp_path)
    scene = posed.scene
    assert scene.unit == "metre"
    for view in scene.views:
        np.testing.assert_array_equal(view.cam_from_world.matrix(), POSES[view.photo_id].matrix())
    left, right = ((1, 0, -1), -6.0), ((1, 0, 1), 6.0)
    distances = [
        np.abs(scene.points.xyz_world @ normal - offset) / np.sqrt(2)
        for normal, offset in (left, right)
    ]
    # At 5 m, 0.3 px and a base of one metre are 2 cm in depth.
    assert np.median(np.minimum(*distances)) < 0.02
    assert not {v.photo_id: v for v in posed.verdicts}["stranger.jpg"].used


def test_poses_without_intrinsics_are_an_error(solved: Solved, tmp_path: Path) -> None:
    with pytest.raises(IntrinsicsError, match="not the camera's intrinsics"):
        run(solved.image_set, GivenCameras(cam_from_world=POSES), tmp_path)


def test_a_depth_camera_needs_no_features(solved: Solved, tmp_path: Path) -> None:
    depth = {name: np.full((360, 480), n + 1.0, np.float32) for n, name in enumerate(POSES)}
    image_set = replace(solved.image_set, sensor_depth=depth)
    given = GivenCameras(intrinsics=known_intrinsics(image_set), cam_from_world=POSES, unit="metre")
    posed, events = run(image_set, given, tmp_path)
    assert not any("features" in event.note for event in events)
    assert len(posed.scene.points.xyz_world) == 0
    assert list(posed.sensor_depth) == list(POSES)
    np.testing.assert_array_equal(posed.sensor_depth["3.jpg"], depth["3.jpg"])


def test_depth_of_another_size_is_brought_to_the_photos(solved: Solved, tmp_path: Path) -> None:
    depth = {name: np.repeat([[1.0], [3.0]], 4, axis=1).astype(np.float32) for name in POSES}
    image_set = replace(solved.image_set, sensor_depth=depth)
    given = GivenCameras(intrinsics=known_intrinsics(image_set), cam_from_world=POSES, unit="metre")
    posed, _ = run(image_set, given, tmp_path)
    fitted = posed.sensor_depth["0.jpg"]
    assert fitted.shape == (360, 480)
    assert (fitted[:180] == 1).all()
    assert (fitted[180:] == 3).all()


def test_measured_depth_without_poses_is_an_error(solved: Solved, tmp_path: Path) -> None:
    image_set = replace(solved.image_set, sensor_depth={"0.jpg": np.ones((360, 480), np.float32)})
    with pytest.raises(PosesError, match="without the poses"):
        run(image_set, GivenCameras(), tmp_path)


def test_masked_parts_of_photos_place_nothing(solved: Solved, tmp_path: Path) -> None:
    mask = np.full((360, 480), 255, np.uint8)
    mask[:, :200] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    image_set = replace(solved.image_set, masks={name: tmp_path / "mask.png" for name in POSES})
    given = GivenCameras(intrinsics=known_intrinsics(image_set), cam_from_world=POSES)
    posed, _ = run(image_set, given, tmp_path / "out")
    scene = posed.scene
    assert len(scene.points.xyz_world) > 30
    for index, view in enumerate(scene.views):
        seen = view.cam_from_world @ scene.points.xyz_world[scene.points.seen_by(index)]
        u_px = seen[:, 0] / seen[:, 2] * CAMERA.fx_px + CAMERA.cx_px
        assert u_px.min(initial=999) > 200 - 4  # COLMAP lets a point miss its feature by 4 px
    np.testing.assert_array_equal(posed.masks["0.jpg"], mask > 0)


@pytest.mark.parametrize("note", ["finding features", "comparing pairs of photos"])
def test_cancel_lands_soon_and_the_next_run_goes_on(
    solved: Solved, tmp_path: Path, note: str
) -> None:
    token = CancelToken()
    said: list[str] = []

    def cancel_at(event: Event) -> None:
        said.append(event.note)
        if event.note == note:
            token.cancel()

    given = GivenCameras(intrinsics=known_intrinsics(solved.image_set))
    with pytest.raises(Cancelled):
        place_photos(solved.image_set, given, CONFIG, tmp_path, Task("pose", cancel_at, token))
    # The photos or pairs in flight are finished, and nothing else is begun.
    assert said[-1] == note
    posed, events = run(solved.image_set, given, tmp_path)
    assert len(posed.scene.views) == 6
    if note == "comparing pairs of photos":
        assert all(event.done == 8 for event in events if event.note == "finding features")


def test_one_photo_and_two_equal_ones_end_in_a_clear_error(tmp_path: Path) -> None:
    picture = render(POSES["2.jpg"])
    with pytest.raises(TooFewPhotosPlacedError, match="at least 2"):
        run(make_image_set(tmp_path, {"a.jpg": picture}), GivenCameras(), tmp_path / "one")
    twins = make_image_set(tmp_path, {"a.jpg": picture, "b.jpg": picture})
    with pytest.raises(TooFewPhotosPlacedError, match="same spot"):
        run(twins, GivenCameras(), tmp_path / "two", replace(CONFIG, attempts=2))


def test_two_photos_are_enough(tmp_path: Path) -> None:
    names = ("2.jpg", "3.jpg")
    image_set = make_image_set(tmp_path, {name: render(POSES[name]) for name in names})
    posed, _ = run(
        image_set, GivenCameras(intrinsics=known_intrinsics(image_set)), tmp_path / "out"
    )
    assert len(posed.scene.views) == 2
    assert len(posed.scene.points.xyz_world) > 50


@pytest.mark.parametrize(
    "distortion",
    [
        Distortion("radial", (-0.12,)),
        Distortion("radial", (-0.12, 0.03)),
        Distortion("brown", (-0.12, 0.03, 0.002, -0.001)),
        Distortion("brown", (-0.1, 0.03, 0.002, -0.001, 0.01, 0.01, 0.0, 0.0)),
        Distortion("fisheye", (-0.02, 0.01, 0.0, 0.0)),
    ],
)
def test_undistortion_agrees_with_colmap(distortion: Distortion) -> None:
    from recon3d.photos.colmap_cameras import colmap_from_intrinsics
    from recon3d.sfm.pycolmap_library import pycolmap

    lens = Intrinsics(CAMERA, distortion)
    rows, columns = np.mgrid[:360, :480]
    slanted = np.dstack([columns * 0.5, rows * 0.6, (rows + columns) * 0.3]).astype(np.uint8)
    model, params = colmap_from_intrinsics(lens)
    camera = pycolmap.Camera(model=model, width=480, height=360, params=params)
    oracle, _ = pycolmap.undistort_image(
        pycolmap.UndistortCameraOptions(), pycolmap.Bitmap.from_array(slanted), camera
    )
    pinhole = undistorted_camera(lens)
    ours = Undistorter(lens, pinhole).smooth(slanted)
    expected = oracle.to_array()
    assert ours.shape == expected.shape == (pinhole.height_px, pinhole.width_px, 3)
    difference = np.abs(ours.astype(int) - expected)[2:-2, 2:-2]
    # Rounding of the fixed-point resampling; half a pixel of shift would be 0.3 grey everywhere.
    assert difference.max() <= 1
    assert difference.mean() < 0.15


def test_masks_and_depth_keep_their_values_when_undistorted() -> None:
    lens = Intrinsics(CAMERA, Distortion("radial", (-0.12,)))
    values = np.random.default_rng(1).choice([0.0, 1.5, 4.0], (360, 480)).astype(np.float32)
    nearest = Undistorter(lens, undistorted_camera(lens)).nearest(values)
    assert nearest.dtype == np.float32
    assert set(np.unique(nearest)) <= {0.0, 1.5, 4.0}


@pytest.mark.slow
def test_fountain_meets_its_bar(real_photos: Path, tmp_path: Path) -> None:
    data = real_photos / "fountain"
    numbers = json.loads((data / "K.json").read_text())
    truth = json.loads((data / "true_cameras.json").read_text())
    keys = ("width", "height", "fx", "fy", "cx", "cy")
    lens = Intrinsics(PinholeCamera(*(numbers[key] for key in keys)))
    paths = {path.name: path for path in sorted((data / "images").iterdir())}
    photos = tuple(
        Photo(name, name, lens.pinhole.width_px, lens.pinhole.height_px, Exif(), name, "camera")
        for name in paths
    )
    image_set = ImageSet(photos, (), False, paths, {}, {})
    posed, _ = run(
        image_set, GivenCameras(intrinsics=dict.fromkeys(paths, lens)), tmp_path, PoseConfig()
    )
    views = posed.scene.views
    assert len(views) == 11
    found = np.array([view.centre_world for view in views])
    true_m = np.array([truth[view.photo_id]["camera_centre_m"] for view in views])
    true_from_found = fit_similarity(found, true_m)
    assert np.linalg.norm(true_from_found @ found - true_m, axis=1).mean() <= 0.005
    turned = [
        np.array(truth[view.photo_id]["cam_from_world_rotation"])
        @ true_from_found.move_camera(view.cam_from_world).rotation.T
        for view in views
    ]
    assert rotation_angle_deg(np.array(turned)).mean() <= 0.05


def test_poses_that_the_photos_contradict_are_an_error_that_names_the_mistake(
    solved: Solved, tmp_path: Path
) -> None:
    given = GivenCameras(
        intrinsics=known_intrinsics(solved.image_set),
        cam_from_world={name: pose.inverse() for name, pose in POSES.items()},
    )
    with pytest.raises(PosesError, match="inverted"):
        run(solved.image_set, given, tmp_path)


def test_the_origin_of_far_poses_stays_with_the_scene(solved: Solved, tmp_path: Path) -> None:
    given = GivenCameras(
        intrinsics=known_intrinsics(solved.image_set),
        cam_from_world=POSES,
        origin=(431234.0, 5432109.0, 312.0),
    )
    posed, _ = run(solved.image_set, given, tmp_path)
    assert posed.scene.origin == given.origin
