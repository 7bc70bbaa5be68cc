"""Each dataset's layout, from tiny files written here, and files that are not what they seem."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon3d.core.errors import InputError
from recon3d.depth.mono.datasets import open_frames
from recon3d.depth.mono.datasets.kitti import name_in_list
from recon3d.depth.mono.datasets.tum import associated

WIDTH, HEIGHT = 64, 48
DEPTH = np.linspace(1.0, 5.0, WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH)
DEPTH[0, 0] = 0
K = f"50 0 {WIDTH / 2}\n0 50 {HEIGHT / 2}\n0 0 1\n"


def photo(value: int = 0, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[..., 0], rgb[..., 1] = value, np.linspace(0, 255, width)
    return rgb


def save_photo(path: Path, value: int = 0, width: int = WIDTH, height: int = HEIGHT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo(value, width, height)).save(path)


def save_depth(path: Path, levels_per_metre: float = 1000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(DEPTH * levels_per_metre).astype(np.uint16)).save(path)


def plain(folder: Path, count: int = 3) -> Path:
    for number in range(count):
        save_photo(folder / "rgb" / f"{number}.png", number)
        save_depth(folder / "depth" / f"{number}.png")
    (folder / "K.txt").write_text(K)
    return folder


def test_a_plain_folder_gives_photos_depth_and_camera(tmp_path: Path) -> None:
    frames = open_frames(plain(tmp_path))
    assert (frames.layout, frames.unit, frames.names) == (
        "plain",
        "metre",
        ("0.png", "1.png", "2.png"),
    )
    frame = frames[2]
    np.testing.assert_array_equal(frame.rgb, photo(2))
    np.testing.assert_allclose(frame.depth_z, DEPTH, atol=5.1e-4)  # half a millimetre
    assert frame.depth_z[0, 0] == 0
    assert (frame.camera.fx_px, frame.camera.cx_px) == (50, 32)


def test_npy_depth_is_in_metres_and_what_is_not_finite_is_unknown(tmp_path: Path) -> None:
    save_photo(tmp_path / "images" / "a.jpg", width=2 * WIDTH, height=2 * HEIGHT)
    depth = DEPTH.astype(np.float64)
    depth[1, :3] = np.nan, np.inf, -1
    (tmp_path / "depth").mkdir()
    np.save(tmp_path / "depth" / "a.npy", depth)
    frame = open_frames(tmp_path)[0]
    assert frame.rgb.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(frame.depth_z[1, :3], 0)
    np.testing.assert_array_equal(frame.depth_z[2:], DEPTH[2:])
    # Nothing tells the camera: 60 degrees along the longer side.
    assert frame.camera.fx_px == pytest.approx(WIDTH / 2 / np.tan(np.pi / 6))


def test_a_camera_file_for_photos_of_another_size_is_scaled(tmp_path: Path) -> None:
    plain(tmp_path)
    (tmp_path / "K.txt").unlink()
    (tmp_path / "K.json").write_text(
        '{"width": 128, "height": 96, "fx": 100, "fy": 100, "cx": 64, "cy": 48}'
    )
    camera = open_frames(tmp_path)[0].camera
    assert (camera.width_px, camera.fx_px, camera.cx_px) == (WIDTH, 50, 32)


def test_a_folder_of_scenes_is_read_scene_by_scene(tmp_path: Path) -> None:
    for scene in ("kitchen", "hall"):
        plain(tmp_path / scene, 2)
    frames = open_frames(tmp_path)
    assert frames.names == ("hall/0.png", "hall/1.png", "kitchen/0.png", "kitchen/1.png")
    assert frames[3].name == "kitchen/1.png"
    np.testing.assert_array_equal(frames[3].rgb, photo(1))


def test_a_list_chooses_frames(tmp_path: Path) -> None:
    frames = plain(tmp_path / "data")
    chosen = tmp_path / "list.txt"
    chosen.write_text("2.png\n\n0.png\n")
    assert open_frames(frames, split=str(chosen)).names == ("2.png", "0.png")
    chosen.write_text("9.png\n")
    with pytest.raises(InputError, match=r"none of the 3 frames.*0\.png"):
        open_frames(frames, split=str(chosen))
    with pytest.raises(InputError, match='no part "test"'):
        open_frames(frames, split="test")


def test_tum_pairs_photos_and_depth_by_time(tmp_path: Path) -> None:
    sequence = tmp_path / "rgbd_dataset_freiburg1_desk"
    for number in range(3):
        save_photo(sequence / "rgb" / f"{number}.png", number, 640, 480)
    for number in range(2):
        save_depth(sequence / "depth" / f"{number}.png", 5000)
    (sequence / "rgb.txt").write_text("# colour\n1.00 rgb/0.png\n1.03 rgb/1.png\n2.0 rgb/2.png\n")
    (sequence / "depth.txt").write_text("# depth\n1.031 depth/1.png\n1.012 depth/0.png\n")
    frames = open_frames(tmp_path)
    assert frames.layout == "tum"
    assert frames.names == (f"{sequence.name}/rgb/0.png", f"{sequence.name}/rgb/1.png")
    frame = frames[1]
    np.testing.assert_allclose(frame.depth_z, DEPTH, atol=1.1e-4)  # half of a 5000th
    # 517.3 for 640 pixels, at the depth map's 64; the published centre is from pixel (0, 0) on.
    assert frame.camera.fx_px == pytest.approx(51.73)
    assert frame.camera.cx_px == pytest.approx((318.6 + 0.5) / 10)


def test_times_are_associated_closest_first_and_once() -> None:
    first, second = np.array([0.0, 0.015, 1.0]), np.array([0.016, 1.021, 0.99])
    assert associated(first, second) == [(1, 0), (2, 2)]
    assert associated(first, np.zeros(0)) == []


def test_scannet_scales_colour_to_depth_and_uses_the_depth_camera(tmp_path: Path) -> None:
    for number in (2, 10):
        save_photo(tmp_path / "color" / f"{number}.jpg", number, 129, 96)
        save_depth(tmp_path / "depth" / f"{number}.png")
    (tmp_path / "intrinsic").mkdir()
    matrix = np.diag([57.8, 57.9, 1.0, 1.0])
    matrix[0, 2], matrix[1, 2] = 31.5, 23.5
    np.savetxt(tmp_path / "intrinsic" / "intrinsic_depth.txt", matrix)
    frames = open_frames(tmp_path)
    assert (frames.layout, frames.names) == ("scannet", ("2.jpg", "10.jpg"))
    assert frames[0].rgb.shape == (HEIGHT, WIDTH, 3)
    assert (frames[0].camera.fx_px, frames[0].camera.cx_px) == (57.8, 32.0)


def kitti(folder: Path) -> Path:
    day, drive = folder / "raw" / "2011_09_26", "2011_09_26_drive_0001_sync"
    truth = folder / "depth" / "train" / drive / "proj_depth" / "groundtruth" / "image_02"
    for number in (5, 6):
        save_photo(day / drive / "image_02" / "data" / f"{number:010d}.png", number)
        save_depth(truth / f"{number:010d}.png", 256)
    save_photo(day / drive / "image_02" / "data" / "0000000007.png")
    (day / "calib_cam_to_cam.txt").write_text(
        "calib_time: 09-Jan-2012\nP_rect_02: 72.1 0 30.9 4.4 0 72.2 17.2 0.2 0 0 1 0.002\n"
    )
    (folder / "eigen_test_files.txt").write_text(
        f"2011_09_26/{drive}/image_02/data/0000000006.png {drive}/x.png 721.5\n"
        f"2011_09_26/{drive}/image_02/data/0000000007.png None 721.5\n"
    )
    return folder


def test_kitti_joins_raw_drives_annotated_depth_and_calibration(tmp_path: Path) -> None:
    frames = open_frames(kitti(tmp_path))
    drive = "2011_09_26_drive_0001_sync"
    assert frames.layout == "kitti"
    assert frames.names == (f"{drive}/02/0000000005", f"{drive}/02/0000000006")
    np.testing.assert_allclose(frames[0].depth_z, DEPTH, atol=0.0021)  # half of a 256th
    assert (frames[0].camera.fx_px, frames[0].camera.cy_px) == (72.1, 17.7)
    eigen = open_frames(tmp_path, split="eigen_test_files")
    assert eigen.names == (f"{drive}/02/0000000006",)


def test_lines_of_eigens_lists_are_understood_in_both_spellings() -> None:
    drive = "2011_09_26_drive_0002_sync"
    assert name_in_list(f"2011_09_26/{drive} 69 r") == f"{drive}/03/0000000069"
    assert name_in_list(f"2011_09_26/{drive} 0000000069") == f"{drive}/02/0000000069"
    line = f"2011_09_26/{drive}/image_03/data/0000000069.jpg None 721.5377"
    assert name_in_list(line) == f"{drive}/03/0000000069"
    assert name_in_list("rubbish") == ""


def nyu_mat(folder: Path, count: int = 3) -> Path:
    h5py = pytest.importorskip("h5py")
    from scipy.io import savemat

    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w") as content:
        images = np.stack([photo(i).transpose(2, 1, 0) for i in range(count)])
        content["images"] = images
        content["depths"] = np.stack([DEPTH.T] * count)
    savemat(folder / "splits.mat", {"trainNdxs": [[1], [3]], "testNdxs": [[2]]})
    return folder


def test_nyus_mat_file_is_turned_upright_and_split(tmp_path: Path) -> None:
    nyu_mat(tmp_path)
    frames = open_frames(tmp_path)
    assert (frames.layout, len(frames)) == ("nyu", 3)
    np.testing.assert_array_equal(frames[1].rgb, photo(1))
    np.testing.assert_array_equal(frames[1].depth_z, DEPTH)
    assert open_frames(tmp_path, split="train").names == ("0001", "0003")
    assert open_frames(tmp_path / "nyu_depth_v2_labeled.mat", split="test").names == ("0002",)


def test_nyus_folders_are_read_in_all_three_encodings(tmp_path: Path) -> None:
    save_photo(tmp_path / "bts" / "bedroom" / "rgb_00045.jpg")
    save_depth(tmp_path / "bts" / "bedroom" / "sync_depth_00045.png")
    (frame,) = open_frames(tmp_path / "bts")
    np.testing.assert_allclose(frame.depth_z, DEPTH, atol=5.1e-4)
    save_photo(tmp_path / "nyu2_train" / "attic_out" / "1.jpg")
    eight_bits = np.rint(DEPTH / 10 * 255).astype(np.uint8)
    Image.fromarray(eight_bits).save(tmp_path / "nyu2_train" / "attic_out" / "1.png")
    save_photo(tmp_path / "nyu2_test" / "00000_colors.png")
    save_depth(tmp_path / "nyu2_test" / "00000_depth.png")
    frames = open_frames(tmp_path, "nyu", "train")
    np.testing.assert_allclose(frames[0].depth_z, DEPTH, atol=0.021)  # half of a 255th of 10 m
    test = open_frames(tmp_path, "nyu", "test")
    np.testing.assert_allclose(test[0].depth_z, DEPTH, atol=5.1e-4)


def scene(folder: Path, **changes: np.ndarray) -> None:
    arrays = {
        "rgb": np.stack([photo(view).transpose(2, 0, 1) for view in range(2)]),
        "depth_z": np.stack([DEPTH, 2 * DEPTH]).astype(np.float16),
        "matrices": np.tile(np.array([[40, 0, 32], [0, 40, 24], [0, 0, 1]], np.float32), (2, 1, 1)),
    }
    np.savez(folder / "0000003.npz", **{**arrays, **changes})


def test_rendered_scenes_have_an_arbitrary_scale(tmp_path: Path) -> None:
    scene(tmp_path)
    frames = open_frames(tmp_path)
    assert (frames.layout, frames.unit) == ("synthetic", "scene")
    assert frames.names == ("0000003/0", "0000003/1")
    np.testing.assert_array_equal(frames[1].rgb, photo(1))
    np.testing.assert_allclose(frames[1].depth_z, 2 * DEPTH, rtol=1e-3)  # float16
    assert frames[1].camera.fx_px == 40


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("rgb/1.png", lambda path: path.write_bytes(path.read_bytes()[:90])),
        ("rgb/1.png", lambda path: save_photo(path, width=HEIGHT, height=WIDTH)),
        ("depth/1.png", lambda path: path.write_bytes(path.read_bytes()[:90])),
        ("depth/1.png", lambda path: path.unlink()),
        ("depth/1.png", save_photo),
        ("rgb/1.png", lambda path: save_empty_depth(path.parents[1] / "depth" / "1.png")),
    ],
    ids=["photo cut off", "turned photo", "depth cut off", "depth gone", "colours", "no depth"],
)
def test_a_broken_file_is_named_and_the_others_can_still_be_read(
    tmp_path: Path, name: str, broken: Callable[[Path], object]
) -> None:
    frames = open_frames(plain(tmp_path))
    broken(tmp_path / name)
    with pytest.raises(InputError, match=re.escape(name)):
        frames[1]
    assert frames[2].name == "2.png"


def save_empty_depth(path: Path) -> None:
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint16)).save(path)


@pytest.mark.parametrize(
    "values",
    [
        np.full((HEIGHT, WIDTH), np.nan),
        np.zeros((HEIGHT, WIDTH, 3)),
        np.zeros(5),
        np.full((HEIGHT, WIDTH), True),
        np.full((HEIGHT, WIDTH), "far"),
        np.array([[object()]]),
    ],
    ids=["NaN", "colour", "line", "bool", "text", "objects"],
)
def test_an_npy_file_that_is_no_depth_map_is_refused(tmp_path: Path, values: np.ndarray) -> None:
    save_photo(tmp_path / "rgb" / "a.png")
    (tmp_path / "depth").mkdir()
    np.save(tmp_path / "depth" / "a.npy", values)
    frames = open_frames(tmp_path)
    with pytest.raises(InputError, match=r"a\.(npy|png)"):
        frames[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"rgb": np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)},
        {"depth_z": np.zeros((1, HEIGHT, WIDTH))},
        {"matrices": np.zeros((2, 4, 4))},
        {"matrices": np.array([object()])},
    ],
)
def test_an_archive_that_is_no_scene_is_refused(
    tmp_path: Path, changes: dict[str, np.ndarray]
) -> None:
    scene(tmp_path, **changes)
    with pytest.raises(InputError, match=r"0000003\.npz"):
        open_frames(tmp_path)


def test_broken_lists_calibrations_and_archives_are_named(tmp_path: Path) -> None:
    tum = tmp_path / "tum"
    tum.mkdir()
    (tum / "rgb.txt").write_text("soon rgb/1.png\n")
    (tum / "depth.txt").write_text("1.0 depth/1.png\n")
    with pytest.raises(InputError, match=r"rgb\.txt"):
        open_frames(tum)
    calibration = kitti(tmp_path / "kitti") / "raw" / "2011_09_26" / "calib_cam_to_cam.txt"
    calibration.write_text("P_rect_02: 1 2 three\n")
    with pytest.raises(InputError, match=r"calib_cam_to_cam\.txt"):
        open_frames(tmp_path / "kitti")
    mat = tmp_path / "nyu_depth_v2_labeled.mat"
    mat.write_bytes(b"MATLAB 7.3 MAT-file, cut off")
    with pytest.raises(InputError, match="nyu_depth_v2_labeled"):
        open_frames(mat)


def test_a_folder_of_no_layout_is_refused_with_the_simplest_one(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_frames(tmp_path)
    assert "depth/" in caught.value.hint
    with pytest.raises(InputError, match="does not exist"):
        open_frames(tmp_path / "missing")
    with pytest.raises(InputError, match="layout kitti"):
        open_frames(plain(tmp_path), "kitti")


def test_real_layouts_are_found(real_photos: Path) -> None:
    office, kitchen = (open_frames(real_photos / name) for name in ("office_rgbd", "kitchen_posed"))
    assert (len(office), len(kitchen)) == (75, 50)
    frame = office[10]
    assert frame.rgb.shape == (360, 540, 3)
    assert 0.4 < (frame.depth_z > 0).mean() < 0.9
    assert 0.5 < np.median(frame.depth_z[frame.depth_z > 0]) < 6
    assert frame.camera.fx_px == pytest.approx(495.57, abs=0.01)
    assert kitchen[0].camera.width_px == 644
