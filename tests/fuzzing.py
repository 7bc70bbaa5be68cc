"""Readers of strangers' files, fed with good files that went bad in every way we can think of.

`python tests/fuzzing.py READER SECONDS SEED` runs one; `fuzzed` runs it apart, so that a hang and a
crash are seen. The same seed gives the same files.
"""

from __future__ import annotations

import json
import random
import re
import resource
import runpy
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL import Image

from recon3d.core.errors import ReconError
from recon3d.run.task import CancelToken, silent

HANG_SECONDS = 10.0
_START_SECONDS = 120.0
_SIZE = (48, 64)
_IDS = ("a.jpg", "b.jpg", "c.jpg")

# Good files, one folder of them for each reader; the reader gets the folder.


def photos(folder: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (*_SIZE, 3), np.uint8)
    image = Image.fromarray(rgb)
    exif = Image.Exif()
    exif.update({271: "Maker", 272: "Model", 274: 6, 282: 72.0, 34665: {37386: 4.2, 41989: 28}})
    exif[34853] = {1: "N", 2: (47.0, 3.0, 2.0), 3: "E", 4: (8.0, 1.0, 2.0)}
    for name in ("a.jpg", "a.png", "a.webp", "a.tif"):
        image.save(folder / name, exif=exif.tobytes())
    image.convert("L").save(folder / "grey.bmp")
    image.save(folder / "a.gif")


def exif_photo(folder: Path) -> None:
    photos(folder)
    for path in folder.iterdir():
        if path.name != "a.jpg":
            path.unlink()


def depth(folder: Path) -> None:
    values = np.random.default_rng(0).integers(0, 5000, _SIZE).astype(np.uint16)
    Image.fromarray(values).save(folder / "depth.png")


def masks(folder: Path) -> None:
    keep = np.random.default_rng(0).integers(0, 2, _SIZE).astype(np.uint8) * 255
    Image.fromarray(keep).save(folder / "a.png")
    Image.fromarray(keep).convert("1").save(folder / "b.png")


def video(folder: Path) -> None:
    from films import film

    rng = np.random.default_rng(0)
    film(folder / "film.mp4", [rng.integers(0, 255, (64, 64), np.uint8) for _ in range(10)])


def intrinsics(folder: Path) -> None:
    from recon3d.core.camera import Intrinsics, PinholeCamera
    from recon3d.photos.intrinsics_files import write_camera_file

    camera = Intrinsics(PinholeCamera(64, 48, 50.0, 50.0, 32.0, 24.0))
    write_camera_file(folder / "ours.json", camera, None)
    for form, name in (("opencv", "cv.yaml"), ("ros", "ros.yaml"), ("kalibr", "kalibr.yaml"),
                       ("colmap", "cameras.txt"), ("nerfstudio", "nerf.json")):  # fmt: skip
        write_camera_file(folder / name, camera, form)  # type: ignore[arg-type]
    (folder / "K.txt").write_text("50 0 32\n0 50 24\n0 0 1\n")


def poses(folder: Path) -> None:
    """Every format, in a folder of its own, as the tests of the formats write them."""
    written = runpy.run_path(str(Path(__file__).parent / "sfm" / "test_pose_formats.py"))
    for name, write in written.items():
        if name.startswith("write_"):
            (folder / name).mkdir()
            write(folder / name)


def transforms(folder: Path) -> None:
    frames = [{"file_path": name, "transform_matrix": np.eye(4).tolist()} for name in _IDS]
    lens = {"fl_x": 50, "fl_y": 50, "cx": 32, "cy": 24, "w": 64, "h": 48, "k1": 0.1}
    (folder / "transforms.json").write_text(json.dumps({**lens, "frames": frames}, indent=1))


def colmap(folder: Path, suffix: str) -> None:
    from recon3d.core.camera import PinholeCamera
    from recon3d.core.scene import PosedScene, SparsePoints, View
    from recon3d.core.transform import Rigid
    from recon3d.sfm.colmap_model import write_colmap_model

    camera = PinholeCamera(64, 48, 50.0, 50.0, 32.0, 24.0)
    views = tuple(
        View(name, camera, Rigid(np.eye(3), np.array([i, 0.0, 0]))) for i, name in enumerate(_IDS)
    )
    seen = np.array([[0, 0], [0, 1], [1, 1]])
    xyz_world = np.array([[0.0, 0, 5], [1, 0, 6]])
    points = SparsePoints(xyz_world, np.zeros((2, 3), np.uint8), np.zeros(2), seen)
    write_colmap_model(folder, PosedScene(views, points, "scene"))
    if suffix == ".txt":
        import pycolmap

        model = pycolmap.Reconstruction(folder)
        for path in folder.iterdir():
            path.unlink()
        model.write_text(folder)


def meshes(folder: Path) -> None:
    import trimesh

    ball = trimesh.creation.icosphere(1)
    page = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    ball.visual = trimesh.visual.TextureVisuals(uv=ball.vertices[:, :2], image=page)
    for suffix in ("ply", "glb", "obj", "stl", "off"):
        ball.export(folder / f"ball.{suffix}")
    ball.export(folder / "text.ply", encoding="ascii")


def settings(folder: Path) -> None:
    from recon3d.config import Config, to_toml

    (folder / "settings.toml").write_text(to_toml(Config(), comments=False))


def projects(folder: Path) -> None:
    from recon3d_gui.project.file import save_project
    from recon3d_gui.project.project import Project

    project = Project(sources=(folder / "a",), workspace=folder / "w", excluded=frozenset("ab"))
    save_project(project, folder / "scene.r3d")


def networks(folder: Path) -> None:
    from recon3d.depth.checkpoint import SHIPPED

    for path in SHIPPED.glob("*.json"):
        shutil.copyfile(path, folder / path.name)
    config = {"model_type": "depth_anything", "patch_size": 14, "backbone_config": {"a": [1, 2.5]}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text('{"size": {"height": 518, "width": 518}}')


def rigs(folder: Path) -> None:
    lens = {"width_px": 64, "height_px": 48, "fx_px": 50, "fy_px": 50, "cx_px": 32, "cy_px": 24}
    place = {"rotation": np.eye(3).tolist(), "translation": [0.1, 0, 0]}
    cameras = {name: {**lens, "cam_from_rig": place} for name in ("left", "right")}
    (folder / "rig.json").write_text(json.dumps({"unit": "metre", "cameras": cameras}, indent=1))


def boards(folder: Path) -> None:
    from boards import chessboard_leaning

    picture = Image.fromarray(chessboard_leaning((0.3, 0.4, 0.1))).resize((400, 300))
    for name in ("board.bmp", "board.jpg"):
        picture.save(folder / name)


def workspaces(folder: Path) -> None:
    from recon3d.run.workspace import open_workspace

    with open_workspace(folder, silent, CancelToken()) as work:
        work.remember_run({"notes": work.run(_notes(), _Nothing())}, {"poses": folder})


@dataclass(frozen=True)
class _Nothing:
    pass


def _notes() -> Any:
    from recon3d.run.files import write_json
    from recon3d.run.stage import Stage

    def run(config: object, folder: Path, task: object) -> None:
        write_json(folder / "notes.json", {"a": 1})

    return Stage(name="notes", result="notes", version=1, run=run, read=str)


# Readers


def _every(paths: Iterable[Path], read: Callable[[Path], object]) -> None:
    """Read them all, also after one that is refused."""
    refused: ReconError | None = None
    for path in sorted(paths):
        try:
            read(path)
        except ReconError as error:
            refused = error
    if refused:
        raise refused


def read_photos(folder: Path) -> None:
    from recon3d.photos.pictures import read_picture, read_preview

    _every(folder.iterdir(), read_picture)
    _every(folder.iterdir(), lambda path: read_preview(path, 32))


def read_masks(folder: Path) -> None:
    from recon3d.photos.masks import read_mask

    _every(folder.iterdir(), lambda path: read_mask(path, (64, 48)))


def read_depth(folder: Path) -> None:
    from recon3d.photos.depth_images import read_depth_levels

    _every(folder.iterdir(), lambda path: read_depth_levels(path, (64, 48), 6, "auto"))


def read_videos(folder: Path) -> None:
    from recon3d.photos.video import pick_frames, read_frames

    picked = pick_frames(folder / "film.mp4", 3, lambda done, total: None)
    list(read_frames(folder / "film.mp4", picked))


def read_cameras(folder: Path) -> None:
    from recon3d.photos.intrinsics import read_camera_file

    _every(folder.iterdir(), lambda path: read_camera_file(path, (64, 48)))


def read_rigs(folder: Path) -> None:
    from recon3d.photos.rig_files import read_rig_file

    _every(folder.iterdir(), lambda path: read_rig_file(path, (64, 48)))


def read_boards(folder: Path) -> None:
    from recon3d_calib.board import Board, BoardKind
    from recon3d_calib.detection import detect_board

    for path in sorted(folder.iterdir()):
        for kind in get_args(BoardKind):
            detect_board(path, Board(kind=kind, columns=6, rows=4))


def read_pose_folder(folder: Path) -> None:
    from recon3d.sfm.pose_formats.registry import read_pose_file

    read_pose_file(folder, _IDS, (64, 48))


def read_poses(folder: Path) -> None:
    from recon3d.sfm.pose_formats.registry import read_pose_file

    ids = tuple(f"{number}.png" for number in range(3))
    _every([*folder.glob("*"), *folder.glob("*/*")], lambda p: read_pose_file(p, ids, (640, 480)))


def read_meshes(folder: Path) -> None:
    from recon3d.surface.cleaning.survey import survey
    from recon3d.surface.foreign_meshes import SUFFIXES, read_foreign_mesh

    _every(folder.iterdir(), lambda p: p.suffix in SUFFIXES and survey(read_foreign_mesh(p)))


def ground_control(folder: Path) -> None:
    points = (
        "name;E;N;H;accuracy\nP1;689123,45;5335123,4;521,3;0,02\nP2;689150,1;5335101;523;0,03\n"
    )
    (folder / "points.csv").write_text(points, encoding="utf-8")
    marks = "name,photo,x,y\nP1,a.jpg,12.5,30\nP1,b.jpg,14,31.5\nP2,a.jpg,40,20\n"
    (folder / "marks.csv").write_text(marks, encoding="utf-8")
    rows = "47.1 8.2 521.3 12.5 30 a.jpg P1\n47.1001 8.2003 523 40 20 b.jpg P2\n"
    (folder / "gcp_list.txt").write_text(f"EPSG:4326\n{rows}", encoding="utf-8")
    (folder / "utm.txt").write_text(f"WGS84 UTM 32N\n{rows}", encoding="utf-8")


def read_control(folder: Path) -> None:
    from recon3d.georef.control.files import read_ground_control

    with suppress(ReconError):
        read_ground_control(folder / "points.csv", folder / "marks.csv")
    _every(folder.glob("*.txt"), read_ground_control)


def read_settings(folder: Path) -> None:
    from recon3d.config import read_config

    read_config(folder / "settings.toml")


def read_projects(folder: Path) -> None:
    from recon3d_gui.project.file import read_project

    read_project(folder / "scene.r3d")


def read_networks(folder: Path) -> None:
    from recon3d.depth.checkpoint import network_kind
    from recon3d.depth.hub.families import family_of
    from recon3d.depth.hub.files import read_settings as read_json
    from recon3d.depth.mono.checkpoint import read_mono_checkpoint

    _every(folder.iterdir(), read_mono_checkpoint)
    shutil.copyfile(folder / "config.json", folder / "recon3d.json")
    with suppress(ReconError):
        network_kind(folder)
    preprocessing = read_json(folder, "preprocessor_config.json")
    family_of(read_json(folder, "config.json")).input_size(640, 480, preprocessing)


def read_workspaces(folder: Path) -> None:
    from recon3d.run.notes import files_of_run, last_run
    from recon3d.run.unused import unused_folders
    from recon3d.run.workspace import open_workspace

    unused_folders(folder, everything=True)
    files_of_run(folder)
    with suppress(ReconError):
        for made in last_run(folder, [_notes()]).values():
            assert made.value
    with open_workspace(folder, silent, CancelToken()) as work:
        assert work.run(_notes(), _Nothing()).value


@dataclass(frozen=True)
class Reader:
    """Good files, and what reads them; only a ReconError may come of bad ones."""

    make: Callable[[Path], None]
    read: Callable[[Path], object]
    head_bytes: int = 1 << 30
    """Only the first bytes of a file go bad."""


READERS = {
    "photo": Reader(photos, read_photos),
    "EXIF": Reader(exif_photo, read_photos, 400),
    "mask": Reader(masks, read_masks),
    "depth": Reader(depth, read_depth),
    "video": Reader(video, read_videos),
    "intrinsics": Reader(intrinsics, read_cameras),
    "poses": Reader(poses, read_poses),
    "transforms.json": Reader(transforms, read_pose_folder),
    "COLMAP text": Reader(lambda folder: colmap(folder, ".txt"), read_pose_folder),
    "COLMAP binary": Reader(lambda folder: colmap(folder, ".bin"), read_pose_folder),
    "ground control": Reader(ground_control, read_control),
    "mesh-info": Reader(meshes, read_meshes),
    "TOML": Reader(settings, read_settings),
    ".r3d": Reader(projects, read_projects),
    "calibration (rig)": Reader(rigs, read_rigs),
    "calibration (board)": Reader(boards, read_boards),
    "networks": Reader(networks, read_networks),
    "workspace": Reader(workspaces, read_workspaces),
}

# What goes wrong

_NUMBERS = [b"0", b"-1", b"1e309", b"-1e-320", b"nan", b"inf", b"9" * 400, b"4294967296", b"1e30"]
_VALUES = [b"null", b"{}", b"[]", b"true", b'"x"', b"[" * 20_000, b'{"a":' * 20_000, b"[[[1]]]"]
_WORDS = [0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 65_500, 0x10000]


def spoilt(content: bytes, rng: random.Random, head_bytes: int) -> bytes:
    """The content with one to three things wrong."""
    head, tail = bytearray(content[:head_bytes]), content[head_bytes:]
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(_FAULTS)(head, rng)
    return bytes(head) + tail


def _flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 20)):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randint(0, len(data)) :]


def _insert(data: bytearray, rng: random.Random) -> None:
    at = rng.randint(0, len(data))
    data[at:at] = rng.randbytes(rng.choice((1, 4, 100)))


def _repeat(data: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(data))
    part = bytes(data[start : start + rng.randint(1, 200)])
    data[start:start] = part * rng.choice((1, 2, 50))


def _blank(data: bytearray, rng: random.Random) -> None:
    start = rng.randint(0, len(data))
    end = min(len(data), start + rng.randint(1, 64))
    data[start:end] = bytes([rng.choice((0, 255, 32))]) * (end - start)


def _word(data: bytearray, rng: random.Random) -> None:
    at, word = rng.randint(0, max(0, len(data) - 4)), rng.choice(_WORDS)
    data[at : at + 4] = word.to_bytes(4, rng.choice(("little", "big")))


def _swap(
    found: list[re.Match[bytes]], new: list[bytes], data: bytearray, rng: random.Random
) -> None:
    if found:
        match = rng.choice(found)
        data[match.start() : match.end()] = rng.choice(new)


def _number(data: bytearray, rng: random.Random) -> None:
    _swap(
        list(re.finditer(rb"-?\d+(\.\d*)?(e[-+]?\d+)?", bytes(data[:100_000]))), _NUMBERS, data, rng
    )


def _value(data: bytearray, rng: random.Random) -> None:
    found = re.finditer(rb'(?<=[:=\[,] )("[^"\n]*"|-?[\d.]+|\[[^\]\n]*\])', bytes(data[:100_000]))
    _swap(list(found), _VALUES, data, rng)


def _line(data: bytearray, rng: random.Random) -> None:
    lines = bytes(data).split(b"\n")
    line = lines.pop(rng.randrange(len(lines)))
    for _ in range(rng.choice((0, 2))):
        lines.insert(rng.randint(0, len(lines)), line)
    data[:] = b"\n".join(lines)


_FAULTS = (_flip_bits, _cut, _insert, _repeat, _blank, _word, _number, _value, _line)


# Runs


@dataclass
class Found:
    """What became of one reader."""

    files: int = 0
    refused: int = 0
    hangs: int = 0
    crashes: int = 0
    slowest_seconds: float = 0.0
    peak_mib: float = 0.0
    not_ours: list[str] = field(default_factory=list)
    """Tracebacks of errors that no reader may let out, the first of each kind."""

    @property
    def faultless(self) -> bool:
        return not (self.hangs or self.crashes or self.not_ours)


def run_here(name: str, seconds: float, seed: int) -> Iterator[dict[str, Any]]:
    """Spoil and read until the time is over; tells of every file, before and after."""
    reader = READERS[name]
    with tempfile.TemporaryDirectory() as place:
        good, bad = Path(place) / "good", Path(place) / "bad"
        good.mkdir()
        reader.make(good)
        names = sorted(
            p.relative_to(good) for p in good.rglob("*") if p.is_file() and p.name != ".lock"
        )
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            rng = random.Random(f"{name} {seed}")
            shutil.rmtree(bad, ignore_errors=True)
            shutil.copytree(good, bad)
            target = bad / rng.choice(names)
            target.write_bytes(spoilt(target.read_bytes(), rng, reader.head_bytes))
            yield {"seed": seed}
            started, told = time.monotonic(), {"refused": False, "not_ours": ""}
            try:
                reader.read(bad)
            except ReconError:
                told["refused"] = True
            except Exception:
                told["not_ours"] = traceback.format_exc()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            yield {**told, "seconds": time.monotonic() - started, "peak_mib": peak, "seed": seed}
            seed += 1


def fuzzed(name: str, seconds: float, seed: int = 0) -> Found:
    """Run one reader in a process of its own, and again after a hang or a crash."""
    found, end = Found(), time.monotonic() + seconds
    kinds = set[str]()
    while (left := end - time.monotonic()) > 0:
        command = [sys.executable, __file__, name, str(left), str(seed)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        ) as child:
            assert child.stdout
            patience = _START_SECONDS
            while select.select([child.stdout], [], [], patience)[0]:
                line = child.stdout.readline()
                if not line:
                    break
                if not line.startswith(b'{"fuzz"'):  # libraries print too
                    continue
                patience = HANG_SECONDS
                told = json.loads(line)["fuzz"]
                seed = told["seed"]
                if "seconds" not in told:
                    continue
                found.files += 1
                found.refused += told["refused"]
                found.slowest_seconds = max(found.slowest_seconds, told["seconds"])
                found.peak_mib = max(found.peak_mib, told["peak_mib"])
                kind = told["not_ours"].strip().rpartition("\n")[2].partition(":")[0]
                if kind and kind not in kinds:
                    kinds.add(kind)
                    found.not_ours.append(f"seed {seed}: {told['not_ours']}")
            else:
                found.hangs += 1
                found.not_ours.append(f"seed {seed}: nothing came for {patience:.0f} s")
            child.kill()
            code = child.wait()
        if code > 0 or code < -9:
            found.crashes += 1
            found.not_ours.append(f"seed {seed}: the process ended with {code}")
        seed += 1
    return found


if __name__ == "__main__":
    for said in run_here(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])):
        sys.stdout.write(json.dumps({"fuzz": said}) + "\n")
        sys.stdout.flush()
