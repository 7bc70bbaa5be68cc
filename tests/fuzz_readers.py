"""Readers of strangers' files: good files for each, and what reads them."""

from __future__ import annotations

import json
import runpy
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL import Image

from recon3d.core.errors import ReconError
from recon3d.run.task import CancelToken, silent

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
