"""An object photographed standing, then turned over before the same background, with masks."""

from __future__ import annotations

import numpy as np
import pytest
from orbit_scene import look_at
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from recon3d.core.camera import Intrinsics, PinholeCamera, pixel_rays
from recon3d.core.scene import Exif, GivenCameras, ImageSet, Photo, PosedPhotos
from recon3d.core.transform import Rigid, fit_similarity
from recon3d.georef.upright import of_one_pose, up_in_world
from recon3d.run.task import CancelToken, Task, silent
from recon3d.sfm.register import place_photos, read_posed_photos
from recon3d.sfm.structure_from_motion import PoseConfig

CAMERA = PinholeCamera.centred(360, 300, 420.0)
RADII = np.array([1.0, 0.8, 1.15])
_CELLS = np.random.default_rng(3).uniform(30, 225, (2, 64, 64, 64))
# As the object stands in the room in each round.
ROOM_FROM_OBJECT = (np.eye(3), Rotation.from_euler("xz", [175, 40], degrees=True).as_matrix())


def grey(points: np.ndarray, volume: int, size: float) -> np.ndarray:
    """A solid texture with cells of a size."""
    return map_coordinates(_CELLS[volume], (points / size).T, order=1, mode="grid-wrap")


def photo(cam_from_room: Rigid, room_from_object: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a camera sees of the object and of the walls far around it; the object's mask."""
    room_from_cam = cam_from_room.inverse()
    rays_room = pixel_rays(CAMERA).reshape(-1, 3) @ room_from_cam.rotation.T
    eye, rays = room_from_cam.translation @ room_from_object, rays_room @ room_from_object
    start, way = eye / RADII, rays / RADII
    a, b, c = (way**2).sum(1), way @ start, float(start @ start) - 1
    hit = b**2 > a * c
    near = (-b[hit] - np.sqrt((b**2 - a * c)[hit])) / a[hit]
    walls = room_from_cam.translation + 40 * rays_room
    rgb = grey(walls, 1, 1.0)
    rgb[hit] = grey(eye + near[:, None] * rays[hit], 0, 0.06)
    size = (CAMERA.height_px, CAMERA.width_px)
    return rgb.reshape(size).astype(np.uint8), hit.reshape(size)


def poses() -> list[Rigid]:
    """Two heights around the origin."""
    rings = ((9, 1.4), (5, 3.2))
    return [
        look_at(np.array([far * np.cos(turn), far * np.sin(turn), height]), np.zeros(3))
        for count, height in rings
        for far in [np.sqrt(4.6**2 - height**2)]
        for turn in np.linspace(0, 2 * np.pi, count, endpoint=False)
    ]


TRUE = {
    f"{round_}{number:02d}.png": cam_from_room @ Rigid(room_from_object, np.zeros(3))
    for round_, room_from_object in zip("ab", ROOM_FROM_OBJECT, strict=True)
    for number, cam_from_room in enumerate(poses())
}


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> PosedPhotos:
    folder = tmp_path_factory.mktemp("turned over")
    for round_, room_from_object in zip("ab", ROOM_FROM_OBJECT, strict=True):
        for number, cam_from_room in enumerate(poses()):
            pixels, mask = photo(cam_from_room, room_from_object)
            Image.fromarray(pixels).save(folder / f"{round_}{number:02d}.png")
            white = Image.fromarray(mask.astype(np.uint8) * 255)
            white.save(folder / f"{round_}{number:02d}_mask.png")
    size = (CAMERA.width_px, CAMERA.height_px)
    photos = tuple(Photo(name, name, *size, Exif(), name, "camera") for name in TRUE)
    masks = {name: folder / f"{name[:3]}_mask.png" for name in TRUE}
    image_set = ImageSet(photos, (), False, {name: folder / name for name in TRUE}, masks, {})
    given = GivenCameras(intrinsics={name: Intrinsics(CAMERA) for name in TRUE})
    task = Task("pose", silent, CancelToken())
    place_photos(image_set, given, PoseConfig(features=1500, attempts=1), folder / "out", task)
    return read_posed_photos(folder / "out")


@pytest.mark.slow
def test_both_rounds_come_into_one_frame_by_the_objects_sides(placed: PosedPhotos) -> None:
    views = placed.scene.views
    assert [view.photo_id for view in views] == list(TRUE)
    found = np.array([view.centre_world for view in views])
    true = np.array([TRUE[view.photo_id].inverse().translation for view in views])
    true_from_found = fit_similarity(found, true)
    # 4.6 away, of 420 px focal length: 0.02 are about 2 px.
    assert np.linalg.norm(true_from_found @ found - true, axis=1).max() < 0.02


@pytest.mark.slow
def test_the_object_stands_as_in_the_first_round(placed: PosedPhotos) -> None:
    rotations = np.stack([view.cam_from_world.rotation for view in placed.scene.views])
    assert of_one_pose(rotations).tolist() == [view[0] == "a" for view in TRUE]
    true = np.array([TRUE[view.photo_id].inverse().translation for view in placed.scene.views])
    found = np.array([view.centre_world for view in placed.scene.views])
    up = fit_similarity(found, true).rotation @ up_in_world(rotations)
    assert np.degrees(np.arccos(up[2])) < 1.0
