"""Poses as many programs write them, and those that nobody here reads."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from recon3d.core.camera import Distortion, Intrinsics, PinholeCamera
from recon3d.core.errors import InputError, PosesError
from recon3d.core.transform import Rigid, quaternion_wxyz
from recon3d.sfm.pose_formats.pose_file import PoseFile
from recon3d.sfm.pose_formats.registry import FORMATS, read_pose_file

SIZE = (640, 480)
CAMERA = Intrinsics(PinholeCamera(640, 480, 500.0, 500.0, 320.0, 240.0))
IDS = ("0.png", "1.png", "2.png")
# OpenGL's camera has y up and looks along -z.
GL = np.diag([1.0, -1.0, -1.0, 1.0])


def random_poses(seed: int = 0) -> list[Rigid]:
    rng = np.random.default_rng(seed)
    rotations = Rotation.random(len(IDS), random_state=seed).as_matrix()
    return [Rigid(rotation, rng.normal(size=3)) for rotation in rotations]


POSES = random_poses()
WORLD_FROM_CAM = [pose.inverse().matrix() for pose in POSES]
WORLD_FROM_GL = [matrix @ GL for matrix in WORLD_FROM_CAM]


def xyzw(matrix: np.ndarray) -> list[float]:
    w, *vector = quaternion_wxyz(matrix[:3, :3])
    return [*vector, w]


def joined(rows: list[list[object]], between: str = " ") -> str:
    return "".join(between.join(map(str, row)) + "\n" for row in rows)


def named(file: PoseFile) -> Mapping[str, Rigid]:
    """By photo, those of files without names in the order of IDS."""
    return file.cam_from_world or {
        photo_id: pose for photo_id, pose in zip(IDS, file.in_order, strict=True) if pose
    }


def assert_poses(file: PoseFile, tolerance: float = 1e-9) -> None:
    found = named(file)
    assert {Path(name).stem for name in found} == {Path(name).stem for name in IDS}
    for photo_id, pose in zip(IDS, POSES, strict=True):
        (read,) = (found[name] for name in found if Path(name).stem == Path(photo_id).stem)
        np.testing.assert_allclose(read.matrix(), pose.matrix(), atol=tolerance)


def write_tum(folder: Path) -> Path:
    rows: list[list[object]] = [
        [f"{number}.0", *matrix[:3, 3], *xyzw(matrix)]
        for number, matrix in enumerate(WORLD_FROM_CAM)
    ]
    (folder / "trajectory.txt").write_text("# timestamp tx ty tz qx qy qz qw\n" + joined(rows))
    return folder / "trajectory.txt"


def write_log(folder: Path) -> Path:
    blocks = [
        f"{number} {number} 3\n" + joined(matrix.tolist())
        for number, matrix in reversed([*enumerate(WORLD_FROM_CAM)])
    ]
    (folder / "trajectory.log").write_text("".join(blocks))
    return folder / "trajectory.log"


def write_kitti(folder: Path) -> Path:
    np.savetxt(folder / "00.txt", [matrix[:3].ravel() for matrix in WORLD_FROM_CAM])
    return folder / "00.txt"


def write_blocks(folder: Path) -> Path:
    np.savetxt(folder / "blocks.txt", np.concatenate(WORLD_FROM_CAM))
    return folder / "blocks.txt"


def write_array(folder: Path) -> Path:
    np.save(folder / "poses.npy", np.stack(WORLD_FROM_CAM))
    return folder / "poses.npy"


def write_llff(folder: Path) -> Path:
    rows = []
    for matrix in WORLD_FROM_CAM:
        right, down, ahead, centre = matrix[:3].T
        pose = np.column_stack([down, right, -ahead, centre, [480.0, 640.0, 500.0]])
        rows.append([*pose.ravel(), 1.0, 9.0])
    np.save(folder / "poses_bounds.npy", np.array(rows))
    return folder


def write_bundler(folder: Path) -> Path:
    rows: list[list[object]] = [["# Bundle file v0.3"], [4, 0]]
    rows += [[0, 0, 0], *[[0, 0, 0]] * 4]  # one that was not aligned
    for pose in POSES:
        gl_from_world = GL @ pose.matrix()
        rows += [[500.0, 0, 0], *gl_from_world[:3, :3].tolist(), gl_from_world[:3, 3].tolist()]
    (folder / "bundle.out").write_text(joined(rows))
    (folder / "list.txt").write_text(
        "images/lost.jpg 0 500\n" + joined([[f"images/{i}"] for i in IDS])
    )
    return folder / "bundle.out"


METASHAPE = """<?xml version="1.0" encoding="UTF-8"?>
<document version="2.0.0"><chunk label="Chunk 1" enabled="true">
<sensors next_id="1"><sensor id="0" label="unknown" type="frame">
<resolution width="640" height="480"/>
<calibration class="initial"><resolution width="640" height="480"/><f>1</f></calibration>
<calibration class="adjusted"><resolution width="640" height="480"/>
<f>500</f><cx>4</cx><cy>-2</cy><b1>1.5</b1><k1>0.1</k1><p1>0.001</p1><p2>-0.002</p2></calibration>
</sensor></sensors>
<cameras next_id="4">{cameras}<camera id="9" sensor_id="0" label="lost"/></cameras>
{transform}</chunk></document>
"""


def write_metashape(folder: Path) -> Path:
    cameras = "".join(
        f'<camera id="{n}" sensor_id="0" label="{Path(photo_id).stem}">'
        f"<transform>{' '.join(map(str, matrix.ravel()))}</transform></camera>"
        for n, (photo_id, matrix) in enumerate(zip(IDS, WORLD_FROM_CAM, strict=True))
    )
    (folder / "cameras.xml").write_text(METASHAPE.format(cameras=cameras, transform=""))
    return folder / "cameras.xml"


def write_reality_capture(folder: Path) -> Path:
    rows: list[list[object]] = [
        [
            "#name",
            "x",
            "y",
            "alt",
            "heading",
            "pitch",
            "roll",
            "f",
            "px",
            "py",
            "k1",
            "k2",
            "k3",
            "k4",
            "t1",
            "t2",
        ]
    ]
    for photo_id, matrix in zip(IDS, WORLD_FROM_GL, strict=True):
        yaw, pitch, roll = Rotation.from_matrix(matrix[:3, :3]).as_euler("ZXY", degrees=True)
        lens = [500 * 36 / 640, 0.01, -0.02, 0.1, 0, 0, 0, 0.001, 0.002]
        rows.append([photo_id, *matrix[:3, 3], -yaw, pitch, roll, *lens])
    (folder / "cameras.csv").write_text(joined(rows, ","))
    return folder / "cameras.csv"


def write_polycam(folder: Path) -> Path:
    for photo_id, matrix in zip(IDS, WORLD_FROM_GL, strict=True):
        fields = {
            f"t_{row}{column}": matrix[row, column] for row in range(3) for column in range(4)
        }
        fields |= {"fx": 500, "fy": 500, "cx": 320, "cy": 240, "width": 640, "height": 480}
        for place in ("cameras", "corrected_cameras"):
            target = folder / "keyframes" / place / f"{Path(photo_id).stem}.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            wrong = {"t_03": 99.0} if place == "cameras" else {}
            target.write_text(json.dumps(fields | wrong))
    return folder


def write_scanner_app(folder: Path) -> Path:
    for photo_id, matrix in zip(IDS, WORLD_FROM_GL, strict=True):
        fields = {
            "cameraPoseARFrame": matrix.ravel().tolist(),
            "intrinsics": CAMERA.pinhole.matrix.ravel().tolist(),
        }
        (folder / f"{Path(photo_id).stem}.json").write_text(json.dumps(fields))
    return folder


def write_record3d(folder: Path) -> Path:
    fields = {
        "w": 640, "h": 480, "fps": 60, "K": CAMERA.pinhole.matrix.T.ravel().tolist(),
        "poses": [[*xyzw(matrix), *matrix[:3, 3]] for matrix in WORLD_FROM_GL],
    }  # fmt: skip
    (folder / "metadata.json").write_text(json.dumps(fields))
    return folder


def write_stray(folder: Path) -> Path:
    rows: list[list[object]] = [["timestamp", "frame", "x", "y", "z", "qx", "qy", "qz", "qw"]]
    rows += [
        [0.1 * n, f"{n:06d}", *matrix[:3, 3], *xyzw(matrix)]
        for n, matrix in enumerate(WORLD_FROM_CAM)
    ]
    (folder / "odometry.csv").write_text(joined(rows, ", "))
    return folder


def write_transforms(folder: Path) -> Path:
    frames = [
        {"file_path": f"./images/{Path(photo_id).stem}", "transform_matrix": matrix.tolist()}
        for photo_id, matrix in zip(IDS, WORLD_FROM_GL, strict=True)
    ]
    (folder / "transforms.json").write_text(
        json.dumps({"camera_angle_x": 1.1384, "frames": frames})
    )
    return folder


WRITERS: list[Callable[[Path], Path]] = [
    write_tum, write_log, write_kitti, write_blocks, write_array, write_llff, write_bundler,
    write_metashape, write_reality_capture, write_polycam, write_scanner_app, write_record3d,
    write_stray, write_transforms,
]  # fmt: skip


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__[6:])
def test_poses_of_many_programs_stand_where_they_stood(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    file = read_pose_file(write(tmp_path), IDS, SIZE)
    assert_poses(file)
    assert file.sources
    assert all(path.is_file() for path in file.sources)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (write_llff, CAMERA),
        (write_bundler, CAMERA),
        (write_polycam, CAMERA),
        (write_scanner_app, CAMERA),
        (write_record3d, CAMERA),
        # Metashape's and RealityCapture's tangential terms are OpenCV's exchanged.
        (
            write_metashape,
            Intrinsics(
                PinholeCamera(640, 480, 501.5, 500.0, 324.0, 238.0),
                Distortion("brown", (0.1, 0.0, -0.002, 0.001)),
            ),
        ),
        (
            write_reality_capture,
            Intrinsics(
                PinholeCamera(640, 480, 500.0, 500.0, 326.4, 227.2),
                Distortion("brown", (0.1, 0.0, 0.002, 0.001)),
            ),
        ),
    ],
)
def test_cameras_come_with_the_poses(
    tmp_path: Path, write: Callable[[Path], Path], expected: Intrinsics
) -> None:
    file = read_pose_file(write(tmp_path), IDS, SIZE)
    cameras = [*file.intrinsics.values(), *file.intrinsics_in_order]
    np.testing.assert_allclose(cameras[-1].pinhole.matrix, expected.pinhole.matrix, rtol=1e-12)
    assert cameras[-1].distortion == expected.distortion


def test_a_metashape_chunk_in_metres_is_moved_there(tmp_path: Path) -> None:
    turn = Rotation.from_rotvec([0.3, -1.0, 0.2]).as_matrix()
    place = write_metashape(tmp_path)
    move = (
        f"<transform><rotation>{' '.join(map(str, turn.ravel()))}</rotation>"
        "<translation>10 20 30</translation><scale>2.5</scale></transform>"
    )
    place.write_text(place.read_text().replace("</chunk>", f"{move}</chunk>"))
    file = read_pose_file(place, IDS, SIZE)
    assert file.unit == "metre"
    centre = WORLD_FROM_CAM[0][:3, 3]
    moved = file.cam_from_world["0"].inverse()
    np.testing.assert_allclose(moved.translation, 2.5 * turn @ centre + [10, 20, 30])
    np.testing.assert_allclose(moved.rotation, turn @ WORLD_FROM_CAM[0][:3, :3], atol=1e-12)


def test_photos_named_by_time_find_the_nearest_pose(tmp_path: Path) -> None:
    path = write_tum(tmp_path)
    ids = ("rgb/0.004.png", "rgb/1.990.png", "rgb/7.5.png")
    found = read_pose_file(path, ids, SIZE).cam_from_world
    assert list(found) == ["rgb/0.004.png", "rgb/1.990.png"]
    np.testing.assert_allclose(found["rgb/1.990.png"].matrix(), POSES[2].matrix(), atol=1e-9)


def test_a_part_of_the_frames_goes_by_the_numbers_in_their_names(tmp_path: Path) -> None:
    found = read_pose_file(write_record3d(tmp_path), ("frame-000002.jpg",), SIZE).cam_from_world
    np.testing.assert_allclose(found["frame-000002.jpg"].matrix(), POSES[2].matrix(), atol=1e-9)


def test_a_frames_own_lens_outranks_the_shared_one(tmp_path: Path) -> None:
    frame = {"transform_matrix": np.eye(4).tolist()}
    content = {
        "w": 640, "h": 480, "fl_x": 300, "fl_y": 310, "is_fisheye": True, "k1": 0.1,
        "frames": [
            {"file_path": "a.jpg", **frame},
            {"file_path": "b.jpg", "fl_x": 600, "k1": 0.2, **frame},
        ],
    }  # fmt: skip
    (tmp_path / "t.json").write_text(json.dumps(content))
    cameras = read_pose_file(tmp_path / "t.json", ("a.jpg", "b.jpg"), SIZE).intrinsics
    assert (cameras["a.jpg"].pinhole.fx_px, cameras["a.jpg"].pinhole.fy_px) == (300, 310)
    assert (cameras["b.jpg"].pinhole.fx_px, cameras["b.jpg"].pinhole.fy_px) == (600, 600)
    assert cameras["b.jpg"].distortion == Distortion("fisheye", (0.2, 0.0, 0.0, 0.0))


HUGE_ARRAY = (
    b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, "
    b"'shape': (1000000000000, 4, 4), }"
).ljust(127) + b"\n"
IMAGE_OF_MANY_POINTS = b"".join(
    [
        struct.pack("<QI7dI", 1, 1, 1, 0, 0, 0, 1, 2, 3, 1),
        b"a.jpg\0",
        struct.pack("<Q", 2**59),
    ]
)
TRANSPOSED = np.array(WORLD_FROM_CAM[0]).T
SHIFTED = np.eye(4)
SHIFTED[3, :3] = 1.5, -2.0, 0.25


@pytest.mark.parametrize("matrix", [TRANSPOSED, SHIFTED], ids=["turned", "not turned"])
@pytest.mark.parametrize("place", ["text", "ours", "transforms"])
def test_a_transposed_matrix_is_called_so(tmp_path: Path, matrix: np.ndarray, place: str) -> None:
    if place == "text":
        np.savetxt(tmp_path / "a.txt", matrix)
        path = tmp_path
    else:
        path = tmp_path / "poses.json"
        frame = {"file_path": "a.jpg", "transform_matrix": matrix.tolist()}
        ours = {"a.jpg": {"world_from_cam": matrix.tolist()}}
        path.write_text(json.dumps(ours if place == "ours" else {"frames": [frame]}))
    with pytest.raises(
        PosesError, match=r"a\.(txt|jpg): its last row is .*, not 0 0 0 1; .*transp"
    ):
        read_pose_file(path, ("a.jpg",), SIZE)


def test_a_transposed_matrix_without_its_last_row_is_called_so(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "kitti.txt", [WORLD_FROM_CAM[0][:3].T.ravel()])
    with pytest.raises(PosesError, match="transposed"):
        read_pose_file(tmp_path / "kitti.txt", ("a.jpg",), SIZE)


@pytest.mark.parametrize(
    ("name", "text", "called"),
    [
        ("data.csv", "#timestamp, p_RS_R_x [m], p_RS_R_y [m], q_RS_w []\n1,2,3,4\n", "EuRoC"),
        ("sfm_data.json", '{"views": [], "extrinsics": [], "intrinsics": []}', "OpenMVG"),
        ("cameras.sfm", '{"version": ["1"], "views": [], "intrinsics": []}', "Meshroom"),
        ("reconstruction.json", '[{"cameras": {}, "shots": {}}]', "OpenSfM"),
        ("model.nvm", "NVM_V3\n\n2\n", "VisualSFM"),
        ("lowres_wide.traj", "1 2 3 4 5 6 7\n", "ARKitScenes"),
        ("00000000_cam.txt", "extrinsic\n1 0 0 0\n", "MVSNet"),
        ("blocks.xml", '<?xml version="1.0"?><BlocksExchange version="2.1"/>', "ContextCapture"),
        ("scan.r3d", "PK", "Record3D"),
        ("cameras_sphere.npz", "PK", "numpy"),
    ],
)
def test_formats_that_nobody_here_reads_are_refused_by_name(
    tmp_path: Path, name: str, text: str, called: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(PosesError, match=called) as error:
        read_pose_file(tmp_path / name, IDS, SIZE)
    assert error.value.hint


def test_an_unknown_file_is_refused_with_the_list_of_formats(tmp_path: Path) -> None:
    (tmp_path / "poses.txt").write_text("what is a pose?\n")
    with pytest.raises(PosesError) as error:
        read_pose_file(tmp_path / "poses.txt", IDS, SIZE)
    assert all(known.name in error.value.hint for known in FORMATS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("poses.npy", HUGE_ARRAY),
        ("poses.npy", b"no array"),
        ("deep.json", b'{"frames": ' + b"[" * 5000),
        ("deep.json", b'{"a.jpg": {"cam_from_world": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}}"),
        ("far.json", b'{"a.jpg": {"cam_from_world": [1, 0, 0, 1e308, 0, 1, 0, 0, 0, 0, 1, 0]}}'),
        ("long.json", b'{"a.jpg": {"cam_from_world": [' + b"9" * 400 + b"]}}"),
        ("laughs.xml", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><document>&a;</document>'),
        ("deep.xml", b"<a>" * 100_000),
        ("bundle.out", b"# Bundle file v0.3\n900000 0\n1 2 3\n"),
        ("empty.txt", b""),
        ("long.txt", b"1 2 3 4 5 6 7 8\n" + b"9" * 5000),
    ],
)  # fmt: skip
def test_files_that_lie_are_an_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PosesError):
        read_pose_file(tmp_path / name, ("a.jpg",), SIZE)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cameras.bin", struct.pack("<Q", 2**59)),
        ("cameras.bin", struct.pack("<QiiQQ4d", 1, 1, 1, 2**64 - 1, 480, 500, 500, 320, 240)),
        ("images.bin", struct.pack("<Q", 2**59)),
        ("images.bin", IMAGE_OF_MANY_POINTS),
        ("cameras.txt", b"1 PINHOLE 18446744073709551615 480 500 500 320 240\n"),
        ("cameras.txt", b"1 PINHOLE " + b"9" * 400 + b" 480 500 500 320 240\n"),
        ("cameras.txt", b"1 PINHOLE " + b"9" * 5000 + b" 480 500 500 320 240\n"),
    ],
)  # fmt: skip
def test_a_colmap_model_that_claims_the_absurd_is_an_error(
    tmp_path: Path, name: str, content: bytes
) -> None:
    suffix = Path(name).suffix
    if suffix == ".bin":
        camera = struct.pack("<QiiQQ4d", 1, 1, 1, 640, 480, 500, 500, 320, 240)
        (tmp_path / "cameras.bin").write_bytes(camera)
        (tmp_path / "images.bin").write_bytes(struct.pack("<Q", 0))
    else:
        (tmp_path / "images.txt").write_text("1 1 0 0 0 1 2 3 1 a.jpg\n\n")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError):
        read_pose_file(tmp_path, ("a.jpg",), SIZE)


@pytest.mark.parametrize("between", ["", "\n", "1.5 2.5 -1 3.5 4.5 7\n", "# a comment\n"])
def test_images_of_a_model_made_by_hand_are_all_read(tmp_path: Path, between: str) -> None:
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 640 480 500 500 320 240\n")
    names = ["a.jpg", "b 1.jpg", "0003", "d.jpg"]
    lines = [f"{n} 1 0 0 0 {n} 0 0 1 {name}\n" for n, name in enumerate(names, start=1)]
    (tmp_path / "images.txt").write_text(between.join(lines))
    found = read_pose_file(tmp_path, (), SIZE).cam_from_world
    assert {name: pose.translation[0] for name, pose in found.items()} == {
        "a.jpg": 1, "b 1.jpg": 2, "0003": 3, "d.jpg": 4,
    }  # fmt: skip


@settings(max_examples=60, deadline=2000)
@given(
    which=st.sampled_from(WRITERS),
    at=st.integers(0, 4000),
    byte=st.integers(0, 255),
    cut=st.booleans(),
)
def test_damaged_files_never_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory,
    which: Callable[[Path], Path],
    at: int,
    byte: int,
    cut: bool,
) -> None:
    folder = tmp_path_factory.mktemp("poses")
    path = which(folder)
    for file in [path] if path.is_file() else sorted(path.rglob("*.*")):
        content = bytearray(file.read_bytes()) if file.is_file() else bytearray()
        if at < len(content):
            if cut:
                del content[at:]
            else:
                content[at] = byte
            file.write_bytes(content)
    try:
        found = read_pose_file(path, IDS, SIZE)
    except InputError:
        return
    every = [*found.cam_from_world.values(), *filter(None, found.in_order)]
    assert all(np.isfinite(pose.matrix()).all() for pose in every)
