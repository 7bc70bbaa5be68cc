"""Objects that cameras go around are found, and where there is none no masks are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import orbit_scene
import pytest

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import Cancelled
from recon3d.core.scene import PosedPhotos
from recon3d.run.device import Runtime
from recon3d.run.task import CancelToken, Event, Task
from recon3d.segmentation import carving
from recon3d.segmentation.edges import at_full_size
from recon3d.segmentation.object_masks import (
    FoundMasks,
    MasksConfig,
    as_taken,
    find_object,
    read_found_masks,
    tell_refusal,
    with_found_masks,
)
from recon3d.sfm.undistortion import Undistorter, undistorted_camera

Masks = Mapping[str, np.ndarray]


@pytest.fixture(scope="module", autouse=True)
def _coarse_voxels() -> Iterator[None]:
    """Voxels of a pixel and a half, as for photos of usual size, in an eighth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carving, "_COARSE", 40)
        patch.setattr(carving, "_FINE", 64)
        yield


def find(posed: PosedPhotos, folder: Path, threads: int = 2) -> FoundMasks:
    folder.mkdir(exist_ok=True)
    task = Task("masks", lambda event: None, CancelToken(), Runtime(workers=threads))
    find_object(posed, orbit_scene.image_set_of(posed), MasksConfig(auto=True), folder, task)
    return read_found_masks(folder)


def overlaps(found: Masks, true: Masks) -> np.ndarray:
    """Intersection over union of every photo."""
    return np.array([(found[k] & true[k]).sum() / (found[k] | true[k]).sum() for k in true])


@pytest.fixture(scope="module")
def orbit(tmp_path_factory: pytest.TempPathFactory) -> tuple[PosedPhotos, Masks, Path]:
    posed, true = orbit_scene.orbit(12)
    folder = tmp_path_factory.mktemp("orbit")
    find(posed, folder, threads=1)
    return posed, true, folder


def test_a_thing_on_a_carpet_is_found(orbit: tuple[PosedPhotos, Masks, Path]) -> None:
    _, true, folder = orbit
    # Its colours are its own, so only its outline may be wrong, by a third of a pixel on average: a
    # body 60 pixels wide loses 7 % of its overlap by a whole one.
    found = overlaps(read_found_masks(folder).views, true)
    assert found.mean() > 0.98
    assert found.min() > 0.96


def test_a_thing_that_turns_is_found_before_a_background_of_its_own_colours(tmp_path: Path) -> None:
    posed, true = orbit_scene.turntable()
    found = overlaps(find(posed, tmp_path).views, true)
    # Colours say nothing here; what stays in the pictures agrees with nothing that turns. A body 60
    # pixels wide loses 7 % of its overlap by a pixel along its outline.
    assert found.mean() > 0.93
    assert found.min() > 0.88


@pytest.mark.parametrize(
    ("scene", "reason"),
    [
        (orbit_scene.room, "the cameras do not look at one place"),
        (orbit_scene.facade, "nothing stands apart"),
        (lambda: orbit_scene.orbit(5)[0], "5 placed photos are too few"),
    ],
)
def test_where_nothing_stands_apart_it_is_told_and_photos_stay_as_they_are(
    scene: Callable[[], PosedPhotos], reason: str, tmp_path: Path
) -> None:
    posed = scene()
    found = find(posed, tmp_path)
    assert not found.views
    assert reason in found.refusal
    assert with_found_masks(posed, found) is posed
    (warning,) = tell_refusal(tmp_path)
    assert reason in warning
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]


def test_any_number_of_threads_gives_the_same_bytes(
    orbit: tuple[PosedPhotos, Masks, Path], tmp_path: Path
) -> None:
    posed, _, folder = orbit
    find(posed, tmp_path, threads=3)
    assert contents(tmp_path) == contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.slow
def test_a_photo_keeps_the_mask_that_it_has(
    orbit: tuple[PosedPhotos, Masks, Path], tmp_path: Path
) -> None:
    posed, true, _ = orbit
    own = true["03.jpg"].copy()
    own[:20, :20] = True
    found = find(replace(posed, masks={"03.jpg": own}), tmp_path)
    np.testing.assert_array_equal(found.views["03.jpg"], own)
    assert "03.jpg" not in found.photos
    assert len(found.photos) == len(posed.scene.views) - 1
    assert (
        overlaps(
            {k: found.views[k] for k in found.photos}, {k: true[k] for k in found.photos}
        ).min()
        > 0.96
    )


def test_a_mask_can_be_given_back_with_the_photo_as_its_lens_showed_it() -> None:
    pinhole = PinholeCamera.centred(320, 240, 260.0)
    lens = Intrinsics(pinhole, Distortion("brown", (-0.25, 0.08, 0.001, -0.001)))
    camera = undistorted_camera(lens)
    row, column = np.indices((camera.height_px, camera.width_px))
    disc = np.hypot(column - 200, row - 90) < 60
    taken = as_taken(disc, camera, lens)
    assert taken.shape == (240, 320)
    again = Undistorter(lens, camera).nearest(taken.astype(np.uint8)) > 0
    # Each way takes the nearest pixel: the outline may move by one.
    assert (again != disc).sum() < 0.5 * 2 * np.pi * 60


def test_edges_follow_the_photo_at_full_size() -> None:
    row, column = np.indices((480, 640)) + 0.5
    disc = np.hypot(column - 333, row - 217) < 130
    rgb = np.where(disc[..., None], np.uint8((200, 120, 40)), np.uint8((90, 90, 90)))
    small = np.asarray(cv2.resize(rgb, (160, 120), interpolation=cv2.INTER_AREA))
    mask = np.hypot((column - 333) / 4, (row - 217) / 4)[2::4, 2::4] < 130 / 4
    wrong = (at_full_size(mask, small, rgb) != disc).sum()
    plain = cv2.resize(mask.astype(np.uint8), (640, 480), interpolation=cv2.INTER_NEAREST) > 0
    assert wrong < 0.2 * (plain != disc).sum()


@pytest.mark.slow
def test_a_cancelled_search_stops_and_the_next_one_goes_on(
    orbit: tuple[PosedPhotos, Masks, Path], tmp_path: Path
) -> None:
    posed, _, folder = orbit
    token = CancelToken()

    def listen(event: Event) -> None:
        if event.done > 40:
            token.cancel()

    task = Task("masks", listen, token, Runtime(workers=2))
    with pytest.raises(Cancelled):
        find_object(posed, orbit_scene.image_set_of(posed), MasksConfig(), tmp_path, task)
    find(posed, tmp_path)
    assert contents(tmp_path) == contents(folder)
